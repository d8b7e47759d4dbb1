"""`tagtower retry`: gives videos of the failed shelf another chance."""

from __future__ import annotations

from typing import Annotated

import typer

from tagtower.faces.cli import options
from tagtower.faces.cli.output import print_line, write_json


def retry(
    home: options.Home,
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="VIDEO", help="Numbers of videos; default all that failed.")
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--type", help="Only failures of this type, such as missing or timeout; may be repeated."
        ),
    ] = None,
    as_json: options.Json = False,
) -> int:
    """Put failed videos back on the unlabelled shelf, once what was wrong is mended."""
    from tagtower.usecases.installation.home import open_installation
    from tagtower.usecases.installation.retry import retry

    with open_installation(home) as installation:
        done = retry(installation, ids=ids or None, kinds=kinds or None)
    if as_json:
        write_json(done.to_json())
    else:
        print_line(f"{done.videos} videos are tried again")
    return 0

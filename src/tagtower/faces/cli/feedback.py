"""`tagtower feedback HOME`: what persons said of stored videos, for the next training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tagtower.faces.cli import options
from tagtower.faces.cli.installation import HomeCommand, HomeGroup, opened
from tagtower.faces.cli.output import print_line, say, write_json

HELP = """\
Bring what persons said of stored videos to the next training.

Accepted and added tags become the tags of a manifest, rejected ones its `rejected`, which training holds against the
video. Train on it alone, or on it and the manifest of before, then: tagtower models HOME add FOLDER
"""

app = typer.Typer(cls=HomeGroup, no_args_is_help=True, help=HELP)


@app.callback()
def frame(context: typer.Context, home: options.Home) -> None:
    """Bring what persons said of stored videos to the next training."""
    context.obj = home


@app.command(cls=HomeCommand)
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT.jsonl", help="The manifest to write.")],
    media: Annotated[
        Path | None,
        typer.Option(
            "--media",
            metavar="DIR",
            help="Copy media there that lie in an object store; training reads files.",
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Write every video on whose tags somebody spoke as a manifest (JSON Lines).

    What a model suggested and nobody judged is left out.
    """
    from tagtower.usecases.installation.feedback import export_feedback

    with opened(context) as installation:
        report = export_feedback(installation, out, media=media, overwrite=overwrite)
    if as_json:
        write_json(report.to_json())
    else:
        print_line(
            f"{out}: {report.videos:,} videos, {report.accepted:,} tags accepted or added, {report.rejected:,} rejected"
        )
    if report.without_media:
        say(f"{report.without_media:,} videos have only words: their media lie where training does not read.")
    if report.left_out:
        say(
            f"{report.left_out:,} videos were left out: they have no media that training can read, and no title."
        )

"""`tagtower init`: makes an installation in a folder, or brings one to this program's version."""

from __future__ import annotations

from typing import Annotated

import typer

from tagtower.faces.cli import options
from tagtower.faces.cli.output import say, write_json


def init(
    home: options.Home,
    upgrade: Annotated[
        bool,
        typer.Option(
            "--upgrade",
            help="Bring the database of an existing installation to this version. Back it up and stop the other "
            "programs first.",
        ),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Make an installation in a folder: a tag library, a video library, and room for models.

    Everything lies in the folder, in a SQLite database beside the media. With TAGTOWER_DATABASE_URL=postgresql://...
    and TAGTOWER_MEDIA_URL=s3://... it lies there instead; every later command needs them too. HOME/installation.toml
    holds the settings.
    """
    from tagtower.usecases.installation.home import init

    name = init(home, upgrade_schema=upgrade)
    if as_json:
        write_json({"home": str(home.resolve()), "installation": name, "upgraded": upgrade})
    elif upgrade:
        say(f"{home} is up to date.")
    else:
        say(f"{home} is an installation now.")
        say(f"  Next: tagtower tags {home} import TAGS, tagtower videos {home} put FOLDER")

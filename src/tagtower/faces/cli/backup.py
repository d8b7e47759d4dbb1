"""`tagtower backup HOME create|restore`: copies of an installation, and installations of copies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tagtower.faces.cli import options
from tagtower.faces.cli.installation import HomeCommand, HomeGroup, opened
from tagtower.faces.cli.output import say, write_json

SOME_FAILED = 1

HELP = """\
Back an installation up, and restore it.

A backup is a folder with one moment of the installation, whoever works meanwhile. It can be restored into a SQLite
file or a PostgreSQL database, whichever it was made of.
"""

app = typer.Typer(cls=HomeGroup, no_args_is_help=True, help=HELP)


@app.callback()
def frame(context: typer.Context, home: options.Home) -> None:
    """Back an installation up, and restore it."""
    context.obj = home


@app.command(cls=HomeCommand)
def create(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder for the backup.")],
    with_media: Annotated[
        bool,
        typer.Option("--with-media", help="Copy the stored media too; else only their names and hashes."),
    ] = False,
    as_json: options.Json = False,
) -> int:
    """Write a backup: tags, videos, verdicts, suggestions, vectors, models, settings, and the media if asked for.

    The folder is there whole or not at all. Addresses and passwords of databases are left out. Ends with 1 if stored
    media are missing from the store.
    """
    from tagtower.usecases.installation.backup import create_backup

    with opened(context) as installation:
        report = create_backup(installation, out, with_media=with_media)
    if as_json:
        write_json(report.to_json())
    else:
        media = f", {report.media:,} media" if with_media else "; the media are not in it"
        say(
            f"{out}: {report.videos:,} videos, {report.vectors:,} vectors, {report.models:,} models{media} "
            f"({report.bytes / (1 << 20):,.1f} MiB)"
        )
    for key in report.missing[:10]:
        say(f"  missing from the media store: {key}")
    return SOME_FAILED if report.missing else 0


@app.command(cls=HomeCommand)
def restore(
    context: typer.Context,
    backup: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of a backup.")],
    check: Annotated[
        bool, typer.Option("--check", help="Only look whether every file of it is as it was written.")
    ] = False,
    as_json: options.Json = False,
) -> int:
    """Make the installation HOME, a new folder, from a backup.

    Every file is compared with its hash first. The database is a SQLite file in HOME, or the empty one that
    TAGTOWER_DATABASE_URL names. Ends with 1 if stored media are neither in the backup nor in the media store.
    """
    from tagtower.usecases.installation.restore import check_backup, restore_backup

    if check:
        described = check_backup(backup)
        if as_json:
            write_json(described.to_json())
        else:
            say(f"{backup}: a sound backup of {described.made}, {len(described.files):,} files")
        return 0
    home: Path = context.obj
    report = restore_backup(backup, home)
    if as_json:
        write_json(report.to_json())
    else:
        say(f"{home}: restored as of {report.made}, {report.videos:,} videos, {report.vectors:,} vectors")
        if report.missing:
            say(f"  {report.missing:,} media are not there: copy the folder of media into {home}.")
    return SOME_FAILED if report.missing else 0

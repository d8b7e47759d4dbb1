"""`tagtower keys`: who may ask the server of an installation for what."""

from __future__ import annotations

from typing import Annotated

import typer

from tagtower.faces.cli import options
from tagtower.faces.cli.installation import HomeCommand, HomeGroup, opened
from tagtower.faces.cli.output import print_line, print_table, say, write_json

app = typer.Typer(cls=HomeGroup, help="Make, list and revoke the API keys of a server.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the key is called in lists and histories.")]


@app.callback()
def frame(context: typer.Context, home: options.Home) -> None:
    """Make, list and revoke the API keys of a server."""
    context.obj = home


@app.command("create", cls=HomeCommand)
def create(
    context: typer.Context,
    name: Name,
    role: Annotated[
        str,
        typer.Option(
            "--role",
            help="terminal: hand videos in, find and play them; editor: also verdicts and the tag library; "
            "admin: also models, feeds, webhooks and erasing.",
        ),
    ] = "terminal",
    as_json: options.Json = False,
) -> None:
    """Make a key. It is printed once, on stdout; only its hash is kept."""
    from tagtower.usecases.installation import keys

    wanted = keys.parse_role(role)
    with opened(context) as installation:
        made = keys.create(installation, name, wanted)
    if as_json:
        write_json(made.to_json())
        return
    say(f"The key of {made.key.name!r} ({made.key.role}); it is shown only now:")
    print_line(made.text)


@app.command("list", cls=HomeCommand)
def list_keys(context: typer.Context, as_json: options.Json = False) -> None:
    """List the keys, revoked ones too."""
    from rich.table import Table

    from tagtower.usecases.installation import keys

    with opened(context) as installation:
        found = keys.list_all(installation)
    if as_json:
        write_json({"keys": [one.to_json() for one in found]})
        return
    table = Table("name", "role", "made", "revoked")
    for one in found:
        revoked = "" if one.revoked_at is None else f"{one.revoked_at:%Y-%m-%d %H:%M}"
        table.add_row(one.name, one.role, f"{one.created_at:%Y-%m-%d %H:%M}", revoked)
    print_table(table)


@app.command("revoke", cls=HomeCommand)
def revoke(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Let a key open nothing any more; what was signed in with it ends at once."""
    from tagtower.usecases.installation import keys

    with opened(context) as installation:
        gone = keys.revoke(installation, name)
    if as_json:
        write_json(gone.to_json())
    else:
        say(f"The key {gone.name!r} opens nothing any more.")

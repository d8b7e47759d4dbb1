"""`tagtower tags HOME preview` and `sweep`: which stored videos a tag fits, before it is added and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tagtower.faces.cli import options
from tagtower.faces.cli.installation import HomeCommand, opened
from tagtower.faces.cli.output import print_line, print_table, say, write_json

if TYPE_CHECKING:
    from tagtower.usecases.installation.retro import Preview

Threads = Annotated[
    int | None, typer.Option("--threads", min=0, help="CPU threads of the model; 0 takes one per core.")
]


def preview(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The tag as it would be added.")],
    aliases: Annotated[
        list[str] | None, typer.Option("--alias", metavar="TEXT", help="Another name of it; may be repeated.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0, max=1, help="Suggest it from this probability on, instead."),
    ] = None,
    shown: Annotated[int, typer.Option("--show", min=0, help="List so many of the videos.")] = 10,
    device: options.Device = "auto",
    threads: Threads = None,
    as_json: options.Json = False,
) -> None:
    """Show on which stored videos a tag would be suggested, without adding it.

    Every stored video is looked at, by its vector under the active model.
    """
    from tagtower.usecases.installation.retro import preview
    from tagtower.usecases.session import parse_device

    with opened(context) as installation:
        found = preview(
            installation,
            text,
            aliases or (),
            threshold=threshold,
            shown=shown,
            device=parse_device(device),
            threads=threads,
        )
    if as_json:
        write_json(found.to_json(), indent=2)
    else:
        _show(found)


def sweep(
    context: typer.Context,
    tags: Annotated[
        list[str] | None,
        typer.Argument(metavar="TAG", help="Look for these once more; default what was asked for."),
    ] = None,
    device: options.Device = "auto",
    threads: Threads = None,
    as_json: options.Json = False,
) -> None:
    """Look now for the stored videos that new tags fit, instead of leaving it to the workers."""
    from tagtower.usecases.installation.retro import sweep_now
    from tagtower.usecases.session import parse_device

    with opened(context) as installation:
        found = sweep_now(installation, tags or (), device=parse_device(device), threads=threads)
    if as_json:
        write_json({"sweeps": [one.to_json() for one in found]}, indent=2)
        return
    for one in found:
        print_line(f"{one.tag}: fits {one.hits:,} videos, newly suggested on {one.suggested:,}")
        if one.reason:
            say(f"  {one.reason}")
    if not found:
        say("No sweep was asked for.")


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    app.command("preview", cls=HomeCommand)(preview)
    app.command("sweep", cls=HomeCommand)(sweep)


def _show(found: Preview) -> None:
    if found.taken is not None:
        say(f"The library has this tag already, as {found.taken!r}.")
    print_line(f"{found.text!r} would hit {found.count:,} of {found.stored:,} videos.")
    if found.suggested < found.count:
        print_line(f"It would be suggested on the nearest {found.suggested:,} (suggestions.most_hits).")
    if found.limit.reason:
        say(found.limit.reason)
    if found.hits:
        table = Table("video", "distance", "score", "title", box=None, pad_edge=False)
        for one in found.hits:
            score = "" if one.score is None else f"{one.score:.2f}"
            table.add_row(str(one.video), f"{one.distance:.3f}", score, one.title or "")
        print_table(table)

"""`tagtower tags HOME`: what the tag library of an installation holds, and its history."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tagtower.errors import UsageError
from tagtower.faces.cli import feeds, options, tag_changes, tag_preview
from tagtower.faces.cli.installation import HomeCommand, HomeGroup, opened
from tagtower.faces.cli.output import print_line, print_table, say, write_json

if TYPE_CHECKING:
    from tagtower.library.curation.history import Change
    from tagtower.library.curation.reading import TagFilter
    from tagtower.library.curation.record import TagRecord

HELP = """\
Look at the tag library of an installation, and change it.

A tag is named by its text, by an alias, or by its number: '#12'. Every change has an author and a number, can be
tried with --dry-run, and can be undone. New tags are used by the next video, and stored videos are searched for them.
"""

app = typer.Typer(cls=HomeGroup, no_args_is_help=True, help=HELP)
tag_changes.register(app)
tag_preview.register(app)
app.add_typer(feeds.app, name="feeds")
app.command("topics", cls=HomeCommand)(feeds.topics)

State = Annotated[
    str | None,
    typer.Option("--state", help="active, retired, quarantined or merged; default all but merged."),
]
Search = Annotated[str | None, typer.Option("--search", metavar="TEXT", help="Tags with this in a name.")]
Group = Annotated[str | None, typer.Option("--group", metavar="NAME", help="Tags of this group.")]
Language = Annotated[str | None, typer.Option("--language", help="Tags in this language, such as en.")]
Origin = Annotated[
    str | None, typer.Option("--origin", help="Tags that came from: person, import, or feed:NUMBER.")
]
Reference = Annotated[str, typer.Argument(metavar="TAG", help="Its text, an alias, or its number: '#12'.")]


@app.callback()
def frame(
    context: typer.Context,
    home: Annotated[Path, typer.Argument(metavar="HOME", help="The folder of the installation.")],
) -> None:
    """Look at the tag library of an installation, and change it."""
    context.obj = home


@app.command("list", cls=HomeCommand)
def list_(
    context: typer.Context,
    state: State = None,
    search: Search = None,
    group: Group = None,
    language: Language = None,
    origin: Origin = None,
    order: Annotated[str, typer.Option("--order", help="id, name or newest.")] = "name",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    after: Annotated[
        str | None, typer.Option("--after", metavar="PLACE", help="Go on where the last list ended.")
    ] = None,
    groups: Annotated[bool, typer.Option("--groups", help="List the groups instead of tags.")] = False,
    as_json: options.Json = False,
) -> None:
    """List tags, a page at a time."""
    from tagtower.usecases.installation.tag_library import tag_groups, tag_page

    if order not in ("id", "name", "newest"):
        raise UsageError(f"There is no order {order!r}.", hint="Order by id, name or newest.")
    with opened(context) as installation:
        if groups:
            found = tag_groups(installation)
            if as_json:
                write_json({"groups": [{"name": name, "tags": count} for name, count in found]}, indent=2)
            else:
                table = Table("group", "tags", box=None, pad_edge=False)
                for name, count in found:
                    table.add_row(name, f"{count:,}")
                print_table(table)
            return
        wanted = _filter(state, search, group, language, origin)
        page = tag_page(installation, wanted, order=order, limit=limit, after=after)  # type: ignore[arg-type]
    if as_json:
        write_json(page.to_json(), indent=2)
        return
    table = Table("id", "tag", "aliases", "state", "groups", "expires", box=None, pad_edge=False)
    for tag in page.tags:
        expires = "" if tag.expires_at is None else f"{tag.expires_at:%Y-%m-%d %H:%M}"
        table.add_row(
            f"#{tag.id}", tag.text, ", ".join(tag.aliases), _standing(tag), ", ".join(tag.groups), expires
        )
    print_table(table)
    more = f"; go on with --after {page.next!r}" if page.next else ""
    say(f"{len(page.tags):,} of {page.total:,} tags, version {page.version} of the library{more}")


@app.command(cls=HomeCommand)
def show(context: typer.Context, tag: Reference, as_json: options.Json = False) -> None:
    """Show one tag: what is said of it, what is merged into it, how many videos have it, and its last changes."""
    from tagtower.usecases.installation.tag_library import tag_portrait

    with opened(context) as installation:
        portrait = tag_portrait(installation, tag)
    if as_json:
        write_json(portrait.to_json(), indent=2)
        return
    record = portrait.tag
    facts = Table(box=None, show_header=False, pad_edge=False)
    rows = {
        "tag": f"{record.text}  #{record.id}",
        "aliases": ", ".join(record.aliases),
        "description": record.description or "",
        "language": record.language or "",
        "state": _standing(record) + (f" into #{record.merged_into}" if record.merged_into else ""),
        "groups": ", ".join(record.groups),
        "origin": f"{record.origin}, {record.created_at:%Y-%m-%d %H:%M}",
        "expires": "" if record.expires_at is None else f"{record.expires_at:%Y-%m-%d %H:%M}",
        "threshold": "" if record.threshold is None else f"{record.threshold:g}",
        "merged into it": ", ".join(f"{one.text} #{one.id}" for one in portrait.merged),
        "videos": f"{portrait.reach.videos:,} ({portrait.reach.suggestions:,} suggestions, "
        f"{portrait.reach.verdicts:,} verdicts)",
    }
    for name, value in rows.items():
        if value:
            facts.add_row(name, value)
    print_table(facts)
    print_line("")
    _show_changes(portrait.changes)


@app.command(cls=HomeCommand)
def history(
    context: typer.Context,
    tag: Annotated[str | None, typer.Argument(metavar="[TAG]", help="Only what touched this tag.")] = None,
    version: Annotated[
        int | None, typer.Option("--version", metavar="N", help="One change, with the tags before and after.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest first.")] = 20,
    before: Annotated[
        int | None, typer.Option("--before", metavar="N", help="Only changes before N.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show what was changed, when, and by whom."""
    from tagtower.usecases.installation import tag_library

    with opened(context) as installation:
        if version is not None:
            portrait = tag_library.change_portrait(installation, version)
            if as_json:
                write_json(portrait.to_json(), indent=2)
            else:
                _show_changes((portrait.change,))
                tag_changes.show_edits(portrait.edits)
            return
        changes = tag_library.history(installation, tag=tag, before=before, limit=limit)
    if as_json:
        write_json({"changes": [change.to_json() for change in changes]}, indent=2)
    else:
        _show_changes(tuple(changes))


@app.command(cls=HomeCommand)
def export(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option("--out", help="A .jsonl, .csv or .txt file; default JSON Lines on stdout.")
    ] = None,
    state: State = "active",
    search: Search = None,
    group: Group = None,
    language: Language = None,
    origin: Origin = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Write the tags to a file that `tags import` and `tagtower train --tags` read."""
    from tagtower.usecases.installation.tag_library import export_tags, write_tags

    wanted = _filter(state, search, group, language, origin)
    with opened(context) as installation:
        if out is None:
            write_tags(installation, wanted, sys.stdout)
            return
        count = export_tags(installation, wanted, out, overwrite=overwrite)
    say(f"{out}: {count:,} tags")


def _filter(
    state: str | None, search: str | None, group: str | None, language: str | None, origin: str | None
) -> TagFilter:
    from tagtower.library.curation.reading import TagFilter
    from tagtower.library.curation.record import TAG_STATES

    known = next((one for one in TAG_STATES if one == state), None)
    if state is not None and known is None:
        raise UsageError(f"There is no state {state!r}.", hint=f"Name one of {', '.join(TAG_STATES)}.")
    return TagFilter(known, search, group, language, origin)


def _standing(tag: TagRecord) -> str:
    return tag.state if tag.suggestable else f"{tag.state}, never suggested"


def _show_changes(changes: tuple[Change, ...]) -> None:
    table = Table("version", "when (UTC)", "who", "what", "", box=None, pad_edge=False)
    for change in changes:
        undone = f"undone by {change.undone_by}" if change.undone_by else ""
        table.add_row(
            str(change.version), f"{change.at:%Y-%m-%d %H:%M:%S}", change.author, change.summary, undone
        )
    print_table(table)

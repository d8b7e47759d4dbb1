"""`tagtower client ask|show`: finding the videos of a server, and looking at one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer
from rich.table import Table
from rich.text import Text

from tagtower.errors import UsageError
from tagtower.faces.cli import options
from tagtower.faces.cli.client_connection import KeyFile, Server, connected
from tagtower.faces.cli.client_output import plain, tag_line
from tagtower.faces.cli.output import print_line, print_table, say, short, write_json
from tagtower.faces.cli.video_searches import (
    TAGS_SHOWN,
    Cursor,
    Owner,
    Reviewed,
    ShelfName,
    TagNames,
    Words,
    shown_length,
)

if TYPE_CHECKING:
    from tagtower.client.answers.videos import Video, VideoDetail

VideoId = Annotated[int, typer.Argument(metavar="VIDEO", min=1, help="The number of a video.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many.")]


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    app.command("ask")(ask)
    app.command("show")(show)


def ask(
    tag: TagNames = None,
    words: Words = None,
    similar: Annotated[
        int | None, typer.Option("--similar", metavar="VIDEO", min=1, help="Those most like this video.")
    ] = None,
    owner: Owner = None,
    shelf: ShelfName = None,
    reviewed: Reviewed = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    server: Server = None,
    key_file: KeyFile = None,
    as_json: options.Json = False,
) -> None:
    """Find videos by tag, words or likeness, all conditions at once; without any, the last that came.

    The last that were handed in come first, or with --similar the most alike.
    """
    if shelf not in (None, "unlabelled", "labelled", "failed"):
        raise UsageError(f"There is no shelf {shelf!r}.", hint="Shelves: unlabelled, labelled, failed.")
    with connected(server, key_file) as client:
        page = client.videos.page(
            tags=tag or (),
            words=words,
            similar=similar,
            owner=owner,
            shelf=cast(Literal["unlabelled", "labelled", "failed"] | None, shelf),
            reviewed=reviewed,
            limit=limit,
            cursor=cursor,
        )
    if as_json:
        write_json(plain(page))
        return
    columns = ["video", *(["distance"] if similar is not None else []), "title", "shelf", "length", "tags"]
    table = Table(*columns, box=None, pad_edge=False)
    for one in page.videos:
        table.add_row(*_cells(one, distance=similar is not None))
    print_table(table)
    say(f"{len(page.videos):,} videos" + (f"; go on with --cursor {page.next}" if page.next else ""))


def show(
    video: VideoId, server: Server = None, key_file: KeyFile = None, as_json: options.Json = False
) -> None:
    """Show one video: its tags and why they were suggested, what persons said, and who handed it in."""
    with connected(server, key_file) as client:
        found = client.videos.get(video)
    if as_json:
        write_json(plain(found), indent=2)
    else:
        _show(found)


def _cells(video: Video, *, distance: bool) -> list[str | Text]:
    more = len(video.tags) - TAGS_SHOWN
    tags = tag_line(video.tags[:TAGS_SHOWN]) + (f", and {more} more" if more > 0 else "")
    return [
        str(video.id),
        *([f"{video.distance:.3f}" if video.distance is not None else ""] if distance else []),
        Text(" ".join((video.title or "").split())[:70]),
        video.shelf,
        shown_length((video.facts or {}).get("seconds")),
        Text(tags),
    ]


def _show(video: VideoDetail) -> None:
    error = video.error or {}
    rows = {
        "video": str(video.id),
        "title": video.title or "",
        "shelf": f"{video.shelf} since {video.shelved:%Y-%m-%d %H:%M}",
        "error": " ".join(filter(None, (error.get("message"), error.get("hint")))),
        "added": f"{video.added:%Y-%m-%d %H:%M}",
        "published": "" if video.published is None else f"{video.published:%Y-%m-%d %H:%M}",
        "length": shown_length((video.facts or {}).get("seconds")),
        "bytes": "" if video.bytes is None else f"{video.bytes:,}",
        "names": ", ".join(f"{one.owner}: {one.name}" if one.owner else one.name for one in video.references),
        "model": short(video.model) if video.model else "none yet",
        "library": f"version {video.library}",
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(value))
    print_table(table)
    if video.tags:
        tags = Table("tag", "by", "probability", "distance", box=None, pad_edge=False)
        for one in video.tags:
            score = "" if one.score is None else f"{one.score:.0%}"
            distance = "" if one.distance is None else f"{one.distance:.3f}"
            tags.add_row(Text(one.tag), one.origin, score, distance)
        print_line("")
        print_table(tags)
    if video.verdicts:
        said = Table("tag", "verdict", "by", "at", box=None, pad_edge=False)
        for word in video.verdicts:
            said.add_row(Text(word.tag), word.verdict, Text(word.author), f"{word.at:%Y-%m-%d %H:%M}")
        print_line("")
        print_table(said)

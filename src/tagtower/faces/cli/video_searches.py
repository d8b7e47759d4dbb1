"""`tagtower videos HOME list|find|similar|show`: looking at stored videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from tagtower.errors import UsageError
from tagtower.faces.cli import options
from tagtower.faces.cli.installation import HomeCommand, moment, opened, span
from tagtower.faces.cli.output import print_line, print_table, say, short, write_json

if TYPE_CHECKING:
    from datetime import datetime

    from tagtower.usecases.installation.find import Found, Search, Shown
    from tagtower.usecases.installation.home import Installation

TAGS_SHOWN = 6

VideoId = Annotated[int, typer.Argument(metavar="VIDEO", min=1, help="The number of a video.")]
TagNames = Annotated[
    list[str] | None,
    typer.Option(
        "--tag", metavar="TAG", help="Videos that show this tag: a name, an alias or '#12'. May be repeated."
    ),
]
Words = Annotated[
    str | None,
    typer.Option(
        "--words",
        metavar="TEXT",
        help="Videos with all of these words in title, description or subtitles; eclip* finds what begins so.",
    ),
]
Owner = Annotated[str | None, typer.Option("--owner", metavar="NAME", help="Videos that this owner has.")]
ShelfName = Annotated[str | None, typer.Option("--shelf", help="unlabelled, labelled or failed.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Handed in since then: an ISO time, or 7d for a week ago."),
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Handed in before then, given likewise.")
]
Reviewed = Annotated[
    bool | None,
    typer.Option("--reviewed/--unreviewed", help="Only videos on which a person has, or has not, spoken."),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")]
Cursor = Annotated[
    str | None, typer.Option("--cursor", metavar="TEXT", help="Go on where the last page ended.")
]


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    app.command("list", cls=HomeCommand)(list_)
    app.command("find", cls=HomeCommand)(find)
    app.command("similar", cls=HomeCommand)(similar)
    app.command("show", cls=HomeCommand)(show)


def list_(
    context: typer.Context,
    owner: Owner = None,
    shelf: ShelfName = None,
    since: Since = None,
    until: Until = None,
    reviewed: Reviewed = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: options.Json = False,
) -> None:
    """List videos, the last that were handed in first, a page at a time."""
    _page(context, limit, cursor, as_json, None, None, owner, shelf, since, until, reviewed)


def find(
    context: typer.Context,
    tag: TagNames = None,
    words: Words = None,
    owner: Owner = None,
    shelf: ShelfName = None,
    since: Since = None,
    until: Until = None,
    reviewed: Reviewed = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: options.Json = False,
) -> None:
    """Find videos by tag, words, owner, shelf and time, all at once, the last that were handed in first.

    A tag finds the videos that show it: by a person's word, or suggested by the active model and not rejected. Words
    are found whatever their case and accents.
    """
    if not tag and words is None:
        raise UsageError("There is nothing to find.", hint="Give --tag or --words, or use: list")
    _page(context, limit, cursor, as_json, tag, words, owner, shelf, since, until, reviewed)


def similar(
    context: typer.Context,
    video: VideoId,
    tag: TagNames = None,
    words: Words = None,
    owner: Owner = None,
    shelf: ShelfName = None,
    limit: Limit = 20,
    cursor: Cursor = None,
    as_json: options.Json = False,
) -> None:
    """Find the videos that are most like one, by the vectors of the active model, the nearest first."""
    _page(context, limit, cursor, as_json, tag, words, owner, shelf, None, None, None, similar=video)


def show(context: typer.Context, video: VideoId, as_json: options.Json = False) -> None:
    """Show one video: its tags and why they were suggested, what persons said, who handed it in, and its media."""
    from tagtower.usecases.installation.find import show_video

    with opened(context) as installation:
        shown = show_video(installation, video)
    if as_json:
        write_json(shown.to_json(), indent=2)
    else:
        _show(shown)


def search_of(
    installation: Installation,
    tag: list[str] | None,
    words: str | None,
    owner: str | None,
    shelf: str | None,
    since: str | None,
    until: str | None,
    reviewed: bool | None,
    *,
    similar: int | None = None,
) -> Search:
    """Return what the options ask for.

    Raises:
        UsageError: there is no such shelf, or a time is none.
    """
    from tagtower.usecases.installation.find import Search

    if shelf not in (None, "unlabelled", "labelled", "failed"):
        raise UsageError(f"There is no shelf {shelf!r}.", hint="Shelves: unlabelled, labelled, failed.")
    now = installation.clock()
    return Search(
        tags=tuple(tag or ()),
        words=words,
        similar=similar,
        owner=owner,
        shelf=shelf,  # type: ignore[arg-type]
        since=_moment(since, now),
        until=_moment(until, now),
        reviewed=reviewed,
    )


def _moment(text: str | None, now: datetime) -> datetime | None:
    """A moment as typed; a span means so long ago."""
    if text is None:
        return None
    try:
        return now - span(text)
    except UsageError:
        return moment(text, now)


def _page(
    context: typer.Context,
    limit: int,
    cursor: str | None,
    as_json: bool,
    *asked: Any,
    similar: int | None = None,
) -> None:
    from tagtower.usecases.installation.find import find_videos

    with opened(context) as installation:
        search = search_of(installation, *asked, similar=similar)
        page = find_videos(installation, search, limit=limit, cursor=cursor)
    if as_json:
        write_json(page.to_json(), indent=2)
        return
    near = ("distance",) if similar is not None else ()
    table = Table("id", *near, "title", "shelf", "length", "tags", "added", box=None, pad_edge=False)
    for one in page.videos:
        table.add_row(*_cells(one, distance=similar is not None))
    print_table(table)
    more = f"; go on with --cursor {page.next}" if page.next else ""
    say(f"{len(page.videos):,} videos{more}")


def _cells(found: Found, *, distance: bool) -> list[str | Text]:
    video = found.video
    tags = [one.tag + ("" if one.origin == "person" else shown_score(one.score)) for one in found.tags]
    more = f", and {len(tags) - TAGS_SHOWN} more" if len(tags) > TAGS_SHOWN else ""
    return [
        str(video.id),
        *([f"{found.distance:.3f}"] if distance and found.distance is not None else []),
        Text(" ".join((video.title or "").split())[:70]),
        video.shelf,
        shown_length((video.facts or {}).get("seconds")),
        Text(", ".join(tags[:TAGS_SHOWN]) + more),
        f"{video.added_at:%Y-%m-%d %H:%M}",
    ]


def shown_score(score: float | None) -> str:
    """Return a probability as it stands behind a tag."""
    return "" if score is None else f" {score:.0%}"


def shown_length(seconds: float | None) -> str:
    """Return a length as h:mm:ss."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _show(shown: Shown) -> None:
    video, facts = shown.video, shown.video.facts or {}
    table = Table(box=None, show_header=False, pad_edge=False)
    size = f"{facts['width']}x{facts['height']}" if facts.get("width") else ""
    rate = f"{facts['frame_rate']:g} frames/s" if facts.get("frame_rate") else ""
    rows = {
        "video": str(video.id),
        "title": video.title or "",
        "shelf": f"{video.shelf} since {video.shelved_at:%Y-%m-%d %H:%M}",
        "error": ""
        if video.error is None
        else f"{video.error.get('message')} {video.error.get('hint') or ''}",
        "added": f"{video.added_at:%Y-%m-%d %H:%M}",
        "published": "" if video.published_at is None else f"{video.published_at:%Y-%m-%d %H:%M}",
        "media": f"{video.media or 'none'}{'' if video.stored or not video.media else ' (not copied)'}",
        "facts": ", ".join(
            filter(
                None, (shown_length(facts.get("seconds")), size, rate, "sound" if facts.get("sound") else "")
            )
        ),
        "names": ", ".join(f"{one.owner}: {one.name}" if one.owner else one.name for one in shown.references),
        "model": short(shown.model) if shown.model else "none yet",
        "library": f"version {shown.library}",
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(value))
    print_table(table)
    if shown.tags:
        tags = Table("tag", "by", "probability", "distance", box=None, pad_edge=False)
        for one in shown.tags:
            score = "" if one.score is None else f"{one.score:.0%}"
            tags.add_row(
                Text(one.tag), one.origin, score, "" if one.distance is None else f"{one.distance:.3f}"
            )
        print_line("")
        print_table(tags)
    if shown.verdicts:
        said = Table("tag", "verdict", "by", "at", box=None, pad_edge=False)
        for word in shown.verdicts:
            state = "" if word.state == "active" else f" ({word.state})"
            said.add_row(Text(word.tag + state), word.verdict, Text(word.author), f"{word.at:%Y-%m-%d %H:%M}")
        print_line("")
        print_table(said)

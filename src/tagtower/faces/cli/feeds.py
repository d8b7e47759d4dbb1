"""`tagtower tags HOME feeds` and `topics`: where hot topics come from, and which are hot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tagtower.errors import UsageError
from tagtower.faces.cli import options
from tagtower.faces.cli.installation import HomeCommand, HomeGroup, opened, span
from tagtower.faces.cli.output import print_table, say, write_json

if TYPE_CHECKING:
    from tagtower.library.feeds import FeedRecord
    from tagtower.usecases.installation.topics import PollOutcome

SOME_FAILED, NOTHING_DONE = 1, 3

HELP = """\
Feeds of headlines, whose hot topics become tags for a while.

The worker polls them. New topics wait in quarantine, unless the feed is trusted: see `list --state quarantined` and
`approve`.
"""

app = typer.Typer(cls=HomeGroup, no_args_is_help=True, help=HELP)

Feed = Annotated[str, typer.Argument(metavar="FEED", help="Its number or its URL.")]


@app.command(cls=HomeCommand)
def add(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="http(s) address, or a file of this machine.")],
    kind: Annotated[str, typer.Option("--kind", help="rss (also Atom), json, csv, or auto.")] = "auto",
    trusted: Annotated[
        bool, typer.Option("--approve", help="Its topics are active at once, without quarantine.")
    ] = False,
    every: Annotated[str, typer.Option("--every", metavar="SPAN", help="How often it is polled.")] = "15m",
    keep: Annotated[
        str, typer.Option("--keep", metavar="SPAN", help="How long a topic lives after it was last hot.")
    ] = "2d",
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Its host may be this machine or in a private network.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Add a feed: RSS, Atom, JSON Feed or other JSON, or CSV with a column `title`."""
    from tagtower.library.feeds import FEED_KINDS
    from tagtower.usecases.installation.feeds import add_feed

    known = next((one for one in FEED_KINDS if one == kind), None)
    if known is None:
        raise UsageError(f"There is no kind {kind!r}.", hint=f"Name one of {', '.join(FEED_KINDS)}.")
    with opened(context) as installation:
        feed = add_feed(
            installation,
            url,
            kind=known,
            policy="approve" if trusted else "quarantine",
            allow_private=allow_private,
            every=span(every),
            keep=span(keep),
        )
    _show([feed], as_json)


@app.command("list", cls=HomeCommand)
def list_(context: typer.Context, as_json: options.Json = False) -> None:
    """List the feeds, with the error of those that fail."""
    from tagtower.usecases.installation.feeds import list_feeds

    with opened(context) as installation:
        feeds = list_feeds(installation)
    if as_json:
        write_json({"feeds": [feed.to_json() for feed in feeds]}, indent=2)
    else:
        _show(feeds, False)


@app.command(cls=HomeCommand)
def poll(
    context: typer.Context,
    feed: Annotated[str | None, typer.Argument(metavar="[FEED]", help="One feed, due or not.")] = None,
    as_json: options.Json = False,
) -> int:
    """Poll one feed now, or all that are due, and retire topics that have cooled."""
    from tagtower.usecases.installation.topics import poll_due, poll_feed

    outcomes: list[PollOutcome] = []
    with opened(context) as installation:
        if feed is not None:
            outcomes.append(poll_feed(installation, feed))
        else:
            while some := poll_due(installation):
                outcomes += some
    if as_json:
        write_json({"polled": [outcome.to_json() for outcome in outcomes]}, indent=2)
    else:
        table = Table("feed", "new entries", "new tags", "hot tags", "", box=None, pad_edge=False)
        for outcome in outcomes:
            said = (outcome.error or outcome.remark or "").replace("\n", "")
            new, hot = ", ".join(outcome.new_tags), ", ".join(outcome.heated)
            table.add_row(f"#{outcome.feed}", str(outcome.entries), new, hot, said)
        print_table(table)
    failed = sum(outcome.error is not None for outcome in outcomes)
    if failed:
        say(f"tagtower: {failed} of {len(outcomes)} feeds failed.")
        return NOTHING_DONE if failed == len(outcomes) else SOME_FAILED
    return 0


@app.command(cls=HomeCommand)
def pause(context: typer.Context, feed: Feed, as_json: options.Json = False) -> None:
    """Poll a feed no more, until it is resumed."""
    from tagtower.usecases.installation.feeds import pause_feed

    with opened(context) as installation:
        _show([pause_feed(installation, feed)], as_json)


@app.command(cls=HomeCommand)
def resume(context: typer.Context, feed: Feed, as_json: options.Json = False) -> None:
    """Poll a feed again, at once; its failures are forgotten."""
    from tagtower.usecases.installation.feeds import resume_feed

    with opened(context) as installation:
        _show([resume_feed(installation, feed)], as_json)


@app.command(cls=HomeCommand)
def remove(context: typer.Context, feed: Feed, as_json: options.Json = False) -> None:
    """Forget a feed and its past; the tags that it brought stay, until they expire."""
    from tagtower.usecases.installation.feeds import remove_feed

    with opened(context) as installation:
        _show([remove_feed(installation, feed)], as_json)


def topics(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    as_json: options.Json = False,
) -> None:
    """List the tags that are hot now, the hottest first, quarantined ones too."""
    from tagtower.usecases.installation.topics import hot_tags

    with opened(context) as installation:
        hot = hot_tags(installation, limit=limit)
    if as_json:
        write_json({"tags": [one.to_json() for one in hot]}, indent=2)
        return
    table = Table("id", "tag", "heat", "state", "origin", "expires", box=None, pad_edge=False)
    for one in hot:
        expires = "" if one.tag.expires_at is None else f"{one.tag.expires_at:%Y-%m-%d %H:%M}"
        table.add_row(
            f"#{one.tag.id}", one.tag.text, f"{one.heat:.1f}", one.tag.state, one.tag.origin, expires
        )
    print_table(table)


def _show(feeds: Sequence[FeedRecord], as_json: bool) -> None:
    if as_json:
        write_json(feeds[0].to_json(), indent=2)
        return
    names = ("id", "url", "kind", "state", "topics are", "every", "kept", "last polled", "error")
    table = Table(*names, box=None, pad_edge=False)
    for feed in feeds:
        polled = "" if feed.polled_at is None else f"{feed.polled_at:%Y-%m-%d %H:%M}"
        then = "active at once" if feed.policy == "approve" else "quarantined"
        error = (feed.error or "").replace("\n", "")
        every, kept = _plain(feed.every), _plain(feed.keep)
        table.add_row(f"#{feed.id}", feed.url, feed.kind, feed.state, then, every, kept, polled, error)
    print_table(table)


def _plain(given: timedelta) -> str:
    """Return a span as it is typed."""
    seconds = round(given.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"

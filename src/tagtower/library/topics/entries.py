"""The entries of a feed: RSS, Atom, JSON or CSV in, headlines out, each with what names it and when it appeared.

Knows no network and no database. What it reads comes from strangers, so it runs in a process of its own: see
`tagtower.library.topics.reading`.
"""

from __future__ import annotations

import calendar
import csv
import hashlib
import html
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from tagtower.errors import FeedError, MissingExtraError
from tagtower.storage.rows import shorten

MAX_HEADLINE_CHARACTERS = 500
"""What comes after is no headline any more."""

HEADLINE_NAMES = ("title", "headline", "text", "content_text", "summary", "description", "name")
KEY_NAMES = ("id", "guid", "url", "link")
TIME_NAMES = ("date_published", "published", "published_at", "date", "time", "created_at")
LIST_NAMES = ("items", "entries", "headlines", "articles", "posts", "results", "data")

_ENTRY_END = re.compile(rb"</(?:\w{1,20}:)?(?:item|entry)\s{0,9}>", re.IGNORECASE)
_MARKUP = re.compile(r"<[^<>]{0,1000}>")


@dataclass(frozen=True, slots=True)
class Entry:
    """A headline or post. `key` is a hash of what names it in its feed; `published` is None where nobody says."""

    key: str
    headline: str
    published: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeedContent:
    """The entries of a feed in its order, and the language that it says it is in."""

    entries: tuple[Entry, ...]
    language: str | None = None


def parse_feed(body: bytes, kind: str, content_type: str, most: int) -> FeedContent:
    """Return up to `most` entries of a feed.

    Args:
        kind: `rss` (also Atom), `json`, `csv`, or `auto`: as it looks.
        content_type: as the server says.
    Raises:
        FeedError: it is none of that kind.
        MissingExtraError: feedparser is not installed, which RSS needs.
    """
    found = _kind_of(body, content_type) if kind == "auto" else kind
    language = None
    if found == "rss":
        rows, language = _syndicated(_first_entries(body, most))
    elif found == "json":
        rows, language = _json(body)
    else:
        rows = _csv(body)
    entries = [entry for row in islice(rows, most) if (entry := _entry(row)) is not None]
    if not entries:
        raise FeedError(
            "It holds no headlines.", hint=f"It was read as {found}; name another kind with --kind."
        )
    return FeedContent(tuple(entries), language)


def plain(text: str) -> str:
    """Return a headline as plain text: without markup, control characters and line breaks, cut where it is long."""
    text = html.unescape(_MARKUP.sub(" ", text[: 4 * MAX_HEADLINE_CHARACTERS]))
    text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())[:MAX_HEADLINE_CHARACTERS]


Fields = Mapping[str, Any]


def _kind_of(body: bytes, content_type: str) -> str:
    head = body[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html")):
        raise FeedError(
            "It is a web page, not a feed.", hint="Look on that page for a link to its RSS or Atom feed."
        )
    if head.startswith(b"<") or "xml" in content_type:
        return "rss"
    if head.startswith((b"{", b"[")) or "json" in content_type:
        return "json"
    if (
        "csv" in content_type
        or b"," in head.partition(b"\n")[0]
        or head.partition(b"\n")[0].strip().isalpha()
    ):
        return "csv"
    raise FeedError(
        "It is neither RSS, Atom, JSON nor CSV.", hint="Name its kind with --kind, or give another address."
    )


def _first_entries(body: bytes, most: int) -> bytes:
    """Return a feed up to the end of its entry number `most`: reading what comes after would take most of the time."""
    ends = islice(_ENTRY_END.finditer(body), most - 1, most)
    return next((body[: end.end()] for end in ends), body)


def _syndicated(body: bytes) -> tuple[Iterator[Fields], str | None]:
    try:
        import feedparser
    except ImportError:
        raise MissingExtraError("Reading RSS and Atom", "feeds") from None
    # A stream, never text: feedparser would open what looks like an address or a file name.
    parsed = feedparser.parse(io.BytesIO(body), resolve_relative_uris=False, sanitize_html=False)
    if not parsed.entries:
        fault = parsed.get("bozo_exception")
        reason = f": {str(fault)[:200]}" if fault else ""
        raise FeedError(f"It is no RSS or Atom feed with entries{reason}.", hint="Look at it in a browser.")

    def rows() -> Iterator[Fields]:
        for one in parsed.entries:
            published = one.get("published_parsed") or one.get("updated_parsed")
            # Atom may give a text without a title.
            yield {
                "title": one.get("title") or one.get("summary"),
                "id": one.get("id") or one.get("link"),
                "published": None if published is None else calendar.timegm(published),
            }

    return rows(), _text(parsed.feed.get("language"))


def _json(body: bytes) -> tuple[Iterator[Fields], str | None]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise FeedError(f"It is no JSON: {str(fault)[:200]}.", hint="Look at it in a browser.") from None
    language = _text(document.get("language")) if isinstance(document, dict) else None
    if isinstance(document, dict):
        document = next((document[name] for name in LIST_NAMES if isinstance(document.get(name), list)), None)
    if not isinstance(document, list):
        raise FeedError(
            "It is JSON without a list of entries.",
            hint=f"Give a JSON Feed, a list, or an object with one of {', '.join(LIST_NAMES)}.",
        )
    rows = ({"title": one} if isinstance(one, str) else one for one in document)
    return (row for row in rows if isinstance(row, dict)), language


def _csv(body: bytes) -> Iterator[Fields]:
    rows = csv.reader(io.StringIO(body.decode("utf-8-sig", "replace"), newline=""))
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        if not set(names) & set(HEADLINE_NAMES):
            raise FeedError(
                f"Its first line names no column of headlines: {shorten(', '.join(names))}.",
                hint=f"Name a column {' or '.join(HEADLINE_NAMES[:3])}.",
            )
        for row in rows:
            yield dict(zip(names, row, strict=False))
    except csv.Error as fault:
        raise FeedError(f"It is no CSV: {fault}.", hint="Look at it in an editor.") from None


def _entry(row: Fields) -> Entry | None:
    headline = next(filter(None, (plain(_text(row.get(name)) or "") for name in HEADLINE_NAMES)), None)
    if headline is None:
        return None
    named = next(filter(None, (_text(row.get(name)) for name in KEY_NAMES)), headline)
    key = hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()
    published = next((time for name in TIME_NAMES if (time := _time(row.get(name))) is not None), None)
    return Entry(key, headline, published)


def _text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64:
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def _time(value: object) -> datetime | None:
    """Return the moment that a value names, as ISO or mail time or as seconds since 1970; None where it names none."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if not isinstance(value, str) or len(value) > 100:
            return None
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            found = parsedate_to_datetime(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        return None

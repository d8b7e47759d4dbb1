"""What a feed has said so far: which entries were read, and how many entries of each hour held each phrase.

The last day is kept by the hour, the weeks before by the day; what was said once on a day is forgotten after it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from tagtower.library.curation.reading import chunks
from tagtower.library.schema import feed_entries, feed_phrases
from tagtower.library.topics.bursts import PhraseCount
from tagtower.library.topics.entries import Entry
from tagtower.library.topics.phrases import Phrase

EVERYTHING = ""
"""The phrase that counts all entries of an hour."""

PAST_DAYS = 28
FORGET_ENTRIES = timedelta(days=30)
OLDEST_NEWS = timedelta(days=2)
"""An entry that says it is older counts as of now: a feed that was just added shows weeks at once."""

DAY = 24


def hour_of(at: datetime) -> int:
    """Return the hours since 1970."""
    return int(at.timestamp() // 3600)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many new entries of each hour hold each phrase, and how the phrases are mostly written."""

    hours: dict[int, Counter[str]]
    texts: dict[str, str]

    def total(self, key: str) -> int:
        """Return in how many entries a phrase is."""
        return sum(counted[key] for counted in self.hours.values())


def tally(read: Iterable[tuple[Entry, Sequence[Phrase]]], at: datetime) -> Tally:
    """Return the counts of entries and their phrases, by the hours in which the entries appeared."""
    now = hour_of(at)
    hours: defaultdict[int, Counter[str]] = defaultdict(Counter)
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for entry, phrases in read:
        published = entry.published
        hour = now if published is None or not at - OLDEST_NEWS <= published <= at else hour_of(published)
        hour = hour if hour > now - DAY else hour - hour % DAY  # older hours are kept as days
        hours[hour].update([EVERYTHING, *(phrase.key for phrase in phrases)])
        for phrase in phrases:
            spellings[phrase.key][phrase.text] += 1
    texts = {key: counted.most_common(1)[0][0] for key, counted in spellings.items()}
    return Tally(dict(hours), {EVERYTHING: "", **texts})


def new_entries(connection: Connection, feed_id: int, entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries that this feed did not have before, each once."""
    here = {entry.key: entry for entry in entries}
    known: set[str] = set()
    for some in chunks(sorted(here)):
        mine = (feed_entries.c.feed_id == feed_id) & feed_entries.c.entry.in_(some)
        known.update(connection.scalars(select(feed_entries.c.entry).where(mine)))
    return [entry for key, entry in here.items() if key not in known]


def remember(
    connection: Connection, feed_id: int, entries: Iterable[Entry], fresh: Iterable[Entry], at: datetime
) -> None:
    """Remember that a feed had these entries, of which some are new."""
    new = {entry.key for entry in fresh}
    for some in chunks(sorted({entry.key for entry in entries} - new)):
        mine = (feed_entries.c.feed_id == feed_id) & feed_entries.c.entry.in_(some)
        connection.execute(update(feed_entries).where(mine).values(seen_at=at))
    for some in chunks([{"feed_id": feed_id, "entry": key, "seen_at": at} for key in sorted(new)]):
        connection.execute(insert(feed_entries), some)


def count(connection: Connection, feed_id: int, added: Tally) -> None:
    """Add what was counted to the past of a feed."""
    for hour, counted in added.hours.items():
        _add(connection, feed_id, hour, counted, added.texts)


def recent_and_past(
    connection: Connection, feed_id: int, added: Tally, at: datetime, window_hours: int
) -> tuple[dict[str, PhraseCount], int, int]:
    """Return how often the phrases of new entries were said in the last hours and before, those entries included.

    With them come the numbers of all entries in the last hours and before.
    """
    since = hour_of(at) - window_hours
    oldest = hour_of(at) - PAST_DAYS * DAY
    now: Counter[str] = Counter()
    past: Counter[str] = Counter()
    for hour, counted in added.hours.items():
        (now if hour > since else past).update(counted)
    for some in chunks(sorted(added.texts)):
        rows = connection.execute(
            select(feed_phrases.c.hour, feed_phrases.c.phrase, feed_phrases.c.entries).where(
                feed_phrases.c.feed_id == feed_id,
                feed_phrases.c.phrase.in_(some),
                feed_phrases.c.hour >= oldest,
            )
        )
        for row in rows:
            (now if row.hour > since else past)[row.phrase] += row.entries
    counts = {
        key: PhraseCount(key, text, now[key], past[key])
        for key, text in added.texts.items()
        if key != EVERYTHING
    }
    return counts, now[EVERYTHING], past[EVERYTHING]


def forget(connection: Connection, feed_id: int, at: datetime) -> None:
    """Bring the past into the form in which it is kept: hours of more than a day ago become days."""
    now = hour_of(at)
    mine = feed_phrases.c.feed_id == feed_id
    old = mine & (feed_phrases.c.hour <= now - DAY) & (feed_phrases.c.hour % DAY != 0)
    days: defaultdict[int, Counter[str]] = defaultdict(Counter)
    texts: dict[str, str] = {}
    for row in connection.execute(select(feed_phrases).where(old)):
        days[row.hour - row.hour % DAY][row.phrase] += row.entries
        texts[row.phrase] = row.text
    connection.execute(delete(feed_phrases).where(old))
    for day, counted in days.items():
        _add(connection, feed_id, day, counted, texts)
    over = feed_phrases.c.hour <= now - 2 * DAY
    rare = over & (feed_phrases.c.hour % DAY == 0) & (feed_phrases.c.entries <= 1)
    connection.execute(delete(feed_phrases).where(mine & rare & (feed_phrases.c.phrase != EVERYTHING)))
    connection.execute(delete(feed_phrases).where(mine & (feed_phrases.c.hour < now - PAST_DAYS * DAY)))
    forgotten = (feed_entries.c.feed_id == feed_id) & (feed_entries.c.seen_at < at - FORGET_ENTRIES)
    connection.execute(delete(feed_entries).where(forgotten))


def _add(
    connection: Connection, feed_id: int, hour: int, counted: Mapping[str, int], texts: Mapping[str, str]
) -> None:
    for some in chunks(sorted(counted)):
        here = (feed_phrases.c.feed_id == feed_id) & (feed_phrases.c.hour == hour)
        rows = connection.execute(
            select(feed_phrases.c.phrase, feed_phrases.c.entries).where(here, feed_phrases.c.phrase.in_(some))
        )
        known: dict[str, int] = {row.phrase: row.entries for row in rows}
        if known:
            connection.execute(delete(feed_phrases).where(here, feed_phrases.c.phrase.in_(sorted(known))))
        connection.execute(
            insert(feed_phrases),
            [
                {
                    "feed_id": feed_id,
                    "hour": hour,
                    "phrase": key,
                    "text": texts[key],
                    "entries": counted[key] + known.get(key, 0),
                }
                for key in some
            ],
        )

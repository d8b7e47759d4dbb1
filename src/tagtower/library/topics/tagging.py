"""From bursting phrases to tags: what is a tag already is heated, what is none is added, what has cooled is retired."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import Connection, select, update

from tagtower.errors import TagLibraryError
from tagtower.library.curation.plan import Edit, Plan
from tagtower.library.curation.reading import chunks, holders, load
from tagtower.library.curation.record import TagRecord, TagState, clean_language, clean_name
from tagtower.library.curation.standing import listed
from tagtower.library.feeds import FeedRecord
from tagtower.library.schema import changes, tags
from tagtower.library.topics.bursts import Burst
from tagtower.ranking.words import stem

Similar: TypeAlias = Callable[[Sequence[str]], Sequence[int | None]]
"""Gives for each phrase the number of the tag that means the same, or None; it compares by vectors."""


@dataclass(frozen=True, slots=True)
class Topics:
    """What a feed's bursts come to: the change of the library, and the tags that they are already, by phrase."""

    plan: Plan
    known: dict[str, TagRecord]


def named_tags(connection: Connection, bursts: Sequence[Burst]) -> dict[str, int]:
    """Return which of the phrases are tags already, by a name, or by its singular or plural."""
    forms = {burst.key: _forms(burst.key) for burst in bursts}
    owners = holders(connection, {form for every in forms.values() for form in every})
    first = {
        key: next((owners[form] for form in every if form in owners), None) for key, every in forms.items()
    }
    return {key: owner for key, owner in first.items() if owner is not None}


def similar_tags(
    bursts: Sequence[Burst], named: Mapping[str, int], similar: Similar | None
) -> dict[str, int]:
    """Return which of the phrases that no tag is named by mean the same as one."""
    rest = [burst for burst in bursts if burst.key not in named]
    if similar is None or not rest:
        return {}
    near = similar([burst.text for burst in rest])
    return {burst.key: tag_id for burst, tag_id in zip(rest, near, strict=True) if tag_id is not None}


def plan_topics(
    connection: Connection,
    feed: FeedRecord,
    bursts: Sequence[Burst],
    known: Mapping[str, int],
    at: datetime,
    *,
    most_new: int,
    language: str | None,
) -> Topics:
    """Return what the bursts of a feed change: at most `most_new` new tags, the strongest first.

    A tag that a person has retired stays retired; one that a feed has retired comes back. The life of a feed's tag is
    prolonged; a person's expiry is left as it is.

    Args:
        known: the numbers of the tags that phrases are already.
    """
    there = load(connection, known.values())
    roots = load(connection, {one.merged_into for one in there.values() if one.merged_into is not None})
    found = {
        key: roots.get(there[tag_id].merged_into or 0, there[tag_id])
        for key, tag_id in known.items()
        if tag_id in there
    }
    edits: dict[int, Edit] = {}
    for record in found.values():
        after = _revived(connection, record, feed, at)
        if after != record:
            edits[record.id] = Edit(record, after)
    added: list[Edit] = []
    taken: set[str] = set()
    for burst in bursts:
        if burst.key in found or len(added) >= most_new:
            continue
        new, forms = _new(feed, burst, at, language), set(_forms(burst.key))
        if new is not None and not forms & taken:
            taken |= forms
            added.append(Edit(None, new))
    every = (*edits.values(), *added)
    named = listed([edit.after for edit in every if edit.after is not None])
    return Topics(Plan("topics", f"hot topics of feed #{feed.id}: {named}", every), found)


def heat_now(heat: float, heat_at: datetime | None, at: datetime, half_life: timedelta) -> float:
    """Return what is left at `at` of a heat that was measured at `heat_at`."""
    if heat_at is None or heat <= 0:
        return 0.0
    return float(heat * 0.5 ** max((at - heat_at) / half_life, 0.0))


def write_heat(
    connection: Connection, gains: Mapping[int, float], at: datetime, half_life: timedelta
) -> None:
    """Let tags gain heat; this is no change of the library, for it means nothing to anybody an hour later."""
    for tag_id, record in load(connection, gains).items():
        heat = heat_now(record.heat, record.heat_at, at, half_life) + gains[tag_id]
        connection.execute(update(tags).where(tags.c.id == tag_id).values(heat=heat, heat_at=at))


def plans_to_retire(connection: Connection, at: datetime) -> list[tuple[str, Plan]]:
    """Return, for each feed whose topics have expired, who retires them and the plan to."""
    expired = (tags.c.origin.startswith("feed:")) & (tags.c.expires_at <= at)
    standing = tags.c.state.in_(["active", "quarantined"])
    ids = connection.scalars(select(tags.c.id).where(expired, standing).order_by(tags.c.id)).all()
    by_origin: dict[str, list[TagRecord]] = {}
    for some in chunks(ids):
        for record in load(connection, some).values():
            by_origin.setdefault(record.origin, []).append(record)
    return [
        (
            origin,
            Plan(
                "retire",
                f"retire what has cooled: {listed(records)}",
                tuple(Edit(record, replace(record, state="retired")) for record in records),
            ),
        )
        for origin, records in sorted(by_origin.items())
    ]


def _revived(connection: Connection, record: TagRecord, feed: FeedRecord, at: datetime) -> TagRecord:
    """Return a tag that is hot again as it shall be."""
    if not record.origin.startswith("feed:") or record.expires_at is None:
        return record
    until = at + feed.keep
    if record.state == "retired":
        author = connection.scalar(select(changes.c.author).where(changes.c.version == record.version))
        if author is None or not author.startswith("feed:"):
            return record
        state: TagState = "active" if feed.policy == "approve" else "quarantined"
        return replace(record, state=state, expires_at=until)
    # Prolonged only when half of its life is over, so that a topic is not changed at every poll.
    if record.expires_at - at < feed.keep / 2:
        return replace(record, expires_at=until)
    return record


def _new(feed: FeedRecord, burst: Burst, at: datetime, language: str | None) -> TagRecord | None:
    try:
        text = clean_name(burst.text)
    except TagLibraryError:
        return None
    return TagRecord(
        id=0,
        text=text,
        language=clean_language(language),
        state="active" if feed.policy == "approve" else "quarantined",
        origin=feed.origin,
        created_at=at,
        expires_at=at + feed.keep,
        heat=float(burst.entries),
        heat_at=at,
    )


def _forms(key: str) -> list[str]:
    """Return the normalized names under which a phrase may be a tag, the likeliest first.

    Itself, its singulars and plurals, the same without hyphens, and written together, as after a `#`.
    """
    words = key.split(" ")
    singular = [stem(word) for word in words]
    last = singular[-1]
    plural = f"{last[:-1]}ies" if last.endswith("y") and len(last) > 3 else f"{last}s"
    forms = [words, [*words[:-1], last], [*words[:-1], plural], singular, [*singular[:-1], plural]]
    spelt = [" ".join(form) for form in forms]
    unhyphened = [form.replace("-", " ") for form in spelt]
    together = "".join(words)
    return list(dict.fromkeys([*spelt, *unhyphened, together, f"#{together}"]))

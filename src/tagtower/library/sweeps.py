"""Sweeps that a changed tag library asks of the workers: leases on them, and what they find.

A sweep holds one tag against the vectors of all stored videos of a model. What it finds is written piece by piece, and
again where a worker was killed: the same sweep twice leaves the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from tagtower.library.schema import answers, barred, suggestions, sweeps, tag_names, tags, verdicts
from tagtower.records import Tag

AT_A_TIME = 500
"""Ids in one statement, below every limit of both engines."""


@dataclass(frozen=True, slots=True)
class SweptTag:
    """A tag to be found: its names, and the probability that a person wants of its suggestions, if any."""

    id: int
    tag: Tag
    threshold: float | None


@dataclass(frozen=True, slots=True)
class SweepLease:
    """Sweeps that one worker has for itself under `token`.

    `lost` are tags that are not to be suggested any more: for these there is nothing to do.
    """

    token: str
    tags: tuple[SweptTag, ...]
    lost: tuple[int, ...]


def take_sweeps(
    connection: Connection, model_id: int, count: int, *, now: datetime, seconds: float
) -> SweepLease | None:
    """Lease up to `count` sweeps under a model that are to be done, the oldest first; None where there are none."""
    open_ = and_(
        sweeps.c.model_id == model_id,
        sweeps.c.done_at.is_(None),
        or_(
            sweeps.c.lease_until.is_(None),
            sweeps.c.lease_until <= now,
            sweeps.c.lease_until > now + timedelta(seconds=2 * seconds),  # by a clock that was set back since
        ),
    )
    chosen = connection.scalars(
        select(sweeps.c.tag_id)
        .where(open_)
        .order_by(sweeps.c.asked_at, sweeps.c.tag_id)
        .limit(count)
        .with_for_update(skip_locked=True)
    ).all()
    if not chosen:
        return None
    token = secrets.token_hex(16)
    connection.execute(
        update(sweeps)
        .where(sweeps.c.model_id == model_id, sweeps.c.tag_id.in_(chosen))
        .values(lease_token=token, lease_until=now + timedelta(seconds=seconds))
    )
    found = read_tags(connection, chosen, now)
    lost = set(chosen) - {one.id for one in found}
    return SweepLease(token, tuple(found), tuple(sorted(lost)))


def renew_sweeps(connection: Connection, model_id: int, token: str, *, now: datetime, seconds: float) -> bool:
    """Lengthen a lease, and return whether it is still held."""
    renewed = connection.execute(
        update(sweeps)
        .where(sweeps.c.model_id == model_id, sweeps.c.lease_token == token)
        .values(lease_until=now + timedelta(seconds=seconds))
    )
    return renewed.rowcount > 0


def finish_sweeps(
    connection: Connection, model_id: int, token: str, hits: Mapping[int, int], at: datetime
) -> int:
    """Note that sweeps are done, with how many videos each found; those asked for anew meanwhile stay open."""
    done = 0
    for tag_id, count in hits.items():
        done += connection.execute(
            update(sweeps)
            .where(sweeps.c.model_id == model_id, sweeps.c.tag_id == tag_id, sweeps.c.lease_token == token)
            .values(done_at=at, hits=count, lease_token=None, lease_until=None)
        ).rowcount
    return done


def ask_for_missing(connection: Connection, model_id: int, at: datetime) -> int:
    """Ask for the sweeps that a model needs to know the tags that changed since it answered first; return how many."""
    oldest = connection.scalar(
        select(func.min(answers.c.library_version)).where(answers.c.model_id == model_id)
    )
    if oldest is None:
        return 0
    swept = select(sweeps.c.tag_id).where(sweeps.c.model_id == model_id)
    wanted = connection.scalars(
        select(tags.c.id).where(
            tags.c.version > oldest, tags.c.state == "active", tags.c.suggestable, tags.c.id.not_in(swept)
        )
    ).all()
    if wanted:
        connection.execute(
            insert(sweeps), [{"tag_id": tag, "model_id": model_id, "asked_at": at} for tag in wanted]
        )
    return len(wanted)


def read_tags(connection: Connection, tag_ids: Sequence[int], now: datetime) -> list[SweptTag]:
    """Return those tags that may be suggested, with their aliases."""
    rows = connection.execute(
        select(tags.c.id, tags.c.text, tags.c.description, tags.c.threshold).where(
            tags.c.id.in_(tag_ids),
            tags.c.state == "active",
            tags.c.suggestable,
            or_(tags.c.expires_at.is_(None), tags.c.expires_at > now),
        )
    ).all()
    aliases: dict[int, list[str]] = {}
    for tag_id, text in connection.execute(
        select(tag_names.c.tag_id, tag_names.c.text)
        .where(tag_names.c.tag_id.in_(tag_ids), tag_names.c.place > 0)
        .order_by(tag_names.c.tag_id, tag_names.c.place)
    ):
        aliases.setdefault(tag_id, []).append(text)
    by_id = {
        row.id: SweptTag(
            row.id, Tag(row.text, tuple(aliases.get(row.id, ())), row.description), row.threshold
        )
        for row in rows
    }
    return [by_id[one] for one in tag_ids if one in by_id]


def refused_videos(connection: Connection, tag_id: int, video_ids: Sequence[int]) -> set[int]:
    """Return those of the videos on which a tag is barred, or was rejected last; under any name merged into it."""
    same = select(tags.c.id).where(or_(tags.c.id == tag_id, tags.c.merged_into == tag_id))
    found: set[int] = set()
    for start in range(0, len(video_ids), AT_A_TIME):
        part = video_ids[start : start + AT_A_TIME]
        found.update(
            connection.scalars(
                select(barred.c.video_id).where(barred.c.tag_id.in_(same), barred.c.video_id.in_(part))
            )
        )
        last: dict[int, tuple[datetime, str]] = {}
        for video, verdict, at in connection.execute(
            select(verdicts.c.video_id, verdicts.c.verdict, verdicts.c.at).where(
                verdicts.c.tag_id.in_(same), verdicts.c.video_id.in_(part)
            )
        ):
            if video not in last or at >= last[video][0]:
                last[video] = at, verdict
        found.update(video for video, (_, verdict) in last.items() if verdict == "reject")
    return found


def forget_other_hits(connection: Connection, model_id: int, tag_id: int, kept: Collection[int]) -> int:
    """Remove what earlier sweeps suggested a tag on and this one does not; return on how many videos."""
    mine = and_(
        suggestions.c.model_id == model_id, suggestions.c.tag_id == tag_id, suggestions.c.origin == "retro"
    )
    gone = set(connection.scalars(select(suggestions.c.video_id).where(mine))) - set(kept)
    for start in range(0, len(listed := sorted(gone)), AT_A_TIME):
        part = listed[start : start + AT_A_TIME]
        connection.execute(delete(suggestions).where(mine, suggestions.c.video_id.in_(part)))
    return len(gone)

"""The ledger: proof that everything that came in is on exactly one shelf, and that what was found belongs to something.

It only reads. What can be mended without a person is done by `mend`, in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, distinct, func, or_, select, update

from tagtower.config.installation import WorkerSettings
from tagtower.library.models import active_model
from tagtower.library.schema import (
    answers,
    builds,
    suggestions,
    tags,
    vectors,
    verdicts,
    video_references,
    videos,
)
from tagtower.library.shelves import ShelfCounts, count_shelves, lease_length, put_back

SHOWN = 10
"""Numbers of videos that are named of each finding."""

STUCK_AFTER = 10
"""A lease that ran out so many leases ago was taken over by no worker: none runs, or something is wrong."""

AT_A_TIME = 400


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not balance: how often, the first few examples, and whether `mend` knows what to do."""

    kind: str
    what: str
    count: int
    examples: tuple[str, ...]
    mendable: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "kind": self.kind,
            "what": self.what,
            "count": self.count,
            "examples": list(self.examples),
            "mendable": self.mendable,
        }


@dataclass(frozen=True, slots=True)
class Ledger:
    """The counts, and all that does not balance."""

    shelves: ShelfCounts
    came_in: int
    references: int
    suggestions: int
    verdicts: int
    model: str | None
    findings: tuple[Finding, ...]

    @property
    def balances(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "balances": self.balances,
            "videos": self.came_in,
            "shelves": self.shelves.to_json(),
            "references": self.references,
            "suggestions": self.suggestions,
            "verdicts": self.verdicts,
            "model": self.model,
            "findings": [one.to_json() for one in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Check:
    """A kind of finding: what it means, and the question whose answers are the examples."""

    kind: str
    what: str
    query: Select[Any]
    mend: Callable[[Connection, Sequence[Any], datetime], int] | None = None


def read_ledger(connection: Connection, *, now: datetime, rules: WorkerSettings) -> Ledger:
    """Return the counts of this moment and what does not balance in the database.

    Media are not looked at: the media store is asked elsewhere.
    """
    model = active_model(connection)
    shelves = count_shelves(connection, now=now, rules=rules)
    came_in = _count(connection, select(videos.c.id))
    findings = []
    if shelves.all != came_in:
        findings.append(Finding("shelf", "videos that are on no shelf", came_in - shelves.all, ()))
    for check in checks(None if model is None else model.id, now, rules):
        count = _count(connection, check.query)
        if count:
            first = connection.execute(check.query.limit(SHOWN)).all()
            named = tuple(" ".join(str(value) for value in row) for row in first)
            findings.append(Finding(check.kind, check.what, count, named, check.mend is not None))
    return Ledger(
        shelves,
        came_in,
        _count(connection, select(video_references.c.id)),
        _count(connection, select(suggestions.c.video_id)),
        _count(connection, select(verdicts.c.video_id)),
        None if model is None else model.name,
        tuple(findings),
    )


def mend(connection: Connection, *, now: datetime, rules: WorkerSettings) -> dict[str, int]:
    """Mend what can be mended, and return how often by kind.

    Leases of workers that are long gone are ended; a labelled video that lacks its vector or its answer goes back to
    the unlabelled shelf and is labelled anew.
    """
    model = active_model(connection)
    mended = {}
    for check in checks(None if model is None else model.id, now, rules):
        if check.mend is not None:
            rows = [row[0] for row in connection.execute(check.query)]
            if rows:
                mended[check.kind] = check.mend(connection, rows, now)
    return mended


def checks(model_id: int | None, now: datetime, rules: WorkerSettings) -> list[Check]:
    """Return everything that is looked at; what concerns a model's answers only where there is an active one."""
    found = [
        Check(
            "lease",
            "videos whose lease ran out long ago; workers take them over: is any running?",
            select(videos.c.id).where(
                videos.c.shelf == "unlabelled", videos.c.lease_token.is_not(None), _stuck(now, rules)
            ),
            _end_leases,
        ),
        Check(
            "shelved-lease",
            "videos with a lease that are on another shelf than the unlabelled one",
            select(videos.c.id).where(videos.c.shelf != "unlabelled", videos.c.lease_token.is_not(None)),
            _end_leases,
        ),
        Check(
            "reference",
            "references to a video that is not there",
            select(video_references.c.id).where(_missing(video_references.c.video_id, videos.c.id)),
        ),
        Check(
            "nameless",
            "videos that nobody handed in: they have no reference",
            select(videos.c.id).where(_missing(videos.c.id, video_references.c.video_id)),
        ),
        Check(
            "rank",
            "videos with two suggestions of one rank, by video, model and origin",
            select(suggestions.c.video_id, suggestions.c.model_id, suggestions.c.origin)
            .group_by(suggestions.c.video_id, suggestions.c.model_id, suggestions.c.origin)
            .having(func.count() != func.count(distinct(suggestions.c.rank))),
        ),
        Check(
            "suggestion",
            "suggestions without their video or tag, by video and tag",
            select(suggestions.c.video_id, suggestions.c.tag_id).where(
                or_(_missing(suggestions.c.video_id, videos.c.id), _missing(suggestions.c.tag_id, tags.c.id))
            ),
        ),
        Check(
            "verdict",
            "verdicts without their video or tag, by video and tag",
            select(verdicts.c.video_id, verdicts.c.tag_id).where(
                or_(_missing(verdicts.c.video_id, videos.c.id), _missing(verdicts.c.tag_id, tags.c.id))
            ),
        ),
    ]
    if model_id is None:
        return found
    labelled = videos.c.shelf == "labelled"
    with_vector = and_(vectors.c.model_id == model_id, vectors.c.video_id == videos.c.id)
    given_up = and_(
        builds.c.model_id == model_id, builds.c.video_id == videos.c.id, builds.c.attempts >= rules.attempts
    )
    # A model may be promoted without what it could not look at; these videos keep the answers of the one before.
    lacking = and_(
        labelled,
        ~select(vectors.c.video_id).where(with_vector).exists(),
        ~select(builds.c.video_id).where(given_up).exists(),
    )
    answered = and_(answers.c.model_id == model_id, answers.c.video_id == videos.c.id)
    return [
        *found,
        Check(
            "vector",
            "labelled videos without a vector of the active model",
            select(videos.c.id).where(lacking),
            _again,
        ),
        Check(
            "answer",
            "labelled videos that have a vector of the active model, and no answer",
            select(videos.c.id).where(
                labelled,
                select(vectors.c.video_id).where(with_vector).exists(),
                ~select(answers.c.video_id).where(answered).exists(),
            ),
            _again,
        ),
        Check(
            "unlabelled-vector",
            "videos with a vector of the active model that were never handed in",
            select(vectors.c.video_id).where(
                vectors.c.model_id == model_id, _missing(vectors.c.video_id, videos.c.id)
            ),
        ),
    ]


def known_media(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Return which of these keys of the media store belong to a video."""
    found: set[str] = set()
    for start in range(0, len(keys), AT_A_TIME):
        part = keys[start : start + AT_A_TIME]
        rows = select(videos.c.media).where(videos.c.stored, videos.c.content_hash.in_(_hashes(part)))
        found.update(connection.scalars(rows.where(videos.c.media.in_(part))))
    return found


def stored_media(connection: Connection, after: int, most: int) -> list[tuple[int, str]]:
    """Return videos with media in the media store, by number from after `after` on, and their keys."""
    rows = connection.execute(
        select(videos.c.id, videos.c.media)
        .where(videos.c.stored, videos.c.media.is_not(None), videos.c.id > after)
        .order_by(videos.c.id)
        .limit(most)
    )
    return [(row.id, row.media) for row in rows]


def _hashes(keys: Iterable[str]) -> list[str]:
    return [key.rsplit("/", 1)[-1][:64] for key in keys]


def _stuck(now: datetime, rules: WorkerSettings) -> ColumnElement[bool]:
    until, lease = videos.c.lease_until, lease_length(rules)
    return or_(until.is_(None), until < now - STUCK_AFTER * lease, until > now + 2 * lease)


def _missing(reference: ColumnElement[Any], key: ColumnElement[Any]) -> ColumnElement[bool]:
    return ~select(key).where(key == reference).exists()


def _count(connection: Connection, query: Select[Any]) -> int:
    return connection.scalar(select(func.count()).select_from(query.subquery())) or 0


def _end_leases(connection: Connection, video_ids: Collection[int], now: datetime) -> int:
    wanted = list(video_ids)
    return sum(
        connection.execute(
            update(videos)
            .where(videos.c.id.in_(wanted[start : start + AT_A_TIME]))
            .values(lease_token=None, lease_worker=None, lease_until=None)
        ).rowcount
        for start in range(0, len(wanted), AT_A_TIME)
    )


def _again(connection: Connection, video_ids: Collection[int], now: datetime) -> int:
    return put_back(connection, list(video_ids), now=now)

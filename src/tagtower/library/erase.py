"""Erasing videos from the database for good: their rows, and what other rows say of them.

A video's own rows go first, in one transaction that notes in `erasing` what is left to do; so nobody finds it any more,
and whatever ends the program, the rest can be done later. Files are the business of whoever calls this.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    String,
    Text,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from tagtower.errors import NotFoundError
from tagtower.library.database import Database
from tagtower.library.leftovers import traces_of, video_columns
from tagtower.library.schema import (
    changes,
    erasing,
    erasures,
    metadata,
    suggestions,
    video_references,
    videos,
)
from tagtower.library.suggestions import forget_answers
from tagtower.library.vectors import VectorStore
from tagtower.library.videos.intake import claim, set_words, words_giver
from tagtower.library.videos.records import get_video
from tagtower.library.videos.references import Reference, references_of

AT_ONCE = 50
"""Videos whose traces are looked for in one pass over all suggestions."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An erasure that is under way: of a `whole` video, or only of a name of it and what came with that.

    `features` are hashes by which the feature store knows its media and texts; `wiped_at` is when all files were gone.
    """

    id: int
    video_id: int
    whole: bool
    content_hash: str | None
    features: tuple[str, ...]
    removed: Mapping[str, int]
    author: str
    asked_at: datetime
    wiped_at: datetime | None


@dataclass(frozen=True, slots=True)
class Marked:
    """What an erasure took out of the database, and texts by which leftover bytes would be known."""

    pending: Pending
    traces: tuple[bytes, ...]


def mark_video(
    connection: Connection,
    video_id: int,
    *,
    features: Collection[str],
    vectors: VectorStore,
    author: str,
    at: datetime,
) -> Marked:
    """Take a video and all that hangs on it out of the database, and note that its files are to go.

    Args:
        features: hashes of its texts, by which the feature store knows them.
    Raises:
        NotFoundError: there is none with this number.
    """
    lock_video(connection, video_id)
    video = get_video(connection, video_id)
    claim(connection, video.content_hash)
    references = references_of(connection, [video_id]).get(video_id, ())
    removed = _count_rows(connection, video_id)
    removed["vectors"] = vectors.remove(connection, [video_id])
    removed["history"] = _scrub_history(connection, video_id)
    connection.execute(delete(videos).where(videos.c.id == video_id))
    removed["video"] = 1
    hashes = {*features, *([video.content_hash] if video.content_hash else [])}
    pending = _note(connection, video_id, True, video.content_hash, sorted(hashes), removed, author, at)
    texts = [video.content_hash, video.title, video.description, video.subtitles]
    texts += [text for one in references for text in (one.name, one.title)]
    return Marked(pending, traces_of(texts))


def mark_reference(
    connection: Connection,
    reference: Reference,
    *,
    features: Collection[str],
    vectors: VectorStore,
    author: str,
    at: datetime,
) -> Marked:
    """Take one name of a video that has others out of the database.

    If the video has its words of that name, it gets those of the next, and is labelled anew.

    Args:
        features: hashes of the video's texts, by which the feature store knows them.
    """
    lock_video(connection, reference.video_id)
    video = get_video(connection, reference.video_id)
    before = references_of(connection, [video.id])[video.id]
    connection.execute(delete(video_references).where(video_references.c.id == reference.id))
    removed = {"references": 1}
    forgotten: Collection[str] = ()
    giver = words_giver(before)
    texts = [reference.name, reference.title]
    if giver is not None and giver.id == reference.id:
        left = words_giver(tuple(one for one in before if one.id != reference.id))
        title = None if left is None else left.title
        if (video.title, video.description, video.subtitles) != (title, None, None):
            texts += [video.title, video.description, video.subtitles]
            forgotten = features
            set_words(
                connection,
                video.id,
                title=title,
                description=None,
                subtitles=None,
                published_at=None,
                at=at,
            )
            forget_answers(connection, [video.id])
            frames = metadata.tables["frame_vectors"]
            connection.execute(delete(frames).where(frames.c.video_id == video.id))
            removed["vectors"] = vectors.remove(connection, [video.id])
            removed["words"] = 1
    pending = _note(connection, video.id, False, None, sorted(forgotten), removed, author, at)
    return Marked(pending, traces_of(texts))


def lock_video(connection: Connection, video_id: int) -> None:
    """Let nobody add to a video, or take it, until the transaction ends.

    Raises:
        NotFoundError: there is none with this number.
    """
    if connection.scalar(select(videos.c.id).where(videos.c.id == video_id).with_for_update()) is None:
        raise NotFoundError(f"There is no video {video_id}.", hint="It may have been erased before.")


def pending_erasures(connection: Connection) -> list[Pending]:
    """Return the erasures that are under way, the oldest first."""
    rows = connection.execute(
        select(
            erasing.c.id,
            erasing.c.video_id,
            erasing.c.whole,
            erasing.c.content_hash,
            erasing.c.features,
            erasing.c.removed,
            erasing.c.author,
            erasing.c.asked_at,
            erasing.c.wiped_at,
        ).order_by(erasing.c.id)
    )
    return [
        Pending(
            row.id,
            row.video_id,
            row.whole,
            row.content_hash,
            tuple(row.features),
            row.removed,
            row.author,
            row.asked_at,
            row.wiped_at,
        )
        for row in rows
    ]


def note_wiped(connection: Connection, pending: Pending, removed: Mapping[str, int], at: datetime) -> None:
    """Note that an erasure's files are gone and what that was; the hashes that led there are forgotten."""
    connection.execute(
        update(erasing)
        .where(erasing.c.id == pending.id)
        .values(content_hash=None, features=[], removed={**pending.removed, **removed}, wiped_at=at)
    )


def prove(connection: Connection, pending: Pending, checked: Mapping[str, int], at: datetime) -> bool:
    """Write the proof of an erasure, and end it; False where another program did so before."""
    ended = connection.execute(delete(erasing).where(erasing.c.id == pending.id).returning(erasing.c.removed))
    removed = ended.scalar()
    if removed is None:
        return False
    connection.execute(
        insert(erasures).values(
            at=at,
            author=pending.author,
            video_id=pending.video_id,
            removed={**removed, "checked": dict(checked)},
        )
    )
    return True


def scrub_evidence(database: Database, video_ids: Sequence[int]) -> dict[int, int]:
    """Take videos out of the evidence of other videos' suggestions, and return in how many each stood.

    Reads every suggestion, also once more after something was found, so that none is left.
    """
    changed: Counter[int] = Counter()
    for start in range(0, len(video_ids), AT_ONCE):
        part = list(video_ids[start : start + AT_ONCE])
        while found := _with_evidence(database, part):
            for first in range(0, len(found), AT_ONCE):
                with database.write() as connection:
                    for row in found[first : first + AT_ONCE]:
                        changed.update(_scrub(connection, row, part))
    return dict(changed)


def rows_left(database: Database, video_ids: Sequence[int], hashes: Sequence[str]) -> dict[str, int]:
    """Return in which tables something is left of videos, by number or by content hash, and how often.

    On SQLite only whole values are looked at: `bytes_left` looks at everything that its file holds.
    """
    left: Counter[str] = Counter()
    with database.read() as connection:
        for table in metadata.sorted_tables:
            if table.name in ("erasing", "erasures"):
                continue
            for column in video_columns(table):
                for start in range(0, len(video_ids), 500):
                    left[table.name] += _matching(
                        connection, column.in_(list(video_ids[start : start + 500]))
                    )
            texts = [one for one in table.columns if isinstance(one.type, String | JSON)]
            for column in texts if database.dialect == "postgresql" else []:
                for start in range(0, len(hashes), AT_ONCE):
                    either = "|".join(hashes[start : start + AT_ONCE])
                    left[table.name] += _matching(connection, cast(column, Text).op("~")(either))
        for start in range(0, len(hashes), 500):
            same = videos.c.content_hash.in_(list(hashes[start : start + 500]))
            left["videos"] += _matching(connection, same)
    return {name: count for name, count in left.items() if count}


def _count_rows(connection: Connection, video_id: int) -> dict[str, int]:
    """Return how many rows of each table hang on a video, those without any left out."""
    counts = {}
    for table in metadata.sorted_tables:
        if table.name in ("erasing", "erasures", "videos", "vectors"):
            continue
        for column in video_columns(table):
            found = connection.scalar(select(func.count()).select_from(table).where(column == video_id))
            if found:
                counts["references" if table.name == "video_references" else table.name] = found
    return counts


def _scrub_history(connection: Connection, video_id: int) -> int:
    """Take a video out of the history of the tag library, where it says on which videos a tag was barred."""
    detail = cast(changes.c.detail, Text)
    rows = connection.execute(
        select(changes.c.version, changes.c.detail).where(
            detail.like('%"bars"%'), detail.contains(str(video_id))
        )
    ).all()
    changed = 0
    for version, found in rows:
        bars = [bar for bar in found.get("bars", ()) if bar[0] != video_id]
        if len(bars) != len(found.get("bars", ())):
            connection.execute(
                update(changes).where(changes.c.version == version).values(detail={**found, "bars": bars})
            )
            changed += 1
    return changed


def _matching(connection: Connection, condition: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).where(condition)) or 0


def _with_evidence(database: Database, video_ids: Sequence[int]) -> Sequence[Any]:
    """Return the suggestions that name one of these videos as a neighbour."""
    asked: list[ColumnElement[bool]] = []
    for one in video_ids:
        if database.dialect == "sqlite":
            text = cast(suggestions.c.evidence, Text)
            ends = (f'"video": {one}}}', f'"video": {one},', f'"id": "video:{one}"')
            asked += [text.contains(end, autoescape=True) for end in ends]
        else:
            named: tuple[dict[str, Any], ...] = ({"video": one}, {"id": f"video:{one}"})
            asked += [
                suggestions.c.evidence.op("@>")(cast(literal(json.dumps({"neighbours": [name]})), JSONB))
                for name in named
            ]
    with database.read() as connection:
        return connection.execute(
            select(
                suggestions.c.video_id,
                suggestions.c.model_id,
                suggestions.c.tag_id,
                suggestions.c.evidence,
            ).where(or_(*asked))
        ).all()


def _scrub(connection: Connection, row: Any, erased: Collection[int]) -> list[int]:
    """Write a suggestion's evidence without the neighbours that were erased, and return those."""
    gone: list[int] = []
    kept = []
    for one in row.evidence.get("neighbours", ()):
        named = [video for video in erased if one.get("video") == video or one.get("id") == f"video:{video}"]
        gone += named
        kept += [] if named else [one]
    connection.execute(
        update(suggestions)
        .where(
            suggestions.c.video_id == row.video_id,
            suggestions.c.model_id == row.model_id,
            suggestions.c.tag_id == row.tag_id,
        )
        .values(evidence={**row.evidence, "neighbours": kept})
    )
    return gone


def _note(
    connection: Connection,
    video_id: int,
    whole: bool,
    content_hash: str | None,
    features: Sequence[str],
    removed: Mapping[str, int],
    author: str,
    at: datetime,
) -> Pending:
    key = connection.execute(
        insert(erasing).values(
            video_id=video_id,
            whole=whole,
            content_hash=content_hash,
            features=list(features),
            removed=dict(removed),
            author=author,
            asked_at=at,
        )
    ).inserted_primary_key
    assert key is not None, "the key is given by the database"
    return Pending(int(key[0]), video_id, whole, content_hash, tuple(features), removed, author, at, None)

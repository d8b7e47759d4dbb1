"""Taking a video into the library: which are the same, which names lead to them, and whose words they carry.

The same content is one video, whoever hands it in under whatever name. Its words are those of its oldest reference
that brought a title; a video without media is told apart by owner and name alone. Every function works inside its
caller's transaction and is told the time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, insert, null, select, update

from tagtower.errors import ConflictError, InputError
from tagtower.library.schema import erasing, video_references, videos
from tagtower.library.videos.references import (
    Reference,
    add_reference,
    check_names,
    count_references,
    find_reference,
    references_of,
)
from tagtower.library.videos.words import search_words, stored_words
from tagtower.storage.rows import shorten, text_fault

Outcome: TypeAlias = Literal["new", "joined", "known", "changed"]
"""A new video; a further name for one that was there; nothing new; another content or other words under a known name.
"""

MAX_TEXT = 2_000_000
"""Characters of a title, a description or subtitles; subtitles of ten hours have a third of that."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """What is handed in. `media` is a key of the media store where `stored`, else a URI; None where there is none."""

    owner: str
    name: str
    title: str | None = None
    description: str | None = None
    subtitles: str | None = None
    published_at: datetime | None = None
    content_hash: str | None = None
    media: str | None = None
    stored: bool = False
    bytes: int | None = None
    facts: dict[str, Any] | None = None

    @property
    def words(self) -> tuple[str | None, str | None, str | None, datetime | None]:
        """What is written about the video."""
        return self.title, self.description, self.subtitles, self.published_at


@dataclass(frozen=True, slots=True)
class Taken:
    """Which video it is now, and what was new; `left` is a video that lost its last name to this one."""

    video_id: int
    outcome: Outcome
    remark: str | None = None
    left: int | None = None


def check_incoming(incoming: Incoming) -> None:
    """Return if these names and texts can be kept.

    Raises:
        InputError: one cannot.
    """
    check_names(incoming.owner, incoming.name)
    for what in ("title", "description", "subtitles"):
        text: str | None = getattr(incoming, what)
        fault = text_fault(text or "")
        if fault is not None:
            raise InputError(f"{shorten(incoming.name)}: the {what} {fault}.", hint="Mend the text.")
        if text is not None and len(text) > MAX_TEXT:
            raise InputError(
                f"{shorten(incoming.name)}: the {what} has {len(text):,} characters.",
                hint=f"Give at most {MAX_TEXT:,}.",
            )


def take_in(connection: Connection, incoming: Incoming, *, at: datetime, replace: bool = False) -> Taken:
    """Take a video in and return which it is.

    Args:
        replace: another content, or other words, under a known name take the place of those before; the video is
            labelled anew.
    Raises:
        InputError: a name or a text cannot be kept.
        ConflictError: the name is taken by something else, or this very content is being erased.
    """
    check_incoming(incoming)
    claim(connection, incoming.content_hash, f"{incoming.owner}\0{incoming.name}")
    _refuse_erasing(connection, incoming.content_hash)
    known = find_reference(connection, incoming.owner, incoming.name)
    same = _with_content(connection, incoming.content_hash)
    if known is None:
        if same is None:
            video_id, outcome = _insert(connection, incoming, at), "new"
        else:
            video_id, outcome = same.id, "joined"
            _join(connection, same, incoming, at)
        add_reference(connection, video_id, incoming.owner, incoming.name, incoming.title, at)
        return Taken(video_id, "new" if outcome == "new" else "joined")
    current = _video(connection, known.video_id)
    if current.content_hash == incoming.content_hash:
        return _again(connection, known, current, incoming, at, replace)
    if not replace:
        raise _taken(incoming)
    return _replace(connection, known, current, same, incoming, at)


def refuse_early(connection: Connection, incoming: Incoming, *, replace: bool) -> None:
    """Refuse what `take_in` would, as far as name and content tell, before anything of it is stored.

    Raises:
        ConflictError: the name is taken by something else, or this very content is being erased.
    """
    _refuse_erasing(connection, incoming.content_hash)
    known = None if replace else find_reference(connection, incoming.owner, incoming.name)
    if known is None:
        return
    content = connection.scalar(select(videos.c.content_hash).where(videos.c.id == known.video_id))
    if content != incoming.content_hash:
        raise _taken(incoming)


def _taken(incoming: Incoming) -> ConflictError:
    return ConflictError(
        f"{shorten(incoming.name)}: another video has this name"
        + (f" of the owner {shorten(incoming.owner)}" if incoming.owner else "")
        + ", and other content.",
        hint="Give another name or owner, or take the new content in its place with: --replace",
    )


def claim(connection: Connection, *keys: str | None) -> None:
    """Let no other transaction take in, or erase, what these keys stand for until this one ends.

    On SQLite a write is alone already.
    """
    if connection.dialect.name != "postgresql":
        return
    numbers = {
        int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True) for key in keys if key
    }
    for number in sorted(numbers):  # the same order for everybody, so that nobody waits in a circle
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (number,))


def set_words(
    connection: Connection,
    video_id: int,
    *,
    title: str | None,
    description: str | None,
    subtitles: str | None,
    published_at: datetime | None,
    at: datetime,
) -> None:
    """Give a video other words, and have it labelled anew."""
    connection.execute(
        update(videos)
        .where(videos.c.id == video_id)
        .values(
            title=title,
            description=description,
            subtitles=subtitles,
            published_at=published_at,
            words=stored_words(connection, search_words(title, description, subtitles)),
            **_unlabelled(at),
        )
    )


def words_giver(references: tuple[Reference, ...]) -> Reference | None:
    """Return the reference that a video has its words of, None where it has no reference."""
    titled = (one for one in references if one.title is not None)
    return next(titled, references[0] if references else None)


def _insert(connection: Connection, incoming: Incoming, at: datetime) -> int:
    title, description, subtitles, published_at = incoming.words
    words = stored_words(connection, search_words(title, description, subtitles))
    key = connection.execute(
        insert(videos).values(
            content_hash=incoming.content_hash,
            media=incoming.media,
            stored=incoming.stored,
            bytes=incoming.bytes,
            facts=null() if incoming.facts is None else incoming.facts,
            title=title,
            description=description,
            subtitles=subtitles,
            published_at=published_at,
            added_at=at,
            words=words,
            **_unlabelled(at),
        )
    ).inserted_primary_key
    assert key is not None, "the key is given by the database"
    return int(key[0])


def _join(connection: Connection, same: Row[Any], incoming: Incoming, at: datetime) -> None:
    """What a further reference brings to a video: a stored copy where there was none, words where there were none."""
    _keep_copy(connection, same, incoming)
    if incoming.title is not None and same.title is None:
        _reword(connection, same.id, incoming, at)


def _again(
    connection: Connection,
    known: Reference,
    current: Row[Any],
    incoming: Incoming,
    at: datetime,
    replace: bool,
) -> Taken:
    """The same content under the same name: nothing, unless the words are others."""
    _keep_copy(connection, current, incoming)
    giver = words_giver(references_of(connection, [current.id]).get(current.id, ()))
    leads = giver is None or giver.id == known.id
    before = (current.title, current.description, current.subtitles, current.published_at)
    same_words = incoming.words == before if leads else incoming.title == known.title
    if same_words:
        return Taken(current.id, "known")
    if replace:
        connection.execute(
            update(video_references).where(video_references.c.id == known.id).values(title=incoming.title)
        )
        if leads:
            _reword(connection, current.id, incoming, at)
        return Taken(current.id, "changed")
    if incoming.content_hash is None:
        raise ConflictError(
            f"{shorten(incoming.name)}: a video without media has this name, and other words.",
            hint="Give another name, or take the new words with: --replace",
        )
    return Taken(
        current.id, "known", "its words differ from those that are kept; --replace takes the new ones"
    )


def _replace(
    connection: Connection,
    known: Reference,
    current: Row[Any],
    same: Row[Any] | None,
    incoming: Incoming,
    at: datetime,
) -> Taken:
    """Another content under a known name, on purpose."""
    alone = count_references(connection, current.id) == 1
    if same is None and alone and current.content_hash is None:
        # The media of a video that was known by its words; what persons said of it stays.
        connection.execute(
            update(videos)
            .where(videos.c.id == current.id)
            .values(
                content_hash=incoming.content_hash,
                media=incoming.media,
                stored=incoming.stored,
                bytes=incoming.bytes,
                facts=null() if incoming.facts is None else incoming.facts,
            )
        )
        _reword(connection, current.id, incoming, at)
        video_id = current.id
    elif same is None:
        video_id = _insert(connection, incoming, at)
    else:
        video_id = same.id
        _join(connection, same, incoming, at)
    connection.execute(
        update(video_references)
        .where(video_references.c.id == known.id)
        .values(video_id=video_id, title=incoming.title, added_at=at)
    )
    left = current.id if alone and video_id != current.id else None
    return Taken(video_id, "changed", left=left)


def _keep_copy(connection: Connection, video: Row[Any], incoming: Incoming) -> None:
    """A copy in the media store takes the place of a URI, which may vanish."""
    if incoming.stored and not video.stored:
        connection.execute(
            update(videos)
            .where(videos.c.id == video.id)
            .values(media=incoming.media, stored=True, bytes=incoming.bytes)
        )


def _reword(connection: Connection, video_id: int, incoming: Incoming, at: datetime) -> None:
    title, description, subtitles, published_at = incoming.words
    set_words(
        connection,
        video_id,
        title=title,
        description=description,
        subtitles=subtitles,
        published_at=published_at,
        at=at,
    )


def _refuse_erasing(connection: Connection, content_hash: str | None) -> None:
    if content_hash is None:
        return
    pending = connection.scalar(select(erasing.c.video_id).where(erasing.c.content_hash == content_hash))
    if pending is not None:
        raise ConflictError(
            "This very content is being erased.",
            hint="Wait until that is done; if it was interrupted, finish it with: tagtower videos HOME erase",
        )


def _with_content(connection: Connection, content_hash: str | None) -> Row[Any] | None:
    if content_hash is None:
        return None
    return _row(connection, videos.c.content_hash == content_hash)


def _video(connection: Connection, video_id: int) -> Row[Any]:
    row = _row(connection, videos.c.id == video_id)
    assert row is not None, "a reference leads to a video"
    return row


def _row(connection: Connection, condition: Any) -> Row[Any] | None:
    columns = ("id", "content_hash", "stored", "title", "description", "subtitles", "published_at")
    return connection.execute(
        select(*(videos.c[name] for name in columns)).where(condition).with_for_update()
    ).first()


def _unlabelled(at: datetime) -> dict[str, Any]:
    """On the unlabelled shelf, as if new; a worker that has the video now loses it, since it read other words."""
    return {
        "shelf": "unlabelled",
        "shelved_at": at,
        "attempts": 0,
        "not_before": None,
        "lease_token": None,
        "lease_worker": None,
        "lease_until": None,
        "error": null(),
    }

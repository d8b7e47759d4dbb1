"""Erasing for good: a video, or all that one owner handed in, from every place that holds something of it.

The order: the rows go, together with a note of what is left to do; then the files; then the bytes that the rows left
behind are overwritten; then everything is searched once more, and only if nothing is found is the proof written.
Ended in between, `finish_erasing` goes on. The proof says what was removed, and nothing of what it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from sqlalchemy import Connection, select

from tagtower.errors import NotFoundError, StorageError
from tagtower.features.store import FeatureStore
from tagtower.library.curation.committing import check_author
from tagtower.library.erase import (
    Marked,
    Pending,
    mark_reference,
    mark_video,
    note_wiped,
    pending_erasures,
    prove,
    rows_left,
    scrub_evidence,
)
from tagtower.library.leftovers import bytes_left, database_files, overwrite
from tagtower.library.schema import erasing, metadata, video_references, videos
from tagtower.library.shelves import LeasedVideo
from tagtower.library.vectors import vector_store
from tagtower.library.videos.records import VideoRecord, get_video
from tagtower.library.videos.references import Reference, references_of
from tagtower.pipeline.words import words_of
from tagtower.records import TEXT_FIELDS
from tagtower.storage.hashing import hash_text
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.media import as_video

PREVIEWS = "previews"
"""Folder of the installation with small pictures of videos, each named by the hash of its video."""

STORE = "features.sqlite"


@dataclass(frozen=True, slots=True)
class Erased:
    """The proof of an erasure: of a `whole` video, or of a name of one that lives on under others.

    `removed` counts by kind, `checked` says how many tables and files were searched afterwards.
    """

    video_id: int
    whole: bool
    removed: dict[str, int]
    checked: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the proof for a reader of JSON."""
        return {
            "video": self.video_id,
            "whole": self.whole,
            "removed": self.removed,
            "checked": self.checked,
        }


def erase_videos(installation: Installation, video_ids: Iterable[int], *, author: str) -> list[Erased]:
    """Erase videos, whoever refers to them, and return the proofs; also of erasures that were interrupted before.

    Raises:
        NotFoundError: there is no such video; none is erased then.
        StorageError: something could not be removed, or was found afterwards; `finish_erasing` tries again.
    """
    author = check_author(author)
    wanted = list(dict.fromkeys(video_ids))
    with installation.database.read() as connection:
        for start in range(0, len(wanted), 500):
            part = wanted[start : start + 500]
            known = set(connection.scalars(select(videos.c.id).where(videos.c.id.in_(part))))
            if missing := [one for one in part if one not in known]:
                raise NotFoundError(
                    f"There is no video {missing[0]}.",
                    hint="It may have been erased before. Nothing was erased now.",
                )
    eraser = Eraser(installation)
    for video_id in wanted:
        eraser.mark(video_id, author=author)
    return eraser.finish()


def erase_owner(installation: Installation, owner: str, *, author: str) -> list[Erased]:
    """Erase all that an owner handed in, and return the proofs; a video that others refer to too loses this name.

    Raises:
        NotFoundError: the owner has handed in nothing.
        StorageError: something could not be removed, or was found afterwards; `finish_erasing` tries again.
    """
    author = check_author(author)
    eraser = Eraser(installation)
    found = False
    while True:
        with installation.database.read() as connection:
            names = connection.execute(
                select(video_references.c.id, video_references.c.video_id)
                .where(video_references.c.owner == owner)
                .order_by(video_references.c.id)
                .limit(500)
            ).all()
        if not names:
            break
        found = True
        for name in names:
            eraser.mark_name(name.id, name.video_id, author=author)
    if not found and not eraser.pending():
        raise NotFoundError(f"The owner {owner!r} has handed in nothing.", hint="Spell it as it was given.")
    return eraser.finish()


def finish_erasing(installation: Installation) -> list[Erased]:
    """Go on with erasures that were interrupted, and return the proofs.

    Raises:
        StorageError: something could not be removed, or was found afterwards.
    """
    return Eraser(installation).finish()


@final
@dataclass(slots=True)
class Eraser:
    """Erasures of one run: marked one by one, finished together, since the last steps look at whole files."""

    installation: Installation
    _traces: dict[int, tuple[bytes, ...]] = field(default_factory=dict)

    def mark(self, video_id: int, *, author: str) -> None:
        """Take a video out of the database.

        Raises:
            NotFoundError: there is none.
        """
        with self.installation.database.write() as connection:
            self._note(
                mark_video(
                    connection,
                    video_id,
                    features=_features(connection, video_id),
                    vectors=vector_store(self.installation.database, self.installation.vectors),
                    author=author,
                    at=self.installation.clock(),
                )
            )

    def mark_name(self, reference_id: int, video_id: int, *, author: str) -> None:
        """Take a name out of the database, and its video too if it has no other."""
        with self.installation.database.write() as connection:
            references = references_of(connection, [video_id]).get(video_id, ())
            mine = next((one for one in references if one.id == reference_id), None)
            if mine is None:  # another program was faster
                return
            if all(one.owner == mine.owner for one in references):
                self._note(self._marked(connection, mine, whole=True, author=author))
            else:
                self._note(self._marked(connection, mine, whole=False, author=author))

    def pending(self) -> list[Pending]:
        """Return every erasure that is under way."""
        with self.installation.database.read() as connection:
            return pending_erasures(connection)

    def finish(self) -> list[Erased]:
        """Remove the files of every erasure that is under way, overwrite, check, and write the proofs.

        Raises:
            StorageError: something could not be removed, or was found afterwards.
        """
        pending = self.pending()
        if not pending:
            return []
        installation, database = self.installation, self.installation.database
        store = vector_store(database, installation.vectors)
        store.tidy()
        hashes = sorted({one.content_hash for one in pending if one.content_hash is not None})
        features = sorted({one for each in pending for one in each.features})
        wholes = [one.video_id for one in pending if one.whole]
        evidence = scrub_evidence(database, wholes)
        arrays = self.forget_features(features, hashes)
        for one in pending:
            if one.wiped_at is None:
                removed = self._wipe(one)
                removed["features"] = sum(arrays.pop(content, 0) for content in one.features)
                removed["evidence"] = evidence.get(one.video_id, 0)
                with database.write() as connection:
                    note_wiped(connection, one, removed, installation.clock())
        traces = {trace for one in pending for trace in self._traces.get(one.id, ())}
        traces.update(one.encode() for one in hashes)
        resumed = any(one.id not in self._traces for one in pending)
        overwrite(database, traces, certain=resumed)
        checked = self._check(wholes, hashes)
        proofs = []
        for one in self.pending():
            if one.id not in {mine.id for mine in pending}:
                continue
            with database.write() as connection:
                if prove(connection, one, checked, installation.clock()):
                    proofs.append(Erased(one.video_id, one.whole, dict(one.removed), checked))
        return proofs

    def _note(self, marked: Marked) -> None:
        self._traces[marked.pending.id] = marked.traces

    def _marked(self, connection: Connection, name: Reference, *, whole: bool, author: str) -> Marked:
        more: dict[str, Any] = {
            "features": _features(connection, name.video_id),
            "vectors": vector_store(self.installation.database, self.installation.vectors),
            "author": author,
            "at": self.installation.clock(),
        }
        if whole:
            return mark_video(connection, name.video_id, **more)
        return mark_reference(connection, name, **more)

    def _wipe(self, one: Pending) -> dict[str, int]:
        """Remove the files of a video; it may be tried again, and then finds fewer."""
        media = 0
        if one.content_hash is not None:
            # A video with the same content is not taken in as long as this erasure is under way.
            for key in self.installation.media.with_hash(one.content_hash):
                media += self.installation.media.remove(key)
        previews = 0
        for path in self._previews(one.content_hash):
            path.unlink(missing_ok=True)
            previews += 1
        return {"media": media, "previews": previews}

    def _previews(self, content_hash: str | None) -> list[Path]:
        folder = self.installation.home / PREVIEWS
        return [] if content_hash is None else sorted(folder.glob(f"**/{content_hash}*"))

    def forget_features(self, contents: list[str], hashes: list[str]) -> dict[str, int]:
        """Remove what was computed of `contents`, media with `hashes` among them; return how many arrays of each."""
        path = self.installation.features / STORE
        if not contents or not path.exists():
            return {}
        with closing(FeatureStore(path)) as store:
            removed = store.remove(contents)
            if bytes_left(_feature_files(path), [one.encode() for one in hashes]):
                store.compact()
        return removed

    def _check(self, wholes: list[int], hashes: list[str]) -> dict[str, int]:
        """Search every place once more, and return how many were searched.

        Raises:
            StorageError: something is left.
        """
        database = self.installation.database
        left = rows_left(database, wholes, hashes)
        for one in hashes:
            left["media"] = left.get("media", 0) + len(self.installation.media.with_hash(one))
            left["previews"] = left.get("previews", 0) + len(self._previews(one))
        path = self.installation.features / STORE
        files = database_files(database)
        if path.exists():
            with closing(FeatureStore(path)) as store:
                left["features"] = store.holds(hashes)
            files += _feature_files(path)
        left["bytes"] = bytes_left(files, [one.encode() for one in hashes])
        if any(left.values()):
            where = ", ".join(f"{name} ({count})" for name, count in left.items() if count)
            raise StorageError(
                f"Something is left of what was to be erased: {where}.",
                hint="Stop the other programs, then finish with: tagtower videos HOME erase --finish",
            )
        return {
            "tables": len(metadata.tables),
            "files": len([one for one in files if one.exists()]),
            "left": 0,
        }


def _feature_files(path: Path) -> list[Path]:
    return [path, path.with_name(f"{path.name}-wal")]


def forget_erased(installation: Installation, leased: Iterable[LeasedVideo]) -> int:
    """Remove what was computed of videos that were erased while a worker looked at them; return of how many.

    The erasure could not know of it, since the worker wrote it down afterwards.
    """
    held = {one.id: one for one in leased}
    if not held:
        return 0
    with installation.database.read() as connection:
        there = set(connection.scalars(select(videos.c.id).where(videos.c.id.in_(list(held)))))
    erased = [one for one in held.values() if one.id not in there]
    contents = {content for one in erased for content in _texts(one)}
    hashes = {one.content_hash for one in erased if one.content_hash is not None}
    Eraser(installation).forget_features(sorted(contents | hashes), sorted(hashes))
    return len(erased)


def _features(connection: Connection, video_id: int) -> list[str]:
    """Return the hashes by which the feature store knows the texts of a video."""
    found = connection.scalar(select(videos.c.id).where(videos.c.id == video_id))
    return [] if found is None else _texts(get_video(connection, video_id))


def _texts(row: VideoRecord | LeasedVideo) -> list[str]:
    return [hash_text(text) for text in words_of(as_video(row), TEXT_FIELDS).texts.values()]


def is_erasing(connection: Connection) -> bool:
    """Return whether an erasure is under way, or was interrupted."""
    return connection.scalar(select(erasing.c.id).limit(1)) is not None

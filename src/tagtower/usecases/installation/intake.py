"""Handing videos in: files and references are looked at, stored, and taken into the library one by one.

The media are written first and the video's row last, each video in a transaction of its own. Whatever ends the
program, what was handed in before is there, and handing in the same again goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from sqlalchemy import Connection, select

from tagtower.errors import MediaError, StorageError, TagTowerError
from tagtower.features.subtitles import names_subtitle_file
from tagtower.library.schema import videos
from tagtower.library.verdicts import give_verdict
from tagtower.library.videos.facts import facts_of
from tagtower.library.videos.intake import (
    Incoming,
    Outcome,
    Taken,
    check_incoming,
    refuse_early,
    take_in,
)
from tagtower.library.videos.shown import Members, members_of
from tagtower.media.isolation import Decoder
from tagtower.media.records import DecodeRequest, FrameRequest, MediaInfo, SoundRequest
from tagtower.pipeline.words import Words, words_of
from tagtower.records import Example, Problems, Video
from tagtower.storage.media_store import StoredMedia
from tagtower.usecases.installation.erase import Eraser
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.sources import hash_file, media_file

LOOK = DecodeRequest(
    FrameRequest(frames=1, max_parts=1, exactness="keyframe", resize=32, crop=32),
    SoundRequest(whole_seconds=1.0, windows=1, window_seconds=1.0),
)
"""One small frame and a second of sound: enough to know that a file can be decoded."""

TRIES = 3
"""The media of a video that is erased at this very moment may be gone before the row is written."""


@dataclass(frozen=True, slots=True)
class PutSettings:
    """How videos are handed in.

    `owner` is whose names they are. `reference` leaves media where they lie. `labels` takes the tags that come with a
    video as `author`'s word. `replace` lets other content take the place of what had the same name. `subtitle_files`
    lets subtitles be the name of a file of this machine, which is read: never for what comes from another one.
    `content` is the SHA-256 in hex and the size in bytes of the one file that is handed in, where they were just taken.
    """

    owner: str = ""
    author: str = "import"
    reference: bool = False
    labels: bool = False
    replace: bool = False
    subtitle_files: bool = False
    content: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Put:
    """A video that is in the library: its number, what was new, and what was odd about it."""

    name: str
    video_id: int
    outcome: Outcome
    labels: int = 0
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "name": self.name,
            "id": self.video_id,
            "outcome": self.outcome,
            "labels": self.labels,
            "remarks": list(self.remarks),
        }


@dataclass(frozen=True, slots=True)
class Refused:
    """A video that was not taken in, and why."""

    name: str
    error: TagTowerError

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        kind = self.error.cause if isinstance(self.error, MediaError) else type(self.error).__name__
        error = {"type": kind, "message": self.error.message, "hint": self.error.hint}
        return {"name": self.name, "error": error}


def put_videos(
    installation: Installation,
    examples: Iterable[Example],
    settings: PutSettings,
    problems: Problems | None = None,
    *,
    decoder: Decoder | None = None,
) -> Iterator[Put | Refused]:
    """Take videos in, one after the other, and yield what became of each; one that is refused stops no other.

    Args:
        problems: where tags are counted that the library does not have, under `settings.labels`.
        decoder: looks at the media, where one runs already.
    Raises:
        StorageError: the disk is full or the database is gone; what was yielded is kept.
    """
    eraser = Eraser(installation)
    with ExitStack() as stack:
        looking = decoder or stack.enter_context(Decoder(installation.settings.media, workers=1))
        intake = _Intake(
            installation, settings, looking, eraser, Problems() if problems is None else problems
        )
        try:
            for example in examples:
                try:
                    yield intake.put(example)
                except StorageError:
                    raise
                except TagTowerError as error:
                    yield Refused(example.video.id, error)
        finally:
            if intake.replaced:
                eraser.finish()


class _MediaGoneError(Exception):
    """The media that a row was to refer to are not in the store any more."""


@final
class _Intake:
    """Takes in one video after the other."""

    def __init__(
        self,
        installation: Installation,
        settings: PutSettings,
        decoder: Decoder,
        eraser: Eraser,
        problems: Problems,
    ) -> None:
        self.replaced = 0
        self._eraser = eraser
        self._installation = installation
        self._settings = settings
        self._decoder = decoder
        self._problems = problems
        self._unknown: set[str] = set()

    def put(self, example: Example) -> Put:
        video = example.video
        words = Words({} if video.subtitles is None else {"subtitles": video.subtitles})
        if self._settings.subtitle_files or not names_subtitle_file(video.subtitles or ""):
            words = words_of(video, ("subtitles",))
        incoming = Incoming(
            owner=self._settings.owner,
            name=video.id,
            title=video.title,
            description=video.description,
            subtitles=words.texts.get("subtitles"),
            published_at=example.published,
        )
        check_incoming(incoming)
        for _ in range(TRIES):
            whole = incoming if video.media is None else self._with_media(incoming, video)
            taken, labels = self._take_in(whole, example)
            if taken is not None:
                if taken.left is not None:
                    self._eraser.mark(taken.left, author=self._settings.author)
                    self.replaced += 1
                remarks = (*words.problems, *([taken.remark] if taken.remark else []))
                return Put(video.id, taken.video_id, taken.outcome, labels, remarks)
        raise StorageError(
            f"{video.id}: its media vanished from the store again and again.",
            hint="Check that no other program removes files there.",
        )

    def _take_in(self, incoming: Incoming, example: Example) -> tuple[Taken | None, int]:
        """Write the row, unless the media were removed before it could refer to them."""
        now = self._installation.clock()
        try:
            with self._installation.database.write() as connection:
                taken = take_in(connection, incoming, at=now, replace=self._settings.replace)
                if incoming.stored and incoming.media and not self._installation.media.exists(incoming.media):
                    raise _MediaGoneError
                labels = self._label(connection, taken.video_id, example) if self._settings.labels else 0
        except _MediaGoneError:
            return None, 0
        return taken, labels

    def _label(self, connection: Connection, video_id: int, example: Example) -> int:
        known: dict[int, Members] = {}
        for text in example.tags:
            try:
                tag = members_of(connection, text)
            except TagTowerError:
                self._count_unknown(text)
                continue
            if tag.shown:
                known[tag.tag_id] = tag
            else:
                self._count_unknown(text)
        for tag in known.values():
            give_verdict(
                connection,
                video_id,
                tag,
                "add",
                author=self._settings.author,
                at=self._installation.clock(),
            )
        return len(known)

    def _count_unknown(self, text: str) -> None:
        if text not in self._unknown:
            self._unknown.add(text)
            self._problems.add("", f"the tag {text[:60]!r} is not in the library, or not in use")

    def _with_media(self, incoming: Incoming, video: Video) -> Incoming:
        """Look at the media, store them unless they are referred to, and return the whole."""
        assert video.media is not None
        with media_file(self._installation, video.media, reference=self._settings.reference) as path:
            return self._with_file(incoming, path)

    def _with_file(self, incoming: Incoming, path: Path) -> Incoming:
        content_hash, size = self._settings.content or hash_file(path)
        known = self._known(replace(incoming, content_hash=content_hash))
        facts = None if known is None else known.facts
        if known is None or (not known.stored and not self._settings.reference):
            facts = facts_of(self._look(path))
        if self._settings.reference:
            media, stored = (path.resolve().as_uri(), False)
            if known is not None and known.stored:
                media, stored = known.media, True
        elif known is not None and known.stored and self._installation.media.exists(known.media):
            media, stored = known.media, True
        else:
            suffix = path.suffix if known is None or not known.stored else Path(known.media).suffix
            kept = self._store(path, content_hash, suffix)
            media, stored = kept.key, True
        return replace(
            incoming, content_hash=content_hash, media=media, stored=stored, bytes=size, facts=facts
        )

    def _known(self, incoming: Incoming) -> Any:
        """Return the video that has this content already, None where there is none."""
        with self._installation.database.read() as connection:
            refuse_early(connection, incoming, replace=self._settings.replace)
            return connection.execute(
                select(videos.c.media, videos.c.stored, videos.c.facts).where(
                    videos.c.content_hash == incoming.content_hash
                )
            ).first()

    def _look(self, path: Path) -> MediaInfo:
        """Return what a file says about itself, once some of it could be decoded.

        Raises:
            MediaError: nothing of it can be.
        """
        return self._decoder.decode(path, LOOK).info

    def _store(self, path: Path, content_hash: str, suffix: str) -> StoredMedia:
        try:
            kept = self._installation.media.put(path, suffix)
        except OSError as error:
            raise MediaError(str(path), "unreadable", f"cannot be read: {error.strerror or error}") from error
        if kept.content_hash != content_hash:
            raise MediaError(
                str(path), "unreadable", "changed while it was read", hint="Try again when nobody writes it."
            )
        return kept

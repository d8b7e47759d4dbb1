"""Tags for videos that are not stored: the active model kept open, and nothing kept of what it was asked about."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, final

from tagtower.errors import ConflictError, InputError, MediaError, TagTowerError
from tagtower.features.store import FeatureStore
from tagtower.library.models import ModelRecord, active_model
from tagtower.library.snapshot import TagSource
from tagtower.library.vectors import vector_store
from tagtower.pipeline.extract import FeatureExtractor
from tagtower.records import RankedTag
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.labelling import Labeller, NotSeen, Seen, open_labeller
from tagtower.usecases.installation.questions import Question, Recommended
from tagtower.usecases.installation.retro import preview
from tagtower.usecases.label import evidence_json
from tagtower.usecases.session import Device


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as the labeller takes it; its number is no stored video's."""

    id: int
    media: str | None
    stored: bool
    title: str | None
    description: str | None
    subtitles: str | None


@final
class Recommender:
    """The active model, opened when it is first wanted and anew when another was promoted; threads take turns."""

    def __init__(
        self, installation: Installation, *, device: Device = "auto", threads: int | None = None
    ) -> None:
        self._installation = installation
        self._device: Device = device
        self._threads = threads
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._labeller: Labeller | None = None
        self._tags = TagSource(installation.database)

    def recommend(self, questions: Sequence[Question], *, top_k: int = 5) -> list[Recommended]:
        """Return the tags for each question, in order.

        Raises:
            ConflictError: there is no active model.
        """
        with self.at_work() as labeller, FeatureStore.temporary() as store:
            session = labeller.session
            loaded = session.model
            extractor = FeatureExtractor(
                loaded.tower, loaded.tower.settings, session.decoder, store, keep_frames=False
            )
            labeller.session = replace(session, extractor=extractor)
            try:
                asked = [_asked(place, one) for place, one in enumerate(questions)]
                seen = list(labeller.see(asked))
                answers = {
                    one.video_id: one
                    for one in labeller.answer([one for one in seen if isinstance(one, Seen)], top_k=top_k)
                }
                version = labeller.prepare().version
            finally:
                labeller.session = session
            found = []
            for one in seen:
                if isinstance(one, NotSeen):
                    found.append(Recommended((), {}, labeller.model.name, version, _plain(one)))
                    continue
                answer = answers[one.id]
                weights = {str(name): round(weight, 6) for name, weight in one.modalities.items()}
                found.append(
                    Recommended(
                        tuple(map(_plain_tag, answer.tags)),
                        weights,
                        labeller.model.name,
                        answer.library_version,
                    )
                )
            return found

    def preview(
        self,
        text: str,
        aliases: Sequence[str] = (),
        *,
        description: str | None = None,
        threshold: float | None = None,
        shown: int = 10,
    ) -> dict[str, Any]:
        """Return on which stored videos a tag would be suggested, if it were added, as JSON has it.

        Raises:
            TagLibraryError: the text can be no tag.
            ConflictError: there is no active model.
        """
        with self.at_work() as labeller:
            return preview(
                self._installation,
                text,
                aliases,
                description=description,
                threshold=threshold,
                shown=shown,
                session=labeller.session,
                vectors=labeller.vectors,
            ).to_json()

    def warm(self) -> None:
        """Open the model now, and take the tags in.

        Raises:
            ConflictError: there is no active model.
        """
        with self.at_work() as labeller:
            labeller.prepare()

    @contextmanager
    def at_work(self) -> Iterator[Labeller]:
        """Give the active model, for the caller alone.

        Raises:
            ConflictError: there is none.
        """
        with self._lock:
            yield self._current()

    def close(self) -> None:
        """Close the model."""
        with self._lock:
            self._labeller = None
            self._stack.close()

    def _current(self) -> Labeller:
        model = self._active()
        if self._labeller is None or self._labeller.model.id != model.id:
            self._labeller = None
            self._stack.close()
            installation = self._installation
            self._labeller = self._stack.enter_context(
                open_labeller(
                    installation,
                    model,
                    tags=self._tags,
                    vectors=vector_store(installation.database, installation.vectors),
                    device=self._device,
                    threads=self._threads,
                )
            )
        return self._labeller

    def _active(self) -> ModelRecord:
        with self._installation.database.read() as connection:
            model = active_model(connection)
        if model is None:
            raise ConflictError(
                "There is no active model.", hint="Add one with: tagtower models HOME add FOLDER"
            )
        return model


def _asked(place: int, one: Question) -> _Asked:
    media = None if one.media is None else str(one.media)
    return _Asked(-1 - place, media, False, one.title, one.description, one.subtitles)


def _plain_tag(one: RankedTag) -> dict[str, Any]:
    return {
        "tag": one.tag,
        "rank": one.rank,
        "distance": one.distance,
        "score": one.score,
        "evidence": evidence_json(one.evidence),
    }


def _plain(one: NotSeen) -> TagTowerError:
    """The failure without the path of the file, which is the server's own."""
    if isinstance(one.error, MediaError):
        return InputError(f"The media file {one.error.reason}.", hint=one.error.hint)
    return one.error

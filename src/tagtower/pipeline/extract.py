"""Media file to features: decoding ahead in child processes, frozen backbones, and the store in between.

Knows how a video becomes the towers' input; does not know vectors, tags or training.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np

from tagtower.config import Settings
from tagtower.errors import InputError, TagTowerError
from tagtower.features.store import CENTRE, FeatureKey, FeatureStore
from tagtower.media import DecodedMedia, DecodeRequest, FrameRequest, SoundRequest
from tagtower.records import Video
from tagtower.storage.hashing import hash_text
from tagtower.towers import TwoTower, VideoFeatures

TITLES_AHEAD = 256
"""Titles that go through the text backbone together: long enough for full batches, short enough to stream."""

DRAW_SEED = 0
"""Random draws of frames are the same in every run, so that runs with different seeds share the store."""

ABSENT = np.zeros(0, np.float32)
"""What the store keeps for a modality that a file was found not to have."""


class MediaDecoder(Protocol):
    """Whatever opens media files; `media.Decoder` does so in child processes."""

    @property
    def workers(self) -> int:
        """How many files it decodes at a time."""
        ...

    def decode(self, path: str, request: DecodeRequest) -> DecodedMedia:
        """Frames and sound of one file; raises `MediaError`."""
        ...


@dataclass(frozen=True, slots=True)
class Extracted:
    """A video's features, one entry for each draw that was asked for, and what was odd about its file."""

    video: Video
    features: tuple[VideoFeatures, ...]
    seconds: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A video that could not be used, and why."""

    video: Video
    error: TagTowerError


@dataclass(frozen=True, slots=True)
class _Media:
    """What came of one file: frames by draw and sound, each as features or absent."""

    image: tuple[np.ndarray, ...]
    audio: np.ndarray
    seconds: float
    warnings: tuple[str, ...]


class FeatureExtractor:
    """Turns videos into features, decoding ahead of the consumer and keeping what was computed.

    Frames that go into a trained backbone are kept only if `keep_frames`, as they are large.
    """

    def __init__(
        self,
        tower: TwoTower,
        settings: Settings,
        decoder: MediaDecoder,
        store: FeatureStore,
        *,
        keep_frames: bool = True,
    ) -> None:
        self._tower = tower
        self._settings = settings
        self._decoder = decoder
        self._store = store
        self._keep_image = keep_frames or tower.image_is_frozen
        self._specs = {modality: tower.spec(modality) for modality in tower.modalities}

    def extract(
        self, videos: Iterable[Video], draws: Sequence[int] = (CENTRE,)
    ) -> Iterator[Extracted | Failed]:
        """Yield the features of each video, or why there are none, in the order of `videos`.

        Args:
            videos: read lazily, at most `TITLES_AHEAD` ahead.
            draws: which frames are taken: `CENTRE`, or k for the k-th seeded random draw.
        """
        ahead = 2 * self._decoder.workers
        source = iter(videos)
        with ThreadPoolExecutor(self._decoder.workers, thread_name_prefix="decode") as pool:
            while chunk := list(islice(source, TITLES_AHEAD)):
                titles = self._titles(chunk)
                waiting: deque[tuple[Video, np.ndarray | None, Future[_Decoded] | None]] = deque()
                try:
                    for video, title in zip(chunk, titles, strict=True):
                        wanted = self._reads_media and video.media is not None
                        future = pool.submit(self._look, video, tuple(draws)) if wanted else None
                        waiting.append((video, title, future))
                        if len(waiting) > ahead:
                            yield self._finish(*waiting.popleft(), draws)
                    while waiting:
                        yield self._finish(*waiting.popleft(), draws)
                finally:
                    for _, _, future in waiting:
                        if future is not None:
                            future.cancel()

    @property
    def _reads_media(self) -> bool:
        return "image" in self._specs or "audio" in self._specs

    def _look(self, video: Video, draws: tuple[int, ...]) -> _Decoded:
        """In a worker thread: what the store has of a file, and what decoding adds."""
        start = time.perf_counter()
        assert video.media is not None
        content = self._store.content_hash(video.media)
        keys = [FeatureKey(content, self._specs["image"], draw) for draw in draws] if "image" in self._specs else []
        if "audio" in self._specs:
            keys.append(FeatureKey(content, self._specs["audio"], CENTRE))
        stored = self._store.get_many(keys)
        missing = [key for key in keys if key not in stored]
        decoded = None
        if missing:
            decoded = self._decoder.decode(video.media, self._request(missing))
        return _Decoded(keys, stored, missing, decoded, time.perf_counter() - start)

    def _request(self, missing: Sequence[FeatureKey]) -> DecodeRequest:
        image, audio = self._settings.image, self._settings.audio
        draws = tuple(key.draw for key in missing if key.spec == self._specs.get("image"))
        frames = None
        if draws:
            frames = FrameRequest(
                frames=image.frames,
                part_seconds=image.part_seconds,
                max_parts=image.max_parts,
                exactness=image.exactness,
                resize=image.resize,
                crop=image.crop,
                draws=tuple(None if draw == CENTRE else draw for draw in draws),
                seed=DRAW_SEED,
            )
        sound = None
        if any(key.spec == self._specs.get("audio") for key in missing):
            sound = SoundRequest(
                sample_rate=audio.sample_rate,
                whole_seconds=audio.whole_seconds,
                windows=audio.windows,
                window_seconds=audio.window_seconds,
            )
        return DecodeRequest(frames=frames, sound=sound)

    def _finish(
        self, video: Video, title: np.ndarray | None, future: Future[_Decoded] | None, draws: Sequence[int]
    ) -> Extracted | Failed:
        """In the consumer's thread, which alone runs the backbones: complete one video."""
        try:
            media = self._complete(future.result(), draws) if future is not None else None
        except TagTowerError as error:
            return Failed(video, error)
        features = tuple(
            VideoFeatures(
                image=_present(media.image[k]) if media and media.image else None,
                audio=_present(media.audio) if media else None,
                text=title,
            )
            for k in range(len(draws))
        )
        if features[0].image is None and features[0].audio is None and title is None:
            return Failed(video, self._nothing_usable(video))
        return Extracted(video, features, media.seconds if media else 0.0, media.warnings if media else ())

    def _complete(self, looked: _Decoded, draws: Sequence[int]) -> _Media:
        start = time.perf_counter()
        values = dict(looked.stored)
        fresh: dict[FeatureKey, np.ndarray] = {}
        warnings: tuple[str, ...] = ()
        if looked.media is not None:
            warnings = looked.media.warnings
            samples = iter(looked.media.frames)
            for key in looked.missing:
                if key.spec == self._specs.get("image"):
                    sample = next(samples, None)
                    values[key] = ABSENT if sample is None else self._tower.frame_features(sample.frames)
                    if self._keep_image:
                        fresh[key] = values[key]
                else:
                    sound = looked.media.sound
                    values[key] = ABSENT if sound is None else self._tower.sound_features(sound.waveform)
                    fresh[key] = values[key]
        if fresh:
            self._store.put_many(fresh)
        image = tuple(values[key] for key in looked.keys if key.spec == self._specs.get("image"))
        audio = next((values[key] for key in looked.keys if key.spec == self._specs.get("audio")), ABSENT)
        return _Media(image, audio, looked.seconds + time.perf_counter() - start, warnings)

    def _titles(self, videos: Sequence[Video]) -> list[np.ndarray | None]:
        """The title feature of each video; None where the model reads no titles or there is none."""
        if "text" not in self._specs:
            return [None] * len(videos)
        texts = {video.title.strip() for video in videos if video.title and video.title.strip()}
        features = self._text_features(sorted(texts))
        return [features.get(video.title.strip()) if video.title else None for video in videos]

    def _text_features(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        if not self._tower.text_is_frozen:  # token ids are cheaper to make than to keep
            return dict(zip(texts, self._tower.title_features(texts), strict=True))
        keys = {text: FeatureKey(hash_text(text), self._specs["text"], CENTRE) for text in texts}
        stored = self._store.get_many(list(keys.values()))
        missing = [text for text in texts if keys[text] not in stored]
        made = dict(zip(missing, self._tower.title_features(missing), strict=True)) if missing else {}
        self._store.put_many({keys[text]: value for text, value in made.items()})
        return {text: made[text] if text in made else stored[keys[text]] for text in texts}

    def _nothing_usable(self, video: Video) -> InputError:
        reads = {"image": "pictures", "audio": "sound", "text": "a title"}
        needs = " or ".join(reads[modality] for modality in self._tower.modalities)
        name = video.media or video.id
        return InputError(
            f"{name}: has none of what this model reads ({needs}).",
            hint="Give it a title, or use a model that reads what the file holds.",
        )


@dataclass(frozen=True, slots=True)
class _Decoded:
    """What a worker thread found for one file: stored features, the missing keys, and the media for those."""

    keys: list[FeatureKey]
    stored: dict[FeatureKey, np.ndarray]
    missing: list[FeatureKey]
    media: DecodedMedia | None
    seconds: float


def _present(array: np.ndarray) -> np.ndarray | None:
    return array if array.size else None

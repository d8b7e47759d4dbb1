"""Media file to features: decoding ahead in child processes, frozen backbones, and the store in between.

Knows how a video becomes the towers' input; does not know vectors, tags or training.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Literal, Protocol, TypeAlias, final, runtime_checkable

import numpy as np
from jaxtyping import Float64

from tagtower.config import Settings
from tagtower.errors import InputError, MediaError
from tagtower.features.store import CENTRE, FeatureKey, FeatureStore
from tagtower.media.records import DecodedMedia, DecodeRequest, FrameRequest, SoundRequest
from tagtower.pipeline.words import words_of
from tagtower.records import Video
from tagtower.storage.hashing import hash_text
from tagtower.towers import TwoTower, VideoFeatures
from tagtower.towers.inputs import FIELD_NAMES

TITLES_AHEAD = 256
"""Titles that go through the text backbone together: long enough for full batches, short enough to stream."""

DRAW_SEED = 0
"""Random draws of frames are the same in every run, so that runs with different seeds share the store."""

ABSENT = np.zeros(0, np.float32)
"""What the store keeps for a modality that a file was found not to have."""


@runtime_checkable
class MediaDecoder(Protocol):
    """Whatever opens media files; `media.Decoder` does so in child processes."""

    @property
    def workers(self) -> int:
        """How many files it decodes at a time."""
        ...

    def decode(self, path: str, request: DecodeRequest) -> DecodedMedia:
        """Frames and sound of one file; raises `MediaError`."""
        ...


@runtime_checkable
class MediaPlaces(Protocol):
    """Knows where the media lie that videos name; asked by the threads that decode ahead."""

    def content_hash(self, media: str) -> str | None:
        """The SHA-256 of the media where that is known without reading them, in hex."""
        ...

    def local(self, media: str) -> AbstractContextManager[str]:
        """Give a path of this machine for as long as the context is open; raises `InputError` or `StorageError`."""
        ...


@final
class FilesHere:
    """Media that are named by their paths."""

    def content_hash(self, media: str) -> None:
        """Nothing is known of a file that was not opened."""

    def local(self, media: str) -> AbstractContextManager[str]:
        """Give the path itself."""
        return nullcontext(media)


@dataclass(frozen=True, slots=True)
class Extracted:
    """A video's features, one entry for each draw that was asked for, and what was odd about its file.

    `keys` names what the store has of each entry, by modality. `frame_seconds` says when the centre frames are shown
    (seconds after the file's start), where they were asked for and there are any.
    """

    video: Video
    features: tuple[VideoFeatures, ...]
    keys: tuple[dict[str, FeatureKey], ...]
    seconds: float
    warnings: tuple[str, ...] = ()
    frame_seconds: Float64[np.ndarray, "frame"] | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A video that could not be used, and why."""

    video: Video
    error: InputError


Part: TypeAlias = tuple[Literal["image", "seconds", "audio"], int]
"""A modality and a draw; sound has but one, `CENTRE`. `seconds` is when the centre frames are shown."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """What a worker thread found for one file: the parts wanted, those in the store, and the media of the rest.

    `lacking` says why there are no media of the rest, where it is no failure of the file as a whole.
    """

    keys: dict[Part, FeatureKey]
    stored: dict[FeatureKey, np.ndarray]
    media: DecodedMedia | None
    lacking: MediaError | None
    seconds: float


@dataclass(frozen=True, slots=True)
class _Read:
    """The text features of one video by their name in `VideoFeatures`, and what was wrong with its texts."""

    features: dict[str, np.ndarray]
    problems: tuple[str, ...]


class FeatureExtractor:
    """Turns videos into features, decoding ahead of the consumer and keeping what was computed.

    Frames and waveforms that go into a trained backbone are kept only if `keep_frames`, as they are large.
    """

    def __init__(
        self,
        tower: TwoTower,
        settings: Settings,
        decoder: MediaDecoder,
        store: FeatureStore,
        *,
        keep_frames: bool = True,
        places: MediaPlaces | None = None,
    ) -> None:
        self._tower = tower
        self._settings = settings
        self._decoder = decoder
        self._store = store
        self._keeps = {
            "image": keep_frames or tower.image_is_frozen,
            "audio": keep_frames or not tower.sound_is_raw,
            "seconds": keep_frames or tower.image_is_frozen,
        }
        self._places: MediaPlaces = FilesHere() if places is None else places
        self._specs: dict[str, str] = {modality: tower.spec(modality) for modality in tower.modalities}
        if "image" in self._specs:
            self._specs["seconds"] = f"{self._specs['image']}:seconds"

    def extract(
        self, videos: Iterable[Video], draws: Sequence[int] = (CENTRE,), *, titles_ahead: int = TITLES_AHEAD
    ) -> Iterator[Extracted | Failed]:
        """Yield the features of each video, or why there are none, in the order of `videos`.

        Args:
            videos: read lazily, at most `titles_ahead` ahead and those that are being decoded.
            draws: which frames are taken: `CENTRE`, or k for the k-th seeded random draw.
        """
        ahead = 2 * self._decoder.workers
        source = iter(videos)
        pool = ThreadPoolExecutor(self._decoder.workers, thread_name_prefix="decode")
        try:
            waiting: deque[tuple[Video, _Read, Future[_Looked] | None]] = deque()
            while chunk := list(islice(source, titles_ahead)):
                for video, words in zip(chunk, self._words(chunk), strict=True):
                    future = None
                    if video.media is not None and self._reads_media:
                        future = pool.submit(self._look, video.media, draws)
                    waiting.append((video, words, future))
                    if len(waiting) > ahead:
                        yield self._finish(*waiting.popleft(), draws)
            while waiting:
                yield self._finish(*waiting.popleft(), draws)
        finally:
            # Whoever stops early, by Ctrl-C for one, does not wait for files that are being decoded.
            pool.shutdown(wait=False, cancel_futures=True)

    @property
    def _reads_media(self) -> bool:
        return "image" in self._specs or "audio" in self._specs

    def _look(self, media: str, draws: Sequence[int]) -> _Looked:
        """In a worker thread: what the store has of a file, and what decoding adds."""
        start = time.perf_counter()
        with ExitStack() as stack:
            path: str | None = None
            content = self._places.content_hash(media)
            if content is None:
                path = stack.enter_context(self._places.local(media))
                content = self._store.content_hash(path)
            keys = self._keys_of(content, draws)
            stored = self._store.get_many(list(keys.values()))
            missing = [part for part, key in keys.items() if key not in stored]
            decoded, lacking = None, None
            try:
                if missing:
                    path = path or stack.enter_context(self._places.local(media))
                    decoded = self._decoder.decode(path, self._request(missing))
            except MediaError as error:
                # What is asked for follows from what is stored: a file may have sound, stored, and no pictures.
                in_part = error.cause == "damaged" and any(value.size for value in stored.values())
                if error.cause != "no-streams" and not in_part:
                    raise
                lacking = error
        return _Looked(keys, stored, decoded, lacking, time.perf_counter() - start)

    def _keys_of(self, content: str, draws: Sequence[int]) -> dict[Part, FeatureKey]:
        """What the store may have of a file, by part."""
        parts: list[Part] = [("image", draw) for draw in draws]
        if CENTRE in draws:
            parts.append(("seconds", CENTRE))
        parts.append(("audio", CENTRE))
        return {
            part: FeatureKey(content, self._specs[part[0]], part[1])
            for part in parts
            if part[0] in self._specs
        }

    def _request(self, missing: Sequence[Part]) -> DecodeRequest:
        image, audio = self._settings.image, self._settings.audio
        draws = tuple(None if draw == CENTRE else draw for draw in _pictures(missing))
        frames = FrameRequest(
            sampling=image.sampling,
            frames=image.frames,
            part_seconds=image.part_seconds,
            max_parts=image.max_parts,
            every=image.every,
            max_frames=image.max_frames,
            exactness=image.exactness,
            resize=image.resize,
            crop=image.crop,
            draws=draws,
            seed=DRAW_SEED,
        )
        sound = SoundRequest(
            sample_rate=audio.sample_rate,
            whole_seconds=audio.whole_seconds,
            windows=audio.windows,
            window_seconds=audio.window_seconds,
        )
        return DecodeRequest(frames if draws else None, sound if ("audio", CENTRE) in missing else None)

    def _finish(
        self, video: Video, words: _Read, future: Future[_Looked] | None, draws: Sequence[int]
    ) -> Extracted | Failed:
        """In the consumer's thread, which alone runs the backbones: complete one video."""
        start = time.perf_counter()
        looked = _Looked({}, {}, None, None, 0.0)
        try:
            if future is not None:
                looked = future.result()
                start = time.perf_counter()
        except InputError as error:
            return Failed(video, error)
        values = self._complete(looked)
        features = tuple(
            VideoFeatures(
                image=values.get(("image", draw)), audio=values.get(("audio", CENTRE)), **words.features
            )
            for draw in draws
        )
        if not features[0].present:
            return Failed(video, looked.lacking or self._nothing_usable(video))
        warnings: tuple[str, ...] = () if looked.lacking is None else (looked.lacking.reason,)
        warnings = looked.media.warnings if looked.media is not None else warnings
        return Extracted(
            video,
            features,
            tuple(
                {
                    part[0]: looked.keys[part]
                    for part in (("image", draw), ("audio", CENTRE))
                    if part in values
                }
                for draw in draws
            ),
            looked.seconds + time.perf_counter() - start,
            (*warnings, *words.problems),
            values.get(("seconds", CENTRE)),
        )

    def _complete(self, looked: _Looked) -> dict[Part, np.ndarray]:
        """Return the features of the parts that the file has, and store those that are new."""
        values = {part: looked.stored[key] for part, key in looked.keys.items() if key in looked.stored}
        if looked.media is not None:
            fresh = {part: ABSENT for part in looked.keys if part not in values}
            for draw, sample in zip(_pictures(fresh), looked.media.frames, strict=False):  # none: no pictures
                if ("image", draw) in fresh:
                    fresh["image", draw] = self._tower.frame_features(sample.frames)
                if ("seconds", draw) in fresh:
                    fresh["seconds", draw] = sample.seconds
            if ("audio", CENTRE) in fresh and looked.media.sound is not None:
                fresh["audio", CENTRE] = self._tower.sound_features(looked.media.sound.waveform)
            self._store.put_many(
                {looked.keys[part]: value for part, value in fresh.items() if self._keeps[part[0]]}
            )
            values |= fresh
        return {part: value for part, value in values.items() if value.size}

    def tag_features(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the tag tower's input for each text, frozen backbones by way of the store."""
        tower = self._tower
        found = self._texts(
            sorted(set(texts)), tower.tag_features, tower.spec("tag") if tower.tag_is_frozen else None
        )
        return [found[text] for text in texts]

    def _words(self, videos: Sequence[Video]) -> list[_Read]:
        """The features of each video's texts by field, those that the model reads and the video has."""
        names = self._settings.text.fields if "text" in self._specs else ()
        words = [words_of(video, names) for video in videos]
        features: list[dict[str, np.ndarray]] = [{} for _ in videos]
        for name in names:
            texts = [one.texts.get(name, "") for one in words]
            spec = self._tower.field_spec(name) if self._tower.text_is_frozen else None
            found = self._texts(sorted(set(texts) - {""}), partial(self._tower.field_features, name), spec)
            for row, text in enumerate(texts):
                if text:
                    features[row][FIELD_NAMES[name]] = found[text]
        return [_Read(own, one.problems) for own, one in zip(features, words, strict=True)]

    def _texts(
        self, texts: Sequence[str], encode: Callable[[Sequence[str]], Sequence[np.ndarray]], spec: str | None
    ) -> dict[str, np.ndarray]:
        """Return the feature of each text. Without a `spec` nothing is stored: token ids are cheap to make."""
        if spec is None:
            return dict(zip(texts, encode(texts), strict=True)) if texts else {}
        keys = {text: FeatureKey(hash_text(text), spec, CENTRE) for text in texts}
        stored = self._store.get_many(list(keys.values()))
        missing = [text for text in texts if keys[text] not in stored]
        made = dict(zip(missing, encode(missing), strict=True)) if missing else {}
        self._store.put_many({keys[text]: value for text, value in made.items()})
        return {text: made[text] if text in made else stored[keys[text]] for text in texts}

    def _nothing_usable(self, video: Video) -> InputError:
        words = " or ".join(
            f"a {name}" if name != "subtitles" else name for name in self._settings.text.fields
        )
        reads = {"image": "pictures", "audio": "sound", "text": words}
        needs = " or ".join(reads[modality] for modality in self._tower.modalities)
        name = video.media or video.id
        return InputError(
            f"{name}: has none of what this model reads ({needs}).",
            hint="Give it a title, or use a model that reads what the file holds.",
        )


def _pictures(missing: Iterable[Part]) -> list[int]:
    """The draws of frames that have to be decoded, each once, in the order in which they are asked for."""
    return list(dict.fromkeys(draw for modality, draw in missing if modality != "audio"))

"""Features to vectors: videos in batches, and tag texts once each, kept until the tag or the model changes."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64

from tagtower.config import TagSettings
from tagtower.errors import InputError
from tagtower.features.store import CENTRE, FeatureKey, FeatureStore
from tagtower.index.build import build_index
from tagtower.index.growing import GrowingIndex
from tagtower.index.wordings import Distances, NearestWording, SomeOf
from tagtower.library.tags import TagLibrary, normalize_tag
from tagtower.pipeline.extract import Extracted, Failed
from tagtower.ranking.features import TagSpace
from tagtower.ranking.lexicon import OncePerTag
from tagtower.records import MODALITIES, Modality, Tag, Video
from tagtower.storage.hashing import hash_json, hash_text
from tagtower.towers import TwoTower, collate_texts, collate_videos

TAG_BATCH = 256

SHARE_IN_USE = 0.5
"""A library that uses less of the vectors at hand than this has an index of its own: comparing the rest would cost more
than preparing it."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A video's vector, each expert's vector, and the gate's weight for each modality (0 where absent).

    `present` and the rows of `experts` follow the model's modalities.
    """

    video: Video
    vector: Float[np.ndarray, "dim"]
    experts: Float[np.ndarray, "modality dim"]
    present: Bool[np.ndarray, "modality"]
    weights: dict[Modality, float]
    seconds: float
    warnings: tuple[str, ...] = ()


def embed_videos(
    tower: TwoTower,
    extracted: Iterable[Extracted | Failed],
    *,
    batch_size: int = 16,
    modalities: Collection[Modality] = MODALITIES,
) -> Iterator[Embedded | Failed]:
    """Yield the vector of each video from its first draw, in order; failures pass through in their place.

    Args:
        modalities: the others are treated as missing.
    """
    batch: list[Extracted | Failed] = []
    good = 0
    for one in extracted:
        batch.append(_mask(one, tower, modalities))
        good += isinstance(batch[-1], Extracted)
        if good == batch_size:
            yield from _embed_batch(tower, batch)
            batch, good = [], 0
    yield from _embed_batch(tower, batch)


def _mask(one: Extracted | Failed, tower: TwoTower, keep: Collection[Modality]) -> Extracted | Failed:
    if isinstance(one, Failed) or set(tower.modalities) <= set(keep):
        return one
    features = one.features[0].only(keep)
    if not set(features.present) & set(tower.modalities):
        name = one.video.media or one.video.id
        return Failed(
            one.video, InputError(f"{name}: has none of the modalities asked for ({', '.join(keep)}).")
        )
    return replace(one, features=(features,))


def _embed_batch(tower: TwoTower, batch: Sequence[Extracted | Failed]) -> Iterator[Embedded | Failed]:
    start = time.perf_counter()
    good = [one for one in batch if isinstance(one, Extracted)]
    if good:
        with torch.inference_mode():
            encoding = tower.encode_videos(
                collate_videos([one.features[0] for one in good], tower.modalities).to(tower.device)
            )
        vectors = encoding.vectors.float().cpu().numpy()
        experts = encoding.experts.float().cpu().numpy()
        weights = encoding.weights.float().cpu().numpy()
        present = encoding.present.cpu().numpy()
        share = (time.perf_counter() - start) / len(good)
    row = 0
    for one in batch:
        if isinstance(one, Failed):
            yield one
            continue
        yield Embedded(
            one.video,
            vectors[row],
            experts[row],
            present[row],
            {modality: float(weights[row, k]) for k, modality in enumerate(tower.modalities)},
            one.seconds + share,
            one.warnings,
        )
        row += 1


class TagVectors:
    """The vectors of tag texts under one model: each text is encoded once, and found again in the store.

    `fingerprint` is the model's vector fingerprint; a vector of another model is never returned.
    """

    def __init__(self, tower: TwoTower, fingerprint: str, store: FeatureStore) -> None:
        self._tower = tower
        self._spec = f"tag-vector:{fingerprint}"
        self._store = store
        self._numbers: dict[Wording, int] = {}
        self._index = GrowingIndex(tower.settings.distance.kind, tower.width)
        self._by_tag: OncePerTag[tuple[int, ...]] = OncePerTag(self._wordings)

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "tag dim"]:
        """Return one vector a text, in order; only texts never seen before are encoded."""
        return self._index.vectors(self._encode([Wording(text, normalize_tag(text)) for text in texts]))

    def index(self, library: TagLibrary) -> Distances:
        """Return what tells how far each tag of `library` is from a video.

        A tag is as far as the nearest of its wordings: its name, its aliases and its description, as far as
        `tag.aliases` and `tag.descriptions` say.
        """
        return self.index_of(library.tags)

    def index_of(self, tags: Sequence[Tag]) -> Distances:
        """Return what tells how far each of some tags is from a video, in their order."""
        own = self._by_tag(tags)
        counts = np.fromiter(map(len, own), np.int64, len(own))
        numbers = np.fromiter(chain.from_iterable(own), np.int64, int(counts.sum()))
        known = self._index.so_far()
        found: Distances
        if len(numbers) < SHARE_IN_USE * len(known):
            found = build_index(self._index.vectors(numbers), self._index.kind)
        elif np.array_equal(numbers, np.arange(len(known))):
            found = known
        else:
            found = SomeOf(known, numbers)
        if len(numbers) == len(tags):
            return found
        return NearestWording(found, np.concatenate([[0], counts.cumsum()[:-1]]))

    def space(self, library: TagLibrary) -> TagSpace:
        """Return what the towers make of `library`."""
        own = self._by_tag(library.tags)
        numbers = np.fromiter((one[0] for one in own), np.int64, len(own))
        return TagSpace(self.index(library), lambda places: self._index.vectors(numbers[places]), self.read)

    def read(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        """Return the vector of each text as if it were a tag that is new; nothing is kept of them."""
        blocks = (texts[start : start + TAG_BATCH] for start in range(0, len(texts), TAG_BATCH))
        parts = [encode_tags(self._tower, block, [""] * len(block)) for block in blocks]
        return np.concatenate(parts)

    def _wordings(self, tags: Sequence[Tag]) -> list[tuple[int, ...]]:
        """The numbers of each tag's wordings, that of its name first."""
        wordings = [tag_wordings(tag, self._tower.settings.tag) for tag in tags]
        numbers = iter(self._encode([one for own in wordings for one in own]).tolist())
        return [tuple(islice(numbers, len(own))) for own in wordings]

    def _encode(self, wordings: Sequence[Wording]) -> Int64[np.ndarray, "wording"]:
        """The number of each wording in the index; those never seen before are encoded."""
        missing = [one for one in dict.fromkeys(wordings) if one not in self._numbers]
        if missing:
            vectors = self._fetch(missing)
            first = self._index.add(np.stack([vectors[one] for one in missing]))
            self._numbers.update(zip(missing, range(first, first + len(missing)), strict=True))
        return np.fromiter((self._numbers[one] for one in wordings), np.int64, len(wordings))

    def _fetch(self, wordings: Sequence[Wording]) -> dict[Wording, np.ndarray]:
        keys = {one: FeatureKey(self._content(one), self._spec, CENTRE) for one in wordings}
        stored = self._store.get_many(list(keys.values()))
        found = {one: stored[key] for one, key in keys.items() if key in stored}
        new = [one for one in wordings if keys[one] not in stored]
        for start in range(0, len(new), TAG_BATCH):
            part = new[start : start + TAG_BATCH]
            vectors = encode_tags(self._tower, [one.text for one in part], [one.tag for one in part])
            made = dict(zip(part, vectors, strict=True))
            self._store.put_many({keys[one]: vector for one, vector in made.items()})
            found.update(made)
        return found

    def _content(self, wording: Wording) -> str:
        """What a vector depends on beside the model: the text, and with a memory also whose wording it is."""
        if self._tower.memory is None or normalize_tag(wording.text) == wording.tag:
            return hash_text(wording.text)
        return hash_json([wording.text, wording.tag])


@dataclass(frozen=True, slots=True)
class Wording:
    """A text that stands for a tag, which is named by its normal form."""

    text: str
    tag: str


def tag_wordings(tag: Tag, settings: TagSettings) -> list[Wording]:
    """Return the texts that a tag is found by: its name first, then what `settings` add."""
    texts = [tag.text]
    if settings.aliases == "nearest":
        texts += tag.aliases
    if settings.descriptions == "nearest" and tag.description:
        texts.append(f"{tag.text}: {tag.description}")
    name = normalize_tag(tag.text)
    return [Wording(text, name) for text in texts]


def encode_tags(
    tower: TwoTower, texts: Sequence[str], tags: Sequence[str] | None = None
) -> Float[np.ndarray, "tag dim"]:
    """Return the tag tower's vector of each text; a tag that the model remembers answers with its memory.

    Args:
        tags: the normal form of the tag that each text stands for; by default the text is the tag.
    """
    if not texts:
        return np.zeros((0, tower.width), np.float32)
    names = [normalize_tag(text) for text in texts] if tags is None else tags
    known = None if tower.memory is None else tower.memory.rows(names)
    wordings = [tower.tag_wordings(text) for text in texts]
    features = tower.tag_features([wording for one in wordings for wording in one])
    with torch.inference_mode():
        vectors = tower.encode_tags(collate_texts(features, known, len(wordings[0])).to(tower.device))
    return np.asarray(vectors.float().cpu().numpy())

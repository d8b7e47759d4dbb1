"""Features to vectors: videos in batches, and tag texts once each, kept until the tag or the model changes."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float

from tagtower.errors import InputError
from tagtower.features.store import CENTRE, FeatureKey, FeatureStore
from tagtower.library.tags import normalize_tag
from tagtower.pipeline.extract import Extracted, Failed
from tagtower.records import MODALITIES, Modality, Video
from tagtower.storage.hashing import hash_text
from tagtower.towers import TwoTower, collate_texts, collate_videos

TAG_BATCH = 256


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
        self._known: dict[str, np.ndarray] = {}

    def encode(self, texts: Sequence[str]) -> Float[np.ndarray, "tag dim"]:
        """Return one vector a text, in order; only texts never seen before are encoded."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            self._fetch(missing)
        if not texts:
            return np.zeros((0, self._tower.width), np.float32)
        return np.stack([self._known[text] for text in texts])

    def _fetch(self, texts: Sequence[str]) -> None:
        keys = {text: FeatureKey(hash_text(text), self._spec, CENTRE) for text in texts}
        stored = self._store.get_many(list(keys.values()))
        self._known.update({text: stored[key] for text, key in keys.items() if key in stored})
        new = [text for text in texts if keys[text] not in stored]
        for start in range(0, len(new), TAG_BATCH):
            part = new[start : start + TAG_BATCH]
            made = dict(zip(part, encode_tags(self._tower, part), strict=True))
            self._store.put_many({keys[text]: vector for text, vector in made.items()})
            self._known.update(made)


def encode_tags(tower: TwoTower, texts: Sequence[str]) -> Float[np.ndarray, "tag dim"]:
    """Return the tag tower's vector of each text; a tag that the model remembers answers with its memory."""
    known = None if tower.memory is None else tower.memory.rows([normalize_tag(text) for text in texts])
    with torch.inference_mode():
        vectors = tower.encode_tags(collate_texts(tower.tag_features(texts), known).to(tower.device))
    return np.asarray(vectors.float().cpu().numpy())

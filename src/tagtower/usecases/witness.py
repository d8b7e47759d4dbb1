"""What in a video spoke for each of its tags: which modality, and which second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import final

import numpy as np
import torch

from tagtower.library.tags import TagLibrary
from tagtower.pipeline.moments import FrameVectors, find_moments
from tagtower.pipeline.vectors import Embedded
from tagtower.records import Modality, ModalityEvidence, RankedTag
from tagtower.usecases.session import Session

TAGS_AT_ONCE = 4096
"""Every video of a batch is compared with the tags of all: of no more than so many together."""


@final
class TowerWitness:
    """Adds the towers' evidence to ranked tags of one library."""

    def __init__(self, session: Session, library: TagLibrary) -> None:
        self._tower = session.model.tower
        self._tags = session.tags
        self._library = library

    def __call__(
        self, embedded: Embedded, frames: FrameVectors | None, tags: Sequence[RankedTag]
    ) -> list[RankedTag]:
        """Return the tags with the modalities and the second that speak for each, the other evidence as it was.

        Args:
            frames: what `frame_vectors` gave of the video.
        """
        (found,) = self.of_all([(embedded, frames, tags)])
        return found

    def of_all(
        self, videos: Sequence[tuple[Embedded, FrameVectors | None, Sequence[RankedTag]]]
    ) -> list[list[RankedTag]]:
        """Return for each video what a call for it alone gives, but with one look at the gate for many of them."""
        most = max(1, TAGS_AT_ONCE // max((len(tags) or 1 for _, _, tags in videos), default=1))
        found: list[list[RankedTag]] = []
        for start in range(0, len(videos), most):
            found += self._of_some(videos[start : start + most])
        return found

    def _of_some(
        self, videos: Sequence[tuple[Embedded, FrameVectors | None, Sequence[RankedTag]]]
    ) -> list[list[RankedTag]]:
        texts = list(dict.fromkeys(tag.tag for _, _, tags in videos for tag in tags))
        if not texts:
            return [[] for _ in videos]
        place = {text: number for number, text in enumerate(texts)}
        own = [[place[tag.tag] for tag in tags] for _, _, tags in videos]
        gains = self._gains([embedded for embedded, _, _ in videos], own, texts)
        vectors = self._tags.encode(texts)
        found = []
        for number, (embedded, frames, tags) in enumerate(videos):
            seconds: list[float | None] = [None] * len(tags)
            if frames is not None and tags:
                seconds = list(find_moments(self._tower, frames, vectors[own[number]]).best.tolist())
            found.append(
                [
                    self._with_evidence(
                        tag, embedded, {name: saved[row] for name, saved in gains[number].items()}, second
                    )
                    for row, (tag, second) in enumerate(zip(tags, seconds, strict=True))
                ]
            )
        return found

    def _with_evidence(
        self, tag: RankedTag, embedded: Embedded, gains: Mapping[Modality, float], second: float | None
    ) -> RankedTag:
        modalities = tuple(
            ModalityEvidence(modality, embedded.weights[modality], gains.get(modality))
            for modality, there in zip(self._tower.modalities, embedded.present, strict=True)
            if there
        )
        return replace(tag, evidence=replace(tag.evidence, modalities=modalities, second=second))

    def _gains(
        self, videos: Sequence[Embedded], own: Sequence[Sequence[int]], texts: Sequence[str]
    ) -> list[dict[Modality, list[float]]]:
        """How much farther each of its tags is from a video without each modality; empty where it has but one.

        The experts are fused anew without it, so that the gate, too, answers as if it were missing. Binary codes
        keep the signs of the experts alone, of which no other fusion can be made: then nothing is said.

        Args:
            own: for each video the places of its tags among `texts`.
        """
        found: list[dict[Modality, list[float]]] = [{} for _ in videos]
        if self._tower.settings.distance.kind == "hamming":
            return found
        left_out = [
            (number, column)
            for number, one in enumerate(videos)
            if one.present.sum() > 1 and own[number]
            for column in np.flatnonzero(one.present).tolist()
        ]
        if not left_out:
            return found
        numbers = [number for number, _ in left_out]
        present = np.stack([videos[number].present for number in numbers])
        present[np.arange(len(left_out)), [column for _, column in left_out]] = False
        experts = torch.from_numpy(np.stack([one.experts for one in videos])[numbers])
        with torch.inference_mode():
            without = self._tower.fuse(
                experts.to(self._tower.device), torch.from_numpy(present).to(self._tower.device)
            )
        places = [self._library.index_of(text) for text in texts]
        index = self._tags.index_of([self._library.tags[place] for place in places if place is not None])
        far = index.distances(without.float().cpu().numpy())
        near = index.distances(np.stack([one.vector for one in videos]))
        for row, (number, column) in enumerate(left_out):
            saved = far[row, own[number]] - near[number, own[number]]
            found[number][self._tower.modalities[column]] = saved.tolist()
        return found

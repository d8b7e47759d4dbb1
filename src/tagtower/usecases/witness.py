"""What in a video spoke for each of its tags: which modality, and which second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np
import torch

from tagtower.library.tags import TagLibrary
from tagtower.pipeline.moments import FrameVectors, find_moments
from tagtower.pipeline.vectors import Embedded
from tagtower.records import Modality, ModalityEvidence, RankedTag, Tag
from tagtower.usecases.session import Session


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
        if not tags:
            return []
        places = [self._library.index_of(tag.tag) for tag in tags]
        gains = self._gains(embedded, [self._library.tags[place] for place in places if place is not None])
        seconds: list[float | None] = [None] * len(tags)
        if frames is not None:
            vectors = self._tags.encode([tag.tag for tag in tags])
            seconds = list(find_moments(self._tower, frames, vectors).best.tolist())
        found = []
        for row, (tag, second) in enumerate(zip(tags, seconds, strict=True)):
            modalities = tuple(
                ModalityEvidence(
                    modality,
                    embedded.weights[modality],
                    float(gains[modality][row]) if modality in gains else None,
                )
                for modality, there in zip(self._tower.modalities, embedded.present, strict=True)
                if there
            )
            found.append(replace(tag, evidence=replace(tag.evidence, modalities=modalities, second=second)))
        return found

    def _gains(self, embedded: Embedded, tags: Sequence[Tag]) -> dict[Modality, np.ndarray]:
        """How much farther each tag is without each modality; empty where there is but one.

        The experts are fused anew without it, so that the gate, too, answers as if it were missing. Binary codes
        keep the signs of the experts alone, of which no other fusion can be made: then nothing is said.
        """
        there = np.flatnonzero(embedded.present)
        if len(there) < 2 or self._tower.settings.distance.kind == "hamming":
            return {}
        present = np.repeat(embedded.present[None], len(there), axis=0)
        present[np.arange(len(there)), there] = False
        with torch.inference_mode():
            experts = torch.from_numpy(embedded.experts).expand(len(there), -1, -1)
            without = self._tower.fuse(
                experts.to(self._tower.device), torch.from_numpy(present).to(self._tower.device)
            )
        distances = self._tags.index_of(tags).distances(
            np.concatenate([embedded.vector[None], without.float().cpu().numpy()])
        )
        return {
            self._tower.modalities[column]: distances[1 + row] - distances[0]
            for row, column in enumerate(there)
        }

"""At which second of a video its pictures fit a tag: one distance for each frame and tag."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64

from tagtower.pipeline.extract import Extracted
from tagtower.towers import DISTANCES, TwoTower


@dataclass(frozen=True, slots=True)
class Moments:
    """How far each frame of a video is from each tag, and when it is shown (seconds after the file's start)."""

    seconds: Float64[np.ndarray, "frame"]
    distances: Float[np.ndarray, "frame tag"]

    @property
    def best(self) -> Float64[np.ndarray, "tag"]:
        """When the frame that fits each tag best is shown (seconds); of frames that fit alike the first."""
        best: Float64[np.ndarray, "tag"] = self.seconds[self.distances.argmin(0)]
        return best


def find_moments(tower: TwoTower, extracted: Extracted, tags: Float[np.ndarray, "tag dim"]) -> Moments | None:
    """Return how far each single frame of a video is from each tag; None where it has no pictures that are read.

    The distance is that of the image expert, as if the video were this frame alone, and not of the fused vector.

    Args:
        extracted: the features of the video, centre frames first.
        tags: vectors of the tag tower.
    """
    image, seconds = extracted.features[0].image, extracted.frame_seconds
    if tower.image is None or image is None or seconds is None:
        return None
    with torch.inference_mode():
        frames = tower.encode_frames(torch.from_numpy(image).to(tower.device))
        distance = DISTANCES[tower.settings.distance.kind]
        found = distance(frames, torch.from_numpy(tags).to(tower.device))
    return Moments(seconds, found.cpu().numpy())

"""At which second of a video its pictures fit a tag: one distance for each frame and tag."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64

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


@dataclass(frozen=True, slots=True)
class FrameVectors:
    """The vector of each frame of a video, as if the video were this frame alone, and when it is shown (seconds)."""

    seconds: Float64[np.ndarray, "frame"]
    vectors: Float32[np.ndarray, "frame dim"]


def frame_vectors(tower: TwoTower, extracted: Extracted) -> FrameVectors | None:
    """Return the vector of each single frame of a video; None where it has no pictures that are read.

    They come from the image expert, and not from the fusion.

    Args:
        extracted: the features of the video, centre frames first.
    """
    image, seconds = extracted.features[0].image, extracted.frame_seconds
    if tower.image is None or image is None or seconds is None:
        return None
    with torch.inference_mode():
        frames = tower.encode_frames(torch.from_numpy(image).to(tower.device))
    return FrameVectors(seconds, frames.float().cpu().numpy())


def find_moments(tower: TwoTower, frames: FrameVectors, tags: Float[np.ndarray, "tag dim"]) -> Moments:
    """Return how far each single frame is from each tag, given vectors of the tag tower."""
    distance = DISTANCES[tower.settings.distance.kind]
    with torch.inference_mode():
        found = distance(torch.from_numpy(frames.vectors), torch.from_numpy(tags))
    return Moments(frames.seconds, found.numpy())

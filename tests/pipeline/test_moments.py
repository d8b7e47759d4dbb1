"""Which second of a video fits a tag, against videos that are one frame each."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tagtower.media.write import write_clip
from tagtower.pipeline.extract import Extracted, FeatureExtractor
from tagtower.pipeline.moments import find_moments, frame_vectors
from tagtower.pipeline.vectors import encode_tags
from tagtower.records import Video
from tagtower.towers import DISTANCES, VideoFeatures, build_two_tower, collate_videos

TITLES, TAGS = ["a walk in the park"], ["red", "blue"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> str:
    """Two seconds of red, then two of blue."""
    colours = np.repeat(np.array([(220, 30, 30), (30, 40, 220)], np.uint8), 20, axis=0)
    frames = np.broadcast_to(colours[:, None, None], (40, 48, 64, 3)).copy()
    return str(write_clip(tmp_path_factory.mktemp("moments") / "clip.mp4", frames, 10.0, None))


def extracted(tower, decoder, store, clip: str) -> Extracted:
    (one,) = FeatureExtractor(tower, tower.settings, decoder, store).extract([Video("a", clip, "a walk")])
    assert isinstance(one, Extracted)
    return one


@pytest.mark.parametrize("join", ["mean", "attention", "gru", "concat"])
@pytest.mark.parametrize("kind", ["cosine", "euclidean"])
def test_each_distance_is_that_of_a_video_of_one_frame(job, decoder, store, clip, join, kind) -> None:
    settings = job.settings("image.frames=4", f"image.join={join}", f"distance.kind={kind}")
    tower = build_two_tower(settings, TITLES, TAGS).eval()
    one, tags = extracted(tower, decoder, store, clip), encode_tags(tower, TAGS)
    moments = find_moments(tower, frame_vectors(tower, one), tags)
    frames = [VideoFeatures(image=frame[None]) for frame in one.features[0].image]
    with torch.inference_mode():
        alone = tower.encode_videos(collate_videos(frames, tower.modalities)).experts[:, 0]
        expected = DISTANCES[kind](alone, torch.from_numpy(tags))
    np.testing.assert_allclose(moments.distances, expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(moments.seconds, [0.5, 1.5, 2.5, 3.5], atol=0.06)


@pytest.mark.parametrize("temporal", ["none", "tsm"])
def test_the_best_second_is_when_the_picture_is_shown(job, decoder, store, clip, temporal) -> None:
    settings = job.settings("image.frames=4", "image.join=mean", f"image.temporal={temporal}")
    tower = build_two_tower(settings, TITLES, TAGS).eval()
    one = extracted(tower, decoder, store, clip)
    with torch.inference_mode():
        wanted = tower.encode_frames(torch.from_numpy(one.features[0].image)).numpy()[[0, 3]]
    early, late = find_moments(tower, frame_vectors(tower, one), wanted).best
    assert early < 2 < late


def test_without_pictures_there_are_no_moments(job, towers, decoder, store) -> None:
    tower = towers["image audio text"]
    (heard,) = FeatureExtractor(tower, tower.settings, decoder, store).extract(
        [Video("a", str(job.clips["low"]))]
    )
    assert frame_vectors(tower, heard) is None


def test_a_model_of_titles_knows_no_moments(towers, decoder, store, clip) -> None:
    tower = towers["text"]
    assert frame_vectors(tower, extracted(tower, decoder, store, clip)) is None

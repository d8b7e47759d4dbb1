from __future__ import annotations

import numpy as np
import pytest
import torch

from tagtower.errors import InputError
from tagtower.records import MODALITIES
from tagtower.towers.inputs import VideoFeatures, collate_texts, collate_videos

VECTOR = np.ones(4, np.float32)


def frames(count: int) -> np.ndarray:
    return np.full((count, 6), count, np.float32)


def test_batch_pads_with_zeros_and_masks_what_is_real() -> None:
    batch = collate_videos([VideoFeatures(image=frames(2)), VideoFeatures(image=frames(3))], ["image"])
    assert batch.image is not None
    assert batch.image.shape == (2, 3, 6)
    assert batch.image_mask.tolist() == [[True, True, False], [True, True, True]]
    assert torch.equal(batch.image[0, 2], torch.zeros(6))
    assert torch.equal(batch.image[1], torch.full((3, 6), 3.0))


def test_frames_stay_bytes() -> None:
    pictures = np.zeros((2, 8, 8, 3), np.uint8)
    batch = collate_videos([VideoFeatures(image=pictures)], ["image"])
    assert batch.image.dtype == torch.uint8
    assert batch.image.shape == (1, 2, 8, 8, 3)


def test_present_has_a_column_for_each_modality_of_the_model() -> None:
    videos = [VideoFeatures(image=frames(1), text=VECTOR), VideoFeatures(text=VECTOR)]
    batch = collate_videos(videos, MODALITIES)
    assert batch.present.tolist() == [[True, False, True], [False, False, True]]
    assert batch.audio is None
    assert torch.equal(batch.image[1], torch.zeros(1, 6))


def test_modalities_that_the_model_does_not_read_are_left_out() -> None:
    batch = collate_videos([VideoFeatures(image=frames(1), text=VECTOR)], ["text"])
    assert batch.image is None
    assert batch.present.tolist() == [[True]]


def test_an_array_without_entries_counts_as_missing() -> None:
    video = VideoFeatures(image=np.zeros((0, 6), np.float32), text=VECTOR)
    assert video.present == ("text",)
    assert collate_videos([video], MODALITIES).present.tolist() == [[False, False, True]]


def test_a_video_with_no_modality_is_refused() -> None:
    with pytest.raises(InputError, match="Video 1 of the batch has none of what the model reads"):
        collate_videos([VideoFeatures(text=VECTOR), VideoFeatures()], MODALITIES)


def test_a_video_with_only_what_the_model_does_not_read_is_refused() -> None:
    with pytest.raises(InputError, match="image, audio"):
        collate_videos([VideoFeatures(text=VECTOR)], ["image", "audio"])


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(InputError):
        collate_videos([], MODALITIES)
    with pytest.raises(InputError):
        collate_texts([])


def test_token_ids_are_padded_and_vectors_are_not() -> None:
    ids = collate_texts([np.array([2, 5, 3]), np.array([2, 3])])
    assert ids.values.tolist() == [[2, 5, 3], [2, 3, 0]]
    assert ids.mask.tolist() == [[True, True, True], [True, True, False]]
    vectors = collate_texts([VECTOR, VECTOR])
    assert vectors.values.shape == (2, 4)
    assert vectors.mask is None


def test_batches_move_as_a_whole() -> None:
    batch = collate_videos([VideoFeatures(image=frames(2), text=VECTOR)], MODALITIES).to("meta")
    assert {batch.image.device.type, batch.image_mask.device.type, batch.text.device.type} == {"meta"}
    assert batch.present.device.type == "meta"
    assert batch.audio is None
    assert collate_texts([VECTOR]).to("meta").values.device.type == "meta"

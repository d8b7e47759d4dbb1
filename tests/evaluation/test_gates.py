"""What the gate did, on weights that one can reckon by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.evaluation.gates import GateWeights, gate_entropy, summarize_gates

GATES = GateWeights(
    modalities=("image", "audio", "text"),
    weights=np.array([[0.5, 0.0, 0.5], [1.0, 0.0, 0.0], [0.25, 0.0, 0.75], [0.0, 0.0, 1.0]]),
    present=np.array([[True, False, True], [True, False, True], [True, False, True], [False, False, True]]),
)


def test_entropy_is_one_for_equals_zero_for_a_soloist_and_missing_without_a_choice():
    entropy = gate_entropy(GATES)
    assert entropy[:2] == pytest.approx([1.0, 0.0])
    assert 0 < entropy[2] < 1
    assert np.isnan(entropy[3])


def test_a_modality_is_summarised_over_the_videos_that_have_it():
    image, _, text = summarize_gates(GATES)
    assert (image.modality, image.videos) == ("image", 3)
    assert image.mean_weight == pytest.approx(1.75 / 3)
    assert image.loudest == pytest.approx(2 / 3)
    assert text.mean_weight == pytest.approx(2.25 / 4)
    assert text.loudest == pytest.approx(3 / 4)
    assert image.entropy == text.entropy == pytest.approx(np.nanmean(gate_entropy(GATES)))


def test_a_modality_that_no_video_has_comes_without_numbers():
    audio = summarize_gates(GATES)[1]
    assert (audio.videos, audio.mean_weight, audio.spread, audio.loudest, audio.entropy) == (0, *[None] * 4)


def test_what_stands_where_a_modality_is_missing_has_no_say():
    noisy = GateWeights(GATES.modalities, np.where(GATES.present, GATES.weights, 9.0), GATES.present)
    np.testing.assert_array_equal(gate_entropy(noisy), gate_entropy(GATES))
    assert summarize_gates(noisy) == summarize_gates(GATES)

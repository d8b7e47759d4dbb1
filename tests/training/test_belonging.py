"""Tags that are near enough to the title belong to the video, those far enough do not, and those between are spared."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.config import settings_from
from tagtower.errors import TrainingError
from tagtower.library.tags import TagLibrary
from tagtower.records import Tag
from tagtower.training.belonging import build_positives, labelled
from tagtower.training.dataset import MemoryExamples
from tagtower.training.mining import OwnTags

LIBRARY = TagLibrary.from_tags(
    [Tag("fox", aliases=("red fox", "vixen")), Tag("sea"), Tag("deep blue sea"), Tag("horn")]
)
# Cosines with the first axis, of every name and alias.
ANGLES = {
    "fox": 0.3,
    "red fox": 0.95,
    "vixen": 0.1,
    "sea": 0.89,
    "deep blue sea": 0.51,
    "horn": 0.49,
    "title": 1.0,
}


def features(texts):
    return [np.array([ANGLES[text], np.sqrt(1 - ANGLES[text] ** 2)], np.float32) for text in texts]


def positives(similarity: str, above: float = 0.9, below: float = 0.5):
    section = {"source": "similarity", "similarity": similarity, "above": above, "below": below}
    return build_positives(settings_from({"positives": section}), features)


def untagged(*titles: str | None) -> MemoryExamples:
    return MemoryExamples([()] * len(titles), [], titles)


def lists(own: OwnTags) -> list[list[int]]:
    return [own.tags[start:stop].tolist() for start, stop in zip(own.offsets, own.offsets[1:], strict=False)]


def test_above_belongs_below_is_against_and_between_is_neither() -> None:
    """The fox counts by its best alias; the seas are in between, and the horn is a negative."""
    found = positives("vectors")(untagged("title", None), LIBRARY)
    assert lists(found.own) == [[0], []]
    assert lists(found.barred) == [[0, 1, 2], []]


def test_words_of_the_title() -> None:
    found = positives("words")(untagged("A vixen at SEA", "the deep sea"), LIBRARY)
    assert lists(found.own) == [[0, 1], [1]]
    assert lists(found.barred) == [[0, 1], [1, 2]]
    assert "3 positives for 2 of 2 videos, by the words of their titles (above 0.9)" in found.line
    assert "1 tags in between are neither" in found.line


def test_labels_are_what_belongs_unless_it_is_said_otherwise() -> None:
    examples = MemoryExamples([("Vixen", "horn"), ("unknown",)], [], ["the sea", "the sea"])
    assert build_positives(settings_from({}), features) is labelled
    found = labelled(examples, LIBRARY)
    assert lists(found.own) == lists(found.barred) == [[0, 3], []]
    assert found.line == ""
    assert lists(positives("words")(examples, LIBRARY).own) == [[1], [1]]


def test_an_empty_result_is_refused_with_what_to_lower() -> None:
    with pytest.raises(TrainingError, match=r"nearest has 0\.95(.|\n)*Lower positives\.above"):
        positives("vectors", above=0.97)(untagged("title", "title"), LIBRARY)
    with pytest.raises(TrainingError, match="none of the videos has a title"):
        positives("words")(untagged(None, " "), LIBRARY)


def test_without_a_single_negative_nothing_can_be_learnt() -> None:
    with pytest.raises(TrainingError, match=r"no negative(.|\n)*Raise positives\.below"):
        positives("vectors", below=0.05)(untagged("title"), LIBRARY)

"""Titles betray their topics and nothing else."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tagtower.usecases.demo_corpus.titles import TOPICS, write_title
from tagtower.usecases.demo_corpus.vocabulary import MODALITY_OF

_SHOWN = {
    word
    for tag, modality in MODALITY_OF.items()
    if modality != "text"
    for word in tag.split()
    if word not in {"to"}
}


def _titles(*topics: str) -> list[str]:
    return [write_title(topics, channel, np.random.default_rng([channel, 1])) for channel in range(200)]


@pytest.mark.parametrize("topic", TOPICS)
def test_a_title_never_names_what_picture_or_sound_shows(topic: str) -> None:
    for title in _titles(topic):
        assert not _SHOWN & set(re.findall(r"[a-z]+", title.lower()))


@pytest.mark.parametrize("topic", TOPICS)
def test_most_titles_do_without_the_name_of_their_topic(topic: str) -> None:
    titles = _titles(topic)
    naming = sum(topic in title.lower() for title in titles)
    assert 0 < naming < len(titles) / 2
    assert len(set(titles)) > 50


def test_a_title_speaks_of_both_its_topics() -> None:
    for title in _titles("chess", "travel"):
        assert any(phrase.lower() in title.lower() for phrase in TOPICS["chess"])
        assert any(phrase.lower() in title.lower() for phrase in TOPICS["travel"])

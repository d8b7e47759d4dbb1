"""Words of tags and neighbours, against scikit-free plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tagtower.ranking.lexical import LENGTH_SHARE, SATURATION, NeighbourWords, TagWords
from tagtower.ranking.words import grams, stem, words

from .conftest import LIBRARY

TEXTS = ["football clip", "the recipes of the day", "nothing known here", ""]


def rarity(world, word: str) -> float:
    count = sum(word in grams(one.text) for one in world.labelled)
    return math.log1p((len(world.labelled) - count + 0.5) / (count + 0.5))


def test_similarity_is_the_tfidf_cosine(world):
    finder = NeighbourWords(world.neighbours)
    found = finder.similarities(finder.columns(TEXTS))
    known = set(world.neighbours.vocabulary)

    def weights(text):
        return {gram: rarity(world, gram) for gram in grams(text) if gram in known}

    for row, text in enumerate(TEXTS):
        for column, one in enumerate(world.labelled):
            left, right = weights(text), weights(one.text)
            product = sum(left[gram] * right[gram] for gram in left.keys() & right.keys())
            lengths = math.hypot(*left.values()) * math.hypot(*right.values())
            assert found[row, column] == pytest.approx(product / lengths if lengths else 0.0, abs=1e-6)


def test_shares_are_the_mean_share_of_each_tag_among_the_videos_of_a_word(world):
    finder = NeighbourWords(world.neighbours)
    votes = (finder.shares(finder.columns(TEXTS)) @ world.neighbours.tags).toarray()
    known = set(world.neighbours.vocabulary)
    for row, text in enumerate(TEXTS):
        own = [gram for gram in grams(text) if gram in known]
        for column, tag in enumerate(world.neighbours.tag_texts):
            total = 0.0
            for gram in own:
                bearers = [one for one in world.labelled if gram in grams(one.text)]
                total += rarity(world, gram) * sum(tag in one.tags for one in bearers) / (len(bearers) + 1)
            weight = sum(rarity(world, gram) for gram in own)
            assert votes[row, column] == pytest.approx(total / weight if weight else 0.0, abs=1e-6)


def test_bm25_and_coverage_by_their_definitions(world):
    finder = TagWords(LIBRARY, world.neighbours)
    found = finder.columns(TEXTS)
    bm25, coverage = finder.bm25(found).toarray(), finder.coverage(found).toarray()
    documents = [[stem(w) for name in (tag.text, *tag.aliases) for w in words(name)] for tag in LIBRARY]
    mean = np.mean([len(document) for document in documents])
    for row, text in enumerate(TEXTS):
        query = {stem(word) for word in words(text)}
        for column, document in enumerate(documents):
            score = 0.0
            for word in query & set(document):
                times = document.count(word)
                damped = times + SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * len(document) / mean)
                score += rarity(world, word) * times * (SATURATION + 1) / damped
            assert bm25[row, column] == pytest.approx(score, rel=1e-5)
            there = sum(rarity(world, word) for word in set(document) & query)
            total = sum(rarity(world, word) for word in set(document))
            assert coverage[row, column] == pytest.approx(there / total, abs=1e-6)

"""The fast candidates and orders are those of the slow obvious version, over random libraries and labelled videos."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tagtower.config import RankingSettings
from tagtower.index.exact import ExactIndex
from tagtower.ranking.features import CandidateSource, NeighbourSide, TagSpace
from tagtower.ranking.lexicon import TagLexicon
from tagtower.ranking.neighbours import LabelledVideo, labelled_videos
from tagtower.ranking.order import Ordered
from tagtower.ranking.sparse import top_stored, values_at
from tagtower.records import Evidence, Tag

from .conftest import read_as_tags
from .dense import DenseSource

WORDS = (
    *("sun", "moon", "river", "cats", "dog", "goals", "match", "cooking"),
    *("soup", "chess", "film", "music", "star", "night", "day"),
)


class Drawn:
    """A random library of tags, labelled videos that have some of them, and videos to rank."""

    def __init__(self, seed: int, tags: int = 60, neighbours: int = 40, videos: int = 5) -> None:
        rng = np.random.default_rng(seed)

        def phrase(most: int) -> str:
            return " ".join(rng.choice(WORDS, rng.integers(1, most + 1)))

        texts = list(dict.fromkeys(phrase(3) for _ in range(3 * tags)))[:tags]
        self.tags = tuple(Tag(text, aliases=(phrase(2),) if rng.random() < 0.2 else ()) for text in texts)
        used = len(texts) * 2 // 3
        labelled = [
            LabelledVideo(
                f"v{one}",
                (*(texts[tag] for tag in rng.choice(used, rng.integers(1, 6))), "elsewhere"),
                phrase(8),
                datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=one) if rng.random() < 0.9 else None,
            )
            for one in range(neighbours)
        ]
        self.neighbours = labelled_videos(labelled, rng.normal(size=(neighbours, 6)).astype(np.float32))
        places = {text: place for place, text in enumerate(texts)}
        self.columns = np.array([places.get(text, -1) for text in self.neighbours.tag_texts], np.int64)
        self.vectors = rng.normal(size=(len(texts), 6)).astype(np.float32)
        if seed % 2:  # ties
            self.vectors = np.round(self.vectors)
            self.vectors[:, 0] += 0.5
        self.queries = rng.normal(size=(videos, 6)).astype(np.float32)
        self.texts = [
            {"title": phrase(8), "description": phrase(6)} if rng.random() < 0.8 else {}
            for _ in range(videos)
        ]

    def fast(self, lexicon: TagLexicon | None = None, **settings: int) -> CandidateSource:
        return CandidateSource(
            NeighbourSide(self.neighbours),
            self.columns,
            self.tags,
            TagSpace(
                ExactIndex(self.vectors, "cosine"), self.vectors.__getitem__, partial(read_as_tags, width=6)
            ),
            RankingSettings(**settings),
            lexicon,
        )

    def slow(self, **settings: int) -> DenseSource:
        index = ExactIndex(self.vectors, "cosine")
        return DenseSource(
            self.neighbours,
            self.columns,
            self.tags,
            index,
            self.vectors,
            partial(read_as_tags, width=6),
            RankingSettings(**settings),
        )


def agree(fast, slow) -> None:
    np.testing.assert_array_equal(fast.videos, slow.videos)
    np.testing.assert_array_equal(fast.tags, slow.tags)
    np.testing.assert_array_equal(fast.distances, slow.distances)
    np.testing.assert_array_equal(fast.new, slow.new)
    np.testing.assert_array_equal(fast.neighbour_rows, slow.neighbour_rows)
    np.testing.assert_allclose(fast.values, slow.values, rtol=1e-5, atol=1e-6)
    assert fast.mentions == slow.mentions


@examples(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 30))
def test_candidates_are_those_of_dense_matrices(seed: int, candidates: int, neighbours: int) -> None:
    drawn = Drawn(seed)
    limits = {"candidates": candidates, "neighbours": neighbours}
    agree(
        drawn.fast(**limits).candidates(drawn.queries, drawn.texts),
        drawn.slow(**limits).candidates(drawn.queries, drawn.texts),
    )


@examples(max_examples=10)
@given(st.integers(0, 10_000))
def test_a_lexicon_that_has_read_other_libraries_changes_nothing(seed: int) -> None:
    lexicon = TagLexicon()
    before, drawn = Drawn(seed + 1), Drawn(seed)
    before.fast(lexicon)
    agree(
        drawn.fast(lexicon, candidates=5).candidates(drawn.queries, drawn.texts),
        drawn.slow(candidates=5).candidates(drawn.queries, drawn.texts),
    )


def test_many_ties_are_ranked_like_few(monkeypatch) -> None:
    drawn = Drawn(1)
    few = drawn.fast().candidates(drawn.queries, drawn.texts)
    monkeypatch.setattr("tagtower.ranking.features.FEW_TIES", 0)
    np.testing.assert_array_equal(drawn.fast().candidates(drawn.queries, drawn.texts).values, few.values)


@examples(max_examples=10)
@given(st.integers(0, 10_000))
def test_a_labelled_video_is_ranked_as_if_it_had_no_neighbour_in_itself(seed: int) -> None:
    drawn = Drawn(seed, videos=2)
    vectors = drawn.neighbours.vectors[:2]
    own = np.array([0, -1])
    found = drawn.fast(neighbours=3).candidates(vectors, drawn.texts, own)
    assert 0 not in found.neighbour_rows[0, found.neighbour_weights[0] > 1e-6]
    plain = drawn.fast(neighbours=3).candidates(vectors, drawn.texts)
    assert 0 in plain.neighbour_rows[0]
    second = found.videos == 1
    np.testing.assert_array_equal(found.values[second], plain.values[plain.videos == 1])


@given(st.integers(0, 10_000), st.integers(0, 12), st.booleans())
def test_the_first_tags_are_those_of_the_whole_order(seed: int, count: int, some: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (1, 10)).astype(np.float32)
    scores[rng.random((1, 10)) < 0.5] = -np.inf
    distances = rng.integers(0, 4, (1, 10)).astype(np.float32)
    kept = rng.random(10) < 0.6 if some else np.ones(10, bool)
    ordered = Ordered(distances, scores, np.zeros(10, bool), None, lambda video, tag: Evidence())
    whole = [int(tag) for tag in np.argsort(ordered.places[0]) if kept[tag]]
    assert ordered.first(0, count or None, kept if some else None).tolist() == whole[: count or None]


@given(st.integers(0, 10_000))
def test_values_at_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.integers(0, 3, (4, 7)).astype(np.float64)
    rows, columns = rng.integers(0, 4, 9), rng.integers(0, 7, 9)
    np.testing.assert_array_equal(values_at(csr_array(dense), rows, columns), dense[rows, columns])


@pytest.mark.parametrize("count", [1, 3, 20])
def test_top_values_with_ties_by_column(count: int) -> None:
    dense = np.array([[0.0, 2.0, 2.0, 1.0, 2.0], [0.0] * 5, [-1.0, 0.0, 3.0, 0.0, 1.0]])
    rows, columns, values = top_stored(csr_array(dense), count)
    expected = [
        (row, column)
        for row in range(3)
        for column in np.argsort(-dense[row], kind="stable")[:count]
        if dense[row, column] > 0
    ]
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == sorted(expected)
    np.testing.assert_array_equal(values, dense[rows, columns])

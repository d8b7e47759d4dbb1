"""Candidates and their features: found wherever any source speaks, missing where a tag is new, bounded in memory."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.ranking import features
from tagtower.ranking.features import FEATURES, MISSING_WHERE_NEW, MIXED_NEIGHBOURS, SOFTNESS
from tagtower.ranking.lexical import NeighbourWords

from .conftest import LIBRARY, SUBJECTS, read_as_tags

NEW = 5


def table(found) -> dict[tuple[int, int], dict[str, float]]:
    pairs = zip(found.videos.tolist(), found.tags.tolist(), found.values.tolist(), strict=True)
    return {(video, tag): dict(zip(FEATURES, row, strict=True)) for video, tag, row in pairs}


def test_a_new_tag_is_missing_where_labelled_videos_are_counted_and_never_zero(world):
    source = world.source()
    assert source.new.tolist() == [False] * 5 + [True]
    found = source.candidates(
        world.near("football")[None], [{"title": "an eclipse over the football ground"}]
    )
    new, known = table(found)[0, NEW], table(found)[0, 0]
    assert all(np.isnan(new[name]) for name in MISSING_WHERE_NEW)
    assert not any(np.isnan(known[name]) for name in MISSING_WHERE_NEW)
    assert (new["is_new"], known["is_new"]) == (1, 0)
    assert new["mention_words"] == 1
    assert new["bm25"] > 0


def test_every_source_brings_candidates_of_its_own(world):
    source = world.source(candidates=1, neighbours=3)
    found = table(source.candidates(world.near("football")[None], [{"title": "chess recipes"}]))
    tags = {LIBRARY[tag].text for _, tag in found}
    assert "football" in tags  # the nearest tag, and those of the nearest videos
    assert {"chess", "cooking"} <= tags  # mentioned
    assert "total solar eclipse" in tags  # new, and so never crowded out


def test_votes_are_those_of_the_most_similar_videos(world):
    vectors, title = world.near("cooking", seed=3)[None], "cooking clip"
    found = world.source().candidates(vectors, [{"title": title}])
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)  # noqa: E731
    near = unit(vectors.astype(np.float64)) @ unit(world.neighbours.vectors.astype(np.float64)).T
    words = NeighbourWords(world.neighbours)
    similar = (near + words.similarities(words.columns([title]))) / 2
    order = np.argsort(-similar[0], kind="stable")[:MIXED_NEIGHBOURS]
    weights = np.exp((similar[0, order] - similar[0].max()) / SOFTNESS)
    weights /= weights.sum()
    assert found.neighbour_rows[0].tolist() == order.tolist()
    np.testing.assert_allclose(found.neighbour_weights[0], weights, atol=1e-5)
    for (_, tag), row in table(found).items():
        if tag != NEW:
            text = LIBRARY[tag].text
            expected = sum(w for w, at in zip(weights, order, strict=True) if text in world.labelled[at].tags)
            assert row["mixed_votes"] == pytest.approx(expected, abs=1e-5)


def test_what_often_stands_beside_a_sure_tag_is_likely(world):
    found = table(world.source().candidates(world.near("football")[None], [{"title": "football"}]))
    beside = {LIBRARY[tag].text: row["beside_sure_tags"] for (_, tag), row in found.items()}
    assert beside["goal"] > 2 * beside["soup"]


def test_uses_and_times(world):
    found = table(world.source().candidates(world.near("chess")[None], [{"title": ""}]))
    chess = found[0, 4]
    assert chess["uses"] == pytest.approx(np.log1p(sum("chess" in one.tags for one in world.labelled)))
    assert chess["last_use_days"] == 0  # the newest video is of chess
    ages = [29 - row for row, one in enumerate(world.labelled) if "chess" in one.tags]
    recent = np.exp(-np.array(ages) / features.RECENT_DAYS).sum()
    assert chess["recent_uses"] == pytest.approx(np.log1p(recent), rel=1e-5)


def test_the_answer_does_not_hang_on_how_the_work_is_cut(world, monkeypatch):
    vectors = np.stack([world.near(subject, seed) for seed in range(5) for subject in SUBJECTS])
    texts = [{"title": f"{subject} at night"} for _ in range(5) for subject in SUBJECTS]
    ((_, whole),) = world.source().blocks(vectors, texts)
    monkeypatch.setattr(features, "BLOCK_ELEMENTS", 4 * len(world.neighbours))
    parts = list(world.source().blocks(vectors, texts))
    assert [rows.stop - rows.start for rows, _ in parts] == [4, 4, 4, 3]
    np.testing.assert_array_equal(np.concatenate([part.tags for _, part in parts]), whole.tags)
    np.testing.assert_allclose(np.concatenate([part.values for _, part in parts]), whole.values, atol=1e-6)


def test_two_spellings_of_one_tag_count_once(world):
    columns = world.columns.copy()
    outside = world.neighbours.tag_texts.index("outside the library")
    columns[outside] = 0  # as an alias of football, which some of these videos have already
    world = type(world)(world.labelled, world.neighbours, columns, world.tag_vectors, world.directions)
    found = table(world.source().candidates(world.near("football")[None], [{"title": ""}]))
    assert found[0, 0]["uses"] == pytest.approx(np.log1p(len(world.labelled)))
    assert found[0, 0]["near_votes"] == pytest.approx(1.0, abs=1e-5)


def test_a_text_is_compared_with_tags_as_if_it_were_one_and_no_text_is_missing(world):
    vectors = np.stack([world.near("chess"), world.near("chess")])
    found = table(world.source().candidates(vectors, [{"title": "chess opening"}, {}]))
    read = read_as_tags(["chess opening"])[0]
    for (video, tag), row in found.items():
        own = world.tag_vectors[tag]
        expected = read @ own / np.linalg.norm(read) / np.linalg.norm(own)
        assert (
            np.isnan(row["text_similarity"])
            if video
            else row["text_similarity"] == pytest.approx(expected, abs=1e-5)
        )

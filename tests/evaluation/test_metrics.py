"""The metrics against slow loops, against torchmetrics, and on cases that one can reckon by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torchmetrics.functional import retrieval

from tagtower.errors import InputError
from tagtower.evaluation import metrics as under_test
from tagtower.evaluation.metrics import (
    Metrics,
    SeenUnseenEvaluation,
    evaluate_seen_unseen,
    ranking_metrics,
    video_scores,
)

NAMES = ["videos", "recall@1", "recall@5", "recall@10", "precision@5", "map", "ndcg@10", "mrr"]


@st.composite
def tied_rankings(draw):
    """Draw distances out of four values, so that ties abound, relevance, and which tags were seen."""
    shape = (draw(st.integers(0, 6)), draw(st.integers(1, 14)))
    values = st.sampled_from([0.0, 0.25, 0.5, 1.0])
    return (
        draw(arrays.arrays(np.float32, shape, elements=values)),
        draw(arrays.arrays(np.bool_, shape)),
        draw(arrays.arrays(np.bool_, shape[1:])),
    )


def slow_metrics(distances, relevant):
    """Every metric as its textbook writes it, one video at a time over a sorted list."""
    rows = []
    for row, own in zip(distances.tolist(), relevant.tolist(), strict=True):
        order = sorted(range(len(row)), key=lambda tag: (row[tag], tag))
        hits = [own[tag] for tag in order]
        total = sum(hits)
        if not total:
            continue
        gain = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(hits[:10], 1) if hit)
        ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(total, 10) + 1))
        precisions = [sum(hits[:rank]) / rank for rank, hit in enumerate(hits, 1) if hit]
        rows.append(
            {
                "recall@1": sum(hits[:1]) / total,
                "recall@5": sum(hits[:5]) / total,
                "recall@10": sum(hits[:10]) / total,
                "precision@5": sum(hits[:5]) / 5,
                "map": sum(precisions) / total,
                "ndcg@10": gain / ideal,
                "mrr": 1 / (1 + hits.index(True)),
            }
        )
    means = {name: sum(row[name] for row in rows) / len(rows) if rows else None for name in NAMES[1:]}
    return {"videos": len(rows), **means}


@given(tied_rankings())
def test_metrics_equal_the_slow_loop_also_with_ties(ranking):
    distances, relevant, _ = ranking
    assert ranking_metrics(distances, relevant).to_json() == pytest.approx(slow_metrics(distances, relevant))


@given(tied_rankings())
def test_groups_equal_the_slow_loop_on_the_columns_they_keep(ranking):
    distances, relevant, seen = ranking
    groups = evaluate_seen_unseen(distances, relevant, seen).to_json()
    assert groups["all"] == pytest.approx(slow_metrics(distances, relevant))
    assert groups["seen"] == pytest.approx(slow_metrics(distances[:, seen], relevant[:, seen]))
    assert groups["unseen"] == pytest.approx(slow_metrics(distances[:, ~seen], relevant[:, ~seen]))
    assert groups["unseen_in_full"] == pytest.approx(slow_metrics(distances, relevant & ~seen))


@settings(max_examples=30)
@given(tied_rankings(), st.integers(1, 40))
def test_blocks_do_not_change_the_result(ranking, block):
    distances, relevant, seen = ranking
    whole = evaluate_seen_unseen(distances, relevant, seen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(under_test, "BLOCK_ELEMENTS", block)
        assert evaluate_seen_unseen(distances, relevant, seen) == whole


def test_metrics_agree_with_torchmetrics():
    rng = np.random.default_rng(7)
    distances = rng.random((40, 60), dtype=np.float32)
    relevant = rng.random((40, 60)) < 0.1
    relevant[:, 3] = True
    expected = dict.fromkeys(NAMES[1:], 0.0)
    for row, own in zip(torch.from_numpy(1 - distances), torch.from_numpy(relevant), strict=True):
        for cut in (1, 5, 10):
            expected[f"recall@{cut}"] += float(retrieval.retrieval_recall(row, own, top_k=cut)) / 40
        expected["precision@5"] += float(retrieval.retrieval_precision(row, own, top_k=5)) / 40
        expected["map"] += float(retrieval.retrieval_average_precision(row, own)) / 40
        expected["ndcg@10"] += float(retrieval.retrieval_normalized_dcg(row, own, top_k=10)) / 40
        expected["mrr"] += float(retrieval.retrieval_reciprocal_rank(row, own)) / 40
    found = ranking_metrics(distances, relevant).to_json()
    assert found.pop("videos") == 40
    assert found == pytest.approx(expected, abs=1e-5)


def test_json_has_the_names_of_the_contract_in_order():
    assert list(ranking_metrics(np.ones((1, 3)), np.ones((1, 3), bool)).to_json()) == NAMES


def test_a_perfect_ranking_scores_one_and_precision_is_over_five():
    distances = np.array([[0.1, 0.2, 0.9]])
    relevant = np.array([[True, True, False]])
    assert ranking_metrics(distances, relevant) == Metrics(1, 0.5, 1.0, 1.0, 0.4, 1.0, 1.0, 1.0)


def test_ties_are_broken_by_library_order():
    same = np.zeros((1, 4))
    assert ranking_metrics(same, np.array([[True, False, False, False]])).mrr == 1.0
    assert ranking_metrics(same, np.array([[False, False, False, True]])).mrr == 0.25


def test_a_video_without_a_relevant_tag_is_left_out_of_the_mean():
    scores = video_scores(np.array([[0.1, 0.2], [0.1, 0.2]]), np.array([[True, False], [False, False]]))
    assert scores.ndcg_at_10[0] == 1.0
    assert np.isnan(scores.ndcg_at_10[1])
    assert scores.mean().videos == 1


def test_a_group_without_videos_has_no_numbers():
    nothing = evaluate_seen_unseen(np.ones((2, 3)), np.ones((2, 3), bool), np.ones(3, bool)).unseen
    assert nothing.to_json() == {"videos": 0} | dict.fromkeys(NAMES[1:])


def test_no_videos_at_all_is_an_empty_result_too():
    assert SeenUnseenEvaluation(np.ones(3, bool)).result().all.videos == 0


def test_videos_may_come_in_blocks_of_any_size():
    rng = np.random.default_rng(3)
    distances, relevant = rng.random((50, 30)), rng.random((50, 30)) < 0.1
    seen = rng.random(30) < 0.5
    evaluation = SeenUnseenEvaluation(seen)
    for rows in np.array_split(np.arange(50), 7):
        evaluation.add(distances[rows], relevant[rows])
    assert evaluation.result() == evaluate_seen_unseen(distances, relevant, seen)
    np.testing.assert_array_equal(evaluation.scores().map, video_scores(distances, relevant).map)


def test_a_distance_that_is_not_a_number_is_refused_and_never_ranks_first():
    with pytest.raises(InputError, match="not a number"):
        ranking_metrics(np.array([[np.nan, 1.0]]), np.array([[True, False]]))

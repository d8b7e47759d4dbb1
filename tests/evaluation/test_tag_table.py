"""The table of tags against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tagtower.evaluation import metrics
from tagtower.evaluation.tag_table import tag_table


@st.composite
def tied_rankings(draw):
    shape = (draw(st.integers(1, 8)), draw(st.integers(1, 9)))
    values = st.sampled_from([0.0, 0.25, 0.5, 1.0])
    return draw(arrays.arrays(np.float32, shape, elements=values)), draw(arrays.arrays(np.bool_, shape))


def slow_row(distances, relevant, tag):
    """What the table says of one tag, counted over sorted lists."""
    videos, tags = distances.shape
    orders = [sorted(range(tags), key=lambda other: (row[other], other)) for row in distances.tolist()]
    own = [video for video in range(videos) if relevant[video, tag]]
    proposed = [video for video in range(videos) if tag in orders[video][:5]]
    hits = len(set(own) & set(proposed))
    by_distance = sorted(range(videos), key=lambda video: (distances[video, tag], video))
    found = [relevant[video, tag] for video in by_distance]
    precisions = [sum(found[: place + 1]) / (place + 1) for place in range(videos) if found[place]]
    return {
        "support": len(own),
        "proposed_at_5": len(proposed),
        "hits_at_5": hits,
        "recall_at_5": hits / len(own) if own else np.nan,
        "precision_at_5": hits / len(proposed) if proposed else np.nan,
        "average_precision": sum(precisions) / len(own) if own else np.nan,
        "mean_rank": np.mean([1 + orders[video].index(tag) for video in own]) if own else np.nan,
    }


@settings(max_examples=50)
@given(tied_rankings(), st.sampled_from([1, 10, 1000]))
def test_the_table_equals_the_slow_loop(ranking, block):
    distances, relevant = ranking
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "BLOCK_ELEMENTS", block)
        table = tag_table(distances, relevant)
    for tag in range(distances.shape[1]):
        found = {name: getattr(table, name)[tag] for name in table.__slots__}
        assert found == pytest.approx(slow_row(distances, relevant, tag), nan_ok=True)


def test_a_tag_that_no_video_has_and_none_is_given_has_no_shares():
    distances = np.array([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]])
    relevant = np.array([[True, False, False, False, False, False]])
    table = tag_table(distances, relevant)
    assert table.support[5] == table.proposed_at_5[5] == 0
    assert np.isnan([table.recall_at_5[5], table.precision_at_5[5], table.mean_rank[5]]).all()
    assert table.precision_at_5[1] == 0.0

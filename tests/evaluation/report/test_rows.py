"""Which videos and tags the report shows, out of arrays."""

from __future__ import annotations

import numpy as np

from tagtower.evaluation.metrics import video_scores
from tagtower.evaluation.report.data import MissedTag, ProposedTag
from tagtower.evaluation.report.rows import best_and_worst, tag_rows, video_card
from tagtower.evaluation.tag_table import tag_table
from tagtower.records import Evidence, Video

TEXTS = ["cat", "dog", "eel", "fox", "gnu", "hen", "owl"]
DISTANCES = np.array([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]] * 4)
RELEVANT = np.zeros((4, 7), bool)
RELEVANT[0, 0] = RELEVANT[1, 3] = RELEVANT[3, [1, 6]] = True
SEEN = np.array([True, True, False, True, True, True, False])


def test_best_and_worst_start_at_their_extreme_and_never_overlap():
    best, worst = best_and_worst(video_scores(DISTANCES, RELEVANT), count=6)
    assert best.tolist() == [0, 3]
    assert worst.tolist() == [1]


def test_one_video_is_the_best_and_none_is_the_worst():
    best, worst = best_and_worst(video_scores(DISTANCES[:1], RELEVANT[:1]), count=3)
    assert (best.tolist(), worst.tolist()) == ([0], [])


def test_a_card_shows_the_proposals_and_the_true_tags_behind_them():
    places = np.arange(7.0)
    card = video_card(Video("v3", title="Owls"), places, DISTANCES[3], RELEVANT[3], SEEN, TEXTS, 0.5, None)
    assert card.proposed[:2] == (ProposedTag("cat", 0.1, False, True), ProposedTag("dog", 0.2, True, True))
    assert len(card.proposed) == 5
    assert card.missed == (MissedTag("owl", 7, False),)


def test_a_card_says_what_spoke_for_each_proposal():
    spoke = [Evidence(second=float(place)) for place in range(5)]
    card = video_card(
        Video("v3"), np.arange(7.0)[::-1], DISTANCES[3], RELEVANT[3], SEEN, TEXTS, 0.5, None, spoke
    )
    assert [(tag.tag, tag.evidence.second) for tag in card.proposed[:2]] == [("owl", 0.0), ("hen", 1.0)]


def test_a_card_follows_the_order_and_shows_the_distances():
    places = np.arange(7.0)[::-1]
    card = video_card(Video("v3", title="Owls"), places, DISTANCES[3], RELEVANT[3], SEEN, TEXTS, 0.5, None)
    assert [(tag.tag, tag.distance) for tag in card.proposed[:2]] == [("owl", 0.7), ("hen", 0.6)]
    assert card.missed == (MissedTag("dog", 6, True),)


def test_the_table_lists_tags_that_occur_the_most_frequent_first():
    relevant = RELEVANT.copy()
    relevant[2, 6] = True
    rows = tag_rows(tag_table(DISTANCES, relevant), SEEN, TEXTS)
    assert [row.tag for row in rows] == ["owl", "cat", "dog", "fox", "eel", "gnu"]
    assert (rows[0].support, rows[0].recall, rows[0].precision, rows[0].mean_rank) == (2, 0.0, None, 7.0)
    assert (rows[4].support, rows[4].recall, rows[4].precision) == (0, None, 0.0)

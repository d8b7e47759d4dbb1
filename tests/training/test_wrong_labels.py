"""Training tolerates wrong labels: with 20 % and 40 % of the training tags replaced at random it still learns."""

from __future__ import annotations

import pytest

from tagtower.training.losses import LOSSES


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("wrong", "kept"), [(0.2, 0.85), (0.4, 0.7)])
def test_most_of_what_clean_labels_teach_is_learnt(problem, loss, wrong, kept):
    settings = {"loss": {"name": loss, "margin": 0.2}, "train": {"epochs": 5}}
    clean, noisy = problem(**settings).fit(), problem(wrong=wrong, **settings).fit()
    untrained = clean.history[0].metrics.ndcg_at_10
    assert noisy.history[0].metrics.ndcg_at_10 == untrained, "validation labels are right in both"
    gain = clean.best.metrics.ndcg_at_10 - untrained
    assert noisy.best.metrics.ndcg_at_10 - untrained > kept * gain

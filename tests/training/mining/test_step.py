from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from tagtower.training.losses import NO_NEGATIVE
from tagtower.training.mining import OwnTags, step_tags

LIBRARY = 15


@given(
    own_lists=st.lists(st.sets(st.integers(0, LIBRARY - 1), min_size=1), min_size=1, max_size=5),
    pool=st.sets(st.integers(0, LIBRARY - 1)),
    data=st.data(),
)
def test_pairs_point_at_the_same_tags_after_renumbering(own_lists, pool, data) -> None:
    pairs = torch.tensor([(video, tag) for video, row in enumerate(own_lists) for tag in sorted(row)])
    negatives = torch.tensor([data.draw(st.integers(NO_NEGATIVE, LIBRARY - 1)) for _ in pairs])
    step = step_tags(
        pairs[:, 0],
        pairs[:, 1],
        OwnTags.from_lists([sorted(row) for row in own_lists]),
        negatives=negatives,
        pool=torch.tensor(sorted(pool), dtype=torch.int64),
    )
    needed = set(pairs[:, 1].tolist()) | pool | set(negatives.tolist()) - {NO_NEGATIVE}
    assert step.tags.tolist() == sorted(needed)
    assert torch.equal(step.tags[step.targets.positives], pairs[:, 1])
    assert torch.equal((step.targets.negatives == NO_NEGATIVE), (negatives == NO_NEGATIVE))
    mined = negatives != NO_NEGATIVE
    assert torch.equal(step.tags[step.targets.negatives[mined]], negatives[mined])
    for video, row in enumerate(own_lists):
        allowed = set(step.tags[step.targets.allowed[video]].tolist())
        assert allowed == pool - row


def test_what_is_not_given_is_not_there() -> None:
    step = step_tags(torch.tensor([0]), torch.tensor([4]), OwnTags.from_lists([[4, 9]]))
    assert step.tags.tolist() == [4]
    assert step.own.tags.tolist() == [0]
    assert step.targets.negatives is None
    assert step.targets.allowed is None

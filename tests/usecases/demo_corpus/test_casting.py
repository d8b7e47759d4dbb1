"""What the clips are: compositions held out of training, all their parts seen in it, all dealt evenly."""

from __future__ import annotations

from collections import Counter

import pytest

from tagtower.errors import UsageError
from tagtower.usecases.demo_corpus.casting import FEWEST_VIDEOS, Role, cast
from tagtower.usecases.demo_corpus.pictures import COLOURS, MOTIONS
from tagtower.usecases.demo_corpus.shapes import SHAPES
from tagtower.usecases.demo_corpus.vocabulary import HELD_OUT, MODALITY_OF, NEW_TAG


@pytest.fixture(params=range(3))
def roles(request: pytest.FixtureRequest) -> tuple[Role, ...]:
    return cast(request.param, 120)


def _tags(roles: tuple[Role, ...], *splits: str) -> Counter[str]:
    return Counter(tag for role in roles if role.split in splits for tag in role.tags)


def test_held_out_compositions_occur_in_test_alone(roles: tuple[Role, ...]) -> None:
    assert not set(HELD_OUT) & set(_tags(roles, "train", "val"))
    assert set(HELD_OUT) <= set(_tags(roles, "test"))
    assert "blue triangle" in HELD_OUT


def test_training_shows_every_other_tag_several_times(roles: tuple[Role, ...]) -> None:
    trained = _tags(roles, "train")
    for tag in (*COLOURS, *SHAPES, *MOTIONS):
        assert trained[tag] >= 7
    for tag, modality in MODALITY_OF.items():
        if tag not in HELD_OUT:
            assert trained[tag] >= (1 if modality == "image" else 7)


def test_training_shows_every_colour_and_shape_with_at_least_four_others() -> None:
    pairs = [
        tag.split() for tag in MODALITY_OF if " " in tag and tag.split()[0] in COLOURS and tag not in HELD_OUT
    ]
    assert min(Counter(colour for colour, _ in pairs).values()) >= 4
    assert min(Counter(shape for _, shape in pairs).values()) >= 4


def test_enough_tags_are_held_out_for_chance_to_be_low() -> None:
    assert 5 / (len(HELD_OUT) - 1) < 0.35


def test_some_clips_lack_each_modality_and_none_lacks_all(roles: tuple[Role, ...]) -> None:
    for split in ("train", "test"):
        ours = [role for role in roles if role.split == split]
        assert any(role.scene is None for role in ours)
        assert any(role.voice is None and role.beat is None for role in ours)
        assert any(not role.topics for role in ours)
    assert all(role.tags for role in roles)
    assert Counter(role.split for role in roles) == {"train": 82, "val": 12, "test": 26}


def test_a_channel_lies_in_one_split_and_one_landscape(roles: tuple[Role, ...]) -> None:
    for channel in {role.channel for role in roles}:
        ours = [role for role in roles if role.channel == channel]
        assert len({role.split for role in ours}) == 1
        assert len({role.scene.backdrop for role in ours if role.scene}) <= 1
    assert len({role.scene.backdrop for role in roles if role.scene}) == len({role.channel for role in roles})


def test_the_new_tag_has_a_clip_even_in_the_smallest_corpus() -> None:
    assert _tags(cast(0, FEWEST_VIDEOS), "test")[NEW_TAG] >= 1


def test_too_small_a_corpus_is_refused() -> None:
    with pytest.raises(UsageError, match="too small"):
        cast(0, FEWEST_VIDEOS - 1)

from __future__ import annotations

import pytest

from tagtower.config.sections import Settings
from tagtower.errors import ConfigError
from tagtower.training.losses import LOSSES
from tagtower.training.mining import RULES, build_miner, check_negatives, rule_of
from tagtower.training.mining.compatibility import RULES_OF_LOSS


def settings(loss: str = "triplet", margin: float = 0.2, **negatives: object) -> Settings:
    return Settings.model_validate({"loss": {"name": loss, "margin": margin}, "negatives": negatives})


def test_auto_takes_the_rule_of_the_loss() -> None:
    assert rule_of(settings("triplet")) == "target-distance"
    assert rule_of(settings("softmax")) == "random"


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_rule_goes_with_a_loss_exactly_where_the_table_says_so(loss, rule) -> None:
    chosen = settings(loss, rule=rule)
    if rule in RULES_OF_LOSS[loss]:
        assert build_miner(chosen) is not None
    else:
        with pytest.raises(ConfigError, match=f"negatives.rule={rule} does not go with loss.name={loss}"):
            check_negatives(chosen)


@pytest.mark.parametrize("offset", [0.2, 0.3])
@pytest.mark.parametrize("ceiling", ["margin", "none", 0.5])
def test_an_offset_at_or_above_the_margin_is_refused_and_told_why(offset, ceiling) -> None:
    with pytest.raises(ConfigError, match=r"not below loss\.margin=0\.2.*no gradient(.|\n)*allow_zero_hinge"):
        check_negatives(settings(offset=offset, ceiling=ceiling))


def test_zero_hinges_can_be_asked_for() -> None:
    check_negatives(settings(offset=0.3, ceiling="none", allow_zero_hinge=True))


@pytest.mark.parametrize(
    "negatives",
    [{"offset": 0.1, "ceiling": 0.1}, {"offset": 0.3, "ceiling": "margin", "allow_zero_hinge": True}],
)
def test_a_band_that_cannot_hold_a_tag_is_refused(negatives) -> None:
    with pytest.raises(ConfigError, match=r"No tag can lie farther(.|\n)*Raise negatives\.ceiling"):
        check_negatives(settings(**negatives))


@pytest.mark.parametrize(
    ("loss", "rule"), [("triplet", "semi-hard"), ("triplet", "random"), ("softmax", "random")]
)
def test_rules_that_do_not_read_the_offset_are_not_held_to_it(loss, rule) -> None:
    check_negatives(settings(loss, rule=rule, offset=0.9))


def test_tags_in_use_are_a_scope_of_the_softmax_alone() -> None:
    check_negatives(settings("softmax", scope="used"))
    with pytest.raises(ConfigError, match=r"negatives\.scope"):
        check_negatives(settings("triplet", scope="used"))

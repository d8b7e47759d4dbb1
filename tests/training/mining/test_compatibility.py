from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from tagtower.config.sections import NegativeScope, Settings
from tagtower.errors import ConfigError
from tagtower.training.losses import LOSSES
from tagtower.training.mining import RULES, build_miner, check_negatives, doubt, rule_of, scope_of
from tagtower.training.mining.compatibility import RULES_OF_LOSS, SCOPES_OF_LOSS

SCOPES = [scope for scope in get_args(NegativeScope) if scope != "auto"]
PAGE = Path(__file__).parents[3] / "docs" / "negatives.md"


def settings(loss: str = "triplet", margin: float = 0.2, **negatives: object) -> Settings:
    return Settings.model_validate({"loss": {"name": loss, "margin": margin}, "negatives": negatives})


def test_auto_takes_the_rule_of_the_loss() -> None:
    assert rule_of(settings("triplet")) == "target-distance"
    assert rule_of(settings("softmax")) == "random"


def test_auto_takes_the_scope_of_the_loss() -> None:
    assert [scope_of(settings(loss)) for loss in ("triplet", "softmax", "infonce", "sigmoid")] == [
        "library",
        "library",
        "batch",
        "library",
    ]


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


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_scope_goes_with_a_loss_exactly_where_the_table_says_so(loss, scope) -> None:
    chosen = settings(loss, scope=scope)
    if scope in SCOPES_OF_LOSS[loss]:
        check_negatives(chosen)
    else:
        with pytest.raises(ConfigError, match=f"negatives.scope={scope} does not go with loss.name={loss}"):
            check_negatives(chosen)


@pytest.mark.parametrize(
    ("heading", "columns", "table"), [("rule", RULES, RULES_OF_LOSS), ("scope", SCOPES, SCOPES_OF_LOSS)]
)
def test_the_page_shows_the_tables_that_are_checked(heading, columns, table) -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.read_text("utf-8").splitlines()
    ]
    start = next(place for place, row in enumerate(rows) if row[0] == f"loss \\ {heading}")
    assert [name.strip("`") for name in rows[start][1:]] == list(columns)
    shown = {row[0].strip("`"): row[1:] for row in rows[start + 2 : start + 2 + len(table)]}
    assert shown.keys() == table.keys()
    for loss, cells in shown.items():
        allowed = {name for name, cell in zip(columns, cells, strict=True) if cell.startswith("yes")}
        default = {name for name, cell in zip(columns, cells, strict=True) if re.search("default", cell)}
        assert allowed == set(table[loss])
        assert default == {table[loss][0]}


def test_only_the_hardest_negatives_are_doubted() -> None:
    assert "semi-hard" in (doubt(settings(rule="hard")) or "")
    assert [doubt(settings(rule=rule)) for rule in RULES if rule != "hard"] == [None] * (len(RULES) - 1)

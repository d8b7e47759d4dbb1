"""Which tags are held against a video: the rules by the names that `negatives.rule` gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tagtower.config.sections import Settings
from tagtower.training.mining.band_miner import BandMiner
from tagtower.training.mining.compatibility import check_negatives, doubt, rule_of, scope_of
from tagtower.training.mining.hard import HardMiner, hard_miner
from tagtower.training.mining.miner import Mined, Miner
from tagtower.training.mining.own import OwnTags
from tagtower.training.mining.random import RandomMiner, random_miner, sample_tags
from tagtower.training.mining.rejected import prefer_rejected
from tagtower.training.mining.report import BandSizes, MiningReport
from tagtower.training.mining.semi_hard import semi_hard_miner
from tagtower.training.mining.step import StepTags, step_tags
from tagtower.training.mining.target_distance import target_distance_miner

RULES: Mapping[str, Callable[[Settings], Miner]] = {
    "target-distance": target_distance_miner,
    "semi-hard": semi_hard_miner,
    "hard": hard_miner,
    "random": random_miner,
}


def build_miner(settings: Settings) -> Miner:
    """The miner that the settings ask for; the tags it is shown are its scope.

    Raises:
        ConfigError: the settings contradict each other; see `check_negatives`.
    """
    check_negatives(settings)
    return RULES[rule_of(settings)](settings)


__all__ = [
    "RULES",
    "BandMiner",
    "BandSizes",
    "HardMiner",
    "Mined",
    "Miner",
    "MiningReport",
    "OwnTags",
    "RandomMiner",
    "StepTags",
    "build_miner",
    "check_negatives",
    "doubt",
    "prefer_rejected",
    "rule_of",
    "sample_tags",
    "scope_of",
    "step_tags",
]

"""Which rule of negatives goes with which loss, and which settings of the two cannot train."""

from __future__ import annotations

from collections.abc import Mapping

from tagtower.config.sections import Settings
from tagtower.errors import ConfigError
from tagtower.training.mining.target_distance import ceiling_of

RULES_OF_LOSS: Mapping[str, tuple[str, ...]] = {
    "triplet": ("target-distance", "semi-hard", "random"),
    "softmax": ("random",),
}
"""The rules that each loss can train with; the first is what `auto` takes."""


def rule_of(settings: Settings) -> str:
    """The rule that applies: the one that is set, or under `auto` the loss's own."""
    rule = settings.negatives.rule
    return RULES_OF_LOSS[settings.loss.name][0] if rule == "auto" else rule


def check_negatives(settings: Settings) -> None:
    """Refuse negatives under which the loss would learn nothing.

    Raises:
        ConfigError: the loss does not take the rule, the offset leaves no active hinge, or the band is empty.
    """
    rule, loss = rule_of(settings), settings.loss.name
    if rule not in RULES_OF_LOSS[loss]:
        raise ConfigError(
            f"negatives.rule={rule} does not go with loss.name={loss}, which weighs many tags at once by their "
            "distance and has no use for one mined tag.",
            hint=f"Set negatives.rule to {' or '.join(RULES_OF_LOSS[loss])}, or leave it at auto.",
        )
    if settings.negatives.scope == "used" and loss != "softmax":
        raise ConfigError(
            f"negatives.scope=used does not go with loss.name={loss}, which mines its negatives.",
            hint="Set negatives.scope to library or batch, or loss.name to softmax.",
        )
    if rule == "target-distance":
        _check_band(settings)


def _check_band(settings: Settings) -> None:
    offset, ceiling, margin = settings.negatives.offset, ceiling_of(settings), settings.loss.margin
    if offset >= margin and not settings.negatives.allow_zero_hinge:
        raise ConfigError(
            f"negatives.offset={offset:g} is not below loss.margin={margin:g}. Every negative would lie farther "
            f"than d(a,p) + {offset:g}, so max(0, d(a,p) - d(a,n) + {margin:g}) would be 0 for every one: no "
            "gradient, and nothing would be learnt.",
            hint="Lower negatives.offset or raise loss.margin. negatives.allow_zero_hinge=true runs it all the same.",
        )
    if offset >= ceiling:
        raise ConfigError(
            f"No tag can lie farther than d(a,p) + {offset:g} (negatives.offset) and nearer than "
            f"d(a,p) + {ceiling:g} (negatives.ceiling={settings.negatives.ceiling}).",
            hint="Raise negatives.ceiling above negatives.offset, or set it to none.",
        )

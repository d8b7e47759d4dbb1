"""Which negatives go with which loss: by what rule, out of which tags, and which settings cannot train."""

from __future__ import annotations

from collections.abc import Mapping

from tagtower.config.sections import NegativeScope, Settings
from tagtower.errors import ConfigError
from tagtower.training.mining.target_distance import ceiling_of

RULES_OF_LOSS: Mapping[str, tuple[str, ...]] = {
    "triplet": ("target-distance", "semi-hard", "hard", "random"),
    "softmax": ("random",),
    "infonce": ("random",),
    "sigmoid": ("random",),
}
"""The rules that each loss can train with; the first is what `auto` takes."""

SCOPES_OF_LOSS: Mapping[str, tuple[NegativeScope, ...]] = {
    "triplet": ("library", "batch"),
    "softmax": ("library", "used", "batch"),
    "infonce": ("batch",),
    "sigmoid": ("library", "used", "batch"),
}
"""The tags that each loss can be held against; the first is what `auto` takes."""


def rule_of(settings: Settings) -> str:
    """The rule that applies: the one that is set, or under `auto` the loss's own."""
    rule = settings.negatives.rule
    return RULES_OF_LOSS[settings.loss.name][0] if rule == "auto" else rule


def scope_of(settings: Settings) -> NegativeScope:
    """The scope that applies: the one that is set, or under `auto` the loss's own."""
    scope = settings.negatives.scope
    return SCOPES_OF_LOSS[settings.loss.name][0] if scope == "auto" else scope


def check_negatives(settings: Settings) -> None:
    """Refuse negatives under which the loss would learn nothing.

    Raises:
        ConfigError: the loss does not take the rule or the scope, the offset leaves no active hinge, or the band is
            empty.
    """
    rule, scope, loss = rule_of(settings), scope_of(settings), settings.loss.name
    rules, scopes = RULES_OF_LOSS[loss], SCOPES_OF_LOSS[loss]
    if rule not in rules:
        raise ConfigError(
            f"negatives.rule={rule} does not go with loss.name={loss}, which weighs many tags at once by their "
            "distance and has no use for one mined tag.",
            hint=f"Set negatives.rule to {' or '.join(rules)}, or leave it at auto.",
        )
    if scope not in scopes:
        raise ConfigError(
            f"negatives.scope={scope} does not go with loss.name={loss}, {_reason(loss)}.",
            hint=f"Set negatives.scope to {' or '.join(scopes)}, or leave it at auto; or set loss.name to "
            f"{' or '.join(name for name, known in SCOPES_OF_LOSS.items() if scope in known)}.",
        )
    if rule == "target-distance":
        _check_band(settings)


def doubt(settings: Settings) -> str | None:
    """What is likely to go wrong with negatives that are allowed, None where nothing is."""
    if rule_of(settings) == "hard":
        return (
            "hard takes the nearest tag of all, which is often right and merely unlabelled: on real titles each epoch "
            "left the model worse than untrained. Where validation falls from the first epoch, use semi-hard"
        )
    return None


def _reason(loss: str) -> str:
    if loss == "infonce":
        return "which holds the batch's videos against its tags both ways and draws none from the library"
    return "which mines its negatives"


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

"""Several experts into one vector: the ways of fusing by the names that `fusion.kind` gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor, nn

from tagtower.config.sections import FusionSettings
from tagtower.towers.fusion.add import Addition
from tagtower.towers.fusion.concat import Concatenation
from tagtower.towers.fusion.moe import MixtureOfExperts
from tagtower.towers.fusion.multiply import Multiplication


@runtime_checkable
class Fusion(Protocol):
    """A way of fusing. With one modality each is the identity and has no parameters."""

    def __call__(
        self, experts: Float[Tensor, "batch modality dim"], present: Bool[Tensor, "batch modality"]
    ) -> tuple[Float[Tensor, "batch dim"], Float[Tensor, "batch modality"]]:
        """The fused vector, and how much each modality speaks in it: 0 where missing, summing to one.

        Every video has at least one modality. What stands in place of a missing one changes nothing and gets no
        gradient. In training some present modalities are treated as missing at random; one always stays.
        """
        ...


FUSIONS: Mapping[str, Callable[[FusionSettings, int, int], nn.Module]] = {
    "moe": lambda settings, modalities, width: MixtureOfExperts(
        modalities, width, top_k=settings.top_k, modality_dropout=settings.modality_dropout
    ),
    "concat": lambda settings, modalities, width: Concatenation(
        modalities, width, modality_dropout=settings.modality_dropout
    ),
    "add": lambda settings, modalities, width: Addition(modality_dropout=settings.modality_dropout),
    "multiply": lambda settings, modalities, width: Multiplication(
        modality_dropout=settings.modality_dropout
    ),
}


def build_fusion(settings: FusionSettings, modalities: int, width: int) -> nn.Module:
    """Return the fusion that the settings ask for, of so many experts of this width; it is a `Fusion`."""
    return FUSIONS[settings.kind](settings, modalities, width)


__all__ = [
    "FUSIONS",
    "Addition",
    "Concatenation",
    "Fusion",
    "MixtureOfExperts",
    "Multiplication",
    "build_fusion",
]

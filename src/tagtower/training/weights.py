"""The weights that training changes, taken out of a model and put back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def trained_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the model's own trainable parameters and stored buffers by name, shared ones once."""
    stored = model.state_dict(keep_vars=True).keys()
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad} | {
        name: buffer for name, buffer in model.named_buffers() if name in stored
    }


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy in main memory of what training changes."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in trained_tensors(model).items()}


MEMORY = "memory.vectors"
"""The one tensor that grows: a tag that came later has no vector in weights that were taken before."""


def with_rows(tensor: Tensor, rows: int) -> Tensor:
    """Return `tensor` with rows of zeros added at its end, so that it has `rows`."""
    return torch.cat([tensor, tensor.new_zeros(rows - len(tensor), *tensor.shape[1:])])


def interpolate_weights(
    start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Return the weights that lie `share` of the way from `start` to `end`; counters are those of `end`.

    On the way back towards what training set out from, a model regains what it has lost on inputs unlike those
    it was trained on, before it loses what it has learnt on the others.

    Source: Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, section 3 (WiSE-FT).
    """
    return {
        name: torch.lerp(_grown(start[name], name, tensor), tensor, share)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in end.items()
    }


def put_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put back what `copy_weights` took out of this model or one that is built alike.

    Raises:
        KeyError: the model has a tensor that is not among `weights`.
    """
    with torch.no_grad():
        for name, tensor in trained_tensors(model).items():
            tensor.copy_(_grown(weights[name], name, tensor))


def _grown(earlier: Tensor, name: str, now: Tensor) -> Tensor:
    return with_rows(earlier, len(now)) if name == MEMORY else earlier

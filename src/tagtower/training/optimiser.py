"""The optimiser, and how its learning rate moves."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tagtower.config import TrainSettings
from tagtower.towers import TwoTower
from tagtower.training.weights import with_rows


def rate_factor(step: int, steps: int, warmup: float) -> float:
    """Return the share of the peak rate, in (0, 1], at `step` of `steps`, counted from 0.

    It rises in a line over the first `warmup` of the steps, then falls along half a cosine to zero.

    Source: Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5, without restarts.
    """
    rising = math.ceil(steps * warmup)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1.0 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


class Optimiser:
    """AdamW over a model's parameter groups, each with its own peak rate, and gradients clipped to a norm.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2.
    """

    def __init__(self, tower: TwoTower, settings: TrainSettings, steps: int) -> None:
        self._adamw = torch.optim.AdamW(tower.parameter_groups(settings))
        self._peaks: list[float] = [group["lr"] for group in self._adamw.param_groups]
        self._settings = settings
        self._steps = steps

    def replace(self, old: nn.Parameter, new: nn.Parameter) -> None:
        """Go over to a parameter that has more rows than `old`, whose moments stay; those of the new rows are zero."""
        for group in self._adamw.param_groups:
            group["params"] = [new if parameter is old else parameter for parameter in group["params"]]
        state = self._adamw.state.pop(old, None)
        if state is not None:
            self._adamw.state[new] = {
                name: with_rows(value, len(new)) if value.ndim else value for name, value in state.items()
            }

    def step(self, step: int) -> tuple[float, float]:
        """Apply the gradients unless they are not finite; return their norm and the rate of the first group."""
        factor = rate_factor(step, self._steps, self._settings.warmup)
        for group, peak in zip(self._adamw.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        parameters = [parameter for group in self._adamw.param_groups for parameter in group["params"]]
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, self._settings.clip_norm))
        if math.isfinite(norm):
            self._adamw.step()
        self._adamw.zero_grad(set_to_none=True)
        return norm, self._peaks[0] * factor

    def tensors(self) -> dict[str, Tensor]:
        """Return AdamW's moments and counters, on the CPU, by names that stay the same for one model."""
        state = self._adamw.state_dict()["state"]
        return {
            f"{index}.{name}": value.to("cpu", copy=True)
            for index, values in state.items()
            for name, value in values.items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            index, name = key.split(".")
            state.setdefault(int(index), {})[name] = value
        groups = self._adamw.state_dict()["param_groups"]
        self._adamw.load_state_dict({"state": state, "param_groups": groups})

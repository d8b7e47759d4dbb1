"""In which number format the towers run while they train."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch

from tagtower.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Precision:
    """bfloat16 where it is safe (autocast), or float32 throughout. Weights and losses are float32 either way."""

    device: torch.device
    bf16: bool

    @staticmethod
    def choose(wanted: Literal["auto", "fp32", "bf16"], device: torch.device) -> Precision:
        """Return the precision for `device`: `auto` is bf16 on a GPU that has it, else fp32.

        Raises:
            TrainingError: bf16 is asked for on a GPU without it.
        """
        on_gpu = device.type == "cuda"
        has_bf16 = not on_gpu or torch.cuda.is_bf16_supported(including_emulation=False)
        if wanted == "bf16" and not has_bf16:
            raise TrainingError("This GPU has no bfloat16.", hint="Set train.precision to auto or fp32.")
        return Precision(device, bf16=wanted == "bf16" or (wanted == "auto" and on_gpu and has_bf16))

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which the towers run."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)

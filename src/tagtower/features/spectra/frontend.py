"""The spectra by name, and several of them side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from tagtower.config.sections import AudioSettings
from tagtower.features.spectra.cqt import Cqt
from tagtower.features.spectra.dct import Dct
from tagtower.features.spectra.dwt import Dwt
from tagtower.features.spectra.flatness import Flatness
from tagtower.features.spectra.mel import LogMel
from tagtower.features.spectra.mfcc import Mfcc
from tagtower.features.spectra.stft import Stft


@runtime_checkable
class FrontEnd(Protocol):
    """Turns a waveform into `width` coefficients a step, on the grid of steps of `Frames`."""

    width: int

    def __call__(self, waveform: Float[Tensor, "samples"]) -> Float[Tensor, "step coefficient"]:
        """Return the coefficients of every step as float32.

        Args:
            waveform: mono at `sample_rate`, in [-1, 1]; what is no number counts as silence, and sound shorter
                than one frame is padded with silence to one.
        """
        ...


FRONTENDS: dict[str, Callable[[AudioSettings], FrontEnd]] = {
    "mfcc": Mfcc,
    "stft": Stft,
    "mel": LogMel,
    "dct": Dct,
    "dwt": Dwt,
    "cqt": Cqt,
    "flatness": Flatness,
}


@final
class Spectra:
    """The front-ends that `audio.frontend` names, side by side in that order."""

    def __init__(self, settings: AudioSettings) -> None:
        self._frontends = [FRONTENDS[name](settings) for name in settings.frontend]
        self.width = sum(one.width for one in self._frontends)

    def __call__(self, waveform: Float[Tensor, "samples"]) -> Float[Tensor, "step coefficient"]:
        """Return the coefficients of all front-ends for every step."""
        return torch.cat([one(waveform) for one in self._frontends], dim=1)

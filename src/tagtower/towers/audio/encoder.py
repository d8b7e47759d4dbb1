"""The audio expert before its head: spectra made once a video, then a network over their steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn

from tagtower.config import AudioSettings
from tagtower.features.spectra import Spectra
from tagtower.towers.audio.networks import NETWORKS

NETWORK_SETTINGS = {"encoder", "network", "channels", "dropout"}
"""The settings that come after the spectra or choose them; all others decide what is stored."""


class AudioEncoder(nn.Module):
    """Listens to the spectra of a sound; these are made once a video, in `features`."""

    pretrained = False
    frozen = False

    def __init__(self, settings: AudioSettings) -> None:
        super().__init__()
        self._spectra = Spectra(settings)
        self.network = NETWORKS[settings.network](self._spectra.width, settings)
        self.width = self.network.width
        self._inputs = settings.model_dump(mode="json", exclude=NETWORK_SETTINGS)

    def forward(
        self, steps: Float[Tensor, "batch step coefficient"], mask: Bool[Tensor, "batch step"]
    ) -> Float[Tensor, "batch dim"]:
        """Return one vector a sound from what `features` gave for it."""
        return self.network(steps, mask)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def features(self, waveform: Float32[np.ndarray, "samples"]) -> Float32[np.ndarray, "step coefficient"]:
        """Return the spectra of a mono waveform at `audio.sample_rate`, in [-1, 1]."""
        return self._spectra(torch.tensor(waveform)).numpy()

    def spec(self) -> dict[str, Any]:
        """Return all that `features` depends on: how the sound is cut, and the spectra."""
        return self._inputs

"""Pretrained networks that hear sounds, as Hugging Face has them: one vector for each piece of a sound.

Knows how to make and rebuild one and how to cut a sound for it; does not know videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from transformers import AutoFeatureExtractor, PreTrainedModel

from tagtower.config import AudioSettings
from tagtower.errors import ConfigError, ModelError
from tagtower.towers.audio.families import FAMILIES
from tagtower.towers.backbones import load_blank, load_pretrained, quiet
from tagtower.towers.weights import backbone_hash

SHORTEST_SECONDS = 0.1
"""Shorter pieces are filled up with silence: convolutions over a waveform need a few hundred samples."""

PIECES_AT_ONCE = 8


class SoundBackbone(nn.Module):
    """A sound network with its feature extractor.

    A sound is cut into as few equal pieces as the network hears at a time, or `audio.window_seconds` where it takes
    any length, so that the work for a sound grows with its length alone.
    """

    def __init__(self, model: PreTrainedModel, extractor: Any, settings: AudioSettings) -> None:
        super().__init__()
        self._family = FAMILIES[type(extractor).__name__]
        self.extractor = extractor
        self.model = self._family.part(model)
        self.sample_rate = int(extractor.sampling_rate)
        longest = self._family.longest(extractor)
        self._longest = longest or round(settings.window_seconds * self.sample_rate)
        self._shortest = round(SHORTEST_SECONDS * self.sample_rate)
        self.width = self._probed_width()

    def pieces(self, waveform: Float32[np.ndarray, "samples"]) -> list[Float32[np.ndarray, " piece"]]:
        """Return the pieces that the network hears one by one, all of one length; the last may end in silence."""
        count = max(1, -(-len(waveform) // self._longest))
        length = max(-(-len(waveform) // count), self._shortest)
        filled = np.zeros(count * length, np.float32)
        filled[: len(waveform)] = waveform
        return list(filled.reshape(count, length))

    def hear(self, pieces: Sequence[Float32[np.ndarray, " _piece"]]) -> Float[Tensor, "piece dim"]:
        """Return one vector a piece, on the device of the network."""
        by_length: dict[int, list[int]] = {}
        for row, piece in enumerate(pieces):
            by_length.setdefault(len(piece), []).append(row)
        rows: list[int] = []
        vectors: list[Tensor] = []
        for length, those in by_length.items():
            for start in range(0, len(those), PIECES_AT_ONCE):
                some = those[start : start + PIECES_AT_ONCE]
                vectors.append(self._answer([pieces[row] for row in some], length))
                rows += some
        order = torch.tensor(rows).argsort()
        return torch.cat(vectors)[order.to(vectors[0].device)]

    def spec(self) -> dict[str, Any]:
        """Return all that `hear` depends on: the network with its weights, and its feature extractor."""
        return {"backbone": backbone_hash(self.model), "extractor": self.extractor.to_dict()}

    def _answer(self, pieces: list[np.ndarray], length: int) -> Tensor:
        device = next(self.model.parameters()).device
        with quiet():
            found = self.extractor(
                pieces, sampling_rate=self.sample_rate, return_tensors="pt", return_attention_mask=False
            )
        inputs = {name: value.to(device) for name, value in found.items()}
        return self._family.answer(self.model, inputs, length, self.extractor)

    @torch.inference_mode()
    def _probed_width(self) -> int:
        training = self.model.training
        self.model.eval()
        try:
            width = self.hear([np.zeros(self._shortest, np.float32)]).shape[1]
        except (ValueError, RuntimeError, IndexError) as error:
            raise ModelError(
                f"The sound network does not take what its feature extractor gives: {error}",
                hint="config.json and preprocessor_config.json belong together: copy both from one model.",
            ) from None
        self.model.train(training)
        return int(width)


def pretrained_sound(folder: Path, settings: AudioSettings) -> SoundBackbone:
    """Return the sound model of a Hugging Face folder with its feature extractor.

    Of a model that writes as well (Whisper) or reads as well (CLAP) it is the part that hears.

    Raises:
        ConfigError: it is of a kind that cannot be used here, or hears another sample rate than `audio.sample_rate`.
        ModelError: the folder holds no whole model.
    """
    extractor = _feature_extractor(folder)
    if extractor.sampling_rate != settings.sample_rate:
        raise ConfigError(
            f"audio.encoder = {folder}: hears {extractor.sampling_rate} samples a second, and audio.sample_rate is "
            f"{settings.sample_rate}.",
            hint=f"Set audio.sample_rate={extractor.sampling_rate}; any sound is resampled to it.",
        )
    return SoundBackbone(load_pretrained(folder), extractor, settings)


def blank_sound(folder: Path, settings: AudioSettings) -> SoundBackbone:
    """Return the network that `folder` describes, to be filled with stored weights."""
    return SoundBackbone(load_blank(folder), _feature_extractor(folder), settings)


def _feature_extractor(folder: Path) -> Any:
    try:
        with quiet():
            extractor = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError, TypeError) as error:
        raise ModelError(
            f"{folder}: has no feature extractor for sound: {error}",
            hint="The folder needs the preprocessor_config.json that belongs to the model.",
        ) from None
    if type(extractor).__name__ not in FAMILIES:
        kinds = "; ".join(family.examples for family in FAMILIES.values())
        raise ConfigError(
            f"audio.encoder = {folder}: models with a {type(extractor).__name__} cannot be used.",
            hint=f"These can: {kinds}.",
        )
    return extractor

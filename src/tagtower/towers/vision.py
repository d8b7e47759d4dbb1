"""The networks that look at frames: pretrained ones as Hugging Face has them, a ResNet from scratch, descriptors.

Knows how to make and rebuild a backbone and how to call it; does not know videos.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from transformers import PreTrainedModel, ResNetConfig, ResNetModel

from tagtower.config import ImageSettings
from tagtower.errors import ConfigError, ModelError
from tagtower.features.descriptors import DESCRIPTORS
from tagtower.features.pixels import normalize
from tagtower.towers.backbones import load_blank, load_pretrained, without_pooler
from tagtower.towers.dual import is_dual, picture_side, picture_vectors
from tagtower.towers.temporal import TemporalShift
from tagtower.towers.weights import backbone_hash

PREPROCESSOR = "preprocessor_config.json"
PROCESSOR = "processor_config.json"
"""Where transformers 5 writes what a dual network does to pictures, as one part among others."""

SMALL_CROP = 96
"""Up to this many pixels a ResNet from scratch gets a stem that keeps small pictures sharp."""


@dataclass(frozen=True, slots=True)
class PixelScale:
    """Mean and standard deviation of each channel, for values in [0, 1]; ImageNet's unless told otherwise."""

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    @classmethod
    def read(cls, folder: Path) -> PixelScale:
        """Return what the preprocessor of a Hugging Face folder says, where it has one."""
        found = _read_json(folder / PREPROCESSOR) or _read_json(folder / PROCESSOR).get("image_processor", {})
        if found.get("do_normalize") is False:
            return cls(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
        default = cls()
        return cls(
            mean=tuple(found.get("image_mean", default.mean)), std=tuple(found.get("image_std", default.std))
        )

    def write(self, folder: Path) -> None:
        """Write it as `read` reads it."""
        scale = {"image_mean": list(self.mean), "image_std": list(self.std)}
        (folder / PREPROCESSOR).write_text(json.dumps(scale, indent=2) + "\n", encoding="utf-8")


class VisionBackbone(nn.Module):
    """A vision network with the normalisation that its pixels want; one vector a picture.

    With `shift` a frame's vector depends on its neighbours too, so that whole clips must be looked at.
    """

    def __init__(self, model: PreTrainedModel, pixels: PixelScale, crop: int, *, shift: bool = False) -> None:
        super().__init__()
        self._shift = TemporalShift(model) if shift else None
        self.is_dual = is_dual(model)
        model = picture_side(model) if self.is_dual else without_pooler(model)
        # Convolutions on CPU run nearly twice as fast in this layout.
        self.model = model.to(memory_format=torch.channels_last)
        self.pixels = pixels
        self.width = self._probed_width(crop)

    @property
    def looks_at_clips(self) -> bool:
        """Whether frames have to be looked at clip by clip."""
        return self._shift is not None

    def forward(
        self, pixels: Float[Tensor, "picture 3 height width"], clips: Sequence[int] | None = None
    ) -> Float[Tensor, "picture dim"]:
        """Return one vector a normalised picture: what the network pools, else its [CLS], else the mean.

        Of a two-sided network such as CLIP it is the projection into the space that both sides share.

        Args:
            clips: how many frames each clip has, in order; all are one clip unless told otherwise.
        """
        if self._shift is not None:
            self._shift.clips = [len(pixels)] if clips is None else clips
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        if self.is_dual:
            return picture_vectors(self.model, pixels)
        out = self.model(pixels)
        pooled: Tensor | None = getattr(out, "pooler_output", None)
        if pooled is not None:
            return pooled.flatten(1)
        last: Tensor = out.last_hidden_state
        return last[:, 0] if last.ndim == 3 else last.mean(dim=(2, 3))

    def look(
        self, frames: UInt8[Tensor, "frame height width 3"], clips: Sequence[int]
    ) -> Float[Tensor, "frame dim"]:
        """Return one vector a frame, on the device of the network; `clips` as in `forward`."""
        device = next(self.parameters()).device
        pixels = normalize(frames.to(device), self.pixels.mean, self.pixels.std)
        return self(pixels, clips)  # type: ignore[no-any-return]

    def spec(self) -> dict[str, Any]:
        """Return all that `look` depends on: the network with its weights, the scale of pixels, and the shift."""
        shift = {} if self._shift is None else {"temporal": "tsm"}
        return {"backbone": backbone_hash(self.model), **asdict(self.pixels), **shift}

    @torch.inference_mode()
    def _probed_width(self, crop: int) -> int:
        """Only a run tells: configurations name the width of what they pool in a dozen ways."""
        training = self.model.training
        self.model.eval()
        try:
            width = self(torch.zeros(1, 3, crop, crop)).shape[1]
        except (ValueError, RuntimeError) as error:
            raise ConfigError(
                f"The image backbone does not take pictures of image.crop = {crop} pixels: {error}",
                hint="Set image.crop to the size that it was trained on.",
            ) from None
        self.model.train(training)
        return int(width)


class Descriptors(nn.Module):
    """Descriptors side by side: they look at frames as a backbone does, have no weights, and never learn."""

    looks_at_clips = False

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._families = {name: DESCRIPTORS[name] for name in names}
        self.width = sum(family.width for family in self._families.values())

    def look(
        self, frames: UInt8[Tensor, "frame height width 3"], clips: Sequence[int]
    ) -> Float[Tensor, "frame dim"]:
        """Return one vector a frame: those of the families, one after the other."""
        found = [
            np.concatenate([family.describe(frame) for family in self._families.values()])
            for frame in frames.cpu().numpy()
        ]
        return torch.from_numpy(np.stack(found))

    def spec(self) -> dict[str, Any]:
        """Return all that `look` depends on."""
        return {"descriptors": {name: dict(family.parameters) for name, family in self._families.items()}}


FrameBackbone: TypeAlias = VisionBackbone | Descriptors


def pretrained_vision(folder: Path, crop: int, *, shift: bool = False) -> VisionBackbone:
    """Return the vision model of a Hugging Face folder, with the pixel scale of its preprocessor.

    Of a two-sided model it is the picture side.

    Raises:
        ConfigError: it does not take pictures of `crop` pixels, or cannot shift.
        ModelError: the folder holds no whole model.
    """
    return VisionBackbone(load_pretrained(folder), PixelScale.read(folder), crop, shift=shift)


def scratch_vision(settings: ImageSettings) -> VisionBackbone:
    """Return a ResNet of basic blocks with random weights.

    Source: He et al. 2016, "Deep Residual Learning for Image Recognition", section 3.
    """
    model = ResNetModel(
        ResNetConfig(
            embedding_size=settings.widths[0],
            hidden_sizes=list(settings.widths),
            depths=list(settings.depths),
            layer_type="basic",
        )
    )
    if settings.crop <= SMALL_CROP:
        stem = model.embedder.embedder
        stem.convolution = nn.Conv2d(3, settings.widths[0], kernel_size=3, stride=2, padding=1, bias=False)
        nn.init.kaiming_normal_(stem.convolution.weight, mode="fan_out", nonlinearity="relu")
    return VisionBackbone(model, PixelScale(), settings.crop, shift=settings.temporal == "tsm")


def blank_vision(config_folder: Path, crop: int, *, shift: bool = False) -> VisionBackbone:
    """Return the network that `config_folder` describes, to be filled with stored weights."""
    return VisionBackbone(load_blank(config_folder), PixelScale.read(config_folder), crop, shift=shift)


def _read_json(file: Path) -> dict[str, Any]:
    """What a file holds; nothing where there is none."""
    if not file.is_file():
        return {}
    try:
        found: dict[str, Any] = json.loads(file.read_bytes())
    except ValueError as error:
        raise ModelError(f"{file}: is not JSON: {error}.") from None
    return found

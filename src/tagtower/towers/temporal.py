"""Time inside a residual network: every block sees some channels of the frame before and some of the frame after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.models.resnet.modeling_resnet import ResNetBasicLayer, ResNetBottleNeckLayer

from tagtower.errors import ConfigError

SHARE = 8
"""One channel of so many comes from the frame before, and one from the frame after."""


def shift_channels(
    features: Float[Tensor, "frame channel height width"], clips: Sequence[int]
) -> Float[Tensor, "frame channel height width"]:
    """Return the features with the first eighth of channels taken from the frame before, the second from the one after.

    What would come from beyond the ends of a clip is zero.

    Args:
        clips: how many frames each clip has; their frames follow one another, clip by clip.

    Source: Lin et al. 2019, "TSM: Temporal Shift Module for Efficient Video Understanding", section 3.
    """
    part = features.shape[1] // SHARE
    ends = torch.tensor(clips, device=features.device).cumsum(0)
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    before, after = slice(0, part), slice(part, 2 * part)
    shifted = features.clone()
    shifted[1:, before] = features[:-1, before]
    shifted[starts, before] = 0.0
    shifted[:-1, after] = features[1:, after]
    shifted[ends - 1, after] = 0.0
    return shifted


@final
class TemporalShift:
    """Shifts channels on the way into the residual branch of each block; the shortcut keeps the frame's own.

    Put in place as a hook, so that the weights keep their names and pretrained ones fit. `clips` says, before the
    network is called, how many frames each clip has that it is about to see.

    Raises:
        ConfigError: the network has no residual blocks that it knows.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.clips: Sequence[int] = ()
        blocks = [
            block for block in model.modules() if isinstance(block, ResNetBasicLayer | ResNetBottleNeckLayer)
        ]
        if not blocks:
            raise ConfigError(
                f"image.temporal is `tsm`, but the image backbone is a {model.config.model_type}: only the residual "
                "blocks of a ResNet can shift.",
                hint="Name a ResNet as image.encoder, or set image.temporal=none and image.join=attention.",
            )
        for block in blocks:
            block.layer.register_forward_pre_hook(self._shift)

    def _shift(self, branch: nn.Module, inputs: tuple[Any, ...]) -> tuple[Tensor]:
        return (shift_channels(inputs[0], self.clips),)

"""Networks that were trained on pairs of pictures and texts, such as CLIP and SigLIP: one side at a time."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel

TEXT_PARTS = ("text_model", "text_projection")
PICTURE_PARTS = ("vision_model", "visual_projection")
OF_BOTH = ("logit_scale", "logit_bias")

READ_TO_THE_END = frozenset({"siglip", "siglip2"})
"""Networks that take a text's vector from its last place, padding or not, and were trained at full length."""


def is_dual(model: PreTrainedModel) -> bool:
    """Whether the network has a picture side and a text side that meet in one space."""
    return hasattr(model, "get_image_features") and hasattr(model, "get_text_features")


def picture_side(model: PreTrainedModel) -> PreTrainedModel:
    """Return the network without all that only texts go through."""
    return _without(model, TEXT_PARTS)


def text_side(model: PreTrainedModel) -> PreTrainedModel:
    """Return the network without all that only pictures go through."""
    return _without(model, PICTURE_PARTS)


def picture_vectors(
    side: PreTrainedModel, pixels: Float[Tensor, "picture 3 height width"]
) -> Float[Tensor, "picture dim"]:
    """Return one vector a picture in the space of both sides, not yet at length one.

    Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision", section 2.3.
    """
    vectors: Tensor = side.get_image_features(pixel_values=pixels).pooler_output
    return vectors


def text_vectors(
    side: PreTrainedModel, ids: Int64[Tensor, "text token"], mask: Bool[Tensor, "text token"], padding: int
) -> Float[Tensor, "text dim"]:
    """Return one vector a text in the space of both sides, not yet at length one.

    Args:
        padding: the token that a network which reads to the end expects behind a text.

    Source: Radford et al. 2021, section 2.3; Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training".
    """
    if side.config.model_type in READ_TO_THE_END:
        length = side.config.get_text_config().max_position_embeddings
        ids = F.pad(ids.masked_fill(~mask, padding), (0, length - ids.shape[1]), value=padding)
        mask = torch.ones_like(ids, dtype=torch.bool)
    vectors: Tensor = side.get_text_features(input_ids=ids, attention_mask=mask.long()).pooler_output
    return vectors


def _without(model: PreTrainedModel, parts: tuple[str, ...]) -> PreTrainedModel:
    for name in (*parts, *OF_BOTH):
        if hasattr(model, name):
            delattr(model, name)
    return model

"""A title or a tag into one vector: tokens, a text backbone, and pooling."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor, nn

from tagtower.config import TagSettings, TextSettings
from tagtower.features.text import tokenize
from tagtower.storage.hashing import hash_json
from tagtower.towers.backbones import TextBackbone
from tagtower.towers.inputs import collate_texts
from tagtower.towers.weights import backbone_hash

TEXTS_AT_ONCE = 64


class TextEncoder(nn.Module):
    """The text expert, or the tag tower, before its head. A frozen backbone runs once a text, in `features`.

    Two encoders may share one backbone and differ in pooling and length.
    """

    def __init__(
        self, backbone: TextBackbone, settings: TextSettings | TagSettings, *, pretrained: bool, frozen: bool
    ) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(not frozen)
        self.pretrained = pretrained
        self.frozen = frozen
        self.width = backbone.width
        self.pool = settings.pool
        self.max_tokens = settings.max_tokens

    def train(self, mode: bool = True) -> TextEncoder:
        """Switch training on or off; a frozen backbone stays off."""
        super().train(mode)
        self.backbone.train(mode and not self.frozen)
        return self

    def forward(
        self,
        values: Float[Tensor, "text dim"] | Int64[Tensor, "text token"],
        mask: Bool[Tensor, "text token"] | None,
    ) -> Float[Tensor, "text dim"]:
        """Return one vector a text from what `features` gave for it."""
        if mask is None:
            return values
        return self.backbone(values, mask, self.pool)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def features(
        self, texts: Sequence[str]
    ) -> list[Float32[np.ndarray, "dim"]] | list[Int64[np.ndarray, "token"]]:
        """Return for each text a vector where the backbone is frozen, else token ids."""
        tokens = tokenize(self.backbone.tokenizer, texts, self.max_tokens)
        if not self.frozen:
            return tokens
        device = next(self.backbone.parameters()).device
        # Texts of like length share a batch, so that little of it is padding.
        order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
        vectors: dict[int, np.ndarray] = {}
        for start in range(0, len(order), TEXTS_AT_ONCE):
            rows = order[start : start + TEXTS_AT_ONCE]
            batch = collate_texts([tokens[row] for row in rows]).to(device)
            vectors.update(zip(rows, self(batch.values, batch.mask).float().cpu().numpy(), strict=True))
        return [vectors[row] for row in range(len(texts))]

    def spec(self) -> dict[str, Any]:
        """Return all that `features` depends on: the tokens, and pooling and backbone where it is frozen."""
        return {
            "tokenizer": tokenizer_hash(self.backbone),
            "max_tokens": self.max_tokens,
            "pool": self.pool if self.frozen else None,
            "backbone": backbone_hash(self.backbone.model) if self.frozen else None,
        }


def tokenizer_hash(backbone: TextBackbone) -> str:
    """Return a hash of how the backbone's tokenizer splits and numbers any text."""
    state = json.loads(backbone.tokenizer.backend_tokenizer.to_str())
    # These two follow the last call, not the tokenizer.
    return hash_json({key: value for key, value in state.items() if key not in {"truncation", "padding"}})

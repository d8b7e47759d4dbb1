"""A text of a video, or a tag, into one vector: tokens, a text network, and pooling."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from tagtower.config import TagSettings, TextSettings
from tagtower.features.text import tokenize, tokenize_windows
from tagtower.storage.hashing import hash_json
from tagtower.towers.inputs import TextFeature, collate_texts
from tagtower.towers.text.kinds import TextNetwork
from tagtower.towers.text.lstm import WindowLstm
from tagtower.towers.weights import backbone_hash

TEXTS_AT_ONCE = 64


class TextEncoder(nn.Module):
    """The text expert, or the tag tower, before its head. A frozen backbone runs once a text, in `features`.

    Two encoders may share one backbone and differ in pooling and length. With a `window` a text is cut into windows
    of so many tokens, each read by the backbone, and an LSTM joins their vectors; it is always trained.
    """

    def __init__(
        self,
        backbone: TextNetwork,
        settings: TextSettings | TagSettings,
        *,
        pretrained: bool,
        frozen: bool,
        window: int | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(not frozen)
        self.pretrained = pretrained
        self.frozen = frozen
        self.width = backbone.width
        self.pool = settings.pool
        self.max_tokens = settings.max_tokens
        self.window = window
        self.windows = None if window is None else WindowLstm(backbone.width)

    def train(self, mode: bool = True) -> TextEncoder:
        """Switch training on or off; a frozen backbone stays off."""
        super().train(mode)
        self.backbone.train(mode and not self.frozen)
        return self

    def forward(
        self,
        values: Float[Tensor, "text dim"] | Float[Tensor, "text window dim"] | Int64[Tensor, "text token"],
        mask: Bool[Tensor, "text token"] | None,
    ) -> Float[Tensor, "text dim"]:
        """Return one vector a text from what `features` gave for it."""
        if mask is None:
            return values
        if self.windows is None:
            return self.backbone(values, mask, self.pool)  # type: ignore[no-any-return]
        if not values.is_floating_point():
            values, mask = self._read_windows(values, mask)
        return self.windows(values, mask)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def features(self, texts: Sequence[str], max_tokens: int | None = None) -> list[TextFeature]:
        """Return for each text a vector, or one a window, where the backbone is frozen, else token ids.

        Texts are cut to `max_tokens`, by default those of the settings.
        """
        tokens = self._tokens(texts, max_tokens or self.max_tokens)
        if not self.frozen:
            return tokens
        device = next(self.backbone.parameters()).device
        # Texts of like length share a batch, so that little of it is padding.
        order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
        vectors: dict[int, np.ndarray] = {}
        for start in range(0, len(order), TEXTS_AT_ONCE):
            rows = order[start : start + TEXTS_AT_ONCE]
            batch = collate_texts([tokens[row] for row in rows]).to(device)
            assert batch.mask is not None, "these are token ids"
            vectors.update(zip(rows, self._read(batch.values, batch.mask), strict=True))
        return [vectors[row] for row in range(len(texts))]

    def spec(self, max_tokens: int | None = None) -> dict[str, Any]:
        """Return all that `features` depends on: the tokens, and pooling and backbone where it is frozen."""
        return {
            "tokenizer": tokenizer_hash(self.backbone),
            "max_tokens": max_tokens or self.max_tokens,
            "pool": self.pool if self.frozen else None,
            "backbone": backbone_hash(self.backbone.model) if self.frozen else None,
        } | ({} if self.window is None else {"window": self.window})

    def _tokens(self, texts: Sequence[str], max_tokens: int) -> list[Int64[np.ndarray, "token"]]:
        tokenizer = self.backbone.tokenizer
        if self.window is None:
            return tokenize(tokenizer, texts, max_tokens)
        return tokenize_windows(tokenizer, texts, self.window, max_tokens // self.window)

    def _read(self, ids: Int64[Tensor, "text token"], mask: Bool[Tensor, "text token"]) -> list[np.ndarray]:
        """Return what a frozen backbone says of each text, all that is not trained: its vector, or its windows'."""
        if self.window is None:
            return list(self(ids, mask).float().cpu().numpy())
        vectors, real = self._read_windows(ids, mask)
        counts = real.sum(1).tolist()
        return [rows[:count] for rows, count in zip(vectors.float().cpu().numpy(), counts, strict=True)]

    def _read_windows(
        self, ids: Int64[Tensor, "text token"], mask: Bool[Tensor, "text token"]
    ) -> tuple[Float[Tensor, "text window dim"], Bool[Tensor, "text window"]]:
        """Return the vector of every window, zero where a text has no more, and which windows are real."""
        assert self.window is not None, "this encoder reads texts whole"
        missing = -ids.shape[1] % self.window
        cut = (len(ids), -1, self.window)
        ids, mask = F.pad(ids, (0, missing)).view(cut), F.pad(mask, (0, missing)).view(cut)
        real = mask[:, :, 0]
        vectors = self.backbone(ids[real], mask[real], self.pool)
        out = vectors.new_zeros((*real.shape, vectors.shape[1]))
        out[real] = vectors
        return out, real


def tokenizer_hash(backbone: TextNetwork) -> str:
    """Return a hash of how the backbone's tokenizer splits and numbers any text."""
    state = json.loads(backbone.tokenizer.backend_tokenizer.to_str())
    # These two follow the last call, not the tokenizer.
    return hash_json({key: value for key, value in state.items() if key not in {"truncation", "padding"}})

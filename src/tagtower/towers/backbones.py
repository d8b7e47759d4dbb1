"""Pretrained networks as Hugging Face has them, and the text networks under the encoders.

Knows how to make and rebuild a backbone and how to call it; does not know titles or tags.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    BertConfig,
    BertModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from tagtower.config import TextSettings
from tagtower.errors import ConfigError, ModelError
from tagtower.towers.dual import is_dual, text_side, text_vectors
from tagtower.towers.masks import masked_mean

TEXTS_TOGETHER = 32
"""Texts of like length that are read together. Of a whole batch of real titles
half the work would be padding: 128 of them took 1.9 s forward and back instead of 4.0, 2 s with 16 or 64 together."""
UNUSED = ("pooler.", "masked_spec_embed")
"""Weights that serve pretraining alone and are taken away here: they may be missing."""

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class TextBackbone(nn.Module):
    """A BERT-family encoder with its tokenizer; the last layer is pooled as the caller asks.

    Or the text side of a network such as CLIP, which pools and projects in its own way whatever the caller asks.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__()
        self.is_dual = is_dual(model)
        self.model = text_side(model) if self.is_dual else without_pooler(model)
        self.tokenizer = tokenizer
        self.width = self._probed_width() if self.is_dual else int(model.config.hidden_size)

    def forward(
        self, ids: Int64[Tensor, "text token"], mask: Bool[Tensor, "text token"], pool: Literal["cls", "mean"]
    ) -> Float[Tensor, "text dim"]:
        """Return one vector a text: that of [CLS], or the mean over its tokens."""
        if self.is_dual:
            return text_vectors(self.model, ids, mask, self.tokenizer.pad_token_id or 0)
        lengths = mask.sum(dim=1)
        if len(ids) <= TEXTS_TOGETHER or bool((lengths == lengths[0]).all()):
            return self._read(ids, mask, pool)
        order = torch.argsort(lengths, stable=True)
        parts = []
        for rows in torch.split(order, TEXTS_TOGETHER):
            longest = int(lengths[rows[-1]])
            parts.append(self._read(ids[rows, :longest], mask[rows, :longest], pool))
        return torch.cat(parts)[torch.argsort(order)]

    def _read(
        self, ids: Int64[Tensor, "text token"], mask: Bool[Tensor, "text token"], pool: Literal["cls", "mean"]
    ) -> Float[Tensor, "text dim"]:
        last: Tensor = self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return last[:, 0] if pool == "cls" else masked_mean(last, mask)

    @torch.inference_mode()
    def _probed_width(self) -> int:
        ids = torch.tensor([self.tokenizer("a")["input_ids"]])
        return self(ids, torch.ones_like(ids, dtype=torch.bool), "cls").shape[1]  # type: ignore[no-any-return]


def train_pretrained(backbone: nn.Module, mode: bool) -> None:
    """Switch training of a pretrained network on or off; batch normalisation keeps the statistics that it came with.

    The few clips of a step would give worse ones (Wang et al., "Temporal Segment Networks", 2016, section 3.2).
    """
    backbone.train(mode)
    for module in backbone.modules():
        if isinstance(module, BATCH_NORMS):
            module.eval()


def pretrained_text(folder: Path, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> TextBackbone:
    """Return the text encoder of a Hugging Face folder; of a two-sided model its text side.

    Raises:
        ConfigError: it cannot read as many as `max_tokens` tokens.
        ModelError: the folder holds no whole model.
    """
    model = load_pretrained(folder)
    longest = getattr(model.config.get_text_config(), "max_position_embeddings", max_tokens)
    if max_tokens > longest:
        raise ConfigError(
            f"{folder}: this encoder reads at most {longest} tokens, and max_tokens is {max_tokens}.",
            hint=f"Lower text.max_tokens and tag.max_tokens to {longest}.",
        )
    return TextBackbone(model, tokenizer)


def scratch_text(settings: TextSettings, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> TextBackbone:
    """Return a small BERT with random weights for texts of up to `max_tokens` tokens.

    Source: Devlin et al. 2019, "BERT", section 3.
    """
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=4 * settings.width,
        max_position_embeddings=max_tokens,
        hidden_dropout_prob=settings.dropout,
        attention_probs_dropout_prob=settings.dropout,
        pad_token_id=tokenizer.pad_token_id,
    )
    return TextBackbone(BertModel(config, add_pooling_layer=False), tokenizer)


def blank_text(config_folder: Path, tokenizer: PreTrainedTokenizerBase) -> TextBackbone:
    """Return the network that `config_folder` describes, to be filled with stored weights."""
    return TextBackbone(load_blank(config_folder), tokenizer)


def load_pretrained(folder: Path) -> PreTrainedModel:
    """Return the model of a Hugging Face folder, every weight as it is stored there.

    Raises:
        ModelError: the folder holds no whole model.
    """
    try:
        with quiet():
            model, info = AutoModel.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as error:  # damaged files raise anything, SafetensorError and KeyError among others
        raise ModelError(f"{folder}: cannot be loaded as a Hugging Face model: {error}") from error
    # transformers fills what is missing with random numbers and only warns.
    missing = sorted(name for name in info["missing_keys"] if not name.startswith(UNUSED))
    if missing:
        raise ModelError(
            f"{folder}: the weights lack {len(missing)} tensors, {missing[0]} the first.",
            hint="The file is incomplete, or belongs to another architecture than config.json names.",
        )
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from printing bars and reports: what of them matters is raised as an error."""
    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def without_pooler(model: PreTrainedModel) -> PreTrainedModel:
    """Return the model without the dense layer that BERT and ViT have behind [CLS].

    It serves their pretraining, and its weights are often not there.
    """
    pooler = getattr(model, "pooler", None)
    if pooler is not None and any(True for _ in pooler.parameters()):
        model.pooler = None
    return model


def load_blank(config_folder: Path) -> PreTrainedModel:
    """Return the network that `config_folder` describes, with random weights."""
    return AutoModel.from_config(AutoConfig.from_pretrained(config_folder, local_files_only=True))

"""The networks under the encoders: pretrained ones as Hugging Face has them, and small ones from scratch.

Knows how to make and rebuild a backbone and how to call it; does not know titles, tags or frames of a video.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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
    ResNetConfig,
    ResNetModel,
)
from transformers.utils import logging

from tagtower.config import ImageSettings, TextSettings
from tagtower.errors import ConfigError, ModelError
from tagtower.towers.masks import masked_mean

PREPROCESSOR = "preprocessor_config.json"
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
        file = folder / PREPROCESSOR
        if not file.is_file():
            return cls()
        try:
            found: dict[str, Any] = json.loads(file.read_bytes())
        except ValueError as error:
            raise ModelError(f"{file}: is not JSON: {error}.") from None
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
    """A vision network with the normalisation that its pixels want; one vector a picture."""

    def __init__(self, model: PreTrainedModel, pixels: PixelScale, crop: int) -> None:
        super().__init__()
        model = getattr(model, "vision_model", model)  # of a two-sided model such as CLIP the picture side
        # Convolutions on CPU run nearly twice as fast in this layout.
        self.model = _without_pooler(model).to(memory_format=torch.channels_last)
        self.pixels = pixels
        self.width = self._probed_width(crop)

    def forward(self, pixels: Float[Tensor, "picture 3 height width"]) -> Float[Tensor, "picture dim"]:
        """Return one vector a normalised picture: what the network pools, else its [CLS], else the mean."""
        out = self.model(pixels.contiguous(memory_format=torch.channels_last))
        pooled: Tensor | None = getattr(out, "pooler_output", None)
        if pooled is not None:
            return pooled.flatten(1)
        last: Tensor = out.last_hidden_state
        return last[:, 0] if last.ndim == 3 else last.mean(dim=(2, 3))

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


class TextBackbone(nn.Module):
    """A BERT-family encoder with its tokenizer; the last layer is pooled as the caller asks."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__()
        self.model = _without_pooler(model)
        self.tokenizer = tokenizer
        self.width = int(model.config.hidden_size)

    def forward(
        self, ids: Int64[Tensor, "text token"], mask: Bool[Tensor, "text token"], pool: Literal["cls", "mean"]
    ) -> Float[Tensor, "text dim"]:
        """Return one vector a text: that of [CLS], or the mean over its tokens."""
        last: Tensor = self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return last[:, 0] if pool == "cls" else masked_mean(last, mask)


def pretrained_vision(folder: Path, crop: int) -> VisionBackbone:
    """Return the vision model of a Hugging Face folder, with the pixel scale of its preprocessor.

    Raises:
        ConfigError: it does not take pictures of `crop` pixels.
        ModelError: the folder holds no whole model.
    """
    return VisionBackbone(_pretrained(folder), PixelScale.read(folder), crop)


def pretrained_text(folder: Path, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> TextBackbone:
    """Return the text encoder of a Hugging Face folder.

    Raises:
        ConfigError: it cannot read as many as `max_tokens` tokens.
        ModelError: the folder holds no whole model.
    """
    model = _pretrained(folder)
    longest = getattr(model.config, "max_position_embeddings", max_tokens)
    if max_tokens > longest:
        raise ConfigError(
            f"{folder}: this encoder reads at most {longest} tokens, and max_tokens is {max_tokens}.",
            hint=f"Lower text.max_tokens and tag.max_tokens to {longest}.",
        )
    return TextBackbone(model, tokenizer)


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
    return VisionBackbone(model, PixelScale(), settings.crop)


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


def blank_vision(config_folder: Path, crop: int) -> VisionBackbone:
    """Return the network that `config_folder` describes, to be filled with stored weights."""
    return VisionBackbone(_blank(config_folder), PixelScale.read(config_folder), crop)


def blank_text(config_folder: Path, tokenizer: PreTrainedTokenizerBase) -> TextBackbone:
    """Return the network that `config_folder` describes, to be filled with stored weights."""
    return TextBackbone(_blank(config_folder), tokenizer)


def _pretrained(folder: Path) -> PreTrainedModel:
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
    missing = sorted(name for name in info["missing_keys"] if not name.startswith("pooler."))
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


def _without_pooler(model: PreTrainedModel) -> PreTrainedModel:
    """A dense layer behind [CLS], as BERT and ViT have it, serves their pretraining and often lacks its weights."""
    pooler = getattr(model, "pooler", None)
    if pooler is not None and any(True for _ in pooler.parameters()):
        model.pooler = None
    return model


def _blank(config_folder: Path) -> PreTrainedModel:
    return AutoModel.from_config(AutoConfig.from_pretrained(config_folder, local_files_only=True))

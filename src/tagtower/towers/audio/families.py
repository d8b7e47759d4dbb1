"""Families of pretrained sound networks: what each is given of a sound and what is taken of its answer.

A family is found by the feature extractor that a model folder names. None of these needs torchaudio.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedModel

AST_WINDOW, AST_HOP = 400, 160
"""Frames of an AST's filter bank (samples), which its extractor does not let one choose."""

WORDS_OF_CLAP = ("text_model", "text_projection", "logit_scale_a", "logit_scale_t")


@dataclass(frozen=True, slots=True)
class Family:
    """How the networks of one family are called.

    `part` takes of a network what sounds go through, `longest` says how much it hears at a time (samples), None where
    any length goes, and `answer` gives one vector a sound; the sounds of a call are equally long.
    """

    examples: str
    part: Callable[[PreTrainedModel], PreTrainedModel]
    longest: Callable[[Any], int | None]
    answer: Callable[[PreTrainedModel, Mapping[str, Tensor], int, Any], Float[Tensor, "sound dim"]]


def _of_waveform(
    model: PreTrainedModel, inputs: Mapping[str, Tensor], samples: int, extractor: Any
) -> Float[Tensor, "sound dim"]:
    """The mean over all steps: sounds of one call are equally long, so that there is no padding among them."""
    steps: Tensor = model(inputs["input_values"]).last_hidden_state
    return steps.mean(1)


def _of_ast(
    model: PreTrainedModel, inputs: Mapping[str, Tensor], samples: int, extractor: Any
) -> Float[Tensor, "sound dim"]:
    """What it pools: the mean of its two class tokens."""
    vectors: Tensor = model(inputs["input_values"]).pooler_output
    return vectors


def _of_whisper(
    model: PreTrainedModel, inputs: Mapping[str, Tensor], samples: int, extractor: Any
) -> Float[Tensor, "sound dim"]:
    """The mean over the steps that the sound fills of those that it always has."""
    steps: Tensor = model(inputs["input_features"]).last_hidden_state
    real = -(-samples * steps.shape[1] // extractor.n_samples)
    return steps[:, :real].mean(1)


def _of_clap(
    model: PreTrainedModel, inputs: Mapping[str, Tensor], samples: int, extractor: Any
) -> Float[Tensor, "sound dim"]:
    """Its vector in the space of sounds and words. No sound is longer than it hears at a time.

    The extractor of a fusing CLAP calls one sound of a batch longer at random.
    """
    features = inputs["input_features"]
    longer = torch.zeros(len(features), 1, dtype=torch.bool, device=features.device)
    found = model.get_audio_features(input_features=features, is_longer=longer)
    vectors: Tensor = found.pooler_output
    return vectors


def _unmasked(model: PreTrainedModel) -> PreTrainedModel:
    """Without the vector that hides stretches of a sound in training, at places that nothing here could draw again."""
    model.config.mask_time_prob = model.config.mask_feature_prob = 0.0
    if hasattr(model, "masked_spec_embed"):
        del model.masked_spec_embed
    return model


def _listening(model: PreTrainedModel) -> PreTrainedModel:
    """The encoder of a network that listens and writes."""
    model.config.mask_time_prob = model.config.mask_feature_prob = 0.0
    encoder: PreTrainedModel = model.get_encoder()
    return encoder


def _without_words(model: PreTrainedModel) -> PreTrainedModel:
    for name in WORDS_OF_CLAP:
        if hasattr(model, name):
            delattr(model, name)
    return model


FAMILIES: dict[str, Family] = {
    "Wav2Vec2FeatureExtractor": Family(
        "Wav2Vec2, HuBERT, WavLM and others that hear waveforms", _unmasked, lambda _: None, _of_waveform
    ),
    "ASTFeatureExtractor": Family(
        "AST", lambda model: model, lambda one: AST_WINDOW + AST_HOP * (one.max_length - 1), _of_ast
    ),
    "WhisperFeatureExtractor": Family("Whisper", _listening, lambda one: int(one.n_samples), _of_whisper),
    "ClapFeatureExtractor": Family("CLAP", _without_words, lambda one: int(one.nb_max_samples), _of_clap),
}
"""By the name of the feature extractor."""

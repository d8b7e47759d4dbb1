"""The kinds of text network by their word of configuration: those made here, and those that come out of a folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from transformers import PreTrainedTokenizerBase

from tagtower.config import Settings, TextSettings
from tagtower.towers.backbones import TextBackbone, scratch_text
from tagtower.towers.text.bag import BagOfPieces
from tagtower.towers.text.cnn import TextCnn
from tagtower.towers.text.lstm import TextLstm

TextNetwork: TypeAlias = TextBackbone | BagOfPieces | TextCnn | TextLstm
"""Token ids, their mask and how to pool, to one vector a text of `width`; each holds its `tokenizer`."""

WINDOWED = "bert-lstm"
"""The kind that cuts a long text into windows, each read by the network of `text.window_encoder`."""


def _bert(settings: TextSettings, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> TextNetwork:
    return scratch_text(settings, tokenizer, max_tokens)


def _bow(settings: TextSettings, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> TextNetwork:
    return BagOfPieces(tokenizer, settings.width, "bow")


def _tfidf(settings: TextSettings, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> TextNetwork:
    return BagOfPieces(tokenizer, settings.width, "tfidf")


def _cnn(settings: TextSettings, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> TextNetwork:
    return TextCnn(tokenizer, settings.width)


def _lstm(settings: TextSettings, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> TextNetwork:
    return TextLstm(tokenizer, settings.width, settings.layers, settings.dropout)


TEXT_KINDS: dict[str, Callable[[TextSettings, PreTrainedTokenizerBase, int], TextNetwork]] = {
    "bert": _bert,
    "bow": _bow,
    "tfidf": _tfidf,
    "cnn": _cnn,
    "lstm": _lstm,
}
"""What starts from scratch, with random weights; any other word names a pretrained folder or hub model."""


def tag_encoder(settings: Settings) -> str:
    """Return what reads tags. `shared` is the title's network; of `bert-lstm` its BERT, as a tag is one window."""
    return settings.text.encoder if settings.tag.encoder == "shared" else settings.tag.encoder


def network_of(encoder: str, settings: Settings) -> str:
    """Return the kind, folder or hub name of the network that `encoder` stands on."""
    return settings.text.window_encoder if encoder == WINDOWED else encoder

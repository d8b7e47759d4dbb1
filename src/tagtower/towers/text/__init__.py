"""Texts into vectors: the encoder, and the networks that it may stand on."""

from tagtower.towers.text.encoder import TEXTS_AT_ONCE, TextEncoder

__all__ = ["TEXTS_AT_ONCE", "TextEncoder"]

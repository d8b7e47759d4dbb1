"""Encoders around backbones: the one place that knows which settings freeze what."""

from __future__ import annotations

from dataclasses import dataclass

from tagtower.config import Settings
from tagtower.towers.audio import AudioEncoder
from tagtower.towers.backbones import VisionBackbone
from tagtower.towers.image import ImageEncoder
from tagtower.towers.text import TextEncoder
from tagtower.towers.text.kinds import TEXT_KINDS, WINDOWED, TextNetwork, network_of, tag_encoder
from tagtower.towers.two_tower import TwoTower

FROM_SCRATCH = frozenset({"resnet", *TEXT_KINDS})


@dataclass(frozen=True, slots=True)
class Backbones:
    """The networks that a model stands on; `tag` is `text` itself where the two are shared."""

    image: VisionBackbone | None
    text: TextNetwork | None
    tag: TextNetwork


def assemble(settings: Settings, backbones: Backbones) -> TwoTower:
    """Return the model that `settings` describe over `backbones`; what is not pretrained is always trained."""
    image = text = audio = None
    if backbones.image is not None:
        image = ImageEncoder(backbones.image, settings.image, **_kind(settings, settings.image.encoder))
    if settings.audio.frontend != "none":
        audio = AudioEncoder(settings.audio)
    if backbones.text is not None:
        text = TextEncoder(
            backbones.text,
            settings.text,
            **_kind(settings, network_of(settings.text.encoder, settings)),
            window=_window(settings, settings.text.encoder),
        )
    tag = TextEncoder(
        backbones.tag,
        settings.tag,
        **_kind(settings, network_of(tag_encoder(settings), settings)),
        window=_window(settings, settings.tag.encoder),
    )
    return TwoTower(settings, image=image, audio=audio, text=text, tag=tag)


def title_tokens(settings: Settings) -> int:
    """Return the longest text, in tokens, that the title's backbone reads at a time; shared, it reads tags too."""
    text, tag = settings.text, settings.tag
    lengths = [text.max_tokens if field == "title" else text.long_tokens for field in text.fields]
    longest = text.window if text.encoder == WINDOWED else max(lengths)
    return max(longest, tag.max_tokens if tag.encoder == "shared" else 0)


def tag_tokens(settings: Settings) -> int:
    """Return the longest text, in tokens, that a tag backbone of its own has to read at a time."""
    return settings.text.window if settings.tag.encoder == WINDOWED else settings.tag.max_tokens


def _window(settings: Settings, encoder: str) -> int | None:
    return settings.text.window if encoder == WINDOWED else None


def _kind(settings: Settings, encoder: str) -> dict[str, bool]:
    pretrained = encoder not in FROM_SCRATCH
    return {"pretrained": pretrained, "frozen": pretrained and settings.train.backbones == "frozen"}

"""Encoders around backbones: the one place that knows which settings freeze what."""

from __future__ import annotations

from dataclasses import dataclass

from tagtower.config import Settings
from tagtower.towers.audio import AudioEncoder
from tagtower.towers.backbones import TextBackbone
from tagtower.towers.image import ImageEncoder
from tagtower.towers.text import TextEncoder
from tagtower.towers.two_tower import TwoTower
from tagtower.towers.vision import Descriptors, FrameBackbone

FROM_SCRATCH = frozenset({"resnet", "bert"})


@dataclass(frozen=True, slots=True)
class Backbones:
    """The networks that a model stands on; `tag` is `text` itself where the two are shared."""

    image: FrameBackbone | None
    text: TextBackbone | None
    tag: TextBackbone


def assemble(settings: Settings, backbones: Backbones) -> TwoTower:
    """Return the model that `settings` describe over `backbones`; what is not pretrained is always trained."""
    tag_source = settings.text.encoder if settings.tag.encoder == "shared" else settings.tag.encoder
    image = text = audio = None
    if backbones.image is not None:
        kind = _kind(settings, settings.image.encoder)
        if isinstance(backbones.image, Descriptors):
            kind = {"pretrained": False, "frozen": True}
        is_dual = isinstance(backbones.tag, TextBackbone) and backbones.tag.is_dual
        paired = settings.image.encoder == tag_source and is_dual
        image = ImageEncoder(backbones.image, settings.image, paired=paired, **kind)
    if settings.audio.frontend:
        audio = AudioEncoder(settings.audio)
    if backbones.text is not None:
        text = TextEncoder(backbones.text, settings.text, **_kind(settings, settings.text.encoder))
    tag = TextEncoder(backbones.tag, settings.tag, **_kind(settings, tag_source))
    return TwoTower(settings, image=image, audio=audio, text=text, tag=tag)


def title_tokens(settings: Settings) -> int:
    """Return the longest text, in tokens, that the title's backbone has to read; shared, it reads tags too."""
    shared = settings.tag.encoder == "shared"
    return max(settings.text.max_tokens, settings.tag.max_tokens if shared else 0)


def _kind(settings: Settings, encoder: str) -> dict[str, bool]:
    pretrained = encoder not in FROM_SCRATCH
    return {"pretrained": pretrained, "frozen": pretrained and settings.train.backbones == "frozen"}

"""Encoders around backbones: the one place that knows which settings freeze what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tagtower.config import Settings
from tagtower.towers.audio import AudioEncoder, PretrainedAudioEncoder, SoundEncoder
from tagtower.towers.audio.backbone import SoundBackbone
from tagtower.towers.backbones import TextBackbone
from tagtower.towers.image import ImageEncoder
from tagtower.towers.text import TextEncoder
from tagtower.towers.text.kinds import TEXT_KINDS, WINDOWED, TextNetwork, network_of, tag_encoder
from tagtower.towers.two_tower import TwoTower
from tagtower.towers.vision import Descriptors, FrameBackbone

FROM_SCRATCH = frozenset({"resnet", *TEXT_KINDS})


@dataclass(frozen=True, slots=True)
class Backbones:
    """The networks that a model stands on; `tag` is `text` itself where the two are shared.

    `audio` is None where spectra are heard from scratch, as where no sound is.
    """

    image: FrameBackbone | None
    audio: SoundBackbone | None
    text: TextNetwork | None
    tag: TextNetwork


def assemble(settings: Settings, backbones: Backbones) -> TwoTower:
    """Return the model that `settings` describe over `backbones`; what is not pretrained is always trained."""
    image = text = None
    audio: SoundEncoder | None = None
    if backbones.image is not None:
        kind = _kind(settings, settings.image.encoder, "image")
        if isinstance(backbones.image, Descriptors):
            kind = {"pretrained": False, "frozen": True}
        is_dual = isinstance(backbones.tag, TextBackbone) and backbones.tag.is_dual
        paired = settings.image.encoder == tag_encoder(settings) and is_dual
        image = ImageEncoder(backbones.image, settings.image, paired=paired, **kind)
    if backbones.audio is not None:
        frozen = _kind(settings, settings.audio.encoder, "audio")["frozen"]
        audio = PretrainedAudioEncoder(backbones.audio, settings.audio, frozen=frozen)
    elif settings.audio.is_heard:
        audio = AudioEncoder(settings.audio)
    if backbones.text is not None:
        window = _window(settings, settings.text.encoder)
        kind = _kind(settings, network_of(settings.text.encoder, settings), "text")
        text = TextEncoder(backbones.text, settings.text, **kind, window=window)
    window = _window(settings, settings.tag.encoder)
    kind = _kind(settings, network_of(tag_encoder(settings), settings), "tag")
    tag = TextEncoder(backbones.tag, settings.tag, **kind, window=window)
    if not settings.train.finetune_embeddings:
        for encoder in (text, tag):
            if encoder is not None and isinstance(encoder.backbone, TextBackbone) and encoder.pretrained:
                encoder.backbone.model.get_input_embeddings().requires_grad_(False)
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


def _kind(
    settings: Settings, encoder: str, part: Literal["image", "audio", "text", "tag"]
) -> dict[str, bool]:
    pretrained = encoder not in FROM_SCRATCH
    tuned = settings.train.backbones == "finetune" and part in settings.train.finetune
    return {"pretrained": pretrained, "frozen": pretrained and not tuned}

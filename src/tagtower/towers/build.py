"""From settings and the texts of a training set to a model whose training can begin."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tagtower.config import Settings
from tagtower.features.text import load_tokenizer, train_wordpiece
from tagtower.towers.assemble import Backbones, assemble, tag_tokens, title_tokens
from tagtower.towers.audio.backbone import SoundBackbone, pretrained_sound
from tagtower.towers.backbones import pretrained_text
from tagtower.towers.heads import ProjectionHead
from tagtower.towers.hub import pretrained_folder
from tagtower.towers.inputs import collate_texts
from tagtower.towers.names import naming_weight, read_class_names
from tagtower.towers.text.bag import BagOfPieces
from tagtower.towers.text.kinds import TEXT_KINDS, TextNetwork, network_of
from tagtower.towers.two_tower import TwoTower
from tagtower.towers.vision import Descriptors, FrameBackbone, pretrained_vision, scratch_vision


def build_two_tower(settings: Settings, titles: Sequence[str], tags: Sequence[str]) -> TwoTower:
    """Return a model with pretrained backbones where the settings name any, the rest random by `train.seed`.

    `titles` and `tags` are what a text network from scratch learns its WordPiece vocabulary from, and a `tfidf` how
    common each piece is; no backbone that is pretrained looks at them. Where the picture network knows its classes
    by name and the tag tower is pretrained, the image head starts from these names.

    Raises:
        ConfigError: a setting names no model, or one that does not fit.
        OfflineError: a setting names a hub model and the hub cannot be reached.
        ModelError: a pretrained folder cannot be read.
    """
    with torch.random.fork_rng():
        torch.manual_seed(settings.train.seed)
        text = _title_backbone(settings, titles, tags)
        backbones = Backbones(
            image=_image_backbone(settings),
            audio=_sound_backbone(settings),
            text=text,
            tag=_tag_backbone(settings, text, titles, tags),
        )
        tower = assemble(settings, backbones)
    if tower.image is not None and tower.image.pretrained and tower.tag.pretrained:
        _start_from_names(tower, tower.image.width)
    return tower


def _start_from_names(tower: TwoTower, width: int) -> None:
    """Let the image head send what the picture network has a class for to where the class's name lies."""
    image = tower.settings.image
    classes = read_class_names(pretrained_folder(image.encoder, "image.encoder"), width)
    if classes is None:
        return
    training = tower.training
    with torch.inference_mode():
        names = tower.eval().encode_tags(collate_texts(tower.tag_features(classes.names)))
    tower.train(training)
    with torch.no_grad():
        head = tower.heads["image"]
        assert isinstance(head, ProjectionHead)
        head.linear.weight.copy_(naming_weight(classes.directions, names.clone()))


def _image_backbone(settings: Settings) -> FrameBackbone | None:
    image = settings.image
    if image.encoder == "none":
        return None
    if image.descriptors:
        return Descriptors(image.descriptors)
    if image.encoder == "resnet":
        return scratch_vision(image)
    folder = pretrained_folder(image.encoder, "image.encoder")
    return pretrained_vision(folder, image.crop, shift=image.temporal == "tsm")


def _sound_backbone(settings: Settings) -> SoundBackbone | None:
    if not settings.audio.is_pretrained:
        return None
    return pretrained_sound(pretrained_folder(settings.audio.encoder, "audio.encoder"), settings.audio)


def _title_backbone(settings: Settings, titles: Sequence[str], tags: Sequence[str]) -> TextNetwork | None:
    if settings.text.encoder == "none":
        return None
    # Titles and tags are written in one language: a word of either should be whole in both towers.
    return _text_network(
        settings, settings.text.encoder, "text.encoder", title_tokens(settings), [*titles, *tags]
    )


def _tag_backbone(
    settings: Settings, title: TextNetwork | None, titles: Sequence[str], tags: Sequence[str]
) -> TextNetwork:
    if settings.tag.encoder == "shared":
        assert title is not None, "check_settings refuses `shared` without a title encoder"
        return title
    return _text_network(
        settings, settings.tag.encoder, "tag.encoder", tag_tokens(settings), [*titles, *tags]
    )


def _text_network(
    settings: Settings, encoder: str, setting: str, max_tokens: int, texts: Sequence[str]
) -> TextNetwork:
    name = network_of(encoder, settings)
    if name in TEXT_KINDS:
        tokenizer = train_wordpiece(texts, settings.text.vocabulary)
        network = TEXT_KINDS[name](settings.text, tokenizer, max_tokens)
        return network.learn(texts) if isinstance(network, BagOfPieces) else network
    folder = pretrained_folder(name, setting if name == encoder else "text.window_encoder")
    return pretrained_text(folder, load_tokenizer(folder), max_tokens)

"""From settings and the texts of a training set to a model whose training can begin."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tagtower.config import Settings
from tagtower.features.text import load_tokenizer, train_wordpiece
from tagtower.towers.assemble import Backbones, assemble, title_tokens
from tagtower.towers.backbones import (
    TextBackbone,
    pretrained_text,
    scratch_text,
)
from tagtower.towers.heads import ProjectionHead
from tagtower.towers.hub import pretrained_folder
from tagtower.towers.inputs import collate_texts
from tagtower.towers.names import naming_weight, read_class_names
from tagtower.towers.two_tower import TwoTower
from tagtower.towers.vision import Descriptors, FrameBackbone, pretrained_vision, scratch_vision


def build_two_tower(settings: Settings, titles: Sequence[str], tags: Sequence[str]) -> TwoTower:
    """Return a model with pretrained backbones where the settings name any, the rest random by `train.seed`.

    `titles` and `tags` are what a `bert` from scratch learns its WordPiece vocabulary from; no backbone that is
    pretrained looks at them. Where the picture network knows its classes by name and the tag tower is pretrained,
    the image head starts from these names.

    Raises:
        ConfigError: a setting names no model, or one that does not fit.
        OfflineError: a setting names a hub model and the hub cannot be reached.
        ModelError: a pretrained folder cannot be read.
    """
    with torch.random.fork_rng():
        torch.manual_seed(settings.train.seed)
        text = _title_backbone(settings, titles, tags)
        backbones = Backbones(
            image=_image_backbone(settings), text=text, tag=_tag_backbone(settings, text, titles, tags)
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


def _title_backbone(settings: Settings, titles: Sequence[str], tags: Sequence[str]) -> TextBackbone | None:
    text = settings.text
    if text.encoder == "none":
        return None
    if text.encoder == "bert":
        # Titles and tags are written in one language: a word of either should be whole in both towers.
        tokenizer = train_wordpiece([*titles, *tags], text.vocabulary)
        return scratch_text(text, tokenizer, title_tokens(settings))
    return _pretrained_text(text.encoder, "text.encoder", title_tokens(settings))


def _tag_backbone(
    settings: Settings, title: TextBackbone | None, titles: Sequence[str], tags: Sequence[str]
) -> TextBackbone:
    tag = settings.tag
    if tag.encoder == "shared":
        assert title is not None, "check_settings refuses `shared` without a title encoder"
        return title
    if tag.encoder == "bert":
        tokenizer = train_wordpiece([*titles, *tags], settings.text.vocabulary)
        return scratch_text(settings.text, tokenizer, tag.max_tokens)
    return _pretrained_text(tag.encoder, "tag.encoder", tag.max_tokens)


def _pretrained_text(name: str, setting: str, max_tokens: int) -> TextBackbone:
    folder = pretrained_folder(name, setting)
    return pretrained_text(folder, load_tokenizer(folder), max_tokens)

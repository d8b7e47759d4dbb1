"""The model folder: everything a model needs to give the same answers again, and nothing that is pickled.

config.json          format, settings, hash of every other file that an answer depends on
model.safetensors    all weights, backbones included
training_tags.json   the tags that occurred in training
tag_memory.json      the normal forms of the tags that have a learned vector, in the order of the vectors
metrics.json         what training measured
README.md            the model card
ranking/             what ranks beside the towers, written and read elsewhere
image/ audio/ ...    configuration of a pretrained backbone, with what it does to pictures or sounds; tokenizer of a
                     text backbone
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from tagtower.config import Settings, settings_from
from tagtower.errors import ConfigError, ModelError
from tagtower.features.text import load_tokenizer
from tagtower.storage.atomic import atomic_folder, write_bytes, write_json, write_text
from tagtower.storage.hashing import hash_file, hash_json
from tagtower.towers.assemble import FROM_SCRATCH, Backbones, assemble, tag_tokens, title_tokens
from tagtower.towers.audio import AudioEncoder
from tagtower.towers.audio.backbone import SoundBackbone, blank_sound
from tagtower.towers.backbones import blank_text
from tagtower.towers.text import TextEncoder
from tagtower.towers.text.kinds import TEXT_KINDS, TextNetwork, network_of
from tagtower.towers.two_tower import TwoTower
from tagtower.towers.vision import Descriptors, FrameBackbone, VisionBackbone, blank_vision, scratch_vision

FORMAT = 1
RANKING = "ranking"
WEIGHTS = "model.safetensors"
MEMORY = "tag_memory.json"

VECTOR_SECTIONS = {"image", "audio", "text", "tag", "fusion", "distance"}
TRAINING_ONLY = {
    "image": {"cache_draws", "dropout"},
    "audio": {"dropout"},
    "text": {"dropout", "field_dropout"},
    "tag": {"memory_dropout"},
    "fusion": {"expert_loss", "expert_targets", "modality_dropout"},
    "distance": {"sharpness", "quantisation"},
}
"""Settings of those sections that leave a finished model's vectors alone."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model out of its folder.

    Vectors may be compared only under one `vector_fingerprint`. `model_fingerprint` covers the ranking part as well:
    under one of them, one video, library and choice of ranker have one answer. Both are equal where there is none.
    """

    tower: TwoTower
    training_tags: tuple[str, ...]
    metrics: dict[str, Any]
    vector_fingerprint: str
    model_fingerprint: str
    folder: Path


def save_model(
    folder: str | Path,
    tower: TwoTower,
    training_tags: Sequence[str],
    metrics: Mapping[str, Any],
    card: str,
    save_ranking: Callable[[Path], None] = lambda folder: None,
) -> None:
    """Write `tower` as a model folder, whole or not at all; a folder that stands there is replaced.

    Args:
        save_ranking: writes the ranking part, if there is one, into the folder that it is given.
    Raises:
        StorageError: the disk is full or read-only.
    """
    with atomic_folder(folder) as partial:
        write_bytes(partial / WEIGHTS, save(_weights(tower)))
        write_json(partial / "training_tags.json", list(training_tags))
        if tower.memory is not None:
            write_json(partial / MEMORY, list(tower.memory.names))
        for part in ("image", "audio", "text", "tag"):
            _save_backbone(partial / part, tower, part)
        save_ranking(partial / RANKING)
        config: dict[str, Any] = {
            "format": FORMAT,
            "tagtower": version("tagtower"),
            "settings": tower.settings.model_dump(mode="json"),
            "files": {
                file.relative_to(partial).as_posix(): hash_file(file)
                for file in sorted(partial.rglob("*"))
                if file.is_file()
            },
        }
        # Neither the measurements nor the card, which people edit, bear on an answer.
        write_json(partial / "metrics.json", dict(metrics))
        write_text(partial / "README.md", card)
        write_json(partial / "config.json", {**config, "sha256": hash_json(config)})


def load_model(folder: str | Path, device: torch.device | str = "cpu") -> LoadedModel:
    """Return the model of a folder, ready to answer (not to train) on `device`.

    Raises:
        ModelError: there is no whole model, it was altered, or another version of TagTower wrote it.
    """
    folder = Path(folder)
    config = _checked_config(folder)
    try:
        settings = settings_from(config["settings"])
    except ConfigError as error:
        raise ModelError(f"{folder}: its settings are not those of this version: {error.message}") from None
    with torch.random.fork_rng():  # the random weights that are about to be replaced disturb no one
        tower = assemble(settings, _blank_backbones(settings, folder))
    if tower.memory is not None:
        tower.memory.grow(_read_json(folder / MEMORY))
    _fill(tower, folder / WEIGHTS)
    vectors = _vector_fingerprint(settings, config["files"])
    return LoadedModel(
        tower=tower.to(device).eval(),
        training_tags=tuple(_read_json(folder / "training_tags.json")),
        metrics=_read_json(folder / "metrics.json"),
        vector_fingerprint=vectors,
        model_fingerprint=_model_fingerprint(vectors, config["files"]),
        folder=folder,
    )


def replace_ranking(folder: str | Path, save_ranking: Callable[[Path], None]) -> None:
    """Write the ranking part of a model folder anew, whole or not at all; all else of it stays as it is.

    The vector fingerprint stays, the model fingerprint follows the ranking part. Files that stay are linked, so that
    weights are not written again where the disk can do so.

    Args:
        save_ranking: writes the whole ranking part into the folder that it is given.
    Raises:
        ModelError: as for `load_model`.
        StorageError: the disk is full or read-only.
    """
    folder = Path(folder)
    config = _checked_config(folder)
    with atomic_folder(folder) as partial:
        for file in sorted(folder.rglob("*")):
            name = file.relative_to(folder).as_posix()
            if file.is_file() and not _ranks(name):
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                _link_or_copy(file, partial / name)
        save_ranking(partial / RANKING)
        kept = {name: digest for name, digest in config["files"].items() if not _ranks(name)}
        fresh = {
            file.relative_to(partial).as_posix(): hash_file(file)
            for file in (partial / RANKING).rglob("*")
            if file.is_file()
        }
        config = {**config, "files": dict(sorted({**kept, **fresh}.items(), key=lambda item: Path(item[0])))}
        write_json(partial / "config.json", {**config, "sha256": hash_json(config)})


def _link_or_copy(file: Path, target: Path) -> None:
    try:
        target.hardlink_to(file)
    except OSError:  # not every disk links
        shutil.copy2(file, target)


def model_files(folder: Path) -> list[str]:
    """Return the files that a model depends on, by their paths in its folder; beside them lies its config.json.

    Raises:
        ModelError: as for `load_model`.
    """
    return sorted(_checked_config(folder)["files"])


def _weights(tower: TwoTower) -> dict[str, Tensor]:
    """Every tensor of the model, those of a shared backbone under the title's name alone."""
    shared = tower.text is not None and tower.tag.backbone is tower.text.backbone
    return {
        name: tensor.contiguous()
        for name, tensor in tower.state_dict().items()
        if not (shared and name.startswith("tag.backbone."))
    }


def _fill(tower: TwoTower, file: Path) -> None:
    stored, wanted = load_file(file), _weights(tower)
    wrong = sorted(stored.keys() ^ wanted.keys()) or [
        name for name in wanted if stored[name].shape != wanted[name].shape
    ]
    if wrong:
        raise ModelError(
            f"{file}: {len(wrong)} tensors are not those of the network that this version builds, {wrong[0]} "
            "the first.",
            hint="Use the versions of TagTower and transformers that wrote it, or train it anew.",
        )
    tower.load_state_dict(
        stored, strict=False
    )  # not strict: a shared backbone is filled by one of its two names


def _save_backbone(folder: Path, tower: TwoTower, part: str) -> None:
    encoder = getattr(tower, part)
    if encoder is None or isinstance(encoder, AudioEncoder):
        return
    if part == "tag" and tower.settings.tag.encoder == "shared":
        return
    backbone = encoder.backbone
    if encoder.pretrained:
        backbone.model.config.save_pretrained(folder)
        if isinstance(backbone, VisionBackbone):
            backbone.pixels.write(folder)
        if isinstance(backbone, SoundBackbone):
            backbone.extractor.save_pretrained(folder)
    if isinstance(encoder, TextEncoder):
        backbone.tokenizer.save_pretrained(folder)


def _blank_backbones(settings: Settings, folder: Path) -> Backbones:
    text = None
    if settings.text.encoder != "none":
        text = _blank_text(settings, settings.text.encoder, folder / "text", title_tokens(settings))
    if settings.tag.encoder == "shared":
        assert text is not None, "check_settings refuses `shared` without a title encoder"
        tag = text
    else:
        tag = _blank_text(settings, settings.tag.encoder, folder / "tag", tag_tokens(settings))
    audio = blank_sound(folder / "audio", settings.audio) if settings.audio.is_pretrained else None
    return Backbones(_blank_image(settings, folder / "image"), audio, text, tag)


def _blank_image(settings: Settings, folder: Path) -> FrameBackbone | None:
    if settings.image.encoder == "none":
        return None
    if settings.image.descriptors:
        return Descriptors(settings.image.descriptors)
    if settings.image.encoder in FROM_SCRATCH:
        return scratch_vision(settings.image)
    return blank_vision(folder, settings.image.crop, shift=settings.image.temporal == "tsm")


def _blank_text(settings: Settings, encoder: str, folder: Path, max_tokens: int) -> TextNetwork:
    tokenizer = load_tokenizer(folder)
    kind = network_of(encoder, settings)
    if kind in TEXT_KINDS:
        return TEXT_KINDS[kind](settings.text, tokenizer, max_tokens)
    return blank_text(folder, tokenizer)


def _checked_config(folder: Path) -> dict[str, Any]:
    """The configuration of a folder whose every file is as it was written."""
    again = "Copy the whole folder again from where it was made, or train it anew."
    if not folder.is_dir():
        raise ModelError(f"{folder}: there is no such model folder.", hint="Make one with `tagtower train`.")
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder}: has no config.json, so it is no model folder, or one written half.", hint=again
        )
    config = _read_json(folder / "config.json")
    if not isinstance(config, dict) or "format" not in config or "tagtower" not in config:
        raise ModelError(
            f"{folder}: its config.json is not one of TagTower's.",
            hint="A Hugging Face model is no TagTower model: name it as image.encoder or text.encoder and train.",
        )
    if config["format"] != FORMAT:
        raise ModelError(
            f"{folder}: is of format {config['format']}, written by TagTower {config['tagtower']}; this version "
            f"reads format {FORMAT}.",
            hint="Use the version that wrote it, or train it anew.",
        )
    if config.pop("sha256", None) != hash_json(config):
        raise ModelError(f"{folder}: its config.json was altered after it was written.", hint=again)
    for name, digest in config["files"].items():
        file = folder / name
        if not file.is_file():
            raise ModelError(f"{folder}: {name} is missing.", hint=again)
        if hash_file(file) != digest:
            raise ModelError(
                f"{folder}: {name} is not what was written: it is damaged or altered.", hint=again
            )
    return config


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{file}: cannot be read: {error}.", hint="Copy the model folder again from where it was made."
        ) from None


def _vector_fingerprint(settings: Settings, files: Mapping[str, str]) -> str:
    """A hash of all that a vector depends on; where a pretrained backbone once came from is no part of it."""
    kept = settings.model_dump(mode="json", include=VECTOR_SECTIONS, exclude=TRAINING_ONLY)
    for section in kept.values():
        section.pop("encoder", None)
    if settings.image.descriptors:  # they have no weights that would tell them apart
        kept["image"]["descriptors"] = settings.image.descriptors
    weights = {
        name: digest for name, digest in files.items() if name != "training_tags.json" and not _ranks(name)
    }
    return hash_json({"settings": kept, "files": weights})


def _model_fingerprint(vectors: str, files: Mapping[str, str]) -> str:
    """The fingerprint of the vectors, and of what ranks beside them where there is anything."""
    ranking = {name: digest for name, digest in files.items() if _ranks(name)}
    return hash_json({"vectors": vectors, "ranking": ranking}) if ranking else vectors


def _ranks(name: str) -> bool:
    return name.startswith(f"{RANKING}/")

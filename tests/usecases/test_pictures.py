"""Every choice of what looks at pictures goes the whole way: trained, evaluated, labelled, and resumed to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from tagtower.features.text import train_wordpiece
from tagtower.library.tagfile import read_tag_library
from tagtower.records import Problems, Video
from tagtower.towers import load_model
from tagtower.towers.image import UnitLength
from tagtower.training.events import EpochDone, Event
from tagtower.training.manifest import read_manifest
from tagtower.usecases.evaluate import evaluate
from tagtower.usecases.label import Labelled, label
from tagtower.usecases.session import open_session
from tagtower.usecases.train import train

CHOICES = {
    "descriptors read by a GRU": (
        "image.encoder=color,shape,texture", "image.join=gru", "train.start=fitted"
    ),
    "every third frame side by side": (
        "image.sampling=dense", "image.every=3", "image.max_frames=4", "image.join=concat"
    ),
    "all frames read by an LSTM": ("image.sampling=all", "image.max_frames=12", "image.join=lstm"),
    "shifted in time": ("image.sampling=dense", "image.every=2", "image.temporal=tsm"),
}  # fmt: skip


class Killed(BaseException):
    """Stands for a death that nobody handles."""


@pytest.mark.slow
@pytest.mark.parametrize("choice", CHOICES)
def test_it_goes_the_whole_way(job, choice: str, tmp_path: Path) -> None:
    store = job.folder / "store"
    settings = job.settings(*CHOICES[choice])
    train(job.manifest, job.tags, tmp_path / "whole", settings, store=store)

    def die(event: Event) -> None:
        if isinstance(event, EpochDone):
            raise Killed

    with pytest.raises(Killed):
        train(job.manifest, job.tags, tmp_path / "killed", settings, store=store, on_event=die)
    train(job.manifest, job.tags, tmp_path / "killed", settings, store=store, resume=True)
    whole, killed = (load_model(tmp_path / name).tower.state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)

    library = read_tag_library(job.tags, Problems())
    with open_session(tmp_path / "whole", store=store) as session:
        rows = read_manifest(job.manifest, problems=Problems()).examples
        assert evaluate(session, rows, library, split="test", modalities=("image",)).result.all.videos == 2
        (answer,) = label(session, [Video("red", str(job.clips["red"]))], library)
    assert isinstance(answer, Labelled)
    assert [tag.rank for tag in answer.tags] == list(range(1, len(library) + 1))
    assert answer.modalities["image"] == 1.0


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random network of two sides in Hugging Face's layout."""
    folder = tmp_path_factory.mktemp("clip")
    tokenizer = train_wordpiece(["red green blue low high music silence"], 200)
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "hidden_size": 8}
    words = {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 16,
        "eos_token_id": tokenizer.sep_token_id,
    }
    config = CLIPConfig(
        text_config={**layers, **words},
        vision_config={**layers, "image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("start", ["plain", "fitted"])
def test_a_dual_network_is_trained_from_what_it_knows(
    job, clip_folder: Path, start: str, tmp_path: Path
) -> None:
    settings = job.settings(
        f"image.encoder={clip_folder}", f"tag.encoder={clip_folder}", "fusion.width=8", f"train.start={start}"
    )
    report = train(job.manifest, job.tags, tmp_path / "model", settings, store=job.folder / "store")
    assert report.validation.videos == 2
    tower = load_model(tmp_path / "model").tower
    assert isinstance(tower.image.norm, UnitLength)

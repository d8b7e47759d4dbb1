"""Every choice of what looks at pictures goes the whole way: trained, evaluated, labelled, and resumed to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tagtower.library.tagfile import read_tag_library
from tagtower.records import Problems, Video
from tagtower.towers import load_model
from tagtower.training.events import EpochDone, Event
from tagtower.training.manifest import read_manifest
from tagtower.usecases.evaluate import evaluate
from tagtower.usecases.label import Labelled, label
from tagtower.usecases.session import open_session
from tagtower.usecases.train import train

CHOICES = {
    "descriptors read by a GRU": ("image.encoder=color,shape,texture", "image.join=gru"),
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

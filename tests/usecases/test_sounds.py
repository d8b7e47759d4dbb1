"""A pretrained sound network goes the whole way: trained frozen or end to end, labelled, and resumed to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tagtower.library.tagfile import read_tag_library
from tagtower.records import Problems, Video
from tagtower.towers import load_model
from tagtower.training.events import EpochDone, Event, HeadsFitted
from tagtower.usecases.label import Labelled, label
from tagtower.usecases.session import open_session
from tagtower.usecases.train import train


class Killed(BaseException):
    """Stands for a death that nobody handles."""


def die(event: Event) -> None:
    if isinstance(event, EpochDone):
        raise Killed


@pytest.mark.parametrize(
    ("family", "backbones"), [("wav2vec2", "frozen"), ("wav2vec2", "finetune"), ("whisper", "finetune")]
)
def test_it_goes_the_whole_way(
    job, sound_folders: dict[str, Path], family: str, backbones: str, tmp_path: Path
) -> None:
    settings = job.settings(
        "image.encoder=none",
        f"audio.encoder={sound_folders[family]}",
        f"train.backbones={backbones}",
        "train.start=fitted",
    )
    store = job.folder / "store"
    told: list[Event] = []
    train(job.manifest, job.tags, tmp_path / "whole", settings, store=store, on_event=told.append)
    fitted = [event.report for event in told if isinstance(event, HeadsFitted)]
    assert [set(report.heads) for report in fitted] == [{"audio"}]
    with pytest.raises(Killed):
        train(job.manifest, job.tags, tmp_path / "killed", settings, store=store, on_event=die)
    train(job.manifest, job.tags, tmp_path / "killed", settings, store=store, resume=True)
    whole, killed = (load_model(tmp_path / name).tower.state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    assert f"encoder `{sound_folders[family]}`" in (tmp_path / "whole" / "README.md").read_text()

    library = read_tag_library(job.tags, Problems())
    with open_session(tmp_path / "whole", store=store) as session:
        (answer,) = label(session, [Video("low", str(job.clips["low"]))], library)
    assert isinstance(answer, Labelled)
    assert [tag.rank for tag in answer.tags] == list(range(1, len(library) + 1))
    assert answer.modalities["audio"] == 1.0

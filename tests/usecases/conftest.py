"""An open session on the small job's model, and a model of titles with a ranker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagtower.usecases.session import Session, open_session
from tagtower.usecases.train import train

KINDS = ("walk", "song", "game", "soup", "cat")
PLACES = ("park", "sea", "town", "wood")
OVERRIDES = ("image.encoder=none", "audio.frontend=none", "ranking.kind=hybrid", "ranking.trees=20")


@pytest.fixture(scope="session")
def session(job, trained) -> Iterator[Session]:
    with open_session(trained, store=job.folder / "store") as opened:
        yield opened


@pytest.fixture(scope="session")
def titled(tmp_path_factory) -> tuple[Path, Path]:
    """A manifest and a library: titles name a kind and a place, each a tag; a nickname only similar titles explain."""
    folder = tmp_path_factory.mktemp("words")
    rows = []
    for number in range(120):
        kind, place = KINDS[number % 5], PLACES[number * 7 % 4]
        rows.append(
            {
                "id": f"v{number}",
                "title": f"a {kind} in the {place} number {number % 11}",
                "tags": [kind, place, f"best of {kind}"],
                "split": "train" if number < 80 else "val" if number < 100 else "test",
                "published": f"2024-{number // 28 + 1:02}-{number % 28 + 1:02}",
            }
        )
    (folder / "words.jsonl").write_text("\n".join(map(json.dumps, rows)))
    tags = [*KINDS, *PLACES, *(f"best of {kind}" for kind in KINDS), "solar eclipse"]
    (folder / "words.txt").write_text("\n".join(tags))
    return folder / "words.jsonl", folder / "words.txt"


@pytest.fixture(scope="session")
def titled_model(job, titled, tmp_path_factory) -> Path:
    """A model with a ranker and calibrations, trained on `titled`; tests only read it."""
    out = tmp_path_factory.mktemp("hybrid") / "model"
    train(*titled, out, job.settings(*OVERRIDES), bypass_store=True)
    return out

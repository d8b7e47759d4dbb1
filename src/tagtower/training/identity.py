"""What makes a training the same training: going on from a checkpoint of another would mix two."""

from __future__ import annotations

from tagtower.config import Settings
from tagtower.errors import TrainingError
from tagtower.storage.hashing import hash_json
from tagtower.towers import TwoTower
from tagtower.training.dataset import ExampleFeatures, TrainingData

FREE_TRAIN_SETTINGS = {"device", "threads", "checkpoint_seconds"}
"""Settings that may change between two parts of one training."""


def training_identity(tower: TwoTower, data: TrainingData, settings: Settings) -> dict[str, str]:
    """Return a hash of each thing that has to stay as it is while training goes on, by its name in words."""
    chosen = settings.model_dump(mode="json", exclude={"media": True, "train": FREE_TRAIN_SETTINGS})
    return {
        "settings": hash_json(chosen),
        "training examples": _examples_hash(data.train, settings),
        "validation examples": _examples_hash(data.val, settings),
        "features": hash_json([*(tower.spec(modality) for modality in tower.modalities), tower.spec("tag")]),
    }


def check_identity(here: dict[str, str], there: dict[str, str], place: str) -> None:
    """Refuse a checkpoint that another training wrote.

    Raises:
        TrainingError: says what differs.
    """
    differing = [name for name, value in here.items() if there.get(name) != value]
    if differing:
        raise TrainingError(
            f"{place}: this checkpoint belongs to another training: its {' and '.join(differing)} differ.",
            hint="Resume with what training began with, or begin afresh without --resume.",
        )


def _examples_hash(examples: ExampleFeatures, settings: Settings) -> str:
    """A hash of what says which tags belong to the examples."""
    rows = range(len(examples))
    tags = [[list(examples.tags(row)), list(examples.rejected(row))] for row in rows]
    if settings.positives.source == "labels":
        return hash_json(tags)
    return hash_json([tags, [examples.title(row) for row in rows]])

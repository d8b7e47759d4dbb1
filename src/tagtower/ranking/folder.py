"""The ranking part of a model folder: the ranker, the labelled videos it knows, and the calibrations.

ranker.json           the trees
neighbours.safetensors, neighbours.json    labelled videos: vectors, times, tags and words
calibration.json      maps from scores to probabilities, by order (`tower`, `hybrid`)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from scipy.sparse import csr_array

from tagtower.errors import ModelError
from tagtower.ranking.calibration import Calibration
from tagtower.ranking.learned import LearnedRanker
from tagtower.ranking.neighbours import LabelledVideos
from tagtower.storage.atomic import write_bytes, write_json

RANKER, CALIBRATION = "ranker.json", "calibration.json"
VECTORS, NAMES = "neighbours.safetensors", "neighbours.json"


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """What ranks beside the towers; a model that was trained without has neither ranker nor neighbours.

    `calibrations` has those of `tower` and `hybrid` that there were enough validation videos for.
    """

    ranker: LearnedRanker | None = None
    neighbours: LabelledVideos | None = None
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)


def save_ranking(folder: Path, ranking: Ranking) -> None:
    """Write those parts that there are into `folder`; nothing at all where there is none.

    Raises:
        StorageError: the disk is full or read-only.
    """
    if ranking.ranker is not None:
        write_bytes(folder / RANKER, ranking.ranker.to_json())
    if ranking.neighbours is not None:
        _save_neighbours(folder, ranking.neighbours)
    if ranking.calibrations:
        write_json(folder / CALIBRATION, {name: one.to_json() for name, one in ranking.calibrations.items()})


def load_ranking(folder: Path) -> Ranking:
    """Return what `save_ranking` wrote; a folder that does not exist holds nothing.

    Raises:
        ModelError: a part is missing or cannot be read, or another version wrote it.
    """
    ranker = LearnedRanker.from_json((folder / RANKER).read_bytes()) if (folder / RANKER).is_file() else None
    calibrations: dict[str, Calibration] = {}
    try:
        neighbours = _load_neighbours(folder) if (folder / NAMES).is_file() else None
        if (folder / CALIBRATION).is_file():
            stored: dict[str, Any] = json.loads((folder / CALIBRATION).read_bytes())
            calibrations = {name: Calibration.from_json(one) for name, one in stored.items()}
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"{folder}: cannot be read: {error}.", hint="Copy the model folder again from where it was made."
        ) from None
    if ranker is not None and neighbours is None:
        raise ModelError(
            f"{folder}: has a ranker but not the labelled videos that it goes by.",
            hint="Copy the model folder again from where it was made.",
        )
    return Ranking(ranker, neighbours, calibrations)


def _save_neighbours(folder: Path, neighbours: LabelledVideos) -> None:
    tensors = {
        "vectors": np.ascontiguousarray(neighbours.vectors),
        "days": neighbours.days,
        "tag_offsets": neighbours.tags.indptr.astype(np.int64),
        "tag_columns": neighbours.tags.indices.astype(np.int64),
        "gram_offsets": neighbours.grams.indptr.astype(np.int64),
        "gram_columns": neighbours.grams.indices.astype(np.int64),
    }
    write_bytes(folder / VECTORS, save(tensors))
    names = {
        "ids": list(neighbours.ids),
        "tags": list(neighbours.tag_texts),
        "vocabulary": list(neighbours.vocabulary),
    }
    write_json(folder / NAMES, names)


def _load_neighbours(folder: Path) -> LabelledVideos:
    tensors = load_file(folder / VECTORS)
    names = json.loads((folder / NAMES).read_bytes())

    def ones(name: str, width: int) -> csr_array:
        columns, offsets = tensors[f"{name}_columns"], tensors[f"{name}_offsets"]
        return csr_array(
            (np.ones(len(columns), np.float32), columns, offsets), shape=(len(offsets) - 1, width)
        )

    return LabelledVideos(
        tuple(names["ids"]),
        tensors["vectors"],
        tensors["days"],
        tuple(names["tags"]),
        ones("tag", len(names["tags"])),
        tuple(names["vocabulary"]),
        ones("gram", len(names["vocabulary"])),
    )

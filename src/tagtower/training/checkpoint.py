"""Checkpoints: a JSON file that says where training stood, and the tensors that it names.

    checkpoint.json                 written last, and so the only one that counts
    checkpoint-*.safetensors        weights, the best weights, the optimiser, the round's mined negatives

Each file is written whole or not at all, and tensors under a new name each time; those of the checkpoint before
go only when the new JSON stands. So a kill at any moment leaves a checkpoint that training can go on from.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tagtower.errors import TrainingError
from tagtower.library.tags import TagLibrary
from tagtower.records import Tag
from tagtower.storage.atomic import atomic_path, write_json
from tagtower.storage.hashing import hash_file
from tagtower.training.history import EpochMeans, EpochRecord, RoundRecord
from tagtower.training.rounds import Round, Rounds
from tagtower.training.state import Best, TrainingState

FORMAT = 1
NAME = "checkpoint.json"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A checkpoint out of its file. `state.round` is None: `restored_round` makes it."""

    identity: dict[str, str]
    state: TrainingState
    weights: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    library: TagLibrary
    memory: tuple[str, ...]
    negatives: Tensor | None

    def restored_round(self, rounds: Rounds) -> Round:
        """Return the round that training was in."""
        return rounds.restore(self.state.rounds[-1], self.library, self.negatives)


def write_checkpoint(
    folder: Path,
    identity: Mapping[str, str],
    state: TrainingState,
    weights: Mapping[str, Tensor],
    optimiser: Mapping[str, Tensor],
    memory: Sequence[str] = (),
) -> Path:
    """Write a checkpoint of a training that is in a round, and return the path of its JSON file.

    `memory` names the tags that have a learned vector, in the order of the vectors.

    Raises:
        StorageError: the disk is full or read-only; the checkpoint before still stands.
    """
    assert state.round is not None, "training is in no round yet"
    tensors = _prefixed("weights", weights) | _prefixed("optimiser", optimiser)
    if state.best is not None:
        tensors |= _prefixed("best", state.best.weights)
    if state.round.negatives is not None:
        tensors["negatives"] = state.round.negatives
    path = folder / f"checkpoint-{state.step}-{secrets.token_hex(4)}.safetensors"
    with atomic_path(path) as partial:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial)
    best = state.best
    write_json(
        folder / NAME,
        {
            "format": FORMAT,
            "identity": dict(identity),
            "tensors": path.name,
            "sha256": hash_file(path),
            "step": state.step,
            "seconds": state.seconds,
            "means": asdict(state.means),
            "best": None
            if best is None
            else {"epoch": best.epoch, "score": best.score, "version": best.version},
            "history": [record.to_json() for record in state.history],
            "rounds": [record.to_json() for record in state.rounds],
            "training_tags": list(state.training_tags),
            "memory": list(memory),
            "library": [_tag_json(tag) for tag in state.round.snapshot.library.tags],
        },
    )
    _remove_tensors(folder, keep=path.name)
    return folder / NAME


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the checkpoint of a folder, or None where there is none.

    Raises:
        TrainingError: it is damaged, or another version of TagTower wrote it.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_bytes())
        if values["format"] != FORMAT:
            raise TrainingError(
                f"{path}: this checkpoint has format {values['format']}; this version reads {FORMAT}.",
                hint="Resume with the version that wrote it, or begin afresh without --resume.",
            )
        stored = folder / values["tensors"]
        if hash_file(stored) != values["sha256"]:
            raise ValueError(f"{stored.name} is not what was written")
        return _checkpoint(values, load_file(stored))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise TrainingError(
            f"{path}: this checkpoint cannot be read: {error}", hint="Begin afresh without --resume."
        ) from error


def remove_checkpoint(folder: Path) -> None:
    """Remove the checkpoint of a folder, if there is one."""
    (folder / NAME).unlink(missing_ok=True)
    _remove_tensors(folder)


def _checkpoint(values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Checkpoint:
    best = values["best"]
    state = TrainingState(
        step=values["step"],
        seconds=values["seconds"],
        means=EpochMeans(**values["means"]),
        history=[EpochRecord.from_json(record) for record in values["history"]],
        rounds=[RoundRecord.from_json(record) for record in values["rounds"]],
        training_tags=dict.fromkeys(values["training_tags"]),
        best=None if best is None else Best(**best, weights=_part(tensors, "best")),
    )
    return Checkpoint(
        identity=values["identity"],
        state=state,
        weights=_part(tensors, "weights"),
        optimiser=_part(tensors, "optimiser"),
        library=TagLibrary.from_tags(_tag(values) for values in values["library"]),
        memory=tuple(values["memory"]),
        negatives=tensors.get("negatives"),
    )


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = prefix + "/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _tag_json(tag: Tag) -> dict[str, Any]:
    return {**asdict(tag), "expires": None if tag.expires is None else tag.expires.isoformat()}


def _tag(values: Mapping[str, Any]) -> Tag:
    expires = values["expires"]
    return Tag(
        text=values["text"],
        aliases=tuple(values["aliases"]),
        description=values["description"],
        expires=None if expires is None else datetime.fromisoformat(expires),
    )


def _remove_tensors(folder: Path, keep: str | None = None) -> None:
    for path in folder.glob("checkpoint-*.safetensors"):
        if path.name != keep:
            path.unlink()

"""What TensorBoard reads back is what training told."""

from __future__ import annotations

from pathlib import Path

from tensorboardX.proto.event_pb2 import Event

from tagtower.training.tensorboard import TensorBoardLog


def records(folder: Path) -> dict[str, list[int]]:
    """The steps of each scalar; a record is its length, a checksum, an event and a checksum."""
    steps: dict[str, list[int]] = {}
    for path in folder.iterdir():
        content = path.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            event = Event.FromString(content[12 : 12 + length])
            for value in event.summary.value:
                steps.setdefault(value.tag, []).append(event.step)
            content = content[16 + length :]
    return steps


def test_scalars_of_steps_epochs_and_rounds(problem, tmp_path):
    with TensorBoardLog(tmp_path / "logs") as log:
        problem(loss={"name": "triplet"}, train={"epochs": 2}).fit(on_event=log)
    steps = records(tmp_path / "logs")
    assert steps["step/loss"] == list(range(1, 21))
    assert steps["validation/ndcg_at_10"] == [0, 10, 20]
    assert steps["epoch/loss"] == [10, 20]
    assert steps["gate/text"] == [0, 10, 20]
    assert steps["mining/active_hinges"] == [0, 10]


def test_nothing_is_written_before_there_is_something(tmp_path):
    with TensorBoardLog(tmp_path / "logs"):
        pass
    assert not (tmp_path / "logs").exists()

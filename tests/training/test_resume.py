"""A training that was killed or interrupted goes on to the weights that an uninterrupted one has, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tagtower.errors import TrainingError
from tagtower.library.tags import TagLibrary
from tagtower.training.dataset import MemoryExamples
from tagtower.training.events import EpochDone, Event, RoundMined, StepDone, Stopped
from tagtower.training.weights import copy_weights

SCRIPT = Path(__file__).with_name("resume_run.py")


class Killed(BaseException):
    """Stands for a death that nobody handles."""


def once(condition: Callable[[Event], bool], act: Callable[[], None]) -> Callable[[Event], None]:
    """A listener that acts at the first event that meets the condition."""
    done = []

    def listen(event: Event) -> None:
        if not done and condition(event):
            done.append(event)
            act()

    return listen


def die() -> None:
    raise Killed


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, folder, *arguments],
        capture_output=True,
        text=True,
        timeout=250,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_killed_processes_reach_the_same_weights(tmp_path):
    """Killed right after a step, right after a checkpoint, inside a round and at its end: all the same."""
    whole = run(tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    for step in (3, 10, 17):
        killed = run(tmp_path / "killed", str(step))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    finished = run(tmp_path / "killed")
    assert finished.returncode == 0, finished.stderr
    assert len(finished.stdout.split()) < len(whole.stdout.split()) / 2, "it did not start over"
    one, other = (tmp_path / name / "final.safetensors" for name in ("whole", "killed"))
    assert one.read_bytes() == other.read_bytes()
    histories = [
        json.loads((tmp_path / name / "checkpoint.json").read_text())["history"]
        for name in ("whole", "killed")
    ]
    for history in histories:
        for record in history:
            del record["seconds"]
    assert histories[0] == histories[1]


@pytest.mark.parametrize("loss", ["triplet", "softmax"])
@pytest.mark.parametrize("refresh", ["epoch", 7])
def test_going_on_inside_a_round_changes_nothing(problem, tmp_path, loss, refresh):
    ready = problem(
        loss={"name": loss}, negatives={"refresh": refresh}, train={"epochs": 2, "checkpoint_seconds": 1e-9}
    )
    whole = ready.tower()
    expected = ready.fit(whole)
    stop = once(lambda event: isinstance(event, StepDone) and event.step == 13, die)
    with pytest.raises(Killed):
        ready.fit(state_folder=tmp_path, on_event=stop)
    resumed = ready.tower()
    steps: list[Event] = []
    found = ready.fit(resumed, state_folder=tmp_path, resume=True, on_event=steps.append)
    assert next(event.step for event in steps if isinstance(event, StepDone)) == 13
    assert all(torch.equal(copy_weights(whole)[name], value) for name, value in copy_weights(resumed).items())
    assert [replace(record, seconds=0.0) for record in found.history] == [
        replace(record, seconds=0.0) for record in expected.history
    ]
    assert found.rounds == expected.rounds
    assert found.seconds > 0


def test_a_round_goes_on_with_the_library_it_began_with(problem, tmp_path):
    """The library changed while nobody trained: the rest of the round must not see it, the next must."""
    ready = problem(loss={"name": "triplet"}, train={"epochs": 2, "checkpoint_seconds": 1e-9})
    early = TagLibrary.from_tags(ready.library.tags[:-1])
    whole = ready.tower()
    ready.fit(whole, tag_source=iter([early, ready.library]).__next__)
    stop = once(lambda event: isinstance(event, StepDone) and event.step == 4, die)
    with pytest.raises(Killed):
        ready.fit(state_folder=tmp_path, on_event=stop, tag_source=lambda: early)
    resumed = ready.tower()
    result = ready.fit(resumed, state_folder=tmp_path, resume=True)
    assert [record.library for record in result.rounds] == [early.version, ready.library.version]
    assert all(torch.equal(copy_weights(whole)[name], value) for name, value in copy_weights(resumed).items())


@pytest.mark.parametrize("kind", [RoundMined, StepDone, EpochDone])
def test_ctrl_c_in_every_phase_keeps_what_was_done(problem, tmp_path, kind):
    ready = problem(loss={"name": "triplet"}, train={"epochs": 2})
    whole = ready.tower()
    ready.fit(whole)
    events: list[Event] = []
    press = once(lambda event: isinstance(event, kind), lambda: signal.raise_signal(signal.SIGINT))

    def listen(event: Event) -> None:
        events.append(event)
        press(event)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        ready.fit(state_folder=tmp_path, on_event=listen)
    assert signal.getsignal(signal.SIGINT) is before
    assert isinstance(events[-1], Stopped)
    assert events[-1].reason == "interrupted"
    assert (tmp_path / "checkpoint.json").exists()
    resumed = ready.tower()
    ready.fit(resumed, state_folder=tmp_path, resume=True)
    assert all(torch.equal(copy_weights(whole)[name], value) for name, value in copy_weights(resumed).items())


def test_ctrl_c_before_the_first_round_leaves_nothing_behind(problem, tmp_path):
    ready = problem()

    def source() -> TagLibrary:
        signal.raise_signal(signal.SIGINT)
        return ready.library

    with pytest.raises(KeyboardInterrupt):
        ready.fit(
            state_folder=tmp_path, tag_source=source, settings=problem(loss={"name": "triplet"}).settings
        )
    assert not list(tmp_path.iterdir())


def test_training_outside_the_main_thread_needs_no_signals(problem):
    results: list[object] = []
    ready = problem(train={"epochs": 1})
    thread = threading.Thread(target=lambda: results.append(ready.fit()))
    thread.start()
    thread.join()
    assert len(results) == 1


def test_a_finished_training_is_taken_up_without_a_step(problem, tmp_path):
    ready = problem(train={"epochs": 2})
    first = ready.tower()
    done = ready.fit(first, state_folder=tmp_path)
    events: list[Event] = []
    second = ready.tower()
    again = ready.fit(second, state_folder=tmp_path, resume=True, on_event=events.append)
    assert not [event for event in events if isinstance(event, StepDone)]
    assert again.best == done.best
    assert all(torch.equal(copy_weights(first)[name], value) for name, value in copy_weights(second).items())


def test_starting_anew_clears_the_old_checkpoint_away(problem, tmp_path):
    ready = problem(train={"epochs": 1})
    ready.fit(state_folder=tmp_path)
    with pytest.raises(Killed):
        ready.fit(state_folder=tmp_path, on_event=once(lambda event: isinstance(event, RoundMined), die))
    assert not (tmp_path / "checkpoint.json").exists()


def test_other_settings_or_examples_are_not_mixed_in(problem, tmp_path):
    ready = problem(train={"epochs": 1})
    ready.fit(state_folder=tmp_path)
    with pytest.raises(TrainingError, match=r"its settings differ"):
        problem(train={"epochs": 2}).fit(state_folder=tmp_path, resume=True)
    fewer = MemoryExamples(ready.data.train.listed_tags[:-1], ready.data.train.listed_features[:-1])
    with pytest.raises(TrainingError, match=r"its training examples differ"):
        ready.fit(data=replace(ready.data, train=fewer), state_folder=tmp_path, resume=True)


def test_threads_and_checkpoint_times_may_differ(problem, tmp_path):
    problem(train={"epochs": 1}).fit(state_folder=tmp_path)
    problem(train={"epochs": 1, "checkpoint_seconds": 5, "threads": 1}).fit(
        state_folder=tmp_path, resume=True
    )

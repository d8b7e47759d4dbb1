"""The frame of the command line: exit codes, messages on stderr, and a start that loads nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tagtower.errors import MediaError, StorageError, TrainingError, UsageError
from tagtower.faces.cli import main as frame
from tagtower.faces.cli.main import main

HEAVY = {"torch", "transformers", "av", "matplotlib", "huggingface_hub", "tokenizers"}


def imported_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after `code`."""
    listed = f"import sys\n{code}\nprint('\\n'.join({{name.split('.')[0] for name in sys.modules}}), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", listed], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["label", "--help"], ["config", "show"]],
    ids=lambda arguments: " ".join(arguments),
)
def test_help_loads_nothing_heavy(arguments):
    code = f"from tagtower.faces.cli.main import main\nmain({arguments!r})"
    assert not imported_by(code) & HEAVY


def test_importing_the_package_loads_nothing_heavy():
    assert not imported_by("import tagtower") & HEAVY


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (MediaError("a.mp4", "empty", "is empty"), 3),
        (TrainingError("x"), 3),
        (StorageError("x", hint="Free some space."), 3),
        (OSError(28, "No space left on device"), 3),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 0),
        (ZeroDivisionError("x"), 70),
        (OSError(5, "Input/output error"), 70),
    ],
    ids=lambda value: repr(value),
)
def test_failures_become_exit_codes(monkeypatch, error, code):
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(frame, "_command", lambda: fail)
    monkeypatch.setattr(frame, "_drop_stdout", lambda: None)
    assert main([]) == code


def test_an_expected_failure_says_what_to_do_and_shows_no_traceback(monkeypatch, capsys):
    def fail(*arguments: object, **options: object) -> None:
        raise StorageError("the disk is full", hint="Free some space.")

    monkeypatch.setattr(frame, "_command", lambda: fail)
    main([])
    assert capsys.readouterr().err == "tagtower: the disk is full\n  Free some space.\n"


def test_a_bug_shows_its_traceback_and_where_to_report_it(monkeypatch, capsys):
    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(frame, "_command", lambda: fail)
    main([])
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "this is a bug" in told
    assert frame.ISSUES in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["frobnicate"], "No such command"),
        (["label", "--frobnicate"], "No such option"),
        (["label", "model"], "Missing"),
        (["train", "m.jsonl", "--tags", "t.txt"], "Missing option '--out'"),
        (["label", "model", "a.mp4", "--tags", "t.txt", "--top-k", "many"], "--top-k"),
        (["config", "explain", "los.margin"], "loss.margin"),
        (["config", "show", "--preset", "huge"], "tiny"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_told_before_anything_is_done(tagtower, arguments, told):
    result = tagtower(*arguments)
    assert result.code == 2
    assert told in result.err
    assert result.out == ""


def test_the_version_is_printed(tagtower):
    result = tagtower("--version")
    assert (result.code, result.out[:9]) == (0, "tagtower ")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_results_that_no_longer_fit_onto_the_disk():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "tagtower", "config", "show", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert done.returncode == 3
    assert done.stderr.startswith("tagtower: the output could not be written: No space left on device.")


def test_a_reader_that_goes_away_is_no_failure():
    command = f"{sys.executable} -m tagtower config show --json | head -c 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")

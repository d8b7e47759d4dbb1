"""Progress on stderr: bars on a terminal, lines elsewhere, and results that stay on stdout."""

from __future__ import annotations

import sys

from tagtower.faces.cli.progress import TerminalProgress


def work(*, quiet: bool = False) -> None:
    with TerminalProgress(quiet=quiet) as progress:
        progress.phase("first", None)
        progress.phase("labelling", 2)
        progress.advance(note="half done")
        print("a result")  # noqa: T201
        progress.tell("[red]remark[/red]")
        progress.advance()


def test_without_a_terminal_only_remarks_are_printed(capsys):
    work()
    assert capsys.readouterr() == ("a result\n", "[red]remark[/red]\n")


def test_quiet_prints_nothing(capsys):
    work(quiet=True)
    assert capsys.readouterr() == ("a result\n", "")


def pretend_terminal(monkeypatch) -> None:
    """Stderr as a terminal, stdout as a file."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


def test_on_a_terminal_bars_are_drawn_and_results_still_go_into_the_file(monkeypatch, capsys):
    pretend_terminal(monkeypatch)
    work()
    out, err = capsys.readouterr()
    assert out == "a result\n"
    assert "labelling" in err
    assert "half done" in err
    assert "[red]remark[/red]" in err
    assert "first" not in err.splitlines()[-1]


def test_quiet_draws_no_bars_on_a_terminal(monkeypatch, capsys):
    pretend_terminal(monkeypatch)
    work(quiet=True)
    assert capsys.readouterr() == ("a result\n", "")

"""Keys on the command line: made once, listed without their secret, revoked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tagtower.faces.cli.main import main


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = str(tmp_path / "home")
    assert main(["init", home]) == 0
    capsys.readouterr()
    assert main(["keys", home, "create", "press desk", "--role", "editor"]) == 0
    secret = capsys.readouterr().out.strip()
    assert len(secret) >= 32
    assert main(["keys", home, "list", "--json"]) == 0
    listed = capsys.readouterr().out
    assert secret not in listed
    (key,) = json.loads(listed)["keys"]
    assert (key["name"], key["role"]) == ("press desk", "editor")
    assert main(["keys", home, "revoke", "press desk"]) == 0
    capsys.readouterr()
    assert main(["keys", home, "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["keys"][0]["revoked"]


def test_a_role_that_there_is_not_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = str(tmp_path / "home")
    main(["init", home])
    assert main(["keys", home, "create", "x", "--role", "king"]) == 2
    assert "editor" in capsys.readouterr().err


def test_other_machines_are_not_served_without_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(tmp_path / "new"), "--host", "0.0.0.0", "--no-worker"]) == 2
    assert "tagtower keys" in capsys.readouterr().err

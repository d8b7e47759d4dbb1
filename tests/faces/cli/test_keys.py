"""`tagtower keys` makes, lists and revokes keys; `tagtower serve` refuses to serve others without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagtower.usecases.installation.home import init


@pytest.fixture
def home(tmp_path: Path) -> Path:
    init(tmp_path / "home", environment={})
    return tmp_path / "home"


def test_a_key_is_shown_once_and_revoked_for_good(tagtower, home) -> None:
    made = tagtower("keys", home, "create", "newsroom", "--role", "editor", "--json").json
    assert made["key"].startswith("tt_")
    listed = tagtower("keys", home, "list", "--json")
    assert made["key"] not in listed.out
    assert [(one["name"], one["role"], one["revoked"]) for one in listed.json["keys"]] == [
        ("newsroom", "editor", None)
    ]
    assert tagtower("keys", home, "revoke", "newsroom").code == 0
    assert tagtower("keys", home, "list", "--json").json["keys"][0]["revoked"]
    assert tagtower("keys", home, "create", "newsroom").code == 3
    assert tagtower("keys", home, "revoke", "nobody").code == 3
    assert tagtower("keys", home, "create", "other", "--role", "king").code == 2


def test_other_machines_are_not_served_without_keys(tagtower, tmp_path) -> None:
    answer = tagtower("serve", tmp_path / "new", "--host", "0.0.0.0", "--no-worker")
    assert answer.code == 2
    assert "tagtower keys" in answer.err

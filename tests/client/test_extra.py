"""What happens where httpx is not installed."""

from __future__ import annotations

import sys

import pytest

import tagtower.client
from tagtower.errors import MissingExtraError


def test_without_httpx_the_extra_is_named(monkeypatch) -> None:
    for name in ("tagtower.client.client", "tagtower.client.transport", "tagtower.client.grouping"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtraError) as missing:
        _ = tagtower.client.Client
    assert 'pip install "tagtower[client]"' in (missing.value.hint or "")

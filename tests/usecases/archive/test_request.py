"""The folder of the results: what may be written into, gone on with, and removed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tagtower.errors import UsageError
from tagtower.usecases.archive.request import RUN, StartRequest, check_place, clear


@pytest.fixture
def asked(tmp_path) -> StartRequest:
    return StartRequest(tmp_path / "archive", tmp_path / "tags.txt", tmp_path / "out")


@pytest.fixture
def begun(asked) -> StartRequest:
    asked.out.mkdir()
    (asked.out / RUN).write_text(json.dumps(asked.to_json()))
    return asked


def test_a_new_or_empty_folder_is_free(asked):
    check_place(asked, resume=False, overwrite=False)
    asked.out.mkdir()
    check_place(asked, resume=False, overwrite=False)


def test_results_are_gone_on_with_or_replaced_on_askedalone(begun):
    check_place(begun, resume=True, overwrite=False)
    check_place(begun, resume=False, overwrite=True)
    for resume, overwrite in ((False, False), (True, True)):
        with pytest.raises(UsageError):
            check_place(begun, resume=resume, overwrite=overwrite)


@pytest.mark.parametrize("change", [{"top_k": 7}, {"titles": "none"}, {"source": Path("/elsewhere")}])
def test_another_askedis_not_gone_on_with(begun, change):
    other = replace(begun, **change)
    with pytest.raises(UsageError, match="another request"):
        check_place(other, resume=True, overwrite=False)
    check_place(other, resume=False, overwrite=True)


def test_clearing_leaves_what_others_put_there(begun):
    (begun.out / "sidecars").mkdir()
    (begun.out / "notes.txt").write_text("mine")
    clear(begun.out)
    assert [one.name for one in begun.out.iterdir()] == ["notes.txt"]
    with pytest.raises(UsageError, match="no results of `start`"):
        check_place(begun, resume=False, overwrite=True)

"""`tagtower feedback HOME export` as typed."""

from __future__ import annotations

from tagtower.usecases.installation.home import init


def test_feedback_is_exported(tagtower, tmp_path):
    init(tmp_path / "home", environment={})
    out = tmp_path / "out.jsonl"
    found = tagtower("feedback", tmp_path / "home", "export", out)
    assert (found.code, found.out) == (0, f"{out}: 0 videos, 0 tags accepted or added, 0 rejected\n")
    assert tagtower("feedback", tmp_path / "home", "export", out).code == 2
    assert tagtower("feedback", tmp_path / "home", "export", out, "--overwrite", "--json").json["videos"] == 0

"""Titles of files that no manifest describes: none, from the name, or from inside the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tagtower.media.write import write_clip
from tagtower.records import Problems
from tagtower.training.manifest import read_manifest, title_from_name


def titles_of(folder, source):
    examples = read_manifest(folder, problems=Problems(), titles=source).examples
    return {one.video.id: one.video.title for one in examples}


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("my_first.video__clip.mp4", "my first video clip"),
        ("Grüße_aus.Köln.mkv", "Grüße aus Köln"),
        ("__.mp4", None),
    ],
)
def test_a_name_is_a_title_without_its_punctuation(name, title):
    assert title_from_name(Path("folder.d") / name) == title


def test_files_have_titles_only_on_request(tmp_path):
    silence = np.zeros(8000, np.float32)
    write_clip(tmp_path / "a_b.mp4", waveform=silence, frames=None, title=" From inside ")
    write_clip(tmp_path / "plain.m4a", waveform=silence, frames=None)
    (tmp_path / "broken.mp4").write_bytes(b"no container")
    assert titles_of(tmp_path, "none") == {"a_b.mp4": None, "plain.m4a": None, "broken.mp4": None}
    assert titles_of(tmp_path, "filename") == {"a_b.mp4": "a b", "plain.m4a": "plain", "broken.mp4": "broken"}
    assert titles_of(tmp_path, "metadata") == {
        "a_b.mp4": "From inside",
        "plain.m4a": None,
        "broken.mp4": None,
    }

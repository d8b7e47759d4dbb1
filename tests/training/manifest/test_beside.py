"""Which subtitle file is whose, and which of several is taken."""

from __future__ import annotations

from itertools import permutations

import pytest

from tagtower.training.manifest.beside import subtitles_beside


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (["clip.srt"], "clip.srt"),
        (["clip.VTT"], "clip.VTT"),
        (["clip.en.srt"], "clip.en.srt"),
        (["clip.pt-BR.vtt", "clip.zh-Hans.vtt"], "clip.pt-BR.vtt"),
        (["clip.de.srt", "clip.srt", "clip.en.srt"], "clip.srt"),
        (["clip.srt", "clip.vtt"], "clip.srt"),
        (["clip.de.vtt", "clip.en.vtt", "clip.en.srt"], "clip.en.srt"),
        (["clip.en.vtt", "clip.fr-orig.vtt", "clip.aa.vtt"], "clip.fr-orig.vtt"),
        (["clip.en.sdh.srt"], "clip.en.sdh.srt"),
        (["clip.sdh.srt"], "clip.sdh.srt"),
        (["clip.en.forced.srt", "clip.forced.srt"], None),
        (["clips.srt", "other.en.srt", "clip", "clip.en.txt", "clip.1080p.srt", "srt", ".srt"], None),
    ],
)
def test_one_of_several_is_taken_whatever_their_order(names, taken):
    for order in permutations(names[:4]):
        found = subtitles_beside([*order, *names[4:]], {"clip"})
        assert found == ({} if taken is None else {"clip": taken})


def test_a_name_with_dots_is_no_language():
    names = ["part.en.srt", "part.srt", "part.en.de.srt"]
    assert subtitles_beside(names, {"part", "part.en"}) == {"part": "part.srt", "part.en": "part.en.srt"}

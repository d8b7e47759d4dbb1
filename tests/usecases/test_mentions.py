"""Tags named in words: whole words, in order, singular or plural, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagtower.library.tags import TagLibrary
from tagtower.records import Example, MentionEvidence, Tag, Video
from tagtower.usecases.mentions import Mentions, written_about

LIBRARY = TagLibrary.from_tags(
    [
        Tag("red fox", aliases=("vulpes",)),
        Tag("Fox cubs"),
        Tag("art"),
        Tag("sea"),
        Tag("berry"),
        Tag("日食"),
        Tag("glass"),
    ]
)


def named(text: str) -> list[str]:
    return [LIBRARY.texts[tag] for tag in Mentions(LIBRARY).find_in({"title": (text,)})]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("A RED fox!", ["red fox"]),
        ("fox red, cub", []),
        ("a red fox cub", ["red fox", "Fox cubs"]),
        ("Vulpes vulpes", ["red fox"]),
        ("party, start, arty", []),
        ("seas and berries", ["sea", "berry"]),
        ("glas", []),
        ("今天的日食", ["日食"]),
        ("", []),
    ],
)
def test_whole_words_in_their_order(text, tags):
    assert named(text) == tags


def test_where_a_tag_is_named_and_the_most_telling_first(tmp_path):
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nart and the sea\n")
    media = tmp_path / "RedFox" / "seaArt2024.mp4"
    video = Video("a", str(media), "the berries", subtitles=str(tmp_path / "a.srt"))
    found = Mentions(LIBRARY).find_in(written_about(Example(video, tags=("sea",)), tmp_path))
    assert {LIBRARY.texts[tag]: tuple(one.field for one in mentions) for tag, mentions in found.items()} == {
        "sea": ("own tags", "file name", "subtitles"),
        "berry": ("title",),
        "art": ("file name", "subtitles"),
        "red fox": ("folder",),
    }
    assert [LIBRARY.texts[tag] for tag in found][:2] == ["sea", "berry"]
    berry = next(mentions for tag, mentions in found.items() if LIBRARY.texts[tag] == "berry")
    assert berry == (MentionEvidence("berries", "title"),)


def test_folders_do_not_join_into_a_tag_and_those_above_the_archive_do_not_count(tmp_path):
    root = Path("/sea")
    row = Example(Video("a", "/sea/red/fox/x.mp4", "x"))
    assert written_about(row, root) == {"file name": ("x",), "folder": ("red", "fox")}
    found = Mentions(LIBRARY).find_in(written_about(row, root))
    assert found == {}

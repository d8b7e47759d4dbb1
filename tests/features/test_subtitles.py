"""Subtitle files as they come: encodings, marks, rolling captions, and damage that is told by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagtower.features.subtitles import (
    MAX_BYTES,
    decode_text,
    names_subtitle_file,
    parse_subtitles,
    read_subtitles,
)

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Previously</i> on the show...

2
00:00:02,600 --> 00:00:04,000 X1:100 X2:200 Y1:10 Y2:20
{\\an8}- Where is the <font color="#ffff00">café</font>?
- Straight on.

3
00:00:05,000 --> 00:00:06,000
ANNA: I &lt;3 it &amp; you
1984 was the year
"""

VTT = """WEBVTT - made by hand
Kind: captions

STYLE
::cue { color: lime }

NOTE a note
that has two lines

intro
00:01.000 --> 00:02.000 align:start position:0%
<v Mary Ann>Hello&nbsp;there</v>

00:00:03.000 --> 00:00:04.000
>> BOB: <c.yellow>Good</c> <00:00:03.500>morning ♪
"""

ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.000 --> 00:00:02.000 align:start position:0%

so<00:00:00.300><c> today</c><00:00:00.600><c> we</c>

00:00:02.000 --> 00:00:02.010 align:start position:0%
so today we


00:00:02.010 --> 00:00:04.000 align:start position:0%
so today we
bake<00:00:02.400><c> bread</c>

00:00:04.000 --> 00:00:04.010 align:start position:0%
bake bread

00:00:04.010 --> 00:00:06.000 align:start position:0%
bake bread
with rye
"""


def test_subrip_gives_the_spoken_words() -> None:
    found = parse_subtitles(SRT)
    assert found.text == (
        "Previously on the show... Where is the café? Straight on. I <3 it & you 1984 was the year"
    )
    assert found.faults == ()


def test_webvtt_leaves_out_header_style_notes_and_names() -> None:
    found = parse_subtitles(VTT)
    assert found.text == "Hello there Good morning"
    assert found.faults == ()


def test_rolling_captions_are_said_once() -> None:
    assert parse_subtitles(ROLLING).text == "so today we bake bread with rye"


def test_a_line_that_grows_word_by_word_is_said_once() -> None:
    cues = ["so", "so today", "so today we"]
    document = "\n\n".join(f"00:00:0{n}.000 --> 00:00:0{n + 1}.000\n{text}" for n, text in enumerate(cues))
    assert parse_subtitles(document).text == "so today we"


def test_what_is_said_again_after_a_pause_counts_again() -> None:
    document = "00:00:01.000 --> 00:00:02.000\nno\n\n00:00:05.000 --> 00:00:06.000\nno\n"
    assert parse_subtitles(document).text == "no no"


def test_cues_without_blank_lines_or_numbers_are_told_apart() -> None:
    document = (
        "1\n0:00:01.0 --> 0:00:02.0\none\n2\n0:00:03.0 --> 0:00:04.0\ntwo\n0:00:05.0 --> 0:00:06.0\nthree"
    )
    assert parse_subtitles(document).text == "one two three"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"]
)
def test_every_encoding_gives_the_same_words(tmp_path: Path, encoding: str, newline: str) -> None:
    file = tmp_path / "a.srt"
    file.write_bytes(SRT.replace("\n", newline).encode(encoding))
    assert read_subtitles(file) == parse_subtitles(SRT)


def test_other_scripts_survive() -> None:
    text = "00:00:01,000 --> 00:00:02,000\n日全食 كسوف ग्रहण\n"
    for encoding in ("utf-8", "utf-16"):
        assert parse_subtitles(decode_text(text.encode(encoding))).text == "日全食 كسوف ग्रहण"


def test_a_damaged_time_is_told_by_its_line_and_the_rest_is_read() -> None:
    found = parse_subtitles(SRT.replace("00:00:02,600 --> 00:00:04,000", "00:00:0x,600 --> 00:"))
    assert [fault.line for fault in found.faults] == [6]
    assert "café" not in found.text
    assert found.text.startswith("Previously")
    assert found.text.endswith("the year")


@pytest.mark.parametrize(
    ("name", "data", "line", "says"),
    [
        ("gone.srt", None, 0, "does not exist"),
        ("a.ass", b"[Script Info]", 0, "not read"),
        ("noise.srt", bytes(range(256)) * 8, 1, "no cue"),
        ("words.vtt", b"only words", 1, "no cue"),
        ("huge.srt", b"a" * (MAX_BYTES + 1), 0, "larger"),
    ],
)
def test_what_is_no_subtitle_file_is_a_fault_and_no_crash(
    tmp_path: Path, name: str, data: bytes | None, line: int, says: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    found = read_subtitles(tmp_path / name)
    assert found.text == ""
    (fault,) = found.faults
    assert fault.line == line
    assert says in fault.what


def test_a_folder_of_that_name_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.srt").mkdir()
    assert "cannot be read" in read_subtitles(tmp_path / "a.srt").faults[0].what


def test_an_empty_file_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_bytes(b"")
    assert read_subtitles(tmp_path / "a.srt").faults == ()


def test_plain_text_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a talk\nabout bread")
    assert read_subtitles(tmp_path / "a.txt").text == "a talk about bread"


@pytest.mark.parametrize(
    ("written", "is_file"),
    [
        ("/a/b.srt", True),
        ("b.en.VTT", True),
        ("a talk about bread", False),
        ("1\n00:00 --> 00:01\na.srt", False),
    ],
)
def test_a_name_is_told_from_text(written: str, is_file: bool) -> None:
    assert names_subtitle_file(written) == is_file

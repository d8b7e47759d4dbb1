"""Persons judge one tag or thousands; their own tags come to be as they use them."""

from __future__ import annotations

import json

import pytest

from tagtower.errors import InputError, NotFoundError, TagTowerError
from tagtower.records import Problems
from tagtower.usecases.installation.find import show_video
from tagtower.usecases.installation.review import (
    Judgement,
    judge,
    judge_many,
    judgements_on,
    parse_word,
    read_judgements,
)

from ...library_rows import Rows


@pytest.fixture
def rows(installation) -> Rows:
    return Rows(installation.database)


def tags_of(installation, video: int) -> list[tuple[str, str]]:
    return [(one.tag, one.origin) for one in show_video(installation, video).tags]


def test_adding_an_own_tag_makes_it(installation, rows) -> None:
    video = rows.video()
    (said,) = judge(installation, [Judgement(video, "  Total Eclipse ", "add")], author="ann")
    assert said.verdict == "add"
    assert tags_of(installation, video) == [("Total Eclipse", "person")]
    judge(installation, [Judgement(rows.video(), "total eclipse", "add")], author="ann")
    assert show_video(installation, video).library == 1


def test_an_alias_leads_to_its_tag(installation, rows) -> None:
    video, tag = rows.video(), rows.tag("Auto", "car")
    (said,) = judge(installation, [Judgement(video, "CAR", "add")], author="ann")
    assert (said.tag, said.tag_id) == ("Auto", tag)


def test_a_tag_is_made_only_by_adding_it_and_only_on_request(installation, rows) -> None:
    video = rows.video()
    for word, create in (("accept", True), ("reject", True), ("withdraw", True), ("add", False)):
        with pytest.raises(NotFoundError):
            judge(installation, [Judgement(video, "nothing", word)], author="ann", create=create)
    with pytest.raises(TagTowerError):
        judge(installation, [Judgement(video, "a\0b", "add")], author="ann")
    with pytest.raises(NotFoundError):
        judge(installation, [Judgement(video, "#17", "add")], author="ann")


def test_words_of_one_call_are_all_kept_or_none(installation, rows) -> None:
    video = rows.video()
    with pytest.raises(NotFoundError):
        judge(installation, [Judgement(video, "made", "add"), Judgement(99, "made", "add")], author="ann")
    assert tags_of(installation, video) == []
    assert show_video(installation, video).library == 0


def test_one_word_goes_to_many_videos(installation, rows) -> None:
    videos = [rows.video() for _ in range(5)]
    said = judge(installation, judgements_on("add", ["fox", "den"], videos), author="ann")
    assert len(said) == 10
    assert all(tags_of(installation, video) == [("den", "person"), ("fox", "person")] for video in videos)


def test_a_file_of_words_is_taken_and_its_bad_rows_counted(installation, rows, tmp_path) -> None:
    videos = [rows.video() for _ in range(3)]
    rows.tag("retired", state="retired")
    lines = [
        {"video": videos[0], "tag": "fox", "verdict": "add"},
        {"video": str(videos[1]), "tag": "fox", "verdict": "reject"},
        {"video": 99, "tag": "fox", "verdict": "add"},
        {"video": videos[1], "tag": "retired", "verdict": "add"},
        {"video": videos[1], "tag": "fox", "verdict": "maybe"},
        {"video": "x", "tag": "fox", "verdict": "add"},
        {"tag": "fox", "verdict": "add"},
        {"video": videos[2], "tag": "den", "verdict": "add"},
    ]
    path = tmp_path / "words.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    problems = Problems()
    judgements = read_judgements(path, problems)
    said = list(judge_many(installation, judgements, author="ann", problems=problems, place=str(path)))
    assert [one.verdict for one in said] == ["add", "reject", "add"]
    assert sorted(int(one.where.rpartition(":")[2]) for one in problems.first) == [3, 4, 5, 6, 7]
    assert tags_of(installation, videos[0]) == [("fox", "person")]
    assert tags_of(installation, videos[2]) == [("den", "person")]


def test_a_file_that_holds_no_words_is_refused(tmp_path) -> None:
    for name, text in (("a.txt", "x"), ("a.jsonl", "[]\n"), ("a.csv", "tag\nfox\n"), ("b.jsonl", "")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError):
            read_judgements(tmp_path / name, Problems())


def test_a_word_is_one_of_four() -> None:
    assert parse_word("withdraw") == "withdraw"
    with pytest.raises(TagTowerError, match="no verdict"):
        parse_word("maybe")

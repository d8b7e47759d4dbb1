"""What is handed in is stored once, known by every name it came with, and there after any end of the program."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, func, insert, select, update

from tagtower.errors import ConflictError, DatabaseError, InputError, MediaError, StorageError
from tagtower.library import schema
from tagtower.library.videos.references import references_of
from tagtower.records import Example, Problems, Video
from tagtower.usecases.inputs import read_examples
from tagtower.usecases.installation import intake
from tagtower.usecases.installation.find import Search, find_videos, show_video
from tagtower.usecases.installation.intake import (
    Put,
    PutSettings,
    Refused,
    put_videos,
)
from tagtower.usecases.installation.ledger import check_ledger


def put(installation, *examples: Example, problems: Problems | None = None, **settings):
    return list(put_videos(installation, examples, PutSettings(**settings), problems))


def clip(path: Path | str | None, name: str = "", **more) -> Example:
    tags = more.pop("tags", ())
    media = None if path is None else str(path)
    return Example(Video(name or Path(str(path)).name, media, **more), tags)


def count(installation, table) -> int:
    with installation.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table))


def amiss(installation) -> dict[str, tuple[str, ...]]:
    """What the ledger finds wrong with the stored media, by kind."""
    found = check_ledger(installation, media=True).ledger.findings
    return {one.kind: one.examples for one in found if one.kind in ("media", "orphan")}


def repaired(installation) -> int:
    """How many stored media the ledger removes as nobody's."""
    return check_ledger(installation, media=True, repair=True, wait=lambda _: None).mended.get("orphan", 0)


def test_a_file_is_copied_into_the_store_and_its_facts_are_known(installation, job) -> None:
    path = job.clips["red-low"]
    (one,) = put(installation, clip(path, title="A red clip"))
    assert isinstance(one, Put)
    assert one.outcome == "new"
    shown = show_video(installation, one.video_id)
    assert shown.video.stored
    assert shown.video.bytes == path.stat().st_size
    assert shown.video.shelf == "unlabelled"
    facts = shown.video.facts
    assert (facts["width"], facts["height"], facts["pictures"], facts["sound"]) == (64, 48, True, True)
    assert facts["seconds"] == pytest.approx(1.0, abs=0.1)
    assert facts["frame_rate"] == pytest.approx(10.0)
    with installation.media.open(shown.video.media) as stored:
        assert stored.read() == path.read_bytes()


def test_a_file_that_is_referred_to_stays_where_it_lies(installation, job) -> None:
    path = job.clips["green"]
    (one,) = put(installation, clip(path), reference=True)
    video = show_video(installation, one.video_id).video
    assert (video.stored, video.media) == (False, path.resolve().as_uri())
    assert video.content_hash is not None
    assert list(installation.media.keys()) == []


def test_a_copy_takes_the_place_of_a_reference(installation, job) -> None:
    (one,) = put(installation, clip(job.clips["green"], "first"), reference=True)
    (two,) = put(installation, clip(job.clips["green"], "second"))
    assert two.video_id == one.video_id
    assert show_video(installation, one.video_id).video.stored
    (three,) = put(installation, clip(job.clips["green"], "third"), reference=True)
    assert (three.video_id, three.outcome) == (one.video_id, "joined")
    assert show_video(installation, one.video_id).video.stored


def test_the_same_file_twice_is_one_video_with_two_references(installation, job, tmp_path) -> None:
    copy = shutil.copy(job.clips["red-low"], tmp_path / "another.mov")
    first, second = put(installation, clip(job.clips["red-low"], "a"), clip(copy, "b"))
    assert (first.outcome, second.outcome) == ("new", "joined")
    assert first.video_id == second.video_id
    assert [one.name for one in show_video(installation, first.video_id).references] == ["a", "b"]
    assert len(list(installation.media.keys())) == 1


def test_handing_in_the_same_again_changes_nothing(installation, job) -> None:
    examples = [clip(job.clips["red-low"], title="red"), clip(None, "words", title="only words")]
    first = put(installation, *examples)
    again = put(installation, *examples)
    assert [one.outcome for one in again] == ["known", "known"]
    assert [one.video_id for one in again] == [one.video_id for one in first]
    assert count(installation, schema.videos) == 2
    assert count(installation, schema.video_references) == 2


def test_other_content_under_a_name_is_a_conflict(installation, job) -> None:
    put(installation, clip(job.clips["red-low"], "clip"))
    (refused,) = put(installation, clip(job.clips["green"], "clip"))
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, ConflictError)
    assert "--replace" in (refused.error.hint or "")
    assert count(installation, schema.videos) == 1
    assert len(list(installation.media.keys())) == 1  # nothing is kept of what was refused
    (other,) = put(installation, clip(job.clips["green"], "clip"), owner="someone else")
    assert other.outcome == "new"


def test_other_content_takes_the_place_of_the_old_on_request(installation, job) -> None:
    (old,) = put(installation, clip(job.clips["red-low"], "clip"))
    (new,) = put(installation, clip(job.clips["green"], "clip"), replace=True)
    assert new.outcome == "changed"
    with installation.database.read() as connection:
        assert connection.scalars(select(schema.videos.c.id)).all() == [new.video_id]
        assert connection.scalar(select(schema.erasures.c.video_id)) == old.video_id
        assert connection.scalar(select(func.count()).select_from(schema.erasing)) == 0
    assert len(list(installation.media.keys())) == 1


def test_replaced_content_that_others_refer_to_stays(installation, job) -> None:
    (old,) = put(installation, clip(job.clips["red-low"], "clip"))
    put(installation, clip(job.clips["red-low"], "theirs"), owner="other")
    (new,) = put(installation, clip(job.clips["green"], "clip"), replace=True)
    assert new.video_id != old.video_id
    assert [one.name for one in show_video(installation, old.video_id).references] == ["theirs"]


def test_a_title_alone_is_a_video(installation) -> None:
    (one,) = put(installation, clip(None, "row-1", title="A walk in the park"))
    video = show_video(installation, one.video_id).video
    assert (video.content_hash, video.media, video.facts) == (None, None, None)


def test_another_title_under_a_name_is_a_conflict_and_is_taken_on_request(installation) -> None:
    (one,) = put(installation, clip(None, "n", title="before"))
    (refused,) = put(installation, clip(None, "n", title="after"))
    assert isinstance(refused.error, ConflictError)
    with installation.database.write() as connection:
        connection.execute(update(schema.videos).values(shelf="labelled"))
    (changed,) = put(installation, clip(None, "n", title="after"), replace=True)
    assert (changed.video_id, changed.outcome) == (one.video_id, "changed")
    video = show_video(installation, one.video_id).video
    assert (video.title, video.shelf) == ("after", "unlabelled")
    assert [found.video.id for found in find_videos(installation, Search(words="after")).videos] == [
        one.video_id
    ]
    assert find_videos(installation, Search(words="before")).videos == ()


def test_media_join_a_video_that_was_known_by_its_title(installation, job) -> None:
    (one,) = put(installation, clip(None, "n", title="before"))
    (refused,) = put(installation, clip(job.clips["green"], "n", title="before"))
    assert isinstance(refused.error, ConflictError)
    (changed,) = put(installation, clip(job.clips["green"], "n", title="before"), replace=True)
    assert changed.video_id == one.video_id
    assert show_video(installation, one.video_id).video.content_hash is not None


def test_other_words_of_the_same_file_are_remarked_and_taken_on_request(installation, job) -> None:
    (one,) = put(installation, clip(job.clips["green"], "n", title="before"))
    (same,) = put(installation, clip(job.clips["green"], "n", title="after"))
    assert same.outcome == "known"
    assert "--replace" in same.remarks[0]
    put(installation, clip(job.clips["green"], "n", title="after"), replace=True)
    assert show_video(installation, one.video_id).video.title == "after"


def test_a_title_that_comes_later_is_taken_where_there_was_none(installation, job) -> None:
    (one,) = put(installation, clip(job.clips["green"], "file"))
    put(installation, clip(job.clips["green"], "row", title="a title"))
    assert show_video(installation, one.video_id).video.title == "a title"


def test_what_cannot_be_decoded_is_refused_and_the_rest_goes_on(installation, job, tmp_path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no film at all")
    empty = tmp_path / "empty.mp4"
    empty.touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    results = put(
        installation,
        clip(text),
        clip(job.clips["damaged"]),
        clip(job.clips["missing"]),
        clip(empty),
        clip(tmp_path),
        clip(tmp_path / "pipe.mp4"),
        clip("https://example.org/a.mp4"),
        clip(job.clips["green"]),
    )
    causes = [one.to_json()["error"]["type"] for one in results[:-1]]
    assert causes == ["not-media", "not-media", "missing", "empty", "unreadable", "unreadable", "FetchError"]
    assert isinstance(results[-1], Put)
    assert count(installation, schema.videos) == 1
    assert len(list(installation.media.keys())) == 1


def test_no_name_that_a_user_gives_is_ever_a_path(installation, job, tmp_path) -> None:
    hostile = [
        "../../../etc/passwd",
        "/etc/passwd",
        "a\nb\r\x1b[31m",
        "x" * 1000,
        "'; DROP TABLE videos; --",
        "~/.ssh/id_rsa",
        "..",
        "%2e%2e%2f",
        "名前🎬",
    ]
    before = {path for path in tmp_path.rglob("*") if "media" not in path.parts}
    for name in hostile:
        (one,) = put(installation, clip(job.clips["green"], name))
        assert isinstance(one, Put), one
    names = [one.name for one in show_video(installation, one.video_id).references]
    assert names == hostile
    after = {path for path in tmp_path.rglob("*") if "media" not in path.parts}
    assert {path.name for path in after - before} <= {"library.sqlite-wal", "library.sqlite-shm"}


@pytest.mark.parametrize("name", ["a\0b", "x" * 10_000, "\ud800", "   ", "ü" * 1000 + "x" * 10])
def test_names_that_cannot_be_kept_are_refused(installation, job, name) -> None:
    (refused,) = put(installation, clip(job.clips["green"], name))
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, InputError)
    assert count(installation, schema.videos) == 0
    assert list(installation.media.keys()) == []


def test_a_path_of_any_length_is_an_error_of_that_file(installation) -> None:
    (refused,) = put(installation, clip("/" + "x" * 10_000 + ".mp4", "short"))
    assert isinstance(refused.error, MediaError)
    (refused,) = put(installation, clip("/tmp/a\0b.mp4", "short"))
    assert isinstance(refused.error, MediaError)


def test_a_suffix_is_no_way_out_of_the_store(installation, job, tmp_path) -> None:
    odd = shutil.copy(job.clips["green"], tmp_path / "clip.m p4; rm")
    (one,) = put(installation, clip(odd))
    assert show_video(installation, one.video_id).video.media.count("/") == 1
    assert "." not in show_video(installation, one.video_id).video.media


def tag(installation, text: str, **more) -> int:
    with installation.database.write() as connection:
        row = {"text": text, "state": "active", "origin": "person", "created_at": installation.clock()} | more
        key = connection.execute(insert(schema.tags).values(row)).inserted_primary_key[0]
        connection.execute(
            insert(schema.tag_names).values(key=text.casefold(), tag_id=key, text=text, place=0)
        )
    return key


def test_tags_that_come_with_a_video_are_a_persons_word_on_request(installation, job) -> None:
    red = tag(installation, "Red")
    tag(installation, "Retired", state="retired")
    problems = Problems()
    example = clip(job.clips["red-low"], tags=("red", "unheard of", "retired", "RED"))
    (plain,) = put(installation, example)
    assert plain.labels == 0
    (one,) = put(installation, example, labels=True, author="Ann", problems=problems)
    assert one.labels == 1
    assert problems.count == 2
    shown = show_video(installation, one.video_id)
    assert [(said.tag_id, said.verdict, said.author) for said in shown.verdicts] == [(red, "add", "Ann")]
    assert [(one.tag, one.origin) for one in shown.tags] == [("Red", "person")]
    assert shown.video.shelf == "unlabelled"


def test_a_manifest_and_a_folder_are_handed_in_alike(installation, job, tmp_path) -> None:
    problems = Problems()
    examples = read_examples([str(job.flawed)], problems)
    results = put(installation, *examples)
    assert sum(isinstance(one, Refused) for one in results) == 2
    assert count(installation, schema.videos) == 11
    folder = put(installation, *read_examples([str(job.folder / "clips")], problems), owner="folder")
    assert {one.outcome for one in folder if isinstance(one, Put)} == {"joined"}
    assert count(installation, schema.videos) == 11


def test_subtitles_are_read_from_their_file_and_searched(installation, tmp_path) -> None:
    file = tmp_path / "talk.srt"
    file.write_text("1\n00:00:01,000 --> 00:00:02,000\nthe quick brown fox\n")
    put(installation, clip(None, "talk", title="A talk", subtitles=str(file)), subtitle_files=True)
    assert len(find_videos(installation, Search(words="brown")).videos) == 1


def test_no_file_is_read_because_a_text_from_outside_names_one(installation, tmp_path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the launch code is swordfish")
    (one,) = put(installation, clip(None, "n", title="t", subtitles=str(secret)))
    assert show_video(installation, one.video_id).video.subtitles == str(secret)
    assert find_videos(installation, Search(words="swordfish")).videos == ()


def test_media_that_are_gone_from_the_store_come_back_with_the_next_copy(installation, job) -> None:
    (one,) = put(installation, clip(job.clips["green"]))
    key = show_video(installation, one.video_id).video.media
    installation.media.remove(key)
    assert amiss(installation) == {"media": (f"{one.video_id} {key}",)}
    put(installation, clip(job.clips["green"]))
    assert amiss(installation) == {}


def test_killed_between_media_and_row_it_leaves_an_orphan_that_is_found_and_removed(
    installation, job, monkeypatch
) -> None:
    (kept,) = put(installation, clip(job.clips["red-low"]))

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(intake, "take_in", killed)
        with pytest.raises(KeyboardInterrupt):
            put(installation, clip(job.clips["green"]))
    assert count(installation, schema.videos) == 1
    assert list(amiss(installation)) == ["orphan"]
    assert repaired(installation) == 1
    assert amiss(installation) == {}
    assert isinstance(kept, Put)
    put(installation, clip(job.clips["green"]))
    assert count(installation, schema.videos) == 2


def test_media_that_a_video_has_are_no_orphan_to_be_removed(installation, job) -> None:
    (one,) = put(installation, clip(job.clips["green"]))
    key = show_video(installation, one.video_id).video.media
    assert repaired(installation) == 0
    assert installation.media.exists(key)


def test_what_was_handed_in_before_an_interrupt_is_kept(installation, job) -> None:
    def endless():
        yield clip(job.clips["red-low"])
        yield clip(job.clips["green"])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(put_videos(installation, endless(), PutSettings()))
    assert count(installation, schema.videos) == 2


def test_a_full_disk_is_a_clear_failure_and_leaves_no_half_file(installation, job, monkeypatch) -> None:
    from tagtower.storage import media_store

    put(installation, clip(job.clips["red-low"]))

    def full(source: Path, target: Path, digest: str) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    monkeypatch.setattr(media_store, "_copy", full)
    with pytest.raises(StorageError, match="No space left"):
        put(installation, clip(job.clips["green"]))
    assert count(installation, schema.videos) == 1
    assert amiss(installation) == {}
    assert len([path for path in (installation.home / "media").rglob("*") if path.is_file()]) == 1


def test_a_file_that_changes_while_it_is_copied_is_refused(installation, job, monkeypatch, tmp_path) -> None:
    from tagtower.storage import media_store

    path = Path(shutil.copy(job.clips["green"], tmp_path / "growing.mp4"))
    copy = media_store._copy

    def growing(source: Path, target: Path, digest: str) -> None:
        with source.open("ab") as file:
            file.write(b"more")
        copy(source, target, digest)

    monkeypatch.setattr(media_store, "_copy", growing)
    (refused,) = put(installation, clip(path))
    assert isinstance(refused, Refused)
    assert "changed while" in refused.error.message
    assert list(installation.media.keys()) == []


def test_a_clock_that_is_set_back_mixes_nothing_up(installation, clock) -> None:
    put(installation, clip(None, "first", title="one"))
    clock.move(days=-4000)
    put(installation, clip(None, "second", title="two"))
    found = find_videos(installation, Search())
    assert [one.video.title for one in found.videos] == ["two", "one"]


def test_times_of_any_zone_are_kept_as_moments(installation) -> None:
    published = datetime.fromisoformat("2020-06-01T12:00:00+05:30")
    example = replace(clip(None, "n", title="t"), published=published)
    (one,) = put(installation, example)
    assert show_video(installation, one.video_id).video.published_at == published.astimezone(UTC)
    (again,) = put(installation, example)
    assert again.outcome == "known"
    assert timedelta(0) == show_video(installation, one.video_id).video.published_at.utcoffset()


def test_two_references_of_one_video_are_told_apart_by_owner(installation, job) -> None:
    (one,) = put(installation, clip(job.clips["green"], "n"), owner="ann")
    (two,) = put(installation, clip(job.clips["green"], "n"), owner="bob")
    assert one.video_id == two.video_id
    with installation.database.read() as connection:
        found = references_of(connection, [one.video_id])[one.video_id]
    assert [(reference.owner, reference.name) for reference in found] == [("ann", "n"), ("bob", "n")]


def test_results_can_be_written_as_json(installation, job) -> None:
    for one in put(installation, clip(job.clips["green"]), clip(job.clips["missing"])):
        json.dumps(one.to_json())


def test_the_same_file_from_many_hands_at_once_is_one_video(installation, job) -> None:
    results: list[Put | Refused] = []

    def hand_in(number: int) -> None:
        results.extend(put(installation, clip(job.clips["green"], f"n{number}", title=f"t{number}")))

    threads = [threading.Thread(target=hand_in, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.outcome for one in results) == ["joined"] * 4 + ["new"]
    assert len({one.video_id for one in results}) == 1
    assert count(installation, schema.video_references) == 5


def test_a_database_that_stays_locked_is_a_clear_failure(sqlite_installation, job) -> None:
    from tagtower.library.database import Database

    path = sqlite_installation.home / "library.sqlite"
    impatient = Database.file(path)
    event.listen(impatient.engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout = 100"))
    with closing(impatient), closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="locked") as caught:
            put(replace(sqlite_installation, database=impatient), clip(job.clips["green"]))
        assert "Another program" in (caught.value.hint or "")
        other.execute("ROLLBACK")
    assert count(sqlite_installation, schema.videos) == 0
    put(sqlite_installation, clip(job.clips["green"]))
    assert amiss(sqlite_installation) == {}


@pytest.mark.slow
def test_killed_at_any_moment_a_second_run_completes_it(tmp_path, job) -> None:
    from tagtower.usecases.installation.home import init, open_installation

    home, manifest = tmp_path / "home", tmp_path / "many.jsonl"
    init(home, environment={})
    rows = [{"id": f"t{number}", "title": f"title {number}"} for number in range(150)]
    rows += [{"id": path.stem, "video": str(path)} for path in job.clips.values()]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [
        sys.executable,
        "-m",
        "tagtower",
        "videos",
        str(home),
        "put",
        str(manifest),
        "--json",
        "--quiet",
    ]
    done = 0
    for lines in (1, 40, 120, 155):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
            assert run.stdout is not None
            for _ in range(lines):
                run.stdout.readline()
            run.kill()
        with open_installation(home, environment={}) as installation:
            kept = count(installation, schema.videos)
            assert kept >= done, "what was handed in stays"
            done = kept
            found = amiss(installation)
            assert len(found.pop("orphan", ())) <= 1
            assert found == {}
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    with open_installation(home, environment={}) as installation:
        assert count(installation, schema.videos) == 150 + len(job.clips) - 2
        assert count(installation, schema.video_references) == 150 + len(job.clips) - 2

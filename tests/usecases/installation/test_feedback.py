"""What persons said becomes a manifest that training reads: right tags, wrong tags, and where the media lie."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert

from tagtower.errors import UsageError
from tagtower.library.schema import verdicts, videos
from tagtower.records import Problems
from tagtower.training.manifest import read_manifest
from tagtower.usecases.installation import curate
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.feedback import export_feedback
from tagtower.usecases.installation.home import Installation

BY = Editing("ada")


def add(installation: Installation, **row) -> int:
    at = installation.clock()
    with installation.database.write() as connection:
        values = {"added_at": at, "shelf": "labelled", "shelved_at": at, **row}
        return connection.scalar(insert(videos).values(values).returning(videos.c.id))


def say(installation: Installation, video: int, tag: str, verdict: str, minute: int = 0) -> None:
    from tagtower.library.curation.reading import find

    with installation.database.write() as connection:
        connection.execute(
            insert(verdicts).values(
                video_id=video,
                tag_id=find(connection, tag).id,
                verdict=verdict,
                author="ada",
                at=installation.clock().replace(minute=30 + minute),
            )
        )


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def tagged(installation: Installation) -> Installation:
    for text in ("red", "green", "blue", "rot"):
        curate.add(installation, BY, text)
    return installation


def test_verdicts_become_tags_and_rejected_tags(tagged: Installation, job, tmp_path: Path) -> None:
    stored = tagged.media.put(job.clips["red-low"], ".mp4")
    first = add(
        tagged, title="a walk", description="long", media=stored.key, stored=True, published_at=tagged.clock()
    )
    second = add(tagged, media="file:///archive/b.mp4")
    add(tagged, title="never judged")
    say(tagged, first, "red", "accept")
    say(tagged, first, "green", "reject")
    say(tagged, first, "rot", "reject", minute=-1)
    say(tagged, second, "blue", "add")
    curate.merge(tagged, BY, ["rot"], "red")
    curate.rename(tagged, BY, "green", "verdant")
    curate.retire(tagged, BY, ["blue"])
    out = tmp_path / "feedback.jsonl"
    report = export_feedback(tagged, out)
    assert report.to_json() == {"videos": 2, "accepted": 2, "rejected": 1, "without_media": 0, "left_out": 0}
    assert rows(out) == [
        {
            "id": f"video:{first}",
            "video": str(tmp_path / "media" / stored.key),
            "title": "a walk",
            "description": "long",
            "tags": ["red"],
            "rejected": ["verdant"],
            "published": tagged.clock().isoformat(),
        },
        {"id": f"video:{second}", "video": "file:///archive/b.mp4", "tags": ["blue"], "rejected": []},
    ]
    problems = Problems()
    manifest = read_manifest(out, problems=problems)
    assert problems.count == 0
    assert [one.rejected for one in manifest.examples] == [("verdant",), ()]
    assert Path(manifest.examples[0].video.media or "").is_file()


def test_a_file_that_is_there_is_replaced_only_on_request(tagged: Installation, tmp_path: Path) -> None:
    out = tmp_path / "feedback.jsonl"
    out.write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        export_feedback(tagged, out)
    assert out.read_text() == "mine"
    assert export_feedback(tagged, out, overwrite=True).videos == 0
    assert out.read_text() == ""


class Bucket:
    """An object store: its files have no path."""

    def __init__(self, folder) -> None:
        self._folder = folder

    def __getattr__(self, name: str):
        return getattr(self._folder, name)

    @contextmanager
    def local(self, key: str):
        with self._folder.local(key) as path:
            yield path


def test_media_of_an_object_store_are_copied_where_a_folder_is_given(
    tagged: Installation, job, tmp_path: Path
) -> None:
    stored = tagged.media.put(job.clips["red-low"], ".mp4")
    far = replace(tagged, media=Bucket(tagged.media))
    titled = add(far, title="a walk", media=stored.key, stored=True)
    say(far, titled, "red", "accept")
    untitled = add(far, media="ab/" + "ab" * 32, stored=True)
    say(far, untitled, "red", "accept")
    report = export_feedback(far, tmp_path / "words.jsonl")
    assert (report.videos, report.without_media, report.left_out) == (1, 1, 1)
    assert "video" not in rows(tmp_path / "words.jsonl")[0]
    report = export_feedback(far, tmp_path / "whole.jsonl", media=tmp_path / "copies")
    assert (report.videos, report.without_media, report.left_out) == (1, 0, 1)
    copy = Path(rows(tmp_path / "whole.jsonl")[0]["video"])
    assert copy.read_bytes() == job.clips["red-low"].read_bytes()
    assert copy.parent == tmp_path / "copies"


def test_subtitles_that_look_like_a_file_are_not_handed_on(tagged: Installation, tmp_path: Path) -> None:
    video = add(tagged, title="a walk", subtitles="/etc/passwd.srt")
    other = add(tagged, title="a song", subtitles="words that were spoken")
    for one in (video, other):
        say(tagged, one, "red", "accept")
    export_feedback(tagged, tmp_path / "feedback.jsonl")
    assert [row.get("subtitles") for row in rows(tmp_path / "feedback.jsonl")] == [
        None,
        "words that were spoken",
    ]

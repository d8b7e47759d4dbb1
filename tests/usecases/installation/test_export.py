"""What is exported is a manifest again, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyarrow import parquet

from tagtower.errors import UsageError
from tagtower.records import Example, Problems, Video
from tagtower.training.manifest import read_manifest
from tagtower.usecases.installation import export
from tagtower.usecases.installation.export import export_videos, parse_tag_choice
from tagtower.usecases.installation.find import Search
from tagtower.usecases.installation.intake import PutSettings, put_videos

from ...library_rows import Rows


@pytest.fixture
def library(installation, job) -> list[int]:
    """A clip and a title, with tags of persons and a model."""
    rows = Rows(installation.database)
    examples = [
        Example(Video("clip", str(job.clips["green"]), 'A "quoted", title\nof two lines')),
        Example(Video("words", None, "Ünïcode 名前")),
    ]
    videos = [one.video_id for one in put_videos(installation, examples, PutSettings(owner="ann"))]
    model = rows.model()
    fox, den, cat = rows.tag("fox"), rows.tag("den; of foxes"), rows.tag("cat")
    rows.suggest(videos[0], model, fox, score=0.25)
    rows.say(videos[0], den, "add")
    rows.say(videos[0], cat, "reject")
    return videos


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv"])
def test_an_export_is_read_as_a_manifest(installation, job, library, tmp_path, suffix) -> None:
    report = export_videos(installation, tmp_path / f"out{suffix}", Search())
    assert (report.videos, report.tags, report.unsafe) == (2, 2, 1 if suffix == ".csv" else 0)
    problems = Problems()
    examples = read_manifest(report.path, problems=problems).examples
    assert all("columns that are not known" in one.what for one in problems.first)
    by_id = {int(one.video.id): one for one in examples}
    clip = by_id[library[0]]
    assert clip.video.title == 'A "quoted", title\nof two lines'
    if suffix != ".csv":
        assert clip.tags == ("den; of foxes", "fox")
    assert by_id[library[1]].video.media is None
    assert clip.video.media is not None
    with Path(clip.video.media).open("rb") as file:
        assert file.read() == job.clips["green"].read_bytes()


def test_every_row_tells_what_is_known(installation, library, tmp_path) -> None:
    export_videos(installation, tmp_path / "out.jsonl", Search())
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [int(row["id"]) for row in rows] == library[::-1]
    row = rows[1]
    assert (row["tags"], row["scores"], row["rejected"]) == (["den; of foxes", "fox"], [None, 0.25], ["cat"])
    assert (row["owner"], row["names"], row["shelf"], row["width"]) == ("ann", ["clip"], "unlabelled", 64)
    table = export_videos(installation, tmp_path / "out.parquet", Search()).path
    assert parquet.read_table(table).to_pylist() == rows


def test_only_persons_tags_on_request(installation, library, tmp_path) -> None:
    export_videos(installation, tmp_path / "out.jsonl", Search(tags=("fox",)), tags="person")
    (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert row["tags"] == ["den; of foxes"]
    assert parse_tag_choice("person") == "person"
    with pytest.raises(UsageError):
        parse_tag_choice("all")


def test_it_is_streamed_in_parts_of_one_moment(installation, library, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(export, "AT_ONCE", 1)
    rows = Rows(installation.database)
    real = export._row

    def meanwhile(*call: object) -> dict[str, object]:
        if (
            installation.database.dialect == "postgresql"
        ):  # SQLite's writers need not wait either, but its test would
            rows.video("added meanwhile")
        return real(*call)

    monkeypatch.setattr(export, "_row", meanwhile)
    assert export_videos(installation, tmp_path / "out.jsonl", Search()).videos == 2


def test_an_interrupted_export_leaves_nothing(installation, library, tmp_path, monkeypatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "_row", killed)
    with pytest.raises(KeyboardInterrupt):
        export_videos(installation, tmp_path / "exports" / "out.jsonl", Search())
    assert list((tmp_path / "exports").iterdir()) == []


def test_what_is_there_is_not_overwritten_unasked(installation, library, tmp_path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        export_videos(installation, out, Search())
    assert out.read_text() == "mine"
    export_videos(installation, out, Search(), overwrite=True)
    assert out.read_text() != "mine"
    for wrong, search in (
        (tmp_path / "out.txt", Search()),
        (tmp_path / "new.csv", Search(similar=library[0])),
    ):
        with pytest.raises(UsageError):
            export_videos(installation, wrong, search)

"""Tables as rows: the three formats agree, and every bad row names its line."""

from __future__ import annotations

import builtins
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from tagtower.errors import ManifestError, MissingExtraError
from tagtower.records import Problems
from tagtower.storage.rows import BadRows
from tagtower.storage.tables import read_rows

COLUMNS = ("id", "title", "tags")


def read(path: Path):
    bad = BadRows(path, Problems(), ManifestError)
    return [(row.line, dict(row.fields)) for row in read_rows(bad, COLUMNS, one_of=("title",))], bad


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_formats_agree(tmp_path):
    fields = [{"id": "1", "title": 'a, "b"\nc'}, {"id": "2", "title": "日本"}]
    write(tmp_path, "t.jsonl", "\n".join(json.dumps(row) for row in fields))
    write(tmp_path, "t.csv", 'id,title\r\n1,"a, ""b""\r\nc"\r\n2,日本\r\n')
    pyarrow.parquet.write_table(pa.Table.from_pylist(fields), tmp_path / "t.parquet")
    for name in ("t.jsonl", "t.csv", "t.parquet"):
        rows, bad = read(tmp_path / name)
        assert [row for _, row in rows] == fields
        assert bad.count == bad.problems.count == 0


def test_csv_rows_are_named_by_the_line_they_begin_in(tmp_path):
    path = write(tmp_path, "t.csv", '\n id ,title\n\n1,"a\n\nb"\n2\n3,c,d\n,\n4,"e\n')
    rows, bad = read(path)
    assert rows == [(4, {"id": "1", "title": "a\n\nb"})]
    assert [problem.where.rpartition(":")[2] for problem in bad.problems.first] == ["7", "8", "10"]
    assert "quote that is never closed" in bad.problems.first[2].what


def test_a_csv_cell_without_end_costs_a_bad_row(tmp_path):
    path = write(tmp_path, "t.csv", 'title\n"' + "x" * 200_000 + '"\nok\n')
    rows, bad = read(path)
    assert rows == [(3, {"title": "ok"})]
    assert bad.first.startswith(f"{path}:2: no CSV")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"title": "a"', "column 14"),
        ("title: a", "no JSON"),
        ("[1]", "list where an object"),
        ("null", "NoneType where an object"),
        ("[" * 100_000, "no usable JSON"),
        ('{"id": ' + "9" * 10_000 + "}", "no usable JSON"),
    ],
)
def test_a_line_that_is_no_json_object_is_bad(tmp_path, line, reason):
    path = write(tmp_path, "t.jsonl", f'{{"title": "a"}}\n{line}\n\n{{"title": "b"}}')
    rows, bad = read(path)
    assert [number for number, _ in rows] == [1, 4]
    assert bad.first.startswith(f"{path}:2: ")
    assert reason in bad.first


def test_unknown_columns_are_one_problem_with_counts_and_the_nearest_name(tmp_path):
    lines = [{"title": "a", "Tag": 1}, {"title": "b", "Tag": 1, "views": 2}]
    path = write(tmp_path, "t.jsonl", "\n".join(map(json.dumps, lines)))
    rows, bad = read(path)
    assert [row for _, row in rows] == [{"title": "a"}, {"title": "b"}]
    assert bad.count == 0
    assert [problem.what for problem in bad.problems.first] == [
        "columns that are not known are passed over: 'Tag' (rows: 2; did you mean 'tags'?), 'views' (rows: 1)"
    ]


def test_many_unknown_columns_do_not_fill_the_screen(tmp_path):
    path = write(
        tmp_path, "t.jsonl", json.dumps({"title": "a", **{f"{'k' * 500}{place}": 1 for place in range(500)}})
    )
    what = read(path)[1].problems.first[0].what
    assert "and 492 more" in what
    assert len(what) < 1000


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("id;title", "'id;title'"),
        ("name,titel", "'titel'; did you mean 'title'?"),
        ("title,title", "'title' twice"),
        ("id", "no column 'title'"),
    ],
)
def test_a_header_that_cannot_be_right_is_refused(tmp_path, header, reason):
    with pytest.raises(ManifestError) as refusal:
        read(write(tmp_path, "t.csv", f"{header}\n1,a\n"))
    assert reason in str(refusal.value)


def test_parquet_reads_only_the_columns_it_knows(tmp_path):
    table = pa.table({"title": ["a", "b"], "vector": [[0.0] * 8] * 2, "tags": [["x"], None]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    rows, bad = read(tmp_path / "t.parquet")
    assert rows == [(1, {"title": "a", "tags": ["x"]}), (2, {"title": "b", "tags": None})]
    assert "'vector' (rows: 2)" in bad.problems.first[0].what


@pytest.mark.parametrize("cut", [4, 200, 20])
def test_a_damaged_parquet_file_is_refused(tmp_path, cut):
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"title": ["a" * 100, "b"]}), path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ManifestError, match="cannot be read as Parquet"):
        read(path)


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    path = write(tmp_path, "t.parquet", b"PAR1")
    real = builtins.__import__

    def without_pyarrow(name, *rest, **more):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_pyarrow)
    with pytest.raises(MissingExtraError, match=r"tagtower\[parquet\]"):
        read(path)

"""Results as lines and as a table, whatever bytes stand in names of files."""

from __future__ import annotations

import csv
import io
import json

from tagtower.records import Example, Video
from tagtower.usecases.archive.written import json_line, results_table

ODD = 'comma, "quote"\nline \udce9 zero\0'


def test_a_line_is_one_line_of_utf_8():
    line = json_line({"id": ODD, "score": 0.5})
    assert line.count("\n") == 1
    assert json.loads(line.encode().decode())["score"] == 0.5


def test_the_table_keeps_its_columns():
    rows = [Example(Video("a", "/x/a.mp4", ODD)), Example(Video("b"))]
    table = results_table(rows, {"a": {"tags": [{"tag": "red"}, {"tag": "blue"}]}})
    read = list(csv.DictReader(io.StringIO(table.encode().decode())))
    assert [(row["id"], row["video"], row["tags"]) for row in read] == [
        ("a", "/x/a.mp4", "red; blue"),
        ("b", "", ""),
    ]
    assert read[0]["title"].startswith('comma, "quote"\nline ')

"""What is printed: JSON that any program reads, tables a line a row, remarks that are counted."""

from __future__ import annotations

import json

import pytest
from rich.table import Table

from tagtower.faces.cli.output import json_line, list_problems, print_table, write_json
from tagtower.records import Problems


def test_json_is_one_readable_line_with_the_schema_first(capsys):
    write_json({"tag": "Gött [red] 日食"})
    assert capsys.readouterr().out == '{"schema": 1, "tag": "Gött [red] 日食"}\n'


def test_what_json_does_not_know_is_refused_and_half_characters_are_escaped():
    with pytest.raises(ValueError, match="Out of range"):
        json_line({"distance": float("nan")})
    line = json_line({"id": "caf\udce9"})
    line.encode()
    assert json.loads(line) == {"id": "caf\udce9"}


def test_a_row_of_a_table_is_a_line_in_a_pipe(capsys):
    table = Table("setting", "meaning", box=None, pad_edge=False)
    table.add_row("a.b", "word " * 60)
    print_table(table)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line == line.rstrip() for line in lines)


def test_remarks_are_listed_and_counted(capsys):
    problems = Problems()
    list_problems(problems, "the data")
    assert capsys.readouterr().err == ""
    problems.add("m.jsonl:3", "is bad")
    list_problems(problems, "the data")
    assert capsys.readouterr().err == "1 remark on the data:\n  m.jsonl:3: is bad\n"
    for number in range(70):
        problems.add("", f"problem {number}")
    list_problems(problems, "the data", shown=2)
    assert capsys.readouterr().err == (
        "71 remarks on the data:\n  m.jsonl:3: is bad\n  problem 0\n  ... and 69 more\n"
    )

"""How results are written: a JSON line a video, and a table that is a manifest."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tagtower.records import Example


def json_line(line: Mapping[str, Any]) -> str:
    """Return an answer as its line; what UTF-8 cannot write of a file's name is escaped."""
    text = json.dumps(line, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode() + "\n"


def results_table(rows: Sequence[Example], lines: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the results as a manifest, to be put right by a person and trained on."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["id", "video", "title", "tags"])
    for row in rows:
        tags = lines.get(row.video.id, {}).get("tags", ())
        cells = [
            row.video.id,
            row.video.media or "",
            row.video.title or "",
            "; ".join(t["tag"] for t in tags),
        ]
        table.writerow(
            [cell.replace("\0", "").encode("utf-8", "backslashreplace").decode() for cell in cells]
        )
    return text.getvalue()

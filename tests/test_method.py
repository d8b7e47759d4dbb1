"""docs/method.md speaks of functions and tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REFERENCES = re.findall(
    r"`([a-z_/]+\.py)(?:::([\w.]+))?`", (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
)


def names_in(file: Path) -> set[str]:
    """The functions and classes of a file, methods as `Class.method`."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return found


def test_the_page_names_many() -> None:
    assert len(REFERENCES) > 40


@pytest.mark.parametrize(("path", "name"), sorted(set(REFERENCES)))
def test_what_the_page_names_exists(path: str, name: str) -> None:
    folder = ROOT / "tests" if Path(path).name.startswith("test_") else ROOT / "src" / "tagtower"
    assert (folder / path).is_file()
    assert not name or name in names_in(folder / path)

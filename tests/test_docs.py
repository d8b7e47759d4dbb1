"""What README and docs show is true: their Python runs, the README's commands run, the reference is up to date."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagtower.config.presets import PRESETS
from tagtower.faces.cli.main import main
from tagtower.faces.http.app import create_app
from tagtower.usecases.installation.home import open_installation

from .live_server import listening

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page that are marked with one of `languages`."""
    fenced = page.read_text(encoding="utf-8").split("```")[1::2]
    found = (block.partition("\n") for block in fenced)
    return [text for language, _, text in found if language.strip() in languages]


def commands(page: Path) -> list[list[str]]:
    """The `tagtower` commands of a page's plain blocks, in order; placeholders in capitals are no commands."""
    lines = [line for block in blocks(page, "", "sh", "console") for line in block.splitlines()]
    found = [shlex.split(line, comments=True) for line in lines if line.startswith("tagtower ")]
    return [words[1:] for words in found if not any(word.isupper() for word in words)]


@pytest.fixture(scope="module")
def desk(job, tmp_path_factory) -> Path:
    """A folder with what the examples name: a manifest, a library, new videos, and a model that is trained there."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(job.folder / "clips", folder / "clips", ignore=shutil.ignore_patterns("damaged*"))
    shutil.copy(job.manifest, folder / "manifest.jsonl")
    shutil.copy(job.tags, folder / "tags.txt")
    (folder / "new-videos").mkdir()
    for name in ("a.mp4", "b.mp4", "new-videos/a.mp4"):
        shutil.copy(job.clips["red"], folder / name)
    return folder


@pytest.fixture(scope="module")
def commands_ran(desk, job) -> dict[str, int]:
    """The exit code of each command of the README, run one after the other, with a preset that trains in seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(desk)
        patch.setitem(PRESETS, "tiny", job.settings().model_dump())
        return {shlex.join(command): main(command) for command in commands(ROOT / "README.md")}


def test_the_commands_of_the_readme_run_in_their_order(commands_ran, desk):
    assert len(commands_ran) >= 4
    assert {command: code for command, code in commands_ran.items() if code} == {}
    assert (desk / "model" / "config.json").exists()
    assert (desk / "report.html").exists()


def test_the_commands_of_the_cold_start_run_in_their_order(job, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PRESETS, "tiny", job.settings().model_dump())
    for number in range(3):
        for colour in ("red", "green"):
            (tmp_path / "archive" / colour).mkdir(parents=True, exist_ok=True)
            shutil.copy(job.clips[f"{colour}-high"], tmp_path / "archive" / colour / f"{number}.mp4")
    shutil.copy(job.tags, tmp_path / "tags.txt")
    listed = commands(ROOT / "docs" / "start.md")
    assert len(listed) >= 4
    assert {shlex.join(one): code for one in listed if (code := main(one))} == {}
    assert (tmp_path / "tagged" / "sidecars" / "red" / "0.nfo").exists()
    assert (tmp_path / "archive" / "green" / "2.nfo").exists()


@pytest.fixture(scope="module")
def server(commands_ran, desk) -> Iterator[str]:
    """The address of a server of the installation that the README's commands made."""
    with open_installation(desk / "home", environment={}) as installation:
        app = create_app(installation)
        with listening(app) as url:
            yield url


def test_the_commands_of_the_client_run_in_their_order(server, desk, monkeypatch):
    monkeypatch.chdir(desk)
    monkeypatch.setenv("TAGTOWER_SERVER", server)
    listed = commands(ROOT / "docs" / "client.md")
    assert len(listed) >= 4
    assert {shlex.join(one): code for one in listed if (code := main(one))} == {}
    assert (desk / "copy.mp4").read_bytes() == (desk / "new-videos" / "a.mp4").read_bytes()


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name
)
def test_python_examples_run(page, desk, server, monkeypatch):
    monkeypatch.chdir(desk)
    monkeypatch.setenv("TAGTOWER_SERVER", server)
    names: dict[str, object] = {"__name__": "example"}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)


def test_the_reference_is_what_the_code_says():
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    lost = [one for one in targets if "://" not in one and not (page.parent / one).exists()]
    assert lost == []

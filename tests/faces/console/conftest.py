"""A console on an installation of its own, with names that mean harm, and a browser for each role."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, update

from ..apps import make_app

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tagtower.usecases.installation.home import Installation

HOST = "http://localhost:8765"
HARM = "<script>alert('x')</script>"
MODALITIES = {"image": {"weight": 0.6, "gain": 0.2}, "audio": {"weight": 0.2, "gain": -0.1}}
EVIDENCE = {
    "neighbours": [{"id": "video:1", "weight": 0.5, "video": 1}],
    "mentions": [{"text": HARM, "field": "title"}],
    "modalities": MODALITIES,
    "second": 1.5,
}


@dataclass
class Model:
    """Stands in for the active model: what a new tag would hit."""

    hits: int = 2

    def recommend(self, questions: Sequence[Any], *, top_k: int = 5) -> list[Any]:
        return []

    def preview(
        self,
        text: str,
        aliases: Sequence[str] = (),
        *,
        description: str | None = None,
        threshold: float | None = None,
        shown: int = 10,
    ) -> dict[str, Any]:
        return {
            "tag": text,
            "model": "first",
            "library_version": 1,
            "videos": 3,
            "hits": self.hits,
            "suggested": self.hits,
            "limit": {"distance": 0.4, "probability": threshold or 0.5, "reason": None},
            "nearest": [{"video": 1, "title": HARM, "distance": 0.1, "score": 0.9}][: self.hits],
            "taken": None,
        }

    def warm(self) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass
class Browser:
    """A person at the console: keeps cookies, and sends the token of the last page with every form."""

    client: TestClient
    token: str = ""
    back: str = "/review"
    model: Model = field(default_factory=Model)

    def get(self, path: str, **more: Any) -> Any:
        answer = self.client.get(path, **more)
        found = re.search(r'name="csrf" value="([^"]*)"', answer.text)
        if found:
            self.token, self.back = found[1], path
        return answer

    def part(self, path: str) -> Any:
        return self.client.get(path, headers={"HX-Request": "true"})

    def post(self, path: str, part: bool = False, **fields: Any) -> Any:
        headers = {"Origin": HOST, **({"HX-Request": "true"} if part else {})}
        fields = {"csrf": self.token, "back": self.back, **fields}
        return self.client.post(path, data=fields, headers=headers)


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new installation, which is copied: making one takes longer."""
    from tagtower.usecases.installation.home import init

    home = tmp_path_factory.mktemp("console") / "home"
    init(home, environment={})
    return home


@contextmanager
def opened(empty_home: Path, folder: Path) -> Iterator[Installation]:
    from tagtower.usecases.installation.home import open_installation

    shutil.copytree(empty_home, folder / "home")
    with open_installation(folder / "home", environment={}) as installation:
        yield installation


@pytest.fixture
def installation(empty_home: Path, tmp_path: Path) -> Iterator[Installation]:
    """An installation with nothing in it."""
    with opened(empty_home, tmp_path) as installation:
        yield installation


@pytest.fixture
def filled(installation: Installation) -> Installation:
    """Two models, tags, videos on every shelf, verdicts, feeds and topics."""
    fill(installation)
    return installation


@pytest.fixture
def browse(installation: Installation) -> Iterator[Callable[..., Browser]]:
    """Opens the console, signed in with a key of a role; without a role nobody is signed in."""
    with console(installation) as open_console:
        yield open_console


@pytest.fixture(scope="module")
def look(empty_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Browser]]:
    """Opens the console of one filled installation for tests that change nothing: each role once a module."""
    with opened(empty_home, tmp_path_factory.mktemp("look")) as installation:
        fill(installation)
        with console(installation) as open_console:
            yield cache(open_console)


@contextmanager
def console(installation: Installation) -> Iterator[Callable[..., Browser]]:
    from starlette.testclient import TestClient

    from tagtower.usecases.installation import keys

    model = Model()
    app = make_app(installation, labeller=model)
    clients: list[TestClient] = []

    def open_console(role: str | None = "editor", *, keyed: bool = True) -> Browser:
        clients.append(TestClient(app, base_url=HOST))
        browser = Browser(clients[-1], model=model)
        if not keyed:
            return browser
        made = keys.create(
            installation, f"{role or 'nobody'} {len(clients)}", keys.parse_role(role or "admin")
        )
        if role is not None:
            browser.post("/sign-in", key=made.text)
            browser.get("/keys" if role == "admin" else "/tags")
        return browser

    yield open_console
    app.state.parts.close()


def fill(installation: Installation) -> None:
    from tagtower.library import schema
    from tagtower.usecases.installation import curate

    at = installation.clock()
    by = curate.Editing("Ada")
    for text in ("red", "siren", HARM):
        curate.add(installation, by, text, aliases=[f"{text} too"], description=HARM)
    curate.add(
        installation, by, f"hot {HARM}", state="quarantined", origin="feed:1", expires=at + timedelta(days=1)
    )
    video = {"stored": False, "added_at": at, "shelved_at": at}
    model = {"vector_fingerprint": "e" * 64, "width": 4, "distance": "cosine", "added_at": at}
    metrics = {"test": {"ndcg@10": 0.5, "recall@5": 0.25}}
    with installation.database.write() as connection:
        connection.execute(
            insert(schema.models),
            [
                {
                    **model,
                    "name": name,
                    "folder": name,
                    "fingerprint": name[0] * 64,
                    "state": state,
                    "metrics": metrics,
                }
                for name, state in (("first", "active"), ("second", "ready"))
            ],
        )
        connection.execute(
            insert(schema.videos),
            [
                {**video, "title": HARM, "description": HARM, "words": "script alert", "shelf": "labelled"},
                {**video, "title": "a walk", "description": None, "words": "a walk", "shelf": "labelled"},
                {**video, "title": None, "description": None, "words": "", "shelf": "unlabelled"},
                {**video, "title": "broken", "description": None, "words": "broken", "shelf": "failed"},
            ],
        )
        connection.execute(
            update(schema.videos)
            .where(schema.videos.c.id == 4)
            .values(error={"type": "damaged", "message": HARM, "hint": HARM}, attempts=5)
        )
        connection.execute(
            insert(schema.suggestions),
            [
                {
                    "video_id": video_id, "model_id": model_id, "tag_id": tag_id, "rank": rank, "distance": 0.1 * rank,
                    "score": score, "origin": "model", "evidence": EVIDENCE, "library_version": 1, "at": at,
                }
                for video_id, model_id, tag_id, rank, score in (
                    (1, 1, 1, 1, 0.9), (1, 1, 2, 2, 0.55), (1, 1, 3, 3, 0.1), (2, 1, 1, 1, 0.8),
                    (1, 2, 2, 1, 0.7), (2, 2, 1, 1, 0.6),
                )
            ],
        )  # fmt: skip
        connection.execute(
            insert(schema.answers),
            [
                {"video_id": video_id, "model_id": model_id, "library_version": 1, "at": at}
                for video_id in (1, 2)
                for model_id in (1, 2)
            ],
        )
        connection.execute(
            insert(schema.vectors),
            [{"model_id": 2, "video_id": one, "segment": 0, "row": one, "embedding": None} for one in (1, 2)],
        )
        connection.execute(
            insert(schema.feeds).values(
                url=f"https://news.example/{HARM}",
                kind="rss",
                state="active",
                policy="quarantine",
                every_seconds=60,
                keep_seconds=60,
                next_at=at,
                failures=1,
                error=HARM,
            )
        )

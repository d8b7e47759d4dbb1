"""A server on an installation of its own: with a model and tags where a test wants them, and a key for every role."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text

from ...live_server import listening
from ..apps import make_app

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tagtower.usecases.installation.home import Installation

TAGS = ("red", "green", "blue", "low", "high", "music")
LOCAL = "http://127.0.0.1:8765"


@dataclass
class Served:
    """A running application, its installation, and a client for each role; `client` has no key."""

    installation: Installation
    client: TestClient
    keys: dict[str, str]

    def call(self, role: str | None, method: str, path: str, **more: Any) -> Any:
        headers = dict(more.pop("headers", {}))
        if role is not None and role in self.keys:
            headers["Authorization"] = f"Bearer {self.keys[role]}"
        return self.client.request(method, path, headers=headers, **more)

    def get(self, path: str, role: str | None = "admin", **more: Any) -> Any:
        return self.call(role, "GET", path, **more)

    def post(self, path: str, role: str | None = "admin", **more: Any) -> Any:
        return self.call(role, "POST", path, **more)


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation with nothing in it, to be copied."""
    from tagtower.usecases.installation.home import init

    home = tmp_path_factory.mktemp("empty") / "home"
    init(home, environment={})
    return home


@pytest.fixture(scope="session")
def filled_home(empty_home: Path, trained: Path, job: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation with a model, tags and three labelled videos, to be copied."""
    from tagtower.usecases.installation.home import open_installation

    home = tmp_path_factory.mktemp("filled") / "home"
    shutil.copytree(empty_home, home)
    with open_installation(home, environment={}) as installation:
        fill(installation, trained, job)
    return home


def fill(installation: Installation, trained: Path, job: Any) -> None:
    """A model, tags, and three labelled videos."""
    from tagtower.records import Example, Video
    from tagtower.usecases.installation import curate, models
    from tagtower.usecases.installation.intake import PutSettings, put_videos
    from tagtower.usecases.installation.worker import run_worker

    models.add(installation, trained, "first")
    for tag in TAGS:
        curate.add(installation, curate.Editing("maria"), tag)
    videos = [
        Example(Video(name, str(job.clips[name]), f"a walk with {name}"))
        for name in ("red-low", "green", "high")
    ]
    list(put_videos(installation, videos, PutSettings(owner="newsroom")))
    run_worker(installation, once=True)


@pytest.fixture(scope="module")
def on_postgresql(
    postgresql_server: str, trained: Path, job: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """As `filled`, but on PostgreSQL, and shared by the tests of a module."""
    from tagtower.usecases.installation.home import init, open_installation

    name = f"t{secrets.token_hex(6)}"
    address = postgresql_server.replace("postgresql://", "postgresql+psycopg://")
    server = create_engine(address, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = server.url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    environment = {"TAGTOWER_DATABASE_URL": url}
    home = tmp_path_factory.mktemp("postgresql-home") / "home"
    init(home, environment=environment)
    with open_installation(home, environment=environment) as installation:
        fill(installation, trained, job)
        yield from _served(installation, with_keys=True)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture
def empty(empty_home: Path, tmp_path: Path) -> Iterator[Served]:
    """A server with keys, of an empty installation."""
    yield from _serve(empty_home, tmp_path, with_keys=True)


@pytest.fixture(scope="module")
def shared(empty_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with keys that the tests of a module share; each leaves it as it was."""
    yield from _serve(empty_home, tmp_path_factory.mktemp("shared"), with_keys=True)


@pytest.fixture
def filled(filled_home: Path, tmp_path: Path) -> Iterator[Served]:
    """A server with keys, of an installation with a model, tags and labelled videos."""
    yield from _serve(filled_home, tmp_path, with_keys=True)


@pytest.fixture
def keyless(empty_home: Path, tmp_path: Path) -> Iterator[Served]:
    """A server without keys, on this machine alone."""
    yield from _serve(empty_home, tmp_path, with_keys=False)


def _serve(source: Path, tmp_path: Path, *, with_keys: bool) -> Iterator[Served]:
    from tagtower.usecases.installation.home import open_installation

    home = tmp_path / "home"
    shutil.copytree(source, home)
    with open_installation(home, environment={}) as installation:
        yield from _served(installation, with_keys=with_keys)


def _served(installation: Installation, *, with_keys: bool) -> Iterator[Served]:
    from starlette.testclient import TestClient

    from tagtower.faces.http.settings import ServerSettings
    from tagtower.library.keys import ROLES
    from tagtower.usecases.installation import keys

    made = {role: keys.create(installation, role, role).text for role in ROLES} if with_keys else {}
    app = make_app(installation, settings=ServerSettings(requests_burst=10_000))
    with TestClient(app, base_url=LOCAL, raise_server_exceptions=False) as client:
        yield Served(installation, client, made)


@dataclass
class Live:
    """A server that listens on a port of this machine."""

    url: str
    installation: Installation
    keys: dict[str, str]
    parts: Any


@pytest.fixture(scope="module")
def live(filled_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A listening server of an installation with a model, tags and labelled videos, and a key for every role."""
    from tagtower.config.installation import FILE
    from tagtower.faces.http.settings import ServerSettings
    from tagtower.library.keys import ROLES
    from tagtower.usecases.installation import keys
    from tagtower.usecases.installation.home import open_installation

    home = tmp_path_factory.mktemp("live") / "home"
    shutil.copytree(filled_home, home)
    with (home / FILE).open("a") as file:
        file.write('[fetching]\nprivate_hosts = ["127.0.0.1"]\n')
    with open_installation(home, environment={}) as installation:
        made = {role: keys.create(installation, role, role).text for role in ROLES}
        app = make_app(installation, settings=ServerSettings(requests_burst=10_000))
        with listening(app) as url:
            yield Live(url, installation, made, app.state.parts)

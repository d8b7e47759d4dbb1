"""Clients that send next to nothing to hold the server up, over real connections, with limits of a fifth second."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from tagtower.faces.http import connections
from tagtower.faces.http.app import create_app
from tagtower.faces.http.connections import PatientProtocol
from tagtower.faces.http.settings import ServerSettings
from tagtower.usecases.installation.home import open_installation


@pytest.fixture(scope="module")
def address(empty_home, tmp_path_factory) -> Iterator[tuple[str, int]]:
    """Where a server listens that waits a fifth of a second."""
    home = tmp_path_factory.mktemp("slow") / "home"
    shutil.copytree(empty_home, home)
    with pytest.MonkeyPatch.context() as patch, open_installation(home, environment={}) as installation:
        patch.setattr(connections, "HEAD_SECONDS", 0.2)
        settings = ServerSettings(patience_seconds=0.2, slowest_bytes_per_second=10_000.0)
        app = create_app(installation, settings=settings)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            config = uvicorn.Config(app, http=PatientProtocol, ws="none", log_config=None, lifespan="on")
            server = uvicorn.Server(config)
            thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
            thread.start()
            yield listening.getsockname()
            server.should_exit = True
            thread.join(20)


def everything(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    connection.settimeout(20)
    found = b""
    try:
        while some := connection.recv(65536):
            found += some
    except ConnectionResetError:
        pass
    return found


def ask(connection: socket.socket, head: str, body: bytes = b"") -> None:
    connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)


BEGIN = (
    "POST /v1/videos/uploads HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 2\n"
)


def test_a_connection_without_a_request_is_closed(address) -> None:
    with socket.create_connection(address) as connection:
        assert everything(connection) == b""


def test_a_head_that_does_not_end_is_not_waited_for(address) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert everything(connection) == b""


def test_a_head_without_end_is_cut(address) -> None:
    with socket.create_connection(address) as connection:
        connection.settimeout(20)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        with pytest.raises(OSError, match=r"reset|pipe|aborted"):
            connection.sendall(b"x" * 100 * 1024 * 1024)


def test_a_body_that_does_not_come_is_answered_and_what_came_of_an_upload_is_kept(address) -> None:
    with socket.create_connection(address) as connection:
        ask(connection, BEGIN + "Connection: close\n", b"{}")
        location = next(
            line.split(": ")[1]
            for line in everything(connection).decode().splitlines()
            if line.lower().startswith("location")
        )
    with socket.create_connection(address) as connection:
        head = f"PATCH {location} HTTP/1.1\nHost: localhost\nUpload-Offset: 0\nContent-Length: 100000\n"
        ask(connection, head, b"half")
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"urn:tagtower:problem:too-slow" in answer
    with socket.create_connection(address) as connection:
        ask(connection, f"HEAD {location} HTTP/1.1\nHost: localhost\nConnection: close\n")
        assert b"upload-offset: 4" in everything(connection).lower()


def test_a_body_that_trickles_is_cut_although_something_always_comes(address) -> None:
    with socket.create_connection(address) as connection:
        ask(connection, "POST /v1/videos HTTP/1.1\nHost: localhost\nContent-Length: 1000000\n")
        ended, answer = threading.Event(), []

        def read() -> None:
            answer.append(everything(connection))
            ended.set()

        thread = threading.Thread(target=read)
        thread.start()
        for _ in range(2000):
            if ended.wait(0.02):
                break
            try:
                connection.sendall(b"x" * 20)
            except OSError:
                break
        thread.join()
    assert answer[0].startswith(b"HTTP/1.1 408 ")


def test_requests_one_after_the_other_over_a_connection_are_answered(address) -> None:
    with socket.create_connection(address) as connection:
        connection.settimeout(20)
        for _ in range(3):
            ask(connection, "GET /healthz HTTP/1.1\nHost: localhost\n")
            found = b""
            while b"alive" not in found:
                found += connection.recv(65536)
            assert found.startswith(b"HTTP/1.1 200 ")

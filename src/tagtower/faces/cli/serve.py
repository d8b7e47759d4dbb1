"""`tagtower serve`: the server of an installation and a worker beside it, both kept running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, final

import typer

from tagtower.errors import UsageError
from tagtower.faces.cli import options
from tagtower.faces.cli.output import say

if TYPE_CHECKING:
    from tagtower.config.installation import ServingSettings

LONGEST_PAUSE_SECONDS = 30.0
"""Before a child that keeps dying is started again; the first pause is half a second, each twice the last."""

STEADY_SECONDS = 30.0
"""A child that lived so long begins with the first pause again."""

DRAIN_SECONDS = 30.0
"""Children that were asked to end have so long to finish."""

YIELDING = 5
"""How much nicer the worker beside a server is than the server: whoever waits for an answer comes first."""

LOOK_SECONDS = 0.1
PR_SET_PDEATHSIG = 1
BAD_USE = 2


Host = Annotated[
    str | None,
    typer.Option("--host", help="Address to listen on; other machines reach it only with keys. [127.0.0.1]"),
]
Port = Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port to listen on. [8765]")]
Secure = Annotated[
    bool, typer.Option("--secure", help="Cookies only over TLS: behind a proxy that speaks it.")
]
PublicHost = Annotated[
    list[str] | None,
    typer.Option("--public-host", metavar="NAME", help="A name by which the server may be called."),
]
MediaFolder = Annotated[
    list[Path] | None,
    typer.Option("--media-folder", metavar="DIR", help="Where media may lie that are handed in by URI."),
]
Log = Annotated[
    str | None,
    typer.Option(
        "--log-format", metavar="json|text", help="The server's log: lines of JSON, or text. [json]"
    ),
]


def serve(
    home: options.Home,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="A model folder, taken in where the installation has no model yet."),
    ] = None,
    host: Host = None,
    port: Port = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Only serve; workers run elsewhere.")
    ] = False,
    secure: Secure = False,
    public_host: PublicHost = None,
    media_folder: MediaFolder = None,
    log_format: Log = None,
) -> int:
    """Serve an installation: API and console at one address, with a worker beside it.

    HOME is made if it is not there. Server and worker are processes of their own; one that dies is started again.
    Ctrl-C and SIGTERM let both finish what they are at. On this machine alone the server asks for no keys as long as
    none was made; for any other address make one first: tagtower keys HOME create NAME --role admin

    What is not given here comes from TAGTOWER_SERVER_HOST and the like, then from [server] in installation.toml.
    """
    from tagtower.faces.http.settings import is_loopback

    given = Given(host, port, secure, public_host, media_folder, log_format)
    settings = given.over(home)
    _prepare(home, need_keys=not is_loopback(settings.host))
    own = [sys.executable, "-m", "tagtower"]
    children = [Child("server", [*own, "serve-http", str(home), *given.arguments()])]
    if settings.worker and not no_worker:
        children.append(Child("worker", [*own, "worker", str(home), "--quiet"], yields=True))
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    say(f"TagTower at http://{shown}:{settings.port}/  (console and API; Ctrl-C ends it)")
    return _supervise(children, lambda: _add_model(home, model))


def serve_http(
    home: options.Home,
    host: Host = None,
    port: Port = None,
    secure: Secure = False,
    public_host: PublicHost = None,
    media_folder: MediaFolder = None,
    log_format: Log = None,
) -> int:
    """Serve without a worker and without being watched over; `serve` starts this."""
    from tagtower.faces.http.run import run_server
    from tagtower.faces.http.settings import ServerSettings

    settings = Given(host, port, secure, public_host, media_folder, log_format).over(home)
    run_server(home, ServerSettings.of(settings), log_format=settings.log_format)
    return 0


@final
@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says of the server; None and empty where it says nothing."""

    host: str | None = None
    port: int | None = None
    secure: bool = False
    public_hosts: list[str] | None = None
    media_folders: list[Path] | None = None
    log_format: str | None = None

    def over(self, home: Path) -> ServingSettings:
        """Return the settings of the server: these, then the environment's, then the file's, then the defaults.

        Raises:
            ConfigError: one cannot be.
        """
        from tagtower.config.installation import load_installation_settings

        below = load_installation_settings(home).server
        if self.log_format not in (None, "json", "text"):
            raise UsageError(f"There is no log format {self.log_format!r}.", hint="Give json or text.")
        said = {name: value for name in self.__slots__ if (value := getattr(self, name))}
        if self.media_folders:
            said["media_folders"] = tuple(map(str, self.media_folders))
        return below.model_validate({**below.model_dump(), **said})

    def arguments(self) -> list[str]:
        """Return it as the arguments of `serve-http`."""
        return [
            *(["--host", self.host] if self.host else []),
            *(["--port", str(self.port)] if self.port else []),
            *(["--secure"] if self.secure else []),
            *(part for name in self.public_hosts or () for part in ("--public-host", name)),
            *(part for folder in self.media_folders or () for part in ("--media-folder", str(folder))),
            *(["--log-format", self.log_format] if self.log_format else []),
        ]


def _prepare(home: Path, *, need_keys: bool) -> None:
    """Make the installation if there is none, and see to it that nobody is served unasked."""
    from tagtower.config.installation import FILE
    from tagtower.errors import MissingExtraError
    from tagtower.usecases.installation import keys
    from tagtower.usecases.installation.home import init, open_installation

    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise MissingExtraError("The server", "server") from None
    if not (home / FILE).exists():
        init(home)
        say(f"{home} was made.")
    with open_installation(home) as installation:
        if need_keys and not keys.any_made(installation):
            raise UsageError(
                "Other machines could reach this address, and there is no key: everyone could do everything.",
                hint=f"Make one with: tagtower keys {home} create NAME --role admin",
            )


def _add_model(home: Path, model: Path | None) -> None:
    """Take the model in if the installation has none."""
    from tagtower.usecases.installation import models
    from tagtower.usecases.installation.home import open_installation

    with open_installation(home) as installation:
        if models.status(installation):
            return
        if model is None:
            say("There is no model yet: videos wait until one is added.")
            return
        record = models.add(installation, model)
    say(f"The model {record.name!r} was added.")


@final
@dataclass
class Child:
    """A process that is kept running; one that `yields` lets others have the processor first."""

    name: str
    arguments: Sequence[str]
    yields: bool = False
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    pause: float = 0.5
    codes: list[int] = field(default_factory=list)

    def look(self, now: float) -> None:
        """Start it if it is due; note that it has ended."""
        if self.process is None:
            if now >= self.due:
                # A group of its own: Ctrl-C in the terminal reaches us alone, and we ask it to end.
                self.process = subprocess.Popen(
                    self.arguments, start_new_session=True, preexec_fn=_end_with_parent()
                )
                if self.yields:
                    with suppress(OSError):
                        own = os.getpriority(os.PRIO_PROCESS, 0)
                        os.setpriority(os.PRIO_PROCESS, self.process.pid, min(19, own + YIELDING))
                self.started = now
            return
        code = self.process.poll()
        if code is None:
            return
        self.process = None
        self.codes.append(code)
        self.pause = (
            0.5 if now - self.started > STEADY_SECONDS else min(LONGEST_PAUSE_SECONDS, self.pause * 2)
        )
        self.due = now + self.pause
        say(f"tagtower: the {self.name} ended with {code}; it is started again in {self.pause:g} s")

    def ask_to_end(self) -> None:
        """Send it SIGTERM."""
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                self.process.terminate()

    def end(self, deadline: float) -> None:
        """Wait until it has ended, and end it if it takes too long."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _end_with_parent() -> Callable[[], None] | None:
    """Return what makes a child end with us even if we are killed, so that none keeps the port; None off Linux."""
    if sys.platform != "linux":
        return None
    import ctypes

    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask


def _supervise(children: Sequence[Child], meanwhile: Callable[[], None]) -> int:
    """Keep the children running until a signal comes; the first is started before `meanwhile` is done."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    parent = os.getppid()
    try:
        children[0].look(time.monotonic())
        meanwhile()
        while not received and os.getppid() == parent:
            for child in children:
                child.look(time.monotonic())
                if child.name == "server" and child.codes[:1] == [BAD_USE]:
                    return BAD_USE  # the port is taken, say: another attempt would find the same
            time.sleep(LOOK_SECONDS)
    finally:
        for child in children:
            child.ask_to_end()
        deadline = time.monotonic() + DRAIN_SECONDS
        for child in children:
            child.end(deadline)
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 + received[0] if received and received[0] == signal.SIGINT else 0

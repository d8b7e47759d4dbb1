"""Decodes untrusted files in reusable child processes: a hostile file costs one clear error and never the run."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType
from typing import cast

from tagtower.config.sections import MediaSettings
from tagtower.errors import MediaError
from tagtower.media.records import DecodedMedia, DecodeRequest, MediaInfo
from tagtower.media.wire import (
    Arrays,
    BrokenMessageError,
    Header,
    pack_task,
    read_message,
    unpack_error,
    unpack_media,
    write_message,
)

_START_SECONDS = 60.0
"""A child that has not imported its modules by then never will."""

_NO_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Thread pools of a numerical library would use up the address space that the memory limit allows."""


class Decoder:
    """A pool of decoding processes that threads may share. Use it as a context manager, or `close` it.

    Children start when they are needed, are used again for the next file, and are replaced when they die or are
    killed for passing the deadline.
    """

    def __init__(self, limits: MediaSettings, workers: int | None = None) -> None:
        self._limits = limits
        self._children = [_Child(limits) for _ in range(workers or limits.workers or os.cpu_count() or 1)]
        # The child that was used last comes first, so that no more are started than work at once.
        self._idle: queue.LifoQueue[_Child] = queue.LifoQueue()
        for child in self._children:
            self._idle.put(child)

    @property
    def workers(self) -> int:
        """How many files are decoded at once, at most."""
        return len(self._children)

    def decode(self, path: Path | str, request: DecodeRequest) -> DecodedMedia:
        """Decode one file; waits while all children are busy.

        Raises:
            MediaError: as for `tagtower.media.decode.decode`, or the file took too long (`timeout`), too much
                memory (`memory`), or killed its decoder (`crash`).
        """
        child = self._idle.get()
        try:
            return child.decode(str(path), request)
        finally:
            self._idle.put(child)

    def probe(self, path: Path | str) -> MediaInfo:
        """What the header of a file says; raises as `decode` does."""
        return self.decode(path, DecodeRequest()).info

    def close(self) -> None:
        """End all children."""
        for child in self._children:
            child.close()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Child:
    """One decoding process, started on demand."""

    def __init__(self, limits: MediaSettings) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._answered = 0
        self._closed = False

    def decode(self, path: str, request: DecodeRequest) -> DecodedMedia:
        try:
            return self._decode(path, request)
        except MediaError as error:
            if error.cause not in ("memory", "crash"):
                raise
            blame_is_certain = self._answered == 0
            self.stop()
            if blame_is_certain:
                raise
        # What earlier files left behind may be to blame: only in a fresh process is it the file itself.
        return self._decode(path, request)

    def _decode(self, path: str, request: DecodeRequest) -> DecodedMedia:
        process = self._running()
        message, timed_out = self._exchange(process, pack_task(path, request, self._limits))
        if message is None:
            code = process.wait()
            if timed_out:
                seconds = self._limits.deadline_seconds
                hint = "Raise `media.deadline_seconds` if the file is to be trusted."
                raise MediaError(path, "timeout", f"took longer than {seconds:g} s to decode", hint=hint)
            raise MediaError(path, "crash", f"killed its decoding process ({_ending(code)})")
        header, arrays = message
        if "error" in header:
            error = unpack_error(header)
            self._answered += error.cause != "memory"
            raise error
        try:
            media = unpack_media(header, arrays)
        except BrokenMessageError as error:
            self.stop()
            raise MediaError(path, "crash", f"upset its decoding process ({error})") from error
        self._answered += 1
        return media

    def _running(self) -> subprocess.Popen[bytes]:
        if self._closed:
            raise RuntimeError("this decoder is closed")
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._process = _start()
            message, timed_out = self._exchange(self._process, None, _START_SECONDS)
            if message is None:
                code = self._process.wait()
                what = (
                    f"was not ready after {_START_SECONDS:g} s" if timed_out else f"ended ({_ending(code)})"
                )
                raise RuntimeError(
                    f"the decoding process {what} before its first file; try `python -m {_MODULE}`"
                )
        return self._process

    def _exchange(
        self, process: subprocess.Popen[bytes], task: Header | None, seconds: float | None = None
    ) -> tuple[tuple[Header, Arrays] | None, bool]:
        """Send a task, if any, and wait for a message. None where the process ended, and whether time was up."""
        assert process.stdin is not None
        assert process.stdout is not None
        timed_out = threading.Event()

        def kill() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(seconds or self._limits.deadline_seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            if task is not None:
                write_message(cast(BufferedIOBase, process.stdin), task)
            message = read_message(cast(BufferedIOBase, process.stdout), self._limits.memory_mb << 20)
        except (BrokenMessageError, OSError, ValueError):  # ValueError: closed by another thread meanwhile
            message = None
        except BaseException:
            # An interrupt in between leaves an answer on its way that belongs to nobody.
            process.kill()
            raise
        finally:
            timer.cancel()
        if message is None:
            process.kill()
        return message, timed_out.is_set()

    def close(self) -> None:
        """End the process for good; a thread that is still at work in it does not start another."""
        self._closed = True
        self.stop()

    def stop(self) -> None:
        """End the process, if there is one."""
        process, self._process, self._answered = self._process, None, 0
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # what stdin still holds has nobody to read it
                        pipe.close()


_MODULE = "tagtower.media.child"


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_NO_THREADS},
        start_new_session=True,  # Ctrl-C is the parent's business
    )


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"

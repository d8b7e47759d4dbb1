"""The process in which files from strangers are decoded: it reads tasks from stdin and answers on stdout.

Started by `tagtower.media.isolation` as `python -m tagtower.media.child`; it never imports torch.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from io import BufferedIOBase
from typing import cast

from tagtower.errors import MediaError
from tagtower.media.decode import decode
from tagtower.media.wire import (
    Arrays,
    Header,
    pack_error,
    pack_media,
    read_message,
    unpack_task,
    write_message,
)

_GRACE_SECONDS = 5.0


def main() -> None:
    """Answer tasks until stdin ends."""
    tasks = cast(BufferedIOBase, sys.stdin.buffer)
    answers = _private_stdout()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    write_message(answers, {"ready": True})
    while (message := read_message(tasks, 0)) is not None:
        write_message(answers, *_answer(message[0]))


def _private_stdout() -> BufferedIOBase:
    """Stdout for answers alone: whatever a library prints goes to stderr instead of between the messages."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _answer(task: Header) -> tuple[Header, Arrays]:
    path, request, limits = unpack_task(task)
    _limit_memory(limits.memory_mb << 20)
    # Should the parent die without killing this process, the alarm does.
    _set_alarm(limits.deadline_seconds + _GRACE_SECONDS)
    try:
        return pack_media(decode(path, request, limits))
    except MediaError as error:
        return pack_error(error), []
    except MemoryError:
        return pack_error(MediaError(path, "memory", "needs more memory than is allowed")), []
    except Exception as bug:
        # A mistake of ours that a strange file brings to light is to be seen, but it must not end the run.
        where = traceback.extract_tb(bug.__traceback__)[-1]
        what = f"{type(bug).__name__}: {bug}, {where.filename}:{where.lineno}"
        return pack_error(MediaError(path, "crash", f"brought out a bug in TagTower ({what})")), []
    finally:
        _set_alarm(0)


def _limit_memory(limit_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit; the deadline still holds
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = limit_bytes if hard == resource.RLIM_INFINITY else min(limit_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _set_alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    main()

"""The file that `label --out` writes: a line as soon as it is ready, and whole lines only after any end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tagtower.errors import StorageError, UsageError
from tagtower.storage.atomic import write_bytes


@dataclass(frozen=True, slots=True)
class LabelFile:
    """An open output of JSON lines, and the answers that an earlier run left in it. Without a file, it does nothing."""

    before: tuple[dict[str, Any], ...]
    stream: IO[bytes] | None

    @staticmethod
    @contextmanager
    def open(path: Path | None, *, resume: bool, overwrite: bool) -> Iterator[LabelFile]:
        """Open `path` for writing; with `resume`, keep its answers, and drop failures and a line cut short.

        Raises:
            UsageError: the file exists and neither `resume` nor `overwrite` is set.
            StorageError: the file cannot be written, or holds no label output.
        """
        if path is None:
            if resume:
                raise UsageError("--resume needs --out.", hint="Name the file that the earlier run wrote.")
            yield LabelFile((), None)
            return
        if path.exists() and not (resume or overwrite):
            raise UsageError(f"{path} exists.", hint="Go on with --resume, or replace it with --overwrite.")
        kept = _answers(path) if resume and path.exists() else []
        write_bytes(path, b"".join(line for line, _ in kept))
        with path.open("ab") as stream:
            yield LabelFile(tuple(parsed for _, parsed in kept), stream)

    def write(self, line: str) -> None:
        """Append one line and hand it to the operating system, so that a kill loses at most this line.

        Raises:
            StorageError: the disk is full.
        """
        if self.stream is None:
            return
        try:
            self.stream.write(line.encode())
            self.stream.flush()
        except OSError as error:
            raise StorageError(
                f"{self.stream.name}: cannot be written ({error.strerror}).",
                hint="Free space, then go on with --resume.",
            ) from None


def _answers(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    answers = []
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                break  # the last line of a run that was killed while writing it
            try:
                parsed = json.loads(line)
            except ValueError:
                parsed = None
            if not isinstance(parsed, dict) or "schema" not in parsed:
                raise StorageError(
                    f"{path}, line {number}: is not an answer of `tagtower label`.",
                    hint="Name another --out, or replace the file with --overwrite.",
                )
            if "tags" in parsed:
                answers.append((line, parsed))
    return answers

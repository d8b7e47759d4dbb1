"""The file that `label --out` writes: a line as soon as it is ready, and whole lines only after any end."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, final

from tagtower.errors import StorageError, UsageError
from tagtower.storage.atomic import write_bytes


@final
class LabelFile:
    """An output of JSON lines, and the answers that an earlier run left in it. Without a path, it does nothing.

    Nothing on the disk changes before the first line is written: a run that fails to begin spoils no earlier one.
    Use it as a context manager.
    """

    def __init__(self, path: Path | None, *, resume: bool = False, overwrite: bool = False) -> None:
        """Look at what stands at `path`; with `resume`, keep its answers, and drop failures and a line cut short.

        Raises:
            UsageError: something stands there and neither `resume` nor `overwrite` is set; or both are.
            StorageError: it cannot be read, or holds no label output.
        """
        if resume and overwrite:
            raise UsageError("--resume and --overwrite contradict each other.", hint="Choose one.")
        if path is None and resume:
            raise UsageError("--resume needs --out.", hint="Name the file that the earlier run wrote.")
        if path is not None and path.exists() and not (resume or overwrite):
            raise UsageError(f"{path} exists.", hint="Go on with --resume, or replace it with --overwrite.")
        self._path = path
        self._stream: IO[bytes] | None = None
        kept = _answers(path) if path is not None and resume and path.exists() else []
        self._kept = b"".join(line for line, _ in kept)
        self.before: tuple[dict[str, Any], ...] = tuple(parsed for _, parsed in kept)

    def check_model(self, fingerprint: str | None, ranker: str | None) -> None:
        """Refuse to mix the answers of two models, or two orders of one.

        Raises:
            UsageError: an earlier answer is not of the model with this fingerprint, or of another of its rankers.
                None stands for no model.
        """
        rankers = {answer.get("ranker") for answer in self.before} - {ranker}
        if rankers:
            raise UsageError(
                f"{self._path} holds answers of another ranker ({sorted(map(str, rankers))[0]}).",
                hint="Go on with that --ranker, name another --out, or replace the file with --overwrite.",
            )
        others = {answer.get("model") for answer in self.before} - {fingerprint}
        if others:
            raise UsageError(
                f"{self._path} holds answers of another model ({sorted(map(str, others))[0][:12]}).",
                hint="Go on with that model, name another --out, or replace the file with --overwrite.",
            )

    def write(self, line: str) -> None:
        """Append one line and hand it to the operating system, so that a kill loses at most this line.

        Raises:
            StorageError: the disk is full, or the place may not be written to.
        """
        if self._path is None:
            return
        if self._stream is None:
            write_bytes(self._path, self._kept)
            self._stream = self._path.open("ab")
        try:
            self._stream.write(line.encode())
            self._stream.flush()
        except OSError as error:
            raise StorageError(
                f"{self._path}: cannot be written ({error.strerror}).",
                hint="Free space, then go on with --resume.",
            ) from None

    def __enter__(self) -> LabelFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            with suppress(OSError):  # what could not be written was told by `write`
                self._stream.close()


def _answers(path: Path) -> list[tuple[bytes, dict[str, Any]]]:
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be read ({error.strerror}).", hint="Name another --out."
        ) from None
    answers = []
    for number, line in enumerate(lines, start=1):
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

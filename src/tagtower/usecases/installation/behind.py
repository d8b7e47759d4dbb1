"""One job at a time in the background: results are written while the next videos are looked at."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import final


@final
class Behind:
    """Runs the job that it is given while its caller goes on; the next one waits for the one before."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="results")
        self._job: Future[None] | None = None

    def __enter__(self) -> Behind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True)

    def __call__(self, work: Callable[[], None]) -> None:
        """Begin a job; what the one before raised is raised here."""
        self.wait()
        self._job = self._pool.submit(work)

    def wait(self) -> None:
        """Return when nothing runs; what the last job raised is raised here."""
        job, self._job = self._job, None
        if job is not None:
            job.result()

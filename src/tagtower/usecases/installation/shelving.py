"""From what a worker has seen to the shelves: answers, writing them, and what is done where something fails."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import final

from tagtower.errors import StorageError, TagTowerError
from tagtower.library.curation.committing import hold_library
from tagtower.library.shelves import Failure, LeasedVideo, fail, release
from tagtower.library.vectors import VectorStore
from tagtower.usecases.installation.erase import forget_erased
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.labelling import Answer, Labeller, NotSeen, Seen
from tagtower.usecases.installation.leases import HeldLeases, by_token
from tagtower.usecases.installation.media import failure_of
from tagtower.usecases.installation.patience import Patience, Stopped
from tagtower.usecases.installation.results import Found, Gone, LibraryChangedError, Written, write_results
from tagtower.usecases.installation.worker_events import Event, Listener, WorkerReport

ANSWER_TRIES = 5
"""So often a batch is answered anew because the library has changed meanwhile; then changes have to wait for it."""


@final
class Shelver:
    """Puts the videos that one worker holds on the shelves where they belong, and counts them in its report."""

    def __init__(
        self,
        installation: Installation,
        vectors: VectorStore,
        held: HeldLeases,
        report: WorkerReport,
        tell: Listener,
        patience: Patience,
    ) -> None:
        self._installation = installation
        self._vectors = vectors
        self._held = held
        self._report = report
        self._tell = tell
        self._patience = patience

    def finish(self, labeller: Labeller, ready: Sequence[Seen | NotSeen]) -> bool:
        """Answer and write; return False if nothing was written, as another model is active.

        Where a video upsets the ranking, the others of its batch are written without it.

        Raises:
            Stopped: the worker was asked to stop while the database was out of order.
        """
        found = [Found(self._held.get(one.id), one) for one in ready if isinstance(one, Seen)]
        gone = [self._gone(one) for one in ready if isinstance(one, NotSeen)]
        try:
            written, answers = self._patience(lambda: self._write(labeller, found, gone))
        except Exception as fault:
            if isinstance(fault, TagTowerError | Stopped) or not found:
                raise
            if len(ready) > 1:
                written_each = [self.finish(labeller, [one]) for one in ready]
                return all(written_each)
            self._tell(Event("trouble", {"message": str(fault), "trace": traceback.format_exc()}))
            gone = [Gone(one.leased, unexpected(fault)) for one in found]
            written, answers = self._patience(lambda: self._write(labeller, [], gone))
        self._held.drop([one.id for one in ready])
        if not written.stale:
            forget_erased(
                self._installation, [one.leased for one in found if one.leased.id not in written.labelled]
            )
        self._note(written, answers, gone)
        return not written.stale

    def stumble(self, fault: Exception, ready: Sequence[Seen | NotSeen]) -> None:
        """Something failed while videos were looked at: give back what is not ready, and blame whom there is to blame.

        A store or disk that is out of order is no video's fault. Anything else is laid to the video whose turn it was.

        Raises:
            Stopped: the worker was asked to stop while the database was out of order.
        """
        done = {one.id for one in ready}
        others = [one for one in self._held.all() if one.id not in done]
        if isinstance(fault, StorageError):
            self._patience(lambda: self.give_back(others))
            self._patience.wait_out(fault)
            return
        if isinstance(fault, TagTowerError) or not others:
            raise fault
        facts = {"message": str(fault), "video": others[0].id, "trace": traceback.format_exc()}
        self._tell(Event("trouble", facts))
        self._patience(lambda: self.give_back(others[1:]))
        blamed = Gone(others[0], unexpected(fault))
        self._patience(lambda: self._fail(blamed))

    def give_back(self, leased: Sequence[LeasedVideo]) -> None:
        """Give videos back untouched."""
        with self._installation.database.write() as connection:
            for token, ids in by_token(leased).items():
                release(connection, token, ids)
        self._held.drop([one.id for one in leased])

    def _write(
        self, labeller: Labeller, found: Sequence[Found], gone: Sequence[Gone]
    ) -> tuple[Written, list[Answer]]:
        seen = [one.seen for one in found]
        for left in range(ANSWER_TRIES, -1, -1):
            answers = labeller.answer(seen)
            try:
                with self._installation.database.write() as connection:
                    if not left:
                        # Editors are busy: from here on they have to wait.
                        hold_library(connection)
                        answers = labeller.answer(seen)
                    written = write_results(
                        connection,
                        self._installation,
                        self._vectors,
                        labeller.model,
                        found,
                        answers,
                        gone,
                        worker=self._report.name,
                    )
                    return written, answers
            except LibraryChangedError:
                continue
        raise AssertionError("the last answer was made while the library was held")

    def _fail(self, gone: Gone) -> None:
        leased, rules = gone.leased, self._installation.settings.worker
        with self._installation.database.write() as connection:
            now = self._installation.clock()
            shelf = fail(connection, leased.id, leased.token, gone.failure, now=now, rules=rules)
        self._held.drop([leased.id])
        self._note(Written(failed={} if shelf is None else {leased.id: shelf}), (), [gone])

    def _gone(self, one: NotSeen) -> Gone:
        leased = self._held.get(one.id)
        return Gone(leased, failure_of(one.error, leased.stored))

    def _note(self, written: Written, answers: Sequence[Answer], gone: Sequence[Gone]) -> None:
        for answer in answers:
            if answer.video_id in written.labelled:
                self._report.labelled += 1
                tags = [tag.tag for tag in answer.tags]
                facts = {"video": answer.video_id, "tags": tags, "library": answer.library_version}
                self._tell(Event("labelled", facts))
        for one in gone:
            shelf = (written.failed or {}).get(one.leased.id)
            if shelf is None:
                continue
            self._report.failed += shelf == "failed"
            self._report.postponed += shelf == "unlabelled"
            error, again = one.failure.to_json(), shelf == "unlabelled"
            self._tell(Event("failed", {"video": one.leased.id, "error": error, "again": again}))


def unexpected(fault: Exception) -> Failure:
    """Return what a failure that nobody expected means for the video whose turn it was; another attempt is made."""
    if isinstance(fault, MemoryError) or "out of memory" in str(fault) or "allocate memory" in str(fault):
        return Failure("memory", "There was not enough memory for it.", "Give the worker more, or run fewer.")
    return Failure(
        "bug",
        f"The program failed: {type(fault).__name__}: {fault}",
        "Please report it, with the worker's log.",
    )

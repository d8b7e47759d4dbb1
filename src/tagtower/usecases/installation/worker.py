"""A worker: takes unlabelled videos, labels them with the active model, and puts them on the labelled shelf.

Whatever ends it, no video is lost: a lease runs out, and another worker takes the video. What was found for a video is
written in one transaction with its change of shelf, and only by who holds its lease.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, final

from tagtower.errors import ConflictError, StorageError, TagTowerError
from tagtower.library import workers
from tagtower.library.curation.committing import hold_library
from tagtower.library.models import ModelRecord, active_model
from tagtower.library.shelves import Failure, LeasedVideo, fail, has_due, release, take
from tagtower.library.snapshot import TagSource
from tagtower.library.vectors import VectorStore, vector_store
from tagtower.usecases.installation.chores import Chore
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.labelling import Answer, Labeller, NotSeen, Seen, open_labeller
from tagtower.usecases.installation.leases import HeldLeases, LeaseKeeper, Stop, by_token
from tagtower.usecases.installation.media import failure_of
from tagtower.usecases.installation.results import Found, Gone, LibraryChangedError, Written, write_results
from tagtower.usecases.session import Device

LONGEST_PAUSE_SECONDS = 30.0
"""Between attempts while the database or a disk is out of order; the first pause is a second, each twice the last."""

ONCE_TRIES = 5
"""A worker that is to end by itself gives up after so many such attempts: about half a minute."""

ANSWER_TRIES = 5
"""So often a batch is answered anew because the library has changed meanwhile; then changes have to wait for it."""

FLUSH_SECONDS = 2.0
"""What was found waits no longer than this for the rest of its batch."""

CHORE_SECONDS = 1.0
"""How often a busy worker asks whether there is other work."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a worker did or met.

    `kind` is `model`, `labelled`, `failed`, `trouble`, `chore` or `idle`; `facts` say more, as JSON has it.
    """

    kind: str
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the event as one object."""
        return {"event": self.kind, **self.facts}


Listener: TypeAlias = Callable[[Event], None]


@dataclass(slots=True)
class WorkerReport:
    """What a worker did: videos labelled, given up for good, and put off for another attempt; and for how long."""

    name: str
    labelled: int = 0
    failed: int = 0
    postponed: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "worker": self.name,
            "labelled": self.labelled,
            "failed": self.failed,
            "postponed": self.postponed,
            "seconds": round(self.seconds, 3),
        }


def run_worker(
    installation: Installation,
    *,
    once: bool = False,
    stop: Stop | None = None,
    chores: Sequence[Chore] = (),
    on_event: Listener = lambda event: None,
    device: Device = "auto",
    threads: int | None = None,
) -> WorkerReport:
    """Label unlabelled videos, and do chores between batches, until asked to stop.

    A model that is promoted, and every change of the tag library, are in use with the next batch. While the database
    is gone or locked, or a disk is full, the worker keeps what it has and tries again.

    Args:
        once: end when nothing is left to do now, rather than wait for more.
        stop: asks it to end.
        threads: CPU threads of the towers, 0 for one per core; default what the model was trained with.
    Raises:
        ConflictError: `once`, and there is no active model.
        StorageError: `once`, and database or disk stayed out of order.
        ModelError: the folder of the active model is damaged.
    """
    return _Worker(installation, once, stop or Stop(), chores, on_event, device, threads).run()


class _Stopped(Exception):  # noqa: N818
    """The worker was asked to stop while it waited."""


@final
class _Worker:
    """One run of a worker."""

    def __init__(
        self,
        installation: Installation,
        once: bool,
        stop: Stop,
        chores: Sequence[Chore],
        on_event: Listener,
        device: Device,
        threads: int | None,
    ) -> None:
        self._installation = installation
        self._database = installation.database
        self._rules = installation.settings.worker
        self._once = once
        self._stop = stop
        self._chores = tuple(chores)
        self._tell = on_event
        self._device: Device = device
        self._threads = threads
        self._tags = TagSource(installation.database)
        self._vectors: VectorStore = vector_store(installation.database, installation.vectors)
        self._held = HeldLeases()
        self._labeller: Labeller | None = None
        self._replaced = False
        self._idle = False
        self._took = 0
        self._troubles = 0
        self._chores_at = 0.0
        self.report = WorkerReport(workers.new_name())

    def run(self) -> WorkerReport:
        """Work until there is nothing left, or the worker is asked to stop."""
        start, name = time.monotonic(), self.report.name
        try:
            self._patiently(lambda: self._in_transaction(workers.enlist, name))
            with LeaseKeeper(self._installation, name, self._held, self._stop, self._interrupt):
                try:
                    self._work()
                finally:
                    self._leave()
        except _Stopped:
            pass
        finally:
            for chore in self._chores:
                chore.close()
        self.report.seconds = time.monotonic() - start
        return self.report

    def _work(self) -> None:
        while not self._stop.asked:
            model = self._patiently(self._active)
            if model is None:
                if self._once:
                    raise ConflictError(
                        "There is no active model, so no video can be labelled.",
                        hint="Add one with: tagtower models HOME add FOLDER",
                    )
                self._rest("there is no active model", self._do_chores(None))
                continue
            with open_labeller(
                self._installation,
                model,
                tags=self._tags,
                vectors=self._vectors,
                device=self._device,
                threads=self._threads,
            ) as labeller:
                self._labeller = labeller
                try:
                    # The first look at a large library takes minutes; no video waits for it under a lease.
                    snapshot = self._patiently(labeller.prepare)
                    facts = {"name": model.name, "tags": len(snapshot.library), "library": snapshot.version}
                    self._tell(Event("model", facts))
                    if self._work_with(labeller):
                        return
                finally:
                    self._labeller = None

    def _work_with(self, labeller: Labeller) -> bool:
        """Work until another model is active (False), or until the end (True)."""
        while not self._stop.asked:
            self._took, self._replaced = 0, False
            self._label(labeller)
            if self._replaced:
                return False
            busy = self._do_chores(labeller) or self._took > 0
            if self._once and not busy:
                return True
            self._rest("nothing is left to do", busy)
        return True

    def _rest(self, why: str, busy: bool) -> None:
        if busy:
            self._idle = False
            return
        if not self._idle:
            self._tell(Event("idle", {"reason": why}))
        self._idle = True
        self._stop.wait(self._rules.idle_seconds)

    def _label(self, labeller: Labeller) -> None:
        """Label videos until none is left, the model is replaced, the worker is asked to stop, or something fails."""
        ready: list[Seen | NotSeen] = []
        since = 0.0
        try:
            for one in labeller.see(self._leases(labeller.model), ahead=self._rules.batch):
                if self._stop.asked:  # a decoder that was closed gives failures that are none
                    break
                since = since if ready else time.monotonic()
                ready.append(one)
                if len(ready) >= self._rules.batch or time.monotonic() - since > FLUSH_SECONDS:
                    self._finish(labeller, ready)
                    ready = []
                    if time.monotonic() - self._chores_at > CHORE_SECONDS:
                        self._do_chores(labeller)
        except _Stopped:
            return
        except Exception as fault:
            if not self._stop.asked:
                self._stumble(fault, ready)
        if ready:
            self._finish(labeller, ready)

    def _leases(self, model: ModelRecord) -> Iterator[LeasedVideo]:
        """Lease videos as they are asked for; none any more once the model is replaced."""
        while not self._stop.asked:
            leased = self._patiently(lambda: self._take(model))
            if not leased:
                return
            # After a long outage these may be its own, in work and lost by time: they are not begun anew.
            begun = {one.id for one in self._held.all()}
            self._held.add(leased)
            self._took += len(leased)
            self._troubles = 0
            yield from (one for one in leased if one.id not in begun)

    def _take(self, model: ModelRecord) -> list[LeasedVideo]:
        with self._database.read() as connection:
            active = active_model(connection)
            self._replaced = active is None or active.id != model.id
            due = has_due(connection, now=self._installation.clock(), rules=self._rules)
        if self._replaced or not due:
            return []
        with self._database.write() as connection:
            now = self._installation.clock()
            return take(connection, self.report.name, self._rules.batch, now=now, rules=self._rules)

    def _finish(self, labeller: Labeller, ready: Sequence[Seen | NotSeen]) -> None:
        """Answer and write; where a video upsets the ranking, the others of its batch are written without it."""
        found = [Found(self._held.get(one.id), one) for one in ready if isinstance(one, Seen)]
        gone = [self._gone(one) for one in ready if isinstance(one, NotSeen)]
        try:
            written, answers = self._patiently(lambda: self._write(labeller, found, gone))
        except _Stopped:
            return
        except TagTowerError:
            raise
        except Exception as fault:
            if len(ready) > 1:
                for one in ready:
                    self._finish(labeller, [one])
                return
            gone = [*gone, *(Gone(one.leased, _bug(fault)) for one in found)]
            self._tell(Event("trouble", {"message": str(fault), "trace": traceback.format_exc()}))
            written, answers = self._patiently(lambda: self._write(labeller, [], gone))
        self._held.drop([one.id for one in ready])
        self._note(written, answers, gone)

    def _write(
        self, labeller: Labeller, found: Sequence[Found], gone: Sequence[Gone]
    ) -> tuple[Written, list[Answer]]:
        seen = [one.seen for one in found]
        for left in range(ANSWER_TRIES, -1, -1):
            answers = labeller.answer(seen)
            try:
                with self._database.write() as connection:
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
                        worker=self.report.name,
                    )
                    return written, answers
            except LibraryChangedError:
                continue
        raise AssertionError("the last answer was made while the library was held")

    def _gone(self, one: NotSeen) -> Gone:
        leased = self._held.get(one.id)
        return Gone(leased, failure_of(one.error, leased.stored))

    def _note(self, written: Written, answers: Sequence[Answer], gone: Sequence[Gone]) -> None:
        self._replaced |= written.stale
        for answer in answers:
            if answer.video_id in written.labelled:
                self.report.labelled += 1
                tags = [tag.tag for tag in answer.tags]
                self._tell(
                    Event(
                        "labelled",
                        {"video": answer.video_id, "tags": tags, "library": answer.library_version},
                    )
                )
        for one in gone:
            shelf = (written.failed or {}).get(one.leased.id)
            if shelf is None:
                continue
            self.report.failed += shelf == "failed"
            self.report.postponed += shelf == "unlabelled"
            facts = {"video": one.leased.id, "error": one.failure.to_json(), "again": shelf == "unlabelled"}
            self._tell(Event("failed", facts))

    def _stumble(self, fault: Exception, ready: Sequence[Seen | NotSeen]) -> None:
        """Something failed while videos were looked at: give back what is not ready, and blame whom there is to blame.

        A store or disk that is out of order is no video's fault. Anything else is laid to the video whose turn it was.
        """
        done = {one.id for one in ready}
        others = [one for one in self._held.all() if one.id not in done]
        if isinstance(fault, StorageError):
            self._patiently(lambda: self._give_back(others))
            self._trouble(fault)
            return
        if isinstance(fault, TagTowerError) or not others:
            raise fault
        facts = {"message": str(fault), "video": others[0].id, "trace": traceback.format_exc()}
        self._tell(Event("trouble", facts))
        failure = _bug(fault)

        def give_back() -> None:
            self._give_back(others[1:])
            with self._database.write() as connection:
                now = self._installation.clock()
                shelf = fail(connection, others[0].id, others[0].token, failure, now=now, rules=self._rules)
            self._held.drop([others[0].id])
            self._note(
                Written(failed={} if shelf is None else {others[0].id: shelf}), (), [Gone(others[0], failure)]
            )

        self._patiently(give_back)

    def _give_back(self, leased: Sequence[LeasedVideo]) -> None:
        with self._database.write() as connection:
            for token, ids in by_token(leased).items():
                release(connection, token, ids)
        self._held.drop([one.id for one in leased])

    def _do_chores(self, labeller: Labeller | None) -> bool:
        """Do a little of each chore, and return whether there was any."""
        busy = False
        for chore in self._chores:
            if self._stop.asked:
                break
            try:
                did = chore.run_once(self._installation, labeller)
            except TagTowerError as fault:
                self._tell(Event("trouble", {"message": fault.message, "chore": chore.name}))
                continue
            if did:
                self._tell(Event("chore", {"name": chore.name}))
            busy |= did
        self._chores_at = time.monotonic()
        return busy

    def _patiently(self, work: Callable[[], T]) -> T:
        """Do something with the database or a disk, again and again while that is out of order.

        Raises:
            _Stopped: the worker was asked to stop meanwhile.
        """
        while True:
            try:
                found = work()
            except StorageError as fault:
                self._trouble(fault)
                if self._stop.asked:
                    raise _Stopped from None
            else:
                return found

    def _trouble(self, fault: StorageError) -> None:
        self._troubles += 1
        if self._once and self._troubles > ONCE_TRIES:
            raise fault
        pause = min(2.0 ** min(self._troubles - 1, 10), LONGEST_PAUSE_SECONDS)
        self._tell(Event("trouble", {"message": fault.message, "hint": fault.hint, "pause": pause}))
        self._stop.wait(pause)

    def _interrupt(self) -> None:
        """Let no decoding hold up the end; called from another thread."""
        labeller = self._labeller
        if labeller is not None:
            labeller.session.decoder.close()

    def _leave(self) -> None:
        """Give back what is not done; what cannot be given back runs out by itself."""
        try:
            self._give_back(self._held.all())
            self._in_transaction(workers.leave, self.report.name)
        except StorageError as fault:
            self._tell(Event("trouble", {"message": fault.message, "hint": fault.hint}))

    def _active(self) -> ModelRecord | None:
        with self._database.read() as connection:
            return active_model(connection)

    def _in_transaction(self, work: Callable[..., None], *arguments: Any) -> None:
        with self._database.write() as connection:
            work(connection, *arguments, now=self._installation.clock())


def _bug(fault: Exception) -> Failure:
    if isinstance(fault, MemoryError) or "out of memory" in str(fault) or "allocate memory" in str(fault):
        return Failure("memory", "There was not enough memory for it.", "Give the worker more, or run fewer.")
    return Failure(
        "bug",
        f"The program failed: {type(fault).__name__}: {fault}",
        "Please report it, with the worker's log.",
    )

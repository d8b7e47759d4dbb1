"""A worker: takes unlabelled videos, labels them with the active model, and puts them on the labelled shelf.

Whatever ends it, no video is lost: a lease runs out, and another worker takes the video. What was found for a video is
written in one transaction with its change of shelf, and only by who holds its lease.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, TypeAlias, final

from tagtower.errors import ConflictError, StorageError, TagTowerError
from tagtower.library import workers
from tagtower.library.models import ModelRecord, active_model
from tagtower.library.shelves import SUSPECT, LeasedVideo, has_due, take
from tagtower.library.snapshot import TagSource
from tagtower.library.vectors import VectorStore, vector_store
from tagtower.usecases.installation.behind import Behind
from tagtower.usecases.installation.chores import Chore
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.labelling import Labeller, NotSeen, Seen, open_labeller
from tagtower.usecases.installation.leases import HeldLeases, LeaseKeeper, LeasePace, Stop
from tagtower.usecases.installation.patience import Patience, Stopped
from tagtower.usecases.installation.shelving import Shelver
from tagtower.usecases.installation.worker_events import Event, Listener, WorkerReport
from tagtower.usecases.session import Device

ONCE_TRIES = 5
"""A worker that is to end by itself gives up after so many such attempts: about half a minute."""

WRITTEN_AT_ONCE, FLUSH_SECONDS = 64, 2.0
"""So many videos are written in one transaction at most, and none waits longer than this for others: a transaction
costs as much as looking at a small video, and a worker that is killed loses two seconds of its work."""

CHORE_SECONDS = 1.0
"""How often a busy worker asks whether there is other work."""


Within: TypeAlias = Callable[[str, Mapping[str, Any]], AbstractContextManager[object]]
"""Gives a context for a piece of work with a name and facts."""


def run_worker(
    installation: Installation,
    *,
    once: bool = False,
    stop: Stop | None = None,
    chores: Sequence[Chore] = (),
    on_event: Listener = lambda event: None,
    device: Device = "auto",
    threads: int | None = None,
    within: Within = lambda name, facts: nullcontext(),
) -> WorkerReport:
    """Label unlabelled videos, and do chores between batches, until asked to stop.

    A model that is promoted, and every change of the tag library, are in use with the next batch. While the database
    is gone or locked, or a disk is full, the worker keeps what it has and tries again.

    Args:
        once: end when nothing is left to do now, rather than wait for more.
        stop: asks it to end.
        threads: CPU threads of the towers, 0 for one per core; default what the model was trained with.
        within: what surrounds the writing of each batch, such as a span of a trace.
    Raises:
        ConflictError: `once`, and there is no active model.
        StorageError: `once`, and database or disk stayed out of order.
        ModelError: the folder of the active model is damaged.
    """
    return _Worker(installation, once, stop or Stop(), chores, on_event, device, threads, within).run()


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
        within: Within,
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
        self._within = within
        self._tags = TagSource(installation.database)
        self._vectors: VectorStore = vector_store(installation.database, installation.vectors)
        self._held = HeldLeases()
        self._labeller: Labeller | None = None
        self._replaced = False
        self._idle = False
        self._took = 0
        self._pace = LeasePace(self._rules.batch)
        self._chores_at = 0.0
        self.report = WorkerReport(workers.new_name())
        self._patience = Patience(stop, on_event, ONCE_TRIES if once else None)
        self._shelver = Shelver(
            installation, self._vectors, self._held, self.report, on_event, self._patience
        )

    def run(self) -> WorkerReport:
        """Work until there is nothing left, or the worker is asked to stop."""
        start, name = time.monotonic(), self.report.name
        try:
            self._patience(lambda: self._in_transaction(workers.enlist, name))
            with LeaseKeeper(self._installation, name, self._held, self._stop, self._interrupt):
                try:
                    self._work()
                finally:
                    self._leave()
        except Stopped:
            pass
        finally:
            for chore in self._chores:
                chore.close()
        self.report.seconds = time.monotonic() - start
        return self.report

    def _work(self) -> None:
        while not self._stop.asked:
            model = self._patience(self._active)
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
                    snapshot = self._patience(labeller.prepare)
                    facts = {"name": model.name, "tags": len(snapshot.library), "library": snapshot.version}
                    with _uncollected():
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
        with Behind() as behind:
            ready: list[Seen | NotSeen] = []
            fault: Exception | None = None
            try:
                self._look(labeller, ready, behind)
            except Stopped:
                return
            except Exception as raised:
                fault = raised
            try:
                behind.wait()
            except Stopped:
                return
            if fault is not None and not self._stop.asked:
                self._shelver.stumble(fault, ready)
            if ready:
                self._finish(labeller, ready)

    def _look(self, labeller: Labeller, ready: list[Seen | NotSeen], behind: Behind) -> None:
        """Look at one video after the other, and have them written in batches; what is left over stays in `ready`."""
        since = 0.0
        for one in labeller.see(self._leases(labeller.model), ahead=self._rules.batch):
            if self._stop.asked:  # a decoder that was closed gives failures that are none
                return
            since = since if ready else time.monotonic()
            ready.append(one)
            self._pace.done()
            if len(ready) >= WRITTEN_AT_ONCE or time.monotonic() - since > FLUSH_SECONDS:
                batch = tuple(ready)
                ready.clear()
                behind(partial(self._finish, labeller, batch))
                if time.monotonic() - self._chores_at > CHORE_SECONDS:
                    behind.wait()  # two threads never share what knows the tags
                    self._do_chores(labeller)

    def _finish(self, labeller: Labeller, ready: Sequence[Seen | NotSeen]) -> None:
        facts = {"tagtower.videos": [one.id for one in ready], "tagtower.model": labeller.model.name}
        with self._within("label videos", facts):
            if not self._shelver.finish(labeller, ready):
                self._replaced = True

    def _leases(self, model: ModelRecord) -> Iterator[LeasedVideo]:
        """Lease videos as they are asked for; none any more once the model is replaced."""
        while not self._stop.asked:
            leased = self._patience(lambda: self._take(model))
            if not leased:
                return
            # After a long outage these may be its own, in work and lost by time: they are not begun anew.
            begun = {one.id for one in self._held.all()}
            self._held.add(leased)
            self._took += len(leased)
            self._patience.forget()
            yield from (one for one in leased if one.id not in begun)
            if leased[0].attempts >= SUSPECT:
                return  # nothing is begun beside it

    def _take(self, model: ModelRecord) -> list[LeasedVideo]:
        with self._database.read() as connection:
            active = active_model(connection)
            self._replaced = active is None or active.id != model.id
            due = self._pace.full or has_due(connection, now=self._installation.clock(), rules=self._rules)
        if self._replaced or not due:
            return []
        count = self._pace.next()
        with self._database.write() as connection:
            now = self._installation.clock()
            leased = take(connection, self.report.name, count, now=now, rules=self._rules)
        self._pace.leased(count, len(leased))
        return leased

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

    def _interrupt(self) -> None:
        """Let no decoding hold up the end; called from another thread."""
        labeller = self._labeller
        if labeller is not None:
            labeller.session.decoder.close()

    def _leave(self) -> None:
        """Give back what is not done; what cannot be given back runs out by itself."""
        try:
            self._shelver.give_back(self._held.all())
            self._in_transaction(workers.leave, self.report.name)
        except StorageError as fault:
            self._tell(Event("trouble", {"message": fault.message, "hint": fault.hint}))

    def _active(self) -> ModelRecord | None:
        with self._database.read() as connection:
            return active_model(connection)

    def _in_transaction(self, work: Callable[..., None], *arguments: Any) -> None:
        with self._database.write() as connection:
            work(connection, *arguments, now=self._installation.clock())


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let the garbage collector pass over what is there now, the model above all: a third of a second each time."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()

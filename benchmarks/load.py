"""Terminals that hand in, search and play at once, on a real server beside a worker that labels.

    python benchmarks/load.py [--terminals 50] [--seconds 60] [--warm 60] [--pause 1]

Each terminal does one thing after the other, with a pause between that is exponentially distributed: half of what it
does are searches (by tag, by words, by likeness), a third is playing a range, a sixth is handing in a small clip, at
one go or as a resumable upload. With `--pause 0` the terminals wait for nothing, and what comes out is how much the
server can answer. What a server fills once (caches, threads, pools of memory) is filled before anything is counted.
Terminals, server and worker share the machine, and the load average is printed beside the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil

from data import machine
from kills import WORDS
from serving import Place, Served, memory, place, serving

READS = ("tag", "words", "similar", "play")
P95_SECONDS = 0.1
GROWTH_MIB_PER_MINUTE = 4.0
DRAIN_SECONDS = 600.0


@dataclass
class Seen:
    """How long what took, by kind (seconds); what failed; memory by moment (seconds, MiB resident, MiB anonymous)."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, float, float]] = field(default_factory=list)
    handed_in: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--terminals", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=1.0, help="mean seconds between two things")
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--labelled", type=int, default=300, help="videos that are there at the start")
    parser.add_argument("--waiting", type=int, default=1500, help="videos that wait to be labelled then")
    parser.add_argument(
        "--warm", type=float, default=60.0, help="seconds of the same before anything is counted"
    )
    parser.add_argument("--no-worker", action="store_true", help="nobody labels meanwhile")
    arguments = parser.parse_args()
    print(machine())
    with (
        tempfile.TemporaryDirectory() as folder,
        place(
            Path(folder),
            arguments.engine,
            terminals=arguments.terminals,
            labelled=arguments.labelled,
            waiting=0 if arguments.no_worker else arguments.waiting,
        ) as made,
    ):
        return run(made, arguments)


def run(made: Place, arguments: argparse.Namespace) -> int:
    """Serve, load, and print what was seen."""
    with serving(made, *(["--no-worker"] if arguments.no_worker else [])) as served:
        served.ready()
        asyncio.run(load(served, made, arguments, arguments.warm, Seen()))
        before, seen = made.shelves()["labelled"], Seen()
        busy = processor_seconds(served)
        start = time.monotonic()
        asyncio.run(load(served, made, arguments, arguments.seconds, seen))
        seconds = time.monotonic() - start
        busy = {name: spent - busy.get(name, 0.0) for name, spent in processor_seconds(served).items()}
        during = made.shelves()
        average = os.getloadavg()
        drained = arguments.no_worker or made.labelled_by(DRAIN_SECONDS)
    faults = made.faults()
    ended = served.process.returncode
    misses = report(seen, arguments, seconds)
    shares = ", ".join(f"{name} {100 * spent / seconds:.0f} %" for name, spent in busy.items())
    print(f"     load average {average[0]:.1f}, {os.cpu_count()} cores; of one core: {shares}")
    print(
        f"     {(during['labelled'] - before) / seconds:.1f} videos labelled each second meanwhile, "
        f"{during['unlabelled']} left, {seen.handed_in} handed in"
    )
    if not drained:
        faults.append(f"videos were left unlabelled after {DRAIN_SECONDS:.0f} s")
    if ended != 0:
        faults.append(f"tagtower serve ended with {ended}")
    print(f"{'MISS' if faults else 'ok  '} ledger: {'; '.join(faults) or 'it balances'}")
    return int(bool(misses or faults))


def report(seen: Seen, arguments: argparse.Namespace, seconds: float) -> bool:
    """Print what was seen, and return whether an aim was missed."""
    count = sum(map(len, seen.took.values()))
    wrong = ", ".join(f"{number}x {what}" for what, number in seen.errors.most_common(5))
    print(
        f"{'MISS' if seen.errors else 'ok  '} {arguments.engine}: {arguments.terminals} terminals, {seconds:.0f} s, "
        f"{count} answers ({count / seconds:.0f}/s), {sum(seen.errors.values())} errors {wrong}"
    )
    reads = np.concatenate([seen.took[kind] for kind in READS if seen.took[kind]])
    slow = float(np.quantile(reads, 0.95)) > P95_SECONDS
    print(
        f"{'MISS' if slow else 'ok  '} reads: {_spread(reads)} (at most {P95_SECONDS * 1000:.0f} ms at p95)"
    )
    for kind in sorted(seen.took, key=lambda one: (one not in READS, one)):
        print(f"     {kind:9} {len(seen.took[kind]):6}  {_spread(np.asarray(seen.took[kind]))}")
    moments, resident, anonymous = np.asarray(seen.memory).T
    slope = float(np.polyfit(moments / 60, anonymous, 1)[0])
    grows = slope > GROWTH_MIB_PER_MINUTE
    print(
        f"{'MISS' if grows else 'ok  '} server memory: resident {resident[0]:.0f} to {resident[-1]:.0f} MiB, anonymous "
        f"{anonymous[0]:.0f} to {anonymous[-1]:.0f} MiB, {slope:+.1f} MiB/min (at most {GROWTH_MIB_PER_MINUTE:g})"
    )
    return bool(seen.errors) or slow or grows


def _spread(seconds: np.ndarray) -> str:
    p50, p95 = np.quantile(seconds, (0.5, 0.95)) * 1000
    return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, most {seconds.max() * 1000:.0f} ms"


def processor_seconds(served: Served) -> dict[str, float]:
    """Return how long each process has used a processor; children are counted with theirs."""
    found = {"terminals": sum(os.times()[:2])}
    for name, command in (("server", "serve-http"), ("worker", "worker")):
        child = served.child(command)
        if child is not None:
            family = [child, *child.children(recursive=True)]
            found[name] = sum(sum(one.cpu_times()[:2]) for one in family)
    return found


async def load(
    served: Served, made: Place, arguments: argparse.Namespace, seconds: float, seen: Seen
) -> None:
    """Let every terminal do things for so long, and look at the server's memory every second."""
    end = time.monotonic() + seconds
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=served.url, timeout=30.0, limits=limits) as client:
        terminals = [
            Terminal(client, key, made, random.Random(number), seen).work(end, arguments.pause)
            for number, key in enumerate(made.keys)
        ]
        await asyncio.gather(watch(served, end, seen), *terminals)


async def watch(served: Served, end: float, seen: Seen) -> None:
    """Note the server's memory."""
    server: psutil.Process | None = served.child("serve-http")
    while time.monotonic() < end:
        seen.memory.append((time.monotonic(), *memory(server)))
        await asyncio.sleep(1.0)


class Terminal:
    """Who does one thing after the other."""

    def __init__(
        self, client: httpx.AsyncClient, key: str, made: Place, chance: random.Random, seen: Seen
    ) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}
        self._clips = made.clips
        self._chance = chance
        self._seen = seen
        self._known = [1]

    async def work(self, end: float, pause: float) -> None:
        """Do things until it is time."""
        kinds = ("tag", "words", "similar", "play", "put", "upload")
        await asyncio.sleep(self._chance.uniform(0, pause))
        while time.monotonic() < end:
            (kind,) = self._chance.choices(kinds, (3, 2, 1, 4, 1, 1))
            await getattr(self, kind)()
            if pause:
                await asyncio.sleep(self._chance.expovariate(1 / pause))

    async def tag(self) -> None:
        """Search by tag; what is found is played later."""
        found = await self._ask("tag", "GET", "/v1/videos", params={"tag": self._chance.choice(WORDS)})
        if found is not None:
            self._known = [one["id"] for one in found.json()["videos"]] or self._known

    async def words(self) -> None:
        """Search by words."""
        await self._ask("words", "GET", "/v1/videos", params={"words": self._chance.choice(WORDS)})

    async def similar(self) -> None:
        """Search by likeness."""
        await self._ask("similar", "GET", "/v1/videos", params={"similar": self._chance.choice(self._known)})

    async def play(self) -> None:
        """Play from somewhere."""
        start = self._chance.randrange(500)
        await self._ask(
            "play",
            "GET",
            f"/v1/videos/{self._chance.choice(self._known)}/media",
            expected=206,
            headers={"Range": f"bytes={start}-{start + 262_143}"},
        )

    async def put(self) -> None:
        """Hand a clip in at one go."""
        params = {"title": " ".join(self._chance.choices(WORDS, k=5)), "filename": "clip.mp4"}
        body = self._clips.next()
        if await self._ask("put", "POST", "/v1/videos", params=params, content=body, expected=201):
            self._seen.handed_in += 1

    async def upload(self) -> None:
        """Hand a clip in as a resumable upload."""
        begun = await self._ask("begin", "POST", "/v1/videos/uploads", json={}, expected=201)
        if begun is None:
            return
        place, data = begun.headers["Location"], self._clips.next()
        for start, part in ((0, data[:1000]), (1000, data[1000:])):
            headers = {"Upload-Offset": str(start)}
            await self._ask("patch", "PATCH", place, headers=headers, content=part, expected=204)
        about = {"title": " ".join(self._chance.choices(WORDS, k=5)), "filename": "clip.mp4"}
        if await self._ask("complete", "POST", f"{place}/complete", json=about, expected=201):
            self._seen.handed_in += 1

    async def _ask(self, kind: str, method: str, path: str, *, expected: int = 200, **more: object) -> object:
        headers = {**self._headers, **more.pop("headers", {})}  # type: ignore[dict-item]
        start = time.monotonic()
        try:
            answer = await self._client.request(method, path, headers=headers, **more)  # type: ignore[arg-type]
        except httpx.HTTPError as fault:
            self._seen.errors[f"{kind} {type(fault).__name__}"] += 1
            return None
        self._seen.took[kind].append(time.monotonic() - start)
        if answer.status_code != expected:
            self._seen.errors[f"{kind} {answer.status_code} {answer.text[:100]}"] += 1
            return None
        return answer


if __name__ == "__main__":
    sys.exit(main())

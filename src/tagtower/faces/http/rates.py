"""How often somebody may ask: buckets that fill with time, one for each who asks."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import final

MOST = 10_000
"""Buckets that are remembered; the one that was asked for longest ago goes first, and was full again."""


@final
class Rates:
    """Buckets of `burst` tokens that gain `per_second`; threads may share it."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, who: str, *, cost: float = 1.0) -> float:
        """Take `cost` from a bucket and return 0.0, or take nothing and return the seconds until it could be."""
        with self._lock:
            now = self._clock()
            level, at = self._buckets.pop(who, (self._burst, now))
            level = min(self._burst, level + (now - at) * self._per_second)
            short = cost - level
            if short <= 0:
                level -= cost
            self._buckets[who] = (level, now)
            while len(self._buckets) > MOST:
                self._buckets.popitem(last=False)
            return max(0.0, short / self._per_second)

"""Random numbers without a state: every draw follows from the seed, what it is for, and where training stands.

So a run that was killed goes on with the very draws of one that was not, and no state has to be kept.
"""

from __future__ import annotations

import hashlib

import torch


def derived_seed(seed: int, purpose: str, *counters: int) -> int:
    """Return a seed in [0, 2**63) that belongs to `purpose` at the given counters (epoch, step, ...)."""
    text = ":".join((str(seed), purpose, *map(str, counters)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, purpose: str, *counters: int) -> torch.Generator:
    """Return a CPU generator that starts at `derived_seed`."""
    return torch.Generator().manual_seed(derived_seed(seed, purpose, *counters))

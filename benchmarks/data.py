"""Where the benchmarks find real data, and how they speak of the machine that they ran on."""

from __future__ import annotations

import os
import platform
import resource
import sys
from pathlib import Path

import torch


def data_folder() -> Path:
    """Return the folder that TAGTOWER_BENCH_DATA names, or end with a word on what is missing."""
    folder = os.environ.get("TAGTOWER_BENCH_DATA")
    if not folder or not Path(folder, "data").is_dir():
        sys.exit("Set TAGTOWER_BENCH_DATA to the folder that holds data/ and models/.")
    return Path(folder)


def machine() -> str:
    """Return one line on the machine: processor, cores, threads in use, versions."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    return (
        f"{cpu}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def peak_mib() -> float:
    """Return the largest resident memory of this process so far (MiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []

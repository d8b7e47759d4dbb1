"""Runs every benchmark in turn; those that need real data are left out where TAGTOWER_BENCH_DATA is not set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ALONE = (
    "sampling",
    "mining",
    "retro",
    "library",
    "promotion",
    "search",
    "worker",
    "kills",
    "load",
    "big_uploads",
)
WITH_DATA = (
    "hostile",
    "vector_search",
    "titles",
    "hybrid",
    "peers",
    "wrong_labels",
    "ablation_losses",
    "sounds",
    "ablation_sounds",
    "ablation_images",
    "ablation_fusion",
    "clips",
    "start",
)


def main() -> int:
    scripts = ALONE + (WITH_DATA if os.environ.get("TAGTOWER_BENCH_DATA") else ())
    if len(scripts) == len(ALONE):
        print("TAGTOWER_BENCH_DATA is not set: the benchmarks on real data are left out.")
    failed = []
    for name in scripts:
        print(f"\n=== {name} ===", flush=True)
        if subprocess.run(
            [sys.executable, str(Path(__file__).with_name(f"{name}.py"))], check=False
        ).returncode:
            failed.append(name)
    if failed:
        print(f"\nended with an error: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

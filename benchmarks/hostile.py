"""Figure 6, media half: every hostile file ends in decoded media or one clear error; no crash, no hang, bounded memory.

    TAGTOWER_BENCH_DATA=... python benchmarks/hostile.py [--deadline 60] [--memory-mb 2048]

One decoding process takes all files one after the other, as labelling does.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections import Counter
from pathlib import Path

from tagtower.config.sections import MediaSettings
from tagtower.errors import MediaError
from tagtower.media.isolation import Decoder
from tagtower.media.records import DecodedMedia, DecodeRequest, FrameRequest, SoundRequest

FAILURES = ("crash", "timeout", "memory")


def told(media: DecodedMedia) -> str:
    """What came out, in a few words."""
    parts = [f"{len(sample.frames)} frames" for sample in media.frames]
    if media.sound is not None:
        parts.append(f"{len(media.sound.waveform) / media.sound.sample_rate:.1f} s of sound")
    return ", ".join(parts + [f"({warning})" for warning in media.warnings])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deadline", type=float, default=60.0, help="seconds per file")
    parser.add_argument("--memory-mb", type=int, default=2048, help="memory of the decoding process (MiB)")
    arguments = parser.parse_args()
    folder = Path(os.environ["TAGTOWER_BENCH_DATA"]) / "data" / "hostile"
    files = sorted(path for path in folder.iterdir() if path.suffix != ".csv")
    limits = MediaSettings(deadline_seconds=arguments.deadline, memory_mb=arguments.memory_mb)
    request = DecodeRequest(FrameRequest(), SoundRequest())

    outcomes: Counter[str] = Counter()
    slowest = 0.0
    with Decoder(limits, workers=1) as decoder:
        for path in files:
            start = time.monotonic()
            try:
                outcome, detail = "decoded", told(decoder.decode(path, request))
            except MediaError as error:
                outcome, detail = error.cause, error.reason
            seconds = time.monotonic() - start
            slowest = max(slowest, seconds)
            outcomes[outcome] += 1
            print(f"{path.name:10} {outcome:12} {seconds:6.2f} s  {detail}")

    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\n{len(files)} files: " + ", ".join(f"{count} {name}" for name, count in outcomes.most_common()))
    print(
        f"slowest {slowest:.2f} s (the first includes the start of the process), peak memory {peak_mb:.0f} MiB"
    )
    bad = sum(outcomes[failure] for failure in FAILURES)
    good = bad == 0 and peak_mb <= arguments.memory_mb
    print(
        "pass" if good else "FAIL",
        f"{len(files) - bad} of {len(files)} end in decoded media or one clear error",
    )
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""Figure 5: target-distance mining over a large library: time, memory, and the same answer as a plain version.

    python benchmarks/mining.py [--threads 1] [--tags 100000] [--videos 10000] [--width 256]

Vectors are made here: tags in clusters, each video near its own tags. Memory is what the process holds at its
peak beyond what it held before mining, so the vectors themselves are not counted.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from tagtower.config.sections import Settings
from tagtower.towers.distances import DISTANCES
from tagtower.training.mining import OwnTags, build_miner
from tagtower.training.mining.target_distance import ceiling_of
from tagtower.training.mining.tiles import distance_tiles

CLUSTER = 500
POSITIVES = 4
TIE = 1e-5


def library(tags: int, videos: int, width: int, seed: int) -> tuple[Tensor, Tensor, Tensor, OwnTags]:
    """Video vectors, tag vectors, pairs, and each video's one to `POSITIVES` own tags, all of one cluster."""
    generator = torch.Generator().manual_seed(seed)

    def noise(rows: int, scale: float) -> Tensor:
        return torch.randn(rows, width, generator=generator) * (scale / width**0.5)

    clusters = max(1, tags // CLUSTER)
    cluster_of = torch.arange(tags) % clusters
    tag_vectors = F.normalize(noise(clusters, 1.0)[cluster_of] + noise(tags, 0.5))
    home = torch.randint(clusters, (videos,), generator=generator)
    counts = torch.randint(1, POSITIVES + 1, (videos,), generator=generator).tolist()
    own = [
        (torch.randperm(tags // clusters, generator=generator)[:count] * clusters + cluster).tolist()
        for cluster, count in zip(home.tolist(), counts, strict=True)
    ]
    video_vectors = F.normalize(torch.stack([tag_vectors[row].mean(0) for row in own]) + noise(videos, 0.4))
    pairs = torch.tensor([(video, tag) for video, row in enumerate(own) for tag in row])
    return video_vectors, tag_vectors, pairs, OwnTags.from_lists(own)


def plain(
    videos: Tensor, tags: Tensor, pairs: Tensor, own: OwnTags, settings: Settings, uniform: Tensor
) -> tuple[Tensor, Tensor]:
    """The rule as it is written, over the whole matrix; and whether a distance lies on an edge of the band."""
    distances = DISTANCES[settings.distance.kind](videos, tags)
    allowed = ~own.mask(len(tags))
    chosen, tied = [], []
    for (video, tag), u in zip(pairs.tolist(), uniform.tolist(), strict=True):
        row, positive = distances[video], distances[video, tag]
        low, high = positive + settings.negatives.offset, positive + ceiling_of(settings)
        band = (allowed[video] & (row > low) & (row < high)).nonzero().squeeze(1)
        edges = torch.stack([(row - low).abs(), (row - high).abs(), (row - positive).abs()])
        tied.append(bool((edges[:, allowed[video]] < TIE).any()))
        if len(band):
            chosen.append(int(band[int(u * len(band))]))
        else:
            beyond = row.masked_fill(~allowed[video] | (row <= positive), torch.inf)
            chosen.append(int(beyond.argmin()))
    return torch.tensor(chosen), torch.tensor(tied)


def memory(field: str) -> float:
    """A line of /proc/self/status in MiB: VmRSS now, VmHWM the peak since it was last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def compare(settings: Settings, tags: int, videos: int, width: int) -> None:
    """Mine a library whose matrix fits in memory both ways, and say how many answers are the same."""
    video_vectors, tag_vectors, pairs, own = library(tags, videos, width, seed=1)
    mined = build_miner(settings)(video_vectors, tag_vectors, pairs, own, torch.Generator().manual_seed(7))
    uniform = torch.rand(len(pairs), generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    expected, tied = plain(video_vectors, tag_vectors, pairs, own, settings, uniform)
    same = mined.negatives == expected
    print(
        f"plain full matrix, {tags:,} tags x {videos:,} videos: {int(same.sum()):,} of {len(pairs):,} pairs equal, "
        f"{int((~same & tied).sum())} differ with a tag within {TIE:g} of the band's edge, "
        f"{int((~same & ~tied).sum())} differ otherwise"
    )
    if bool((~same & ~tied).any()):
        raise SystemExit("The miner and the plain version disagree.")


def measure(settings: Settings, tags: int, videos: int, width: int) -> None:
    """Mine the large library; print time, peak memory, and the time of the distances alone."""
    video_vectors, tag_vectors, pairs, own = library(tags, videos, width, seed=0)
    vectors = (video_vectors.nbytes + tag_vectors.nbytes) / 2**20
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew here
    before = memory("VmRSS")
    start, cpu = time.perf_counter(), time.process_time()
    mined = build_miner(settings)(video_vectors, tag_vectors, pairs, own, torch.Generator().manual_seed(7))
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = memory("VmHWM") - before
    start, floor_cpu = time.perf_counter(), time.process_time()
    for _ in distance_tiles(settings.distance.kind, video_vectors, tag_vectors):
        pass
    floor, floor_cpu = time.perf_counter() - start, time.process_time() - floor_cpu
    print(f"{tags:,} tags x {videos:,} videos, {len(pairs):,} pairs, width {width}")
    print(
        f"time          {seconds:7.1f} s ({cpu:.1f} s of CPU), of which distances {floor:.1f} s ({floor_cpu:.1f} s)"
    )
    print(
        f"peak memory   {peak:7.0f} MiB beside {vectors:.0f} MiB of vectors; "
        f"the full matrix would take {tags * videos / 2**18:,.0f} MiB"
    )
    print(mined.report.line())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tags", type=int, default=100_000)
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings = Settings()
    print(f"torch {torch.__version__}, {arguments.threads} threads")
    compare(settings, tags=10_000, videos=1_000, width=arguments.width)
    measure(settings, arguments.tags, arguments.videos, arguments.width)


if __name__ == "__main__":
    main()

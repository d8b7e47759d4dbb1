"""Writes a corpus for the demo: real H.264 and AAC clips, a manifest, and tag libraries."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tagtower.media.write import write_clip
from tagtower.records import Modality
from tagtower.storage.atomic import atomic_folder
from tagtower.usecases.demo_corpus.casting import Role, cast
from tagtower.usecases.demo_corpus.pictures import draw
from tagtower.usecases.demo_corpus.sounds import SAMPLE_RATE, play
from tagtower.usecases.demo_corpus.titles import write_title
from tagtower.usecases.demo_corpus.vocabulary import HELD_OUT, MODALITY_OF, NEW_TAG

# x264's macroblock tree gives other bytes from run to run, even on one thread (7 different files in 8 runs).
_REPEATABLE_H264 = {"preset": "veryfast", "x264-params": "mbtree=0"}


@dataclass(frozen=True, slots=True)
class DemoCorpus:
    """Where a demo corpus lies and what is to be known about it.

    `tags` is a library of all tags but `new_tag`; `held_out` are those of it that occur in test clips only, and
    `training_tags` is the library without them, as it was before they came up. `new_tag_clips` show `new_tag`.
    """

    folder: Path
    manifest: Path
    tags: Path
    training_tags: Path
    modality_of: Mapping[str, Modality]
    held_out: tuple[str, ...]
    new_tag: str
    new_tag_clips: tuple[Path, ...]


def make_corpus(
    folder: Path, seed: int, videos: int = 120, progress: Callable[[int, int], None] | None = None
) -> DemoCorpus:
    """A corpus of `videos` clips in `folder`, which appears only when it is whole; same seed, same corpus.

    `progress` is told how many clips of how many are written.

    Raises:
        UsageError: too few videos were asked for.
        StorageError: the folder cannot be written.
    """
    roles = cast(seed, videos)
    names = [f"clips/clip-{i + 1:03d}{'.mp4' if role.scene else '.m4a'}" for i, role in enumerate(roles)]
    with atomic_folder(folder) as partial:
        (partial / "clips").mkdir()
        _write_clips(
            [(partial / name, role) for name, role in zip(names, roles, strict=True)], seed, progress
        )
        rows = [_row(i, name, role, seed) for i, (name, role) in enumerate(zip(names, roles, strict=True))]
        _write_lines(partial / "manifest.jsonl", (json.dumps(row, ensure_ascii=False) for row in rows))
        _write_lines(partial / "tags.txt", (tag for tag in MODALITY_OF if tag != NEW_TAG))
        _write_lines(partial / "tags-training.txt", (tag for tag in MODALITY_OF if tag not in HELD_OUT))
    return DemoCorpus(
        folder=folder,
        manifest=folder / "manifest.jsonl",
        tags=folder / "tags.txt",
        training_tags=folder / "tags-training.txt",
        modality_of=MODALITY_OF,
        held_out=tuple(tag for tag in HELD_OUT if tag != NEW_TAG),
        new_tag=NEW_TAG,
        new_tag_clips=tuple(
            folder / name for name, role in zip(names, roles, strict=True) if NEW_TAG in role.tags
        ),
    )


def _write_clips(
    clips: list[tuple[Path, Role]], seed: int, progress: Callable[[int, int], None] | None
) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = [pool.submit(_write_clip, path, role, seed, i) for i, (path, role) in enumerate(clips)]
        try:
            for done, clip in enumerate(as_completed(waiting), start=1):
                clip.result()
                if progress:
                    progress(done, len(clips))
        except BaseException:  # an interrupt too must not wait for the clips that have not begun
            pool.shutdown(cancel_futures=True)
            raise


def _write_clip(path: Path, role: Role, seed: int, number: int) -> None:
    rng = np.random.default_rng([seed, 1, number])
    seconds, rate = float(rng.uniform(3.0, 4.0)), int(rng.choice((10, 12)))
    pictures = draw(role.scene, round(seconds * rate), rng) if role.scene else None
    sounds = play(role.voice, role.beat, seconds, rng) if role.voice or role.beat else None
    write_clip(path, pictures, rate, sounds, SAMPLE_RATE, video_options=_REPEATABLE_H264)


def _row(number: int, name: str, role: Role, seed: int) -> dict[str, object]:
    rng = np.random.default_rng([seed, 2, number])
    return {
        "id": Path(name).stem,
        "video": name,
        "title": write_title(role.topics, role.channel, rng) if role.topics else None,
        "tags": list(role.tags),
        "group": f"channel-{role.channel + 1:02d}",
        "split": role.split,
    }


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

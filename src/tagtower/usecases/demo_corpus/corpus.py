"""Writes a corpus for the demo: real H.264 and AAC clips, a manifest, and tag libraries."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tagtower.errors import UsageError
from tagtower.media.write import write_clip
from tagtower.records import Modality
from tagtower.storage.atomic import atomic_folder
from tagtower.usecases.demo_corpus.casting import Role, cast
from tagtower.usecases.demo_corpus.pictures import draw
from tagtower.usecases.demo_corpus.sounds import SAMPLE_RATE, play
from tagtower.usecases.demo_corpus.titles import write_title
from tagtower.usecases.demo_corpus.vocabulary import HELD_OUT, MODALITY_OF, NEW_TAG

_FORMAT = 1
_RECIPE = "recipe.json"


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
    """A corpus of `videos` clips in `folder`, which appears only when it is whole; same seed, same bytes.

    A corpus of the same seed and size that stands there is kept, another one replaced. `progress` is told how
    many clips of how many are written.

    Raises:
        UsageError: too few videos were asked for, or the folder holds something else.
        StorageError: the folder cannot be written.
    """
    roles = cast(seed, videos)
    clips = {
        f"clips/clip-{i:03d}{'.mp4' if role.scene else '.m4a'}": role for i, role in enumerate(roles, start=1)
    }
    recipe = json.dumps({"format": _FORMAT, "seed": seed, "videos": videos})
    if _standing_recipe(folder) != recipe:
        with atomic_folder(folder) as partial:
            _write_clips(partial, clips, seed, progress)
            _write_lines(partial / "manifest.jsonl", _manifest(clips, seed))
            _write_lines(partial / "tags.txt", (tag for tag in MODALITY_OF if tag != NEW_TAG))
            _write_lines(partial / "tags-training.txt", (tag for tag in MODALITY_OF if tag not in HELD_OUT))
            _write_lines(partial / _RECIPE, [recipe])
    return DemoCorpus(
        folder=folder,
        manifest=folder / "manifest.jsonl",
        tags=folder / "tags.txt",
        training_tags=folder / "tags-training.txt",
        modality_of=MODALITY_OF,
        held_out=tuple(tag for tag in HELD_OUT if tag != NEW_TAG),
        new_tag=NEW_TAG,
        new_tag_clips=tuple(folder / name for name, role in clips.items() if NEW_TAG in role.tags),
    )


def _standing_recipe(folder: Path) -> str | None:
    """From what the corpus in `folder` was made; None where there is nothing yet."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        return (folder / _RECIPE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise UsageError(
            f"{folder} holds something other than a demo corpus.",
            hint="Name a folder that does not exist yet.",
        ) from None


def _write_clips(
    folder: Path, clips: Mapping[str, Role], seed: int, progress: Callable[[int, int], None] | None
) -> None:
    (folder / "clips").mkdir()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        writing = [
            pool.submit(_write_clip, folder / name, role, np.random.default_rng([seed, 1, i]))
            for i, (name, role) in enumerate(clips.items())
        ]
        try:
            for done, clip in enumerate(as_completed(writing), start=1):
                clip.result()
                if progress:
                    progress(done, len(clips))
        except BaseException:  # an interrupt too must not wait for the clips that have not begun
            pool.shutdown(cancel_futures=True)
            raise


def _write_clip(path: Path, role: Role, rng: np.random.Generator) -> None:
    seconds, rate = float(rng.uniform(3.0, 4.0)), int(rng.choice((10, 12)))
    pictures = draw(role.scene, round(seconds * rate), rng) if role.scene else None
    sounds = play(role.voice, role.beat, seconds, rng) if role.voice or role.beat else None
    write_clip(path, pictures, rate, sounds, SAMPLE_RATE, video_options={"preset": "veryfast"})


def _manifest(clips: Mapping[str, Role], seed: int) -> Iterator[str]:
    for i, (name, role) in enumerate(clips.items()):
        rng = np.random.default_rng([seed, 2, i])
        row = {
            "id": Path(name).stem,
            "video": name,
            "title": write_title(role.topics, role.channel, rng) if role.topics else None,
            "tags": role.tags,
            "group": f"channel-{role.channel + 1:02d}",
            "split": role.split,
        }
        yield json.dumps(row)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

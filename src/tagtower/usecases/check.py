"""Check a manifest against a tag library: what is in them, what is wrong, and how the tags are distributed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from tagtower.config import Settings
from tagtower.library.tagfile import read_tag_library
from tagtower.library.tags import TagLibrary
from tagtower.pipeline.words import words_of
from tagtower.records import SPLITS, Example, Problem, Problems, Split
from tagtower.training.manifest import TitleSource, read_manifest
from tagtower.training.manifest.location import is_local
from tagtower.training.positives import outside_tags, resolve_tags
from tagtower.training.splits import assign_splits, group_of, split_counts
from tagtower.usecases.check_similarity import similar_positives

USES_EDGES = (0, 1, 2, 5, 10, 100, 1000)
"""Library tags are counted by uses from one edge up to, not including, the next."""

SHOWN = 20
"""How many of the most frequent tags a report names."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What the videos of a manifest have; `media_missing` counts local files that are not there or are empty."""

    with_media: int
    media_elsewhere: int
    media_missing: int
    with_title: int
    with_media_and_title: int
    with_description: int
    with_subtitles: int
    with_time: int
    first_published: str | None
    last_published: str | None


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """One split as training would see it: `unseen_tags` are library tags used here and never in train."""

    videos: int
    groups: int
    without_tags: int
    tags: int
    unseen_tags: int


@dataclass(frozen=True, slots=True)
class TagFacts:
    """How the library's tags are used. `by_uses` counts tags by the number of videos that carry them."""

    library: str
    tags: int
    aliases: int
    used: int
    unused: int
    never_in_train: int
    per_video_mean: float
    per_video_median: float
    per_video_most: int
    by_uses: dict[str, int]
    most_frequent: dict[str, int]
    outside: int
    outside_uses: int
    outside_most_frequent: dict[str, int]


@dataclass(frozen=True, slots=True)
class PositiveFacts:
    """What says which tags belong to a video, `labels` or `similarity`; under the latter, in words, what it found."""

    source: str
    found: dict[Split, str]


@dataclass(frozen=True, slots=True)
class DataReport:
    """What a manifest and a tag library hold. `problems` are the first of `problem_count`."""

    manifest: str
    tags_file: str
    examples: int
    refused: int
    split_given: bool
    videos: VideoFacts
    splits: dict[Split, SplitFacts]
    tags: TagFacts
    positives: PositiveFacts
    problem_count: int
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what `data check --json` prints, less the schema number."""
        return asdict(self)


def check_data(
    manifest: Path,
    tags: Path,
    *,
    strict: bool = False,
    titles: TitleSource = "none",
    settings: Settings | None = None,
    store: Path | None = None,
    bypass_store: bool = False,
) -> DataReport:
    """Return what is in a manifest and a tag library, after reading both as training would; subtitle files are read, no
    media are opened.

    Args:
        settings: those of the training to come: how validation is carved out, and what says which tags belong to a
            video. Default: the tags of the manifest do.
        store: folder of the feature store, where titles are compared with tags by vectors; `bypass_store` uses none.
    Raises:
        ConfigError, ModelError, OfflineError: the text encoder that the settings name cannot be used.
        ManifestError: the manifest cannot be read; or, if `strict`, a row is bad.
        TagLibraryError: the tag library cannot be read.
    """
    problems = Problems()
    read = read_manifest(manifest, strict=strict, problems=problems, titles=titles)
    library = read_tag_library(tags, problems)
    settings = settings or Settings()
    examples = assign_splits(read.examples, settings.train.val_share, settings.train.seed, problems)
    positives: Sequence[tuple[int, ...]] = resolve_tags(examples, library, problems)
    lines: dict[Split, str] = {}
    if settings.positives.source == "similarity":
        positives, lines = similar_positives(
            examples, positives, library, settings, problems, store=store, bypass_store=bypass_store
        )
    videos = _video_facts(examples, manifest, problems)
    splits = _split_facts(examples, positives)
    _warn(library, splits, problems)
    return DataReport(
        manifest=str(manifest),
        tags_file=str(tags),
        examples=len(examples),
        refused=read.refused,
        split_given=any(example.split for example in read.examples),
        videos=videos,
        splits=splits,
        tags=_tag_facts(examples, positives, library),
        positives=PositiveFacts(settings.positives.source, lines),
        problem_count=problems.count,
        problems=tuple(problems.first),
    )


def _video_facts(examples: Sequence[Example], manifest: Path, problems: Problems) -> VideoFacts:
    videos = [example.video for example in examples]
    local = [(example, example.video.media) for example in examples if example.video.media]
    elsewhere = missing = 0
    for example, media in local:
        if not is_local(media):
            elsewhere += 1
        elif (fault := _file_fault(Path(media))) is not None:
            missing += 1
            place = f"{manifest}:{example.line}" if example.line else str(manifest)
            problems.add(place, f"video: {media} {fault}")
    for example in examples:
        place = f"{manifest}:{example.line}" if example.line else str(manifest)
        for what in words_of(example.video, ("subtitles",)).problems:
            problems.add(place, f"subtitles: {what}")
    times = sorted(example.published for example in examples if example.published)
    return VideoFacts(
        with_media=len(local),
        media_elsewhere=elsewhere,
        media_missing=missing,
        with_title=sum(1 for video in videos if video.title),
        with_media_and_title=sum(1 for video in videos if video.media and video.title),
        with_description=sum(1 for video in videos if video.description),
        with_subtitles=sum(1 for video in videos if video.subtitles),
        with_time=len(times),
        first_published=times[0].isoformat() if times else None,
        last_published=times[-1].isoformat() if times else None,
    )


def _file_fault(path: Path) -> str | None:
    try:
        if not path.is_file():
            return "is a folder" if path.is_dir() else "is not there"
        return None if path.stat().st_size else "is empty"
    except OSError as fault:
        return f"cannot be read: {fault.strerror}"


def _split_facts(
    examples: Sequence[Example], positives: Sequence[tuple[int, ...]]
) -> dict[Split, SplitFacts]:
    tags: dict[Split, set[int]] = {split: set() for split in SPLITS}
    groups: dict[Split, set[str]] = {split: set() for split in SPLITS}
    bare: Counter[Split] = Counter()
    for example, own in zip(examples, positives, strict=True):
        assert example.split is not None  # assign_splits gives every example one
        tags[example.split].update(own)
        groups[example.split].add(group_of(example))
        bare[example.split] += not own
    return {
        split: SplitFacts(
            count, len(groups[split]), bare[split], len(tags[split]), len(tags[split] - tags["train"])
        )
        for split, count in split_counts(examples).items()
    }


def _tag_facts(
    examples: Sequence[Example], positives: Sequence[tuple[int, ...]], library: TagLibrary
) -> TagFacts:
    uses = Counter(tag for own in positives for tag in own)
    in_train = {
        tag for one, own in zip(examples, positives, strict=True) if one.split == "train" for tag in own
    }
    outside = outside_tags(examples, library)
    counts = [len(own) for own in positives]
    return TagFacts(
        library=library.version,
        tags=len(library),
        aliases=sum(len(tag.aliases) for tag in library.tags),
        used=len(uses),
        unused=len(library) - len(uses),
        never_in_train=len(library) - len(in_train),
        per_video_mean=fmean(counts),
        per_video_median=float(median(counts)),
        per_video_most=max(counts),
        by_uses=_by_uses([uses[tag] for tag in range(len(library))]),
        most_frequent={library.texts[tag]: count for tag, count in uses.most_common(SHOWN)},
        outside=len(outside),
        outside_uses=outside.total(),
        outside_most_frequent=dict(outside.most_common(SHOWN)),
    )


def _by_uses(uses: Sequence[int]) -> dict[str, int]:
    """How many tags are used how often, from one of `USES_EDGES` to the next."""
    found: dict[str, int] = {}
    for low, high in zip(USES_EDGES, (*USES_EDGES[1:], None), strict=True):
        name = f"{low}+" if high is None else str(low) if high == low + 1 else f"{low}-{high - 1}"
        found[name] = sum(1 for count in uses if count >= low and (high is None or count < high))
    return found


def _warn(library: TagLibrary, splits: dict[Split, SplitFacts], problems: Problems) -> None:
    """Count what no row is to blame for and training would stumble over."""
    if len(library) == 1:
        problems.add("library", "one tag only: training needs another to tell it apart from")
    if not splits["train"].tags:
        problems.add(
            "train", "no training video has a tag of the library; are this manifest and this library a pair?"
        )
    if not splits["val"].videos:
        problems.add("val", "nothing validates: training cannot tell when to stop")
    if not splits["test"].videos:
        problems.add("test", "nothing is set aside to test on: `tagtower evaluate` will need --split val")

"""What titles alone would teach: the tags that belong to videos under `positives.source=similarity`, as in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tagtower.config import Settings
from tagtower.errors import TrainingError
from tagtower.library.tags import TagLibrary
from tagtower.media.isolation import Decoder
from tagtower.pipeline.extract import FeatureExtractor
from tagtower.records import SPLITS, Example, Problems, Split
from tagtower.towers import VideoFeatures, build_two_tower
from tagtower.training.batches import TagFeatures
from tagtower.training.belonging import build_positives
from tagtower.training.dataset import MemoryExamples
from tagtower.usecases.session import open_store


def similar_positives(
    examples: Sequence[Example],
    labels: Sequence[tuple[int, ...]],
    library: TagLibrary,
    settings: Settings,
    problems: Problems,
    *,
    store: Path | None = None,
    bypass_store: bool = False,
) -> tuple[list[tuple[int, ...]], dict[Split, str]]:
    """Return the tags that belong to each example, and in words how those of each split were found.

    Titles say what belongs to training videos; `labels`, what the tags of the manifest say, count for the others where
    there are any. A split in which titles say nothing is a problem counted, and its videos have no tag.

    Raises:
        ConfigError, ModelError, OfflineError: the text encoder that the settings name cannot be used.
    """
    found: list[tuple[int, ...]] = [() for _ in examples]
    lines: dict[Split, str] = {}
    with _tag_features(settings, library, store, bypass_store) as features:
        positives = build_positives(settings, features)
        for split in SPLITS:
            rows = [row for row, one in enumerate(examples) if one.split == split]
            if split != "train" and any(labels[row] for row in rows):
                for row in rows:
                    found[row] = labels[row]
                lines[split] = "the labels of the manifest, as there are any"
                continue
            titles = [examples[row].video.title for row in rows]
            if not rows:
                continue
            here = MemoryExamples([()] * len(rows), [VideoFeatures()] * len(rows), titles)
            try:
                belonging = positives(here, library)
            except TrainingError as error:
                problems.add(split, error.message)
                continue
            lines[split] = belonging.line
            own = belonging.own.mask(len(library))
            for row, tags in zip(rows, own, strict=True):
                found[row] = tuple(tags.nonzero()[:, 0].tolist())
    return found, lines


@contextmanager
def _tag_features(
    settings: Settings, library: TagLibrary, store: Path | None, bypass_store: bool
) -> Iterator[TagFeatures]:
    """What reads texts as the tag tower would; words are compared without it."""
    if settings.positives.similarity == "words":
        yield lambda texts: []
        return
    words_alone = settings.model_copy(
        update={
            "image": settings.image.model_copy(update={"encoder": "none"}),
            "audio": settings.audio.model_copy(update={"encoder": "none"}),
        }
    )
    if settings.tag.encoder != "shared":
        text = settings.text.model_copy(update={"encoder": settings.tag.encoder})
        words_alone = words_alone.model_copy(update={"text": text})
    tower = build_two_tower(words_alone, [], library.texts).eval()
    with (
        open_store(store, bypass=bypass_store) as features,
        Decoder(settings.media, workers=1) as decoder,  # never asked: there are words alone
    ):
        yield FeatureExtractor(tower, words_alone, decoder, features).tag_features

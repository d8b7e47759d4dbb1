"""The videos of a split as a model hears them: their examples beside their vectors, and those that cannot be read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from tagtower.errors import ManifestError
from tagtower.library.tags import TagLibrary
from tagtower.pipeline.extract import Failed
from tagtower.pipeline.vectors import Embedded, embed_videos
from tagtower.pipeline.words import words_of
from tagtower.records import Example, Modality, Problems, Split, TextField
from tagtower.training.positives import resolve_tags
from tagtower.usecases.progress import Progress
from tagtower.usecases.session import Session


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """The examples that could be read, with their vectors and, by field, the words that the ranker sees of them."""

    examples: tuple[Example, ...]
    embedded: tuple[Embedded, ...]
    words: tuple[dict[TextField, str], ...]
    failures: tuple[Failed, ...]

    @property
    def ids(self) -> list[str]:
        """The id of each example, so that a labelled video is not ranked by its own labels."""
        return [example.video.id for example in self.examples]

    @property
    def vectors(self) -> Float[np.ndarray, "video dim"]:
        """The vector of each example."""
        return np.stack([one.vector for one in self.embedded])


def hear(
    session: Session,
    examples: Sequence[Example],
    split: Split,
    modalities: Collection[Modality],
    problems: Problems,
    progress: Progress,
) -> Heard:
    """Return the `examples`, which are those of `split`, as the model hears them.

    Args:
        modalities: the others are treated as missing; without the text, the ranker sees no words either.
    Raises:
        ManifestError: none of them can be read.
    """
    tower = session.model.tower
    progress.phase(f"videos of {split}", len(examples))
    kept: list[tuple[Example, Embedded]] = []
    failures: list[Failed] = []
    stream = session.extractor.extract(example.video for example in examples)
    for example, one in zip(examples, embed_videos(tower, stream, modalities=modalities), strict=True):
        if isinstance(one, Failed):
            failures.append(one)
        else:
            kept.append((example, one))
            for warning in one.warnings:
                problems.add(f"line {example.line}" if example.line else example.video.id, warning)
        progress.advance()
    if not kept:
        raise ManifestError(
            f"None of the {len(examples)} videos of split {split!r} could be read; the first: "
            f"{failures[0].error.message}"
        )
    fields = tower.settings.ranking.fields if "text" in modalities else ()
    return Heard(
        tuple(example for example, _ in kept),
        tuple(one for _, one in kept),
        tuple(words_of(example.video, fields).texts for example, _ in kept),
        tuple(failures),
    )


def relevance(
    examples: Sequence[Example], library: TagLibrary, split: Split, problems: Problems
) -> Bool[np.ndarray, "video tag"]:
    """Return which tags of the library each example has.

    Raises:
        ManifestError: none has any.
    """
    relevant = np.zeros((len(examples), len(library)), bool)
    for row, tags in enumerate(resolve_tags(examples, library, problems)):
        relevant[row, list(tags)] = True
    if not relevant.any():
        raise ManifestError(
            f"No video of split {split!r} has a tag of the library.",
            hint="Are this manifest and this library a pair?",
        )
    return relevant

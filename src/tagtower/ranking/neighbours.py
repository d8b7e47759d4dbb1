"""Labelled videos as neighbours of new ones: their vectors, tags, times and words, joined and searched by others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from jaxtyping import Float32, Float64
from scipy.sparse import csr_array

from tagtower.ranking.words import grams

SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class LabelledVideo:
    """One labelled video: its tags as written, its texts in one, and when it was published, if that is known."""

    id: str
    tags: tuple[str, ...]
    text: str
    published: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LabelledVideos:
    """Labelled videos in a fixed order; all vectors are of one model.

    `tags` has a 1 where a video has the tag of that column, named by `tag_texts`; tags need not be in any library.
    `grams` has a 1 where a video's texts have the words of that column, named by `vocabulary`. `days` counts from
    1970, NaN where the time of publication is not known.
    """

    ids: tuple[str, ...]
    vectors: Float32[np.ndarray, "video dim"]
    days: Float64[np.ndarray, "video"]
    tag_texts: tuple[str, ...]
    tags: csr_array
    vocabulary: tuple[str, ...]
    grams: csr_array

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Sequence[int] | np.ndarray) -> LabelledVideos:
        """Return the videos in `rows`, in that order; columns that become empty stay."""
        chosen = np.asarray(rows, dtype=np.int64)
        return LabelledVideos(
            tuple(self.ids[row] for row in chosen),
            self.vectors[chosen],
            self.days[chosen],
            self.tag_texts,
            self.tags[chosen],
            self.vocabulary,
            self.grams[chosen],
        )


def labelled_videos(
    videos: Sequence[LabelledVideo], vectors: Float32[np.ndarray, "video dim"]
) -> LabelledVideos:
    """Return the videos, each with its vector, as neighbours."""
    tag_texts, tags = _columns(one.tags for one in videos)
    vocabulary, found = _columns(grams(one.text) for one in videos)
    days = [np.nan if one.published is None else _days(one.published) for one in videos]
    ids = tuple(one.id for one in videos)
    return LabelledVideos(ids, vectors, np.array(days, np.float64), tag_texts, tags, vocabulary, found)


def join_neighbours(first: LabelledVideos, second: LabelledVideos) -> LabelledVideos:
    """Return the videos of both; where both have an id, the one of `second`, which is the later word."""
    again = set(second.ids)
    first = first.take([row for row, name in enumerate(first.ids) if name not in again])
    tag_texts, tags = _stack(first.tag_texts, first.tags, second.tag_texts, second.tags)
    vocabulary, found = _stack(first.vocabulary, first.grams, second.vocabulary, second.grams)
    return LabelledVideos(
        first.ids + second.ids,
        np.concatenate([first.vectors, second.vectors]),
        np.concatenate([first.days, second.days]),
        tag_texts,
        tags,
        vocabulary,
        found,
    )


def rows_of_ones(columns: Sequence[np.ndarray] | Sequence[Sequence[int]], width: int) -> csr_array:
    """Return a matrix with a row for each entry of `columns`, 1 in the columns that it names."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in columns], dtype=np.int64)])
    flat = np.fromiter((column for row in columns for column in row), np.int64, int(offsets[-1]))
    return csr_array((np.ones(len(flat), np.float32), flat, offsets), shape=(len(columns), width))


def _columns(rows: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], csr_array]:
    known: dict[str, int] = {}
    placed = [[known.setdefault(text, len(known)) for text in dict.fromkeys(row)] for row in rows]
    return tuple(known), rows_of_ones(placed, len(known))


def _stack(
    first_names: tuple[str, ...], first: csr_array, second_names: tuple[str, ...], second: csr_array
) -> tuple[tuple[str, ...], csr_array]:
    names = {name: place for place, name in enumerate(first_names)}
    moved = np.array([names.setdefault(name, len(names)) for name in second_names], np.int64)
    columns = np.concatenate([first.indices.astype(np.int64), moved[second.indices]])
    offsets = np.concatenate([first.indptr.astype(np.int64), second.indptr[1:] + np.int64(first.indptr[-1])])
    shape = (first.shape[0] + second.shape[0], len(names))
    return tuple(names), csr_array((np.ones(len(columns), np.float32), columns, offsets), shape=shape)


def _days(moment: datetime) -> float:
    """A time without a zone is read as UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return aware.timestamp() / SECONDS_PER_DAY

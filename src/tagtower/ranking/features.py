"""Candidates for videos, and what is known of each (video, tag) pair, as numbers that the ranker reads.

Every source of candidates is a matrix of scores of all tags for a block of videos; features are read off the same
matrices. A tag that no labelled video has is *missing* (NaN) for whatever counts labelled videos, never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64
from scipy.sparse import csr_array

from tagtower.config import RankingSettings
from tagtower.index.exact import ExactIndex, nearest
from tagtower.index.wordings import Distances
from tagtower.ranking.lexical import NeighbourWords, TagWords
from tagtower.ranking.mentions import Mention, MentionFinder
from tagtower.ranking.neighbours import LabelledVideos
from tagtower.records import Tag, TextField

BLOCK_ELEMENTS = 1 << 20
"""Scores of (video, tag) or (video, neighbour) in one matrix; about thirty such matrices are alive at a time."""

NEW_CANDIDATES = 20
"""Of the tags that no labelled video has, so many enter by distance alone: familiar ones cannot crowd them out."""

FEW_NEIGHBOURS = 5
MIXED_NEIGHBOURS = 30
SURE_TAGS = 8
"""Tags that speak for others that often stand beside them."""

SOFTNESS = 0.07
"""A neighbour's weight falls to 1/e over this much similarity; chosen on validation (.05 to .1 are alike)."""

MENTION_SURENESS = 0.5
RECENT_DAYS = 180.0

MISSING_WHERE_NEW = (
    "near_votes", "nearest_votes", "word_votes", "word_nearest_votes", "mixed_votes", "mixed_nearest_votes",
    "word_shares", "beside_sure_tags", "beside_over_chance", "uses", "last_use_days", "recent_uses", "recent_share",
)  # fmt: skip
FEATURES = (
    "distance", "log_rank", "distance_over_nearest", "profile_similarity",
    "nearest_similarity", "word_similarity", "mixed_similarity", "mixed_similarity_10th",
    *MISSING_WHERE_NEW,
    "bm25", "word_coverage", "mention_words", "mention_place", "mention_exact", "mention_elsewhere",
    "mentions", "tag_words", "tag_characters", "text_words", "is_new",
)  # fmt: skip
"""The columns of `Candidates.values`, in order; a stored ranker is only good for the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Pairs worth ranking of a block of videos, by video and then by tag, and what speaks for them.

    `new` tells the tags that no labelled video has. `neighbour_rows` and `neighbour_weights` are each video's most
    similar labelled videos with their shares, which sum to one; `mentions` are those of each video.
    """

    videos: Int64[np.ndarray, "pair"]
    tags: Int64[np.ndarray, "pair"]
    values: Float32[np.ndarray, "pair feature"]
    distances: Float32[np.ndarray, "video tag"]
    new: Bool[np.ndarray, "tag"]
    neighbour_rows: Int64[np.ndarray, "video neighbour"]
    neighbour_weights: Float64[np.ndarray, "video neighbour"]
    mentions: tuple[tuple[Mention, ...], ...]


@final
class CandidateSource:
    """Finds the candidates of videos in one tag library, beside one set of labelled videos.

    Args:
        neighbours: the labelled videos; at least one.
        columns: the place in the library of each of the neighbours' `tag_texts`, -1 for one that is not there.
        tags: the library; `distances` tells how far each of them is from a video, `tag_vectors` holds their vectors.
            Videos are compared with videos, and tags with tags, by cosine, whatever the towers' distance is.
    """

    def __init__(
        self,
        neighbours: LabelledVideos,
        columns: Int64[np.ndarray, "column"],
        tags: Sequence[Tag],
        distances: Distances,
        tag_vectors: Float[np.ndarray, "tag dim"],
        settings: RankingSettings,
    ) -> None:
        self._settings = settings
        self._tags = distances
        self._tag_vectors = _unit(tag_vectors)
        self._videos = ExactIndex(neighbours.vectors, "cosine")
        self._words = NeighbourWords(neighbours)
        self._tag_words = TagWords(tags, neighbours)
        self._mentions = MentionFinder(tags)
        self._labels = _in_library(neighbours.tags, columns, len(tags))
        self._labels_by_tag = self._labels.T.tocsr()
        self._uses = np.asarray(self._labels.sum(axis=0), np.float64)
        self._times = _use_times(self._labels, neighbours.days)
        self._characters = np.array([len(tag.text) for tag in tags], np.float64)

    @property
    def new(self) -> Bool[np.ndarray, "tag"]:
        """Which tags of the library no labelled video has."""
        return np.asarray(self._uses == 0)

    def videos_with(self, tag: int) -> Int64[np.ndarray, "neighbour"]:
        """Return the rows of the labelled videos that have a tag of the library."""
        bounds = slice(self._labels_by_tag.indptr[tag], self._labels_by_tag.indptr[tag + 1])
        return np.asarray(self._labels_by_tag.indices[bounds], np.int64)

    def blocks(
        self,
        vectors: Float[np.ndarray, "video dim"],
        texts: Sequence[Mapping[TextField, str]],
    ) -> Iterator[tuple[slice, Candidates]]:
        """Yield the candidates of videos in blocks that fit into memory, each with the rows that it covers."""
        step = max(1, BLOCK_ELEMENTS // max(len(self._characters), len(self._videos)))
        for start in range(0, len(vectors), step):
            rows = slice(start, min(start + step, len(vectors)))
            yield rows, self.candidates(vectors[rows], texts[rows])

    def candidates(
        self,
        vectors: Float[np.ndarray, "video dim"],
        texts: Sequence[Mapping[TextField, str]],
    ) -> Candidates:
        """Return the candidates of a block of videos, of which each has a vector and, by field, its texts."""
        joined = [" ".join(own.values()) for own in texts]
        mentions = tuple(tuple(self._mentions(own)) for own in texts)
        distances = self._tags.distances(vectors)
        known = self._words.columns(joined)
        similar = 1.0 - self._videos.distances(vectors).astype(np.float64)
        alike = self._words.similarities(known)
        near, near_weights = _soft_neighbours(similar, self._settings.neighbours)
        by_words, word_weights = _top(alike, self._settings.neighbours)
        mixed, mixed_weights = _soft_neighbours((similar + alike) / 2, MIXED_NEIGHBOURS)
        few = slice(0, FEW_NEIGHBOURS)
        mention = _mention_matrices(mentions, distances.shape)
        tag_words = self._tag_words.columns(joined)
        scores = {
            "near_votes": self._votes(near, near_weights),
            "nearest_votes": self._votes(near[:, few], _taken(similar, near[:, few])),
            "word_votes": self._votes(by_words, _shares(word_weights)),
            "word_nearest_votes": self._votes(by_words[:, few], word_weights[:, few]),
            "mixed_votes": self._votes(mixed, mixed_weights),
            "mixed_nearest_votes": self._votes(mixed[:, few], mixed_weights[:, few]),
            "word_shares": (self._words.shares(known) @ self._labels).toarray(),
            "bm25": self._tag_words.bm25(tag_words),
            "word_coverage": self._tag_words.coverage(tag_words),
            **mention,
        }
        sure = sum(scores[name] for name in ("near_votes", "word_votes", "mixed_votes", "word_shares"))
        sure = np.where(self.new, 0.0, sure + MENTION_SURENESS * (mention["mention_words"] > 0))
        scores["beside_sure_tags"] = self._beside(sure)
        chosen = self._choose(distances, scores)
        videos, tags = np.nonzero(chosen)
        by_video = {
            "nearest_similarity": _taken(similar, near[:, :1])[:, 0],
            "word_similarity": word_weights[:, 0],
            "mixed_similarity": _taken((similar + alike) / 2, mixed[:, :1])[:, 0],
            "mixed_similarity_10th": _taken((similar + alike) / 2, mixed[:, :10])[:, -1],
            "mentions": np.array([len(found) for found in mentions], np.float64),
            "text_words": np.asarray(known.sum(axis=1), np.float64),
        }
        by_tag = {
            "uses": np.log1p(self._uses),
            **self._times,
            "tag_words": self._tag_words.lengths,
            "tag_characters": self._characters,
            "is_new": self.new.astype(np.float64),
        }
        profile = scores["mixed_votes"] @ self._tag_vectors
        scores["profile_similarity"] = _unit(profile) @ self._tag_vectors.T
        found = {
            **{name: score[videos, tags] for name, score in scores.items()},
            **{name: value[videos] for name, value in by_video.items()},
            **{name: value[tags] for name, value in by_tag.items()},
            "distance": distances[videos, tags],
            "log_rank": np.log1p(_ranks(distances)[videos, tags]),
            "distance_over_nearest": (distances - distances.min(axis=1, keepdims=True))[videos, tags],
        }
        chance = np.maximum(self._uses / self._labels.shape[0], 1e-9)
        found["beside_over_chance"] = np.log1p(found["beside_sure_tags"] / chance[tags])
        for name in MISSING_WHERE_NEW:
            found[name] = np.where(self.new[tags], np.nan, found[name])
        return Candidates(
            videos,
            tags,
            np.stack([found[name].astype(np.float32) for name in FEATURES], axis=1),
            distances,
            self.new,
            mixed,
            mixed_weights,
            mentions,
        )

    def _votes(
        self,
        rows: Int64[np.ndarray, "video neighbour"],
        weights: Float64[np.ndarray, "video neighbour"],
    ) -> Float64[np.ndarray, "video tag"]:
        """The weights of the neighbours in `rows`, summed by tag."""
        return np.asarray((_sparse_rows(rows, weights, self._labels.shape[0]) @ self._labels).toarray())

    def _beside(self, sure: Float64[np.ndarray, "video tag"]) -> Float64[np.ndarray, "video tag"]:
        """How often each tag stands beside the surest ones: a mean over them of P(tag | sure tag)."""
        tags, weights = _top(sure, SURE_TAGS)
        among = _sparse_rows(tags, _shares(weights) / np.maximum(self._uses[tags], 1.0), len(self._uses))
        return np.asarray(((among @ self._labels_by_tag) @ self._labels).toarray())

    def _choose(
        self, distances: Float32[np.ndarray, "video tag"], scores: Mapping[str, np.ndarray]
    ) -> Bool[np.ndarray, "video tag"]:
        chosen = np.asarray(scores["mention_words"] + scores["mention_elsewhere"] > 0)
        count = self._settings.candidates
        for tags in (nearest(distances, min(count, distances.shape[1])), self._nearest_new(distances)):
            np.put_along_axis(chosen, tags, True, axis=1)
        for name in ("near_votes", "word_votes", "mixed_votes", "word_shares", "beside_sure_tags", "bm25"):
            tags, weights = _top(scores[name], count)
            row, column = np.nonzero(weights > 0)
            chosen[row, tags[row, column]] = True
        return chosen

    def _nearest_new(self, distances: Float32[np.ndarray, "video tag"]) -> Int64[np.ndarray, "video some"]:
        places = np.flatnonzero(self.new)
        return np.asarray(places[nearest(distances[:, places], min(NEW_CANDIDATES, len(places)))])


def _in_library(tags: csr_array, columns: Int64[np.ndarray, "column"], count: int) -> csr_array:
    """The labels by the library's tags; two spellings of one tag count once."""
    every = tags.tocoo()
    moved = columns[every.col]
    kept = moved >= 0
    shape = (tags.shape[0], count)
    found = csr_array((np.ones(int(kept.sum()), np.float32), (every.row[kept], moved[kept])), shape=shape)
    found.sum_duplicates()
    found.data[:] = 1.0
    return found


def _use_times(
    labels: csr_array, days: Float64[np.ndarray, "video"]
) -> dict[str, Float64[np.ndarray, "tag"]]:
    """How long ago each tag was used last and how much lately, seen from the newest video; NaN without any time."""
    count = labels.shape[1]
    if np.isnan(days).all():
        nothing = np.full(count, np.nan)
        return {"last_use_days": nothing, "recent_uses": nothing, "recent_share": nothing}
    age = np.nanmax(days) - days
    every = labels.tocoo()
    last = np.full(count, np.inf)
    np.minimum.at(last, every.col, np.nan_to_num(age, nan=np.inf)[every.row])
    recent = labels.T @ np.nan_to_num(np.exp(-age / RECENT_DAYS))
    uses = np.maximum(np.asarray(labels.sum(axis=0)), 1.0)
    return {
        "last_use_days": np.where(np.isinf(last), np.nan, last),
        "recent_uses": np.log1p(recent),
        "recent_share": recent / uses,
    }


def _mention_matrices(
    mentions: Sequence[Sequence[Mention]], shape: tuple[int, ...]
) -> dict[str, Float64[np.ndarray, "video tag"]]:
    """Words, place and exactness of the mention in the title, and words of the longest one elsewhere."""
    found = {name: np.zeros(shape) for name in ("mention_words", "mention_exact", "mention_elsewhere")}
    place = np.full(shape, np.nan)
    for row, own in enumerate(mentions):
        for one in own:
            if one.field == "title":
                found["mention_words"][row, one.tag] = one.words
                found["mention_exact"][row, one.tag] = one.exact
                place[row, one.tag] = one.place
            else:
                elsewhere = found["mention_elsewhere"]
                elsewhere[row, one.tag] = max(elsewhere[row, one.tag], one.words)
    return {**found, "mention_place": place}


def _soft_neighbours(
    similarities: Float64[np.ndarray, "video neighbour"], count: int
) -> tuple[Int64[np.ndarray, "video some"], Float64[np.ndarray, "video some"]]:
    rows, found = _top(similarities, count)
    return rows, _shares(np.exp((found - found[:, :1]) / SOFTNESS))


def _top(
    scores: Float[np.ndarray, "row column"], count: int
) -> tuple[Int64[np.ndarray, "row some"], Float64[np.ndarray, "row some"]]:
    """The columns of the highest scores of each row, highest first, and those scores."""
    columns = nearest(-scores, min(count, scores.shape[1]))
    return columns, _taken(scores, columns)


def _taken(
    scores: Float[np.ndarray, "row column"], columns: Int64[np.ndarray, "row some"]
) -> Float64[np.ndarray, "row some"]:
    return np.take_along_axis(scores, columns, axis=1).astype(np.float64)


def _shares(weights: Float64[np.ndarray, "row some"]) -> Float64[np.ndarray, "row some"]:
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9))


def _sparse_rows(
    columns: Int64[np.ndarray, "row some"], values: Float64[np.ndarray, "row some"], width: int
) -> csr_array:
    rows, some = columns.shape
    offsets = np.arange(rows + 1, dtype=np.int64) * some
    return csr_array((values.ravel(), columns.ravel(), offsets), shape=(rows, width))


def _ranks(distances: Float32[np.ndarray, "video tag"]) -> Int64[np.ndarray, "video tag"]:
    """The place of each tag in the order of its row, from 0; ties by column."""
    order = np.argsort(distances, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(distances.shape[1])[None], axis=1)
    return ranks


def _unit(vectors: Float[np.ndarray, "row dim"]) -> Float64[np.ndarray, "row dim"]:
    exact = vectors.astype(np.float64)
    return np.asarray(exact / np.maximum(np.linalg.norm(exact, axis=1, keepdims=True), 1e-9))

"""The slow obvious version of the candidates: dense matrices throughout. It is what the fast one has to agree with."""

from __future__ import annotations

import numpy as np

from tagtower.index.exact import ExactIndex, nearest
from tagtower.ranking.features import (
    FEATURES,
    FEW_NEIGHBOURS,
    MENTION_SURENESS,
    MISSING_WHERE_NEW,
    MIXED_NEIGHBOURS,
    NEW_CANDIDATES,
    SURE_TAGS,
    Candidates,
    _in_library,
    _shares,
    _soft_neighbours,
    _taken,
    _top,
    _unit,
    _use_times,
)
from tagtower.ranking.lexical import NeighbourWords, TagWords
from tagtower.ranking.mentions import MentionFinder
from tagtower.ranking.sparse import sparse_rows
from tagtower.ranking.words import WORD


class DenseSource:
    """What `CandidateSource` does, one dense matrix of every video and tag for each thing that is known.

    Args:
        neighbours: the labelled videos; at least one.
        columns: the place in the library of each of the neighbours' `tag_texts`, -1 for one that is not there.
        tags: the library; `distances` tells how far each of them is from a video, `tag_vectors` holds their vectors.
            Videos are compared with videos, and tags with tags, by cosine, whatever the towers' distance is.
    """

    def __init__(
        self,
        neighbours,
        columns: np.ndarray,
        tags,
        distances,
        tag_vectors: np.ndarray,
        read,
        settings,
    ) -> None:
        self._settings = settings
        self._read = read
        self._tags = distances
        self._tag_vectors = _unit(tag_vectors)
        self._videos = ExactIndex(neighbours.vectors, "cosine")
        self._words = NeighbourWords(neighbours)
        self._grams = neighbours.grams.toarray()
        self._tag_words = TagWords(tags, neighbours)
        self._mentions = MentionFinder(tags)
        self._labels = _in_library(neighbours.tags, columns, len(tags))
        self._labels_by_tag = self._labels.T.tocsr()
        self._uses = np.asarray(self._labels.sum(axis=0), np.float64)
        self._times = _use_times(self._labels, neighbours.days)
        self._characters = np.array([len(tag.text) for tag in tags], np.float64)

    @property
    def new(self) -> np.ndarray:
        """Which tags of the library no labelled video has."""
        return np.asarray(self._uses == 0)

    def candidates(
        self,
        vectors: np.ndarray,
        texts: list,
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
            "bm25": self._tag_words.bm25(tag_words).toarray(),
            "word_coverage": self._tag_words.coverage(tag_words).toarray(),
            **mention,
            **self._by_word(known.toarray()),
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
            "voted_tag_words": self._mean_voted(scores["mixed_votes"], self._tag_words.lengths),
            "voted_uses": self._mean_voted(scores["mixed_votes"], np.log1p(self._uses)),
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
        read = np.stack(
            [self._read([text])[0] if text else np.full(profile.shape[1], np.nan) for text in joined]
        )
        scores["text_similarity"] = _unit(read) @ self._tag_vectors.T
        alike = [self._phrases_alike(own.get("title", "")) for own in texts]
        scores["phrase_similarity"] = np.stack([one.max(axis=0) for one in alike])
        lead = [
            one.max(axis=0) - _best_among(one, row)[one.argmax(axis=0)]
            for one, row in zip(alike, chosen, strict=True)
        ]
        scores["phrase_lead"] = np.stack(lead)
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

    def _phrases_alike(self, title: str) -> np.ndarray:
        """The similarity of every phrase of a title to every tag; one row of NaN for a title without words."""
        found = WORD.findall(title)[:32]
        every = [" ".join(found[at : at + length]) for at in range(len(found)) for length in (1, 2, 3)]
        if not every:
            return np.full((1, len(self._tag_vectors)), np.nan)
        return _unit(self._read(every)) @ self._tag_vectors.T

    def _votes(
        self,
        rows: np.ndarray,
        weights: np.ndarray,
    ) -> np.ndarray:
        """The weights of the neighbours in `rows`, summed by tag."""
        return np.asarray((sparse_rows(rows, weights, self._labels.shape[0]) @ self._labels).toarray())

    def _mean_voted(self, votes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The mean of a value of tags over the votes of each video, 0 without any."""
        return (votes * values).sum(axis=1) / np.maximum(votes.sum(axis=1), 1e-9)

    def _by_word(self, known: np.ndarray) -> dict[str, np.ndarray]:
        """What single words say of each tag, word by word and tag by tag."""
        names = ("word_best_share", "word_any_share", "word_lift", "word_best_lift")
        found = {name: np.zeros((len(known), len(self._uses))) for name in names}
        labels, chance = self._labels.toarray(), self._uses / self._labels.shape[0]
        for video, own in enumerate(known):
            rows = []
            for word in np.flatnonzero(own):
                has = self._grams[:, word] > 0
                rows.append((has.sum(), labels[has].sum(axis=0)))
            if not rows:
                continue
            shares = np.array([count / (holders + 1) for holders, count in rows])
            smooth = np.array([(count + 2 * chance) / (holders + 2) for holders, count in rows])
            lifts = np.log(np.maximum(smooth, 1e-6)) - np.log(np.maximum(chance, 1e-6))
            found["word_best_share"][video] = shares.max(axis=0)
            found["word_any_share"][video] = -np.log(1 - np.minimum(shares, 0.95)).sum(axis=0)
            found["word_lift"][video] = lifts.sum(axis=0)
            found["word_best_lift"][video] = lifts.max(axis=0)
        return found

    def _beside(self, sure: np.ndarray) -> np.ndarray:
        """How often each tag stands beside the surest ones: a mean over them of P(tag | sure tag)."""
        tags, weights = _top(sure, SURE_TAGS)
        among = sparse_rows(tags, _shares(weights) / np.maximum(self._uses[tags], 1.0), len(self._uses))
        return np.asarray(((among @ self._labels_by_tag) @ self._labels).toarray())

    def _choose(self, distances: np.ndarray, scores: dict) -> np.ndarray:
        chosen = np.asarray(scores["mention_words"] + scores["mention_elsewhere"] > 0)
        count = self._settings.candidates
        for tags in (nearest(distances, min(count, distances.shape[1])), self._nearest_new(distances)):
            np.put_along_axis(chosen, tags, True, axis=1)
        for name in ("near_votes", "word_votes", "mixed_votes", "word_shares", "beside_sure_tags", "bm25"):
            tags, weights = _top(scores[name], count)
            row, column = np.nonzero(weights > 0)
            chosen[row, tags[row, column]] = True
        return chosen

    def _nearest_new(self, distances: np.ndarray) -> np.ndarray:
        places = np.flatnonzero(self.new)
        return np.asarray(places[nearest(distances[:, places], min(NEW_CANDIDATES, len(places)))])


def _mention_matrices(mentions: list, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
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


def _ranks(distances: np.ndarray) -> np.ndarray:
    """The place of each tag in the order of its row, from 0; ties by column."""
    order = np.argsort(distances, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(distances.shape[1])[None], axis=1)
    return ranks


def _best_among(alike: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The highest similarity of each phrase to a chosen tag."""
    return alike[:, chosen].max(axis=1)

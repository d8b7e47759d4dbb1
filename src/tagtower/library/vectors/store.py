"""What every store of vectors can do, and the checks that keep the vectors of two models apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int64
from sqlalchemy import Connection

from tagtower.errors import FingerprintError
from tagtower.index.exact import DistanceKind, check_finite
from tagtower.index.sweep import UNIT
from tagtower.library.models import ModelRecord, find_model

BLOCK_BYTES = 16 << 20
"""Of vectors that are handed out at one time."""


@dataclass(frozen=True, slots=True, eq=False)
class NearestVideos:
    """The nearest videos of one query, nearest first, ties by id."""

    ids: Int64[np.ndarray, "video"]
    distances: Float32[np.ndarray, "video"]


@runtime_checkable
class VectorStore(Protocol):
    """Keeps one vector a video and model. Changes belong to the caller's transaction; a reader sees one moment.

    Under cosine every stored vector has length one, whatever was handed in.
    """

    def add(
        self,
        connection: Connection,
        model_id: int,
        video_ids: Sequence[int],
        vectors: Float[np.ndarray, "video dim"],
        *,
        fingerprint: str | None = None,
    ) -> None:
        """Keep the vectors of videos, in place of those they had; the same ones twice change nothing.

        Args:
            fingerprint: of the vectors, where the caller knows it.
        Raises:
            FingerprintError: the vectors are not of this model.
            StorageError: they cannot be written.
        """
        ...

    def get(
        self, connection: Connection, model_id: int, video_ids: Sequence[int]
    ) -> tuple[Int64[np.ndarray, "found"], Float32[np.ndarray, "found dim"]]:
        """Return the vectors of those videos that have one, in the order asked for, and whose they are."""
        ...

    def blocks(
        self, connection: Connection, model_id: int
    ) -> Iterator[tuple[Int64[np.ndarray, "video"], Float32[np.ndarray, "video dim"]]]:
        """Yield every vector of a model once, in blocks of bounded size, each with its video's id."""
        ...

    def nearest(
        self,
        connection: Connection,
        model_id: int,
        queries: Float[np.ndarray, "query dim"],
        k: int,
        *,
        within: Sequence[int] | Int64[np.ndarray, "video"] | None = None,
    ) -> list[NearestVideos]:
        """Return the k nearest videos of each query, by the model's distance; all where there are fewer.

        Args:
            within: only among these videos.
        Raises:
            FingerprintError: the queries have another width than the model.
        """
        ...

    def remove(self, connection: Connection, video_ids: Sequence[int], *, but: int | None = None) -> int:
        """Remove the vectors of videos, of all models, for good, and return how many there were.

        Call it before the videos' own rows go. What was stored is overwritten after the commit.

        Args:
            but: the number of a model whose vectors stay: those of the others are of another title, or other media.
        """
        ...

    def drop(self, connection: Connection, model_id: int) -> None:
        """Remove all vectors of a model; the room they took is free after the commit."""
        ...

    def prepare(self, model_id: int) -> bool:
        """Make the search of a model that was built fast; outside of any transaction, may take minutes.

        Returns whether it is done; False where another program is at it. Once more costs little.
        """
        ...

    def tidy(self) -> None:
        """Overwrite what was removed and not overwritten yet, and free room where much was removed."""
        ...


def model_of(
    connection: Connection, model_id: int, width: int | None = None, fingerprint: str | None = None
) -> ModelRecord:
    """Return the model that vectors are said to belong to.

    Raises:
        FingerprintError: they have another width, or another fingerprint.
        NotFoundError: there is no such model.
    """
    model = find_model(connection, model_id)
    if width is not None and width != model.width:
        raise FingerprintError(
            f"Vectors of width {width} are none of the model {model.name!r}, whose vectors have {model.width}.",
            hint="Embed the videos with that model.",
        )
    if fingerprint is not None and fingerprint != model.vector_fingerprint:
        raise FingerprintError(
            f"The vectors were made by another model than {model.name!r}.",
            hint="Embed the videos with that model.",
        )
    return model


def storable(vectors: Float[np.ndarray, "video dim"], kind: DistanceKind) -> Float32[np.ndarray, "video dim"]:
    """Return vectors as they are stored.

    Raises:
        InputError: one is not finite.
    """
    check_finite(vectors, "vectors of videos")
    if kind != "cosine":
        return np.ascontiguousarray(vectors, np.float32)
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    scale = np.where((lengths > 0) & (np.abs(lengths - 1) > UNIT), lengths, 1.0)  # others stay bit by bit
    return np.asarray(exact / scale, np.float32)


def block_rows(width: int) -> int:
    """Return how many vectors make a block."""
    return max(1, BLOCK_BYTES // (4 * width))

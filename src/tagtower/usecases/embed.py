"""Embed: vectors of videos or tags in a file that other programs read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tagtower.errors import MissingExtraError, UsageError
from tagtower.library.tagfile import read_tag_library
from tagtower.pipeline.extract import Failed
from tagtower.pipeline.vectors import Embedded, embed_videos
from tagtower.records import Problems
from tagtower.storage.atomic import atomic_path
from tagtower.training.manifest import TitleSource
from tagtower.usecases.inputs import read_inputs
from tagtower.usecases.progress import Progress
from tagtower.usecases.session import Session

VectorFormat = Literal["npz", "parquet"]


@dataclass(frozen=True, slots=True)
class EmbedReport:
    """What was written: how many vectors, how wide, by which model, and which videos failed."""

    path: Path
    vectors: int
    width: int
    model: str
    failures: tuple[Failed, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report as `embed --json` prints it, less the schema number."""
        return {
            "out": str(self.path),
            "vectors": self.vectors,
            "width": self.width,
            "model": self.model,
            "failed": [{"id": one.video.id, "message": one.error.message} for one in self.failures],
        }


def parse_format(path: Path, *, overwrite: bool) -> VectorFormat:
    """Return the format that the suffix of an output names.

    Raises:
        UsageError: the suffix is neither, or the file exists and `overwrite` is not set.
        MissingExtraError: Parquet is asked for and pyarrow is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in {".npz", ".parquet"}:
        raise UsageError(
            f"{path}: vectors are written as .npz or .parquet.", hint="Change the suffix of --out."
        )
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists.", hint="Replace it with --overwrite.")
    if suffix == ".npz":
        return "npz"
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise MissingExtraError("Writing Parquet", "parquet") from None
    return "parquet"


def embed(
    session: Session,
    inputs: Sequence[str],
    tags: Path | None,
    out: Path,
    *,
    problems: Problems,
    progress: Progress,
    titles: TitleSource = "none",
    strict: bool = False,
) -> EmbedReport:
    """Write the vectors of the videos in `inputs`, or of the tags of the library file `tags`, to `out`.

    The file has the columns (Parquet) or arrays (npz) `id`, `vector` and `model`; under cosine vectors have unit
    length, under hamming every component is -1 or 1.

    Raises:
        UsageError: both or neither of `inputs` and `tags` are given.
    """
    if bool(inputs) == (tags is not None):
        raise UsageError(
            "Name either videos or, with --tags, a tag library.", hint="One of the two is embedded."
        )
    failures: list[Failed] = []
    if tags is not None:
        library = read_tag_library(tags, problems)
        progress.phase("tags", None)
        ids = list(library.texts)
        vectors = session.tags.encode(ids)
    else:
        videos = read_inputs(inputs, problems, titles=titles, strict=strict)
        progress.phase("videos", len(videos))
        kept: list[Embedded] = []
        for one in embed_videos(session.model.tower, session.extractor.extract(videos)):
            if isinstance(one, Failed):
                failures.append(one)
            else:
                kept.append(one)
            progress.advance()
        ids = [one.video.id for one in kept]
        width = session.model.tower.width
        vectors = np.stack([one.vector for one in kept]) if kept else np.zeros((0, width), np.float32)
    fingerprint = session.model.vector_fingerprint
    if len(ids):
        _write(out, ids, vectors, fingerprint)
    return EmbedReport(out, len(ids), vectors.shape[1], fingerprint, tuple(failures))


def _write(out: Path, ids: Sequence[str], vectors: np.ndarray, model: str) -> None:
    with atomic_path(out) as partial:
        if out.suffix.lower() == ".npz":
            with partial.open("wb") as stream:
                np.savez_compressed(stream, id=np.array(ids), vector=vectors, model=np.array(model))
            return
        import pyarrow as pa
        import pyarrow.parquet as pq

        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
        table = pa.table({"id": pa.array(ids), "vector": column, "model": pa.array([model] * len(ids))})
        pq.write_table(table, partial)

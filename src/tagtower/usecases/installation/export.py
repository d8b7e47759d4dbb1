"""Writing stored videos with their tags to a file that other programs read, and that is a manifest for training."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, get_args

from sqlalchemy import Connection

from tagtower.errors import MissingExtraError, UsageError
from tagtower.library.videos.find import find_ids
from tagtower.library.videos.records import VideoRecord, get_videos
from tagtower.library.videos.references import Reference, references_of
from tagtower.library.videos.shown import SaidTag, ShownTag, active_model_id, said_tags, shown_tags
from tagtower.storage.atomic import atomic_path
from tagtower.storage.rows import LIST_SEPARATOR
from tagtower.usecases.installation.find import Search, filter_of
from tagtower.usecases.installation.home import Installation

TagChoice: TypeAlias = Literal["shown", "person"]
"""Which tags are written: all that a video shows, or only those that a person gave it."""

FORMATS = (".jsonl", ".csv", ".parquet")
AT_ONCE = 500

LISTS = ("tags", "scores", "rejected", "names")
COLUMNS = (
    "id",
    "video",
    "title",
    "description",
    "subtitles",
    "tags",
    "published",
    "scores",
    "rejected",
    "owner",
    "names",
    "shelf",
    "content_hash",
    "seconds",
    "width",
    "height",
    "added",
)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written: how many videos and tags, and tags that CSV cannot hold as they are."""

    path: Path
    videos: int
    tags: int
    unsafe: int

    def to_json(self) -> dict[str, Any]:
        """Return the report for a reader of JSON."""
        return {"out": str(self.path), "videos": self.videos, "tags": self.tags, "unsafe": self.unsafe}


class Writer(Protocol):
    """Takes rows of `COLUMNS`."""

    def __call__(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write rows."""
        ...


def parse_tag_choice(text: str) -> TagChoice:
    """Return which tags are meant, as typed by a person.

    Raises:
        UsageError: it is none of the choices.
    """
    choices: tuple[TagChoice, ...] = get_args(TagChoice)
    for known in choices:
        if text == known:
            return known
    raise UsageError(f"--tags-of {text}: there is no such choice.", hint=f"Choose: {', '.join(choices)}.")


def export_videos(
    installation: Installation,
    out: Path,
    search: Search,
    *,
    tags: TagChoice = "shown",
    overwrite: bool = False,
) -> ExportReport:
    """Write the videos that meet a search, newest first, as they are at one moment; the suffix tells the format.

    A video is called by its number. `scores` are the probabilities of `tags`, in their order, null for a person's own.

    Raises:
        UsageError: the suffix is no format, the file exists and `overwrite` is not set, or likeness is asked for.
        MissingExtraError: Parquet is asked for and pyarrow is not installed.
        StorageError: it cannot be written; nothing is left of it then.
    """
    if out.suffix.lower() not in FORMATS:
        raise UsageError(f"{out}: there is no such format.", hint=f"End the name in {', '.join(FORMATS)}.")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists.", hint="Replace it with --overwrite.")
    if search.similar is not None:
        raise UsageError("What is alike cannot be exported.", hint="Leave --similar out.")
    videos = written = unsafe = 0
    with installation.database.read() as connection, atomic_path(out) as partial, _writer(partial) as write:
        for rows in _batches(installation, connection, search, tags):
            write(rows)
            videos += len(rows)
            written += sum(len(row["tags"]) for row in rows)
            unsafe += sum(LIST_SEPARATOR in tag for row in rows for tag in row["tags"])
    return ExportReport(out, videos, written, unsafe if out.suffix.lower() == ".csv" else 0)


def _batches(
    installation: Installation, connection: Connection, search: Search, choice: TagChoice
) -> Iterator[list[dict[str, Any]]]:
    wanted, model_id = filter_of(connection, search), active_model_id(connection)
    below: int | None = None
    while ids := find_ids(connection, wanted, model_id, below=below, limit=AT_ONCE):
        below = ids[-1]
        tags = shown_tags(connection, ids, model_id)
        said = said_tags(connection, ids)
        references = references_of(connection, ids)
        yield [
            _row(
                installation,
                video,
                [one for one in tags.get(video.id, ()) if choice == "shown" or one.origin == "person"],
                said.get(video.id, ()),
                references.get(video.id, ()),
            )
            for video in get_videos(connection, ids)
        ]


def _row(
    installation: Installation,
    video: VideoRecord,
    tags: Sequence[ShownTag],
    said: Sequence[SaidTag],
    references: Sequence[Reference],
) -> dict[str, Any]:
    facts = video.facts or {}
    media = installation.media.uri(video.media) if video.stored and video.media else video.media
    return {
        "id": str(video.id),
        "video": media,
        "title": video.title,
        "description": video.description,
        "subtitles": video.subtitles,
        "tags": [one.tag for one in tags],
        "published": None if video.published_at is None else video.published_at.isoformat(),
        "scores": [one.score for one in tags],
        "rejected": [one.tag for one in said if one.verdict == "reject"],
        "owner": references[0].owner if references else None,
        "names": [one.name for one in references],
        "shelf": video.shelf,
        "content_hash": video.content_hash,
        "seconds": facts.get("seconds"),
        "width": facts.get("width"),
        "height": facts.get("height"),
        "added": video.added_at.isoformat(),
    }


@contextmanager
def _writer(path: Path) -> Iterator[Writer]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        with _parquet_writer(path) as write:
            yield write
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if suffix == ".csv":
            table = csv.DictWriter(file, COLUMNS)
            table.writeheader()
            yield lambda rows: table.writerows({**row, **_joined(row)} for row in rows)
        else:
            yield lambda rows: file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _joined(row: dict[str, Any]) -> dict[str, str]:
    return {name: LIST_SEPARATOR.join("" if one is None else str(one) for one in row[name]) for name in LISTS}


@contextmanager
def _parquet_writer(path: Path) -> Iterator[Writer]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("Writing Parquet", "parquet") from None
    kinds = {
        "tags": pa.list_(pa.string()),
        "rejected": pa.list_(pa.string()),
        "names": pa.list_(pa.string()),
        "scores": pa.list_(pa.float64()),
        "seconds": pa.float64(),
        "width": pa.int32(),
        "height": pa.int32(),
    }
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    with parquet.ParquetWriter(path, schema) as writer:
        yield lambda rows: writer.write_table(pa.Table.from_pylist(list(rows), schema))

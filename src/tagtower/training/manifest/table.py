"""Rows of a manifest in JSON Lines, CSV or Parquet as examples; every refusal names file, line and field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tagtower.features.subtitles import names_subtitle_file
from tagtower.library.tags import normalize_tag
from tagtower.records import SPLITS, Example, Video
from tagtower.storage.rows import BadRows, FieldError, Row, shorten
from tagtower.storage.tables import read_rows
from tagtower.training.manifest.location import resolve_location

COLUMNS = (
    "id",
    "video",
    "title",
    "description",
    "subtitles",
    "tags",
    "rejected",
    "group",
    "split",
    "published",
)


def table_examples(bad: BadRows) -> Iterator[Example]:
    """Yield an example for each usable row in order, its id empty where the row gives none; others go to `bad`.

    Raises:
        ManifestError: the file as a whole cannot be read.
    """
    folder = bad.path.absolute().parent
    for row in read_rows(bad, COLUMNS, one_of=("video", "title")):
        try:
            yield _example(row, folder)
        except FieldError as fault:
            bad.add(row.line, str(fault))


def _example(row: Row, folder: Path) -> Example:
    media = _location(row, "video", folder)
    title = row.text("title")
    if media is None and title is None:
        raise FieldError("video", "neither a video nor a title; a row needs one of them")
    video = Video(
        id=row.identifier("id") or "",
        media=media,
        title=title,
        description=row.text("description"),
        subtitles=_subtitles(row, folder),
    )
    tags, rejected = row.texts("tags"), row.texts("rejected")
    both = {normalize_tag(tag) for tag in tags} & {normalize_tag(tag) for tag in rejected}
    if both:
        raise FieldError("rejected", f"{shorten(min(both))} is among its tags as well")
    return Example(
        video=video,
        tags=tags,
        rejected=rejected,
        group=row.identifier("group"),
        split=row.choice("split", {name: name for name in SPLITS}),
        published=row.time("published"),
        line=row.line,
    )


def _location(row: Row, name: str, folder: Path) -> str | None:
    written = row.text(name)
    if written is None:
        return None
    try:
        return resolve_location(written, folder)
    except ValueError as fault:
        raise FieldError(name, str(fault)) from None


def _subtitles(row: Row, folder: Path) -> str | None:
    """The text, or the absolute path of a subtitle file: one line that ends like the name of one."""
    written = row.text("subtitles")
    if written is None or not names_subtitle_file(written):
        return written
    return _location(row, "subtitles", folder)

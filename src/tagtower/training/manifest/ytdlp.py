"""What yt-dlp writes beside a download, `NAME.info.json`, as the fields of an example."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tagtower.records import Example, Video
from tagtower.storage.rows import FieldError, Row

INFO_SUFFIX = ".info.json"
MAX_INFO_BYTES = 1 << 26
"""Real ones hold up to a few MB, most of it the list of formats."""


def read_info(path: Path, media: str | None) -> Example | None:
    """Return the example of one download, whose media file is `media`; None for a playlist or a channel.

    The channel is its group, so that no channel stands in two splits.

    Raises:
        FieldError: the file cannot be read, or a field has the wrong type.
    """
    try:
        if path.stat().st_size > MAX_INFO_BYTES:
            raise FieldError("file", f"more than {MAX_INFO_BYTES:,} bytes")
        fields: Any = json.loads(path.read_text("utf-8-sig"))
    except OSError as fault:
        raise FieldError("file", f"cannot be read: {fault.strerror or fault}") from None
    except (ValueError, RecursionError) as fault:
        raise FieldError("file", f"no usable JSON: {fault}") from None
    if not isinstance(fields, dict):
        raise FieldError("file", "no JSON object")
    if fields.get("_type", "video") != "video":
        return None
    row = Row(0, fields)
    title = row.text("title")
    if media is None and title is None:
        raise FieldError("title", "is missing, and so is the media file")
    video = Video(
        id=row.identifier("id") or ("" if media else path.name),
        media=media,
        title=title,
        description=row.text("description"),
    )
    group = row.text("channel_id") or row.text("uploader_id") or row.text("uploader")
    return Example(video, tags=row.texts("tags"), group=group, published=_published(row))


def _published(row: Row) -> datetime | None:
    """The second of the upload where yt-dlp knows it, else its day."""
    seconds = row.fields.get("timestamp")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        try:
            return datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            raise FieldError("timestamp", f"{seconds} is no time in seconds since 1970") from None
    return row.time("upload_date")

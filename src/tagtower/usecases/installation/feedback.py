"""Feedback: what persons said of stored videos, as a manifest for the next training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from tagtower.errors import UsageError
from tagtower.library.schema import verdicts
from tagtower.library.tags import normalize_tag
from tagtower.library.videos.records import VideoRecord, get_videos
from tagtower.library.videos.shown import YES, SaidTag, said_tags
from tagtower.storage.atomic import atomic_path
from tagtower.storage.media_store import FolderStore
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.media import as_video

AT_ONCE = 500


@dataclass(slots=True)
class FeedbackReport:
    """What was written: rows, the tags that were accepted or added and those that were rejected in them.

    `without_media` rows have words alone, because their media cannot be named as a path or URI; `left_out` videos have
    neither such media nor a title.
    """

    videos: int = 0
    accepted: int = 0
    rejected: int = 0
    without_media: int = 0
    left_out: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "videos": self.videos,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "without_media": self.without_media,
            "left_out": self.left_out,
        }


def export_feedback(
    installation: Installation, out: Path, *, media: Path | None = None, overwrite: bool = False
) -> FeedbackReport:
    """Write a manifest (JSON Lines) of the videos on whose tags persons spoke, whole or not at all.

    Tags are called as the library calls them now; of several words on one the last counts. What a model suggested and
    nobody judged is in no row: a model that learned from its own guesses would only grow surer of them.

    Args:
        media: a folder to copy media into that lie in an object store, which training does not read.
    Raises:
        UsageError: `out` exists and `overwrite` is not set.
        StorageError: it cannot be written.
    """
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists.", hint="Replace it with --overwrite, or write elsewhere.")
    report = FeedbackReport()
    with atomic_path(out) as partial, partial.open("w", encoding="utf-8") as file:
        for row in _rows(installation, media, report):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return report


def _rows(installation: Installation, media: Path | None, report: FeedbackReport) -> Iterator[dict[str, Any]]:
    after = 0
    while True:
        with installation.database.read() as connection:
            judged = select(verdicts.c.video_id).where(verdicts.c.video_id > after).distinct()
            ids = connection.scalars(judged.order_by(verdicts.c.video_id).limit(AT_ONCE)).all()
            if not ids:
                return
            said = said_tags(connection, ids)
            found = get_videos(connection, ids)
        after = ids[-1]
        for video in found:
            row = _row(installation, video, said.get(video.id, ()), media, report)
            if row is not None:
                yield row


def _row(
    installation: Installation,
    video: VideoRecord,
    said: Sequence[SaidTag],
    folder: Path | None,
    report: FeedbackReport,
) -> dict[str, Any] | None:
    standing = [one for one in said if one.state != "removed"]
    tags = [one.tag for one in standing if one.verdict in YES]
    own = {normalize_tag(tag) for tag in tags}
    rejected = [one.tag for one in standing if one.verdict not in YES and normalize_tag(one.tag) not in own]
    if not tags and not rejected:
        return None
    place = _place(installation, video, folder)
    if place is None and video.title is None:
        report.left_out += 1
        return None
    report.videos += 1
    report.accepted += len(tags)
    report.rejected += len(rejected)
    report.without_media += place is None and video.media is not None
    words = as_video(video)
    row = {
        # As the installation itself calls the video among the neighbours of others.
        "id": f"video:{video.id}",
        "video": place,
        "title": video.title,
        "description": video.description,
        "subtitles": words.subtitles,
        "tags": tags,
        "rejected": rejected,
        "published": None if video.published_at is None else video.published_at.isoformat(),
    }
    return {name: value for name, value in row.items() if value is not None}


def _place(installation: Installation, video: VideoRecord, folder: Path | None) -> str | None:
    """A path or URI of a video's media; None where there are none, or none that training could read."""
    if video.media is None or not video.stored:
        return video.media
    store = installation.media
    if not store.exists(video.media):
        return None
    if isinstance(store, FolderStore):
        with store.local(video.media) as path:
            return str(path)
    if folder is None:
        return None
    target = folder.absolute() / Path(video.media).name
    if not target.exists():
        with store.local(video.media) as path, atomic_path(target) as partial:
            shutil.copyfile(path, partial)
    return str(target)

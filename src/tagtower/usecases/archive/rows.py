"""The videos of an archive, with what lies around their files: a title, subtitles."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tagtower.records import Example, Problems, Video
from tagtower.training.manifest import TitleSource, read_manifest
from tagtower.training.manifest.titles import title_from_name
from tagtower.usecases.archive.request import StartRequest

SUBTITLE_SUFFIXES = (".srt", ".vtt")


def archive_rows(request: StartRequest, strict: bool, problems: Problems) -> tuple[tuple[Example, ...], Path]:
    """Return the videos, with a title and subtitles from around the media where they have none, and where they lie.

    Raises:
        ManifestError: the folder or manifest cannot be read, or holds no video; or, if `strict`, a row is bad.
    """
    source = request.source.absolute()
    found = read_manifest(source, strict=strict, problems=problems, titles=request.titles).examples
    root = source if source.is_dir() else source.parent
    return tuple(replace(row, video=_described(row.video, request.titles)) for row in found), root


def _described(video: Video, titles: TitleSource) -> Video:
    if video.media is None or "://" in video.media:
        return video
    media = Path(video.media)
    beside = (media.with_suffix(suffix) for suffix in SUBTITLE_SUFFIXES)
    title = video.title or (None if titles == "none" else title_from_name(media))
    with suppress(OSError):  # a name too long for the disk names no file
        return replace(
            video,
            title=title,
            subtitles=video.subtitles or next((str(one) for one in beside if one.is_file()), None),
        )
    return replace(video, title=title)

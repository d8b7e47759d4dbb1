"""A folder of media, or of yt-dlp downloads, as a manifest: which files count, and what is known of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tagtower.records import Example, Video
from tagtower.storage.rows import BadRows, FieldError, text_fault
from tagtower.training.manifest.beside import subtitles_beside
from tagtower.training.manifest.ytdlp import INFO_SUFFIX, read_info

_VIDEO = """
264 265 3g2 3gp asf avi divx dv f4v flv gif h264 h265 hevc ivf m2t m2ts m2v m4v mkv mov mp4 mpe mpeg mpg mts mxf nut
obu ogm ogv rm rmvb swf ts vob webm wmv y4m
"""
_SOUND = (
    "aac ac3 aif aifc aiff amr ape au caf eac3 flac m4a m4b mka mp2 mp3 oga ogg opus wav wave weba wma wv"
)
MEDIA_SUFFIXES = frozenset(f".{name}" for name in (_VIDEO + _SOUND).split())


def folder_examples(bad: BadRows, title_of: Callable[[Path], str | None]) -> Iterator[Example]:
    """Yield an example for each media file below `bad.path`, folder by folder and by name; hidden ones are passed over.

    A file with yt-dlp's `NAME.info.json` beside it takes id, title, description, tags, group and time from there,
    and such a file without media is known by its title; all other ids are empty. Subtitle files that are called like
    one of them are its subtitles. Files that are no media are counted by suffix, in one problem. Links to folders are
    not followed.

    Args:
        title_of: the title of a file without `info.json`.
    """
    others: Counter[str] = Counter()
    for parent, names in _walk(bad):
        media = {name for name in names if Path(name).suffix.lower() in MEDIA_SUFFIXES}
        downloads = {_info_name(name) for name in media} & set(names)
        infos = {name for name in names if name.endswith(INFO_SUFFIX)}
        stems = {_stem(name) for name in (*media, *infos)}
        subtitles = subtitles_beside(names, stems)
        taken = set(subtitles.values())
        for name in names:
            path = Path(parent, name)
            if name in media:
                found = _media_example(bad, path, title_of, downloads)
                yield from _subtitled(found, path, subtitles)
            elif name in infos:
                if name not in downloads:
                    yield from _subtitled(_described(bad, path, media=None), path, subtitles)
            elif name not in taken:
                others[path.suffix.lower() or "no suffix"] += 1
    if others:
        kinds = ", ".join(f"{suffix} {count}" for suffix, count in others.most_common(8))
        bad.problems.add(
            str(bad.path), f"files that are no media are passed over: {others.total()} ({kinds})"
        )


def _walk(bad: BadRows) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder with the sorted names of its files that are not hidden; a folder that cannot be read is bad."""

    def unreadable(fault: OSError) -> None:
        bad.problems.add(str(fault.filename), f"the folder cannot be read: {fault.strerror}")

    for parent, folders, files in os.walk(bad.path, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield parent, sorted(name for name in files if not name.startswith("."))


def _stem(name: str) -> str:
    """What the files of one video have in common."""
    return name.removesuffix(INFO_SUFFIX) if name.endswith(INFO_SUFFIX) else Path(name).stem


def _subtitled(examples: Iterable[Example], path: Path, subtitles: Mapping[str, str]) -> Iterator[Example]:
    name = subtitles.get(_stem(path.name))
    for example in examples:
        if name is None or text_fault(name) is not None:
            yield example
        else:
            file = str(path.with_name(name).absolute())
            yield replace(example, video=replace(example.video, subtitles=file))


def _info_name(media_name: str) -> str:
    return Path(media_name).stem + INFO_SUFFIX


def _media_example(
    bad: BadRows, path: Path, title_of: Callable[[Path], str | None], downloads: set[str]
) -> Iterator[Example]:
    if text_fault(str(path)) is not None:
        bad.add(0, f"the name of {str(path)!r} is no UTF-8; rename the file")
    elif _info_name(path.name) in downloads:
        yield from _described(bad, path.with_name(_info_name(path.name)), media=path)
    else:
        yield Example(Video("", str(path.absolute()), title_of(path)))


def _described(bad: BadRows, info: Path, media: Path | None) -> Iterator[Example]:
    """Yield what `info` says; nothing for a playlist. Media whose `info` is bad still count, without its words."""
    location = None if media is None else str(media.absolute())
    try:
        found = read_info(info, location)
    except FieldError as fault:
        bad.add(0, f"{info.relative_to(bad.path)}: {fault}")
        found = None if location is None else Example(Video("", location))
    if found is not None:
        yield found

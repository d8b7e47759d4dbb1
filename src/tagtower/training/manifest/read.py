"""Reading a manifest of any kind: the door, the ids, and what is said when nothing is left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tagtower.errors import ManifestError
from tagtower.records import Example, Problems
from tagtower.storage.rows import BadRows, shorten
from tagtower.storage.tables import TABLE_FORMATS
from tagtower.storage.textlines import check_is_file, is_folder
from tagtower.training.manifest.folder import folder_examples
from tagtower.training.manifest.location import is_local
from tagtower.training.manifest.table import table_examples
from tagtower.training.manifest.titles import TitleSource, title_reader

MANIFEST_SUFFIXES = tuple(TABLE_FORMATS)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The usable examples of a manifest in its order, and how many rows were refused."""

    path: Path
    examples: tuple[Example, ...]
    refused: int = 0


def read_manifest(
    path: Path, *, strict: bool = False, problems: Problems, titles: TitleSource = "none"
) -> Manifest:
    """Return the examples of a file (JSON Lines, CSV, Parquet) or of a folder of media or yt-dlp downloads.

    Bad rows are counted in `problems` with file, line and field. A row without an id is called by its video's path
    from the manifest, or `row-N` by its line. Media need not exist.

    Args:
        strict: stop at the first bad row.
        titles: where media of a folder take their titles from; `metadata` opens each.
    Raises:
        ManifestError: the manifest cannot be read, or no row is usable; or, if `strict`, a row is bad.
        MissingExtraError: it is a Parquet file and pyarrow is not installed.
    """
    bad = BadRows(path, problems, ManifestError, strict)
    if is_folder(bad):
        with title_reader(titles) as title_of:
            examples = _named(folder_examples(bad, title_of), bad, path.absolute())
        wanted = "media files"
    else:
        check_is_file(bad)
        if path.suffix.lower() not in MANIFEST_SUFFIXES:
            raise bad.failure(
                f"{path.suffix!r} is no format of a manifest.",
                hint=f"A manifest is a folder of media or a file of one of: {', '.join(MANIFEST_SUFFIXES)}.",
            )
        examples = _named(table_examples(bad), bad, path.absolute().parent)
        wanted = "rows"
    if not examples:
        raise bad.nothing_left(wanted)
    return Manifest(path, examples, bad.count)


def _named(examples: Iterable[Example], bad: BadRows, folder: Path) -> tuple[Example, ...]:
    """Return the examples with an id each that no other has; ids that are made up give way to given ones."""
    kept = _first_of_each_id(examples, bad, folder)
    taken = {example.video.id for example in kept}
    for place, example in enumerate(kept):
        if not example.video.id:
            name = _default_id(example, folder)
            name = f"{name}#{example.line}" if name in taken else name
            taken.add(name)
            kept[place] = replace(example, video=replace(example.video, id=name))
    return tuple(kept)


def _first_of_each_id(examples: Iterable[Example], bad: BadRows, folder: Path) -> list[Example]:
    """Return the examples whose id, where they have one, no earlier one has; the others are bad rows."""
    kept: list[Example] = []
    lines: dict[str, int] = {}
    for example in examples:
        name = example.video.id
        if name and name in lines:
            subject = "" if example.line else f"{_default_id(example, folder)}: "
            bad.add(example.line, f"{subject}id: {shorten(name)} stands in {bad.place(lines[name])} already")
            continue
        lines[name] = example.line
        kept.append(example)
    return kept


def _default_id(example: Example, folder: Path) -> str:
    media = example.video.media
    if media is None:
        return f"row-{example.line}"
    if is_local(media) and Path(media).is_relative_to(folder):
        return Path(media).relative_to(folder).as_posix()
    return media

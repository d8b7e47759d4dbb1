"""Where a file takes its title from when no manifest gives it one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from tagtower.errors import MediaError

TitleSource: TypeAlias = Literal["none", "filename", "metadata"]


@contextmanager
def title_reader(source: TitleSource) -> Iterator[Callable[[Path], str | None]]:
    """Give a function from a media file to its title, or None where it has none.

    `metadata` opens each file, in a child process, as it comes from anywhere. A file that cannot be opened has no
    title here, and fails when its turn comes.
    """
    if source == "filename":
        yield title_from_name
    elif source == "metadata":
        from tagtower.config import MediaSettings
        from tagtower.media.isolation import Decoder

        with Decoder(MediaSettings(), workers=1) as decoder:

            def from_metadata(path: Path) -> str | None:
                try:
                    return (decoder.probe(path).title or "").strip() or None
                except MediaError:
                    return None

            yield from_metadata
    else:
        yield lambda path: None


def title_from_name(path: Path) -> str | None:
    """Return a file's name as a title: without suffix, underscores and dots as blanks; None where nothing is left."""
    return " ".join(re.sub(r"[_.]+", " ", path.stem).split()) or None

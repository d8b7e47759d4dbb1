"""What a person points at (files, folders, manifests) as a list of videos."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from tagtower.errors import UsageError
from tagtower.records import Example, Problems, Video
from tagtower.training.manifest import MANIFEST_SUFFIXES, TitleSource, read_manifest, title_reader
from tagtower.training.manifest.location import is_web


def read_inputs(
    inputs: Sequence[str],
    problems: Problems,
    *,
    title: str | None = None,
    titles: TitleSource = "none",
    strict: bool = False,
) -> list[Video]:
    """Return the videos of all inputs, as `read_examples` finds them."""
    examples = read_examples(inputs, problems, title=title, titles=titles, strict=strict)
    return [example.video for example in examples]


def read_examples(
    inputs: Sequence[str],
    problems: Problems,
    *,
    title: str | None = None,
    titles: TitleSource = "none",
    strict: bool = False,
) -> list[Example]:
    """Return what all inputs hold, in order: each is a media file, its http(s) address, a folder (read recursively)
    or a manifest.

    A file that does not exist is still returned: it fails when its turn comes, and the others go on.

    Args:
        title: the title of the one media file that is given.
        titles: where files and folders without a manifest take titles from.
    Raises:
        UsageError: `title` was given for more than one file.
        ManifestError: a manifest cannot be read, or has a bad row and `strict` is set.
    """
    examples: list[Example] = []
    files = 0
    with title_reader(titles) as title_of:
        for given in inputs:
            path = Path(given)
            if is_web(given):
                files += 1
                examples.append(Example(Video(id=given, media=given, title=title)))
                continue
            # An over-long or forbidden path is no folder, rather than an error.
            if os.path.isdir(given) or path.suffix.lower() in MANIFEST_SUFFIXES:  # noqa: PTH112
                manifest = read_manifest(path, strict=strict, problems=problems, titles=titles)
                examples += manifest.examples
            else:
                files += 1
                video = Video(id=given, media=str(path.absolute()), title=title or title_of(path))
                examples.append(Example(video))
    if title is not None and (files != 1 or len(examples) != 1):
        raise UsageError(
            f"A title was given for {len(examples)} videos.",
            hint="Name one media file with it, or give titles in a manifest.",
        )
    return examples


def title_source(name: str) -> TitleSource:
    """Return where titles come from, as typed by a person.

    Raises:
        UsageError: it is none of the choices.
    """
    choices: tuple[TitleSource, ...] = get_args(TitleSource)
    for known in choices:
        if name == known:
            return known
    raise UsageError(f"--titles {name}: there is no such source.", hint=f"Choose: {', '.join(choices)}.")

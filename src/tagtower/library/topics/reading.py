"""Reads strangers' feeds in a process of its own: whatever a feed does to its parser costs one clear error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime

from tagtower.errors import FeedError, MissingExtraError
from tagtower.library.topics.entries import Entry, FeedContent

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Thread pools of a numerical library would use up the address space that the memory limit allows."""


def read_feed(body: bytes, kind: str, content_type: str, *, most: int, seconds: float) -> FeedContent:
    """Return up to `most` entries of a feed.

    Args:
        kind: `rss` (also Atom), `json`, `csv`, or `auto`: as it looks.
        content_type: as the server says.
        seconds: how long it may take.
    Raises:
        FeedError: it is none, or its parser took too long, too much memory, or died.
        MissingExtraError: what reads this kind is not installed.
    """
    said = shorten_line(content_type.encode("ascii", "ignore").decode())
    command = [sys.executable, "-m", "tagtower.library.topics.child", kind, said, str(most)]
    try:
        done = subprocess.run(
            command, input=body, capture_output=True, timeout=seconds, env={**os.environ, **ONE_THREAD}
        )
    except subprocess.TimeoutExpired:
        raise FeedError(
            f"It took longer than {seconds:g} s to read.", hint="It may be meant to do harm: remove it."
        ) from None
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise FeedError(
            f"It killed the process that read it ({shorten_line(last[0]) if last else done.returncode}).",
            hint="It may be meant to do harm: remove it.",
        )
    answer = json.loads(done.stdout)
    if "extra" in answer:
        raise MissingExtraError("Reading RSS and Atom", answer["extra"])
    if "error" in answer:
        raise FeedError(answer["error"], hint=answer["hint"])
    return FeedContent(
        tuple(
            Entry(key, headline, None if published is None else datetime.fromisoformat(published))
            for key, headline, published in answer["entries"]
        ),
        answer["language"],
    )


def shorten_line(text: str) -> str:
    """Return a line of another program in printable characters, cut where it is long."""
    return "".join(character for character in text if character.isprintable())[:200]

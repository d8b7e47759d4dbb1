"""The process in which a stranger's feed is read: the feed on stdin, its entries as one JSON object on stdout.

Started by `tagtower.library.topics.reading` as `python -m tagtower.library.topics.child KIND TYPE MOST`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

from tagtower.errors import FeedError, MissingExtraError
from tagtower.library.topics.entries import parse_feed

MEMORY_BYTES = 1 << 30
"""A feed of 5 MiB takes some 200 MiB to read."""


def main() -> None:
    """Read one feed."""
    kind, content_type, most = sys.argv[1:4]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer
    limit_memory(MEMORY_BYTES)
    with answers:
        json.dump(answer(sys.stdin.buffer.read(), kind, content_type, int(most)), answers)


def answer(body: bytes, kind: str, content_type: str, most: int) -> dict[str, Any]:
    """Return the entries of a feed, or why there are none."""
    try:
        content = parse_feed(body, kind, content_type, most)
    except FeedError as error:
        return {"error": error.message, "hint": error.hint}
    except MissingExtraError as error:
        return {"error": error.message, "hint": error.hint, "extra": error.extra}
    except MemoryError:
        return {"error": "It needs more memory to read than is allowed.", "hint": None}
    rows = [
        [entry.key, entry.headline, None if entry.published is None else entry.published.isoformat()]
        for entry in content.entries
    ]
    return {"entries": rows, "language": content.language}


def limit_memory(most: int) -> None:
    """Let this process use at most `most` bytes, where the system can see to that."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()

"""Content hashes: SHA-256 of files, texts and plain values, as 64 lower-case hex digits."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def hash_file(path: str | Path) -> str:
    """Return the hash of a file's bytes, read in pieces.

    Raises:
        OSError: the file cannot be read.
    """
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_text(text: str) -> str:
    """Return the hash of a text's UTF-8 bytes; lone surrogates, which file names may hold, are allowed."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def hash_json(obj: object) -> str:
    """Return the hash of a value that JSON can hold; the order of keys does not matter.

    Raises:
        TypeError: the value holds something that JSON cannot.
        ValueError: the value holds NaN or an infinity.
    """
    return hash_text(json.dumps(obj, sort_keys=True, separators=(",", ":"), allow_nan=False))

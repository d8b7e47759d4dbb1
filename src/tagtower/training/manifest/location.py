"""Where the media of a manifest lie: absolute paths, paths relative to the manifest, and URIs."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def resolve_location(written: str, folder: Path) -> str:
    """Return `written` as an absolute path, relative ones taken from `folder`; URIs other than file:// as they are.

    Raises:
        ValueError: it is a file:// URI of another machine.
    """
    if not _URI.match(written):
        return str((folder / written).absolute())
    parts = urlsplit(written)
    if parts.scheme.lower() != "file":
        return written
    if parts.netloc not in ("", "localhost"):
        raise ValueError(f"the file:// URI names another machine, {parts.netloc!r}")
    return url2pathname(parts.path)


def is_local(location: str) -> bool:
    """Return whether a resolved location is a path of this machine."""
    return not _URI.match(location)


def is_web(location: str) -> bool:
    """Return whether a location is an http or https address."""
    return location.lower().startswith(("http://", "https://"))

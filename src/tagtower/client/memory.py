"""Which uploads were begun and not finished, kept in files, so that another run of a program goes on with them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import final

FOLDER = "uploads"


@final
class UploadMemory:
    """A folder with a small file for each upload that is not finished, named by server and content."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    @classmethod
    def default(cls) -> UploadMemory:
        """Return the user's own: below $TAGTOWER_CACHE, or else below the user's cache folder."""
        cache = os.environ.get("TAGTOWER_CACHE")
        if cache:
            return cls(Path(cache) / FOLDER)
        own = os.environ.get("XDG_CACHE_HOME")
        return cls((Path(own) if own else Path.home() / ".cache") / "tagtower" / FOLDER)

    def recall(self, server: str, sha256: str) -> str | None:
        """Return the upload of a content to a server that was begun before, None where there is none."""
        try:
            found = json.loads(self._path(server, sha256).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        known = found.get("upload") if isinstance(found, dict) else None
        return known if isinstance(known, str) else None

    def keep(self, server: str, sha256: str, upload_id: str) -> None:
        """Remember an upload. A folder that cannot be written to only means that no other run goes on with it."""
        path = self._path(server, sha256)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps({"server": server, "upload": upload_id}), encoding="utf-8")
            partial.replace(path)
        except OSError:
            return

    def forget(self, server: str, sha256: str) -> None:
        """Forget the upload of a content."""
        try:
            self._path(server, sha256).unlink(missing_ok=True)
        except OSError:
            return

    def _path(self, server: str, sha256: str) -> Path:
        name = hashlib.sha256(f"{server} {sha256}".encode()).hexdigest()
        return self._folder / f"{name}.json"

"""The ledger of an installation: whether all that came in is somewhere, in the database and in the media store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from sqlalchemy import select

from tagtower.library.ledger import SHOWN, Finding, Ledger, known_media, mend, read_ledger, stored_media
from tagtower.library.schema import erasing
from tagtower.library.videos.intake import claim
from tagtower.storage.media_store import MediaStore
from tagtower.usecases.installation.home import Installation

AT_A_TIME = 2000
GRACE_SECONDS = 10.0
"""Media that belong to no video are looked at again after this time: their video may be on its way."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The ledger as it stands, and what was mended before, by kind."""

    ledger: Ledger
    mended: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {**self.ledger.to_json(), "mended": self.mended}


def check_ledger(
    installation: Installation,
    *,
    media: bool = False,
    repair: bool = False,
    wait: Callable[[float], None] = time.sleep,
) -> Checked:
    """Return whether everything balances.

    Args:
        media: compare the media store with the videos as well, which lists all of it.
        repair: mend first what can be mended without loss: leases of workers that are gone; labelled videos without a
            vector or an answer, which are labelled anew; with `media` also stored media that belong to no video, which
            are removed.
        wait: waits for some seconds.
    Raises:
        StorageError: the database or the media store cannot be reached.
    """
    mended: dict[str, int] = {}
    if repair:
        with installation.database.write() as connection:
            now, rules = installation.clock(), installation.settings.worker
            mended = mend(connection, now=now, rules=rules)
        if media and (removed := _remove_orphans(installation, wait)):
            mended["orphan"] = removed
    with installation.database.read() as connection:
        ledger = read_ledger(connection, now=installation.clock(), rules=installation.settings.worker)
    if media:
        ledger = replace(ledger, findings=(*ledger.findings, *_media_findings(installation)))
    return Checked(ledger, mended)


def _media_findings(installation: Installation) -> list[Finding]:
    # The store is listed before the videos are asked for, so that what comes in meanwhile is in neither finding.
    orphans = _orphans(installation)
    stored = set(installation.media.keys())
    missing = [
        (video_id, key)
        for video_id, key in _videos_with_media(installation)
        if key not in stored and not installation.media.exists(key)
    ]
    found = []
    if missing:
        named = tuple(f"{video_id} {key}" for video_id, key in missing[:SHOWN])
        found.append(Finding("media", "videos whose media are not in the media store", len(missing), named))
    if orphans:
        what = "media in the media store that belong to no video"
        found.append(Finding("orphan", what, len(orphans), tuple(orphans[:SHOWN]), mendable=True))
    return found


def _videos_with_media(installation: Installation) -> Iterator[tuple[int, str]]:
    after = -1
    while True:
        with installation.database.read() as connection:
            rows = stored_media(connection, after, AT_A_TIME)
        if not rows:
            return
        yield from rows
        after = rows[-1][0]


def _orphans(installation: Installation) -> list[str]:
    """The stored media that belong to no video, and not to one that is being erased either."""
    found: list[str] = []
    for keys in _batches(installation.media):
        with installation.database.read() as connection:
            known = known_media(connection, keys)
            hashes = [_hash_of(key) for key in keys]
            leaving = set(
                connection.scalars(select(erasing.c.content_hash).where(erasing.c.content_hash.in_(hashes)))
            )
        found += [key for key in keys if key not in known and _hash_of(key) not in leaving]
    return found


def _batches(store: MediaStore) -> Iterator[list[str]]:
    keys = iter(list(store.keys()))
    while batch := list(islice(keys, 400)):
        yield batch


def _remove_orphans(installation: Installation, wait: Callable[[float], None]) -> int:
    orphans = _orphans(installation)
    if not orphans:
        return 0
    wait(GRACE_SECONDS)
    removed = 0
    for key in sorted(set(orphans) & set(_orphans(installation))):
        # Whoever takes the same content in waits for this transaction, and stores it again.
        with installation.database.write() as connection:
            claim(connection, _hash_of(key))
            if not known_media(connection, [key]):
                removed += installation.media.remove(key)
    return removed


def _hash_of(key: str) -> str:
    return key.rsplit("/", 1)[-1][:64]

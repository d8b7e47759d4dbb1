"""The same request twice is done once: answers are kept under the keys that clients give."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tagtower.errors import ConflictError, UsageError
from tagtower.library.replies import Reply, claim_reply, forget_replies, forget_reply, keep_reply
from tagtower.library.videos.records import get_videos
from tagtower.usecases.installation.home import Installation

ABANDONED = timedelta(hours=1)
"""A request that is still worked on after so long was ended with its server."""

MAX_KEY = 200


def claim(
    installation: Installation, principal: str, key: str, request: str, *, keep_hours: float = 24.0
) -> Reply | None:
    """Return the answer that a request was given before; None where it is to be done now.

    Args:
        request: a hash of what is asked.
    Raises:
        UsageError: the key is none, or was used for another request.
        ConflictError: the request is being worked on.
    """
    if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise UsageError(
            f"An idempotency key has 1 to {MAX_KEY} visible ASCII characters.", hint="Give a random UUID."
        )
    now = installation.clock()
    with installation.database.write() as connection:
        forget_replies(connection, now - timedelta(hours=keep_hours))
        found = claim_reply(connection, principal, key, request, now)
        if found is not None and found.status is None and now - found.at > ABANDONED:
            forget_reply(connection, principal, key)
            found = claim_reply(connection, principal, key, request, now)
    if found is None:
        return None
    if found.request != request:
        raise UsageError(
            "This idempotency key was used for another request.", hint="Give every request a key of its own."
        )
    if found.status is None:
        raise ConflictError(
            "The same request is being worked on.", hint="Wait a little, then ask again with the same key."
        )
    return found


def keep(
    installation: Installation,
    principal: str,
    key: str,
    *,
    status: int,
    body: Any,
    headers: dict[str, str],
    video_id: int | None = None,
) -> None:
    """Keep an answer for the next time; unless its video was erased meanwhile."""
    with installation.database.write() as connection:
        if video_id is not None and not get_videos(connection, [video_id]):
            forget_reply(connection, principal, key)
            return
        keep_reply(connection, principal, key, status=status, body=body, headers=headers, video_id=video_id)


def forget(installation: Installation, principal: str, key: str) -> None:
    """Give a key free, since its request failed and may be mended."""
    with installation.database.write() as connection:
        forget_reply(connection, principal, key)

"""Where a page of an answer ended, as an opaque text that only the same question takes, and only unchanged."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence

from tagtower.errors import UsageError

SEAL_BYTES = 12
MAX_CURSOR = 500
"""Characters; ours are shorter, and whatever is longer need not be looked at."""

Place = tuple[int | float, ...]
"""The last row of a page: its number, or its distance and number."""


def write_cursor(installation: str, question: object, place: Sequence[int | float]) -> str:
    """Return a place as text; `question` is what was asked for, as JSON can hold it."""
    body = json.dumps(list(place), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_seal(installation, question, body) + body).decode().rstrip("=")


def read_cursor(installation: str, question: object, cursor: str, length: int) -> Place:
    """Return the place of a cursor that `write_cursor` wrote for the same question: `length` numbers.

    Raises:
        UsageError: it is of another question or installation, or was changed.
    """
    wrong = UsageError(
        "The cursor belongs to another search, or was changed.",
        hint="Give the cursor of the page before with the same search, or begin without one.",
    )
    if len(cursor) > MAX_CURSOR or not cursor.isascii():
        raise wrong
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise wrong from None
    seal, body = data[:SEAL_BYTES], data[SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(installation, question, body)):
        raise wrong
    place = json.loads(body)
    if len(place) != length:
        raise wrong
    return tuple(place)


def _seal(installation: str, question: object, body: bytes) -> bytes:
    asked = json.dumps(question, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(installation.encode(), asked + b"\0" + body, hashlib.sha256).digest()[:SEAL_BYTES]

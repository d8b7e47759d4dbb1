"""Sessions of the console: a signed cookie that names a key and a moment, and the token that goes with its forms."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

COOKIE = "tagtower_session"
LASTS = timedelta(hours=12)
MAX_COOKIE = 500


@dataclass(frozen=True, slots=True)
class SignedSession:
    """A session whose seal is good: the number of its key, 0 where no keys are wanted, and the text of its cookie."""

    key_id: int
    text: str


def cookie_name(secure: bool) -> str:
    """Return the name of the cookie; over TLS one that no other host of the domain can set."""
    return f"__Host-{COOKIE}" if secure else COOKIE


def new_session(secret: bytes, key_id: int, now: datetime) -> str:
    """Return the text of a cookie for a key that was shown just now."""
    body = json.dumps([key_id, int(now.timestamp()), secrets.token_hex(8)]).encode()
    return f"{_text(body)}.{_text(_seal(secret, b'session', body))}"


def read_session(secret: bytes, text: str, now: datetime) -> SignedSession | None:
    """Return the session of a cookie; None where it was changed or has run out."""
    if len(text) > MAX_COOKIE or not text.isascii() or text.count(".") != 1:
        return None
    try:
        body, seal = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split("."))
    except (binascii.Error, ValueError):
        return None
    if not hmac.compare_digest(seal, _seal(secret, b"session", body)):
        return None
    key_id, begun, _ = json.loads(body)
    if not 0 <= now.timestamp() - begun < LASTS.total_seconds():
        return None
    return SignedSession(int(key_id), text)


def csrf_token(secret: bytes, session: str) -> str:
    """Return what forms of a session carry, so that no other site can send them; `session` is its cookie's text."""
    return _text(_seal(secret, b"csrf", session.encode()))


def good_csrf_token(secret: bytes, session: str, token: str) -> bool:
    """Return whether a token is that of a session."""
    return hmac.compare_digest(csrf_token(secret, session).encode(), token.encode("utf-8", "replace"))


def _seal(secret: bytes, purpose: bytes, body: bytes) -> bytes:
    return hmac.new(secret, purpose + b"\0" + body, hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")

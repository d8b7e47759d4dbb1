"""API keys: who may ask the server for what. A key is shown once, when it is made; only its hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args

from sqlalchemy import Connection, delete, insert, select, update

from tagtower.errors import ConflictError, InputError, NotFoundError
from tagtower.library.schema import api_keys, facts
from tagtower.storage.rows import shorten, text_fault

Role: TypeAlias = Literal["terminal", "editor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""From the least to the most: each may all that those before it may."""

PREFIX = "tt_"
SECRET_BYTES = 32
MAX_KEY_NAME = 100
SESSIONS, ENDED = "session_secret", "ended_session:"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is known afterwards: without the key itself."""

    id: int
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "id": self.id,
            "name": self.name,
            "role": self.role,
            "created": self.created_at.isoformat(),
            "revoked": None if self.revoked_at is None else self.revoked_at.isoformat(),
        }


def create_key(connection: Connection, name: str, role: Role, *, at: datetime) -> tuple[ApiKey, str]:
    """Make a key and return it with its text, which cannot be had again.

    Raises:
        InputError: the name is blank, too long, or holds characters that cannot be kept.
        ConflictError: a key has this name, or had it before it was revoked.
    """
    fault = text_fault(name)
    if fault is None and not name.strip():
        fault = "is blank"
    if fault is None and (len(name) > MAX_KEY_NAME or not name.isprintable()):
        fault = f"has more than {MAX_KEY_NAME} characters, or some that cannot be seen"
    if fault is not None:
        raise InputError(f"The name {shorten(name)} of a key {fault}.", hint="Give a short name.")
    name = name.strip()
    if connection.scalar(select(api_keys.c.id).where(api_keys.c.name == name)) is not None:
        raise ConflictError(
            f"There is, or was, a key {name!r}.",
            hint="Give another name: what is written under a name stays somebody's.",
        )
    text = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    values = {"name": name, "role": role, "hash": hash_key(text), "created_at": at}
    made = connection.execute(insert(api_keys).values(values)).inserted_primary_key
    assert made is not None
    return ApiKey(made[0], name, role, at, None), text


def find_key(connection: Connection, text: str) -> ApiKey | None:
    """Return the key with this text; None where there is none, or it was revoked."""
    digest = hash_key(text)
    row = connection.execute(select(api_keys).where(api_keys.c.hash == digest)).first()
    if row is None or row.revoked_at is not None or not hmac.compare_digest(row.hash, digest):
        return None
    return _key(row)


def key_by_id(connection: Connection, key_id: int) -> ApiKey | None:
    """Return the key with this number; None where there is none, or it was revoked."""
    row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).first()
    return None if row is None or row.revoked_at is not None else _key(row)


def list_keys(connection: Connection) -> list[ApiKey]:
    """Return every key, revoked ones too, in the order in which they were made."""
    return [_key(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.id))]


def any_key(connection: Connection) -> bool:
    """Return whether a key was ever made: revoking the last one opens nothing."""
    return connection.scalar(select(api_keys.c.id).limit(1)) is not None


def revoke_key(connection: Connection, name: str, *, at: datetime) -> ApiKey:
    """Let a key open nothing any more, from this moment on; a key that was revoked stays as it is.

    Raises:
        NotFoundError: there is no such key.
    """
    row = connection.execute(select(api_keys).where(api_keys.c.name == name)).first()
    if row is None:
        raise NotFoundError(
            f"There is no key {shorten(name)}.", hint="List keys with: tagtower keys HOME list"
        )
    if row.revoked_at is None:
        connection.execute(update(api_keys).where(api_keys.c.id == row.id).values(revoked_at=at))
    return ApiKey(row.id, row.name, row.role, row.created_at, row.revoked_at or at)


def session_secret(connection: Connection) -> bytes:
    """Return what signs the console's sessions: made when it is first wanted, the same for every server."""
    found = connection.scalar(select(facts.c.value).where(facts.c.name == SESSIONS))
    if found is None:
        found = secrets.token_hex(SECRET_BYTES)
        connection.execute(insert(facts).values(name=SESSIONS, value=found))
    return bytes.fromhex(str(found))


def end_session(connection: Connection, text: str, *, at: datetime, before: datetime) -> None:
    """Let a session be none any more; ends of sessions from before `before`, which have run out, are forgotten."""
    rows = connection.execute(select(facts.c.name, facts.c.value).where(facts.c.name.like(f"{ENDED}%"))).all()
    old = [row.name for row in rows if str(row.value) < before.isoformat()]
    connection.execute(delete(facts).where(facts.c.name.in_(old)))
    if not session_ended(connection, text):
        connection.execute(insert(facts).values(name=_ended(text), value=at.isoformat()))


def session_ended(connection: Connection, text: str) -> bool:
    """Return whether a session was ended by its owner."""
    return connection.scalar(select(facts.c.name).where(facts.c.name == _ended(text))) is not None


def hash_key(text: str) -> str:
    """Return the hash by which a key is found. A key is 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _ended(session: str) -> str:
    return ENDED + hash_key(session)[:32]


def _key(row: Any) -> ApiKey:
    return ApiKey(row.id, row.name, row.role, row.created_at, row.revoked_at)

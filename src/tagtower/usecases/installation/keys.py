"""Making, listing and revoking the keys of a server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tagtower.errors import UsageError
from tagtower.library import keys
from tagtower.library.keys import ROLES, ApiKey, Role
from tagtower.storage.rows import shorten
from tagtower.usecases.installation.home import Installation


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, with its text, which is told only now."""

    key: ApiKey
    text: str

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {**self.key.to_json(), "key": self.text}


def create(installation: Installation, name: str, role: Role) -> NewKey:
    """Make a key.

    Raises:
        InputError, ConflictError: the name can be none; it is taken.
    """
    with installation.database.write() as connection:
        return NewKey(*keys.create_key(connection, name, role, at=installation.clock()))


def list_all(installation: Installation) -> list[ApiKey]:
    """Return every key, the oldest first."""
    with installation.database.read() as connection:
        return keys.list_keys(connection)


def revoke(installation: Installation, name: str) -> ApiKey:
    """Let a key open nothing any more.

    Raises:
        NotFoundError: there is none with this name.
    """
    with installation.database.write() as connection:
        return keys.revoke_key(connection, name, at=installation.clock())


def by_text(installation: Installation, text: str) -> ApiKey | None:
    """Return the key with this text, None where it opens nothing."""
    with installation.database.read() as connection:
        return keys.find_key(connection, text)


def any_made(installation: Installation) -> bool:
    """Return whether a key was ever made."""
    with installation.database.read() as connection:
        return keys.any_key(connection)


def session_secret(installation: Installation) -> bytes:
    """Return what signs the console's sessions."""
    with installation.database.write() as connection:
        return keys.session_secret(connection)


def end_session(installation: Installation, text: str, lasts: timedelta) -> None:
    """Let a session be none any more, on every server of the installation; none is older than `lasts`."""
    with installation.database.write() as connection:
        now = installation.clock()
        keys.end_session(connection, text, at=now, before=now - lasts)


def by_session(installation: Installation, text: str, key_id: int) -> ApiKey | None:
    """Return the key that a session was opened with; None where one of them opens nothing any more."""
    with installation.database.read() as connection:
        return None if keys.session_ended(connection, text) else keys.key_by_id(connection, key_id)


def parse_role(text: str) -> Role:
    """Return a role by its name.

    Raises:
        UsageError: there is no such role.
    """
    for role in ROLES:
        if role == text:
            return role
    raise UsageError(f"There is no role {shorten(text)}.", hint=f"Give one of: {', '.join(ROLES)}.")

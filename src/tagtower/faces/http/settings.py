"""How a server may be reached, and what it accepts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from tagtower.config.installation import ServingSettings

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", "::1")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a server may be reached, and what it accepts.

    Without keys it serves whoever reaches it, if `host` is this machine's own; then `hosts` are the names by which it
    may be called, so that no page of another site can make itself its name. `media_folders` are where media may lie
    that are handed in by URI; without any, none are. Rates are requests by one principal.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    hosts: tuple[str, ...] = ()
    secure: bool = False  # cookies only over TLS
    media_folders: tuple[Path, ...] = ()
    max_upload_bytes: int = 64 * 1024**3
    max_import_bytes: int = 64 * 1024**2
    max_body_bytes: int = 1024**2
    patience_seconds: float = 30.0  # without a byte of a body, or behind the slowest rate
    slowest_bytes_per_second: float = 1024.0
    requests_per_second: float = 50.0
    requests_burst: int = 200
    refusals_per_minute: int = 20
    upload_hours: float = 24.0
    reply_hours: float = 24.0

    @classmethod
    def of(cls, given: ServingSettings) -> ServerSettings:
        """Return the settings of an installation as the server takes them."""
        return cls(
            host=given.host,
            port=given.port,
            hosts=tuple(name.lower() for name in given.public_hosts),
            secure=given.secure,
            media_folders=tuple(Path(folder).resolve() for folder in given.media_folders),
            max_upload_bytes=given.max_upload_bytes,
            patience_seconds=given.patience_seconds,
            requests_per_second=given.requests_per_second,
            requests_burst=given.requests_burst,
            upload_hours=given.upload_hours,
        )

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches the server."""
        return is_loopback(self.host)

    def called(self, host: str) -> bool:
        """Return whether a `Host` header names this server."""
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if self.hosts:
            return name.lower() in self.hosts
        return not self.loopback or name.lower() in (*LOCAL_HOSTS, self.host.lower())


def is_loopback(host: str) -> bool:
    """Return whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"

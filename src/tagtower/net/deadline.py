"""Connections that end at a moment, however slowly the other side talks: each wait is cut to the time that is left."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any, final

from tagtower.errors import FetchError


@final
class Deadline:
    """A moment on the clock that never goes back."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            FetchError: there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise FetchError(
                f"It took longer than {self.seconds:g} s.", hint="Look whether the server is overloaded."
            )
        return left


@final
class TimedConnection(http.client.HTTPConnection):
    """An HTTP(S) connection to one of some addresses, whatever the host's name; certificates are the name's."""

    def __init__(
        self, host: str, port: int, addresses: Sequence[str], deadline: Deadline, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(host, port)
        self._addresses = addresses
        self._deadline = deadline
        self._tls = tls
        self.default_port = 443 if tls else 80  # so that the Host header names another port only

    def connect(self) -> None:
        """Connect to the first address that answers."""
        faults: list[OSError] = []
        for address in self._addresses:
            try:
                plain = socket.create_connection((address, self.port), timeout=self._deadline.left())
                break
            except OSError as fault:
                faults.append(fault)
        else:
            raise faults[-1]
        try:
            plain.settimeout(self._deadline.left())
            wrapped = self._tls.wrap_socket(plain, server_hostname=self.host) if self._tls else plain
        except BaseException:
            plain.close()
            raise
        self.sock = _TimedSocket(wrapped, self._deadline)


@final
class _TimedSocket:
    """As much of a socket as http.client uses; once it is read from, closing is up to the reader, as with sockets."""

    def __init__(self, plain: socket.socket, deadline: Deadline) -> None:
        self._plain = plain
        self._deadline = deadline
        self._handed_on = False

    def sendall(self, data: Any) -> None:
        self._plain.settimeout(self._deadline.left())
        self._plain.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        self._handed_on = True
        return io.BufferedReader(_TimedReader(self._plain, self._deadline))

    def close(self) -> None:
        if not self._handed_on:
            self._plain.close()


@final
class _TimedReader(io.RawIOBase):
    """The bytes that a socket receives, until the deadline."""

    def __init__(self, plain: socket.socket, deadline: Deadline) -> None:
        self._plain = plain
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._plain.settimeout(self._deadline.left())
        return self._plain.recv_into(buffer)

    def close(self) -> None:
        if not self.closed:
            self._plain.close()
        super().close()

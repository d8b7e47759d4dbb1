"""Sending one message over HTTP(S): bounded in time, to where it may go, never redirected."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from importlib.metadata import version
from urllib.parse import quote, urlunsplit

from tagtower.errors import FetchError
from tagtower.net.address import Resolve, checked_addresses
from tagtower.net.deadline import Deadline, TimedConnection
from tagtower.net.fetch import FetchLimits, check_url


def send(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float = 10.0,
    allow_private: bool = False,
    resolve: Resolve | None = None,
) -> int:
    """Post a body and return the status of the answer, which is not read.

    Raises:
        FetchError: the address is none that may be sent to, or it cannot be reached in time.
    """
    parts = check_url(url, FetchLimits(allow_private=allow_private))
    host = (parts.hostname or "").encode("idna").decode("ascii")
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    deadline = Deadline(seconds)
    addresses = checked_addresses(host, port, deadline.left(), allow_private=allow_private, resolve=resolve)
    tls = ssl.create_default_context() if secure else None
    connection = TimedConnection(host, port, addresses, deadline, tls)
    target = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe="/%:=&?~+!$,;'@()*[]")
    own = {"User-Agent": f"TagTower/{version('tagtower')}", "Connection": "close"}
    try:
        connection.request("POST", target, body, {**own, **headers})
        return connection.getresponse().status
    except TimeoutError:
        raise FetchError(
            f"{parts.hostname} took longer than {seconds:g} s.", hint="Look whether it is overloaded."
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or type(fault).__name__
        raise FetchError(
            f"{parts.hostname} cannot be reached: {reason}.", hint="Check that it runs."
        ) from None
    finally:
        connection.close()

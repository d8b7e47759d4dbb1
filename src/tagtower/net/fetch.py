"""Fetching one resource over HTTP(S), or a file on request: bounded in bytes, in time, in redirects, and in where to.

Every redirect is judged like the first address. What is compressed is bounded by what comes out of it.
"""

from __future__ import annotations

import http.client
import ssl
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit, urlunsplit

from tagtower.errors import FetchError
from tagtower.net.address import Resolve, checked_addresses
from tagtower.net.deadline import Deadline, TimedConnection

MAX_REDIRECTS = 5
MAX_URL_CHARACTERS = 2000
CHUNK = 64 * 1024
REDIRECTS = frozenset({301, 302, 303, 307, 308})
WELL_KNOWN_PORTS = frozenset({80, 443})
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """How much is fetched at most, how long it may take altogether, and from where.

    `allow_private` also allows this machine and private networks, and any port; `allow_files` allows `file:` URLs.
    """

    max_bytes: int = 5 * 1024 * 1024
    seconds: float = 20.0
    allow_private: bool = False
    allow_files: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched, and from where in the end. `unchanged` says that the server has nothing newer than was known.

    `cut` says that there was more than `max_bytes`. `etag` and `modified` are to be given the next time.
    """

    url: str
    body: bytes
    content_type: str
    unchanged: bool = False
    cut: bool = False
    etag: str | None = None
    modified: str | None = None


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """Where a server says that something is."""

    location: str


def fetch(
    url: str,
    limits: FetchLimits,
    *,
    etag: str | None = None,
    modified: str | None = None,
    accept: str = "*/*",
    resolve: Resolve | None = None,
) -> Fetched:
    """Return what is at `url`.

    Args:
        etag: what the server called the state that is known.
        modified: when that changed, in the server's words.
        resolve: asks for the addresses of hosts; default the system.
    Raises:
        FetchError: the URL is none that may be fetched, the server cannot be reached, answers with an error, redirects
            in circles, or the deadline has passed.
    """
    parts = check_url(url, limits)
    if parts.scheme == "file":
        return _read_file(url, parts, limits)
    headers = {
        "User-Agent": f"TagTower/{version('tagtower')}",
        "Accept": accept,
        "Accept-Encoding": "gzip",
        "Connection": "close",
    }
    known = {"If-None-Match": etag, "If-Modified-Since": modified}
    headers.update({name: value for name, value in known.items() if value and _sound(value)})
    return visit(url, headers, limits.seconds, _answer, judge=lambda host: limits, resolve=resolve)


def visit(
    url: str,
    headers: Mapping[str, str],
    seconds: float,
    take: Callable[[str, http.client.HTTPResponse, FetchLimits], T],
    *,
    judge: Callable[[str], FetchLimits],
    resolve: Resolve | None = None,
) -> T:
    """Ask for `url`, follow redirects, and return what `take` makes of the answer, all of it within `seconds`.

    Args:
        take: is given the address in the end, the answer, and the limits of its host.
        judge: says for every host on the way how much may be fetched from it, or raises a FetchError.
    Raises:
        FetchError: an address on the way may not be asked, or the server cannot be reached in time.
    """
    deadline = Deadline(seconds)
    target, redirected = url, False
    for _ in range(MAX_REDIRECTS + 1):
        host = check_url(target, FetchLimits(allow_private=True), redirected=redirected).hostname
        limits = judge(host or "")
        parts = check_url(target, limits, redirected=redirected)
        answer = _ask(parts, headers, limits, deadline, resolve, take)
        if not isinstance(answer, _Elsewhere):
            return answer
        target, redirected = _next(parts, answer.location), True
    raise FetchError(
        f"{url} redirects more than {MAX_REDIRECTS} times.", hint="Give the address where it ends."
    )


def check_url(url: str, limits: FetchLimits, *, redirected: bool = False) -> SplitResult:
    """Return the parts of a URL that may be fetched, as far as can be told without asking.

    Raises:
        FetchError: it may not be, or is none.
    """
    shown = url if len(url) <= 200 else f"{url[:197]}..."
    if len(url) > MAX_URL_CHARACTERS or not url.isprintable():
        raise FetchError(f"{shown!r} is no address that is fetched.", hint="Give a plain http or https URL.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        ascii_host = None if host is None else _ascii(host)
    except (ValueError, UnicodeError):
        raise FetchError(f"{shown!r} is no URL.", hint="Give a plain http or https URL.") from None
    if parts.scheme == "file" and limits.allow_files and not redirected:
        return parts
    if parts.scheme not in ("http", "https"):
        raise FetchError(
            f"{shown!r} is no http or https address.",
            hint="Only these are fetched, and files that a person names.",
        )
    if not ascii_host:
        raise FetchError(f"{shown!r} names no host.", hint="Give a plain http or https URL.")
    if parts.username is not None or parts.password is not None:
        raise FetchError(
            f"The address at {host} holds a user or a password, which would be stored and shown.",
            hint="Give an address that needs none.",
        )
    if port is not None and not limits.allow_private and port < 1024 and port not in WELL_KNOWN_PORTS:
        raise FetchError(
            f"{shown!r}: port {port} is one of other services.", hint="Use 80, 443, or a port from 1024 on."
        )
    return parts


def _next(parts: SplitResult, location: str) -> str:
    try:
        return urljoin(urlunsplit(parts), location)
    except ValueError:
        raise FetchError(
            f"{parts.hostname} redirects to {location[:100]!r}, which is no URL.",
            hint="Give the address where it ends.",
        ) from None


def _ask(
    parts: SplitResult,
    headers: Mapping[str, str],
    limits: FetchLimits,
    deadline: Deadline,
    resolve: Resolve | None,
    take: Callable[[str, http.client.HTTPResponse, FetchLimits], T],
) -> T | _Elsewhere:
    """Return what one server answers, or where it redirects to."""
    host = _ascii(parts.hostname or "")
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    addresses = checked_addresses(
        host, port, deadline.left(), allow_private=limits.allow_private, resolve=resolve
    )
    tls = ssl.create_default_context() if secure else None
    target = quote(urlunsplit(("", "", parts.path or "/", parts.query, "")), safe="/%:=&?~+!$,;'@()*[]")
    connection = TimedConnection(host, port, addresses, deadline, tls)
    shown = urlunsplit(parts)
    response: http.client.HTTPResponse | None = None
    try:
        connection.request("GET", target, headers=dict(headers))
        response = connection.getresponse()
        if response.status in REDIRECTS and response.headers.get("Location"):
            return _Elsewhere(str(response.headers["Location"]))
        return take(shown, response, limits)
    except ssl.SSLCertVerificationError as fault:
        raise FetchError(
            f"{host} cannot prove that it is {host}: {fault.verify_message}.",
            hint="Its certificate has to be renewed there.",
        ) from None
    except TimeoutError:
        raise FetchError(
            f"{shown} took longer than {deadline.seconds:g} s.", hint="Look whether the server is overloaded."
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
        raise FetchError(
            f"{shown} cannot be fetched: {reason}.", hint="Check that the server runs."
        ) from None
    finally:
        if response is not None:
            response.close()
        connection.close()


def _answer(url: str, response: http.client.HTTPResponse, limits: FetchLimits) -> Fetched:
    etag, modified = (_header(response, name) for name in ("ETag", "Last-Modified"))
    if response.status == 304:
        return Fetched(url, b"", "", unchanged=True, etag=etag, modified=modified)
    check_status(url, response)
    body, cut = bytearray(), False
    for some in decoded(url, response):
        body += some
        if len(body) > limits.max_bytes:
            del body[limits.max_bytes :]
            cut = True
            break
    return Fetched(
        url, bytes(body), response.headers.get("Content-Type", ""), cut=cut, etag=etag, modified=modified
    )


def check_status(url: str, response: http.client.HTTPResponse) -> None:
    """Return if an answer is a success.

    Raises:
        FetchError: it is not.
    """
    if response.status != 200:
        reason = f" ({response.reason})" if response.reason and response.reason.isprintable() else ""
        raise FetchError(
            f"{url} answers with status {response.status}{reason[:100]}.", hint="Look at it in a browser."
        )


def decoded(url: str, response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the body in pieces of bounded size, decompressed."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        while some := response.read1(CHUNK):
            yield some
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise FetchError(
            f"{url} is compressed as {encoding[:40]!r}, which was not asked for.",
            hint="Only gzip is asked for; deflate is read as well.",
        )
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its head
    try:
        while some := response.read1(CHUNK):
            while some:
                out = inflate.decompress(some, CHUNK)
                if out:
                    yield out
                some = inflate.unconsumed_tail
            if inflate.eof:
                return
        yield inflate.flush()
    except zlib.error as fault:
        raise FetchError(f"{url} is no sound {encoding}: {fault}.", hint="Look at it in a browser.") from None


def _read_file(url: str, parts: SplitResult, limits: FetchLimits) -> Fetched:
    if parts.netloc not in ("", "localhost"):
        raise FetchError(f"{url!r} is a file of another machine.", hint="Give file:///path/to/file.")
    path = Path(unquote(parts.path))
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise FetchError(f"{path} is no regular file.", hint="Give the path of a file.")
        with path.open("rb") as stream:
            body = stream.read(limits.max_bytes + 1)
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise FetchError(f"{path} cannot be read: {reason}.", hint="Check the path.") from None
    modified = f"{found.st_mtime_ns}-{found.st_size}"
    cut = len(body) > limits.max_bytes
    return Fetched(url, body[: limits.max_bytes], "", cut=cut, modified=modified)


def _header(response: http.client.HTTPResponse, name: str) -> str | None:
    value = response.headers.get(name)
    return value if value is not None and _sound(value) else None


def _sound(value: str) -> bool:
    """Whether a header's value can be kept and sent back."""
    return len(value) <= 500 and value.isascii() and value.isprintable()


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode("ascii")

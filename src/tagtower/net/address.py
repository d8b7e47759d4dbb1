"""Which addresses may be connected to: those of the public internet, and private ones only on request.

A name is resolved once, every address that it has is judged, and the connection goes to an address that was judged;
so a name that answers differently the next time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tagtower.errors import FetchError

IP: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int, float], Sequence[str]]
"""Gives the addresses of a host; further arguments are the port and the seconds that it may take."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SPECIAL_V4_IN_V6 = (_NAT64, ipaddress.ip_network("64:ff9b:1::/48"))


def checked_addresses(
    host: str, port: int, seconds: float, *, allow_private: bool = False, resolve: Resolve | None = None
) -> list[str]:
    """Return the addresses of a host, all of which may be connected to.

    Raises:
        FetchError: one may not be, or the name cannot be resolved.
    """
    addresses = list(dict.fromkeys((resolve or resolve_host)(host, port, seconds)))
    if not addresses:
        raise FetchError(f"{host} has no address.", hint="Check its spelling.")
    for address in addresses:
        fault = address_fault(address, allow_private=allow_private)
        if fault is not None:
            shown = host if host == address else f"{host} ({address})"
            raise FetchError(
                f"{shown} is {fault}.",
                hint="Where the host is to be trusted, a person may allow it: --allow-private for a feed, "
                "fetching.private_hosts for videos."
                if fault in _ALLOWABLE
                else "Such an address is never fetched from.",
            )
    return addresses


def address_fault(address: str, *, allow_private: bool = False) -> str | None:
    """Return why an address may not be connected to, or None if it may.

    Link-local addresses are never allowed: where clouds hand out their secrets.
    """
    try:
        given = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "no address"
    for one in (given, *_hidden(given)):
        fault = _fault(one)
        if fault is not None and not (allow_private and fault in _ALLOWABLE):
            return fault
    return None


def resolve_host(host: str, port: int, seconds: float) -> list[str]:
    """Return the addresses of a host as the system knows them.

    Raises:
        FetchError: there are none, or it took too long.
    """
    found: list[str] = []
    faults: list[OSError | UnicodeError] = []

    def ask() -> None:
        try:
            found.extend(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as fault:
            faults.append(fault)

    # The system's resolver knows no deadline; a thread that hangs in it ends with the program.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise FetchError(f"The name {host} was not resolved in time.", hint="Check the network.")
    if faults:
        reason = getattr(faults[0], "strerror", None) or str(faults[0])
        raise FetchError(
            f"The name {host} cannot be resolved ({reason}).", hint="Check its spelling and the network."
        )
    return found


_LOOPBACK, _PRIVATE = "an address of this machine", "a private address"
_ALLOWABLE = (_LOOPBACK, _PRIVATE)


def _fault(address: IP) -> str | None:
    if address.is_unspecified:
        return "no address of a host"
    if address.is_loopback:
        return _LOOPBACK
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    if isinstance(address, ipaddress.IPv4Address) and address.is_reserved:
        return "a reserved address"
    if address.is_private or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local):
        return _PRIVATE
    if isinstance(address, ipaddress.IPv4Address) and address in _SHARED:
        return _PRIVATE
    if not address.is_global or address.is_reserved:
        return None if any(address in network for network in _SPECIAL_V4_IN_V6) else "a reserved address"
    return None


_SHARED = ipaddress.ip_network("100.64.0.0/10")
"""Between a provider and its customers: neither private nor public by the standard, but never a stranger's."""


def _hidden(address: IP) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour]
    if address.teredo is not None:
        found += list(address.teredo)
    packed = int(address)
    if any(address in network for network in _SPECIAL_V4_IN_V6) or packed >> 32 == 0:
        found.append(ipaddress.IPv4Address(packed & 0xFFFF_FFFF))
    return [one for one in found if one is not None]

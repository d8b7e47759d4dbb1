"""Which addresses may be connected to, in every form in which they may be written."""

from __future__ import annotations

import pytest

from tagtower.errors import FetchError
from tagtower.net.address import address_fault, checked_addresses, resolve_host


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::8.8.8.8"])
def test_public_addresses_may_be_connected_to(address):
    assert address_fault(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.0.9", "10.0.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1", "::1", "fd00::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::", "::127.0.0.1", "fec0::1",
    ],
)  # fmt: skip
def test_private_addresses_may_be_only_on_request(address):
    assert address_fault(address) is not None


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "fd00::1", "::ffff:192.168.0.1"])
def test_private_addresses_are_allowed_on_request(address):
    assert address_fault(address, allow_private=True) is None


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "0.0.0.0",
     "::", "224.0.0.1", "ff02::1", "240.0.0.1", "255.255.255.255", "no address"],
)  # fmt: skip
def test_link_local_multicast_and_reserved_addresses_never_may_be(address):
    assert address_fault(address, allow_private=True) is not None


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "localhost", "0"]
)
def test_a_host_is_judged_by_the_address_that_the_system_takes_it_for(host):
    with pytest.raises(FetchError, match="this machine|no address of a host"):
        checked_addresses(host, 80, 5.0)


def test_a_name_of_which_one_address_is_private_is_refused():
    with pytest.raises(FetchError, match=r"rebind.example \(10.0.0.1\) is a private address"):
        checked_addresses("rebind.example", 80, 5.0, resolve=lambda *_: ["8.8.8.8", "10.0.0.1"])


def test_a_name_that_nobody_has_is_told():
    with pytest.raises(FetchError, match="cannot be resolved"):
        resolve_host("nowhere.invalid", 80, 20.0)
    with pytest.raises(FetchError, match="no address"):
        checked_addresses("empty.example", 80, 5.0, resolve=lambda *_: [])


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch):
    import threading

    never = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [never.wait(10)][:0])
    with pytest.raises(FetchError, match="in time"):
        resolve_host("slow.example", 80, 0.05)
    never.set()

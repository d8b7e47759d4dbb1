"""Fetching a file into a file, from a real server on this machine: whole, hashed, bounded, and from where it may be."""

from __future__ import annotations

import gzip

import pytest

from tagtower.errors import FetchError, StorageError
from tagtower.net.fetch import FetchLimits
from tagtower.net.save import save

HERE = FetchLimits(max_bytes=1_000_000, seconds=5.0, allow_private=True)


def here(host: str) -> FetchLimits:
    return HERE


def test_a_file_is_fetched_whole(server, tmp_path) -> None:
    body = bytes(range(256)) * 3000
    url = server.give("/a.mp4", body, Content_Type="video/mp4")
    found = save(url, tmp_path / "a", judge=here)
    assert (tmp_path / "a").read_bytes() == body
    assert (found.url, found.bytes, found.content_type) == (url, len(body), "video/mp4")


def test_what_is_compressed_on_the_way_is_kept_as_it_was(server, tmp_path) -> None:
    save(server.give("/", gzip.compress(b"frames"), Content_Encoding="gzip"), tmp_path / "a", judge=here)
    assert (tmp_path / "a").read_bytes() == b"frames"


def test_every_host_on_the_way_is_judged(server, tmp_path) -> None:
    asked = []

    def judge(host: str) -> FetchLimits:
        asked.append(host)
        if host != "first.example":
            raise FetchError(f"{host} is none of ours")
        return HERE

    server.give("/", status=302, Location=f"http://second.example:{server.port}/b.mp4")
    with pytest.raises(FetchError, match=r"second\.example is none of ours"):
        save(
            f"http://first.example:{server.port}/",
            tmp_path / "a",
            judge=judge,
            resolve=lambda *_: ["127.0.0.1"],
        )
    assert len(server.asked) == 1
    assert set(asked) == {"first.example", "second.example"}


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "100.64.0.1"]
)
def test_a_public_name_of_a_private_address_is_refused(server, tmp_path, address: str) -> None:
    with pytest.raises(FetchError, match=r"cdn\.example \("):
        save(
            f"http://cdn.example:{server.port}/",
            tmp_path / "a",
            judge=lambda host: FetchLimits(),
            resolve=lambda *_: [address],
        )
    assert server.asked == []


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a.example/x", "http://u:p@a.example/", "/x.mp4"]
)
def test_what_is_no_plain_address_is_refused_before_anybody_is_asked(tmp_path, url: str) -> None:
    with pytest.raises(FetchError):
        save(url, tmp_path / "a", judge=lambda host: HERE, resolve=lambda *_: pytest.fail("asked"))


def test_more_than_may_be_is_refused_announced_or_not(server, tmp_path) -> None:
    announced = server.give("/a", b"x" * (HERE.max_bytes + 1))

    def endless(handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    for url in (announced, server.do("/b", endless)):
        with pytest.raises(FetchError, match="more than the 1,000,000 bytes"):
            save(url, tmp_path / "a", judge=here)


def test_an_answer_that_ends_too_early_is_no_file(server, tmp_path) -> None:
    def short(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"x" * 600)

    with pytest.raises(FetchError, match="ended 400 bytes too early"):
        save(server.do("/", short), tmp_path / "a", judge=here)


def test_a_place_that_cannot_be_written_is_not_the_servers_fault(server, tmp_path) -> None:
    with pytest.raises(StorageError, match="cannot be kept"):
        save(server.give("/", b"x"), tmp_path / "missing" / "a", judge=here)

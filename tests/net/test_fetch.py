"""Fetching from a real server on this machine, which is honest, slow, endless, lying, or redirects in circles."""

from __future__ import annotations

import gzip
import time
import zlib

import pytest

from tagtower.errors import FetchError
from tagtower.net.fetch import FetchLimits, fetch

HERE = FetchLimits(max_bytes=100_000, seconds=5.0, allow_private=True)
SHORT = FetchLimits(max_bytes=100_000, seconds=0.4, allow_private=True)


def test_what_a_server_has_is_fetched_with_its_type_and_state(server):
    url = server.give("/feed?x=ü y", b"hello", Content_Type="text/plain", ETag='"1"', Last_Modified="Mon")
    server.answers["/feed?x=%C3%BC%20y"] = server.answers["/feed?x=ü y"]
    found = fetch(url, HERE)
    assert (found.body, found.content_type, found.etag, found.modified) == (
        b"hello",
        "text/plain",
        '"1"',
        "Mon",
    )
    assert (found.cut, found.unchanged) == (False, False)
    assert server.asked[0][1]["Host"] == f"127.0.0.1:{server.port}"
    assert server.asked[0][1]["User-Agent"].startswith("TagTower/")


def test_what_is_known_already_is_not_sent_again(server):
    url = server.give("/", status=304)
    found = fetch(url, HERE, etag='"1"', modified="Mon")
    assert found.unchanged
    assert server.asked[0][1]["If-None-Match"] == '"1"'
    assert server.asked[0][1]["If-Modified-Since"] == "Mon"


def test_a_state_that_would_break_out_of_its_header_is_not_sent(server):
    url = server.give("/", b"x")
    fetch(url, HERE, etag="a\r\nX-Evil: 1")
    assert "X-Evil" not in server.asked[0][1]
    assert "If-None-Match" not in server.asked[0][1]


@pytest.mark.parametrize("status", [204, 400, 404, 500, 503])
def test_a_status_that_is_no_success_is_an_error(server, status):
    with pytest.raises(FetchError, match=str(status)):
        fetch(server.give("/", b"x", status=status), HERE)


def test_a_server_that_does_not_run_is_told(free_port):
    with pytest.raises(FetchError, match="cannot be fetched"):
        fetch(f"http://127.0.0.1:{free_port}/", HERE)


# --- where to ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "", "no url", "ftp://example.com/", "file:///etc/passwd", "javascript:alert(1)", "gopher://127.0.0.1/",
        "http://", "http:///path", "http://[::1", "http://a:b@example.com/", "http://example.com@127.0.0.1/",
        "http://127.0.0.1\\@example.com/", "http://example.com:22/", "http://example.com:99999/",
        "http://example.com/\r\nX: 1", "http://exa\tmple.com/", "data:text/plain,x", "http://" + "a" * 3000,
        "//example.com/",
    ],
)  # fmt: skip
def test_what_is_no_plain_http_address_is_refused_before_anything_is_asked(url):
    def resolve(*_):
        raise AssertionError("nobody was to be asked")

    with pytest.raises(FetchError):
        fetch(url, FetchLimits(), resolve=resolve)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0x7f.1",
        "2130706433",
        "localhost",
        "127。0。0。1",
        "①②⑦.0.0.1",
    ],
)
def test_this_machine_is_not_fetched_from_unless_it_is_allowed(server, host):
    with pytest.raises(FetchError, match="this machine|private"):
        fetch(f"http://{host}:{server.port}/", FetchLimits())
    assert server.asked == []


def test_the_connection_goes_to_the_address_that_was_judged(server):
    asked = []

    def resolve(host, port, seconds):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    server.give("/", b"x")
    found = fetch(f"http://rebind.example:{server.port}/", HERE, resolve=resolve)
    assert (found.body, asked) == (b"x", ["rebind.example"])
    assert server.asked[0][1]["Host"] == f"rebind.example:{server.port}"


def test_a_second_address_is_tried_where_the_first_does_not_answer(server):
    server.give("/", b"x")
    found = fetch(f"http://two.example:{server.port}/", HERE, resolve=lambda *_: ["127.0.0.2", "127.0.0.1"])
    assert found.body == b"x"


def test_a_redirect_is_followed_and_its_end_is_told(server):
    server.give("/old", status=301, Location="/new")
    server.give("/new", b"x")
    found = fetch(server.url("/old"), HERE)
    assert (found.url, found.body) == (server.url("/new"), b"x")


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest", "http://10.0.0.1/", "file:///etc/passwd", "http://u:p@example.com/",
                 "http://[::1", "ftp://example.com/"]
)  # fmt: skip
def test_every_redirect_is_judged_like_the_first_address(server, location):
    server.give("/", status=302, Location=location)
    limits = FetchLimits(allow_files=True)
    url = f"http://public.example:{server.port}/"

    def resolve(host, *_):
        return ["93.184.216.34"] if host == "public.example" else [host]

    import tagtower.net.deadline as deadline

    original = deadline.socket.create_connection
    deadline.socket.create_connection = lambda address, **more: original(("127.0.0.1", server.port), **more)
    try:
        with pytest.raises(FetchError):
            fetch(url, limits, resolve=resolve)
    finally:
        deadline.socket.create_connection = original
    assert len(server.asked) == 1


def test_redirects_come_to_an_end(server):
    server.give("/", status=302, Location="/")
    with pytest.raises(FetchError, match="more than 5 times"):
        fetch(server.url(), HERE)
    assert len(server.asked) == 6


# --- how much and how long ---------------------------------------------------------------------------------------


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"<item>" * 1000)


def test_an_endless_answer_is_cut(server):
    found = fetch(server.do("/", endless), HERE)
    assert found.cut
    assert len(found.body) == HERE.max_bytes


def test_a_bomb_is_cut_at_what_comes_out_of_it(server):
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 100_000
    found = fetch(server.give("/", bomb, Content_Encoding="gzip"), HERE)
    assert (found.cut, len(found.body)) == (True, HERE.max_bytes)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_compressed_answer_is_unpacked(server, pack):
    body = b"".join(b"line %d\n" % number for number in range(8000))
    name = "gzip" if pack is gzip.compress else "deflate"
    assert fetch(server.give("/", pack(body), Content_Encoding=name), HERE).body == body


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"no gzip", "gzip"),
        (b"x", "br"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "gzip, gzip"),
        (b"x", "evil\x00"),
    ],
)
def test_a_compression_that_cannot_be_read_is_an_error(server, body, encoding):
    with pytest.raises(FetchError):
        fetch(server.give("/", body, Content_Encoding=encoding), HERE)


def drip(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)


def drip_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    for _ in range(100):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)


def silence(handler):
    time.sleep(3)


@pytest.mark.parametrize("slowly", [drip, drip_headers, silence])
def test_a_slow_answer_ends_at_the_deadline_however_it_is_slow(server, slowly):
    url = server.do("/", slowly)
    begun = time.monotonic()
    with pytest.raises(FetchError, match=r"longer than 0\.4 s"):
        fetch(url, SHORT)
    assert time.monotonic() - begun < 2.5


@pytest.mark.parametrize(
    "answer",
    [b"", b"no http\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000 + b"\r\n\r\n",
     b"HTTP/1.1 200 OK\r\n" + b"A: 1\r\n" * 500 + b"\r\n",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
)  # fmt: skip
def test_what_is_no_http_is_an_error(server, answer):
    def speak(handler):
        handler.wfile.write(answer)
        handler.wfile.flush()

    with pytest.raises(FetchError):
        fetch(server.do("/", speak), HERE)


# --- files -------------------------------------------------------------------------------------------------------


def test_a_file_is_read_only_where_files_are_allowed(tmp_path):
    path = tmp_path / "a feed.xml"
    path.write_bytes(b"x" * 200_000)
    limits = FetchLimits(max_bytes=100_000, allow_files=True)
    found = fetch(path.as_uri(), limits)
    assert (found.cut, len(found.body)) == (True, 100_000)
    with pytest.raises(FetchError):
        fetch(path.as_uri(), FetchLimits())


@pytest.mark.parametrize(
    "url", ["file:///dev/zero", "file:///no/such/file", "file://other.example/etc/passwd", "file:///"]
)
def test_what_is_no_file_here_is_an_error(url):
    with pytest.raises(FetchError):
        fetch(url, FetchLimits(allow_files=True))

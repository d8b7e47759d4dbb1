"""Feeds as strangers write them: headlines out of each format, and one clear error for what is no feed."""

from __future__ import annotations

import contextlib
import json
import time
from datetime import UTC, datetime

import pytest

from tagtower.errors import FeedError
from tagtower.library.topics.entries import MAX_HEADLINE_CHARACTERS, parse_feed, plain
from tagtower.library.topics.reading import read_feed

RSS = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><language>en-GB</language>
<item><title>Eclipse &amp; &lt;b&gt;tides&lt;/b&gt;</title><guid>1</guid>
<pubDate>Tue, 01 Jan 2030 10:00:00 +0100</pubDate></item>
<item><title>Second</title><link>http://example.com/2</link></item></channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title>
<entry><title type="html">Eclipse</title><id>a</id><updated>2030-01-01T09:00:00Z</updated></entry></feed>"""
WHEN = datetime(2030, 1, 1, 9, tzinfo=UTC)


def headlines(body, kind="auto", content_type=""):
    return [entry.headline for entry in parse_feed(body, kind, content_type, 100).entries]


def test_rss_and_atom_are_read_with_their_language_and_times():
    content = parse_feed(RSS, "auto", "", 100)
    assert [entry.headline for entry in content.entries] == ["Eclipse & tides", "Second"]
    assert (content.language, content.entries[0].published) == ("en-GB", WHEN)
    assert parse_feed(ATOM, "auto", "", 100).entries[0].published == WHEN
    assert content.entries[0].key != content.entries[1].key


@pytest.mark.parametrize(
    "document",
    [
        {"version": "https://jsonfeed.org/version/1.1", "items": [{"title": "Eclipse", "id": "1"}]},
        {"articles": [{"headline": "Eclipse"}]},
        [{"text": "Eclipse"}, {"nothing": 1}, 7, None],
        ["Eclipse", ""],
        {"items": [{"title": None, "content_text": "Eclipse"}]},
    ],
)
def test_json_is_read_in_the_forms_in_which_headlines_come(document):
    assert headlines(json.dumps(document).encode()) == ["Eclipse"]


def test_a_csv_with_a_column_of_headlines_is_read():
    body = '﻿id,Title,published\n1,"Eclipse, at last",2030-01-01T09:00:00\n2,Short\n'.encode()
    content = parse_feed(body, "auto", "text/csv", 100)
    assert [entry.headline for entry in content.entries] == ["Eclipse, at last", "Short"]
    assert content.entries[0].published == WHEN


def test_an_entry_is_the_same_by_what_names_it_whatever_its_headline():
    first = parse_feed(b'[{"id": 1, "title": "a"}]', "json", "", 9).entries[0]
    second = parse_feed(b'[{"id": 1, "title": "a, updated"}]', "json", "", 9).entries[0]
    assert first.key == second.key


def test_only_so_many_entries_are_read_and_headlines_are_cut():
    body = json.dumps(["x" * 10_000_000, "second", "third"]).encode()
    content = parse_feed(body, "auto", "", 2)
    assert [len(entry.headline) for entry in content.entries] == [MAX_HEADLINE_CHARACTERS, 6]
    many = RSS.replace(b"</channel>", b"<item><title>More</title></item>" * 50_000 + b"</channel>")
    assert [entry.headline for entry in parse_feed(many, "auto", "", 3).entries] == [
        "Eclipse & tides",
        "Second",
        "More",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<b>a</b>&nbsp;b\n c", "a b c"),
        ("a\x1b[31mb\u202ec\0", "a [31mb c"),
        ("&lt;script&gt;", "<script>"),
        ("<" * 5000, "<" * 500),
        ("1 < 2 > 1", "1 1"),
    ],
)
def test_a_headline_is_plain_text(text, expected):
    assert plain(text) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\0\0\0", b"hello there\nworld", b"<!DOCTYPE html><html><title>x</title>", b"<rss></rss>", b"<a><b>",
        b"{", b"{}", b"7", b"[]", b"[[[1]]]", b"[" * 100_000, b'{"items": 3}', b"a,b\n1,2", b"\xff\xfe<\0r\0",
        b'[{"title": "' + b"\\u0000" * 10 + b'"}]', b"title\n\n\n",
    ],
    ids=range(17),
)  # fmt: skip
def test_what_is_no_feed_is_one_clear_error(body):
    with pytest.raises(FeedError):
        parse_feed(body, "auto", "", 100)


@pytest.mark.parametrize("moment", [1e300, -1e300, "never", "9" * 200, True, [], {}, "2030-13-01", None])
def test_a_moment_that_is_none_is_no_harm(moment):
    body = json.dumps([{"title": "a", "published": moment}]).encode()
    assert parse_feed(body, "json", "", 9).entries[0].published is None


# --- in a process of its own -------------------------------------------------------------------------------------

LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "lol">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(12))
    + b"]><rss><channel><item><title>&m;</title></item></channel></rss>"
)
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<rss><channel><item><title>x &x; y</title></item></channel></rss>"""


def read(body, kind="auto", seconds=20.0):
    return read_feed(body, kind, "", most=100, seconds=seconds)


def test_a_feed_is_read_in_a_process_of_its_own():
    content = read(RSS)
    assert (content.entries[0].headline, content.entries[0].published) == ("Eclipse & tides", WHEN)
    assert content.language == "en-GB"


def test_a_bomb_of_entities_does_no_harm():
    try:
        content = read(LAUGHS)
    except FeedError:
        return
    assert all(len(entry.headline) <= MAX_HEADLINE_CHARACTERS for entry in content.entries)


def test_an_entity_never_brings_in_a_file():
    try:
        content = read(OUTSIDE)
    except FeedError:
        return
    assert "root:" not in content.entries[0].headline


@pytest.mark.parametrize(
    "body",
    [
        b"<rss><channel><item><title>x</title>" + b"<a>" * 200_000,
        b"<rss><channel><item><title>" + b"<![CDATA[" * 50_000,
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
    ],
    ids=["tags", "sections", "lists", "objects"],
)
def test_what_is_nested_deeply_costs_an_error_at_most(body):
    begun = time.monotonic()
    with contextlib.suppress(FeedError):
        read(body, seconds=10.0)
    assert time.monotonic() - begun < 20


def test_a_feed_that_takes_too_long_to_read_is_given_up():
    with pytest.raises(FeedError, match="longer than"):
        read(RSS, seconds=0.01)


def test_what_looks_like_the_name_of_a_file_is_not_opened(tmp_path):
    secret = tmp_path / "feed.xml"
    secret.write_bytes(RSS)
    for name in (str(secret), secret.as_uri()):
        with pytest.raises(FeedError):
            read(name.encode(), kind="rss")

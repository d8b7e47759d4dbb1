"""Sidecars read back by an XML parser, at the right place, and never over a file of somebody else."""

from __future__ import annotations

import errno
import os
import xml.etree.ElementTree as ET

import pytest

from tagtower.errors import StorageError, UsageError
from tagtower.records import Video
from tagtower.usecases import sidecars
from tagtower.usecases.sidecars import nfo, parse_kinds, sidecar_places, write_sidecars, xmp

HOSTILE = "<b>&\"' \x00\x08\ud800]]>\n日食 \U0001f98a"
READ_BACK = "<b>&\"' ]]> 日食 \U0001f98a"
SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
}


def test_an_nfo_holds_title_and_tags_whatever_they_are():
    movie = ET.fromstring(nfo(HOSTILE, [HOSTILE, "sea"]).encode())
    assert movie.tag == "movie"
    assert movie.findtext("title") == READ_BACK
    assert [tag.text for tag in movie.findall("tag")] == [READ_BACK, "sea"]


def test_an_xmp_packet_holds_the_tags_as_a_bag():
    text = xmp(HOSTILE, [HOSTILE, "sea"])
    assert text.startswith('<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n')
    assert text.endswith('<?xpacket end="w"?>\n')
    packet = ET.fromstring(text.encode())
    assert packet.tag == "{adobe:ns:meta/}xmpmeta"
    description = packet.find("rdf:RDF/rdf:Description", SPACES)
    assert description.get(f"{{{SPACES['rdf']}}}about") == ""
    assert [item.text for item in description.findall("dc:subject/rdf:Bag/rdf:li", SPACES)] == [
        READ_BACK,
        "sea",
    ]
    assert description.findtext("dc:title/rdf:Alt/rdf:li", namespaces=SPACES) == READ_BACK


def test_places_mirror_the_archive_and_two_files_do_not_share_one(tmp_path):
    root, mirror = tmp_path / "archive", tmp_path / "out"
    videos = [
        Video("1", str(root / "x" / "a.mp4")),
        Video("2", str(root / "x" / "a.mkv")),
        Video("3", str(root / ".." / "elsewhere.mp4")),
        Video("4", None, "a title"),
        Video("5", "s3://bucket/a.mp4"),
    ]
    places = sidecar_places(videos, ("nfo", "xmp"), root, mirror)
    assert places == {
        "1": {"nfo": mirror / "x" / "a.nfo", "xmp": mirror / "x" / "a.mp4.xmp"},
        "2": {"nfo": mirror / "x" / "a.mkv.nfo", "xmp": mirror / "x" / "a.mkv.xmp"},
    }
    beside = sidecar_places(videos, ("nfo",), root, None)
    assert beside["3"] == {"nfo": tmp_path / "elsewhere.nfo"}


def test_own_files_are_replaced_and_those_of_others_are_not(tmp_path):
    places = {"nfo": tmp_path / "a.nfo", "xmp": tmp_path / "a.mp4.xmp"}
    (tmp_path / "a.nfo").write_text("<movie><title>mine</title></movie>")
    for tags in (["sea"], ["art"]):
        done = write_sidecars(places, "a", tags)
        assert done == {
            places["nfo"]: "a file that TagTower did not write stands there",
            places["xmp"]: None,
        }
        assert tags[0] in places["xmp"].read_text()
    assert places["nfo"].read_text() == "<movie><title>mine</title></movie>"


def test_links_folders_and_long_names_are_refused(tmp_path):
    (tmp_path / "own.nfo").write_text(nfo("a", []))
    (tmp_path / "a.nfo").symlink_to(tmp_path / "own.nfo")
    (tmp_path / "b.nfo").mkdir()
    (tmp_path / "c.nfo").symlink_to(tmp_path / "nowhere")
    for name in ("a", "b", "c", "n" * 252):
        path = tmp_path / f"{name}.nfo"
        assert write_sidecars({"nfo": path}, "a", ["sea"])[path] is not None
    assert "sea" not in (tmp_path / "own.nfo").read_text()
    assert not (tmp_path / "nowhere").exists()


def test_a_place_that_may_not_be_written_is_refused_but_a_full_disk_ends_the_run(tmp_path, monkeypatch):
    def failing(code):
        def write(path, text):
            raise StorageError("no") from OSError(code, os.strerror(code))

        return write

    path = tmp_path / "a.nfo"
    monkeypatch.setattr(sidecars, "write_text", failing(errno.EACCES))
    assert write_sidecars({"nfo": path}, "a", [])[path] == "its folder may not be written to"
    monkeypatch.setattr(sidecars, "write_text", failing(errno.ENOSPC))
    with pytest.raises(StorageError):
        write_sidecars({"nfo": path}, "a", [])


def test_kinds_as_a_person_types_them():
    assert parse_kinds("both") == ("nfo", "xmp")
    with pytest.raises(UsageError, match="nfo, xmp or both"):
        parse_kinds("json")

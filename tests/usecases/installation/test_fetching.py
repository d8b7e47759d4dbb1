"""Videos that are handed in by their address: from hosts that the installation names, and none else."""

from __future__ import annotations

import hashlib

import pytest

from tagtower.config.installation import FILE, FetchingSettings
from tagtower.errors import FetchError, InputError
from tagtower.records import Problems
from tagtower.usecases.inputs import read_examples
from tagtower.usecases.installation.arrivals import Arrival, take_fetched
from tagtower.usecases.installation.fetching import limits_of
from tagtower.usecases.installation.find import show_video
from tagtower.usecases.installation.home import init, open_installation
from tagtower.usecases.installation.intake import Put, PutSettings, Refused, put_videos


@pytest.fixture
def installation(tmp_path):
    """An installation that fetches from this machine."""
    init(tmp_path / "home", environment={})
    with (tmp_path / "home" / FILE).open("a") as file:
        file.write('[fetching]\nprivate_hosts = ["127.0.0.1"]\n')
    with open_installation(tmp_path / "home", environment={}) as opened:
        yield opened


def test_a_video_is_fetched_kept_and_named_by_its_address(installation, server, job) -> None:
    data = job.clips["red"].read_bytes()
    url = server.give("/archive/red.mp4?x=1", data)
    put = take_fetched(installation, url, Arrival(owner="ann", title="red"), author="ann")
    shown = show_video(installation, put.video_id)
    assert shown.video.content_hash == hashlib.sha256(data).hexdigest()
    assert shown.video.stored
    assert (shown.video.media or "").endswith(".mp4")
    assert [(one.owner, one.name) for one in shown.references] == [("ann", url)]
    assert list((installation.home / "uploads").iterdir()) == []
    again = take_fetched(installation, url, Arrival(owner="ann", title="red"), author="ann")
    assert (again.video_id, again.outcome) == (put.video_id, "known")


def test_what_came_is_held_against_what_was_said(installation, server, job) -> None:
    url = server.give("/red.mp4", job.clips["red"].read_bytes())
    with pytest.raises(InputError, match="another SHA-256"):
        take_fetched(installation, url, Arrival(sha256="0" * 64), author="ann")
    damaged = server.give("/damaged.mp4", job.clips["damaged"].read_bytes())
    with pytest.raises(InputError) as refused:
        take_fetched(installation, damaged, Arrival(), author="ann")
    assert str(installation.home) not in str(refused.value)
    assert list((installation.home / "uploads").iterdir()) == []


def test_addresses_stand_beside_files_and_one_that_fails_stops_none(installation, server, job) -> None:
    good = server.give("/green.mp4", job.clips["green"].read_bytes())
    bad = server.give("/bad.mp4", b"no media")
    inputs = [bad, good, "https://elsewhere.example/a.mp4", str(job.clips["red"])]
    examples = read_examples(inputs, Problems())
    done = list(put_videos(installation, examples, PutSettings()))
    assert [type(one) for one in done] == [Refused, Put, Refused, Put]
    assert bad in str(done[0].error)
    assert "fetching.hosts" in str(done[2].error)
    (referred,) = put_videos(installation, examples[1:2], PutSettings(reference=True))
    assert "--reference" in str(referred.error)


@pytest.mark.parametrize(
    ("host", "hosts", "may"),
    [
        ("cdn.example", ("cdn.example",), True),
        ("CDN.example.", ("cdn.example",), True),
        ("a.cdn.example", ("cdn.example",), False),
        ("a.cdn.example", ("*.cdn.example",), True),
        ("cdn.example", ("*.cdn.example",), False),
        ("evilcdn.example", ("*.cdn.example", "cdn.example"), False),
        ("any.example", ("*",), True),
        ("any.example", (), False),
    ],
)
def test_only_named_hosts_are_fetched_from(host: str, hosts: tuple[str, ...], may: bool) -> None:
    settings = FetchingSettings(hosts=hosts, private_hosts=("nas.local",))
    if may:
        assert not limits_of(settings, host).allow_private
    else:
        with pytest.raises(FetchError, match="not fetched from"):
            limits_of(settings, host)
    assert limits_of(settings, "nas.local").allow_private

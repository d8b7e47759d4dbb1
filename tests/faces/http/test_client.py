"""The client against a listening server: a terminal's day and an editor's, breaks and refusals."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import httpx
import pytest

from tagtower.client import (
    AccessError,
    ApiConflictError,
    ApiInputError,
    ApiNotFoundError,
    AsyncClient,
    BusyError,
    Client,
    LabellingTimeoutError,
    Retry,
    UnreachableError,
    UploadBrokenError,
    UploadMemory,
)
from tagtower.errors import ConflictError, InputError, NotFoundError, UsageError
from tagtower.usecases.installation.worker import run_worker

QUICK = Retry(tries=3, first=0.001, longest=0.01)


class Breaking(httpx.BaseTransport):
    """The network, which breaks where a test wants: `cuts` says after how many bytes of each body it does."""

    def __init__(self, cuts: dict[str, list[int]]) -> None:
        self.cuts = cuts
        self.sent: list[tuple[str, int]] = []
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        cuts = self.cuts.get(request.method, [])
        if request.method == "PATCH" and cuts:
            request = self._cut(request, cuts.pop(0))
        self.sent.append((request.method, int(request.headers.get("Upload-Offset", 0))))
        response = self._inner.handle_request(request)
        if request.method == "GET" and cuts and "media" in request.url.path:
            response = httpx.Response(
                response.status_code, headers=response.headers, stream=_Short(response.stream, cuts.pop(0))
            )
        return response

    def _cut(self, request: httpx.Request, after: int) -> httpx.Request:
        def some():
            left = after
            for block in request.stream:
                yield block[:left]
                left -= len(block)
                if left <= 0:
                    raise httpx.WriteError("the cable was pulled")

        return httpx.Request(request.method, request.url, headers=request.headers, content=some())

    def close(self) -> None:
        self._inner.close()


class _Short(httpx.SyncByteStream):
    def __init__(self, stream, most: int) -> None:
        self._stream = stream
        self._most = most

    def __iter__(self):
        left = self._most
        for block in self._stream:
            yield block[:left]
            left -= len(block)
            if left <= 0:
                raise httpx.ReadError("the cable was pulled")

    def close(self) -> None:
        self._stream.close()


@pytest.fixture
def client(live):
    with Client(live.url, live.keys["admin"], retry=QUICK) as made:
        yield made


@pytest.fixture
def terminal(live):
    with Client(live.url, live.keys["terminal"], retry=QUICK) as made:
        yield made


@pytest.fixture
def clip(job, tmp_path) -> Path:
    """A clip that the server does not have: bytes after the end of a file change its hash, not its pictures."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(job.clips["blue-high"].read_bytes() + b"\0\0\0\x10free" + bytes(8))
    return path


def test_a_terminals_day(live, terminal, clip, tmp_path) -> None:
    told: list[tuple[int, int]] = []
    sent = terminal.videos.send(
        clip, title="a song", name="day", progress=lambda at, of: told.append((at, of))
    )
    size = clip.stat().st_size
    assert (sent.outcome, told[-1]) == ("new", (size, size))
    assert terminal.videos.send(clip, name="day").outcome == "known"
    with pytest.raises(LabellingTimeoutError):
        terminal.videos.wait(sent.id, seconds=0.0)
    run_worker(live.installation, once=True)
    video = terminal.videos.wait(sent.id, seconds=10.0)
    assert (video.title, video.shelf, video.references[0].owner) == ("a song", "labelled", "terminal")
    assert video.content_hash == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert video.etag
    assert sent.id in {one.id for one in terminal.videos.search(words="song")}
    tag = video.tags[0]
    assert tag.evidence is not None
    assert sent.id in {one.id for one in terminal.videos.search(tags=[tag.tag])}
    near = terminal.videos.page(similar=sent.id, limit=1)
    assert near.videos[0].distance is not None
    copy = terminal.videos.download(sent.id, tmp_path / "copy.mp4")
    assert copy.read_bytes() == clip.read_bytes()
    assert terminal.videos.thumbnail(sent.id)[:2] == b"\xff\xd8"
    assert terminal.videos.strip(sent.id)[:2] == b"\xff\xd8"
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_a_list_is_read_page_by_page_to_its_end(terminal) -> None:
    every = [one.id for one in terminal.videos.search(page=1)]
    assert every == [one.id for one in terminal.videos.search()]
    assert len(every) >= 3


def test_an_editors_day(client, live) -> None:
    with Client(live.url, live.keys["editor"], retry=QUICK) as editor:
        video = editor.videos.get(1)
        said = editor.videos.judge(1, [("red", "add"), ("blue", "reject")], etag=video.etag)
        assert [one.verdict for one in said.verdicts] == ["add", "reject"]
        assert {one.tag for one in said.video.verdicts} == {"red", "blue"}
        with pytest.raises(ApiConflictError) as stale:
            editor.videos.judge(1, [("red", "accept")], etag=video.etag)
        assert isinstance(stale.value, ConflictError)
        assert stale.value.hint
        made = editor.tags.add("sea", aliases=["ocean"], groups=["water"])
        tag = made.tags[0].after
        assert tag is not None
        assert (made.etag, tag.aliases, tag.groups) == (f'"v{tag.version}"', ("ocean",), ("water",))
        assert editor.tags.look_up("Ocean").tag.id == tag.id
        renamed = editor.tags.rename(tag.id, "the sea", etag=made.etag)
        assert renamed.tags[0].after is not None
        assert editor.tags.rename(tag.id, "other", dry_run=True).dry_run
        assert {one.text for one in editor.tags.search("sea", page=1)} == {"the sea"}
        assert [one.name for one in editor.tags.groups()] == ["water"]
        undone = editor.tags.undo(renamed.version or 0)
        assert undone.changed
        change = editor.tags.change(renamed.version or 0)
        assert (change.undone_by, change.tags[0].id) == (undone.version, tag.id)
        assert next(editor.tags.changes(page=1)).version == undone.version
        editor.tags.expire(tag.id, None)
        editor.tags.describe(tag.id, "salt water", language="en")
        assert editor.tags.preview("a walk in the sea").videos >= 3
        assert editor.tags.get(tag.id).tag.text == "sea"
        with pytest.raises(AccessError, match="role admin"):
            editor.models.promote("first")


def test_tags_are_imported_from_a_file(client, tmp_path) -> None:
    (tmp_path / "tags.jsonl").write_text('{"tag": "moon", "aliases": ["luna"]}\n{"tag": 3}\n')
    found = client.tags.import_file(tmp_path / "tags.jsonl")
    assert (found.made, found.refused) == (1, 1)
    assert found.problems[0].where.startswith("upload.jsonl")


def test_tags_are_recommended_for_words_and_files(terminal, job) -> None:
    found = terminal.recommend.words("music and a walk", top_k=2)
    assert (len(found.tags), found.tags[0].rank, found.tags[0].evidence) == (2, 1, None)
    file = terminal.recommend.file(job.clips["green"], evidence=True)
    assert file.modalities
    assert file.tags[0].evidence is not None
    many = terminal.recommend.batch([{"title": "music"}, {}])
    assert many[0].tags
    assert many[1].error is not None
    with pytest.raises(ApiInputError) as refused:
        terminal.recommend.file(job.clips["damaged"])
    assert isinstance(refused.value, InputError)


def test_what_runs_is_operated(client) -> None:
    assert client.state.ready().ready
    client.state.alive()
    (model,) = client.models.list()
    assert client.models.get("first") == model
    feed = client.feeds.add("https://news.example/rss", every_seconds=3600)
    assert client.feeds.pause(feed.id).state == "paused"
    assert [one.id for one in client.feeds.list()] == [feed.id]
    client.feeds.remove(feed.id)
    assert client.feeds.hot() == ()
    hook = client.webhooks.add("https://hooks.example/x", kinds=["video.labelled"])
    assert hook.secret
    assert [one.id for one in client.webhooks.list()] == [hook.id]
    client.webhooks.remove(hook.id)


def test_a_video_is_erased_and_is_gone(client) -> None:
    made = client.videos.put(title="a walk", name="to be erased")
    (proof,) = client.videos.erase(made.id)
    assert (proof.video, proof.whole) == (made.id, True)
    with pytest.raises(ApiNotFoundError, match=f"no video {made.id}"):
        client.videos.get(made.id)


def test_a_video_is_handed_in_by_its_address(live, terminal, server, job) -> None:
    url = server.give("/archive/green.mp4", job.clips["green-high"].read_bytes())
    sent = terminal.videos.put(url, title="green")
    assert (sent.outcome, sent.name) == ("new", url)
    assert terminal.videos.get(sent.id).stored
    with pytest.raises(ApiInputError, match=r"not fetched from elsewhere\.example"):
        terminal.videos.put("https://elsewhere.example/a.mp4")
    live.parts.fetches = live.installation.settings.fetching.at_once
    try:
        with pytest.raises(BusyError) as busy:
            terminal.videos.put(url)
    finally:
        live.parts.fetches = 0
    assert busy.value.retry_after == 5.0


def test_a_video_of_words_alone_has_nothing_to_download(terminal, tmp_path) -> None:
    made = terminal.videos.put(title="a walk", name="words alone")
    with pytest.raises(NotFoundError, match="no media"):
        terminal.videos.download(made.id, tmp_path / "a.mp4")


# --- breaks ------------------------------------------------------------------------------------------------------


def test_an_upload_that_breaks_goes_on_where_the_server_has_it(live, clip) -> None:
    network = Breaking({"PATCH": [1000, 0]})
    with Client(live.url, live.keys["terminal"], retry=QUICK, transport=network) as client:
        sent = client.videos.send(clip, name="breaks", piece=4000)
        video = client.videos.get(sent.id)
    offsets = [offset for method, offset in network.sent if method == "PATCH"]
    assert offsets[0] == 0
    assert sorted(offsets) == offsets, "it never goes back"
    assert 0 < offsets[-1] < clip.stat().st_size
    assert video.content_hash == hashlib.sha256(clip.read_bytes()).hexdigest()


def test_an_upload_goes_on_in_another_run(live, clip, tmp_path) -> None:
    clip.write_bytes(clip.read_bytes() + b"\0\0\0\x08free")
    memory = UploadMemory(tmp_path / "memory")
    network = Breaking({"PATCH": [3000] + [0] * 20})
    key = live.keys["terminal"]
    with Client(live.url, key, retry=QUICK, transport=network) as client:
        with pytest.raises(UploadBrokenError, match="broke off after") as broken:
            client.videos.send(clip, piece=2000, memory=memory)
        assert "goes on" in (broken.value.hint or "")
    assert broken.value.offset >= 2000
    later = Breaking({})
    with Client(live.url, key, retry=QUICK, transport=later) as client:
        assert client.videos.send(clip, piece=100_000, memory=memory).outcome == "new"
    assert [offset for method, offset in later.sent if method == "PATCH"] == [broken.value.offset]
    assert list((tmp_path / "memory").iterdir()) == []


def test_a_name_that_is_taken_is_told_and_another_costs_no_second_transfer(live, clip, job, tmp_path) -> None:
    clip.write_bytes(clip.read_bytes() + b"\0\0\0\x08name")
    memory, network = UploadMemory(tmp_path / "memory"), Breaking({})
    with Client(live.url, live.keys["editor"], retry=QUICK, transport=network) as client:
        client.videos.send(job.clips["low"], name="taken")
        network.sent.clear()
        with pytest.raises(ApiConflictError, match="another video has this name"):
            client.videos.send(clip, name="taken", memory=memory)
        assert client.videos.send(clip, name="free", memory=memory).id
    assert [method for method, _ in network.sent].count("PATCH") == 1


def test_a_request_before_that_is_still_at_the_upload_is_waited_for(clip) -> None:
    busy = {"type": "urn:tagtower:problem:busy", "detail": "Another request is at this upload."}
    size = clip.stat().st_size
    upload = {"id": "0" * 32, "length": size, "offset": size, "result": None}
    sent = {"name": "a", "id": 7, "outcome": "new", "labels": 0, "remarks": []}
    answers = [
        httpx.Response(201, json=upload),
        httpx.Response(409, json=busy),
        httpx.Response(201, json=sent),
    ]
    transport = httpx.MockTransport(lambda request: answers.pop(0))
    with Client("http://tags.example", retry=QUICK, transport=transport) as client:
        assert client.videos.send(clip).id == 7


def test_an_upload_that_the_server_forgot_begins_anew(live, terminal, clip, tmp_path) -> None:
    memory = UploadMemory(tmp_path / "memory")
    memory.keep(live.url, hashlib.sha256(clip.read_bytes()).hexdigest(), "0" * 32)
    assert terminal.videos.send(clip, name="forgotten", memory=memory).id


def test_what_is_no_video_is_refused_and_nothing_stays(live, terminal, tmp_path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("no video at all")
    memory = UploadMemory(tmp_path / "memory")
    with pytest.raises(ApiInputError):
        terminal.videos.send(path, memory=memory)
    assert list((tmp_path / "memory").iterdir()) == []
    assert not list((live.installation.home / "uploads").glob("*.part"))
    with pytest.raises(InputError, match="No such file"):
        terminal.videos.send(tmp_path / "missing.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(InputError, match="is empty"):
        terminal.videos.send(tmp_path / "empty.mp4")


def test_a_download_that_breaks_goes_on_also_in_another_run(live, job, tmp_path) -> None:
    target = tmp_path / "red.mp4"
    key = live.keys["terminal"]
    with (
        Client(live.url, key, retry=Retry(tries=0), transport=Breaking({"GET": [500]})) as client,
        pytest.raises(UnreachableError),
    ):
        client.videos.download(1, target)
    (part,) = tmp_path.glob(".red.mp4.*.part")
    assert (part.stat().st_size, target.exists()) == (500, False)
    network = Breaking({"GET": [300]})
    with Client(live.url, key, retry=QUICK, transport=network) as client:
        client.videos.download(1, target)
    assert target.read_bytes() == job.clips["red-low"].read_bytes()
    assert len([1 for method, _ in network.sent if method == "GET"]) == 3, (
        "the video, a broken range, the rest"
    )


def test_a_server_that_is_busy_is_asked_again_as_it_says() -> None:
    answers = [
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(503, headers={"Retry-After": "0"}),
        httpx.Response(200, json={"videos": [], "next": None}),
    ]
    transport = httpx.MockTransport(lambda request: answers.pop(0))
    with Client("http://tags.example", retry=QUICK, transport=transport) as client:
        assert client.videos.page().videos == ()


def test_a_server_that_wants_a_longer_wait_is_told_of() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(429, headers={"Retry-After": "3600"}))
    with (
        Client("http://tags.example", retry=QUICK, transport=transport) as client,
        pytest.raises(BusyError) as busy,
    ):
        client.videos.page()
    assert busy.value.retry_after == 3600.0


def test_what_may_be_done_once_is_asked_for_once_unless_it_has_a_key() -> None:
    asked: list[httpx.Request] = []

    def break_off(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ReadError("gone")

    transport = httpx.MockTransport(break_off)
    with Client("http://tags.example", retry=QUICK, transport=transport) as client:
        with pytest.raises(UnreachableError, match=r"tags\.example"):
            client.tags.rename(1, "other")
        assert len(asked) == 1
        with pytest.raises(UnreachableError):
            client.tags.add("sea")
    assert len(asked) == 1 + 1 + QUICK.tries
    assert len({one.headers["Idempotency-Key"] for one in asked[1:]}) == 1


@pytest.mark.parametrize(
    "server", ["tags.example", "ftp://tags.example", "http://", "http://a:b@tags.example"]
)
def test_an_address_that_is_none_is_refused(server: str) -> None:
    with pytest.raises(UsageError):
        Client(server)


def test_the_key_stands_in_no_failure_and_no_representation(live) -> None:
    with Client(live.url, "tt_wrong", retry=QUICK) as client, pytest.raises(AccessError) as wrong:
        client.videos.get(1)
    assert "tt_wrong" not in f"{wrong.value} {wrong.value!r} {client!r} {client._driver!r}"


# --- events, and the awaiting client -----------------------------------------------------------------------------


def test_events_are_told_as_they_happen_and_after_a_break(live, client) -> None:
    start = client.events.list(limit=1000).next
    first = client.tags.add("event one")
    told = client.events.listen(after=start, kinds=["tag.added"])
    assert next(told).data["tags"][0]["text"] == "event one"
    client.tags.add("event two")
    assert next(told).data["tags"][0]["text"] == "event two"
    told.close()
    assert first.changed


def test_the_awaiting_client_does_the_same(live, clip, tmp_path) -> None:
    clip.write_bytes(clip.read_bytes() + b"\0\0\0\x08skip")

    async def day() -> None:
        async with AsyncClient(live.url, live.keys["editor"], retry=QUICK) as client:
            start = (await client.events.list(limit=1000)).next
            sent = await client.videos.send(clip, piece=3000, name="awaited")
            video, tags = await asyncio.gather(client.videos.get(sent.id), client.tags.page("red"))
            assert (video.references[0].name, tags.tags[0].text) == ("awaited", "red")
            found = [one.id async for one in client.videos.search(page=2)]
            assert sent.id in found
            copy = await client.videos.download(sent.id, tmp_path / "copy.mp4")
            assert copy.read_bytes() == clip.read_bytes()
            told = client.events.listen(after=start, kinds=["tag.added"])
            await client.tags.add("awaited tag")
            async for event in told:
                assert event.data["tags"][0]["text"] == "awaited tag"
                break
            await told.aclose()
            with pytest.raises(ApiNotFoundError):
                await client.videos.get(99_999)

    asyncio.run(day())

"""The whole way in a real browser: hand in, over a connection that breaks, see it labelled, judge by key, bar a tag,
change many at once, add a hot tag, merge, promote, sign out."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.faces.console.browsing import begin_half, break_one_piece, drop, shoot, sign_in, until

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 60_000
TAGS = ("red", "green", "blue", "low", "high", "music")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no chromium"),
]


@pytest.fixture
def server(trained: Path, job: Any, tmp_path: Path) -> Iterator[Any]:
    """A server and a worker on an installation with a model and its twin, and a key for each role."""
    import uvicorn

    from tagtower.faces.http.app import create_app
    from tagtower.faces.http.settings import ServerSettings
    from tagtower.records import Example, Video
    from tagtower.usecases.installation import curate, keys, models
    from tagtower.usecases.installation.chores import standard_chores
    from tagtower.usecases.installation.home import init, open_installation
    from tagtower.usecases.installation.intake import PutSettings, put_videos
    from tagtower.usecases.installation.leases import Stop
    from tagtower.usecases.installation.worker import run_worker

    home = tmp_path / "home"
    init(home, environment={})
    (home / "installation.toml").write_text(
        "[suggestions]\nprecision = 0.0\nmax_distance = 2.0\n", encoding="utf-8"
    )
    with open_installation(home, environment={}) as installation, socket.socket() as listening:
        models.add(installation, trained, "first")
        for text in TAGS:
            curate.add(installation, curate.Editing("Ada"), text)
        videos = [
            Example(Video(name, str(job.clips[name]), f"a walk with {name}")) for name in ("green", "high")
        ]
        list(put_videos(installation, videos, PutSettings()))
        run_worker(installation, once=True, chores=standard_chores())
        _twin(installation)
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        app = create_app(installation, settings=ServerSettings(port=port))
        running = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        stop = Stop()
        threads = [
            threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True),
            threading.Thread(
                target=run_worker,
                args=(installation,),
                kwargs={"stop": stop, "chores": standard_chores()},
                daemon=True,
            ),
        ]
        for one in threads:
            one.start()
        made = {
            role: keys.create(installation, f"{role} key", role).text
            for role in ("editor", "admin", "terminal")
        }
        try:
            yield f"http://127.0.0.1:{port}", made, job, installation
        finally:
            stop.ask()
            running.should_exit = True
            for one in threads:
                one.join(30)


def _twin(installation: Any) -> None:
    """Enter the first model once more under another name, with its vectors: what a finished build leaves."""
    from sqlalchemy import text

    with installation.database.write() as connection:
        columns = "vector_fingerprint, width, distance, metrics, added_at"
        connection.execute(
            text(
                f"INSERT INTO models (name, folder, fingerprint, state, {columns}) "
                f"SELECT 'second', folder, '{'f' * 64}', 'ready', {columns} FROM models"
            )
        )
        for table in ("vectors", "suggestions", "answers"):
            names = [row[1] for row in connection.execute(text(f"PRAGMA table_info({table})"))]
            picked = ", ".join(
                "2" if name == "model_id" else "segment + 1" if name == "segment" else f'"{name}"'
                for name in names
            )
            quoted = ", ".join(f'"{name}"' for name in names)
            connection.execute(
                text(f"INSERT INTO {table} ({quoted}) SELECT {picked} FROM {table} WHERE model_id = 1")
            )


@pytest.fixture
def page(server: Any) -> Iterator[Any]:
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        opened = browser.new_page(base_url=server[0])
        opened.set_default_timeout(PATIENCE)
        sync.expect.set_options(timeout=PATIENCE)
        faults: list[str] = []
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on(
            "console", lambda said: faults.append(said.text) if "Content Security" in said.text else None
        )
        yield opened
        browser.close()
        assert faults == []


def test_a_day_at_the_console(server: Any, page: Any) -> None:
    from playwright.sync_api import expect

    from tagtower.usecases.installation.erase import erase_videos
    from tagtower.usecases.installation.reviewing import review_video

    _, keys, job, installation = server

    sign_in(page, keys["terminal"])
    expect(page.get_by_role("heading", name="Terminals have no console.")).to_be_visible()
    sign_in(page, keys["editor"])
    expect(page.get_by_text("editor key · editor")).to_be_visible()

    # A video is handed in, and labelled while one looks on.
    page.get_by_role("link", name="Library").click()
    page.locator('input[type="file"]').set_input_files(str(job.clips["red-low"]))
    expect(page.get_by_text("taken in", exact=True)).to_be_visible()
    expect(page.locator(".upload-tile .chips a").first).to_be_visible(timeout=PATIENCE)
    shoot(page, "library")
    page.locator(".upload-tile a.title").click()
    video = int(re.search(r"/videos/(\d+)", page.url)[1])  # type: ignore[index]

    # What is no video is refused with a word of what to do, and nothing of it is kept.
    page.goto("/library")
    page.locator('input[type="file"]').set_input_files(str(job.clips["damaged"]))
    expect(page.locator(".uploads .refused")).to_contain_text("damaged.mp4")
    page.reload()
    expect(page.locator(".uploads li")).to_have_count(0)

    # Two are handed in by a drop; the connection breaks in the middle of one, which goes on where it ended.
    page.goto("/library")
    broken = break_one_piece(page)
    drop(page, [job.clips["blue-high"], job.clips["blue-low"]])
    expect(page.get_by_text("taken in", exact=True)).to_have_count(2)
    assert broken == ["broken"]
    expect(page.locator(".upload-tile .chips a").first).to_be_visible(timeout=PATIENCE)

    # One that was begun before a reload goes on where it ended when the same file is chosen again.
    half = begin_half(page, job.clips["red-high"])
    page.reload()
    expect(page.get_by_text("choose the file again")).to_be_visible()
    shoot(page, "upload-to-go-on")
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(f"{sent.method} {sent.headers.get('upload-offset')}"))
    page.locator('input[type="file"]').set_input_files(str(job.clips["red-high"]))
    expect(page.get_by_text("taken in", exact=True)).to_be_visible()
    assert [one for one in asked if one.startswith("PATCH")] == [f"PATCH {half}"]

    # Many are changed at once, and an editor cannot erase them.
    for box in page.locator(".pick input").all()[:2]:
        box.check()
    expect(page.get_by_text("2 chosen")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Erase"))).to_have_count(0)
    page.get_by_placeholder("tag", exact=True).fill("music")
    shoot(page, "chosen")
    page.get_by_role("button", name="Accept tag").click()
    expect(page.get_by_role("status").first).to_contain_text("music: accepted on 2 videos.")

    # It is judged by key, and the verdict is taken back and given again.
    page.goto(f"/review/{video}")
    page.keyboard.press("1")
    expect(page.locator(".tagrow").first).to_be_focused()
    page.keyboard.press("a")
    expect(page.locator(".tagrow").first).to_have_class(re.compile("accepted"))
    page.keyboard.press("u")
    expect(page.locator(".tagrow").first).to_have_class(re.compile("open"))
    page.keyboard.press("1")
    page.keyboard.press("a")
    expect(page.locator(".tagrow").first).to_have_class(re.compile("accepted"))
    page.keyboard.press("r")
    expect(page.locator(".tagrow.rejected")).to_have_count(1)
    expect(
        page.locator(".tagrow").nth(2)
    ).to_be_focused()  # the next open one is chosen, and keys reach the page again
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    shoot(page, "review")
    assert review_video(installation, video).tags[0].standing == "accepted"

    # The second that spoke for a tag is played from, and a tag is barred from this one video, and let in again.
    page.goto(f"/videos/{video}")
    moment = page.locator("[data-seek]").first
    wanted = float(moment.get_attribute("data-seek"))
    moment.click()
    until(page, "at => document.querySelector('video').currentTime >= at - 0.05", wanted)
    rows = page.locator(".tagrow").count()
    page.locator("button.bar").last.click()
    expect(page.locator(".never")).to_be_visible()
    expect(page.locator(".tagrow")).to_have_count(rows - 1)
    shoot(page, "barred")
    page.locator(".said [data-undo]").click()
    expect(page.locator(".never")).to_have_count(0)
    expect(page.locator(".tagrow")).to_have_count(rows)

    # A hot tag says what it would hit, and then hits old videos.
    page.goto("/tags")
    page.get_by_label("Tag", exact=True).fill("green walk")
    expect(page.locator("#preview")).to_contain_text("of 6 stored videos", timeout=PATIENCE)
    shoot(page, "preview")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="green walk")).to_be_visible()
    expect(page.locator(".grid .tile").first).to_be_visible(
        timeout=PATIENCE
    )  # without loading the page again
    shoot(page, "tag")

    # Two tags are merged, and the merge undone.
    page.goto("/tags?search=low")
    page.get_by_label("Choose low", exact=True).check()
    page.get_by_placeholder("the tag that stays").fill("high")
    page.get_by_role("button", name="Merge into it").click()
    expect(page.get_by_role("status")).to_contain_text("low")
    page.locator("[data-undo]").click()
    page.goto("/tags?search=low")
    expect(page.get_by_role("link", name="low", exact=True)).to_be_visible()

    # An editor cannot promote; an administrator does, and goes back.
    page.goto("/models")
    expect(page.get_by_role("button", name=re.compile("^Promote"))).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Key")).to_be_visible()
    sign_in(page, keys["admin"])
    page.goto("/models")
    page.get_by_role("button", name=re.compile("^Promote second")).first.click()
    expect(page.get_by_role("status")).to_contain_text("second is active now.")
    shoot(page, "models")

    # Health tells by itself what changes.
    page.goto("/health")
    expect(page.locator("html[data-stream=open]")).to_have_count(1)
    labelled = page.locator(".figures a").nth(1)
    before = labelled.inner_text()
    erase_videos(installation, [video], author="Ada")
    expect(labelled).not_to_have_text(before)
    shoot(page, "health")

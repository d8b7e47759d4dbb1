"""A worker takes videos from the unlabelled shelf to the labelled one, whatever happens to it, to model or tags."""

from __future__ import annotations

import gc
import itertools
import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import func, select

from tagtower.errors import ConflictError, DatabaseError, StorageError
from tagtower.library import schema
from tagtower.library.database import Database
from tagtower.library.shelves import count_shelves, take
from tagtower.library.vectors import vector_store
from tagtower.library.workers import list_workers
from tagtower.records import Example, Video
from tagtower.usecases.installation import curate, models
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.intake import Put, PutSettings, put_videos
from tagtower.usecases.installation.labelling import Labeller
from tagtower.usecases.installation.leases import Stop
from tagtower.usecases.installation.worker import run_worker
from tagtower.usecases.installation.worker_events import WorkerReport
from tagtower.usecases.label import label
from tagtower.usecases.session import open_session

MARIA = Editing("maria")
TAGS = ("red", "green", "blue", "low", "high", "music")


@pytest.fixture
def home(installation, trained) -> Installation:
    """An installation with a model and some tags."""
    models.add(installation, trained, "first")
    for text in TAGS:
        curate.add(installation, MARIA, text)
    return installation


def hand_in(installation: Installation, *videos: Video) -> list[int]:
    found = list(put_videos(installation, [Example(one) for one in videos], PutSettings()))
    assert all(isinstance(one, Put) for one in found), found
    return [one.video_id for one in found]


def clips(job, *names: str) -> list[Video]:
    return [Video(name, str(job.clips[name]), f"a walk with {name}") for name in names]


def shelves(installation: Installation) -> dict[int, str]:
    with installation.database.read() as connection:
        rows = connection.execute(select(schema.videos.c.id, schema.videos.c.shelf))
        return {row.id: row.shelf for row in rows}


def rows_of(installation: Installation, table, **where):
    with installation.database.read() as connection:
        query = select(table)
        for column, value in where.items():
            query = query.where(table.c[column] == value)
        return connection.execute(query).all()


def suggested(installation: Installation, video: int) -> list[str]:
    with installation.database.read() as connection:
        rows = connection.execute(
            select(schema.tags.c.text)
            .join(schema.suggestions, schema.suggestions.c.tag_id == schema.tags.c.id)
            .where(schema.suggestions.c.video_id == video)
            .order_by(schema.suggestions.c.rank)
        )
        return list(rows.scalars())


def work(installation: Installation, **more) -> WorkerReport:
    return run_worker(installation, once=True, threads=1, **more)


def test_a_video_gets_its_tags_its_vectors_and_its_place_on_the_labelled_shelf(home, job, trained):
    ids = hand_in(home, *clips(job, "red", "low"), Video("words", None, "music at the sea"))
    report = work(home)
    assert (report.labelled, report.failed, report.postponed) == (3, 0, 0)
    assert shelves(home) == dict.fromkeys(ids, "labelled")
    with open_session(trained, bypass_store=True) as session:
        library = _library(home)
        plain = list(label(session, clips(job, "red", "low"), library))
    for video, answer in zip(ids, plain, strict=False):
        assert suggested(home, video) == [tag.tag for tag in answer.tags]
        stored = sorted(rows_of(home, schema.suggestions, video_id=video), key=lambda row: row.rank)
        assert [row.distance for row in stored] == pytest.approx([tag.distance for tag in answer.tags])
        assert stored[0].evidence["modalities"].keys() == answer.modalities.keys() & {
            one.modality for one in answer.tags[0].evidence.modalities
        }
        (noted,) = rows_of(home, schema.answers, video_id=video)
        assert noted.library_version == len(TAGS)
        assert noted.modalities == pytest.approx(answer.modalities, abs=1e-6)
    (frames,) = rows_of(home, schema.frame_vectors)
    assert frames.video_id == ids[0]
    seconds = np.frombuffer(frames.seconds, "<f4")
    assert len(np.frombuffer(frames.vectors, "<f2")) == 16 * len(seconds)
    with home.database.read() as connection:
        found, vectors = vector_store(home.database, home.vectors).get(connection, 1, ids)
        (worker,) = list_workers(connection)
    assert found.tolist() == ids
    assert np.isfinite(vectors).all()
    assert (worker.done, worker.failed) == (3, 0)
    assert worker.stopped_at is not None


def _library(installation):
    from tagtower.library.snapshot import TagSource

    return TagSource(installation.database).current(installation.clock()).library


def test_a_video_that_cannot_be_played_is_put_on_the_failed_shelf_with_the_reason(home, job):
    whole, bad = hand_in(home, *clips(job, "red", "green"))
    (row,) = rows_of(home, schema.videos, id=bad)
    home.media.remove(row.media)
    report = work(home)
    assert (report.labelled, report.failed) == (1, 1)
    assert shelves(home) == {whole: "labelled", bad: "failed"}
    (row,) = rows_of(home, schema.videos, id=bad)
    assert row.error["type"] == "missing"
    assert "no longer in the media store" in row.error["message"]
    assert row.error["hint"]
    assert str(home.home) not in row.error["message"]


def test_a_reference_that_is_away_is_tried_again_later(home, job, tmp_path, clock):
    shutil.copy(job.clips["red"], tmp_path / "away.mp4")
    example = Example(Video("away", str(tmp_path / "away.mp4")))
    (put,) = put_videos(home, [example], PutSettings(reference=True))
    (tmp_path / "away.mp4").rename(tmp_path / "elsewhere.mp4")
    assert work(home).postponed == 1
    assert work(home).postponed == 0  # its time has not come
    (tmp_path / "elsewhere.mp4").rename(tmp_path / "away.mp4")
    clock.move(seconds=31)
    assert work(home).labelled == 1
    (row,) = rows_of(home, schema.videos, id=put.video_id)
    assert (row.shelf, row.error, row.attempts) == ("labelled", None, 0)


def test_a_title_that_looks_like_a_file_of_subtitles_is_not_read(home, tmp_path):
    (tmp_path / "secret.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nsecret\n")
    (video,) = hand_in(home, Video("a", None, "a walk", subtitles="a text"))
    with home.database.write() as connection:
        connection.execute(schema.videos.update().values(subtitles=str(tmp_path / "secret.srt")))
    assert work(home).labelled == 1
    assert shelves(home) == {video: "labelled"}


def test_without_an_active_model_nothing_is_labelled_and_nothing_lost(installation, job):
    ids = hand_in(installation, *clips(job, "red"))
    with pytest.raises(ConflictError, match="no active model"):
        work(installation)
    assert shelves(installation) == dict.fromkeys(ids, "unlabelled")


def test_an_empty_library_gives_an_answer_without_a_tag(installation, trained, job):
    models.add(installation, trained, "first")
    (video,) = hand_in(installation, Video("a", None, "a walk"))
    assert work(installation).labelled == 1
    assert suggested(installation, video) == []
    assert len(rows_of(installation, schema.answers)) == 1


def test_a_change_of_the_library_is_in_the_next_answer(home):
    hand_in(home, Video("a", None, "a walk"))
    events = []

    def change(event):
        events.append(event)
        if event.kind == "model":
            curate.add(home, MARIA, "silence")
            curate.retire(home, MARIA, ["red"])

    work(home, on_event=change)
    (found,) = [event for event in events if event.kind == "labelled"]
    assert "silence" in found.facts["tags"]
    assert "red" not in found.facts["tags"]


def test_an_answer_is_never_of_a_library_older_than_its_transaction(home, monkeypatch):
    """However often an editor changes the library between an answer and its transaction."""
    (video,) = hand_in(home, Video("a", None, "a walk"))
    made = 0
    plain = Labeller.answer

    def disturbed(self, seen, **more):
        nonlocal made
        answers = plain(self, seen, **more)
        if seen and made < 3:
            made += 1
            curate.add(home, MARIA, f"tag of second {made}")
        return answers

    monkeypatch.setattr(Labeller, "answer", disturbed)
    work(home)
    assert made == 3
    assert {f"tag of second {number}" for number in (1, 2, 3)} <= set(suggested(home, video))


def test_barred_tags_and_improbable_ones_are_left_out(home, monkeypatch):
    first, second = hand_in(home, Video("a", None, "a walk"), Video("b", None, "a song"))
    curate.bar(home, MARIA, "red", [first])
    curate.merge(home, MARIA, ["low"], "high")
    curate.bar(home, MARIA, "high", [second])
    curate.set_threshold(home, MARIA, "music", 1.0)  # says nothing: the model has no calibration
    work(home)
    assert "red" not in suggested(home, first)
    assert "red" in suggested(home, second)
    assert "high" not in suggested(home, second)
    assert "music" in suggested(home, first)


def test_no_more_tags_than_the_settings_say(home, job):
    settings = home.settings
    few = replace(
        home, settings=settings.model_copy(update={"worker": settings.worker.model_copy(update={"top_k": 2})})
    )
    (video,) = hand_in(few, Video("a", None, "a walk"))
    work(few)
    assert len(suggested(home, video)) == 2


def test_what_a_worker_leaves_behind_is_given_back(home, job):
    """A stop between two videos: the first is written, the others are as they were."""
    ids = hand_in(home, *clips(job, "red", "green", "blue-high", "low"))
    stop = Stop()
    plain = Labeller.see

    def see(self, videos, *, ahead):
        for place, one in enumerate(plain(self, videos, ahead=ahead)):
            if place == 1:
                stop.ask()
            yield one

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Labeller, "see", see)
        report = run_worker(home, stop=stop, threads=1)
    assert report.labelled == 1
    with home.database.read() as connection:
        counts = count_shelves(connection, now=home.clock(), rules=home.settings.worker)
    assert (counts.labelled, counts.unlabelled, counts.leased) == (1, 3, 0)
    assert {row.attempts for row in rows_of(home, schema.videos)} == {0}
    assert work(home).labelled == 3
    assert set(shelves(home)) == set(ids)


def test_a_worker_leases_more_at_a_time_while_videos_are_soon_done(home, job, monkeypatch):
    asked: list[int] = []

    def taking(connection, worker, count, **more):
        asked.append(count)
        return take(connection, worker, count, **more)

    monkeypatch.setattr("tagtower.usecases.installation.worker.take", taking)
    monkeypatch.setattr("tagtower.usecases.installation.leases.QUICK_SECONDS", 60.0)
    hand_in(home, *[Video(f"v{number}", None, f"walk {number}") for number in range(120)])
    assert work(home).labelled == 120
    assert gc.get_freeze_count() == 0, "what the collector passed over is collected again"
    assert asked[0] == 8
    assert max(asked) == 32
    assert all(later in (earlier, 2 * earlier) for earlier, later in itertools.pairwise(asked))
    asked.clear()
    monkeypatch.setattr("tagtower.usecases.installation.leases.QUICK_SECONDS", 0.0)
    hand_in(home, *[Video(f"w{number}", None, f"road {number}") for number in range(20)])
    assert work(home).labelled == 20
    assert set(asked) == {8}


def test_a_stop_does_not_wait_for_a_file_that_is_being_decoded(home, job, monkeypatch):
    hand_in(home, *clips(job, "red"))
    stop = Stop()
    entered = threading.Event()

    monkeypatch.setattr(
        "tagtower.media.isolation._Child._decode", lambda self, path, request: _hang(self, entered)
    )
    threading.Thread(target=lambda: (entered.wait(60), stop.ask())).start()
    start = time.monotonic()
    report = run_worker(home, stop=stop, threads=1)
    assert entered.is_set()
    assert time.monotonic() - start < 20
    assert report.labelled == report.failed == report.postponed == 0
    assert set(shelves(home).values()) == {"unlabelled"}
    assert {row.attempts for row in rows_of(home, schema.videos)} == {0}


def _hang(child, entered):
    entered.set()
    while not child._closed:
        time.sleep(0.05)
    raise RuntimeError("this decoder is closed")


def test_two_workers_label_every_video_once(home):
    ids = hand_in(home, *(Video(f"v{n}", None, f"a walk number {n}") for n in range(40)))
    reports: list[WorkerReport] = []
    threads = [threading.Thread(target=lambda: reports.append(work(home))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.labelled for report in reports) == 40
    assert shelves(home) == dict.fromkeys(ids, "labelled")
    with home.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.suggestions)) == 40 * len(TAGS)


def test_a_promoted_model_is_in_use_with_the_next_batch(home, trained, tmp_path, monkeypatch):
    from tagtower.towers import load_model, save_model

    monkeypatch.setattr("tagtower.usecases.installation.worker.WRITTEN_AT_ONCE", 4)
    hand_in(home, *(Video(f"v{n}", None, f"a walk {n}") for n in range(12)))
    other = load_model(trained)
    with_noise = other.tower
    for parameter in with_noise.parameters():
        parameter.data.add_(0.01)
    save_model(tmp_path / "second", with_noise, other.training_tags, {}, "second")
    models.add(home, tmp_path / "second", "second")
    seen = []

    def promote(event):
        seen.append(event)
        if event.kind == "labelled" and sum(one.kind == "labelled" for one in seen) == 1:
            models.promote(home, "second", force=True)

    report = work(home, on_event=promote)
    assert [one.facts["name"] for one in seen if one.kind == "model"] == ["first", "second"]
    assert report.labelled == 12
    assert set(shelves(home).values()) == {"labelled"}
    by_model = {row.model_id for row in rows_of(home, schema.answers)}
    assert by_model == {1, 2}


@pytest.fixture
def outage(monkeypatch):
    """The next so many transactions that would write fail; nobody waits for long."""
    monkeypatch.setattr("tagtower.usecases.installation.leases.Stop.wait", lambda self, seconds: None)
    left = {"writes": 0}
    plain = Database.write

    def write(self):
        if left["writes"] > 0:
            left["writes"] -= 1
            raise DatabaseError("The database is gone.", hint="Start it.")
        return plain(self)

    monkeypatch.setattr(Database, "write", write)
    return left


def test_a_database_that_is_away_for_a_while_costs_no_work(home, monkeypatch, outage):
    hand_in(home, Video("a", None, "a walk"))
    looked = 0
    plain = Labeller.see

    def see(self, videos, *, ahead):
        nonlocal looked
        for one in plain(self, videos, ahead=ahead):
            looked += 1
            outage["writes"] = 3
            yield one

    monkeypatch.setattr(Labeller, "see", see)
    events = []
    report = work(home, on_event=events.append)
    assert report.labelled == looked == 1
    assert sum(event.kind == "trouble" for event in events) >= 2
    assert outage["writes"] == 0


def test_a_worker_that_is_to_end_by_itself_gives_up_on_a_database_that_stays_away(home, outage):
    outage["writes"] = 10_000
    with pytest.raises(DatabaseError):
        work(home)


def test_a_full_disk_is_no_fault_of_a_video(home, job, monkeypatch):
    monkeypatch.setattr("tagtower.usecases.installation.leases.Stop.wait", lambda self, seconds: None)
    hand_in(home, *clips(job, "red", "green"))
    left = 2
    plain = Labeller.see

    def see(self, videos, *, ahead):
        nonlocal left
        for one in plain(self, videos, ahead=ahead):
            if left:
                left -= 1
                raise StorageError("The disk is full.", hint="Make room.")
            yield one

    monkeypatch.setattr(Labeller, "see", see)
    report = work(home)
    assert (report.labelled, report.failed, report.postponed) == (2, 0, 0)
    assert left == 0


def test_a_video_that_upsets_the_program_is_put_off_and_the_others_go_on(home, job, monkeypatch, clock):
    first, bad, last = hand_in(home, *(Video(name, None, f"a walk {name}") for name in "abc"))
    plain = Labeller.see

    def see(self, videos, *, ahead):
        for one in plain(self, videos, ahead=ahead):
            if one.id == bad:
                raise ZeroDivisionError("a bug")
            yield one

    monkeypatch.setattr(Labeller, "see", see)
    report = work(home)
    assert (report.labelled, report.postponed) == (2, 1)
    assert shelves(home) == {first: "labelled", bad: "unlabelled", last: "labelled"}
    (row,) = rows_of(home, schema.videos, id=bad)
    assert row.error["type"] == "bug"
    assert "ZeroDivisionError" in row.error["message"]


def test_a_video_that_upsets_the_ranking_is_put_off_and_the_others_are_written(home, monkeypatch):
    first, bad, last = hand_in(home, *(Video(name, None, f"a walk {name}") for name in "abc"))
    plain = Labeller.answer

    def answer(self, seen, **more):
        if any(one.id == bad for one in seen):
            raise ZeroDivisionError("a bug")
        return plain(self, seen, **more)

    monkeypatch.setattr(Labeller, "answer", answer)
    report = work(home)
    assert (report.labelled, report.postponed) == (2, 1)
    assert shelves(home) == {first: "labelled", bad: "unlabelled", last: "labelled"}


def test_a_video_taken_over_meanwhile_is_left_to_the_other(home, monkeypatch, clock):
    (video,) = hand_in(home, Video("a", None, "a walk"))
    plain = Labeller.answer

    def slow(self, seen, **more):
        answers = plain(self, seen, **more)
        if seen:
            clock.move(hours=1)
            with home.database.write() as connection:
                taken = take(connection, "another", 8, now=clock(), rules=home.settings.worker)
            assert len(taken) <= 1
        return answers

    monkeypatch.setattr(Labeller, "answer", slow)
    report = work(home)
    assert report.labelled == 0
    (row,) = rows_of(home, schema.videos, id=video)
    assert (row.shelf, row.lease_worker) == ("unlabelled", "another")
    assert rows_of(home, schema.suggestions) == []
    assert rows_of(home, schema.vectors) == []


def test_a_video_erased_meanwhile_leaves_nothing_behind(home, monkeypatch):
    hand_in(home, Video("a", None, "a walk"))
    plain = Labeller.answer

    def answer(self, seen, **more):
        answers = plain(self, seen, **more)
        if seen:
            with home.database.write() as connection:
                connection.execute(schema.videos.delete())
        return answers

    monkeypatch.setattr(Labeller, "answer", answer)
    assert work(home).labelled == 0
    assert rows_of(home, schema.suggestions) == []


class Counting:
    name = "counting"

    def __init__(self, times: int) -> None:
        self.left = times
        self.closed = False
        self.labellers: list[object] = []

    def run_once(self, installation, labeller) -> bool:
        self.labellers.append(labeller)
        self.left -= 1
        return self.left >= 0

    def close(self) -> None:
        self.closed = True


class Failing:
    name = "failing"

    def run_once(self, installation, labeller) -> bool:
        raise StorageError("no", hint="no")

    def close(self) -> None:
        pass


def test_chores_are_done_between_batches_until_there_are_none(home):
    hand_in(home, Video("a", None, "a walk"))
    chore, events = Counting(3), []
    assert work(home, chores=[Failing(), chore], on_event=events.append).labelled == 1
    assert chore.left == -1
    assert chore.closed
    assert isinstance(chore.labellers[0], Labeller)
    assert [event.facts["name"] for event in events if event.kind == "chore"] == ["counting"] * 3
    assert any(event.facts.get("chore") == "failing" for event in events if event.kind == "trouble")

"""Models are copied in, promoted only when they know every labelled video, rolled back, compared and removed."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event, func, insert, select

from tagtower.errors import ConflictError, ModelError, NotFoundError
from tagtower.library.models import active_model, find_model
from tagtower.library.schema import answers, builds, suggestions, sweeps, tags, vectors, verdicts, videos
from tagtower.library.suggestions import Suggested, write_suggestions
from tagtower.library.vectors import vector_store
from tagtower.library.videos.shown import shown_tags
from tagtower.towers import load_model
from tagtower.usecases.installation import curate, models
from tagtower.usecases.installation.compare import compare
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.home import Installation

BY = Editing("ada")


def label(installation: Installation, count: int) -> list[int]:
    at = installation.clock()
    with installation.database.write() as connection:
        rows = [
            {"title": f"video {one}", "added_at": at, "shelf": "labelled", "shelved_at": at}
            for one in range(count)
        ]
        return list(connection.scalars(insert(videos).returning(videos.c.id), rows))


def build(
    installation: Installation, name: str, ids: list[int], chosen: list[list[int]] | None = None
) -> None:
    """Give videos vectors of a model, and suggestions: tags, the surest first."""
    store = vector_store(installation.database, installation.vectors)
    with installation.database.write() as connection:
        model = find_model(connection, name)
        store.add(connection, model.id, ids, np.ones((len(ids), model.width), np.float32))
        for place, video in enumerate(ids):
            listed = chosen[place] if chosen else []
            found = [
                Suggested(tag, rank, 0.1 * rank, 1 - 0.25 * rank) for rank, tag in enumerate(listed, start=1)
            ]
            write_suggestions(
                connection, video, model.id, found, origin="model", library_version=0, at=installation.clock()
            )


def active(installation: Installation) -> str | None:
    with installation.database.read() as connection:
        found = active_model(connection)
        return None if found is None else found.name


def test_a_model_is_copied_whole_and_checked(
    installation: Installation, trained: Path, tmp_path: Path
) -> None:
    source = tmp_path / "my model"
    shutil.copytree(trained, source)
    (source / "notes.txt").write_text("not part of it")
    (source / "link").symlink_to("/etc/passwd")
    record = models.add(installation, source)
    shutil.rmtree(source)
    copy = installation.models / record.folder
    assert (record.name, record.state) == ("my model", "active")
    assert load_model(copy).model_fingerprint == record.fingerprint == load_model(trained).model_fingerprint
    assert record.metrics == json.loads((trained / "metrics.json").read_text())
    assert not (copy / "notes.txt").exists()
    assert not (copy / "link").exists()
    assert [path.name for path in installation.models.iterdir()] == [record.folder]


def test_what_is_no_whole_model_is_refused_and_leaves_nothing(
    installation: Installation, trained: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(trained, broken)
    (broken / "model.safetensors").write_bytes(b"x")
    for folder in (broken, tmp_path / "nowhere"):
        with pytest.raises(ModelError):
            models.add(installation, folder)
    models.add(installation, trained)
    with pytest.raises(ConflictError, match="there already"):
        models.add(installation, trained, "again")
    with installation.database.read() as connection:
        folder = find_model(connection, "model").folder
    assert [path.name for path in installation.models.iterdir()] == [folder]


def test_a_model_is_promoted_when_it_knows_every_labelled_video(
    installation: Installation, trained: Path, others: list[Path]
) -> None:
    models.add(installation, trained)
    ids = label(installation, 3)
    assert models.add(installation, others[0]).state == "building"
    build(installation, "second", ids[:2])
    with pytest.raises(ConflictError, match="has not seen 1 of 3 labelled videos"):
        models.promote(installation, "second")
    assert active(installation) == "model"
    build(installation, "second", ids[2:])
    done = models.promote(installation, "second")
    assert done.to_json() == {"active": "second", "before": "model", "missing": 0, "sweeps": 0}
    with pytest.raises(ConflictError, match="active already"):
        models.promote(installation, "second")
    (late,) = label(installation, 1)
    with pytest.raises(ConflictError, match="has not seen 4 of 4"):
        models.roll_back(installation)
    build(installation, "model", [*ids, late])
    assert models.roll_back(installation).to_json()["active"] == "model"
    assert active(installation) == "model"
    with pytest.raises(ConflictError, match="no model to go back to"):
        models.roll_back(installation)
    assert {one.model.name: one.model.state for one in models.status(installation)} == {
        "model": "active",
        "second": "retired",
    }


def test_force_promotes_what_is_not_complete(
    installation: Installation, trained: Path, others: list[Path]
) -> None:
    models.add(installation, trained)
    label(installation, 2)
    models.add(installation, others[0])
    assert models.promote(installation, "second", force=True).missing == 2
    assert models.roll_back(installation, force=True).model.name == "model"


def test_a_promotion_asks_for_the_tags_that_came_while_the_model_was_built(
    installation: Installation, trained: Path, others: list[Path]
) -> None:
    models.add(installation, trained)
    ids = label(installation, 1)
    models.add(installation, others[0])
    build(installation, "second", ids)
    curate.add(installation, BY, "eclipse")
    with installation.database.write() as connection:
        model = find_model(connection, "second")
        connection.execute(sweeps.delete().where(sweeps.c.model_id == model.id))
    assert models.promote(installation, "second").sweeps == 1
    with installation.database.read() as connection:
        asked = connection.execute(select(sweeps.c.model_id, tags.c.text).join_from(sweeps, tags)).all()
    assert (model.id, "eclipse") in [tuple(one) for one in asked]


def test_a_promotion_that_fails_at_any_statement_changes_nothing(
    installation: Installation, trained: Path, others: list[Path]
) -> None:
    models.add(installation, trained)
    ids = label(installation, 2)
    models.add(installation, others[0])
    build(installation, "second", ids)
    seen, at, step = 0, 0, 0

    def before(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            raise KeyboardInterrupt

    for point in ("before_cursor_execute", "commit"):
        event.listen(installation.database.engine, point, before)
    done = False
    while not done:
        step += 1
        seen, at = 0, step
        try:
            models.promote(installation, "second")
            done = True
        except KeyboardInterrupt:
            at = 0
            assert active(installation) == "model"
    at = 0
    for point in ("before_cursor_execute", "commit"):
        event.remove(installation.database.engine, point, before)
    assert step > 6
    assert active(installation) == "second"


def test_a_removed_model_leaves_nothing_but_verdicts(
    installation: Installation, trained: Path, others: list[Path]
) -> None:
    models.add(installation, trained)
    ids = label(installation, 2)
    record = models.add(installation, others[0])
    tag = curate.add(installation, BY, "eclipse").tag
    assert tag is not None
    build(installation, "second", ids, [[tag.id], [tag.id]])
    with installation.database.write() as connection:
        connection.execute(insert(builds).values(model_id=record.id, video_id=ids[0], attempts=1))
        connection.execute(
            insert(verdicts).values(
                video_id=ids[0],
                tag_id=tag.id,
                verdict="accept",
                author="ada",
                at=installation.clock(),
                model_id=record.id,
            )
        )
    with pytest.raises(ConflictError, match="is active"):
        models.remove(installation, "model")
    models.remove(installation, "second")
    with pytest.raises(NotFoundError):
        models.status(installation, "second")
    with installation.database.read() as connection:
        for table in (vectors, suggestions, answers, builds):
            assert connection.scalar(select(func.count()).select_from(table)) == 0
        assert connection.scalar(select(verdicts.c.verdict)) == "accept"
    assert not (installation.models / record.folder).exists()
    assert not list(installation.vectors.glob("*/*.vectors"))
    assert models.add(installation, others[0]).id > record.id


def test_a_model_is_built_again_from_the_beginning_on_request(
    installation: Installation, trained: Path, others: list[Path]
) -> None:
    models.add(installation, trained)
    ids = label(installation, 2)
    record = models.add(installation, others[0])
    build(installation, "second", ids)
    with installation.database.write() as connection:
        connection.execute(insert(builds).values(model_id=record.id, video_id=ids[0], attempts=9))
    assert models.rebuild(installation, "second").coverage.built == 2
    again = models.rebuild(installation, "second", again=True)
    assert (again.coverage.built, again.coverage.failed, again.model.state) == (0, 0, "building")
    with pytest.raises(ConflictError, match="in use"):
        models.rebuild(installation, "model", again=True)


def test_two_models_are_compared_by_verdicts_and_by_each_other(
    installation: Installation, trained: Path, others: list[Path]
) -> None:
    models.add(installation, trained)
    ids = label(installation, 3)
    models.add(installation, others[0])
    red, green, blue, old = (
        curate.add(installation, BY, text).tag.id for text in ("red", "green", "blue", "rot")
    )  # type: ignore[union-attr]
    build(installation, "model", ids, [[red, green], [green, red], []])
    build(installation, "second", ids, [[red, old], [blue, green], [green]])
    curate.merge(installation, BY, ["rot"], "blue")
    said = [
        (ids[0], red, "accept", 0),
        (ids[0], green, "reject", 0),
        (ids[0], old, "add", 0),
        (ids[1], blue, "reject", 0),
        (ids[1], old, "accept", -1),  # the same tag, and an earlier word
    ]
    at = installation.clock()
    with installation.database.write() as connection:
        connection.execute(
            insert(verdicts),
            [
                {
                    "video_id": video,
                    "tag_id": tag,
                    "verdict": word,
                    "author": "ada",
                    "at": at.replace(minute=30 + minute),
                }
                for video, tag, word, minute in said
            ],
        )
    found = compare(installation, "model", "second", k=2)
    assert (found.judged, found.sample) == (2, 3)
    assert found.overlap == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert found.same_first == pytest.approx(1 / 3)
    first, second = found.models
    assert (first.precision, first.found, first.refused) == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert (second.precision, second.found, second.refused) == pytest.approx((2 / 3, 1.0, 1 / 2))
    assert (first.answered, second.answered) == pytest.approx((2 / 3, 1.0))
    assert (first.shown, second.shown) == pytest.approx((4 / 3, 5 / 3))
    # Said .75 and right, said .5 and wrong; in bins of their own.
    assert first.calibration_error == pytest.approx((0.25 + 0.5) / 2)
    assert json.dumps(found.to_json())


def test_models_without_verdicts_or_videos_can_be_compared(
    installation: Installation, trained: Path, others: list[Path]
) -> None:
    models.add(installation, trained)
    models.add(installation, others[0])
    found = compare(installation, "model", "second")
    assert (found.judged, found.sample, found.overlap) == (0, 0, None)
    assert found.models[0].precision is None


def test_readers_see_one_model_or_the_other_and_never_fail(
    installation: Installation, trained: Path, others: list[Path]
) -> None:
    models.add(installation, trained)
    ids = label(installation, 20)
    models.add(installation, others[0])
    chosen = {}
    for name in ("model", "second"):
        chosen[name] = [curate.add(installation, BY, f"{name} {one}").tag.id for one in range(3)]  # type: ignore[union-attr]
        build(installation, name, ids, [chosen[name]] * len(ids))
    ended = threading.Event()
    seen: list[str] = []
    wrong: list[object] = []

    def read() -> None:
        try:
            while not ended.is_set():
                with installation.database.read() as connection:
                    model = active_model(connection)
                    assert model is not None
                    shown = shown_tags(connection, ids, model.id)
                found = {tuple(one.tag_id for one in own) for own in shown.values()}
                seen.append(model.name)
                if found != {tuple(chosen[model.name])} or len(shown) != len(ids):
                    wrong.append((model.name, found))
        except BaseException as fault:
            wrong.append(fault)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(10):
        models.promote(installation, "second")
        time.sleep(0.02)
        models.roll_back(installation)
        time.sleep(0.02)
    ended.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert set(seen) == {"model", "second"}

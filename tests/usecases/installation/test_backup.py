"""A backup is one moment, whole or not at all; what is restored from it is what was there, on either engine."""

from __future__ import annotations

import json
import secrets
import shutil
import threading
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, insert, select, text

from tagtower.errors import ConflictError, DatabaseError, StorageError, UsageError
from tagtower.library import schema
from tagtower.library.vectors import vector_store
from tagtower.records import Example, Video
from tagtower.usecases.installation import backup, restore
from tagtower.usecases.installation.backup import create_backup, without_places
from tagtower.usecases.installation.erase import erase_videos
from tagtower.usecases.installation.find import Search, find_videos, show_video
from tagtower.usecases.installation.home import open_installation
from tagtower.usecases.installation.intake import PutSettings, put_videos
from tagtower.usecases.installation.restore import check_backup, restore_backup

from ...library_rows import Rows

TIMES = ("at", "added_at")


@pytest.fixture
def full(installation, job) -> list[int]:
    """Videos, tags, verdicts, suggestions, vectors, a model folder, and a history."""
    rows = Rows(installation.database)
    examples = [
        Example(Video("clip", str(job.clips["green"]), "Crème brûlée")),
        Example(Video("words", None, "only words", "with a description")),
        Example(Video("gone", None, "erased later")),
    ]
    videos = [one.video_id for one in put_videos(installation, examples, PutSettings(owner="ann"))]
    model = rows.model(name="tower")
    (installation.models / "tower").mkdir(parents=True)
    (installation.models / "tower" / "config.json").write_text("{}")
    fox = rows.tag("fox", "vixen")
    late = rows.tag("late")
    merged = rows.tag("early", into=late)
    rows.suggest(videos[0], model, fox, evidence={"neighbours": [{"id": "x", "weight": 0.5}]})
    rows.say(videos[0], merged, "add")
    rows.bar(videos[1], fox)
    store = vector_store(installation.database, installation.vectors)
    vectors = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    with installation.database.write() as connection:
        store.add(connection, model, videos[:2], vectors)
        connection.execute(
            insert(schema.frame_vectors).values(
                model_id=model, video_id=videos[0], seconds=bytes(range(256)), vectors=b"\0\xff"
            )
        )
        at = rows.moment() + timedelta(microseconds=123456)
        first = connection.execute(
            insert(schema.changes).values(
                at=at, author="ann", kind="add", summary="ü", detail={"a": [1, None]}
            )
        ).inserted_primary_key[0]
        connection.execute(
            insert(schema.changes).values(at=at, author="ann", kind="undo", summary="b", undoes=first)
        )
    erase_videos(installation, [videos[2]], author="ann")
    (installation.home / "installation.toml").write_text(
        '[places]\nmedia_url = "secret"\n[worker]\nbatch = 3\n'
    )
    return videos[:2]


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request) -> dict[str, str]:
    """The environment of a restored installation."""
    if request.param == "sqlite":
        return {}
    address = request.getfixturevalue("postgresql_server")
    server = create_engine(
        address.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    name = f"r{secrets.token_hex(6)}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = server.url.set(database=name).render_as_string(hide_password=False)
    server.dispose()
    return {"TAGTOWER_DATABASE_URL": url}


def contents(installation) -> dict[str, list[dict[str, object]]]:
    """Every row of every table that does not depend on the engine."""
    found = {}
    with installation.database.read() as connection:
        for table in schema.metadata.sorted_tables:
            if table.name in ("vectors", "segments", "workers", "uploads"):
                continue
            columns = [one for one in table.columns if one.name != "words"]
            found[table.name] = [
                {
                    name: bytes(value) if isinstance(value, memoryview) else value
                    for name, value in row.items()
                }
                for row in connection.execute(select(*columns).order_by(*table.primary_key)).mappings()
            ]
    return found


def test_what_is_restored_is_what_was_there(installation, full, target, tmp_path) -> None:
    out, home = tmp_path / "backup", tmp_path / "restored"
    report = create_backup(installation, out, with_media=True)
    assert (report.videos, report.vectors, report.models, report.media, report.missing) == (2, 2, 1, 1, ())
    before = contents(installation)
    back = restore_backup(out, home, environment=target)
    assert (back.videos, back.vectors, back.media, back.missing) == (2, 2, 1, 0)
    with open_installation(home, environment=target, clock=installation.clock) as restored:
        assert contents(restored) == before
        assert restored.settings.worker.batch == 3
        assert restored.settings.places.media_url is None
        assert (restored.models / "tower" / "config.json").read_text() == "{}"
        media = show_video(restored, full[0]).video.media
        with restored.media.open(media) as new, installation.media.open(media) as old:
            assert new.read() == old.read()
        stores = [vector_store(one.database, one.vectors) for one in (installation, restored)]
        with installation.database.read() as one, restored.database.read() as two:
            ids, vectors = stores[0].get(one, 1, full)
            assert (stores[1].get(two, 1, full)[0] == ids).all()
            assert stores[1].get(two, 1, full)[1].tobytes() == vectors.tobytes()
        assert [one.video.id for one in find_videos(restored, Search(words="creme")).videos] == [full[0]]
        assert [one.video.id for one in find_videos(restored, Search(tags=("late",))).videos] == [full[0]]
        (new,) = put_videos(restored, [Example(Video("new", None, "new"))], PutSettings())
        assert new.video_id > max(full) + 1  # that of the erased video is not given again


def test_without_media_they_are_listed_and_missing_until_they_are_copied(
    installation, full, tmp_path
) -> None:
    report = create_backup(installation, tmp_path / "backup")
    assert report.media == 0
    back = restore_backup(tmp_path / "backup", tmp_path / "restored", environment={})
    assert (back.media, back.missing) == (0, 1)
    shutil.copytree(installation.home / "media", tmp_path / "restored" / "media")
    with open_installation(tmp_path / "restored", environment={}) as restored:
        assert restored.media.exists(show_video(restored, full[0]).video.media)


def test_media_that_are_gone_are_named(installation, full, tmp_path) -> None:
    key = show_video(installation, full[0]).video.media
    installation.media.remove(key)
    report = create_backup(installation, tmp_path / "backup", with_media=True)
    assert report.missing == (key,)
    assert restore_backup(tmp_path / "backup", tmp_path / "r", environment={}).missing == 1


def test_others_write_meanwhile_and_the_backup_is_one_moment(
    installation, full, tmp_path, monkeypatch
) -> None:
    rows = Rows(installation.database)
    real = backup.dump_table
    done = threading.Event()

    def work() -> None:
        for number in range(20):
            video = rows.video(f"meanwhile {number}", owner="bob")
            rows.say(video, 1, "add")
        done.set()

    def dump(connection, table, path):
        if table.name == "videos":  # others write between one table and the next
            threading.Thread(target=work).start()
            assert done.wait(60)
        return real(connection, table, path)

    monkeypatch.setattr(backup, "dump_table", dump)
    create_backup(installation, tmp_path / "backup")
    monkeypatch.undo()
    restore_backup(tmp_path / "backup", tmp_path / "restored", environment={})
    with open_installation(tmp_path / "restored", environment={}) as restored:
        found = contents(restored)
    assert [row["id"] for row in found["videos"]] == full
    assert {row["video_id"] for row in found["verdicts"]} <= set(full)


def test_what_is_erased_meanwhile_is_not_in_the_backup(installation, full, tmp_path, monkeypatch) -> None:
    real = backup._write_media_list
    erased = []

    def meanwhile(*call):
        if not erased:
            thread = threading.Thread(
                target=lambda: erased.extend(erase_videos(installation, [full[1]], author="ann"))
            )
            if installation.database.dialect == "postgresql":
                thread.start()
                thread.join()
        return real(*call)

    monkeypatch.setattr(backup, "_write_media_list", meanwhile)
    if installation.database.dialect == "sqlite":  # its log cannot be emptied while the backup reads
        real_copy = backup._copy_model

        def between(*call):
            if not erased:
                erased.extend(erase_videos(installation, [full[1]], author="ann"))
            return real_copy(*call)

        monkeypatch.setattr(backup, "_copy_model", between)
    create_backup(installation, tmp_path / "backup")
    monkeypatch.undo()
    assert erased
    restore_backup(tmp_path / "backup", tmp_path / "restored", environment={})
    with open_installation(tmp_path / "restored", environment={}) as restored:
        assert [row["id"] for row in contents(restored)["videos"]] == full[:1]


class Killed(BaseException):
    """The program ends here."""


@pytest.mark.parametrize("step", ["dump_table", "_write_vectors", "_copy_model", "hash_file", "write_json"])
def test_killed_in_the_middle_there_is_no_half_backup(
    installation, full, tmp_path, monkeypatch, step
) -> None:
    def die(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr(backup, step, die)
    folder = tmp_path / "backups"
    with pytest.raises(Killed):
        create_backup(installation, folder / "one", with_media=True)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("step", ["_copy_models", "_restore_media", "load_table", "set_numbers"])
def test_killed_in_the_middle_there_is_no_half_installation(
    installation, full, target, tmp_path, monkeypatch, step
) -> None:
    create_backup(installation, tmp_path / "backup", with_media=True)

    def die(*_: object, **__: object) -> None:
        raise Killed

    folder = tmp_path / "homes"
    with monkeypatch.context() as patch:
        patch.setattr(restore, step, die)
        with pytest.raises(Killed):
            restore_backup(tmp_path / "backup", folder / "home", environment=target)
    assert list(folder.iterdir()) == []
    restore_backup(tmp_path / "backup", folder / "home", environment=target)


def test_a_damaged_backup_is_refused_by_name(sqlite_installation, job, tmp_path) -> None:
    list(put_videos(sqlite_installation, [Example(Video("n", str(job.clips["green"])))], PutSettings()))
    create_backup(sqlite_installation, tmp_path / "sound", with_media=True)
    files = [
        path.relative_to(tmp_path / "sound") for path in (tmp_path / "sound").rglob("*") if path.is_file()
    ]
    assert len(files) > 20
    chosen = [Path("backup.json"), Path("tables/videos.jsonl.gz"), Path("installation.toml")]
    chosen += [path for path in files if path.parts[0] == "media"]
    for name in chosen:
        for damage in ("flip", "cut", "gone"):
            copy = tmp_path / "damaged"
            shutil.copytree(tmp_path / "sound", copy)
            data = bytearray((copy / name).read_bytes())
            if damage == "gone":
                (copy / name).unlink()
            else:
                data[len(data) // 2] ^= 1
                (copy / name).write_bytes(bytes(data) if damage == "flip" else bytes(data[:-1]))
            with pytest.raises(StorageError) as caught:
                restore_backup(copy, tmp_path / "back", environment={})
            assert name.name in caught.value.message
            assert not (tmp_path / "back").exists()
            shutil.rmtree(copy)
    check_backup(tmp_path / "sound")


def rewritten(folder: Path, **changes: object) -> None:
    """Change what a backup says of itself, and seal it again."""
    from tagtower.storage.hashing import hash_json

    path = folder / "backup.json"
    found = {**json.loads(path.read_text()), **changes}
    found.pop("seal")
    path.write_text(json.dumps({**found, "seal": hash_json(found)}))


def test_a_backup_of_a_newer_program_is_refused(sqlite_installation, tmp_path) -> None:
    create_backup(sqlite_installation, tmp_path / "backup")
    rewritten(tmp_path / "backup", schema="9999")
    with pytest.raises(DatabaseError, match="newer"):
        restore_backup(tmp_path / "backup", tmp_path / "back", environment={})
    rewritten(tmp_path / "backup", schema="0001", format=99)
    with pytest.raises(StorageError, match="format 99"):
        restore_backup(tmp_path / "backup", tmp_path / "back", environment={})


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "models/../../escaped"])
def test_a_backup_names_nothing_outside_of_itself(sqlite_installation, tmp_path, name) -> None:
    create_backup(sqlite_installation, tmp_path / "backup")
    (tmp_path / "escaped").write_text("")
    files = {name: {"sha256": "0" * 64, "bytes": 0}}
    rewritten(tmp_path / "backup", files=files)
    with pytest.raises(StorageError, match="no backup"):
        restore_backup(tmp_path / "backup", tmp_path / "back", environment={})


def test_nothing_is_overwritten(installation, full, target, tmp_path) -> None:
    out, home = tmp_path / "backup", tmp_path / "home"
    create_backup(installation, out)
    with pytest.raises(UsageError, match="exists"):
        create_backup(installation, out)
    home.mkdir()
    (home / "mine").write_text("")
    with pytest.raises(UsageError, match="empty"):
        restore_backup(out, home, environment=target)
    (home / "mine").unlink()
    restore_backup(out, home, environment=target)
    if target:
        with pytest.raises(ConflictError, match="already"):
            restore_backup(out, tmp_path / "another", environment=target)
        assert not (tmp_path / "another").exists()


def test_a_folder_that_is_no_backup_is_refused(tmp_path) -> None:
    for content in (None, "", "[]", "{}", '{"seal": 1}', "\0"):
        folder = tmp_path / secrets.token_hex(4)
        folder.mkdir()
        if content is not None:
            (folder / "backup.json").write_text(content)
        with pytest.raises(StorageError, match="no backup"):
            check_backup(folder)


def test_addresses_are_left_out_of_settings() -> None:
    text = (
        '# mine\nplaces.media_url = "s3://k:v@x"\n[worker]\nbatch = 2\n[places] # secret\n'
        'database_url = "postgresql://u:p@h/d"\n\n[topics]\nmin_entries = 3\n'
    )
    assert without_places(text) == "# mine\n[worker]\nbatch = 2\n[topics]\nmin_entries = 3\n"

"""What is erased is nowhere any more: no table, store, folder or byte holds it; and any kill ends well."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, insert, select

from tagtower.errors import ConflictError, NotFoundError, StorageError
from tagtower.features.store import CENTRE, FeatureKey, FeatureStore
from tagtower.library import leftovers, schema
from tagtower.library.vectors import vector_store
from tagtower.records import Example, Video
from tagtower.storage.hashing import hash_text
from tagtower.usecases.installation import erase
from tagtower.usecases.installation.erase import erase_owner, erase_videos, finish_erasing
from tagtower.usecases.installation.find import Search, find_videos, show_video
from tagtower.usecases.installation.intake import PutSettings, Refused, put_videos

from ...library_rows import Rows

TITLE = "Grandmother's ninetieth birthday in Ouagadougou"
SUBTITLES = "what was whispered there belongs to nobody else " * 40
NAME = "private/holiday-video-0815.mp4"


@pytest.fixture
def rows(installation) -> Rows:
    return Rows(installation.database)


def put(installation, path, name, owner="", **words) -> int:
    examples = [Example(Video(name, None if path is None else str(path), **words))]
    (one,) = put_videos(installation, examples, PutSettings(owner=owner))
    assert not isinstance(one, Refused), one
    return one.video_id


def everything(installation, rows, video: int) -> np.ndarray:
    """Hang on a video all that can hang on one, and return its vector."""
    model = rows.model()
    tag, other = rows.tag("birthday"), rows.tag("party")
    with installation.database.read() as connection:
        content = connection.scalar(select(schema.videos.c.content_hash).where(schema.videos.c.id == video))
    rows.suggest(video, model, tag, evidence={"second": 1.0})
    rows.say(video, tag, "accept")
    rows.bar(video, other)
    neighbour = rows.video("another")
    names = ({"id": NAME, "weight": 0.7, "video": video}, {"id": "77", "weight": 0.3})
    evidence = {"neighbours": [*names, {"id": f"video:{video}", "weight": 0.1}]}
    rows.suggest(neighbour, model, tag, evidence=evidence)
    vector = np.random.default_rng(video).normal(size=(1, 4)).astype(np.float32)
    vector /= np.linalg.norm(vector)
    store = vector_store(installation.database, installation.vectors)
    with installation.database.write() as connection:
        store.add(connection, model, [video], vector)
        connection.execute(
            insert(schema.frame_vectors).values(model_id=model, video_id=video, seconds=b"s", vectors=b"v")
        )
        connection.execute(
            insert(schema.answers).values(video_id=video, model_id=model, library_version=1, at=rows.moment())
        )
        connection.execute(insert(schema.builds).values(model_id=model, video_id=video, attempts=1))
        connection.execute(
            insert(schema.changes).values(
                at=rows.moment(),
                author="ann",
                kind="bar",
                summary="bar",
                detail={"bars": [[video, other, True], [neighbour, other, True]]},
            )
        )
    installation.features.mkdir(exist_ok=True)
    with closing(FeatureStore(installation.features / "features.sqlite")) as features:
        features.put_many(
            {
                FeatureKey(content or "none", "spec", CENTRE): np.full(1000, 7.25, np.float32),
                FeatureKey(hash_text(TITLE), "spec", CENTRE): np.full(10, 7.5, np.float32),
            }
        )
        if content:
            features.content_hash(next(installation.media._folder.glob(f"*/{content}*")))
    if content:
        previews = installation.home / "previews" / content[:2]
        previews.mkdir(parents=True)
        (previews / f"{content}.jpg").write_bytes(b"a picture")
    return vector[0]


def bytes_of(installation) -> bytes:
    """Every byte below the installation's folder, names included."""
    found = b""
    for path in sorted(installation.home.rglob("*")):
        found += path.name.encode()
        if path.is_file():
            found += path.read_bytes()
    return found


def left_in_rows(installation, video: int, content: str | None) -> list[str]:
    """Every place of the database that names a video, but for the proof."""
    found = []
    with installation.database.read() as connection:
        for table in schema.metadata.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                if table.name == "erasures":
                    continue
                texts = [f"{name}={value}" for name, value in row.items()]
                if row.get("video_id") == video or (table.name == "videos" and row["id"] == video):
                    found.append(table.name)
                if any(
                    (content and content in text) or f"'video': {video}" in text or f"'video:{video}'" in text
                    for text in texts
                ):
                    found.append(table.name)
                if table.name == "changes" and any(
                    bar[0] == video for bar in (row["detail"] or {}).get("bars", [])
                ):
                    found.append(table.name)
    return found


def test_a_video_is_erased_from_everywhere(installation, rows, job) -> None:
    video = put(
        installation,
        job.clips["red-low"],
        NAME,
        owner="ann",
        title=TITLE,
        subtitles=SUBTITLES,
        description="d" * 50,
    )
    kept = put(installation, job.clips["green"], "kept", title="Ouagadougou by night")
    vector = everything(installation, rows, video)
    content = show_video(installation, video).video.content_hash
    assert content is not None
    clip = job.clips["red-low"].read_bytes()
    assert clip in bytes_of(installation)
    (proof,) = erase_videos(installation, [video], author="ann")
    assert proof.video_id == video
    assert proof.whole
    kinds = ("video", "references", "media", "features", "previews", "suggestions", "verdicts", "vectors")
    assert {kind: proof.removed[kind] for kind in kinds} == {
        "video": 1, "references": 1, "media": 1, "features": 2, "previews": 1, "suggestions": 1, "verdicts": 1,
        "vectors": 1,
    }  # fmt: skip
    with installation.database.read() as connection:
        (found,) = connection.scalars(select(schema.suggestions.c.evidence))
    assert found == {"neighbours": [{"id": "77", "weight": 0.3}]}
    assert (proof.removed["evidence"], proof.removed["history"], proof.checked["left"]) == (2, 1, 0)
    assert left_in_rows(installation, video, content) == []
    after = bytes_of(installation)
    for secret in (content, TITLE, SUBTITLES[:100], NAME, "ninetieth", "whispered", hash_text(TITLE)):
        assert secret.encode() not in after, secret
    assert clip[:200] not in after
    if installation.database.dialect == "sqlite":
        assert vector.tobytes() not in after
    with installation.database.read() as connection:
        row = connection.execute(select(schema.erasures)).one()
        assert (row.video_id, row.author) == (video, "ann")
        assert connection.scalar(select(func.count()).select_from(schema.erasing)) == 0
    assert show_video(installation, kept).video.id == kept
    assert [one.video.id for one in find_videos(installation, Search(words="ouagadougou")).videos] == [kept]
    with pytest.raises(NotFoundError):
        show_video(installation, video)
    with pytest.raises(NotFoundError):
        erase_videos(installation, [video], author="ann")


def test_the_number_of_an_erased_video_is_never_given_again(installation) -> None:
    video = put(installation, None, "a", title="a")
    erase_videos(installation, [video], author="ann")
    assert put(installation, None, "b", title="b") > video


def test_an_erased_file_can_be_handed_in_again(installation, job) -> None:
    first = put(installation, job.clips["green"], "a")
    erase_videos(installation, [first], author="ann")
    second = put(installation, job.clips["green"], "a")
    assert second != first
    assert len(list(installation.media.keys())) == 1


def test_all_of_an_owner_goes_and_what_others_refer_to_stays(installation, job) -> None:
    own = put(installation, job.clips["red-low"], "own", owner="ann", title="mine alone")
    twice = put(installation, job.clips["low"], "one", owner="ann")
    put(installation, job.clips["low"], "two", owner="ann")
    shared = put(
        installation, job.clips["green"], "shared", owner="ann", title="ann's words", description="ann's"
    )
    put(installation, job.clips["green"], "also", owner="bob", title="bob's words")
    later = put(installation, job.clips["high"], "bobs", owner="bob", title="bob came first")
    put(installation, job.clips["high"], "anns", owner="ann", title="ann came later")
    with installation.database.write() as connection:
        connection.execute(schema.videos.update().values(shelf="labelled"))
    proofs = erase_owner(installation, "ann", author="admin")
    assert sorted(one.video_id for one in proofs if one.whole) == sorted([own, twice])
    assert sorted(one.video_id for one in proofs if not one.whole) == sorted([shared, later])
    found = show_video(installation, shared)
    assert [one.owner for one in found.references] == ["bob"]
    assert (found.video.title, found.video.description, found.video.shelf) == (
        "bob's words",
        None,
        "unlabelled",
    )
    assert (show_video(installation, later).video.title, show_video(installation, later).video.shelf) == (
        "bob came first",
        "labelled",
    )
    assert find_videos(installation, Search(words="ann*")).videos == ()
    if installation.database.dialect == "sqlite":
        assert b"ann's words" not in bytes_of(installation)
    with pytest.raises(NotFoundError, match="handed in nothing"):
        erase_owner(installation, "ann", author="admin")


def test_media_that_are_referred_to_are_their_owners(installation, job, tmp_path) -> None:
    path = Path(shutil.copy(job.clips["green"], tmp_path / "mine.mp4"))
    examples = [Example(Video("n", str(path)))]
    (one,) = put_videos(installation, examples, PutSettings(reference=True))
    (proof,) = erase_videos(installation, [one.video_id], author="ann")
    assert path.exists()
    assert proof.removed["media"] == 0


def test_nothing_is_erased_where_one_number_is_wrong(installation) -> None:
    video = put(installation, None, "a", title="a")
    with pytest.raises(NotFoundError, match="99"):
        erase_videos(installation, [video, 99], author="ann")
    assert show_video(installation, video).video.id == video


class Killed(BaseException):
    """The program ends here."""


STEPS = ("scrub_evidence", "note_wiped", "overwrite", "rows_left", "prove")


@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_it_goes_on(installation, rows, job, monkeypatch, step) -> None:
    video = put(installation, job.clips["red-low"], NAME, title=TITLE, subtitles=SUBTITLES)
    everything(installation, rows, video)
    content = show_video(installation, video).video.content_hash

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(erase, step, die)
        with pytest.raises(Killed):
            erase_videos(installation, [video], author="ann")
    with pytest.raises(NotFoundError):
        show_video(installation, video)
    if step in STEPS[:2]:
        results = list(
            put_videos(installation, [Example(Video("n", str(job.clips["red-low"])))], PutSettings())
        )
        assert isinstance(results[0], Refused)
        assert isinstance(results[0].error, ConflictError)
    (proof,) = finish_erasing(installation)
    assert proof.video_id == video
    assert proof.removed["media"] <= 1
    assert left_in_rows(installation, video, content) == []
    after = bytes_of(installation)
    assert (content or "").encode() not in after
    if installation.database.dialect == "sqlite":
        assert TITLE.encode() not in after
    assert finish_erasing(installation) == []


def test_killed_within_a_file_step_it_goes_on(installation, rows, job, monkeypatch) -> None:
    video = put(installation, job.clips["red-low"], NAME, title=TITLE)
    everything(installation, rows, video)

    def die(*_: object) -> bool:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(type(installation.media), "remove", die)
        with pytest.raises(Killed):
            erase_videos(installation, [video], author="ann")
    assert len(finish_erasing(installation)) == 1
    assert list(installation.media.keys()) == []


def test_without_a_clean_search_there_is_no_proof(installation, job, monkeypatch) -> None:
    video = put(installation, job.clips["green"], "a")
    with monkeypatch.context() as patch:
        patch.setattr(type(installation.media), "remove", lambda *_: False)
        with pytest.raises(StorageError, match=r"media \(1\)"):
            erase_videos(installation, [video], author="ann")
    with installation.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.erasures)) == 0


def test_bytes_that_rows_left_behind_are_written_anew(sqlite_installation, job, monkeypatch) -> None:
    installation = sqlite_installation
    video = put(installation, job.clips["green"], "a", title=TITLE)
    with monkeypatch.context() as patch:
        found = iter([1])
        real = leftovers.bytes_left
        patch.setattr(leftovers, "bytes_left", lambda *call: next(found, None) or real(*call))
        erase_videos(installation, [video], author="ann")
    assert TITLE.encode() not in (installation.home / "library.sqlite").read_bytes()


def test_many_are_erased_and_none_of_them_stays_in_the_file(sqlite_installation) -> None:
    installation = sqlite_installation
    secrets = {}
    for number in range(150):
        title = f"secret-{number * 7919:08d}-" + "x" * (number % 90)
        secrets[
            put(
                installation,
                None,
                f"name-{number:06d}-of-a-video",
                owner="ann" if number % 3 else "bob",
                title=title,
            )
        ] = title
    erase_owner(installation, "ann", author="admin")
    data = (installation.home / "library.sqlite").read_bytes()
    with installation.database.read() as connection:
        left = set(connection.scalars(select(schema.videos.c.id)))
    assert len(left) == 50
    for video, title in secrets.items():
        assert (title[:16].encode() in data) == (video in left)


def test_titles_alone_are_erased(installation) -> None:
    video = put(installation, None, "a name that is long enough", title=TITLE)
    (proof,) = erase_videos(installation, [video], author="ann")
    assert proof.removed["video"] == 1
    if installation.database.dialect == "sqlite":
        assert TITLE.encode() not in bytes_of(installation)


def test_what_a_worker_wrote_down_after_the_erasure_goes_too(installation, job) -> None:
    from tagtower.config.installation import WorkerSettings
    from tagtower.library.shelves import take

    video = put(installation, job.clips["green"], "n", title=TITLE)
    kept = put(installation, job.clips["low"], "kept")
    with installation.database.write() as connection:
        leased = take(connection, "worker", 2, now=installation.clock(), rules=WorkerSettings())
    erase_videos(installation, [video], author="ann")
    installation.features.mkdir(exist_ok=True)
    path = installation.features / "features.sqlite"
    contents = [one.content_hash or "" for one in leased] + [hash_text(TITLE)]
    with closing(FeatureStore(path)) as features:
        features.put_many({FeatureKey(one, "spec", CENTRE): np.zeros(9, np.float32) for one in contents})
    assert erase.forget_erased(installation, leased) == 1
    with closing(FeatureStore(path)) as features:
        assert features.holds([one.content_hash or "" for one in leased if one.id == kept]) == 1
        assert features.size().entries == 1

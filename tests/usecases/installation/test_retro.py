"""A new tag finds the stored videos it fits, never against what a person said, and a preview tells beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from sqlalchemy import insert, select

from tagtower.config.installation import SuggestionSettings
from tagtower.errors import ConflictError, TagLibraryError
from tagtower.library.models import ModelRecord, NewModel, add_model
from tagtower.library.schema import answers, barred, suggestions, sweeps, verdicts, videos
from tagtower.library.suggestions import Suggested, write_suggestions
from tagtower.library.sweeps import ask_for_missing
from tagtower.library.vectors import VectorStore, vector_store
from tagtower.pipeline.vectors import encode_tags
from tagtower.ranking.calibration import Calibration, ProbabilityMap
from tagtower.ranking.folder import Ranking
from tagtower.usecases.installation import curate, retro
from tagtower.usecases.installation.curate import Editing
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.ranking import TagOrders
from tagtower.usecases.session import Session

BY = Editing("ada")
LEVELS = np.linspace(0.0, 1.0, 101)
SURE = Calibration(
    known=ProbabilityMap(LEVELS - 1, LEVELS),
    new=ProbabilityMap(LEVELS - 1, LEVELS * 0.8),
    precisions=np.linspace(0.01, 0.99, 99),
)
"""A known tag at distance d is right with probability 1 - d, a new one with 0.8 (1 - d)."""


@dataclass
class Stored:
    """An installation with an active model and stored videos, each near one of some texts."""

    installation: Installation
    session: Session
    vectors: VectorStore
    model: ModelRecord

    def add(self, text: str, distance: float) -> int:
        """Store a labelled video as far from a tag's text as this."""
        (tag,) = encode_tags(self.session.model.tower, [text])
        side = np.random.default_rng(len(text)).standard_normal(len(tag))
        side -= side @ tag * tag
        side /= np.linalg.norm(side)
        cosine = 1 - distance
        vector = cosine * tag + np.sqrt(1 - cosine**2) * side
        at = self.installation.clock()
        with self.installation.database.write() as connection:
            row = {"title": f"of {text}", "added_at": at, "shelf": "labelled", "shelved_at": at}
            video = connection.scalar(insert(videos).values(row).returning(videos.c.id))
            self.vectors.add(connection, self.model.id, [video], vector[None].astype(np.float32))
        return video

    def sweep(self) -> list[retro.Swept]:
        return retro.run_sweeps(self.installation, self.session, vectors=self.vectors)

    def suggested(self) -> dict[tuple[int, str], str]:
        """The origin of each suggestion by video and tag."""
        from tagtower.library.schema import tags

        with self.installation.database.read() as connection:
            rows = connection.execute(
                select(suggestions.c.video_id, tags.c.text, suggestions.c.origin).join_from(suggestions, tags)
            ).all()
        return {(video, text): origin for video, text, origin in rows}


@pytest.fixture
def stored(installation: Installation, session: Session) -> Stored:
    opened = replace(
        session, orders=TagOrders(session.model, Ranking(None, None, {"tower": SURE}), session.tags)
    )
    with installation.database.write() as connection:
        model = add_model(
            connection,
            NewModel(
                "first",
                "first",
                session.model.model_fingerprint,
                session.model.vector_fingerprint,
                session.model.tower.width,
                "cosine",
                {},
            ),
            installation.clock(),
        )
    return Stored(installation, opened, vector_store(installation.database, installation.vectors), model)


def test_a_new_tag_is_suggested_on_the_stored_videos_that_it_fits(stored: Stored) -> None:
    near, far = stored.add("eclipse", 0.1), stored.add("eclipse", 0.7)
    curate.add(stored.installation, BY, "eclipse")
    assert [one.to_json() for one in stored.sweep()] == [
        {"tag": "eclipse", "hits": 1, "suggested": 1, "reason": None}
    ]
    assert stored.suggested() == {(near, "eclipse"): "retro"}
    with stored.installation.database.read() as connection:
        row = connection.execute(select(suggestions)).one()
    assert (row.distance, row.score) == pytest.approx((0.1, 0.72), abs=1e-4)
    assert stored.sweep() == []
    assert far


def test_a_preview_tells_beforehand_and_changes_nothing(stored: Stored) -> None:
    near = [stored.add("eclipse", distance) for distance in (0.3, 0.1, 0.2)]
    stored.add("eclipse", 0.7)

    def preview(**more):
        return retro.preview(
            stored.installation, "eclipse", session=stored.session, vectors=stored.vectors, **more
        )

    found = preview(shown=2)
    assert (found.count, found.suggested, found.stored, found.taken) == (3, 3, 4, None)
    assert [one.video for one in found.hits] == [near[1], near[2]]
    assert found.hits[0].title == "of eclipse"
    assert found.limit.probability == pytest.approx(0.5)
    assert found.limit.distance == pytest.approx(1 - 0.5 / 0.8)
    assert preview(threshold=0.7).count == 1
    assert stored.suggested() == {}
    curate.add(stored.installation, BY, "Eclipse")
    assert preview().taken == "Eclipse"
    stored.sweep()
    assert set(stored.suggested()) == {(video, "Eclipse") for video in near}


def test_a_tag_fits_where_an_alias_of_it_does(stored: Stored) -> None:
    video = stored.add("eclipse", 0.1)
    found = retro.preview(
        stored.installation, "dark noon", ["eclipse"], session=stored.session, vectors=stored.vectors
    )
    assert [one.video for one in found.hits] == [video]
    curate.add(stored.installation, BY, "dark noon", aliases=["eclipse"])
    stored.sweep()
    assert stored.suggested() == {(video, "dark noon"): "retro"}


def test_a_tag_of_the_training_is_judged_as_a_known_one(stored: Stored) -> None:
    stored.add("red", 0.45)
    stored.add("eclipse", 0.45)
    for text, count in (("red", 1), ("eclipse", 0)):
        found = retro.preview(stored.installation, text, session=stored.session, vectors=stored.vectors)
        assert found.count == count


def test_the_threshold_of_a_person_comes_first(stored: Stored) -> None:
    near, wide = stored.add("eclipse", 0.1), stored.add("comet", 0.7)
    curate.add(stored.installation, BY, "eclipse", threshold=0.9)
    curate.add(stored.installation, BY, "comet", threshold=0.2)
    stored.sweep()
    assert (wide, "comet") in stored.suggested()
    assert (near, "eclipse") not in stored.suggested()


def test_without_calibration_the_distance_of_the_settings_counts(stored: Stored) -> None:
    near = stored.add("eclipse", 0.1)
    stored.session = replace(
        stored.session, orders=TagOrders(stored.session.model, Ranking(), stored.session.tags)
    )
    curate.add(stored.installation, BY, "eclipse")
    (swept,) = stored.sweep()
    assert swept.hits == 0
    assert "no calibration" in (swept.reason or "")
    suggestion = SuggestionSettings(max_distance=0.2)
    settings = stored.installation.settings.model_copy(update={"suggestions": suggestion})
    stored.installation = replace(stored.installation, settings=settings)
    with stored.installation.database.write() as connection:
        connection.execute(sweeps.update().values(done_at=None))
    stored.sweep()
    assert stored.suggested() == {(near, "eclipse"): "retro"}
    with stored.installation.database.read() as connection:
        assert connection.scalar(select(suggestions.c.score)) is None


def test_only_the_nearest_videos_are_suggested_where_a_tag_fits_very_many(stored: Stored) -> None:
    near = [stored.add("eclipse", distance) for distance in (0.3, 0.1, 0.2)]
    suggestion = SuggestionSettings(most_hits=2)
    settings = stored.installation.settings.model_copy(update={"suggestions": suggestion})
    stored.installation = replace(stored.installation, settings=settings)
    curate.add(stored.installation, BY, "eclipse")
    (swept,) = stored.sweep()
    assert (swept.hits, swept.suggested) == (3, 2)
    assert set(stored.suggested()) == {(near[1], "eclipse"), (near[2], "eclipse")}


def test_what_a_person_barred_or_rejected_is_not_suggested(stored: Stored) -> None:
    rejected, shut, accepted, free = (stored.add("eclipse", 0.1) for _ in range(4))
    at = stored.installation.clock()
    tag = curate.add(stored.installation, BY, "eclipse", state="quarantined").tag
    old = curate.add(stored.installation, BY, "dark noon", state="quarantined").tag
    assert tag is not None
    assert old is not None
    rows = [(rejected, old.id, "reject"), (accepted, tag.id, "accept")]
    with stored.installation.database.write() as connection:
        connection.execute(insert(barred).values(video_id=shut, tag_id=tag.id))
        connection.execute(
            insert(verdicts),
            [
                {"video_id": video, "tag_id": one, "verdict": verdict, "author": "ada", "at": at}
                for video, one, verdict in rows
            ],
        )
    curate.approve(stored.installation, BY, ["eclipse"])
    curate.merge(stored.installation, BY, ["dark noon"], "eclipse")
    stored.sweep()
    assert set(stored.suggested()) == {(accepted, "eclipse"), (free, "eclipse")}
    with stored.installation.database.read() as connection:
        kept = connection.execute(select(verdicts.c.video_id, verdicts.c.verdict)).tuples().all()
    assert sorted(kept) == sorted([(rejected, "reject"), (accepted, "accept")])


def test_what_the_model_suggested_itself_stays(stored: Stored) -> None:
    video = stored.add("eclipse", 0.1)
    tag = curate.add(stored.installation, BY, "eclipse").tag
    assert tag is not None
    with stored.installation.database.write() as connection:
        write_suggestions(
            connection,
            video,
            stored.model.id,
            [Suggested(tag.id, 1, 0.25, 0.9)],
            origin="model",
            library_version=1,
            at=stored.installation.clock(),
        )
    stored.sweep()
    assert stored.suggested() == {(video, "eclipse"): "model"}


def test_a_sweep_takes_back_what_no_longer_fits(stored: Stored) -> None:
    near, wide = stored.add("eclipse", 0.1), stored.add("eclipse", 0.35)
    curate.add(stored.installation, BY, "eclipse")
    stored.sweep()
    assert set(stored.suggested()) == {(near, "eclipse"), (wide, "eclipse")}
    curate.set_threshold(stored.installation, BY, "eclipse", 0.7)
    stored.sweep()
    assert set(stored.suggested()) == {(near, "eclipse")}


def test_a_tag_that_is_retired_before_its_sweep_is_suggested_nowhere(stored: Stored) -> None:
    stored.add("eclipse", 0.1)
    curate.add(stored.installation, BY, "eclipse")
    curate.retire(stored.installation, BY, ["eclipse"])
    assert stored.sweep() == []
    assert stored.suggested() == {}
    with stored.installation.database.read() as connection:
        assert connection.scalar(select(sweeps.c.done_at)) is not None


def test_a_sweep_whose_worker_died_is_done_by_the_next(stored: Stored, monkeypatch, clock) -> None:
    video = stored.add("eclipse", 0.1)
    curate.add(stored.installation, BY, "eclipse")
    with monkeypatch.context() as patch:
        patch.setattr(retro, "sweep_tags", _die)
        with pytest.raises(KeyboardInterrupt):
            stored.sweep()
    assert stored.sweep() == []
    clock.move(seconds=stored.installation.settings.worker.lease_seconds + 1)
    assert len(stored.sweep()) == 1
    assert stored.suggested() == {(video, "eclipse"): "retro"}


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_worker_that_lost_its_sweep_writes_nothing(stored: Stored, monkeypatch) -> None:
    stored.add("eclipse", 0.1)
    curate.add(stored.installation, BY, "eclipse")
    swept: Callable[..., list] = retro.sweep_tags

    def slow(*args, **more):
        with stored.installation.database.write() as connection:
            connection.execute(sweeps.update().values(lease_token="another"))
        return swept(*args, **more)

    monkeypatch.setattr(retro, "sweep_tags", slow)
    assert stored.sweep() == []
    assert stored.suggested() == {}


def test_a_model_asks_for_the_tags_that_came_after_its_first_answer(stored: Stored) -> None:
    video = stored.add("eclipse", 0.1)
    version = curate.add(stored.installation, BY, "comet").version
    curate.add(stored.installation, BY, "eclipse")
    at = stored.installation.clock()
    with stored.installation.database.write() as connection:
        connection.execute(sweeps.delete())
        assert ask_for_missing(connection, stored.model.id, at) == 0
        row = {"video_id": video, "model_id": stored.model.id, "library_version": version, "at": at}
        connection.execute(insert(answers).values(row))
        assert ask_for_missing(connection, stored.model.id, at) == 1
        assert ask_for_missing(connection, stored.model.id, at) == 0
    assert [one.tag for one in stored.sweep()] == ["eclipse"]


def test_what_cannot_be_previewed_is_refused(installation: Installation) -> None:
    with pytest.raises(TagLibraryError, match="blank"):
        retro.preview(installation, "  ")
    with pytest.raises(ConflictError, match="no active model"):
        retro.preview(installation, "eclipse")

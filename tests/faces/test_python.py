"""The Python class as a library user calls it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from tagtower import RankedTag, Tag, TagTower, Video
from tagtower.errors import InputError, ModelError, OfflineError, TagLibraryError, UsageError
from tagtower.usecases.label import Labelled, Unlabelled

TAGS = ["red", "low", "music", "a total solar eclipse"]


@pytest.fixture(scope="module")
def tower(trained, job):
    with TagTower.from_pretrained(trained, store=job.folder / "store") as opened:
        yield opened


def test_label_ranks_the_tags_of_each_video(tower, job):
    answers = tower.label([job.clips["red"], Video("b", str(job.clips["low"]), "a song")], TAGS, top_k=2)
    assert [type(one) for one in answers] == [Labelled, Labelled]
    assert [one.video.id for one in answers] == [str(job.clips["red"]), "b"]
    assert all(isinstance(tag, RankedTag) for tag in answers[0].tags)
    assert [tag.rank for tag in answers[0].tags] == [1, 2]
    assert answers[1].modalities["image"] == 0


def test_label_returns_what_cannot_be_read_in_its_place(tower, job):
    answers = tower.label([job.clips["missing"], job.clips["red"]], TAGS)
    assert isinstance(answers[0], Unlabelled)
    assert answers[0].error.cause == "missing"
    assert len(answers[1].tags) == 4


def test_label_by_distance_and_in_full(tower, job):
    (everything,) = tower.label([job.clips["red"]], TAGS, top_k=None)
    assert len(everything.tags) == 4
    edge = everything.tags[1].distance
    (near,) = tower.label([job.clips["red"]], TAGS, top_k=None, max_distance=edge)
    assert near.tags == everything.tags[:2]


def test_tags_may_be_texts_or_tags_and_equal_ones_are_one(tower, job):
    (answer,) = tower.label([job.clips["red"]], ["Red", Tag("red"), Tag("low", aliases=("deep",)), " LOW "])
    assert sorted(tag.tag for tag in answer.tags) == ["Red", "low"]
    with pytest.raises(TagLibraryError):
        tower.label([job.clips["red"]], [])


def test_distances_are_those_of_the_vectors(tower, job):
    videos = [job.clips["red"], job.clips["low"]]
    vectors, tags = tower.encode_videos(videos), tower.encode_tags(TAGS)
    assert vectors.shape == (2, 16)
    np.testing.assert_allclose(np.linalg.norm(tags, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(tower.distances(videos, TAGS), 1 - vectors @ tags.T, atol=1e-6)
    (answer,) = tower.label(videos[:1], TAGS, top_k=None)
    assert [tag.distance for tag in answer.tags] == pytest.approx(
        sorted(tower.distances(videos, TAGS)[0]), abs=1e-6
    )


def test_nothing_in_nothing_out(tower):
    assert tower.label([], TAGS) == []
    assert tower.encode_videos([]).shape == (0, 16)
    assert tower.encode_tags([]).shape == (0, 16)
    assert tower.distances([], TAGS).shape == (0, 4)


def test_a_video_that_cannot_be_read_is_raised_where_there_is_no_place_for_it(tower, job):
    with pytest.raises(InputError, match=r"missing\.mp4"):
        tower.encode_videos([job.clips["red"], job.clips["missing"]])
    with pytest.raises(InputError):
        tower.distances([job.clips["damaged"]], TAGS)


def test_relative_paths_are_read_from_where_one_stands(tower, job, monkeypatch):
    monkeypatch.chdir(job.folder)
    direct, described = tower.label(["clips/red.mp4", Video("b", "clips/red.mp4")], TAGS)
    assert direct.tags == described.tags


def test_a_saved_model_gives_the_same_answers_to_the_last_bit(tower, trained, job, tmp_path):
    tower.save_pretrained(tmp_path / "copy")
    answers = []
    for folder in (trained, tmp_path / "copy"):
        with TagTower.from_pretrained(folder, bypass_store=True) as model:
            assert model.model.vector_fingerprint == tower.model.vector_fingerprint
            (answer,) = model.label([job.clips["red"]], TAGS)
            answers.append(answer.tags)
    assert answers[0] == answers[1]
    with pytest.raises(UsageError, match="exists"):
        tower.save_pretrained(tmp_path / "copy")


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"no config\.json"):
        TagTower.from_pretrained(tmp_path)


def test_a_name_that_is_no_folder_is_asked_of_the_hub(trained, monkeypatch):
    asked = []

    def snapshot_download(repo_id: str) -> str:
        asked.append(repo_id)
        return str(trained)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with TagTower.from_pretrained("someone/videos", bypass_store=True) as found:
        assert found.model.folder == trained
    assert asked == ["someone/videos"]


def test_without_the_hub_the_name_is_told(monkeypatch):
    def snapshot_download(repo_id: str) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(OfflineError, match="There is no folder someone/videos"):
        TagTower.from_pretrained("someone/videos")


class FakeHub:
    """The calls that the hub would have got."""

    calls: ClassVar[list[tuple[str, dict[str, object]]]] = []

    def create_repo(self, repo_id: str, **options: object) -> None:
        self.calls.append((repo_id, options))

    def upload_folder(self, **options: object) -> object:
        self.calls.append(("upload", options))

        class Commit:
            commit_url = "https://hub/commit"

        return Commit()


def test_a_model_is_pushed_whole_and_without_its_logs(tower, monkeypatch):
    monkeypatch.setattr("huggingface_hub.HfApi", FakeHub)
    assert tower.push_to_hub("someone/videos", private=True, commit_message="first") == "https://hub/commit"
    (repo, made), (_, sent) = FakeHub.calls
    assert (repo, made) == ("someone/videos", {"private": True, "exist_ok": True})
    assert sent == {
        "repo_id": "someone/videos",
        "folder_path": tower.model.folder,
        "ignore_patterns": ["logs/*"],
        "commit_message": "first",
    }


def test_a_closed_tower_lets_go_of_its_store(trained, tmp_path):
    tower = TagTower.from_pretrained(trained, store=tmp_path / "store")
    tower.encode_tags(["red"])
    tower.close()
    tower.close()
    assert not list((tmp_path / "store").glob("*-wal"))


def test_the_class_is_found_in_the_package():
    import tagtower

    assert set(tagtower.__all__) == {"RankedTag", "Tag", "TagTower", "Video"}
    with pytest.raises(AttributeError, match="no attribute 'Tower'"):
        tagtower.Tower  # noqa: B018

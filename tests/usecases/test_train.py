"""Training as a person runs it: what comes out, what is refused, and going on after any end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from tagtower.errors import ConfigError, ManifestError, StorageError, TrainingError, UsageError
from tagtower.records import Problems
from tagtower.training.events import EpochDone
from tagtower.usecases.progress import Silent
from tagtower.usecases.train import run_settings, state_folder, train


def words_only(job, *more: str):
    """Settings of a model that reads titles alone, and trains in no time."""
    return job.settings("image.encoder=none", "audio.frontend=none", *more)


@pytest.fixture
def words(tmp_path) -> tuple[Path, Path]:
    """A manifest of titles and its library."""
    rows = [
        {"title": f"{kind} number {number}", "tags": [kind], "split": split}
        for kind in ("walk", "song", "game")
        for number, split in enumerate(("train", "train", "train", "val", "test"))
    ]
    (tmp_path / "words.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "words.txt").write_text("walk\nsong\ngame\n")
    return tmp_path / "words.jsonl", tmp_path / "words.txt"


def run(words, out, settings, **options):
    return train(*words, out, settings, bypass_store=True, **options)


def test_the_model_folder_is_whole_and_the_run_is_cleared_away(trained):
    assert {path.name for path in trained.iterdir()} >= {
        "config.json",
        "model.safetensors",
        "training_tags.json",
        "metrics.json",
        "README.md",
        "logs",
    }
    assert not state_folder(trained).exists()
    assert set(json.loads((trained / "training_tags.json").read_text())) == {
        "red", "green", "blue", "low", "high", "music",
    }  # fmt: skip
    card = (trained / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: tagtower")
    assert "6 videos, 6 tags" in card
    assert "| ndcg@10 |" in card


def test_titles_alone(job, words, tmp_path):
    report = run(words, tmp_path / "model", words_only(job))
    assert report.videos == {"train": 9, "val": 3}
    assert report.failures == ()
    assert report.to_json()["out"] == str(tmp_path / "model")
    assert report.validation.videos == 3


def test_no_labels_at_all(job, tmp_path):
    """The titles say which tags belong to a video; the run says what it took from them."""
    kinds = ("walk", "song", "game")
    rows = [
        {"title": f"{kind} number {number}", "split": split}
        for kind in kinds
        for number, split in enumerate(("train", "train", "train", "val"))
    ]
    (tmp_path / "bare.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "tags.txt").write_text("walk\nsong\ngame\nwalk of fame\n")
    told = []

    class Listening(Silent):
        def tell(self, line: str) -> None:
            told.append(line)

    inputs = tmp_path / "bare.jsonl", tmp_path / "tags.txt"
    with pytest.raises(TrainingError, match=r"No example of split 'train' has a tag(.|\n)*positives\.source"):
        run(inputs, tmp_path / "model", words_only(job))
    similar = ("positives.source=similarity", "positives.similarity=words")
    settings = words_only(job, *similar, "positives.below=0.3")
    report = run(inputs, tmp_path / "model", settings, progress=Listening(), overwrite=True)
    assert report.videos == {"train": 9, "val": 3}
    assert report.validation.videos == 3
    assert any("9 positives for 9 of 9 videos, by the words of their titles" in line for line in told)
    assert any("3 tags in between are neither" in line for line in told)
    assert set(json.loads((tmp_path / "model" / "training_tags.json").read_text())) == set(kinds)
    with pytest.raises(ConfigError, match=r"still to be trained(.|\n)*words"):
        run(inputs, tmp_path / "other", words_only(job, "positives.source=similarity"))
    (tmp_path / "tags.txt").write_text("opera\nballet\n")
    with pytest.raises(TrainingError, match=r"No title of 9 videos(.|\n)*Lower positives\.above"):
        run(inputs, tmp_path / "third", settings)


def test_what_is_allowed_and_doubtful_is_told(job, words, tmp_path):
    told = []

    class Listening(Silent):
        def tell(self, line: str) -> None:
            told.append(line)

    settings = words_only(job, "loss.name=triplet", "negatives.rule=hard", "train.epochs=1")
    run(words, tmp_path / "model", settings, progress=Listening())
    assert "hard takes the nearest tag of all" in told[0]


def test_sounds_alone(job, tmp_path):
    settings = job.settings("image.encoder=none", "text.encoder=none", "tag.encoder=bert")
    report = train(job.manifest, job.tags, tmp_path / "model", settings, store=job.folder / "store")
    # A title or a silent video is no example for a model of sounds.
    assert report.videos == {"train": 4, "val": 2}
    assert [one.video.id for one in report.failures] == ["green", "words"]


def test_videos_that_cannot_be_read_are_left_out_and_named(job, tmp_path):
    rows = [json.loads(line) for line in job.flawed.read_text().splitlines()]
    for row in rows:
        row["split"] = "train" if row["split"] == "test" else row["split"]
        row["video"] = row.get("video") and str(job.folder / row["video"])
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = train(
        tmp_path / "m.jsonl",
        job.tags,
        tmp_path / "model",
        job.settings("train.epochs=1"),
        store=job.folder / "store",
    )
    assert [one["id"] for one in report.to_json()["failed"]] == ["damaged", "missing"]
    assert report.videos["train"] == 9


def test_what_exists_is_neither_overwritten_nor_resumed_by_accident(job, words, tmp_path):
    out = tmp_path / "model"
    run(words, out, words_only(job))
    before = (out / "config.json").read_bytes()
    with pytest.raises(UsageError, match="exists"):
        run(words, out, words_only(job))
    with pytest.raises(UsageError, match="The model there is finished"):
        run(words, out, words_only(job), resume=True)
    with pytest.raises(UsageError, match="contradict"):
        run(words, out, words_only(job), resume=True, overwrite=True)
    assert (out / "config.json").read_bytes() == before
    run(words, out, words_only(job, "train.seed=1"), overwrite=True)
    assert (out / "config.json").read_bytes() != before


def test_a_folder_that_is_no_model_is_not_replaced(job, words, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(UsageError, match="no model folder"):
        run(words, tmp_path / "thesis", words_only(job), overwrite=True)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_the_folder_one_stands_in_is_no_model(job, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="exists"):
        run(words, Path(), words_only(job))


def test_settings_that_cannot_learn_are_refused_before_anything_is_read(job, tmp_path):
    settings = job.settings("loss.name=triplet", "negatives.offset=0.5")
    with pytest.raises(ConfigError, match=r"negatives\.offset"):
        train(tmp_path / "nope", tmp_path / "nope", tmp_path / "model", settings)
    assert not any(tmp_path.iterdir())


def test_a_manifest_without_anything_to_learn_from_is_refused(job, words, tmp_path):
    manifest, tags = words
    untagged = manifest.read_text().replace('"tags"', '"labels"')
    manifest.write_text(untagged)
    with pytest.raises(TrainingError, match="has a tag"):
        run((manifest, tags), tmp_path / "model", words_only(job))


def test_a_strict_run_stops_at_a_bad_row(job, words, tmp_path):
    manifest, tags = words
    manifest.write_text(manifest.read_text() + '\n{"title": 3, "tags": ["walk"]}\n')
    with pytest.raises(ManifestError, match=r"words\.jsonl:16"):
        run((manifest, tags), tmp_path / "model", words_only(job), strict=True)
    problems = Problems()
    run((manifest, tags), tmp_path / "model", words_only(job), problems=problems)
    assert any("words.jsonl:16" in problem.where for problem in problems.first)


class StopAfter:
    """Interrupts training after so many epochs, as Ctrl-C would at a bad moment."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs

    def __call__(self, event) -> None:
        if isinstance(event, EpochDone) and event.record.epoch == self._epochs:
            raise KeyboardInterrupt


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(job, words, tmp_path):
    settings = words_only(job, "train.epochs=4")
    run(words, tmp_path / "whole", settings)
    with pytest.raises(KeyboardInterrupt):
        run(words, tmp_path / "parts", settings, on_event=StopAfter(2))
    assert not (tmp_path / "parts").exists()
    assert run_settings(tmp_path / "parts") == settings
    with pytest.raises(UsageError, match="unfinished run"):
        run(words, tmp_path / "parts", settings)
    run(words, tmp_path / "parts", settings, resume=True)
    whole, parts = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all((whole[name] == parts[name]).all() for name in whole)
    assert not state_folder(tmp_path / "parts").exists()


def test_a_library_that_grew_meanwhile_does_not_keep_a_run_from_going_on(job, words, tmp_path):
    settings = words_only(job, "train.epochs=4")
    with pytest.raises(KeyboardInterrupt):
        run(words, tmp_path / "model", settings, on_event=StopAfter(2))
    _, tags = words
    tags.write_text(tags.read_text() + "xylophone quartet\n")
    run(words, tmp_path / "model", settings, resume=True)
    metrics = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert len({record["library"] for record in metrics["rounds"]}) == 2


def test_a_run_goes_on_only_with_the_data_it_began_with(job, words, tmp_path):
    settings = words_only(job, "train.epochs=4")
    with pytest.raises(KeyboardInterrupt):
        run(words, tmp_path / "model", settings, on_event=StopAfter(2))
    with pytest.raises(TrainingError, match="settings differ"):
        run(words, tmp_path / "model", words_only(job, "train.epochs=5"), resume=True)
    manifest, _ = words
    manifest.write_text("\n".join(manifest.read_text().splitlines()[1:]))
    with pytest.raises(TrainingError, match="training examples"):
        run(words, tmp_path / "model", settings, resume=True)


def test_a_full_disk_while_features_are_stored_is_told_and_the_run_goes_on_later(job, tmp_path, monkeypatch):
    from tagtower.features.store import FeatureStore

    out, settings = tmp_path / "model", job.settings("train.epochs=1")
    with monkeypatch.context() as patch:
        original, calls = FeatureStore.put_many, []

        def full(self, arrays):
            calls.append(arrays)
            if len(calls) > 2:
                raise StorageError("the disk is full", hint="Free some space.")
            original(self, arrays)

        patch.setattr(FeatureStore, "put_many", full)
        with pytest.raises(StorageError):
            train(job.manifest, job.tags, out, settings, store=tmp_path / "store")
    assert not out.exists()
    train(job.manifest, job.tags, out, settings, store=tmp_path / "store", resume=True)
    assert (out / "config.json").exists()


def test_training_starts_from_the_weights_of_a_model(job, words, tmp_path):
    settings = words_only(job)
    run(words, tmp_path / "first", settings)
    seen = []
    again = words_only(job, "loss.name=triplet", "train.epochs=1")
    run(words, tmp_path / "second", again, warm_start=tmp_path / "first", on_event=seen.append)
    first = json.loads((tmp_path / "first" / "metrics.json").read_text())
    before = next(event.record for event in seen if isinstance(event, EpochDone))
    assert before.metrics.ndcg_at_10 == pytest.approx(first["validation"]["ndcg@10"])


def test_a_model_with_other_towers_is_no_start(job, words, tmp_path, trained):
    with pytest.raises(UsageError, match="other towers: audio, image differ"):
        run(words, tmp_path / "model", words_only(job), warm_start=trained)
    assert not any(path.name.startswith("model") for path in tmp_path.iterdir())


def test_a_moved_model_gives_the_same_vectors(job, words, tmp_path, trained):
    from tagtower.towers import load_model

    moved = shutil.copytree(trained, tmp_path / "elsewhere")
    assert load_model(moved).vector_fingerprint == load_model(trained).vector_fingerprint

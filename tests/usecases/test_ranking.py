"""A model with a ranker, from training to answers: the order, its evidence, further neighbours, probabilities."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tagtower.errors import ManifestError, UsageError
from tagtower.library.tagfile import read_tag_library
from tagtower.library.tags import TagLibrary
from tagtower.ranking.calibration import Calibration, ProbabilityMap
from tagtower.ranking.folder import RANKER
from tagtower.records import Evidence, Example, Problems, Tag, Video
from tagtower.towers import load_model
from tagtower.training.events import EpochDone
from tagtower.training.manifest import read_manifest
from tagtower.usecases.evaluate import evaluate
from tagtower.usecases.evaluation_report import write_evaluation_report
from tagtower.usecases.label import label
from tagtower.usecases.proposal_evidence import proposal_evidence
from tagtower.usecases.ranking import parse_ranker, read_neighbours
from tagtower.usecases.session import Session, open_session
from tagtower.usecases.train import train

from .conftest import OVERRIDES


@pytest.fixture(scope="module")
def words(titled) -> tuple[Path, Path]:
    return titled


@pytest.fixture(scope="module")
def model(titled_model) -> Path:
    return titled_model


@pytest.fixture(scope="module")
def hybrid(model):
    with open_session(model, bypass_store=True) as session:
        yield session


@pytest.fixture
def library(words) -> TagLibrary:
    return read_tag_library(words[1], Problems())


def rows(words) -> tuple[Example, ...]:
    return read_manifest(words[0], problems=Problems()).examples


def test_the_folder_holds_the_ranker_and_says_how_it_did(model):
    assert {file.name for file in (model / "ranking").iterdir()} >= {RANKER, "neighbours.json"}
    metrics = json.loads((model / "metrics.json").read_text())
    assert metrics["ranked"]["videos"] == 20
    assert "with the ranker" in (model / "README.md").read_text()
    loaded = load_model(model)
    assert loaded.vector_fingerprint != loaded.model_fingerprint
    assert not (model.parent / "model.training").exists()


def test_the_ranker_beats_the_towers(hybrid, words, library):
    ranked, plain = (evaluate(hybrid, rows(words), library, ranker=name) for name in (None, "tower"))
    assert (ranked.ranker, plain.ranker) == ("hybrid", "tower")
    assert ranked.result.all.ndcg_at_10 > plain.result.all.ndcg_at_10
    np.testing.assert_array_equal(ranked.distances, plain.distances)


def test_a_video_of_training_is_not_its_own_neighbour(hybrid, words, library):
    ids = set(hybrid.orders.ranking.neighbours.ids)
    found = evaluate(hybrid, rows(words), library, split="train")
    assert {one.video.id for one in found.examples} == ids
    first = [found.places[row].argsort()[:3].tolist() for row in range(80)]
    evidence = proposal_evidence(hybrid, found, range(80), first)
    shown = 0
    for example, spoke in zip(found.examples, evidence, strict=True):
        for one in spoke:
            shown += len(one.neighbours)
            assert example.video.id not in {near.id for near in one.neighbours}
    assert shown > 80


def test_a_video_of_training_that_is_labelled_again_is_not_its_own_neighbour(hybrid, words, library):
    videos = [one.video for one in rows(words)[:10]]
    for answer in label(hybrid, videos, library):
        near = [one.id for tag in answer.tags for one in tag.evidence.neighbours]
        assert near
        assert answer.video.id not in near


def test_labelling_is_what_was_evaluated(hybrid, words, library):
    found = evaluate(hybrid, rows(words), library)
    answers = list(label(hybrid, [one.video for one in found.examples[:3]], library))
    for row, answer in enumerate(answers):
        order = np.argsort(found.places[row])
        assert [tag.tag for tag in answer.tags] == [library.texts[tag] for tag in order]
        np.testing.assert_allclose(
            [tag.distance for tag in answer.tags], found.distances[row][order], atol=1e-5
        )
        assert (answer.model, answer.ranker) == (hybrid.model.model_fingerprint, "hybrid")


def test_answers_say_what_spoke(hybrid, library):
    (answer,) = label(hybrid, [Video("x", title="two cats at the sea")], library)
    by_tag = {one["tag"]: one["evidence"] for one in answer.to_json()["tags"]}
    assert by_tag["cat"]["mentions"] == [{"text": "cats", "field": "title"}]
    assert by_tag["sea"]["neighbours"]
    assert set(by_tag["sea"]["neighbours"][0]) == {"id", "weight"}
    assert by_tag["solar eclipse"]["neighbours"] == by_tag["solar eclipse"]["mentions"] == []


def test_labelled_videos_join_without_training(hybrid, library):
    new = ["nocturne", "quartet", "ballad", "fugue"]
    grown = TagLibrary.from_tags([*library.tags, *map(Tag, new)])
    video = Video("x", title="a song in the night 99")

    def order(**options) -> tuple[list[str], dict[str, Evidence]]:
        (answer,) = label(hybrid, [video], grown, **options)
        return [one.tag for one in answer.tags if one.tag in new], {
            one.tag: one.evidence for one in answer.tags
        }

    before, _ = order()
    last = before[-1]
    further = [Example(Video(f"n{row}", title=f"a song in the night {row}"), (last,)) for row in range(20)]
    after, evidence = order(neighbours=read_neighbours(hybrid.model, hybrid.extractor, further, Problems()))
    assert after[0] == last
    assert {one.id for one in evidence[last].neighbours} <= {one.video.id for one in further}
    assert len(evidence[last].neighbours) == 5


def test_a_video_is_never_its_own_neighbour_while_it_is_evaluated(hybrid, words, library):
    problems = Problems()
    plain = evaluate(hybrid, rows(words), library)
    test = [one for one in rows(words) if one.split == "test"]
    with pytest.raises(ManifestError, match="can be a neighbour"):
        evaluate(hybrid, rows(words), library, neighbours=test, problems=problems)
    joined = evaluate(hybrid, rows(words), library, neighbours=[*test, *rows(words)[:80]])
    np.testing.assert_array_equal(joined.places, plain.places)  # those of training are known already


def test_neighbours_without_a_ranker_are_refused(hybrid, session, words, library):
    neighbours = read_neighbours(hybrid.model, hybrid.extractor, rows(words)[:3], Problems())
    with pytest.raises(UsageError, match="mean nothing to the towers alone"):
        next(label(hybrid, [], library, ranker="tower", neighbours=neighbours))
    with pytest.raises(UsageError, match="has no ranker"):
        next(label(session, [], library, ranker="hybrid"))


def test_without_its_words_a_video_is_ranked_without_words(hybrid, words, library):
    with pytest.raises(UsageError, match="reads none"):
        evaluate(hybrid, rows(words), library, modalities=("image",))


def test_a_library_is_prepared_once(hybrid, library):
    first = hybrid.orders.order(library)
    assert hybrid.orders.order(library) is first
    assert hybrid.orders.order(library, "tower") is not first


KNOWN = ProbabilityMap(np.array([-1.0, 1.0]), np.array([0.05, 0.95]))
BY_EYE = {"hybrid": Calibration(KNOWN, KNOWN, np.linspace(0.01, 0.99, 99))}


def calibrated(hybrid: Session, calibrations: dict[str, Calibration]) -> Session:
    """The same model with other calibrations."""
    ranking = replace(hybrid.orders.ranking, calibrations=calibrations)
    return replace(hybrid, orders=type(hybrid.orders)(hybrid.model, ranking, hybrid.tags))


def test_a_precision_cuts_what_is_doubtful(hybrid, words, library):
    session, video = calibrated(hybrid, BY_EYE), Video("x", title="a walk in the park")
    (everything,) = label(session, [video], library)
    scores = [tag.score for tag in everything.tags]
    assert scores == sorted(scores, reverse=True)
    (sure,) = label(session, [video], library, precision=0.6)
    assert [tag.tag for tag in sure.tags] == [tag.tag for tag in everything.tags if tag.score >= 0.6]
    with pytest.raises(UsageError, match="no calibration"):
        next(label(calibrated(hybrid, {}), [video], library, precision=0.6))


def test_the_report_shows_how_far_probabilities_hold(hybrid, words, library, tmp_path):
    session = calibrated(hybrid, BY_EYE)
    found = evaluate(session, rows(words), library)
    figures = found.to_json()["calibration"]
    assert figures["all"]["pairs"] == 20 * 10
    write_evaluation_report(tmp_path / "report.html", session, found, "test")
    page = (tmp_path / "report.html").read_text()
    assert "Precision bought by silence" in page
    assert f"{figures['all']['calibration_error']:.3f}" in page
    assert "by the learned ranker" in page
    assert 'title="The title mentions it">“<bdi>' in page
    assert "A similar labelled video has it" in page


def test_a_run_that_was_stopped_goes_on_to_the_same_ranker(job, words, model, tmp_path, monkeypatch):
    from tagtower.usecases import train_ranking

    class Stop(train_ranking._Steps):
        def __call__(self, event) -> None:
            if isinstance(event, EpochDone) and event.record.epoch == 1:
                raise KeyboardInterrupt

    out, settings = tmp_path / "model", job.settings(*OVERRIDES)
    with monkeypatch.context() as patch:
        patch.setattr(train_ranking, "_Steps", Stop)
        with pytest.raises(KeyboardInterrupt):
            train(*words, out, settings, bypass_store=True)
    assert not out.exists()
    train(*words, out, settings, bypass_store=True, resume=True)
    for name in (RANKER, "neighbours.safetensors", "neighbours.json"):
        assert (out / "ranking" / name).read_bytes() == (model / "ranking" / name).read_bytes()
    assert load_model(out).model_fingerprint == load_model(model).model_fingerprint


def test_of_many_videos_the_ranker_learns_from_some_of_all_times(job, words, tmp_path, monkeypatch):
    from tagtower.usecases import train_ranking

    asked: list[np.ndarray] = []

    def spy(values, videos, *rest, **named):
        asked.append(np.unique(videos))
        return plain(values, videos, *rest, **named)

    plain = train_ranking.train_ranker
    monkeypatch.setattr(train_ranking, "train_ranker", spy)
    monkeypatch.setattr(train_ranking, "MOST_VIDEOS", 8)
    settings = job.settings(*OVERRIDES, "train.epochs=1", "ranking.trees=1")
    train(*words, tmp_path / "model", settings, bypass_store=True)
    (few,) = asked
    assert few.tolist() == list(range(48, 80, 4))  # of two fifths of 80


def test_auto_trains_a_ranker_from_enough_videos_on(job):
    from tagtower.usecases.train_ranking import ENOUGH_VIDEOS, wants_ranker

    assert wants_ranker(job.settings(), ENOUGH_VIDEOS)
    assert not wants_ranker(job.settings(), ENOUGH_VIDEOS - 1)
    assert wants_ranker(job.settings("ranking.kind=hybrid"), 2)
    assert not wants_ranker(job.settings("ranking.kind=tower"), 10**6)


def test_rankers_by_name():
    assert (parse_ranker(None), parse_ranker("tower"), parse_ranker("hybrid")) == (None, "tower", "hybrid")
    with pytest.raises(UsageError, match="no ranker 'best'"):
        parse_ranker("best")

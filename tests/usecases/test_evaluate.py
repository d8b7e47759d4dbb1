"""Evaluation: the keys of the contract, and figures that plain Python finds again in the written vectors."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tagtower.errors import ManifestError, UsageError
from tagtower.library.tagfile import read_tag_library
from tagtower.records import Problems
from tagtower.training.manifest import read_manifest
from tagtower.usecases.embed import embed
from tagtower.usecases.evaluate import evaluate
from tagtower.usecases.evaluation_report import write_evaluation_report
from tagtower.usecases.progress import Silent

KEYS = ["videos", "recall@1", "recall@5", "recall@10", "precision@5", "map", "ndcg@10", "mrr"]


@pytest.fixture
def library(job):
    return read_tag_library(job.tags, Problems())


def rows(path):
    return read_manifest(path, problems=Problems()).examples


def plain_metrics(vectors, tag_vectors, relevant, candidates):
    """The metrics by their definitions, one video and one tag at a time."""
    scores: dict[str, list[float]] = {key: [] for key in KEYS[1:]}
    for vector, wanted in zip(vectors, relevant, strict=True):
        if not wanted:
            continue
        order = sorted(candidates, key=lambda tag: (np.float32(1 - vector @ tag_vectors[tag]), tag))
        hits = [rank for rank, tag in enumerate(order, start=1) if tag in wanted]
        for cut in (1, 5, 10):
            scores[f"recall@{cut}"].append(sum(rank <= cut for rank in hits) / len(wanted))
        scores["precision@5"].append(sum(rank <= 5 for rank in hits) / 5)
        scores["map"].append(sum(k / rank for k, rank in enumerate(hits, start=1)) / len(wanted))
        ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(10, len(wanted)) + 1))
        scores["ndcg@10"].append(sum(1 / math.log2(rank + 1) for rank in hits if rank <= 10) / ideal)
        scores["mrr"].append(1 / hits[0])
    return {"videos": len(scores["mrr"])} | {key: np.mean(values) for key, values in scores.items() if values}


def test_json_has_the_keys_of_the_contract(session, job, library):
    found = evaluate(session, rows(job.manifest), library).to_json()
    groups = ["all", "seen", "unseen", "unseen_in_full"]
    assert list(found) == ["videos", "tags", "model", "library", "ranker", *groups, "calibration", "gates"]
    assert (found["videos"], found["tags"], found["model"]) == (3, 7, session.model.vector_fingerprint)
    assert all(list(found[group]) == KEYS for group in groups)
    assert list(found["gates"]) == ["image", "audio", "text"]
    assert (found["ranker"], found["calibration"]) == ("tower", None)
    assert sum(found["gates"].values()) == pytest.approx(1, abs=1e-5)
    json.dumps(found, allow_nan=False)


def test_figures_are_those_of_the_written_vectors(session, job, library, tmp_path):
    manifest = tmp_path / "test.jsonl"
    listed = [json.loads(line) for line in job.manifest.read_text().splitlines()]
    for row in listed:
        row |= {"split": "test", "video": row.get("video") and str(job.folder / row["video"])}
    listed[0]["tags"] += ["silence"]  # a tag that training never saw
    manifest.write_text("\n".join(map(json.dumps, listed)))
    found = evaluate(session, rows(manifest), library)
    for inputs, tags, name in (([str(manifest)], None, "v.npz"), ([], job.tags, "t.npz")):
        embed(session, inputs, tags, tmp_path / name, problems=Problems(), progress=Silent())
    with np.load(tmp_path / "v.npz") as videos, np.load(tmp_path / "t.npz") as tags:
        vectors, tag_vectors, texts = videos["vector"], tags["vector"].astype(np.float64), tags["id"].tolist()
    relevant = [{texts.index(tag) for tag in row["tags"]} for row in listed]
    unseen = {texts.index("silence")}
    seen = set(range(7)) - unseen
    expected = {
        "all": (relevant, range(7)),
        "seen": ([wanted & seen for wanted in relevant], sorted(seen)),
        "unseen": ([wanted & unseen for wanted in relevant], sorted(unseen)),
        "unseen_in_full": ([wanted & unseen for wanted in relevant], range(7)),
    }
    for group, (wanted, candidates) in expected.items():
        plain = plain_metrics(vectors.astype(np.float64), tag_vectors, wanted, candidates)
        assert found.to_json()[group] == pytest.approx(plain, abs=1e-6), group


def test_videos_that_cannot_be_read_are_left_out_and_listed(session, job, library):
    found = evaluate(session, rows(job.flawed), library)
    assert [one.video.id for one in found.failures] == ["damaged", "missing"]
    assert [example.video.id for example in found.examples] == ["red", "green-low", "high"]


def test_one_modality_alone(session, job, library):
    found = evaluate(session, rows(job.manifest), library, modalities=("audio",))
    assert [example.video.id for example in found.examples] == ["green-low", "high"]
    assert len(found.failures) == 1
    assert found.gates == {"image": 0, "audio": 1, "text": 0}


def test_a_split_that_is_empty_says_which_there_are(session, job, library):
    kept = [example for example in rows(job.manifest) if example.split != "test"]
    with pytest.raises(ManifestError, match=r"no examples in split 'test' \(it has: train 6, val 2\)"):
        evaluate(session, kept, library)


def test_a_split_without_a_readable_video_names_the_first_reason(session, job, library):
    bad = [example for example in rows(job.flawed) if example.video.id in ("damaged", "missing")]
    with pytest.raises(ManifestError, match=r"None of the 2 videos .*damaged\.mp4"):
        evaluate(session, bad, library)


def test_a_library_without_any_of_the_tags_is_refused(session, job, tmp_path):
    (tmp_path / "other.txt").write_text("boat\nhouse\n")
    with pytest.raises(ManifestError, match="has a tag of the library"):
        evaluate(session, rows(job.manifest), read_tag_library(tmp_path / "other.txt", Problems()))


def test_modalities_that_the_model_does_not_read_are_refused(session, job, library, monkeypatch):
    monkeypatch.setattr(session.model.tower, "modalities", ("image", "text"))
    with pytest.raises(UsageError, match="reads none of: audio"):
        evaluate(session, rows(job.manifest), library, modalities=("audio",))


def test_the_report_is_one_page_with_a_picture_of_each_video(session, job, library, tmp_path):
    found = evaluate(session, rows(job.manifest), library)
    write_evaluation_report(tmp_path / "report.html", session, found, "test")
    page = (tmp_path / "report.html").read_text()
    assert "music at the sea" in page
    assert "data:image/jpeg;base64," in page
    assert "model on test" in page
    assert "The frame that fits it best" in page
    for outside in ('src="http', 'href="http', "<script src", '<link rel="stylesheet"'):
        assert outside not in page

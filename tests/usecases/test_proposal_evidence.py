"""The evidence in a report is that of labelling, and only of what the evaluation heard."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from tagtower.library.tagfile import read_tag_library
from tagtower.records import Problems
from tagtower.training.manifest import read_manifest
from tagtower.usecases.evaluate import evaluate
from tagtower.usecases.label import label
from tagtower.usecases.proposal_evidence import proposal_evidence


@pytest.fixture
def library(job):
    return read_tag_library(job.tags, Problems())


@pytest.fixture
def examples(job):
    return [one for one in read_manifest(job.manifest, problems=Problems()).examples if one.split == "test"]


def test_it_is_that_of_labelling(session, library, examples):
    found = evaluate(session, examples, library)
    tags = [[3, 0], [5]]
    spoke = proposal_evidence(session, found, [2, 0], tags)
    answers = list(label(session, [found.examples[row].video for row in (2, 0)], library))
    for answer, chosen, evidence in zip(answers, tags, spoke, strict=True):
        by_tag = {tag.tag: tag.evidence for tag in answer.tags}
        for tag, one in zip(chosen, evidence, strict=True):
            expected = by_tag[library.texts[tag]]
            assert one.second == expected.second
            for a, b in zip(one.modalities, expected.modalities, strict=True):
                assert (a.modality, a.weight) == (b.modality, pytest.approx(b.weight, abs=1e-5))
                assert a.gain == (None if b.gain is None else pytest.approx(b.gain, abs=1e-5))


def test_what_was_not_heard_is_no_evidence(session, library, examples):
    found = evaluate(session, examples, library, modalities=("audio", "text"))
    row = next(row for row, one in enumerate(found.examples) if one.video.id == "green-low")
    ((evidence,),) = proposal_evidence(session, found, [row], [[0]])
    assert [one.modality for one in evidence.modalities] == ["audio", "text"]
    assert evidence.second is None


def test_a_video_that_is_gone_meanwhile_has_no_evidence(session, job, library, examples, tmp_path):
    copy = shutil.copy(job.clips["red"], tmp_path / "red.mp4")
    first = replace(examples[0], video=replace(examples[0].video, media=str(copy)))
    found = evaluate(session, [first, *examples[1:]], library)
    (tmp_path / "red.mp4").unlink()
    (gone,), (here,) = proposal_evidence(session, found, [0, 1], [[0], [0]])
    assert gone.modalities == ()
    assert here.modalities


def test_nothing_is_shown_of_no_video(session, library, examples):
    assert proposal_evidence(session, evaluate(session, examples, library), [], []) == []

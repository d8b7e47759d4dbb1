"""What the towers say of each tag: the modality without which it would be farther, and the second it fits best."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.library.tags import TagLibrary
from tagtower.pipeline.moments import frame_vectors
from tagtower.pipeline.vectors import embed_videos
from tagtower.records import RankedTag, Tag, Video
from tagtower.usecases.label import label
from tagtower.usecases.witness import TowerWitness

LIBRARY = TagLibrary.from_tags(map(Tag, ("red", "green", "blue", "low", "high", "music")))


@pytest.fixture
def video(job) -> Video:
    return Video("red", str(job.clips["red"]), "music at the sea")


def test_a_gain_is_the_distance_that_a_modality_saves(session, video):
    tower = session.model.tower
    (answer,) = label(session, [video], LIBRARY)
    features = list(session.extractor.extract([video]))
    tags = session.tags.encode(LIBRARY.texts)
    for modality in ("image", "text"):
        rest = [one for one in tower.modalities if one != modality]
        (without,) = embed_videos(tower, features, modalities=rest)
        for tag in answer.tags:
            (found,) = (one for one in tag.evidence.modalities if one.modality == modality)
            expected = 1 - float(tags[LIBRARY.texts.index(tag.tag)] @ without.vector) - tag.distance
            assert found.gain == pytest.approx(expected, abs=1e-5)
            assert found.weight == answer.modalities[modality]


def test_the_only_modality_has_no_gain_and_words_have_no_second(session):
    (answer,) = label(session, [Video("words", None, "a walk")], LIBRARY, top_k=1)
    (only,) = answer.tags[0].evidence.modalities
    assert (only.modality, only.weight, only.gain) == ("text", 1.0, None)
    assert answer.tags[0].evidence.second is None


def test_many_videos_at_once_get_what_each_gets_alone(session, job):
    videos = [
        Video("red", str(job.clips["red"]), "music at the sea"),
        Video("low", str(job.clips["low"]), None),
        Video("words", None, "a walk"),
    ]
    asked = []
    for number, extracted in enumerate(session.extractor.extract(videos)):
        (embedded,) = embed_videos(session.model.tower, [extracted])
        ranked = [
            RankedTag(text, rank, 0.5, None) for rank, text in enumerate(LIBRARY.texts[number:], start=1)
        ]
        asked.append((embedded, frame_vectors(session.model.tower, extracted), ranked))
    asked.append((*asked[0][:2], []))
    witness = TowerWitness(session, LIBRARY)
    together = witness.of_all(asked)
    assert [len(own) for own in together] == [6, 5, 4, 0]
    for own, (embedded, frames, ranked) in zip(together, asked, strict=True):
        for found, alone in zip(own, witness(embedded, frames, ranked), strict=True):
            assert (found.tag, found.evidence.second) == (alone.tag, alone.evidence.second)
            assert [one.modality for one in found.evidence.modalities] == [
                one.modality for one in alone.evidence.modalities
            ]
            for one, other in zip(found.evidence.modalities, alone.evidence.modalities, strict=True):
                assert one.weight == other.weight
                assert (one.gain is None) == (other.gain is None)
                assert one.gain is None or one.gain == pytest.approx(other.gain, abs=1e-5)


def test_the_second_is_that_of_the_frame_nearest_to_the_tag(session, video):
    (answer,) = label(session, [video], LIBRARY)
    (one,) = session.extractor.extract([video])
    frames = session.model.tower.encode_frames(_tensor(one.features[0].image)).detach().numpy()
    for tag in answer.tags:
        near = (frames @ session.tags.encode([tag.tag])[0]).argmax()
        assert tag.evidence.second == pytest.approx(one.frame_seconds[near])


def test_evidence_is_left_out_on_request_and_changes_no_rank(session, video):
    (with_it,) = label(session, [video], LIBRARY)
    (without,) = label(session, [video], LIBRARY, evidence=False)
    assert without.tags[0].evidence.modalities == ()
    assert [(tag.tag, tag.distance) for tag in without.tags] == [
        (tag.tag, tag.distance) for tag in with_it.tags
    ]


def _tensor(array: np.ndarray):
    import torch

    return torch.from_numpy(array)

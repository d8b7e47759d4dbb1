"""A model of binary codes through every use case."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.library.tagfile import read_tag_library
from tagtower.records import Problems
from tagtower.training.manifest import read_manifest
from tagtower.usecases.embed import embed
from tagtower.usecases.evaluate import evaluate
from tagtower.usecases.label import Labelled, label
from tagtower.usecases.progress import Silent
from tagtower.usecases.session import open_session
from tagtower.usecases.train import train


@pytest.fixture(scope="module")
def session(job, tmp_path_factory):
    out = tmp_path_factory.mktemp("codes") / "model"
    settings = job.settings("distance.kind=hamming", "fusion.width=20", "loss.name=softmax")
    train(job.manifest, job.tags, out, settings, store=job.folder / "store")
    with open_session(out, store=job.folder / "store") as opened:
        yield opened


def test_label_evaluate_and_embed_agree_on_the_share_of_differing_bits(session, job, tmp_path):
    library = read_tag_library(job.tags, Problems())
    examples = read_manifest(job.manifest, problems=Problems()).examples
    found = evaluate(session, examples, library)
    for place, name in enumerate(("v", "t")):
        inputs, tags = ([str(job.manifest)], None) if name == "v" else ([], job.tags)
        embed(session, inputs, tags, tmp_path / f"{place}.npz", problems=Problems(), progress=Silent())
    with np.load(tmp_path / "0.npz") as videos, np.load(tmp_path / "1.npz") as tags:
        assert set(np.unique(videos["vector"])) == {-1.0, 1.0}
        rows = [videos["id"].tolist().index(one.video.id) for one in found.examples]
        expected = (videos["vector"][rows][:, None] != tags["vector"]).mean(2)
    np.testing.assert_allclose(found.distances, expected, atol=1e-6)
    answers = list(label(session, [one.video for one in found.examples], library))
    assert all(isinstance(one, Labelled) for one in answers)
    for answer, distances in zip(answers, expected, strict=True):
        order = np.argsort(distances.astype(np.float32), kind="stable")
        assert [tag.tag for tag in answer.tags] == [library.texts[tag] for tag in order]
        bits = np.array([tag.distance for tag in answer.tags]) * 20
        np.testing.assert_allclose(bits, bits.round(), atol=1e-5)

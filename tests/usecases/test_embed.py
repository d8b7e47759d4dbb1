"""Vectors in files of other programs: npz and Parquet, with ids and the model that made them."""

from __future__ import annotations

import numpy as np
import pytest

from tagtower.errors import StorageError, UsageError
from tagtower.records import Problems
from tagtower.usecases.embed import embed, parse_format
from tagtower.usecases.progress import Silent


def run(session, inputs, tags, out):
    return embed(session, inputs, tags, out, problems=Problems(), progress=Silent())


def test_npz_holds_ids_vectors_and_the_model(session, job, tmp_path):
    report = run(session, [str(job.flawed)], None, tmp_path / "v.npz")
    with np.load(tmp_path / "v.npz", allow_pickle=False) as found:
        assert found["vector"].shape == (11, 16)
        assert found["vector"].dtype == np.float32
        assert found["id"].tolist()[0] == "red-low"
        assert str(found["model"]) == session.model.vector_fingerprint
        np.testing.assert_allclose(np.linalg.norm(found["vector"], axis=1), 1, atol=1e-5)
    assert [one.video.id for one in report.failures] == ["damaged", "missing"]
    assert report.to_json()["vectors"] == 11
    assert [one["id"] for one in report.to_json()["failed"]] == ["damaged", "missing"]


def test_parquet_holds_the_same(session, job, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    run(session, [str(job.manifest)], None, tmp_path / "v.npz")
    run(session, [str(job.manifest)], None, tmp_path / "v.parquet")
    table = parquet.read_table(tmp_path / "v.parquet")
    assert table.column_names == ["id", "vector", "model"]
    with np.load(tmp_path / "v.npz") as found:
        assert table["id"].to_pylist() == found["id"].tolist()
        np.testing.assert_array_equal(np.array(table["vector"].to_pylist(), np.float32), found["vector"])
        assert set(table["model"].to_pylist()) == {str(found["model"])}


def test_tags_are_embedded_in_the_order_of_the_library(session, job, tmp_path):
    run(session, [], job.tags, tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as found:
        assert found["id"].tolist() == job.tags.read_text().split()
        np.testing.assert_array_equal(found["vector"], session.tags.encode(found["id"].tolist()))


def test_where_nothing_can_be_read_nothing_is_written(session, job, tmp_path):
    report = run(session, [str(job.clips["missing"])], None, tmp_path / "v.npz")
    assert report.vectors == 0
    assert not (tmp_path / "v.npz").exists()


def test_videos_and_tags_exclude_each_other(session, job, tmp_path):
    for inputs, tags in (([], None), ([str(job.manifest)], job.tags)):
        with pytest.raises(UsageError, match="either videos or"):
            run(session, inputs, tags, tmp_path / "v.npz")


def test_formats_follow_from_the_suffix(tmp_path):
    assert parse_format(tmp_path / "v.NPZ", overwrite=False) == "npz"
    with pytest.raises(UsageError, match=r"\.npz or \.parquet"):
        parse_format(tmp_path / "v.csv", overwrite=False)
    (tmp_path / "v.npz").write_bytes(b"x")
    with pytest.raises(UsageError, match="exists"):
        parse_format(tmp_path / "v.npz", overwrite=False)
    assert parse_format(tmp_path / "v.npz", overwrite=True) == "npz"


def test_a_place_that_cannot_be_written_is_told(session, job, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        run(session, [], job.tags, tmp_path / "file" / "v.npz")

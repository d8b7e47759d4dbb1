"""The demo as a whole: it learns, and no modality is a passenger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tagtower.errors import UsageError
from tagtower.usecases.demo import DemoReport, run_demo

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoReport:
    return run_demo(tmp_path_factory.mktemp("demo") / "out")


def test_tags_never_seen_in_training_are_found(demo: DemoReport) -> None:
    assert demo.unseen_chance < 0.4
    assert demo.unseen.recall_at_5 is not None
    assert demo.unseen.recall_at_5 >= 0.6


@pytest.mark.parametrize("modality", ["image", "audio", "text"])
def test_each_modality_alone_finds_its_own_tags(demo: DemoReport, modality: str) -> None:
    alone = demo.alone[modality]  # type: ignore[index]
    assert alone.precision >= 3 * alone.chance


def test_a_tag_added_after_training_is_used_by_the_next_video(demo: DemoReport) -> None:
    assert demo.new_tag not in [tag.tag for tag in demo.before.tags]
    # A picture has four true tags and the sound two more, so the first of more than eighty is not to be expected.
    assert demo.new_tag_rank <= 20
    assert (demo.new_tag in [tag.tag for tag in demo.after.tags]) == (
        demo.new_tag_rank <= len(demo.after.tags)
    )
    assert demo.before.model == demo.after.model
    assert demo.before.library != demo.after.library


def test_the_report_shows_clips(demo: DemoReport) -> None:
    page = demo.report.read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") >= 8
    assert "blue triangle" in page or "purple" in page


def test_the_result_is_plain_json(demo: DemoReport) -> None:
    assert json.loads(json.dumps(demo.to_json()))["unseen"]["videos"] > 0


def test_a_finished_demo_is_not_overwritten(demo: DemoReport) -> None:
    with pytest.raises(UsageError, match="--overwrite"):
        run_demo(Path(demo.folder))

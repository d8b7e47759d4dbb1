"""A corpus is whole or absent, the same for the same seed, and reads as any user's data would."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagtower.config import MediaSettings
from tagtower.errors import UsageError
from tagtower.library.tagfile import read_tag_library
from tagtower.media.decode import probe
from tagtower.records import Problems
from tagtower.storage.hashing import hash_file
from tagtower.training.manifest import read_manifest
from tagtower.usecases.demo_corpus import DemoCorpus, make_corpus
from tagtower.usecases.demo_corpus import corpus as writing
from tagtower.usecases.demo_corpus.casting import FEWEST_VIDEOS


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> DemoCorpus:
    return make_corpus(tmp_path_factory.mktemp("demo") / "corpus", seed=4, videos=FEWEST_VIDEOS)


def _hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hash_file(path) for path in folder.rglob("*") if path.is_file()}


def test_manifest_and_libraries_are_read_without_a_problem(corpus: DemoCorpus) -> None:
    problems = Problems()
    examples = read_manifest(corpus.manifest, strict=True, problems=problems).examples
    library = read_tag_library(corpus.tags, problems)
    before = read_tag_library(corpus.training_tags, problems)
    assert problems.count == 0
    assert len(examples) == FEWEST_VIDEOS
    assert set(library.texts) - set(before.texts) == set(corpus.held_out)
    assert {*library.texts, corpus.new_tag} == set(corpus.modality_of)
    trained = {tag for example in examples if example.split == "train" for tag in example.tags}
    assert trained <= set(before.texts)


def test_clips_are_short_h264_and_aac_and_hold_what_their_tags_need(corpus: DemoCorpus) -> None:
    for example in read_manifest(corpus.manifest, problems=Problems()).examples:
        assert example.video.media is not None
        info = probe(example.video.media, MediaSettings())
        needed = {corpus.modality_of[tag] for tag in example.tags}
        assert info.video_codec == ("h264" if "image" in needed else None)
        assert info.audio_codec == ("aac" if "audio" in needed else None)
        assert info.title is None
        assert (example.video.title is not None) == ("text" in needed)
        assert info.duration is not None
        assert 2.8 < info.duration < 4.3


def test_clips_of_the_new_tag_are_named(corpus: DemoCorpus) -> None:
    assert corpus.new_tag_clips
    assert all(clip.is_file() for clip in corpus.new_tag_clips)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(corpus: DemoCorpus, tmp_path: Path) -> None:
    again = make_corpus(tmp_path / "again", seed=4, videos=FEWEST_VIDEOS)
    assert _hashes(again.folder) == _hashes(corpus.folder)


def test_a_corpus_that_stands_is_kept_and_another_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Path] = []
    monkeypatch.setattr(writing, "_write_clip", lambda path, role, rng: drawn.append(path))
    manifests = []
    for seed in (1, 1, 2):
        manifests.append(make_corpus(tmp_path / "corpus", seed, FEWEST_VIDEOS).manifest.read_text())
    assert len(drawn) == 2 * FEWEST_VIDEOS
    assert manifests[0] == manifests[1] != manifests[2]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="something other"):
        make_corpus(tmp_path, 0, FEWEST_VIDEOS)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        assert total == FEWEST_VIDEOS
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_corpus(tmp_path / "corpus", 0, FEWEST_VIDEOS, interrupt)
    assert not list(tmp_path.iterdir())

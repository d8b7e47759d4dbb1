"""Words of every script, and of every field, from manifest to ranked tags."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tagtower.config import load_settings
from tagtower.library.tagfile import read_tag_library
from tagtower.records import Problems, Video
from tagtower.training.manifest import read_manifest
from tagtower.usecases.evaluate import evaluate
from tagtower.usecases.label import Labelled, label
from tagtower.usecases.session import open_session
from tagtower.usecases.train import train

ALONE = (
    "image.encoder=none",
    "audio.frontend=none",
    "text.width=32",
    "text.layers=1",
    "text.heads=2",
    "text.vocabulary=400",
    "text.dropout=0",
    "fusion.width=32",
    "train.batch_size=8",
    "train.epochs=12",
    "train.learning_rate=1e-2",
    "train.threads=1",
    "media.workers=1",
)

WORLD = {
    "日全食": "昨天的日全食真美",
    "足球": "今晚的足球比赛",
    "كسوف الشمس": "شاهدنا كسوف الشمس اليوم",
    "كرة القدم": "مباراة كرة القدم الليلة",
    "सूर्य ग्रहण": "आज का सूर्य ग्रहण देखा",
    "फुटबॉल": "आज रात फुटबॉल मैच",
}


def written(folder: Path, rows: list[dict[str, object]], tags: list[dict[str, object]]) -> tuple[Path, Path]:
    paths = folder / "manifest.jsonl", folder / "tags.jsonl"
    for path, lines in zip(paths, (rows, tags), strict=True):
        path.write_text(
            "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines), encoding="utf-8"
        )
    return paths


@pytest.mark.parametrize(
    "changes",
    [
        (),
        ("text.encoder=tfidf", "tag.memory=true"),
        ("text.encoder=cnn", "tag.encoder=lstm", 'tag.templates=["{}", "# {}"]', "tag.max_tokens=20"),
    ],
    ids=["bert", "tfidf with memory", "cnn and lstm with templates"],
)
def test_tags_in_chinese_arabic_and_hindi_are_learnt_and_found(
    tmp_path: Path, changes: tuple[str, ...]
) -> None:
    rows = [
        {"title": f"{title} {number}", "tags": [tag], "split": "val" if number == 5 else "train"}
        for tag, title in WORLD.items()
        for number in range(6)
    ]
    tags = [{"tag": tag, "aliases": ["日食"] if tag == "日全食" else []} for tag in WORLD]
    manifest, library = written(tmp_path, rows, tags)
    out = tmp_path / "model"
    settings = load_settings("tiny", overrides=[*ALONE, *changes])
    report = train(manifest, library, out, settings, store=tmp_path / "store")
    assert report.validation.recall_at_1 > 0.6, "by chance a sixth"
    with open_session(out, store=tmp_path / "store") as session:
        found = label(
            session,
            [Video(tag, title=title) for tag, title in WORLD.items()],
            read_tag_library(library, Problems()),
            top_k=1,
        )
        first = {one.video.id: one.tags[0].tag for one in found if isinstance(one, Labelled)}
    assert sum(tag == best for tag, best in first.items()) >= 5


def test_descriptions_and_subtitles_go_from_manifest_to_answers(tmp_path: Path) -> None:
    words = ("fox", "sea", "horn", "bread", "snow", "rain", "hill", "lake")
    rows: list[dict[str, object]] = []
    draw = np.random.default_rng(0)
    for number in range(96):
        one, other, third = (words[place] for place in draw.integers(0, len(words), 3))
        (tmp_path / f"{number}.srt").write_text(f"1\n00:00:01,000 --> 00:00:02,000\n<i>the {third}</i>\n")
        rows.append(
            {
                "title": f"all about the {one}",
                "description": f"and a {other}",
                "subtitles": f"{number}.srt",
                "tags": sorted({one, other, third}),
                "split": ("train", "train", "val", "test")[number % 4],
            }
        )
    rows[0]["subtitles"] = "gone.srt"
    manifest, library = written(tmp_path, rows, [{"tag": word} for word in words])
    settings = load_settings(
        "tiny", overrides=[*ALONE, "text.encoder=bow", "text.fields=title,description,subtitles"]
    )
    problems = Problems()
    train(manifest, library, tmp_path / "model", settings, store=tmp_path / "store", problems=problems)
    told = [problem for problem in problems.first if "gone.srt" in problem.what]
    assert [problem.where for problem in told] == ["line 1"]
    with open_session(tmp_path / "model", store=tmp_path / "store") as session:
        examples = read_manifest(manifest, problems=Problems()).examples
        found = evaluate(session, examples, read_tag_library(library, Problems()))
        assert found.result.all.ndcg_at_10 > 0.8, "by chance about .6"
        described, missing = label(
            session,
            [
                Video("described", description="a fox and a fox"),
                Video("missing", title="the sea", subtitles=str(tmp_path / "gone.srt")),
            ],
            read_tag_library(library, Problems()),
        )
    assert isinstance(described, Labelled)
    assert isinstance(missing, Labelled)
    assert missing.warnings == (f"{tmp_path / 'gone.srt'}: does not exist",)

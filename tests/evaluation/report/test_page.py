"""The report page: complete, self-contained, readable, and deaf to what strangers write into titles."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import numpy as np
import pytest

from tagtower.evaluation.gates import GateWeights
from tagtower.evaluation.metrics import SeenUnseenEvaluation
from tagtower.evaluation.reliability import judge_probabilities
from tagtower.evaluation.report import page
from tagtower.evaluation.report.data import (
    EpochPoint,
    MissedTag,
    ProposedTag,
    ReportData,
    TagRow,
    VideoCard,
)
from tagtower.evaluation.report.page import render_report, write_report
from tagtower.records import Evidence, MentionEvidence, ModalityEvidence, NeighbourEvidence

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></script></title><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "bell\x07 null\x00 surrogate\udcff",
    "\u202eright to left",
    "long " * 2000,
]
VOID = {"meta", "img", "input", "link", "br"}
PICTURE = b"\x89PNG\r\n\x1a\n picture"


class Page(HTMLParser):
    """Every element and all text of a page; elements that are not closed in order are an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self._open):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def spoke(text: str) -> Evidence:
    """Evidence of every kind, with `text` wherever a stranger may have written it."""
    return Evidence(
        neighbours=tuple(NeighbourEvidence(text, weight) for weight in (0.4, 0.3, 0.2)),
        mentions=(MentionEvidence(text, "title"),),
        modalities=(ModalityEvidence("image", 0.6, 0.125), ModalityEvidence("text", 0.4, -0.062)),
        second=67.3,
    )


def report(text: str = "Cats, mostly") -> ReportData:
    """A report in which every text that a stranger may have written is `text`."""
    rng = np.random.default_rng(0)
    evaluation = SeenUnseenEvaluation(np.arange(8) < 6)
    distances, relevant = rng.random((30, 8)), rng.random((30, 8)) < 0.3
    evaluation.add(distances, relevant)
    places = distances.argsort(axis=1).argsort(axis=1).astype(np.float64)
    card = VideoCard(
        id=text,
        title=text,
        ndcg=0.4,
        thumbnail=PICTURE,
        proposed=(
            ProposedTag(text, 0.2, True, True, spoke(text)),
            ProposedTag(text, 0.3, False, False),
        ),
        missed=(MissedTag(text, 17, False),),
    )
    return ReportData(
        title=text,
        created=datetime(2025, 3, 4, 9, 30, tzinfo=UTC),
        split="test",
        result=evaluation.result(),
        scores=evaluation.scores(),
        seen_tags=6,
        unseen_tags=2,
        best=(card,),
        worst=(dataclasses.replace(card, title=None, thumbnail=None),),
        tags=(
            TagRow(text, True, 3, 2, 1, 0.33, 0.5, 0.4, 4.2),
            TagRow(text, False, 0, 1, 0, None, 0.0, None, None),
        ),
        gates=GateWeights(("image", "text"), np.full((30, 2), 0.5), np.ones((30, 2), bool)),
        calibration=judge_probabilities(places, 1 - distances, relevant, np.arange(8) < 6),
        training=(EpochPoint(1, 0.9, 0.1, 0.8), EpochPoint(2, 0.5, 0.4, 0.4), EpochPoint(3, 0.4, 0.3, 0.2)),
        facts={text: {text: text}},
        settings={text: text},
    )


@cache
def plain_page() -> Page:
    return Page(render_report(report()))


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_write_stays_text(text):
    found, plain = Page(render_report(report(text))), plain_page()
    assert Counter(tag for tag, _ in found.elements) == Counter(tag for tag, _ in plain.elements)
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    assert page._readable(text[:40]) in found.text


def test_the_file_can_be_written_whatever_the_characters(tmp_path):
    write_report(tmp_path / "report.html", report(HOSTILE[5]))
    assert (tmp_path / "report.html").read_text(encoding="utf-8").lstrip().startswith("<!doctype html>")


def test_nothing_is_fetched_and_only_the_pages_own_script_may_run():
    found = plain_page()
    targets = [
        value
        for _, attributes in found.elements
        for name, value in attributes.items()
        if name in {"src", "href", "xlink:href", "srcset", "action"}
    ]
    assert all(target.startswith(("#", "data:image/")) for target in targets)
    assert "@import" not in render_report(report())
    policy = next(item["content"] for item in found.all("meta") if "http-equiv" in item)
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy


def test_every_picture_has_words_and_every_id_is_unique():
    found = plain_page()
    assert all(item["alt"] for item in found.all("img"))
    assert all(item["aria-label"] for _, item in found.elements if item.get("role") == "img")
    ids = Counter(item["id"] for _, item in found.elements if "id" in item)
    assert max(ids.values()) == 1
    assert {item["href"][1:] for item in found.all("a")} <= set(ids)


def test_headings_go_down_one_level_at_a_time():
    levels = [int(tag[1]) for tag, _ in plain_page().elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))


def test_plots_take_their_colours_from_the_page():
    svgs = re.findall(r"<svg.*?</svg>", render_report(report()), flags=re.DOTALL)
    assert len(svgs) == 10
    for svg in svgs:
        assert "var(--" in svg
        assert not re.findall(r"#[0-9a-f]{6}\b", svg)
        assert "font-family" not in svg


def test_the_page_says_what_it_measured():
    text = plain_page().text
    result = report().result
    assert f"{result.all.ndcg_at_10:.3f}" in text
    assert f"{result.unseen_in_full.mrr:.3f}" in text


def test_every_proposal_says_what_spoke_for_it():
    text = " ".join(plain_page().text.split())
    for words in (
        "image 60%",
        "text 40%",
        "image +0.12",
        "text −0.06",
        "at 1:07",
        "Cats, mostly 40%",
        "+1 similar",
    ):
        assert words in text, words
    assert "“Cats, mostly” in the title" in text


def test_where_nothing_is_known_to_speak_nothing_is_said():
    data = report()
    silent = dataclasses.replace(data.best[0], proposed=data.best[0].proposed[1:])
    text = Page(render_report(dataclasses.replace(data, best=(silent,), worst=()))).text
    assert ", evidence:" not in text
    assert "Weight of each modality:" not in text


def test_an_evaluation_with_nothing_in_it_is_still_a_page():
    nothing = SeenUnseenEvaluation(np.ones(0, bool))
    empty = ReportData(
        "Empty", datetime(2025, 1, 1, tzinfo=UTC), "val", nothing.result(), nothing.scores(), 0, 0
    )
    assert "nothing to measure" in Page(render_report(empty)).text


def test_one_modality_and_one_epoch_are_reported_in_words_and_a_dot():
    data = dataclasses.replace(
        report(),
        gates=GateWeights(("text",), np.ones((30, 1)), np.ones((30, 1), bool)),
        training=(EpochPoint(1, 0.9),),
    )
    html = render_report(data)
    assert "uses text alone" in Page(html).text
    assert "Training loss: 0.9 at epoch 1" in html


def test_a_long_table_is_cut_and_says_so():
    rows = report().tags[:1] * (page.MOST_TAG_ROWS + 7)
    text = Page(render_report(dataclasses.replace(report(), tags=rows))).text
    assert "2,000 most frequent of 2,007 tags" in text


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_lettering_has_enough_contrast(scheme):
    style = files("tagtower.evaluation.report").joinpath("templates/report.css").read_text()
    colours = dict(
        re.findall(r"--([\w-]+): (#[0-9a-f]{6})", re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme])
    )
    pairs = [
        (text, ground)
        for text in ("ink", "muted", "seen", "unseen")
        for ground in ("paper", "card", "sunken")
    ]
    for text, ground in [*pairs, ("hit", "hit-soft"), ("muted", "hit-soft"), ("unseen", "hit-soft")]:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours by WCAG 2.2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

"""The report as one HTML file that needs no network: styles, plots, pictures and its small script inside."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from tagtower.evaluation.bootstrap import BootstrapInterval, bootstrap_interval
from tagtower.evaluation.gates import gate_entropy, summarize_gates
from tagtower.evaluation.metrics import Metrics
from tagtower.evaluation.report import plots
from tagtower.evaluation.report.data import ReportData
from tagtower.storage.atomic import write_text

MOST_TAG_ROWS = 2000
"""A longer table makes the page slow to open on a telephone."""

LONGEST_TEXT = 200
"""Titles and tags are cut here (characters); some of the field are whole descriptions."""

UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that HTML forbids or UTF-8 cannot write; file names and titles from strangers hold them."""


@dataclass(frozen=True, slots=True)
class Group:
    """A column of the table of metrics: its name, which tags compete, and how they are marked."""

    key: str
    name: str
    explained: str
    candidates: int
    metrics: Metrics


def write_report(path: Path | str, data: ReportData) -> None:
    """Write the report to `path`, whole or not at all.

    Raises:
        StorageError: the disk is full or read-only.
    """
    write_text(Path(path), render_report(data))


def render_report(data: ReportData) -> str:
    """Return the report as an HTML document; whatever is in `data` appears as text, never as markup."""
    script = _asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            data=data,
            groups=_groups(data),
            interval=_interval(data),
            videos_plot=_videos_plot(data),
            training_plots=_training_plots(data),
            gate_plots=_gate_plots(data),
            calibration_plots=_calibration_plots(data),
            gates=summarize_gates(data.gates) if data.gates else (),
            tag_rows=data.tags[:MOST_TAG_ROWS],
            style=_asset("report.css"),
            script=script,
            script_digest=digest,
        )
    )


def _groups(data: ReportData) -> tuple[Group, ...]:
    everything = data.seen_tags + data.unseen_tags
    result = data.result
    return (
        Group(
            "all",
            "All tags",
            "Every tag of the library competes, every true tag counts.",
            everything,
            result.all,
        ),
        Group(
            "seen",
            "Seen tags",
            "Only tags that occurred in training, among themselves.",
            data.seen_tags,
            result.seen,
        ),
        Group(
            "unseen",
            "New tags",
            "Only tags that never occurred in training, among themselves.",
            data.unseen_tags,
            result.unseen,
        ),
        Group(
            "unseen",
            "New tags in the full library",
            "New tags again, but every familiar tag competes as well.",
            everything,
            result.unseen_in_full,
        ),
    )


def _interval(data: ReportData) -> BootstrapInterval | None:
    ndcg = data.scores.ndcg_at_10
    if np.isnan(ndcg).all():
        return None
    return bootstrap_interval(ndcg, np.where(np.isnan(ndcg), np.nan, 0.0), seed=0)


def _videos_plot(data: ReportData) -> plots.Plot | None:
    ndcg = data.scores.ndcg_at_10[~np.isnan(data.scores.ndcg_at_10)]
    if not len(ndcg):
        return None
    return plots.histogram(
        "videos", "How the videos fare", ndcg, label="nDCG@10", ends=("all missed", "perfect order")
    )


def _training_plots(data: ReportData) -> tuple[plots.Plot, ...]:
    validated = [point for point in data.training if point.validation_ndcg is not None]
    best = max(validated, key=lambda point: point.validation_ndcg or 0.0).epoch if validated else None
    series = (
        ("loss", "Training loss", ".3g", [point.loss for point in data.training]),
        ("ndcg", "Validation nDCG@10", ".3f", [point.validation_ndcg for point in data.training]),
        ("hinges", "Active hinges", ".0%", [point.active_hinges for point in data.training]),
    )
    drawn = []
    for name, heading, number, values in series:
        known = [
            (point.epoch, value)
            for point, value in zip(data.training, values, strict=True)
            if value is not None and math.isfinite(value)
        ]
        if known:
            epochs, heights = zip(*known, strict=True)
            drawn.append(plots.curve(name, heading, epochs, heights, best=best, number=number))
    return tuple(drawn)


def _gate_plots(data: ReportData) -> tuple[plots.Plot, ...]:
    if data.gates is None:
        return ()
    drawn = [plots.spreads("weights", "Weight of each modality", summarize_gates(data.gates))]
    entropy = gate_entropy(data.gates)
    entropy = entropy[~np.isnan(entropy)]
    if len(entropy):
        drawn.append(
            plots.histogram(
                "entropy",
                "How evenly they share",
                entropy,
                label="entropy of the weights",
                ends=("one decides", "all weigh the same"),
            )
        )
    return tuple(drawn)


def _calibration_plots(data: ReportData) -> tuple[plots.Plot, ...]:
    found = data.calibration
    if found is None:
        return ()
    kinds = (
        ("all", "All tags", found.all),
        ("seen", "Seen tags", found.seen),
        ("new", "New tags", found.unseen),
    )
    drawn = [
        plots.diagonal(f"said-{name}", heading, one.said, one.found, one.counts)
        for name, heading, one in kinds
        if one is not None
    ]
    coverage = found.coverage
    return (
        *drawn,
        plots.falling("coverage", "Precision bought by silence", coverage.coverage, coverage.precision),
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tagtower.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_readable,
    )
    filters: dict[str, Callable[..., str]] = {
        "percent": _percent,
        "score": _score,
        "cut": _cut,
        "data_uri": _data_uri,
        "count": "{:,}".format,
        "signed": _signed,
        "clock": _clock,
    }
    environment.filters.update(filters)
    return environment


def _readable(value: Any) -> Any:
    plain = isinstance(value, str) and not hasattr(value, "__html__")
    return UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", value) if plain else value


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{share:.1%}" if 0 < share < 0.01 or 0.99 < share < 1 else f"{share:.0%}"


def _score(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}") if round(value, 2) else "0.00"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _cut(text: str, longest: int = LONGEST_TEXT) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _data_uri(picture: bytes) -> str:
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def _asset(name: str) -> str:
    return files("tagtower.evaluation.report").joinpath("templates", name).read_text(encoding="utf-8")

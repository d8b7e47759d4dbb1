"""Small plots as SVG that takes its colours and its typeface from the page around it."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from tagtower.evaluation.gates import GateSummary

WIDTH, HEIGHT = 340, 200
"""Size in pixels at which the lettering has its nominal size; about the width of a telephone."""

THEME = {"ink": "#010101", "muted": "#010102", "line": "#010103", "mark": "#010104", "paper": "#010105"}
"""Stand-ins that matplotlib draws with, each replaced by the CSS variable of its name."""


@dataclass(frozen=True, slots=True)
class Plot:
    """An inline SVG element, its heading, and what it shows in words for those who do not see it."""

    name: str
    heading: str
    description: str
    svg: str


def curve(
    name: str,
    heading: str,
    epochs: Sequence[int],
    values: Sequence[float],
    *,
    best: int | None,
    number: str = ".3g",
) -> Plot:
    """Draw a value over the epochs, and mark the epoch that was kept; `number` is the format of the values."""
    figure, axes = _canvas()
    axes.plot(epochs, values, color=THEME["mark"], linewidth=2, solid_capstyle="round")
    if len(epochs) == 1:
        axes.plot(epochs, values, "o", color=THEME["mark"], markersize=6)
    first, last = (f"{format(values[at], number)} at epoch {epochs[at]}" for at in (0, -1))
    described = f"{heading}: {first}, {last}"
    top, bottom = max(values), min(0.0, *values)
    axes.set_ylim(bottom, (top - bottom) * 1.15 + bottom or 1.0)
    if best is not None and best in epochs:
        at = values[list(epochs).index(best)]
        axes.axvline(best, color=THEME["muted"], linewidth=1, linestyle=(0, (2, 3)))
        axes.plot([best], [at], "o", color=THEME["mark"], markeredgecolor=THEME["paper"], markersize=9)
        right = best > (epochs[0] + epochs[-1]) / 2
        axes.annotate(
            format(at, number),
            (best, at),
            xytext=(-9 if right else 9, 9),
            textcoords="offset points",
            ha="right" if right else "left",
            color=THEME["ink"],
            fontweight="bold",
        )
        described += f", {format(at, number)} at epoch {best}, which was kept"
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    if number.endswith("%"):
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    return Plot(name, heading, described + ".", _svg(figure, name))


def histogram(
    name: str, heading: str, values: Float[np.ndarray, "video"], *, label: str, ends: tuple[str, str]
) -> Plot:
    """Draw how many videos have which value in [0, 1], and mark the median; `ends` say what 0 and 1 mean."""
    counts, edges = np.histogram(values, bins=10, range=(0.0, 1.0))
    figure, axes = _canvas()
    axes.bar(edges[:-1], counts, width=0.1, align="edge", color=THEME["mark"], edgecolor=THEME["paper"])
    median = float(np.median(values))
    axes.axvline(median, color=THEME["ink"], linewidth=1.25, linestyle=(0, (2, 3)))
    axes.set_ylim(0, counts.max() * 1.22)
    right = median > 0.5
    axes.annotate(
        f"median {median:.2f}",
        (median, counts.max() * 1.2),
        xytext=(-5 if right else 5, 0),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top",
        color=THEME["ink"],
        fontweight="bold",
    )
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    axes.set_xlabel(label)
    for at, text, side in ((0, ends[0], "left"), (1, ends[1], "right")):
        axes.annotate(
            text, (at, 0), (0, -31), textcoords="offset points", ha=side, va="top", color=THEME["muted"]
        )
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    spelled = ", ".join(f"{count} from {edge:.1f}" for count, edge in zip(counts, edges[:-1], strict=True))
    return Plot(
        name, heading, f"{heading}. Videos by {label}: {spelled}; median {median:.2f}.", _svg(figure, name)
    )


def diagonal(
    name: str,
    heading: str,
    said: Float[np.ndarray, "bin"],
    found: Float[np.ndarray, "bin"],
    counts: Int[np.ndarray, "bin"],
) -> Plot:
    """Draw what was said beside what was found, in [0, 1], with larger dots for more pairs; empty bins are NaN."""
    figure, axes = _canvas()
    axes.plot([0, 1], [0, 1], color=THEME["muted"], linewidth=1, linestyle=(0, (2, 3)))
    full = counts > 0
    sizes = 20 + 160 * np.sqrt(counts[full] / counts.max())
    axes.scatter(said[full], found[full], s=sizes, color=THEME["mark"], edgecolors=THEME["paper"])
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.05)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("probability that was said")
    spelled = ", ".join(
        f"said {one:.0%}, found {other:.0%} ({count})"
        for one, other, count in zip(said[full], found[full], counts[full], strict=True)
    )
    return Plot(name, heading, f"{heading}: {spelled}.", _svg(figure, name))


def falling(
    name: str, heading: str, coverage: Float[np.ndarray, "point"], precision: Float[np.ndarray, "point"]
) -> Plot:
    """Draw the precision over the surest videos against their share of all, both in [0, 1]."""
    figure, axes = _canvas()
    # Over the first few videos alone the curve is noise.
    settled = coverage >= min(0.05, float(coverage[-1]))
    axes.plot(coverage[settled], precision[settled], color=THEME["mark"], linewidth=2)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.05)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("share of the videos, the surest first")
    shares = (0.25, 0.5, 1.0)
    spelled = ", ".join(f"{np.interp(one, coverage, precision):.0%} over {one:.0%}" for one in shares)
    return Plot(name, heading, f"{heading}. Precision@5: {spelled} of the videos.", _svg(figure, name))


def spreads(name: str, heading: str, summaries: Sequence[GateSummary]) -> Plot:
    """Draw the weight of each modality: its mean, the middle half, and nine tenths of the videos."""
    figure, axes = _canvas()
    for row, summary in enumerate(summaries):
        if summary.spread is None or summary.mean_weight is None:
            continue
        low, quarter, three_quarters, high = summary.spread
        axes.hlines(row, low, high, color=THEME["mark"], linewidth=2)
        axes.hlines(row, quarter, three_quarters, color=THEME["mark"], linewidth=9)
        axes.plot(
            [summary.mean_weight],
            [row],
            "o",
            color=THEME["paper"],
            markeredgecolor=THEME["ink"],
            markersize=8,
            markeredgewidth=2,
        )
    axes.set_yticks(range(len(summaries)), [summary.modality for summary in summaries])
    axes.tick_params(axis="y", labelsize=12, labelcolor=THEME["ink"])
    axes.set_ylim(len(summaries) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=THEME["line"], linewidth=1)
    axes.set_xlabel("weight in the video’s vector")
    means = ", ".join(
        f"{summary.modality} {summary.mean_weight:.0%}"
        for summary in summaries
        if summary.mean_weight is not None
    )
    return Plot(name, heading, f"{heading}. Mean weights: {means}.", _svg(figure, name))


def _canvas() -> tuple[Figure, Axes]:
    with mpl.rc_context(
        {"font.size": 11, "axes.labelsize": 11, "xtick.labelsize": 11, "ytick.labelsize": 11}
    ):
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), layout="constrained", facecolor="none")
        axes = figure.add_subplot(facecolor="none")
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(THEME["muted"])
    axes.tick_params(length=0, labelcolor=THEME["muted"], pad=5)
    axes.xaxis.label.set_color(THEME["muted"])
    axes.grid(axis="y", color=THEME["line"], linewidth=1)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Figure, name: str) -> str:
    """Return the figure as an SVG element that scales to its container and can stand beside others on a page."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    # Its own style rule would apply to the whole page; the metadata says nothing.
    svg = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    # Two figures on one page must not share an id.
    svg = re.sub(r'id="', f'id="{name}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\1#{name}-", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    for variable, colour in THEME.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1).strip()

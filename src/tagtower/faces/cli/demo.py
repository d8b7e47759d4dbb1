"""`tagtower demo`: the whole job on generated clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tagtower.faces.cli import options
from tagtower.faces.cli.output import print_table, write_json
from tagtower.faces.cli.progress import TerminalProgress

if TYPE_CHECKING:
    from tagtower.usecases.demo import DemoReport


def demo(
    out: Annotated[Path, typer.Option("--out", help="Where everything goes.")] = Path("demo"),
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Draws other clips and trains another model.")
    ] = 0,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make 120 small clips, train on them, evaluate, tag, add a new tag without retraining, write a report.

    Takes a few minutes on two cores; needs no GPU, no network and no data.
    """
    from tagtower.faces.cli.training import TrainingLines
    from tagtower.usecases.demo import run_demo

    with TerminalProgress(quiet=quiet) as progress:
        report = run_demo(
            out, seed=seed, overwrite=overwrite, progress=progress, on_event=TrainingLines(progress)
        )
    if as_json:
        write_json(report.to_json(), indent=2)
    else:
        _show(report)


def _show(report: DemoReport) -> None:
    table = Table("on the test clips", "model", "chance", box=None, pad_edge=False)
    recall = report.unseen.recall_at_5 or 0.0
    table.add_row("tags never seen in training, recall@5", f"{recall:.2f}", f"{report.unseen_chance:.2f}")
    for modality, one in report.alone.items():
        name = f"{modality} alone, R-precision on the tags it decides"
        table.add_row(name, f"{one.precision:.2f}", f"{one.chance:.2f}")
    print_table(table)
    print(  # noqa: T201
        f"\n{report.after.video.id} before: {', '.join(tag.tag for tag in report.before.tags)}\n"
        f"Add {report.new_tag!r} to the library, train nothing:\n"
        f"{report.after.video.id} after:  {', '.join(tag.tag for tag in report.after.tags)} "
        f"({report.new_tag!r} is number {report.new_tag_rank})\n\n"
        f"Report: {report.report}\n"
        f"Try:    tagtower label {report.folder}/model {report.folder}/corpus/clips "
        f"--tags {report.folder}/corpus/tags.txt\n"
    )

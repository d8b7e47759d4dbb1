"""`tagtower evaluate`: how well a model ranks the tags of a split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tagtower.errors import UsageError
from tagtower.faces.cli import options
from tagtower.faces.cli.output import list_problems, print_line, print_table, say, short, write_json
from tagtower.faces.cli.progress import TerminalProgress
from tagtower.records import MODALITIES, SPLITS, Modality, Problems, Split

if TYPE_CHECKING:
    from tagtower.usecases.evaluate import Evaluation

SOME_FAILED = 1


def evaluate(
    model: options.Model,
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="JSON Lines, CSV, Parquet, or a folder of media.")
    ],
    tags: options.Tags,
    split: Annotated[str, typer.Option("--split", help="train, val or test.")] = "test",
    modalities: Annotated[
        str | None,
        typer.Option(
            "--modalities", help="Use these alone, such as image,audio; the others count as missing."
        ),
    ] = None,
    ranker: options.Ranker = None,
    neighbours: options.Neighbours = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write an HTML report to this file.")
    ] = None,
    as_json: options.Json = False,
    device: options.Device = "auto",
    store: options.Store = None,
    no_store: options.NoStore = False,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
) -> int:
    """Measure a model on the videos of a split, with tags that training saw and tags it never saw apart."""
    wanted_split, chosen_modalities = chosen_split(split), _modalities(modalities)

    from tagtower.library.tagfile import read_tag_library
    from tagtower.training.manifest import read_manifest
    from tagtower.usecases.evaluate import evaluate
    from tagtower.usecases.evaluation_report import write_evaluation_report
    from tagtower.usecases.ranking import parse_ranker
    from tagtower.usecases.session import open_session, parse_device

    chosen_ranker = parse_ranker(ranker)
    problems = Problems()
    library = read_tag_library(tags, problems)
    rows = read_manifest(manifest, strict=strict, problems=problems).examples
    further = None
    if neighbours is not None:
        further = read_manifest(neighbours, strict=strict, problems=problems).examples
    with (
        TerminalProgress(quiet=quiet) as progress,
        open_session(model, store=store, bypass_store=no_store, device=parse_device(device)) as session,
    ):
        found = evaluate(
            session,
            rows,
            library,
            split=wanted_split,
            modalities=chosen_modalities,
            ranker=chosen_ranker,
            neighbours=further,
            problems=problems,
            progress=progress,
        )
        if report is not None:
            progress.phase("report", None)
            write_evaluation_report(report, session, found, wanted_split)
    if not quiet:
        list_problems(problems, "the data")
    for failure in found.failures:
        say(f"tagtower: {failure.error}")
    if as_json:
        write_json(found.to_json(), indent=2)
    else:
        _show(found)
    if report is not None and not quiet:
        say(f"report: {report}")
    return SOME_FAILED if found.failures else 0


def _show(found: Evaluation) -> None:
    groups = {
        "all tags": found.result.all,
        "seen in training": found.result.seen,
        "never seen": found.result.unseen,
        "never seen, among all": found.result.unseen_in_full,
    }
    rows = {name: metrics.to_json() for name, metrics in groups.items()}
    names = list(next(iter(rows.values())))
    table = Table("tags", *names, box=None, pad_edge=False)
    for name, values in rows.items():
        table.add_row(name, *(_number(values[key]) for key in names))
    print_table(table)
    gates = ", ".join(f"{modality} {weight:.2f}" for modality, weight in found.gates.items())
    print_line(
        f"\nranker: {found.ranker}; gate weights: {gates}; model {short(found.model)}, "
        f"library {found.library.version}"
    )


def _number(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def chosen_split(name: str) -> Split:
    """Return a split's name as typed by a person.

    Raises:
        UsageError: it is none of them.
    """
    for known in SPLITS:
        if name == known:
            return known
    raise UsageError(f"There is no split {name!r}.", hint=f"Splits: {', '.join(SPLITS)}.")


def _modalities(text: str | None) -> tuple[Modality, ...]:
    if text is None:
        return MODALITIES
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [part for part in wanted if part not in MODALITIES]
    if unknown or not wanted:
        raise UsageError(
            f"--modalities {text}: {'nothing is named' if not wanted else f'there is no {unknown[0]!r}'}.",
            hint=f"Name some of: {', '.join(MODALITIES)}.",
        )
    return tuple(modality for modality in MODALITIES if modality in wanted)

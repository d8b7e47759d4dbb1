"""`tagtower calibrate`: the probabilities of a finished model, fitted anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tagtower.faces.cli import options
from tagtower.faces.cli.evaluate import chosen_split
from tagtower.faces.cli.output import list_problems, print_line, print_table, say, short, write_json
from tagtower.faces.cli.progress import TerminalProgress
from tagtower.records import Problems

if TYPE_CHECKING:
    from tagtower.usecases.calibrate import CalibrateReport

SOME_FAILED = 1


def calibrate(
    model: options.Model,
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="JSON Lines, CSV, Parquet, or a folder of media.")
    ],
    tags: options.Tags,
    split: Annotated[
        str, typer.Option("--split", help="train, val or test: labelled videos to fit to.")
    ] = "val",
    as_json: options.Json = False,
    device: options.Device = "auto",
    store: options.Store = None,
    no_store: options.NoStore = False,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
) -> int:
    """Fit the scores of a model anew as probabilities, to videos whose tags are known. Nothing is trained.

    The model folder is replaced as a whole; its vectors, and all that was stored of them, stay good.
    """
    from tagtower.library.tagfile import read_tag_library
    from tagtower.training.manifest import read_manifest
    from tagtower.usecases.calibrate import calibrate
    from tagtower.usecases.session import open_session, parse_device

    wanted = chosen_split(split)
    problems = Problems()
    library = read_tag_library(tags, problems)
    rows = read_manifest(manifest, strict=strict, problems=problems).examples
    with (
        TerminalProgress(quiet=quiet) as progress,
        open_session(model, store=store, bypass_store=no_store, device=parse_device(device)) as session,
    ):
        found = calibrate(session, rows, library, split=wanted, problems=problems, progress=progress)
    if not quiet:
        list_problems(problems, "the data")
    for failure in found.failures:
        say(f"tagtower: {failure.error}")
    if as_json:
        write_json(found.to_json(), indent=2)
    else:
        _show(found)
    return SOME_FAILED if found.failures else 0


def _show(found: CalibrateReport) -> None:
    table = Table("order", "right tags", "fitted", "old error", "by chance", box=None, pad_edge=False)
    for name, one in found.orders.items():
        errors = ("-", "-")
        if one.before is not None:
            errors = (f"{one.before.calibration_error:.3f}", f"{one.before.chance_error:.3f}")
        table.add_row(name, f"{one.hits:,}", "yes" if one.fitted else "no: too few", *errors)
    print_table(table)
    print_line(
        f"\n{found.videos} videos; model {short(found.before)} is now {short(found.after)}, vectors as they were"
    )

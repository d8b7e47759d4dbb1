"""`tagtower models HOME`: the models of an installation, from adding one to promoting it and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from tagtower.faces.cli import options
from tagtower.faces.cli.installation import HomeCommand, HomeGroup, opened
from tagtower.faces.cli.output import print_line, print_table, say, short, write_json
from tagtower.faces.cli.progress import TerminalProgress

if TYPE_CHECKING:
    from tagtower.usecases.installation.compare import Comparison, ModelFigures
    from tagtower.usecases.installation.models import ModelStatus, Switched

SOME_FAILED = 1

HELP = """\
Add models to an installation, build them, compare them, and promote one.

A new model never takes part at once. It is added, built beside the active one (its vectors and suggestions for every
labelled video, by the workers or by `build`), compared, and promoted in one step. Readers see the answers of one model
or the other, and never wait. The model before stays for `rollback` until it is removed.
"""

app = typer.Typer(cls=HomeGroup, no_args_is_help=True, help=HELP)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The model's name, as `list` shows it.")]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Also where labelled videos are missing: they show no suggestions until they are built.",
    ),
]


@app.callback()
def frame(context: typer.Context, home: options.Home) -> None:
    """Add models to an installation, build them, compare them, and promote one."""
    context.obj = home


@app.command("list", cls=HomeCommand)
def list_(context: typer.Context, as_json: options.Json = False) -> None:
    """List the models, with their state and how many labelled videos each has seen."""
    from tagtower.usecases.installation.models import status

    with opened(context) as installation:
        found = status(installation)
    if as_json:
        write_json({"models": [one.to_json() for one in found]}, indent=2)
        return
    if not found:
        say("There is no model yet. Add one with: tagtower models HOME add FOLDER")
        return
    table = Table("model", "state", "videos seen", "failed", "added", "fingerprint", box=None, pad_edge=False)
    for one in found:
        table.add_row(
            one.model.name,
            one.model.state,
            f"{one.coverage.built:,} of {one.coverage.labelled:,}",
            f"{one.coverage.failed:,}",
            f"{one.model.added_at:%Y-%m-%d %H:%M}",
            short(one.model.fingerprint),
        )
    print_table(table)


@app.command(cls=HomeCommand)
def show(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Show one model, with what its training measured."""
    from tagtower.usecases.installation.models import status

    with opened(context) as installation:
        (found,) = status(installation, name)
    if as_json:
        write_json({**found.to_json(), "metrics": found.model.metrics}, indent=2)
        return
    facts = Table(box=None, show_header=False, pad_edge=False)
    for key, value in found.to_json().items():
        facts.add_row(key.replace("_", " "), "" if value is None else str(value))
    for key, value in _flat(found.model.metrics or {}):
        facts.add_row(key, f"{value:.4g}" if isinstance(value, float) else str(value))
    print_table(facts)


@app.command(cls=HomeCommand)
def add(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A model folder that training wrote.")],
    name: Annotated[
        str | None, typer.Option("--name", help="What it is called here; default the folder's name.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Copy a model into the installation and check it.

    The first model of an installation without labelled videos is active at once; any other waits to be built.
    """
    from tagtower.usecases.installation.models import add, status

    with opened(context) as installation:
        record = add(installation, folder, name)
        (found,) = status(installation, record.name)
    if as_json:
        write_json(found.to_json(), indent=2)
    elif record.state == "active":
        print_line(f"{record.name} is active.")
    else:
        print_line(
            f"{record.name} is added; it has {found.coverage.missing:,} videos to see. Workers build it, or: "
            f"tagtower models {context.obj} build {record.name}"
        )


@app.command(cls=HomeCommand)
def build(
    context: typer.Context,
    name: Name,
    again: Annotated[
        bool, typer.Option("--again", help="From the beginning: throw away what was built so far.")
    ] = False,
    leave: Annotated[
        bool, typer.Option("--leave-to-workers", help="Do not build here: the workers do it between videos.")
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=0, help="CPU threads of the model; 0 takes one per core."),
    ] = None,
    device: options.Device = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Give a model the vectors and suggestions of every labelled video, beside the active model.

    Videos that failed under it are tried again. Any number of workers may take part; stopped at any time, it goes on
    where it was. Ends with 1 if videos are still missing.
    """
    from tagtower.usecases.installation.building import build as build_here
    from tagtower.usecases.installation.models import rebuild
    from tagtower.usecases.session import parse_device

    with opened(context) as installation, TerminalProgress(quiet=quiet) as progress:
        found = rebuild(installation, name, again=again)
        messages: dict[int, str] = {}
        if not leave:
            found, report = build_here(
                installation, name, device=parse_device(device), threads=threads, progress=progress
            )
            messages = report.messages
    for video, message in messages.items():
        say(f"tagtower: video {video}: {message}")
    if as_json:
        write_json(found.to_json(), indent=2)
    else:
        print_line(_progress(found))
    return SOME_FAILED if found.coverage.missing and not leave else 0


@app.command(cls=HomeCommand)
def compare(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A", help="A model's name.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another model's name.")],
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="Look at the first K tags of a video.")] = 10,
    sample: Annotated[
        int, typer.Option("--sample", min=1, help="Videos drawn to see where they agree.")
    ] = 2000,
    as_json: options.Json = False,
) -> None:
    """Hold two models against each other: by what persons said, and by where they agree.

    Most verdicts are on tags that the model of their day suggested, which favours that one.
    """
    from tagtower.usecases.installation.compare import compare

    with opened(context) as installation:
        found = compare(installation, first, second, k=top_k, sample=sample)
    if as_json:
        write_json(found.to_json(), indent=2)
    else:
        _show_comparison(found)


@app.command(cls=HomeCommand)
def promote(context: typer.Context, name: Name, force: Force = False, as_json: options.Json = False) -> None:
    """Make a model the active one, in one step."""
    from tagtower.usecases.installation.models import promote

    with opened(context) as installation:
        found = promote(installation, name, force=force)
    _show_switch(context, found, as_json=as_json)


@app.command(cls=HomeCommand)
def rollback(context: typer.Context, force: Force = False, as_json: options.Json = False) -> None:
    """Go back to the model that the active one replaced, in one step."""
    from tagtower.usecases.installation.models import roll_back

    with opened(context) as installation:
        found = roll_back(installation, force=force)
    _show_switch(context, found, as_json=as_json)


@app.command(cls=HomeCommand)
def remove(context: typer.Context, name: Name, as_json: options.Json = False) -> None:
    """Remove a model that is not active, with its vectors and suggestions; what persons said stays."""
    from tagtower.usecases.installation.models import remove

    with opened(context) as installation:
        model = remove(installation, name)
    if as_json:
        write_json({"removed": model.name})
    else:
        print_line(f"{model.name} is removed.")


def _progress(found: ModelStatus) -> str:
    coverage = found.coverage
    text = (
        f"{found.model.name} is {found.model.state}: {coverage.built:,} of {coverage.labelled:,} videos seen"
    )
    return f"{text}, {coverage.failed:,} failed" if coverage.failed else text


def _show_switch(context: typer.Context, found: Switched, *, as_json: bool) -> None:
    if as_json:
        write_json(found.to_json())
        return
    before = "" if found.before is None else f" in place of {found.before.name}"
    print_line(f"{found.model.name} is active{before}.")
    if found.missing:
        say(
            f"{found.missing:,} labelled videos show no suggestions until it has seen them; the workers see to it."
        )
    if found.sweeps:
        say(f"Stored videos are searched for {found.sweeps:,} tags that came since it was built.")
    if found.before is not None:
        say(f"Go back with: tagtower models {context.obj} rollback")


def _show_comparison(found: Comparison) -> None:
    table = Table("", *(one.model.name for one in found.models), box=None, pad_edge=False)

    def row(title: str, value: Any) -> None:
        table.add_row(title, *(value(one) for one in found.models))

    def share(name: str) -> Any:
        return lambda one: _share(getattr(one, name))

    row("state", lambda one: one.model.state)
    row("videos seen", lambda one: f"{one.coverage.built:,} of {one.coverage.labelled:,}")
    row(f"judged tags of the first {found.k} that were right", share("precision"))
    row(f"tags given by persons among the first {found.k}", share("found"))
    row(f"rejected tags among the first {found.k}", share("refused"))
    row("calibration error", lambda one: _number(one.calibration_error))
    row("videos with a suggestion", share("answered"))
    row("suggestions a video", _shown)
    print_table(table)
    print_line("")
    print_line(
        f"Verdicts on {found.judged:,} videos. Over {found.sample:,} videos they share {_share(found.overlap)} of "
        f"the first {found.k} tags; {_share(found.same_first)} have the same first tag."
    )


def _shown(figures: ModelFigures) -> str:
    return _number(figures.shown)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _flat(metrics: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in metrics.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, int | float | str):
            found.append((f"{prefix}{key}", value))
    return found

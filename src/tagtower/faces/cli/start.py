"""`tagtower start`: a folder of media and a tag library become tags, with no labels and no model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tagtower.faces.cli import options
from tagtower.faces.cli.config import SetOptions
from tagtower.faces.cli.output import list_problems, print_line, say, write_json
from tagtower.faces.cli.progress import TerminalProgress
from tagtower.records import Problems

if TYPE_CHECKING:
    from tagtower.usecases.archive.report import StartReport

SOME_FAILED, NOTHING_DONE = 1, 3
SHOWN = 10
"""Files listed of those that could not be read or written; all of them stand in the JSON."""


def start(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of media, or a manifest.")],
    tags: options.Tags,
    out: Annotated[Path, typer.Option("--out", help="The folder for the results.")] = Path("tagged"),
    text: Annotated[
        str | None, typer.Option("--text", help="Folder of a text encoder: titles find tags by meaning.")
    ] = None,
    dual: Annotated[
        str | None, typer.Option("--dual", help="Folder of a CLIP or SigLIP: pictures find tags at once.")
    ] = None,
    titles: Annotated[
        str, typer.Option("--titles", help="Titles of files without any: filename, metadata or none.")
    ] = "filename",
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="At most so many tags a video.")] = 5,
    max_distance: Annotated[
        float | None, typer.Option("--max-distance", min=0, help="The model's tags at most this far.")
    ] = None,
    sidecars: Annotated[
        str | None, typer.Option("--sidecars", help="Files for media centres: nfo, xmp or both.")
    ] = None,
    beside: Annotated[
        bool, typer.Option("--beside", help="Put sidecars beside the media; none of others is replaced.")
    ] = False,
    least: Annotated[
        int, typer.Option("--least", min=2, help="Clips with a telling title that pictures may learn from.")
    ] = 40,
    overrides: SetOptions = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run was stopped.")] = False,
    overwrite: options.Overwrite = False,
    strict: options.Strict = False,
    device: options.Device = "auto",
    store: options.Store = None,
    no_store: options.NoStore = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Tag an archive that has no labels and no model: by what is written about it, and by pictures where possible."""
    from tagtower.faces.cli.training import TrainingLines
    from tagtower.usecases.archive.request import StartRequest
    from tagtower.usecases.inputs import title_source
    from tagtower.usecases.session import parse_device
    from tagtower.usecases.sidecars import parse_kinds
    from tagtower.usecases.start import start

    request = StartRequest(
        source=source,
        tags=tags,
        out=out,
        titles=title_source(titles),
        text=text,
        dual=dual,
        top_k=top_k,
        max_distance=max_distance,
        sidecars=parse_kinds(sidecars) if sidecars is not None else (),
        beside=beside,
        least_taught=least,
        overrides=tuple(overrides or ()),
    )
    problems = Problems()
    with TerminalProgress(quiet=quiet) as progress:
        report = start(
            request,
            resume=resume,
            overwrite=overwrite,
            strict=strict,
            device=parse_device(device),
            store=store,
            bypass_store=no_store,
            problems=problems,
            progress=progress,
            on_event=TrainingLines(progress),
        )
    if not quiet:
        list_problems(problems, "the inputs")
    _list("could not be read", report.unreadable)
    _list("sidecars were refused", report.refused)
    if as_json:
        write_json(report.to_json(), indent=2)
    elif not quiet:
        _show(report)
    if not report.unreadable and not report.refused:
        return 0
    return SOME_FAILED if len(report.unreadable) < report.videos or report.tagged else NOTHING_DONE


def _list(what: str, failures: tuple[str, ...]) -> None:
    for failure in failures[:SHOWN]:
        say(f"tagtower: {failure}")
    if failures:
        say(f"tagtower: {len(failures)} {what}.")


def _show(report: StartReport) -> None:
    having = ", ".join(f"{count} {name}" for name, count in report.having.items())
    print_line(f"{report.videos} videos; with {having}")
    for how, count in report.tagged.items():
        print_line(f"tagged {how}: {count}")
    for why, count in report.untagged.items():
        print_line(f"no tags: {count}; {why}")
    print_line(report.model.why)
    if report.sidecars:
        print_line(f"sidecars written: {report.sidecars}")
    print_line(f"results: {report.out}/results.jsonl and results.csv")
    print_line("What would help most:")
    for advice in report.advice:
        print_line(f"  {advice}")

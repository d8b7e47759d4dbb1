"""`tagtower embed`: the vectors of videos or tags, for use elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tagtower.faces.cli import options
from tagtower.faces.cli.output import list_problems, say, short, write_json
from tagtower.faces.cli.progress import TerminalProgress
from tagtower.records import Problems

SOME_FAILED, NOTHING_DONE = 1, 3


def embed(
    model: options.Model,
    out: Annotated[Path, typer.Option("--out", help="A .npz or .parquet file.")],
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="INPUT", help="Media files, folders or manifests.")
    ] = None,
    tags: Annotated[
        Path | None, typer.Option("--tags", help="Embed the tags of this library instead of videos.")
    ] = None,
    titles: Annotated[
        str, typer.Option("--titles", help="Titles of files without a manifest: none, filename or metadata.")
    ] = "none",
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    device: options.Device = "auto",
    store: options.Store = None,
    no_store: options.NoStore = False,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
) -> int:
    """Write the vectors of videos, or of tags, with their ids and the model's fingerprint."""
    from tagtower.usecases.embed import embed, parse_format
    from tagtower.usecases.inputs import title_source
    from tagtower.usecases.session import open_session, parse_device

    parse_format(out, overwrite=overwrite)
    problems = Problems()
    with (
        TerminalProgress(quiet=quiet) as progress,
        open_session(model, store=store, bypass_store=no_store, device=parse_device(device)) as session,
    ):
        report = embed(
            session,
            inputs or [],
            tags,
            out,
            problems=problems,
            titles=title_source(titles),
            strict=strict,
            progress=progress,
        )
    if not quiet:
        list_problems(problems, "the inputs")
    for failure in report.failures:
        say(f"tagtower: {failure.error}")
    if as_json:
        write_json(report.to_json())
    elif not quiet:
        say(f"{out}: {report.vectors} vectors of width {report.width}, model {short(report.model)}")
    if report.failures:
        return SOME_FAILED if report.vectors else NOTHING_DONE
    return 0

"""`tagtower train`: a manifest and a tag library become a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tagtower.config import load_settings
from tagtower.faces.cli import options
from tagtower.faces.cli.config import ConfigFile, SetOptions
from tagtower.faces.cli.output import list_problems, say, short, write_json
from tagtower.faces.cli.progress import TerminalProgress
from tagtower.records import Problems

SOME_FAILED = 1


def train(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="JSON Lines, CSV, Parquet, or a folder of media.")
    ],
    tags: options.Tags,
    out: Annotated[Path, typer.Option("--out", help="The model folder to write.")],
    preset: Annotated[
        str | None, typer.Option("--preset", help="tiny, base, titles or finetune (default tiny).")
    ] = None,
    config: ConfigFile = None,
    overrides: SetOptions = None,
    warm_start: Annotated[
        Path | None, typer.Option("--from", help="Start from the weights of this model folder.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run was stopped.")] = False,
    overwrite: options.Overwrite = False,
    strict: options.Strict = False,
    store: options.Store = None,
    no_store: options.NoStore = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Learn from the videos and tags of a manifest and write a model folder.

    Ctrl-C, or a kill, loses at most a few minutes: the same command with --resume goes on to the same weights.
    """
    from tagtower.faces.cli.training import TrainingLines
    from tagtower.usecases.train import run_settings, train

    given = preset is not None or config is not None or bool(overrides)
    settings = (run_settings(out) if resume and not given else None) or load_settings(
        preset or "tiny", config, overrides or ()
    )
    problems = Problems()
    with TerminalProgress(quiet=quiet) as progress:
        report = train(
            manifest,
            tags,
            out,
            settings,
            resume=resume,
            overwrite=overwrite,
            strict=strict,
            warm_start=warm_start,
            store=store,
            bypass_store=no_store,
            problems=problems,
            progress=progress,
            on_event=TrainingLines(progress),
        )
    if not quiet:
        list_problems(problems, "the data")
    for failure in report.failures:
        say(f"tagtower: {failure.error}")
    if as_json:
        write_json(report.to_json(), indent=2)
    elif not quiet:
        say(
            f"{report.out}: trained on {report.videos['train']:,} videos in {report.seconds:.0f} s; "
            f"model {short(report.model)}"
        )
    return SOME_FAILED if report.failures else 0

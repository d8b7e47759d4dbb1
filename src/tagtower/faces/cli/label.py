"""`tagtower label`: ranked tags for files, folders and manifests, streamed as they are ready."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tagtower.faces.cli import options
from tagtower.faces.cli.output import SCHEMA, json_line, list_problems, print_line, say, write_json
from tagtower.faces.cli.progress import TerminalProgress
from tagtower.records import Example, Problems, RankedTag

if TYPE_CHECKING:
    from tagtower.usecases.label import Labelled, Unlabelled

SOME_FAILED, NOTHING_DONE = 1, 3


def label(
    model: options.Model,
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="Media files, folders (recursively) or manifests.")
    ],
    tags: options.Tags,
    top_k: Annotated[
        int | None, typer.Option("--top-k", min=1, help="The k nearest tags (default 5).")
    ] = None,
    max_distance: Annotated[
        float | None, typer.Option("--max-distance", min=0, help="Every tag at most this far.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every tag of the library, nearest first.")] = False,
    precision: Annotated[
        float | None,
        typer.Option(
            "--precision",
            help="Only tags probable enough to be right this often, such as 0.7; none where all are doubtful.",
        ),
    ] = None,
    ranker: options.Ranker = None,
    neighbours: options.Neighbours = None,
    title: Annotated[
        str | None, typer.Option("--title", help="The title of the one file that is given.")
    ] = None,
    titles: Annotated[
        str, typer.Option("--titles", help="Titles of files without a manifest: none, filename or metadata.")
    ] = "none",
    evidence: Annotated[
        bool,
        typer.Option(
            "--evidence/--no-evidence", help="Say which modality and second speak for each tag (JSON only)."
        ),
    ] = True,
    out: Annotated[Path | None, typer.Option("--out", help="Write JSON lines to this file.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where --out stopped; failures are tried again.")
    ] = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    device: options.Device = "auto",
    store: options.Store = None,
    no_store: options.NoStore = False,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
) -> int:
    """Tag videos with the nearest tags of the library, which may hold tags that training never saw."""
    from tagtower.errors import UsageError
    from tagtower.library.tagfile import read_tag_library
    from tagtower.training.manifest import read_manifest
    from tagtower.usecases.inputs import read_inputs, title_source
    from tagtower.usecases.label import Labelled, label, remaining
    from tagtower.usecases.label_file import LabelFile
    from tagtower.usecases.ranking import parse_ranker, read_neighbours
    from tagtower.usecases.session import open_session, parse_device

    chosen_ranker = parse_ranker(ranker)
    if every and (top_k is not None or max_distance is not None):
        raise UsageError("--all excludes --top-k and --max-distance.", hint="Name one of them.")
    if not every and top_k is None and max_distance is None and precision is None:
        top_k = 5
    problems = Problems()
    library = read_tag_library(tags, problems).unexpired(datetime.now(UTC))
    videos = read_inputs(inputs, problems, title=title, titles=title_source(titles), strict=strict)
    labelled: tuple[Example, ...] = ()
    if neighbours is not None:
        labelled = read_manifest(neighbours, strict=strict, problems=problems).examples
    if not quiet:
        list_problems(problems, "the inputs")
    failed: list[Unlabelled] = []
    with (
        LabelFile(out, resume=resume, overwrite=overwrite) as lines,
        TerminalProgress(quiet=quiet) as progress,
        open_session(model, store=store, bypass_store=no_store, device=parse_device(device)) as session,
    ):
        name = session.orders.ranker(chosen_ranker)
        lines.check_model(session.model.model_fingerprint, name)
        todo = remaining(videos, lines.before)
        done = len(videos) - len(todo)
        if done:
            progress.tell(f"{done} of {len(videos)} videos were labelled before.")
        further = None
        if neighbours is not None:
            progress.phase("neighbours", None)
            further = read_neighbours(
                session.model,
                session.extractor,
                labelled,
                problems,
                without={video.id for video in videos},
            )
        progress.phase("labelling", len(todo))
        for one in label(
            session,
            todo,
            library,
            top_k=top_k,
            max_distance=max_distance,
            precision=precision,
            ranker=name,
            neighbours=further,
            evidence=evidence and (as_json or out is not None),
        ):
            lines.write(json_line({"schema": SCHEMA, **one.to_json()}))
            if as_json:
                write_json(one.to_json())
            if isinstance(one, Labelled):
                done += 1
                for warning in one.warnings:
                    progress.tell(f"{one.video.id}: {warning}")
                if not as_json and out is None:
                    _show(one)
            else:
                failed.append(one)
            progress.advance()
    for failure in failed:
        say(f"tagtower: {failure.error}")
    if failed:
        say(f"tagtower: {len(failed)} of {len(videos)} videos could not be labelled.")
        return SOME_FAILED if done else NOTHING_DONE
    if out is not None and not quiet:
        say(f"{out}: {done} videos labelled")
    return 0


def _show(one: Labelled) -> None:
    shown = ", ".join(f"{tag.tag} ({_figure(tag)})" for tag in one.tags) or "no tag is near enough"
    print_line(f"{one.video.id}: {shown}")


def _figure(tag: RankedTag) -> str:
    return f"{tag.distance:.2f}" if tag.score is None else f"{tag.distance:.2f}, {tag.score:.0%}"

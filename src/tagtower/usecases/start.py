"""Start: tags for an archive without labels and without a model, out of names, and out of pictures where these can be
read.

Every video gets the tags that are named in its title, file name, folders and texts, and those that its title is
similar to. A model of pictures and sound adds what is not written anywhere: a dual encoder, or a small model that the
telling titles taught. Which of both said a tag stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tagtower.library.tagfile import read_tag_library
from tagtower.library.tags import TagLibrary
from tagtower.records import Example, Problems
from tagtower.storage.atomic import write_json, write_text
from tagtower.training.events import Listener
from tagtower.usecases.archive.answers import Names, archive_answers
from tagtower.usecases.archive.report import StartReport, report_of
from tagtower.usecases.archive.request import (
    MODEL,
    RESULTS,
    RUN,
    SIDECARS,
    TABLE,
    StartRequest,
    check_place,
    clear,
)
from tagtower.usecases.archive.rows import archive_rows
from tagtower.usecases.archive.written import json_line, results_table
from tagtower.usecases.cold_model import (
    ColdModel,
    check_dual,
    similar_tags,
    take_dual,
    taught_settings,
    teach,
)
from tagtower.usecases.label import remaining
from tagtower.usecases.label_file import LabelFile
from tagtower.usecases.progress import Progress, Silent
from tagtower.usecases.session import Device, open_store
from tagtower.usecases.sidecars import sidecar_places, write_sidecars

SCHEMA = 1


def start(
    request: StartRequest,
    *,
    resume: bool = False,
    overwrite: bool = False,
    strict: bool = False,
    device: Device = "auto",
    store: Path | None = None,
    bypass_store: bool = False,
    problems: Problems | None = None,
    progress: Progress | None = None,
    on_event: Listener = lambda event: None,
) -> StartReport:
    """Tag a folder or a manifest and write `request.out`: results.jsonl, results.csv, and sidecars on request.

    An interrupt keeps all that is finished; the table is written then as well.

    Raises:
        UsageError: the place of the results is taken, or `resume` finds those of another request.
        ManifestError, TagLibraryError: an input cannot be used.
        ConfigError, ModelError: a model folder cannot be used.
    """
    progress, problems = progress or Silent(), problems if problems is not None else Problems()
    out = request.out
    check_place(request, resume=resume, overwrite=overwrite)
    whole = read_tag_library(request.tags, problems)
    rows, root = archive_rows(request, strict, problems)
    with ExitStack() as stack:
        features = stack.enter_context(open_store(store, bypass=bypass_store))
        titles = {row.video.id: row.video.title for row in rows if row.video.title}
        similar = similar_tags(titles, whole, request.text, features)
    if request.dual is not None:
        check_dual(request.dual)
    if not resume:  # all that was given could be read: only now may an earlier run go
        clear(out)
    write_json(out / RUN, request.to_json())
    model = _model(
        request,
        rows,
        similar,
        whole,
        store=store,
        bypass_store=bypass_store,
        progress=progress,
        on_event=on_event,
    )
    progress.tell(model.why)
    names = Names(whole, root, similar)
    places = sidecar_places(
        [row.video for row in rows],
        request.sidecars,
        root,
        None if request.beside else out.absolute() / SIDECARS,
    )
    written: dict[Path, str | None] = {}
    lines: dict[str, dict[str, Any]] = {}

    def keep(line: dict[str, Any]) -> None:
        lines[line["id"]] = line
        if line.get("tags"):
            title = line["title"] or Path(line["video"] or line["id"]).stem
            written.update(
                write_sidecars(places.get(line["id"], {}), title, [tag["tag"] for tag in line["tags"]])
            )

    try:
        with LabelFile(out / RESULTS, resume=(out / RESULTS).exists()) as file:
            wanted = {row.video.id for row in rows}
            for line in file.before:
                if line["id"] in wanted:
                    keep(line)
            todo = remaining([row.video for row in rows], file.before)
            progress.phase("tagging", len(todo))
            checked = False
            by_id = {row.video.id: row for row in rows}
            for answer in archive_answers(
                [by_id[video.id] for video in todo],
                names,
                whole.unexpired(datetime.now(UTC)),
                request,
                model,
                device=device,
                store=store,
                bypass_store=bypass_store,
            ):
                if "model" in answer and not checked:
                    file.check_model(answer["model"], answer["ranker"])
                    checked = True
                keep(answer)
                file.write(json_line({"schema": SCHEMA, **answer}))
                progress.advance()
    finally:
        if lines:
            write_text(out / TABLE, results_table(rows, lines))
    return report_of(request, [lines[row.video.id] for row in rows if row.video.id in lines], model, written)


def _model(
    request: StartRequest,
    rows: Sequence[Example],
    similar: Mapping[str, Sequence[int]],
    library: TagLibrary,
    *,
    store: Path | None,
    bypass_store: bool,
    progress: Progress,
    on_event: Listener,
) -> ColdModel:
    model = request.out / MODEL
    if request.dual is not None:
        return take_dual(
            request.dual,
            rows,
            similar,
            library,
            model,
            least=request.least_taught,
            store=store,
            bypass_store=bypass_store,
            progress=progress,
        )
    return teach(
        rows,
        similar,
        library,
        request.source,
        request.tags,
        model,
        taught_settings(request.text, request.overrides),
        least=request.least_taught,
        store=store,
        bypass_store=bypass_store,
        progress=progress,
        on_event=on_event,
    )

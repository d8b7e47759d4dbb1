"""`/v1/tags`, what touches several tags: merge, split, retire, restore, groups, import, history, undo."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from tagtower.faces.http.auth import ForEditor
from tagtower.faces.http.conditions import Answer, IdempotencyKey, IfMatch, Once
from tagtower.faces.http.fields import MOST_NUMBER, DryRun, Limit
from tagtower.faces.http.parts import Server
from tagtower.faces.http.receiving import pour_body
from tagtower.faces.http.routes.tag_bodies import (
    EXAMPLE_CHANGE,
    EXAMPLE_OUTCOME,
    Groups,
    Merge,
    Split,
    Tags,
    reference,
)
from tagtower.faces.http.routes.tags import editing, told
from tagtower.faces.http.schemas import example
from tagtower.usecases.installation import curate, tag_library
from tagtower.usecases.installation.scratch import scratch_folder

router = APIRouter(prefix="/v1/tags", tags=["tags"])

IMPORTED = {
    "version": 18,
    "made": 120,
    "completed": 3,
    "known": 7,
    "refused": 1,
    "sweeps": 120,
    "dry_run": False,
    "problem_count": 1,
    "problems": [{"where": "line 4", "what": "it is blank"}],
}
SHOWN = {**EXAMPLE_CHANGE, "tags": [{"id": 7, "before": None, "after": {"text": "solar eclipse"}}]}
Version = Annotated[int, Path(ge=1, le=MOST_NUMBER, description="Of a change.", examples=[17])]
Before = Annotated[int | None, Query(ge=1, le=MOST_NUMBER, description="Only earlier ones.")]


@router.post("/merge", summary="Merge tags", responses=example(EXAMPLE_OUTCOME))
def merge(
    server: Server, principal: ForEditor, body: Merge, dry_run: DryRun = False, if_match: IfMatch = None
) -> Response:
    """Lets tags become one with another, which gets their names as aliases; their suggestions and verdicts count for
    it. Nothing is rewritten, so a split or an undo brings everything back."""
    by = editing(principal, dry_run, if_match)
    sources = [reference(one) for one in body.sources]
    return told(curate.merge(server.installation, by, sources, reference(body.into))).response()


@router.post("/split", summary="Split a tag", responses=example(EXAMPLE_OUTCOME))
def split(
    server: Server, principal: ForEditor, body: Split, dry_run: DryRun = False, if_match: IfMatch = None
) -> Response:
    """Makes a tag of its own of an alias; a tag that was merged comes back with its suggestions and verdicts."""
    by = editing(principal, dry_run, if_match)
    return told(curate.split(server.installation, by, reference(body.name), body.more)).response()


@router.post("/retire", summary="Retire tags", responses=example(EXAMPLE_OUTCOME))
def retire(
    server: Server, principal: ForEditor, body: Tags, dry_run: DryRun = False, if_match: IfMatch = None
) -> Response:
    """Suggests tags no more, and shows them no more; verdicts are kept and names stay taken."""
    by = editing(principal, dry_run, if_match)
    return told(curate.retire(server.installation, by, [reference(one) for one in body.tags])).response()


@router.post("/restore", summary="Restore tags", responses=example(EXAMPLE_OUTCOME))
def restore(
    server: Server, principal: ForEditor, body: Tags, dry_run: DryRun = False, if_match: IfMatch = None
) -> Response:
    """Makes retired tags active again."""
    by = editing(principal, dry_run, if_match)
    return told(curate.restore(server.installation, by, [reference(one) for one in body.tags])).response()


@router.post("/approve", summary="Approve quarantined tags", responses=example(EXAMPLE_OUTCOME))
def approve(
    server: Server, principal: ForEditor, body: Tags, dry_run: DryRun = False, if_match: IfMatch = None
) -> Response:
    """Lets quarantined tags, such as feeds bring, into the library."""
    by = editing(principal, dry_run, if_match)
    return told(curate.approve(server.installation, by, [reference(one) for one in body.tags])).response()


@router.post("/groups", summary="Put tags into groups", responses=example(EXAMPLE_OUTCOME))
def regroup(
    server: Server, principal: ForEditor, body: Groups, dry_run: DryRun = False, if_match: IfMatch = None
) -> Response:
    """Puts tags into groups, and takes them out of others."""
    by = editing(principal, dry_run, if_match)
    named = [reference(one) for one in body.tags]
    return told(curate.regroup(server.installation, by, named, body.add, body.remove)).response()


@router.post(
    "/import",
    summary="Import a file of tags",
    responses=example(IMPORTED),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {
                    "schema": {"type": "string", "format": "binary"},
                    "example": "solar eclipse\nlunar eclipse\n",
                }
            },
        }
    },
)
async def import_tags(
    server: Server,
    principal: ForEditor,
    request: Request,
    form: Annotated[
        Literal["txt", "csv", "jsonl"], Query(alias="format", description="How the body is written.")
    ] = "txt",
    state: Annotated[Literal["active", "quarantined"], Query(description="Of new tags.")] = "active",
    sweep: Annotated[bool, Query(description="Look for stored videos that fit them.")] = True,
    dry_run: DryRun = False,
    key: IdempotencyKey = None,
) -> Response:
    """Brings the tags of the body into the library as one change: a tag a line, or CSV or JSON Lines with `tag`,
    `aliases`, `description`, `expires`. Bad rows are counted and told."""

    async def work() -> Answer:
        with scratch_folder(server.installation) as folder:
            path = folder / f"upload.{form}"
            await pour_body(request, path, server.settings.max_import_bytes)
            by = editing(principal, dry_run, None)
            outcome = await run_in_threadpool(
                curate.import_file, server.installation, by, path, state=state, sweep=sweep
            )
        found = outcome.to_json()
        for one in found["problems"]:  # the place of the file is the server's own
            one["where"] = str(one["where"]).replace(str(path), path.name)
        return Answer(found)

    return await Once(server, principal, request, key).run_async(work)


@router.get(
    "/changes", summary="What was changed", responses=example({"changes": [EXAMPLE_CHANGE], "next": None})
)
def list_changes(server: Server, principal: ForEditor, before: Before = None, limit: Limit = 50) -> Any:
    """Returns the last changes of the library, the newest first; `next` is what to give as `before`."""
    found = tag_library.history(server.installation, before=before, limit=limit)
    following = found[-1].version if len(found) == limit else None
    return {"changes": [one.to_json() for one in found], "next": following}


@router.get("/changes/{version}", summary="Look at a change", responses=example(SHOWN))
def show_change(server: Server, principal: ForEditor, version: Version) -> Any:
    """Returns one change."""
    return tag_library.change_portrait(server.installation, version).to_json()


@router.post("/changes/{version}/undo", summary="Undo a change", responses=example(EXAMPLE_OUTCOME))
def undo(server: Server, principal: ForEditor, version: Version, dry_run: DryRun = False) -> Response:
    """Lets what a change touched become as it was; it is a change itself, and can be undone."""
    by = editing(principal, dry_run, None)
    return told(curate.undo(server.installation, by, version)).response()

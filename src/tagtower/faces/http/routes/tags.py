"""`/v1/tags`: the tag library, looked at and changed; every change can be tried first and undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from tagtower.errors import UsageError
from tagtower.faces.http.auth import ForEditor, ForTerminal, Principal
from tagtower.faces.http.conditions import (
    Answer,
    IdempotencyKey,
    IfMatch,
    IfNoneMatch,
    Once,
    entity_tag,
    unchanged,
    version_of,
)
from tagtower.faces.http.fields import DryRun, Limit, ShortText, TagId
from tagtower.faces.http.parts import Parts, Server
from tagtower.faces.http.routes.tag_bodies import (
    EXAMPLE_CHANGE,
    EXAMPLE_OUTCOME,
    EXAMPLE_TAG,
    Aliases,
    Bar,
    Description,
    Expiry,
    NewTag,
    Rename,
    Suggestable,
    TagToTry,
    Threshold,
)
from tagtower.faces.http.schemas import example
from tagtower.library.curation.reading import TagFilter
from tagtower.library.curation.record import TagState
from tagtower.usecases.installation import curate, tag_library
from tagtower.usecases.installation.curate import Editing, Outcome

router = APIRouter(prefix="/v1/tags", tags=["tags"])

PAGE = {"version": 17, "total": 1, "tags": [EXAMPLE_TAG], "next": None}
SHOWN = {
    "tag": EXAMPLE_TAG,
    "merged": [],
    "reach": {"suggestions": 312, "verdicts": 4, "videos": 312},
    "changes": [EXAMPLE_CHANGE],
}
PREVIEW = {
    "tag": "solar eclipse",
    "model": "spring",
    "library_version": 17,
    "videos": 5200,
    "hits": 312,
    "suggested": 312,
    "limit": {"distance": 0.42, "probability": 0.5, "reason": None},
    "nearest": [{"video": 12, "title": "Total eclipse over the bay", "distance": 0.31, "score": 0.92}],
    "taken": None,
}


def editing(principal: Principal, dry_run: bool, if_match: str | None) -> Editing:
    """Return who changes the library, and how."""
    return Editing(principal.name, dry_run, version_of(if_match))


def told(outcome: Outcome, status: int = 200) -> Answer:
    """Return what was changed; the ETag is that of the tag."""
    tag = outcome.tag
    headers = {} if tag is None or outcome.dry_run else {"ETag": entity_tag(f"v{tag.version}")}
    return Answer(outcome.to_json(), status, headers)


@router.get(
    "",
    summary="List tags",
    responses=example(PAGE),
)
def list_all(
    server: Server,
    principal: ForTerminal,
    search: Annotated[ShortText | None, Query(description="Part of a name.", examples=["eclip"])] = None,
    state: Annotated[TagState | None, Query(description="Merged tags only if asked for.")] = None,
    group: Annotated[ShortText | None, Query()] = None,
    language: Annotated[ShortText | None, Query()] = None,
    origin: Annotated[ShortText | None, Query(description="`person`, `import` or `feed:ID`.")] = None,
    order: Annotated[Literal["name", "id", "newest"], Query()] = "name",
    limit: Limit = 50,
    cursor: Annotated[ShortText | None, Query(description="`next` of the page before.")] = None,
) -> Any:
    """Returns the tags that meet every condition, a page at a time, and how many they are."""
    wanted = TagFilter(state=state, search=search, group=group, language=language, origin=origin)
    return tag_library.tag_page(server.installation, wanted, order=order, limit=limit, after=cursor).to_json()


@router.post("", status_code=201, summary="Add a tag", responses={201: example(EXAMPLE_OUTCOME)[200]})
def add(
    server: Server,
    principal: ForEditor,
    request: Request,
    body: NewTag,
    dry_run: DryRun = False,
    key: IdempotencyKey = None,
) -> Response:
    """Adds a tag: the next video is labelled with it, and the workers look for the stored videos that it fits."""

    def work() -> Answer:
        outcome = curate.add(
            server.installation,
            editing(principal, dry_run, None),
            body.text,
            aliases=body.aliases,
            description=body.description,
            language=body.language,
            groups=body.groups,
            expires=body.expires,
            threshold=body.threshold,
            state=body.state,
        )
        return told(outcome, 200 if dry_run else 201)

    return Once(server, principal, request, key, body.model_dump(mode="json")).run(work)


@router.post("/preview", summary="Which videos would a tag hit?", responses=example(PREVIEW))
def preview(server: Server, principal: ForEditor, body: TagToTry) -> Any:
    """Tells on how many stored videos a tag would be suggested if it were added, and on which first."""
    return server.recommender.preview(
        body.text,
        body.aliases,
        description=body.description,
        threshold=body.threshold,
        shown=body.shown,
    )


@router.get("/groups", summary="List groups", responses=example({"groups": [{"name": "sky", "tags": 12}]}))
def groups(server: Server, principal: ForTerminal) -> Any:
    """Returns every group, with the number of its tags."""
    found = tag_library.tag_groups(server.installation)
    return {"groups": [{"name": name, "tags": count} for name, count in found]}


@router.get("/lookup", summary="Find a tag by a name", responses=example(SHOWN))
def look_up(
    server: Server,
    principal: ForTerminal,
    name: Annotated[ShortText, Query(description="Text or alias, in any spelling.", examples=["eclipse"])],
) -> Any:
    """Returns the tag that a name leads to."""
    return _shown(server, name, None)


@router.get("/{tag_id}", summary="Look at a tag", responses=example(SHOWN))
def show(server: Server, principal: ForTerminal, tag_id: TagId, if_none_match: IfNoneMatch = None) -> Any:
    """Returns a tag, those that were merged into it, and its last changes."""
    return _shown(server, f"#{tag_id}", if_none_match)


@router.post("/{tag_id}/rename", summary="Rename a tag", responses=example(EXAMPLE_OUTCOME))
def rename(
    server: Server,
    principal: ForEditor,
    tag_id: TagId,
    body: Rename,
    dry_run: DryRun = False,
    if_match: IfMatch = None,
) -> Response:
    """Gives it another text; suggestions and verdicts stay with it."""
    by = editing(principal, dry_run, if_match)
    return told(
        curate.rename(server.installation, by, f"#{tag_id}", body.text, keep_alias=body.keep_alias)
    ).response()


@router.post("/{tag_id}/aliases", summary="Add or remove aliases", responses=example(EXAMPLE_OUTCOME))
def aliases(
    server: Server,
    principal: ForEditor,
    tag_id: TagId,
    body: Aliases,
    dry_run: DryRun = False,
    if_match: IfMatch = None,
) -> Response:
    """Lets further names lead to it, or no longer; one of both at a time, since each is a change of its own."""
    if bool(body.add) == bool(body.remove):
        raise UsageError("Aliases are added or removed.", hint="Give one of `add` and `remove`.")
    by = editing(principal, dry_run, if_match)
    change: Callable[..., Outcome] = curate.add_aliases if body.add else curate.remove_aliases
    return told(change(server.installation, by, f"#{tag_id}", body.add or body.remove)).response()


@router.put("/{tag_id}/description", summary="Describe a tag", responses=example(EXAMPLE_OUTCOME))
def describe(
    server: Server,
    principal: ForEditor,
    tag_id: TagId,
    body: Description,
    dry_run: DryRun = False,
    if_match: IfMatch = None,
) -> Response:
    """Says what it means and in which language it is."""
    by = editing(principal, dry_run, if_match)
    return told(
        curate.describe(server.installation, by, f"#{tag_id}", body.description, body.language)
    ).response()


@router.put("/{tag_id}/expiry", summary="Let a tag expire", responses=example(EXAMPLE_OUTCOME))
def expire(
    server: Server,
    principal: ForEditor,
    tag_id: TagId,
    body: Expiry,
    dry_run: DryRun = False,
    if_match: IfMatch = None,
) -> Response:
    """Lets it be suggested until a moment, or for good."""
    by = editing(principal, dry_run, if_match)
    return told(curate.expire(server.installation, by, f"#{tag_id}", body.expires)).response()


@router.put("/{tag_id}/threshold", summary="Set a tag's threshold", responses=example(EXAMPLE_OUTCOME))
def set_threshold(
    server: Server,
    principal: ForEditor,
    tag_id: TagId,
    body: Threshold,
    dry_run: DryRun = False,
    if_match: IfMatch = None,
) -> Response:
    """Lets it be suggested from a probability on."""
    by = editing(principal, dry_run, if_match)
    return told(curate.set_threshold(server.installation, by, f"#{tag_id}", body.threshold)).response()


@router.put("/{tag_id}/suggestable", summary="Suggest a tag, or never", responses=example(EXAMPLE_OUTCOME))
def set_suggestable(
    server: Server,
    principal: ForEditor,
    tag_id: TagId,
    body: Suggestable,
    dry_run: DryRun = False,
    if_match: IfMatch = None,
) -> Response:
    """Lets it never be suggested, whatever the video, or again; what persons said stays."""
    by = editing(principal, dry_run, if_match)
    return told(curate.set_suggestable(server.installation, by, f"#{tag_id}", body.suggestable)).response()


@router.post("/{tag_id}/bar", summary="Bar a tag from videos", responses=example(EXAMPLE_OUTCOME))
def bar(
    server: Server,
    principal: ForEditor,
    tag_id: TagId,
    body: Bar,
    dry_run: DryRun = False,
    if_match: IfMatch = None,
) -> Response:
    """Lets it never be suggested on some videos, or again."""
    by = editing(principal, dry_run, if_match)
    return told(curate.bar(server.installation, by, f"#{tag_id}", body.videos, lift=body.lift)).response()


def _shown(server: Parts, name: str, if_none_match: str | None) -> Response:
    found = tag_library.tag_portrait(server.installation, name)
    mark = f"v{found.tag.version}"
    headers = {"ETag": entity_tag(mark), "Cache-Control": "private, no-cache"}
    if unchanged(if_none_match, mark):
        return Response(None, 304, headers)
    return Answer(found.to_json(), headers=headers).response()

"""`/v1/videos`: handing videos in, finding them, looking at one, judging its tags, erasing it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from tagtower.faces.http.auth import ForEditor, ForErasing, ForTerminal
from tagtower.faces.http.conditions import (
    Answer,
    IdempotencyKey,
    IfMatch,
    IfNoneMatch,
    Once,
    entity_tag,
    mark_of,
    unchanged,
)
from tagtower.faces.http.fields import MOST_NUMBER, Limit, Moment, ShortText, VideoId
from tagtower.faces.http.parts import Server
from tagtower.faces.http.routes.video_bodies import (
    EXAMPLE_PUT,
    EXAMPLE_SHOWN,
    EXAMPLE_VIDEO,
    About,
    Reference,
    Verdicts,
    found_json,
    shown_json,
)
from tagtower.faces.http.routes.video_intake import read_reference, receive, refer
from tagtower.faces.http.schemas import example
from tagtower.usecases.installation.erase import erase_videos
from tagtower.usecases.installation.find import Search, find_videos, show_video
from tagtower.usecases.installation.judging import judge

router = APIRouter(prefix="/v1/videos", tags=["videos"])

EXAMPLE_SAID = {
    "verdicts": [{"video": 12, "tag": "solar eclipse", "tag_id": 7, "verdict": "accept", "before": None}],
    "video": EXAMPLE_SHOWN,
}
BINARY = {"schema": {"type": "string", "format": "binary"}}
FORM = {
    "schema": {
        "type": "object",
        "properties": {
            "file": {"type": "string", "format": "binary"},
            "title": {"type": "string"},
            "owner": {"type": "string"},
            "name": {"type": "string"},
            "description": {"type": "string"},
            "sha256": {"type": "string"},
        },
        "required": ["file"],
    }
}


def _said_in_query(
    owner: Annotated[ShortText | None, Query(description="Whose name it is; default who asks.")] = None,
    name: Annotated[ShortText | None, Query(description="How its owner calls it.")] = None,
    title: Annotated[ShortText | None, Query(examples=["Total eclipse over the bay"])] = None,
    description: Annotated[ShortText | None, Query()] = None,
    filename: Annotated[ShortText | None, Query(description="Tells the format.")] = None,
    sha256: Annotated[ShortText | None, Query(description="Of the file, in hexadecimal.")] = None,
    replace: Annotated[bool, Query(description="Take the place of what has the same name.")] = False,
) -> About:
    return About(
        owner=owner,
        name=name,
        title=title,
        description=description,
        filename=filename,
        sha256=sha256,
        replace=replace,
    )


@router.post(
    "",
    status_code=201,
    summary="Hand a video in",
    responses={201: example(EXAMPLE_PUT)[200]},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": BINARY,
                "multipart/form-data": FORM,
                "application/json": {
                    "schema": Reference.model_json_schema(ref_template="#/components/schemas/{model}"),
                    "example": {"title": "Total eclipse over the bay", "name": "eclipse"},
                },
            },
        }
    },
)
async def create(
    server: Server,
    principal: ForTerminal,
    request: Request,
    about: Annotated[About, Depends(_said_in_query)],
    key: IdempotencyKey = None,
) -> Response:
    """Takes a video in at one go: the file as the body, with what is said of it in the query, or in a form as `file`;
    or as JSON a `uri` that the server fetches or reads, or a title alone. Large files are better sent as an upload."""

    body: Reference | None = None
    if request.headers.get("content-type", "").split(";")[0].strip() == "application/json":
        body = await read_reference(request, server.settings.max_body_bytes)

    async def work() -> Answer:
        if body is not None:
            put = await refer(server, principal, body)
        else:
            put = await receive(server, principal, request, about)
        return Answer(put.to_json(), 201, {"Location": f"/v1/videos/{put.video_id}"}, put.video_id)

    said = None if body is None else body.model_dump(mode="json")
    return await Once(server, principal, request, key, said).run_async(work)


@router.get("", summary="Find videos", responses=example({"videos": [EXAMPLE_VIDEO], "next": None}))
def search(
    server: Server,
    principal: ForTerminal,
    tag: Annotated[
        list[ShortText] | None,
        Query(max_length=20, description="Tags that all stand on it.", examples=[["solar eclipse"]]),
    ] = None,
    words: Annotated[
        ShortText | None, Query(description="Words of its texts; `eclip*` is a beginning.")
    ] = None,
    similar: Annotated[int | None, Query(ge=1, le=MOST_NUMBER, description="A video to be like.")] = None,
    owner: Annotated[ShortText | None, Query(description="Who handed it in.")] = None,
    shelf: Annotated[
        Literal["unlabelled", "labelled", "failed"] | None, Query(description="Where it stands.")
    ] = None,
    since: Annotated[Moment | None, Query(description="Handed in at this time or later.")] = None,
    until: Annotated[Moment | None, Query(description="Handed in before this time.")] = None,
    reviewed: Annotated[bool | None, Query(description="Whether a person has judged its tags.")] = None,
    limit: Limit = 20,
    cursor: Annotated[ShortText | None, Query(description="`next` of the page before.")] = None,
) -> Any:
    """Returns the videos that meet every condition, the last that came first, or by likeness with `similar`. The
    cursor holds whatever comes in meanwhile."""
    wanted = Search(
        tags=tuple(tag or ()),
        words=words,
        similar=similar,
        owner=owner,
        shelf=shelf,
        since=since,
        until=until,
        reviewed=reviewed,
    )
    page = find_videos(server.installation, wanted, limit=limit, cursor=cursor)
    return Answer({"videos": [found_json(one) for one in page.videos], "next": page.next}).response()


@router.get("/{video_id}", summary="Look at a video", responses=example(EXAMPLE_SAID["video"]))
def show(
    server: Server, principal: ForTerminal, video_id: VideoId, if_none_match: IfNoneMatch = None
) -> Response:
    """Returns all that is known of it: tags with what spoke for each, verdicts, who handed it in, and under which
    model and version of the tag library. The ETag is the same until something of that changes."""
    found = show_video(server.installation, video_id)
    headers = {"ETag": entity_tag(found.mark), "Cache-Control": "private, no-cache"}
    if unchanged(if_none_match, found.mark):
        return Response(None, 304, headers)
    return Answer(shown_json(found), headers=headers).response()


@router.post("/{video_id}/verdicts", summary="Judge tags", responses=example(EXAMPLE_SAID))
def give_verdicts(
    server: Server, principal: ForEditor, video_id: VideoId, body: Verdicts, if_match: IfMatch = None
) -> Response:
    """Accepts or rejects suggested tags, adds others, or withdraws a word. It is the last word on each tag, and
    outlives models and changes of the tag library."""
    said, shown = judge(
        server.installation,
        video_id,
        [(one.tag, one.verdict) for one in body.verdicts],
        author=principal.name,
        expected=mark_of(if_match),
    )
    answer = {"verdicts": [one.to_json() for one in said], "video": shown_json(shown)}
    return Answer(answer, headers={"ETag": entity_tag(shown.mark)}).response()


@router.delete(
    "/{video_id}",
    summary="Erase a video",
    responses=example(
        {"erased": [{"video": 12, "whole": True, "removed": {"media": 1}, "checked": {"left": 0}}]}
    ),
)
def erase(server: Server, principal: ForErasing, video_id: VideoId) -> Any:
    """Erases a video for good: media, pictures, vectors, suggestions, verdicts, events. The proof says what was removed
    and that nothing was found afterwards."""
    return {
        "erased": [
            one.to_json() for one in erase_videos(server.installation, [video_id], author=principal.name)
        ]
    }

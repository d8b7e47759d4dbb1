"""`/v1/videos/uploads`: files that come in pieces, and can be gone on with after a break."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.concurrency import run_in_threadpool

from tagtower.faces.http.auth import LOCAL, ForTerminal, Principal
from tagtower.faces.http.conditions import Answer, IdempotencyKey, Once
from tagtower.faces.http.fields import MOST_NUMBER
from tagtower.faces.http.parts import Parts, Server
from tagtower.faces.http.problems import Problem
from tagtower.faces.http.receiving import pour_into
from tagtower.faces.http.routes.video_bodies import EXAMPLE_PUT, About, BeginUpload
from tagtower.faces.http.schemas import example
from tagtower.usecases.installation import uploads

router = APIRouter(prefix="/v1/videos/uploads", tags=["uploads"])

EXAMPLE = {"id": "0123456789abcdef0123456789abcdef", "length": 1048576, "offset": 0, "result": None}
UploadId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", examples=[EXAMPLE["id"]])]
Offset = Annotated[
    int,
    Header(alias="Upload-Offset", ge=0, le=MOST_NUMBER, description="Where this piece begins.", examples=[0]),
]


def owner_of(principal: Principal) -> str:
    """Return whose names a principal's videos have, if nothing else is said."""
    return "" if principal is LOCAL or principal.key_id == 0 else principal.name


@router.post("", status_code=201, summary="Begin an upload", responses={201: example(EXAMPLE)[200]})
def begin(
    server: Server, principal: ForTerminal, request: Request, body: BeginUpload, key: IdempotencyKey = None
) -> Response:
    """Begins an upload, to which pieces are then added with PATCH. What is idle for a day is removed."""
    limit = server.settings.max_upload_bytes
    if body.length is not None and body.length > limit:
        raise Problem(413, "too-large", f"A file has at most {limit:,} bytes.", hint="Send a smaller one.")

    def work() -> Answer:
        uploads.remove_idle(server.installation, server.settings.upload_hours)
        made = uploads.begin(server.installation, principal.name, body.length)
        return Answer(
            made.to_json(), 201, {"Location": f"/v1/videos/uploads/{made.id}", "Upload-Offset": "0"}
        )

    return Once(server, principal, request, key, body.model_dump(mode="json")).run(work)


@router.head(
    "/{upload_id}", summary="How much has come", responses={200: {"description": "See Upload-Offset."}}
)
def offset(server: Server, principal: ForTerminal, upload_id: UploadId) -> Response:
    """Tells in `Upload-Offset` how many bytes are here, and in `Upload-Length` how many were announced."""
    found = uploads.find(server.installation, principal.name, upload_id)
    return Response(None, 200, _headers(found))


@router.get("/{upload_id}", summary="Look at an upload", responses=example(EXAMPLE))
def show(server: Server, principal: ForTerminal, upload_id: UploadId) -> Any:
    """Tells how much has come, and once it is complete, what became of it."""
    return uploads.find(server.installation, principal.name, upload_id).to_json()


@router.patch(
    "/{upload_id}",
    status_code=204,
    summary="Send a piece",
    responses={204: {"description": "Kept; Upload-Offset tells how much is here."}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def append(
    server: Server, principal: ForTerminal, request: Request, upload_id: UploadId, offset: Offset
) -> Response:
    """Adds the body at `Upload-Offset`, which must be where the file ends. If it breaks off, what came is kept: ask
    with HEAD, and go on from there."""
    found = await run_in_threadpool(uploads.find, server.installation, principal.name, upload_id)
    with _alone(server, upload_id):
        most = server.settings.max_upload_bytes
        reached = await pour_into(server.installation, found, offset, request.stream(), most=most)
    return Response(None, 204, {"Upload-Offset": str(reached)})


@router.post(
    "/{upload_id}/complete",
    status_code=201,
    summary="Take an upload in",
    responses={201: example(EXAMPLE_PUT)[200]},
)
async def complete(server: Server, principal: ForTerminal, upload_id: UploadId, body: About) -> Response:
    """Looks at the file, compares its SHA-256 if one is given, and puts it on the unlabelled shelf, where a worker
    takes it. Asked again, it answers the same."""
    with _alone(server, upload_id):
        result, video_id = await server.look(
            uploads.complete,
            server.installation,
            principal.name,
            upload_id,
            body.arrival(owner_of(principal)),
            server.decoder,
        )
    return Answer(result, 201, {"Location": f"/v1/videos/{video_id}"}).response()


@router.delete(
    "/{upload_id}", status_code=204, summary="Throw an upload away", responses={204: {"description": "Gone."}}
)
def abandon(server: Server, principal: ForTerminal, upload_id: UploadId) -> Response:
    """Removes what has come; a video that was made of it stays."""
    with _alone(server, upload_id):
        uploads.abandon(server.installation, principal.name, upload_id)
    return Response(None, 204)


def _headers(found: uploads.Upload) -> dict[str, str]:
    headers = {"Upload-Offset": str(found.offset)}
    return headers if found.length is None else {**headers, "Upload-Length": str(found.length)}


class _alone:  # noqa: N801 - a context, used like a function
    """Lets one request at a time touch an upload."""

    def __init__(self, server: Parts, upload_id: str) -> None:
        self._busy = server.busy_uploads
        self._id = upload_id

    def __enter__(self) -> None:
        if self._id in self._busy:
            raise Problem(
                409,
                "busy",
                "Another request is at this upload.",
                hint="Wait until it ends, then ask for the offset.",
            )
        self._busy.add(self._id)

    def __exit__(self, *_: object) -> None:
        self._busy.discard(self._id)

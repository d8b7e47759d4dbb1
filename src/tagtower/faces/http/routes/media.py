"""`/v1/videos/{id}/media`, `thumbnail` and `strip`: playing a video, and small pictures of it."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from tagtower.faces.http.auth import ForTerminal
from tagtower.faces.http.conditions import IfNoneMatch, entity_tag, unchanged
from tagtower.faces.http.fields import VideoId
from tagtower.faces.http.parts import Parts, Server
from tagtower.faces.http.problems import Problem
from tagtower.usecases.installation.playback import (
    OTHER,
    STRIP,
    THUMBNAIL,
    Preview,
    kept_preview,
    make_preview,
    open_media,
)

router = APIRouter(prefix="/v1/videos", tags=["playback"])

POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""Of media: even if a browser took them for a page, nothing in it would run."""

BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
MEDIA: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole file.", "content": {"video/mp4": {**BINARY, "example": "(bytes)"}}},
    206: {"description": "The range that was asked for.", "content": {"video/mp4": BINARY}},
    304: {"description": "It is the one that you have."},
    416: {"description": "The file has no such range."},
}
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A JPEG.", "content": {"image/jpeg": {**BINARY, "example": "(bytes)"}}},
    304: {"description": "It is the one that you have."},
}
AT_ONCE = 1024**2
"""Up to so many bytes are read at one go: a stream goes through a thread and back for every block."""

Range = Annotated[str | None, Header(alias="Range", description="Bytes.", examples=["bytes=0-1023"])]
IfRange = Annotated[str | None, Header(alias="If-Range", description="Only of this ETag; else the whole.")]


@router.get("/{video_id}/media", summary="Play a video", response_class=Response, responses=MEDIA)
@router.head("/{video_id}/media", summary="What would be played", response_class=Response, responses=MEDIA)
def play(
    server: Server,
    principal: ForTerminal,
    request: Request,
    video_id: VideoId,
    wanted: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Returns the file, or the range of it that was asked for, so that a player can jump. What is not known as sound or
    video is sent as plain bytes to be saved."""
    media = open_media(server.installation, video_id)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": entity_tag(media.mark),
        "Cache-Control": "private, max-age=3600",
        "Content-Security-Policy": POLICY,
        "Content-Type": media.content_type,
    }
    if media.content_type == OTHER:
        headers["Content-Disposition"] = f'attachment; filename="video-{video_id}"'
    if unchanged(if_none_match, media.mark):
        media.close()
        return Response(None, 304, headers)
    span = None
    if wanted is not None and (if_range is None or if_range == entity_tag(media.mark)):
        span = parse_range(wanted, media.size)
    if span is not None and span[0] >= span[1]:
        media.close()
        raise Problem(
            416,
            "range",
            f"The file has {media.size:,} bytes.",
            hint="Ask for a range within it.",
            headers={"Content-Range": f"bytes */{media.size}"},
        )
    start, end = span or (0, media.size)
    headers["Content-Length"] = str(end - start)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{media.size}"
    status = 200 if span is None else 206
    if request.method == "HEAD":
        media.close()
        return Response(None, status, headers)
    blocks = media.read(start, end - start)
    if end - start <= AT_ONCE:
        return Response(b"".join(blocks), status, headers)
    return StreamingResponse(blocks, status, headers)


@router.get("/{video_id}/thumbnail", summary="A picture", response_class=Response, responses=PICTURE)
async def small_picture(
    server: Server, principal: ForTerminal, video_id: VideoId, if_none_match: IfNoneMatch = None
) -> Response:
    """Returns the picture in the middle of the video, 256 pixels square."""
    return await _preview(server, video_id, THUMBNAIL, if_none_match)


@router.get("/{video_id}/strip", summary="Eight pictures", response_class=Response, responses=PICTURE)
async def picture_strip(
    server: Server, principal: ForTerminal, video_id: VideoId, if_none_match: IfNoneMatch = None
) -> Response:
    """Returns eight pictures from all over the video side by side, each 160 pixels square, to be shown one after the
    other."""
    return await _preview(server, video_id, STRIP, if_none_match)


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """Return the first byte of a range and the one after its last; None where it is to be ignored.

    A range that begins after the end comes back empty. Of several ranges none is taken: the whole is sent.
    """
    found = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", text.strip())
    if found is None or found.group(0).endswith("=-"):
        return None
    first, last = found[1], found[2]
    if not first:
        length = int(last)
        return (max(0, size - length), size) if length else (size, size)
    start = int(first)
    if last and int(last) < start:
        return None
    return start, min(size, int(last) + 1) if last else size


async def _preview(server: Parts, video_id: int, kind: Preview, if_none_match: str | None) -> Response:
    """One that is kept waits for no file that is being looked at."""
    data = await run_in_threadpool(kept_preview, server.installation, video_id, kind)
    if data is None:
        data = await server.look(make_preview, server.installation, video_id, kind, server.decoder)
    mark = hashlib.sha256(data).hexdigest()[:32]
    headers = {"ETag": entity_tag(mark), "Cache-Control": "private, max-age=3600"}
    if unchanged(if_none_match, mark):
        return Response(None, 304, headers)
    return Response(data, 200, headers, "image/jpeg")

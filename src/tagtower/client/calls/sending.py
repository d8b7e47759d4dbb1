"""Sending a file, which goes on where it broke off, and fetching media, which does so as well."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tagtower.client.answers.videos import Sent, Upload, VideoDetail
from tagtower.client.calls.uploads import abandon, append, begin, complete, find, offset_of
from tagtower.client.decoding import nothing
from tagtower.client.failures import (
    ApiConflictError,
    ApiError,
    ApiInputError,
    ApiNotFoundError,
    UnreachableError,
    UploadBrokenError,
    failure_of,
    unreachable,
)
from tagtower.client.grouping import Group
from tagtower.client.memory import UploadMemory
from tagtower.client.retrying import settle
from tagtower.client.steps import (
    Ask,
    Fault,
    FilePart,
    FileSink,
    Flow,
    Pause,
    Progress,
    Reply,
    Work,
    unreadable,
)
from tagtower.errors import InputError, NotFoundError

MEDIA = "/v1/videos/{video_id}/media"
BUSY_UPLOAD = "busy"
TRY_AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504})
"""After these the upload is asked where it stands, and gone on with: 409 says that a request before still writes."""


def send_file(
    group: Group,
    path: Path,
    about: Mapping[str, Any],
    *,
    piece: int,
    memory: UploadMemory | None,
    progress: Progress | None,
) -> Flow[Sent]:
    """Send a file in pieces of `piece` bytes, from where an upload of the same content stands, if there is one."""
    size, digest = yield Work(partial(_sha256, path))
    upload = yield from _go_on(group, memory, digest, size)
    if upload is None:
        upload = yield from group.ask(begin(size))
        if memory is not None:
            memory.keep(group.server, digest, upload.id)
    if upload.result is None:
        yield from _pieces(group, path, upload, size, piece, progress)
        try:
            sent = yield from _complete(group, upload.id, {**about, "sha256": digest})
        except ApiInputError:
            # What came is no video, or another than was sent: going on with it would lead nowhere.
            yield abandon(upload.id)
            _forget(memory, group.server, digest)
            raise
    else:
        sent = upload.result
    _forget(memory, group.server, digest)
    return sent


def fetch_media(group: Group, video: VideoDetail, target: Path, *, progress: Progress | None) -> Flow[Path]:
    """Write the media of a video to `target`, which is there whole or not at all; what is there of it is gone on with.

    Raises:
        NotFoundError: the video has none.
        InputError: the file cannot be written, or what came is not what the video is.
        ApiError, UnreachableError: it broke off; what came lies beside the target for the next time.
    """
    if video.links.media is None:
        raise NotFoundError(
            f"The video {video.id} has no media: it is known by its title alone.",
            hint="There is nothing to fetch.",
        )
    mark, size = yield from group.ask(Ask("HEAD", MEDIA, _mark_and_length, {"video_id": video.id}))
    told = (lambda at: progress(at, size)) if progress is not None else None
    name = hashlib.sha256(f"{group.server} {mark}".encode()).hexdigest()[:16]
    part = target.with_name(f".{target.name}.{name}.part")
    tried = 0
    while (have := _size(part)) < size:
        ask: Ask[None] = Ask(
            "GET",
            MEDIA,
            nothing,
            {"video_id": video.id},
            headers={"Range": f"bytes={have}-", "If-Range": mark} if have else {},
            sink=FileSink(part, have, told),
        )
        got = yield ask
        reached = _size(part)
        if reached >= size:
            break
        whole = isinstance(got, Reply) and got.status < 300
        wait = group.retry.pause(tried, got) if whole or group.retry.again(ask, got) else None
        if wait is None:
            settle(ask, got, group.server)
            raise unreachable(Fault("the media end too early", True), group.server)
        tried = 0 if reached > have else tried + 1
        yield Pause(wait)
    _, digest = yield Work(partial(_sha256, part))
    if video.content_hash is not None and digest != video.content_hash:
        part.unlink(missing_ok=True)
        raise InputError(
            f"{target}: what came has another SHA-256 than the video.", hint="Fetch it again from the start."
        )
    try:
        part.replace(target)
    except OSError as error:
        raise unreadable(target, error) from error
    return target


def _go_on(group: Group, memory: UploadMemory | None, digest: str, size: int) -> Flow[Upload | None]:
    known = None if memory is None else memory.recall(group.server, digest)
    if known is None:
        return None
    try:
        upload = yield from group.ask(find(known))
    except (ApiNotFoundError, ApiInputError):
        return None  # idle for too long, or another key's
    return upload if upload.length == size else None


def _pieces(
    group: Group, path: Path, upload: Upload, size: int, piece: int, progress: Progress | None
) -> Flow[None]:
    """Send what is missing; after a break, ask where the upload stands and go on from there."""
    offset, stalled = upload.offset, 0
    told: Callable[[int], None] | None = (lambda at: progress(at, size)) if progress is not None else None
    while offset < size:
        got = yield append(upload.id, offset, FilePart(path, offset, min(piece, size - offset), told))
        if isinstance(got, Reply) and got.status < 300:
            reached = offset_of(got)
        elif isinstance(got, Fault) or got.status in TRY_AGAIN:
            wait = group.retry.pause(stalled, got)
            if wait is None:
                raise _broken(group, upload.id, offset, size, got)
            yield Pause(wait)
            try:
                reached = (yield from group.ask(find(upload.id))).offset
            except UnreachableError:
                raise _broken(group, upload.id, offset, size, got) from None
        else:
            raise failure_of(got)
        stalled = 0 if reached > offset else stalled + 1
        offset = reached


def _broken(group: Group, upload_id: str, offset: int, size: int, got: Reply | Fault) -> UploadBrokenError:
    cause = unreachable(got, group.server) if isinstance(got, Fault) else failure_of(got)
    return UploadBrokenError(
        f"The upload broke off after {offset:,} of {size:,} bytes. {cause.message}",
        hint="Send the file again: it goes on from there.",
        upload_id=upload_id,
        offset=offset,
        length=size,
    )


def _complete(group: Group, upload_id: str, about: dict[str, Any]) -> Flow[Sent]:
    """Take the upload in; where a request before is still at it, wait until it ends. It then answers the same."""
    patient = replace(group.retry, tries=group.retry.tries * 3)  # a large file is hashed for minutes
    tried = 0
    while True:
        try:
            return (yield from group.ask(complete(upload_id, about)))
        except ApiConflictError as conflict:
            wait = patient.pause(tried, Reply(conflict.status))
            if conflict.kind != BUSY_UPLOAD or wait is None:
                raise
        tried += 1
        yield Pause(wait)


def _forget(memory: UploadMemory | None, server: str, digest: str) -> None:
    if memory is not None:
        memory.forget(server, digest)


def _mark_and_length(reply: Reply) -> tuple[str, int]:
    """Return what names the content of media, and their size."""
    text = reply.headers.get("content-length", "")
    if not (text.isascii() and text.isdigit()):
        raise ApiError(
            "The server does not say how long the media are.",
            hint="Check what stands between you and the server.",
            status=reply.status,
            kind="unknown",
            request=reply.headers.get("x-request-id"),
        )
    return reply.headers.get("etag", ""), int(text)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise unreadable(path, error) from error


def _sha256(path: Path) -> tuple[int, str]:
    """Return the size of a file and its SHA-256 in hex.

    Raises:
        InputError: it cannot be read, or is empty.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as error:
        raise unreadable(path, error) from error
    if not size:
        raise InputError(f"{path} is empty.", hint="Send a file that plays.")
    return size, digest

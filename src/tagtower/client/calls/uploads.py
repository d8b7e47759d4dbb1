"""Uploads, step by step; `videos.send` takes all of them."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from tagtower.client.answers.videos import Sent, Upload
from tagtower.client.decoding import answer, nothing
from tagtower.client.failures import AnswerError
from tagtower.client.grouping import AsyncGroup, Group, SyncGroup, call
from tagtower.client.steps import Ask, FilePart, Reply, given

UPLOADS = "/v1/videos/uploads"
UPLOAD = "/v1/videos/uploads/{upload_id}"
COMPLETE_SECONDS = 900.0
"""The server hashes and looks at the whole file before it answers."""


def once(key: str | None = None) -> dict[str, str]:
    """Return the header by which a creation is done only once, however often it is asked for."""
    return {"Idempotency-Key": key or str(uuid.uuid4())}


def begin(length: int | None = None, key: str | None = None) -> Ask[Upload]:
    """Ask for an upload."""
    return Ask("POST", UPLOADS, answer(Upload), json=given(length=length), headers=once(key))


def find(upload_id: str) -> Ask[Upload]:
    """Ask where an upload stands."""
    return Ask("GET", UPLOAD, answer(Upload), parts={"upload_id": upload_id})


def append(upload_id: str, offset: int, data: bytes | FilePart) -> Ask[int]:
    """Ask to add bytes at an offset."""
    headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    return Ask("PATCH", UPLOAD, offset_of, {"upload_id": upload_id}, headers=headers, body=data)


def complete(upload_id: str, about: dict[str, Any]) -> Ask[Sent]:
    """Ask to take a whole upload in."""
    return Ask(
        "POST",
        UPLOAD + "/complete",
        answer(Sent),
        {"upload_id": upload_id},
        json=about,
        repeatable=True,
        seconds=COMPLETE_SECONDS,
    )


def abandon(upload_id: str) -> Ask[None]:
    """Ask to throw an upload away."""
    return Ask("DELETE", UPLOAD, nothing, {"upload_id": upload_id})


def offset_of(reply: Reply) -> int:
    """Return how many bytes the server has, by its header."""
    text = reply.headers.get("upload-offset", "")
    if not (text.isascii() and text.isdigit()):
        raise AnswerError(
            "The answer has no Upload-Offset.", hint="Check what stands between you and the server."
        )
    return int(text)


class UploadCalls(Group):
    """Files that come in pieces, and can be gone on with after a break."""

    @call
    def begin(self, length: int | None = None, *, key: str | None = None) -> Ask[Upload]:
        """Begin an upload of `length` bytes, where that is known; what is idle for a day is removed."""
        return begin(length, key)

    @call
    def get(self, upload_id: str) -> Ask[Upload]:
        """Return how much of an upload is there, and once it is complete, what became of it."""
        return find(upload_id)

    @call
    def offset(self, upload_id: str) -> Ask[int]:
        """Return how many bytes are there."""
        return Ask("HEAD", UPLOAD, offset_of, {"upload_id": upload_id})

    @call
    def append(self, upload_id: str, offset: int, data: bytes) -> Ask[int]:
        """Add bytes at `offset`, which must be where the upload ends; return where it ends then."""
        return append(upload_id, offset, data)

    @call
    def append_file(self, upload_id: str, path: str | Path, *, offset: int, length: int) -> Ask[int]:
        """Add `length` bytes of a file from `offset` on, read as they are sent; return where the upload ends then."""
        return append(upload_id, offset, FilePart(Path(path), offset, length))

    @call
    def complete(
        self,
        upload_id: str,
        *,
        title: str | None = None,
        owner: str | None = None,
        name: str | None = None,
        description: str | None = None,
        subtitles: str | None = None,
        filename: str | None = None,
        sha256: str | None = None,
        replace: bool = False,
    ) -> Ask[Sent]:
        """Take a whole upload into the video library. Asked again, it answers the same."""
        about = given(
            title=title,
            owner=owner,
            name=name,
            description=description,
            subtitles=subtitles,
            filename=filename,
            sha256=sha256,
            replace=replace,
        )
        return complete(upload_id, about)

    @call
    def abandon(self, upload_id: str) -> Ask[None]:
        """Throw away what has come; a video that was made of it stays."""
        return abandon(upload_id)


class Uploads(UploadCalls, SyncGroup):
    """Files that come in pieces."""


class AsyncUploads(UploadCalls, AsyncGroup):
    """Files that come in pieces, awaited."""

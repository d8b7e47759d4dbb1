"""Bodies that are poured into files, a little at a time, whatever their length."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from tagtower.errors import InputError
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.uploads import Appending, Upload, appending

STEP = 1024 * 1024
"""Bytes that are held before they are written."""


async def pour(chunks: AsyncIterator[bytes], into: Appending) -> None:
    """Write a body to the end of a file; if it breaks off, what came is written."""
    held = bytearray()
    try:
        async for chunk in chunks:
            held += chunk
            if len(held) >= STEP:
                data, held = bytes(held), bytearray()
                await run_in_threadpool(into.write, data)
    finally:
        if held:
            await run_in_threadpool(into.write, bytes(held))


async def pour_into(
    installation: Installation, upload: Upload, offset: int, chunks: AsyncIterator[bytes], *, most: int
) -> int:
    """Append a body to an upload and return how much of it is here then."""
    context = appending(installation, upload, offset, most=most)
    into = await run_in_threadpool(context.__enter__)
    failure: BaseException | None = None
    try:
        await pour(chunks, into)
    except BaseException as error:
        failure = error
        raise
    finally:
        kind = None if failure is None else type(failure)
        await run_in_threadpool(context.__exit__, kind, failure, None)
    return into.offset


async def pour_body(request: Request, path: Path, most: int) -> dict[str, Any]:
    """Write the file of a request to `path`, and return the fields that came beside it in a form.

    Raises:
        InputError: there is no file.
    """
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_files=1, max_fields=20) as form:
            return await _from_form(form, path)
    size = 0
    with await run_in_threadpool(path.open, "wb", 0) as file:
        writer = _Writer(file, most)
        await pour(request.stream(), writer.appending)
        size = writer.appending.offset
    if not size:
        raise InputError(
            "The request has no body.", hint="Send the file as the body, or in a form as `file`."
        )
    return {}


class _Writer:
    """A new file, as something that is appended to."""

    def __init__(self, file: Any, most: int) -> None:
        self.appending = Appending(file, Upload("", None, 0), most)


async def _from_form(form: FormData, path: Path) -> dict[str, Any]:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise InputError("The form has no file.", hint="Send the file as the field `file`.")
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    with await run_in_threadpool(path.open, "wb", 0) as target:
        while block := await file.read(STEP):
            await run_in_threadpool(target.write, block)
    return {**fields, "filename": file.filename}

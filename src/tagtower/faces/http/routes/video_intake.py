"""How a video comes in at one go: as the body of a request, by its address, or by words alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from anyio import CapacityLimiter, to_thread
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from tagtower.errors import InputError, UsageError
from tagtower.faces.http.auth import Principal
from tagtower.faces.http.parts import Parts
from tagtower.faces.http.problems import Problem
from tagtower.faces.http.receiving import pour_body
from tagtower.faces.http.routes.uploads import owner_of
from tagtower.faces.http.routes.video_bodies import About, Reference
from tagtower.training.manifest.location import is_web
from tagtower.usecases.installation.arrivals import take_fetched, take_file, take_video
from tagtower.usecases.installation.scratch import scratch_file


async def read_reference(request: Request, most: int) -> Reference:
    """Return what the body of a request says of a video.

    Raises:
        Problem, RequestValidationError: it is too large, or of another form.
    """
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > most:
            raise Problem(413, "too-large", f"JSON has at most {most:,} bytes.", hint="Send the file itself.")
    try:
        return Reference.model_validate_json(data)
    except ValidationError as error:
        malformed = any(one["type"] == "json_invalid" for one in error.errors())
        raise RequestValidationError(
            [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
            if not malformed
            else [{"type": "json_invalid", "loc": ("body",), "msg": "no JSON"}]
        ) from error


async def receive(server: Parts, principal: Principal, request: Request, about: About) -> Any:
    """Take in the file that a request carries, as its body or in a form."""
    with scratch_file(server.installation) as path:
        fields = await pour_body(request, path, server.settings.max_upload_bytes)
        if fields:
            try:
                about = About.model_validate({**about.model_dump(exclude_none=True), **fields})
            except ValidationError as error:
                raise RequestValidationError(
                    [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
                ) from error
        return await server.look(
            take_file,
            server.installation,
            path,
            about.arrival(owner_of(principal)),
            author=principal.name,
            decoder=server.decoder,
        )


async def refer(server: Parts, principal: Principal, body: Reference) -> Any:
    """Take in a video that is fetched, one whose media stay where they lie, or one of words alone."""
    if body.uri is None or not is_web(body.uri):
        return await server.look(_named, server, principal, body)
    if server.fetches >= server.installation.settings.fetching.at_once:
        raise Problem(
            503,
            "busy",
            "Too many videos are being fetched.",
            hint="Ask again in a moment, or send the file itself.",
            headers={"Retry-After": "5"},
        )
    server.fetches += 1
    try:
        fetch = partial(
            take_fetched,
            server.installation,
            body.uri,
            body.arrival(owner_of(principal)),
            author=principal.name,
            decoder=server.decoder,
        )
        # On a thread of its own: a host that is slow for minutes holds up no answer.
        return await to_thread.run_sync(fetch, limiter=CapacityLimiter(1))
    finally:
        server.fetches -= 1


def _named(server: Parts, principal: Principal, body: Reference) -> Any:
    arrival = body.arrival(owner_of(principal))
    media = None if body.uri is None else _allowed(server, body.uri)
    name = arrival.name or body.uri
    if name is None:
        raise InputError(
            "The video has no name.", hint="Give one as `name`: without a file there is no other."
        )
    if media is None and not (arrival.title or "").strip():
        raise InputError("There is neither a file nor a title.", hint="Give one of `uri` and `title`.")
    return take_video(
        server.installation,
        arrival,
        media=media,
        name=name,
        author=principal.name,
        reference=media is not None,
        decoder=server.decoder,
    )


def _allowed(server: Parts, uri: str) -> str:
    """Return the path of a URI that may be read.

    Raises:
        UsageError: it is of another kind, or lies elsewhere.
    """
    parts = urlsplit(uri)
    folders = server.settings.media_folders
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise UsageError(
            "The server reads no media from there.",
            hint="Send the file itself, or an http, https or file address that it may read.",
        )
    try:
        path = Path(unquote(parts.path)).resolve()
    except (OSError, ValueError):  # links in a circle, a null byte: such a path leads nowhere
        path = Path()
    if not any(path.is_relative_to(folder) for folder in folders):
        raise UsageError(
            "The server may not read there.",
            hint="Send the file itself, or let it: tagtower serve HOME --media-folder DIR",
        )
    return str(path)

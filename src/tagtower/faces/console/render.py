"""Turning templates into answers: what every page knows, how figures are written, notes that outlive a redirect."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from tagtower.faces.http.auth import TO_ERASE, Principal, session_of
from tagtower.faces.http.parts import parts_of
from tagtower.faces.http.sessions import csrf_token

FLASH, FLASH_SECONDS, MAX_FLASH = "tagtower_note", 30, 3000
MODALITIES = {"image": "picture", "audio": "sound", "text": "words"}


@dataclass(frozen=True, slots=True)
class Flash:
    """A note on the next page; `undo` is the version of a change of the tag library that it offers to undo."""

    text: str
    hint: str | None = None
    bad: bool = False
    undo: int | None = None


def page(request: Request, name: str, **values: Any) -> HTMLResponse:
    """Return a rendered template; a note of the request before is shown once."""
    principal: Principal | None = getattr(request.state, "console_principal", None)
    session = session_of(request)
    note = None if is_part(request) else _flash_of(request)
    text = (
        environment()
        .get_template(name)
        .render(
            principal=principal,
            may_erase=principal is not None and principal.may(TO_ERASE),
            csrf="" if session is None else csrf_token(parts_of(request).secret, session),
            path=request.url.path,
            here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            note=note,
            now=parts_of(request).installation.clock(),
            **values,
        )
    )
    # Under `no-referrer` browsers send forms with the origin "null", which is what another site's would have.
    response = HTMLResponse(text, headers={"Referrer-Policy": "same-origin"})
    if note is not None:
        response.delete_cookie(FLASH, path="/")
    return response


def go(to: str, note: Flash | None = None) -> Response:
    """Return an answer that leads to another page, with a note for it."""
    response = RedirectResponse(to, 303)
    if note is not None:
        set_flash(response, note)
    return response


def set_flash(response: Response, note: Flash) -> None:
    """Give a note along."""
    body = base64.urlsafe_b64encode(json.dumps(asdict(note)).encode()).decode()
    if len(body) > MAX_FLASH:
        body = base64.urlsafe_b64encode(
            json.dumps(asdict(Flash("Done.", undo=note.undo, bad=note.bad))).encode()
        ).decode()
    response.set_cookie(FLASH, body, max_age=FLASH_SECONDS, path="/", httponly=True, samesite="strict")


def is_part(request: Request) -> bool:
    """Return whether a script asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def back_of(text: str) -> str | None:
    """Return a page of this console to go back to; None where it is another site's, or none."""
    plain = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if plain and len(text) <= 2000 else None


@cache
def environment() -> Environment:
    """Return the templates; everything in them is escaped."""
    from tagtower.faces.console.files import address

    made = Environment(
        loader=PackageLoader("tagtower.faces.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        share=share,
        size=size,
        length_of=length,
        ago=ago,
        moment=moment,
        count=count,
        doing=evidence_of,
        span=span,
        times=times,
    )
    made.filters.update(span=span, times=times, host=host)
    made.globals.update(file=address)
    return made


def share(value: float | int | None, digits: int = 0) -> str:
    """Return a share as a percentage."""
    return "–" if value is None else f"{value * 100:.{digits}f} %"


def count(value: int) -> str:
    """Return a number with its thousands apart."""
    return f"{value:,}".replace(",", "\u202f")


def size(count: int | None) -> str:
    """Return a number of bytes as a person reads it."""
    if count is None:
        return "–"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def length(seconds: float | int | None) -> str:
    """Return a length of time as players show it."""
    if seconds is None:
        return ""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def ago(then: datetime | None, now: datetime) -> str:
    """Return how long ago a moment was."""
    if then is None:
        return "never"
    seconds = (now - then).total_seconds()
    if seconds < 0:
        return f"in {_span(-seconds)}"
    return "just now" if seconds < 10 else f"{_span(seconds)} ago"


def _span(seconds: float) -> str:
    for unit, name in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second")):
        if seconds >= unit:
            value = int(seconds / unit)
            return f"{value} {name}{'' if value == 1 else 's'}"
    return "a moment"


def span(length: timedelta) -> str:
    """Return a length of time in its largest unit."""
    return _span(length.total_seconds())


def host(url: str) -> str:
    """Return the host of an address, or the address where it has none."""
    return urlsplit(url).hostname or url


def times(count: int) -> str:
    """Return how often something happened."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def moment(then: datetime | None) -> str:
    """Return a moment in full."""
    return "never" if then is None else then.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def evidence_of(evidence: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return what spoke for a tag as chips: the modalities that raised it, mentions, videos alike, the second."""
    if not evidence:
        return []
    chips: list[dict[str, Any]] = []
    if evidence.get("second") is not None:
        chips.append({"kind": "second", "seconds": float(evidence["second"])})
    for one in evidence.get("mentions", ()):
        chips.append({"kind": "mention", "text": one["text"], "field": one["field"]})
    gains = [
        (float(one["gain"]), MODALITIES.get(name, name))
        for name, one in evidence.get("modalities", {}).items()
        if one.get("gain") is not None and one["gain"] > 0.01
    ]
    best = max((gain for gain, _ in gains), default=0.0)
    for gain, name in sorted(gains, reverse=True):
        chips.append({"kind": "modality", "name": name, "gain": gain, "strong": gain >= best / 2})
    for one in evidence.get("neighbours", ())[:3]:
        chips.append(
            {"kind": "neighbour", "video": one.get("video"), "id": one["id"], "weight": one["weight"]}
        )
    return chips


def _flash_of(request: Request) -> Flash | None:
    text = request.cookies.get(FLASH)
    if not text or len(text) > 2 * MAX_FLASH:
        return None
    try:
        return Flash(**json.loads(base64.urlsafe_b64decode(text)))
    except (binascii.Error, ValueError, TypeError):
        return None

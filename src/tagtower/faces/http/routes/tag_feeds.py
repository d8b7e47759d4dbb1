"""`/v1/tags/{id}/feed.atom` and `.json`: the newest videos of a tag, for readers of feeds."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from fastapi import APIRouter, Request, Response

from tagtower.faces.http.auth import ForTerminal
from tagtower.faces.http.fields import TagId
from tagtower.faces.http.parts import Parts, Server
from tagtower.faces.http.schemas import example
from tagtower.usecases.installation.find import Found, Search, find_videos
from tagtower.usecases.installation.tag_library import tag_portrait

router = APIRouter(prefix="/v1/tags", tags=["tags"])

ENTRIES = 50
ATOM = "application/atom+xml"
XML: dict[int | str, dict[str, Any]] = {
    200: {"content": {ATOM: {"example": '<feed xmlns="http://www.w3.org/2005/Atom">...</feed>'}}}
}


@router.get("/{tag_id}/feed.atom", summary="A tag as an Atom feed", response_class=Response, responses=XML)
def atom(server: Server, principal: ForTerminal, request: Request, tag_id: TagId) -> Response:
    """Returns the newest videos that show a tag."""
    name, found = _found(server, tag_id)
    base = str(request.base_url).rstrip("/")
    this = f"{base}/v1/tags/{tag_id}/feed.atom"
    updated = max((one.video.shelved_at for one in found), default=server.installation.clock()).isoformat()
    entries = "".join(
        f"<entry><id>urn:tagtower:{server.installation.id}:video:{one.video.id}</id>"
        f"<title>{_text(_title(one))}</title><updated>{one.video.shelved_at.isoformat()}</updated>"
        f"<link href={quoteattr(f'{base}/v1/videos/{one.video.id}')}/>"
        + "".join(f"<category term={quoteattr(_clean(tag.tag))}/>" for tag in one.tags)
        + "</entry>"
        for one in found
    )
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<id>urn:tagtower:{server.installation.id}:tag:{tag_id}</id><title>{_text(name)}</title>"
        f"<author><name>TagTower</name></author><updated>{updated}</updated>"
        f'<link rel="self" href={quoteattr(this)}/>{entries}</feed>\n'
    )
    return Response(text, media_type=ATOM)


@router.get(
    "/{tag_id}/feed.json",
    summary="A tag as a JSON feed",
    responses=example({"version": "https://jsonfeed.org/version/1.1", "title": "solar eclipse", "items": []}),
)
def json_feed(server: Server, principal: ForTerminal, request: Request, tag_id: TagId) -> Any:
    """Returns the newest videos that show a tag."""
    name, found = _found(server, tag_id)
    base = str(request.base_url).rstrip("/")
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": name,
        "feed_url": f"{base}/v1/tags/{tag_id}/feed.json",
        "items": [
            {
                "id": str(one.video.id),
                "url": f"{base}/v1/videos/{one.video.id}",
                "title": _title(one),
                "content_text": _title(one),
                "date_published": one.video.shelved_at.isoformat(),
                "tags": [tag.tag for tag in one.tags],
            }
            for one in found
        ],
    }


def _found(server: Parts, tag_id: int) -> tuple[str, tuple[Found, ...]]:
    name = tag_portrait(server.installation, f"#{tag_id}").tag.text
    page = find_videos(server.installation, Search(tags=(tag_id,), shelf="labelled"), limit=ENTRIES)
    return name, page.videos


def _title(one: Found) -> str:
    return one.video.title or f"Video {one.video.id}"


def _text(text: str) -> str:
    return escape(_clean(text))


def _clean(text: str) -> str:
    """Leave out what no XML may hold."""
    return "".join(one for one in text if one in "\t\n\r" or (one >= " " and one not in "\ufffe\uffff"))

"""`/v1/recommend`: tags for titles and files that are not stored."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from tagtower.faces.http.auth import ForTerminal
from tagtower.faces.http.fields import PlainText, ShortText
from tagtower.faces.http.parts import Server
from tagtower.faces.http.problems import Problem
from tagtower.faces.http.receiving import pour_body
from tagtower.faces.http.schemas import Body, example
from tagtower.usecases.installation.arrivals import SUFFIX
from tagtower.usecases.installation.questions import Question
from tagtower.usecases.installation.scratch import scratch_file

router = APIRouter(prefix="/v1/recommend", tags=["recommend"])

TopK = Annotated[int, Query(ge=1, le=100, description="Tags for each, at most.")]
WithEvidence = Annotated[bool, Query(alias="evidence", description="Say what spoke for each tag.")]
EXAMPLE: dict[str, Any] = {
    "model": "spring",
    "library": 17,
    "tags": [{"tag": "solar eclipse", "rank": 1, "distance": 0.31, "score": 0.92}],
    "modalities": {"text": 1.0},
}


class Words(Body):
    """What is written about a video."""

    title: PlainText | None = Field(None, examples=["Total eclipse over the bay"])
    description: PlainText | None = None
    subtitles: PlainText | None = None

    def question(self) -> Question:
        """Return it for the use case."""
        return Question(title=self.title, description=self.description, subtitles=self.subtitles)


class Batch(Body):
    """Many at once."""

    videos: list[Words] = Field(min_length=1, max_length=200)


@router.post("", summary="Tags for a title", responses=example(EXAMPLE))
def for_words(
    server: Server, principal: ForTerminal, body: Words, top_k: TopK = 5, evidence: WithEvidence = False
) -> Any:
    """Returns the tags that fit a title, without storing anything."""
    (found,) = server.recommender.recommend([body.question()], top_k=top_k)
    if found.error is not None:
        raise found.error
    return found.to_json(evidence=evidence)


@router.post("/batch", summary="Tags for many titles", responses=example({"videos": [EXAMPLE]}))
def for_many(
    server: Server, principal: ForTerminal, body: Batch, top_k: TopK = 5, evidence: WithEvidence = False
) -> Any:
    """Returns the tags that fit each of many titles, in their order; one that cannot be used stops no other."""
    found = server.recommender.recommend([one.question() for one in body.videos], top_k=top_k)
    return {"videos": [one.to_json(evidence=evidence) for one in found]}


@router.post(
    "/file",
    summary="Tags for a file",
    responses=example({**EXAMPLE, "modalities": {"image": 0.6, "audio": 0.1, "text": 0.3}}),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def for_file(
    server: Server,
    principal: ForTerminal,
    request: Request,
    title: Annotated[ShortText | None, Query(examples=["Total eclipse over the bay"])] = None,
    filename: Annotated[ShortText | None, Query(description="Tells the format.")] = None,
    top_k: TopK = 5,
    evidence: WithEvidence = False,
) -> Any:
    """Returns the tags that fit the file in the body; nothing of it is kept."""
    suffix = "." + (filename or "").rpartition(".")[2].lower()
    with scratch_file(server.installation) as scratch:
        path = scratch.with_suffix(suffix) if SUFFIX.fullmatch(suffix) else scratch
        try:
            fields = await pour_body(request, path, server.settings.max_upload_bytes)
            question = Question(media=path, title=title or fields.get("title"))
            (found,) = await server.look(server.recommender.recommend, [question], top_k=top_k)
        finally:
            path.unlink(missing_ok=True)
    if found.error is not None:
        raise Problem(422, "unusable", found.error.message, hint=found.error.hint)
    return found.to_json(evidence=evidence)

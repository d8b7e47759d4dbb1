"""The forms of bodies that several routes share."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ProblemBody(BaseModel):
    """A failure (RFC 9457), with a `hint` that says what to do and the id of the request."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:tagtower:problem:not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no video 7."])
    hint: str | None = Field(None, examples=["It may have been erased."])
    request: str | None = Field(None, examples=["5f0c2f4f9a2b4d1e"])


class Body(BaseModel):
    """What a request carries; a field that is not known is refused, since it would be a misspelling."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


def example(value: Any) -> dict[int | str, dict[str, Any]]:
    """Return an example of a route's answer for its description."""
    return {200: {"content": {"application/json": {"example": value}}}}

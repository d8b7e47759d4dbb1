"""`/v1/models`: the models of the installation, how far each has come, and which is active."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from tagtower.faces.http.auth import ForAdmin, ForEditor
from tagtower.faces.http.fields import ShortText
from tagtower.faces.http.parts import Server
from tagtower.faces.http.schemas import Body, example
from tagtower.usecases.installation import models
from tagtower.usecases.installation.compare import compare

router = APIRouter(prefix="/v1/models", tags=["models"])

Name = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]*$", examples=["spring"])]
MODEL: dict[str, Any] = {
    "id": 1,
    "name": "spring",
    "state": "active",
    "fingerprint": "9f86d081",
    "vector_fingerprint": "60303ae2",
    "width": 256,
    "distance": "cosine",
    "added_at": "2030-01-01T12:00:00+00:00",
    "promoted_at": "2030-01-01T12:00:00+00:00",
    "labelled": 5200,
    "built": 5200,
    "failed": 0,
}
SWITCHED = {"active": "summer", "before": "spring", "missing": 0, "sweeps": 3}
FIGURES = {
    "model": "spring",
    "state": "active",
    "labelled": 5200,
    "built": 5200,
    "precision": 0.71,
    "found": 0.64,
    "refused": 0.12,
    "calibration_error": 0.03,
    "answered": 0.98,
    "shown": 7.4,
}


class Force(Body):
    """Whether labelled videos may be missing."""

    force: bool = Field(False, description="Also where the model has not seen every labelled video.")


class Again(Body):
    """Whether to begin anew."""

    again: bool = Field(False, description="Throw what was built away.")


@router.get("", summary="List models", responses=example({"models": [MODEL]}))
def list_all(server: Server, principal: ForEditor) -> Any:
    """Returns the models in the order of their adding; `built` of `labelled` videos tells how far each has come."""
    return {"models": [one.to_json() for one in models.status(server.installation)]}


@router.get(
    "/compare",
    summary="Compare two models",
    responses=example(
        {
            "k": 10,
            "judged": 40,
            "sample": 2000,
            "overlap": 0.7,
            "same_first": 0.6,
            "models": [FIGURES, FIGURES],
        }
    ),
)
def compare_two(
    server: Server,
    principal: ForEditor,
    first: Annotated[ShortText, Query(examples=["spring"])],
    second: Annotated[ShortText, Query(examples=["summer"])],
    k: Annotated[int, Query(ge=1, le=100, description="Of the first k tags.")] = 10,
) -> Any:
    """Holds two models against each other: where they agree, and how each did by what persons said."""
    return compare(server.installation, first, second, k=k).to_json()


@router.get("/{name}", summary="Look at a model", responses=example(MODEL))
def show(server: Server, principal: ForEditor, name: Name) -> Any:
    """Returns one model, and how far it has come."""
    return models.status(server.installation, name)[0].to_json()


@router.post("/roll-back", summary="Go back to the model before", responses=example(SWITCHED))
def roll_back(server: Server, principal: ForAdmin, body: Force) -> Any:
    """Makes the model active again that the active one replaced."""
    return models.roll_back(server.installation, force=body.force).to_json()


@router.post("/{name}/promote", summary="Promote a model", responses=example(SWITCHED))
def promote(server: Server, principal: ForAdmin, name: Name, body: Force) -> Any:
    """Makes a model the active one in one step; nobody sees answers of both."""
    return models.promote(server.installation, name, force=body.force).to_json()


@router.post("/{name}/build", summary="Have a model built", responses=example(MODEL))
def build(server: Server, principal: ForAdmin, name: Name, body: Again) -> Any:
    """Has the workers build a model beside the active one, or build on."""
    return models.rebuild(server.installation, name, again=body.again).to_json()

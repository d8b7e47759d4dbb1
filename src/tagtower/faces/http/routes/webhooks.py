"""`/v1/webhooks`: addresses that events are sent to."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from tagtower.faces.http.auth import ForAdmin
from tagtower.faces.http.conditions import Answer, IdempotencyKey, Once
from tagtower.faces.http.fields import MOST_NUMBER, ShortText
from tagtower.faces.http.parts import Server
from tagtower.faces.http.schemas import Body, example
from tagtower.usecases.installation import webhooks

router = APIRouter(prefix="/v1/webhooks", tags=["events"])

WebhookId = Annotated[int, Path(ge=1, le=MOST_NUMBER, examples=[1])]
EXAMPLE: dict[str, Any] = {
    "id": 1,
    "url": "https://newsroom.example/hooks/tagtower",
    "kinds": ["video.labelled"],
    "allow_private": False,
    "created": "2030-01-01T12:00:00+00:00",
    "sent": 41,
    "next": None,
    "failures": 0,
    "error": None,
}


class NewWebhook(Body):
    """An address that is to get events."""

    url: ShortText = Field(examples=[EXAMPLE["url"]])
    kinds: list[ShortText] = Field(default_factory=list, max_length=10, examples=[["video.labelled"]])
    allow_private: bool = Field(False, description="Its host may be this machine or of a private network.")


@router.get("", summary="List webhooks", responses=example({"webhooks": [EXAMPLE]}))
def list_all(server: Server, principal: ForAdmin) -> Any:
    """Returns every address, how far it has come, and its last error."""
    return {"webhooks": [one.to_json() for one in webhooks.list_all(server.installation)]}


@router.post(
    "",
    status_code=201,
    summary="Add a webhook",
    responses={201: example({**EXAMPLE, "secret": "3f..."})[200]},
)
def add(
    server: Server, principal: ForAdmin, request: Request, body: NewWebhook, key: IdempotencyKey = None
) -> Response:
    """Sends events to an address from now on, each signed: `TagTower-Signature` is `v1=` and the HMAC-SHA256 of
    `TagTower-Timestamp`, a full stop and the body. The secret is told only now."""

    def work() -> Answer:
        made = webhooks.add(
            server.installation, body.url, tuple(body.kinds), allow_private=body.allow_private
        )
        return Answer(made.to_json(), 201)

    return Once(server, principal, request, key, body.model_dump(mode="json")).run(work)


@router.delete("/{webhook_id}", summary="Remove a webhook", responses=example(EXAMPLE))
def remove(server: Server, principal: ForAdmin, webhook_id: WebhookId) -> Any:
    """Sends an address nothing any more."""
    return webhooks.remove(server.installation, webhook_id).to_json()

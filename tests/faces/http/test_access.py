"""Who may do what: every role against every route, keys, sessions, names and origins."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from fastapi.routing import APIRoute

from tagtower.faces.http.sessions import COOKIE, csrf_token, new_session, read_session
from tagtower.library.keys import ROLES
from tagtower.usecases.installation import keys

OPEN = {"/healthz", "/readyz"}


def routes(app: Any) -> list[tuple[str, str, APIRoute]]:
    """Every method of every route that the application answers."""
    found: list[tuple[str, str, APIRoute]] = []
    for prefix, route in _walk(app.routes):
        found += [(method, prefix + route.path, route) for method in sorted(route.methods)]
    return found


def _walk(some: Any, prefix: str = "") -> Any:
    for route in some:
        if isinstance(route, APIRoute):
            yield prefix, route
        elif getattr(route, "original_router", None) is not None:
            context = route.include_context
            yield from _walk(route.original_router.routes, prefix + context.prefix)


def role_of(route: APIRoute) -> str | None:
    """The role that a route asks for."""
    waiting = [route.dependant]
    while waiting:
        one = waiting.pop()
        role = getattr(one.call, "role", None)
        if role is not None:
            return str(role)
        waiting += one.dependencies
    return None


def test_every_route_asks_for_a_role(empty) -> None:
    found = routes(empty.client.app)
    api = [(method, path) for method, path, _ in found if path.startswith("/v1/")]
    assert len(api) > 40
    without = {path for _, path, route in found if role_of(route) is None}
    assert {path for path in without if path.startswith(("/v1", "/metrics"))} == set()
    assert without >= OPEN


def test_every_route_lets_through_whom_it_names_and_nobody_else(empty) -> None:
    for method, path, route in routes(empty.client.app):
        role = role_of(route)
        if role is None or not path.startswith(("/v1", "/metrics")) or path == "/v1/events":
            continue
        place = re.sub(r"\{[^}]*\}", "1", path)
        nobody = empty.call(None, method, place)
        assert nobody.status_code == 401, (method, path)
        for other in ROLES:
            answer = empty.call(other, method, place)
            allowed = ROLES.index(other) >= ROLES.index(role)
            assert (answer.status_code not in (401, 403)) == allowed, (method, path, other, answer.text)
            assert answer.status_code < 500 or answer.status_code == 503, (method, path, answer.text)


def test_a_revoked_key_opens_nothing_any_more(empty) -> None:
    assert empty.get("/v1/tags", "terminal").status_code == 200
    keys.revoke(empty.installation, "terminal")
    assert empty.get("/v1/tags", "terminal").status_code == 401


def test_without_keys_this_machine_may_do_everything_until_one_is_made(keyless) -> None:
    assert keyless.get("/v1/models", None).status_code == 200
    key = keys.create(keyless.installation, "first", "terminal")
    assert keyless.get("/v1/models", None).status_code == 401
    keys.revoke(keyless.installation, key.key.name)
    assert keyless.get("/v1/models", None).status_code == 401


def test_a_page_that_makes_itself_the_name_of_this_machine_is_turned_away(keyless) -> None:
    answer = keyless.get("/v1/tags", None, headers={"Host": "evil.example:8765"})
    assert answer.status_code == 421
    assert keyless.get("/v1/tags", None, headers={"Host": "localhost:8765"}).status_code == 200


def test_another_site_can_change_nothing(keyless) -> None:
    body = {"text": "red"}
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9999"):
        answer = keyless.post("/v1/tags", None, json=body, headers={"Origin": origin})
        assert answer.status_code == 403, origin
    own = keyless.post("/v1/tags", None, json=body, headers={"Origin": "http://127.0.0.1:8765"})
    assert own.status_code == 201


def test_wrong_keys_are_slowed_down_and_right_ones_are_not(empty) -> None:
    answers = [
        empty.get("/v1/tags", None, headers={"Authorization": f"Bearer tt_{n}"}).status_code
        for n in range(30)
    ]
    assert answers[:20] == [401] * 20
    assert 429 in answers[20:]
    assert empty.get("/v1/tags").status_code == 200


def session(empty, role: str) -> tuple[str, str]:
    parts = empty.client.app.state.parts
    (key,) = [one for one in keys.list_all(empty.installation) if one.name == role]
    text = new_session(parts.secret, key.id, empty.installation.clock())
    return text, csrf_token(parts.secret, text)


def test_a_session_reads_but_changes_only_with_its_token(empty) -> None:
    text, token = session(empty, "editor")
    cookie = {"Cookie": f"{COOKIE}={text}"}
    assert empty.get("/v1/tags", None, headers=cookie).status_code == 200
    assert empty.post("/v1/tags", None, json={"text": "red"}, headers=cookie).status_code == 403
    other = {**cookie, "X-CSRF-Token": session(empty, "editor")[1]}
    assert empty.post("/v1/tags", None, json={"text": "red"}, headers=other).status_code == 403
    right = {**cookie, "X-CSRF-Token": token}
    assert empty.post("/v1/tags", None, json={"text": "red"}, headers=right).status_code == 201


def test_a_session_ends_with_its_key(empty) -> None:
    text, _ = session(empty, "editor")
    keys.revoke(empty.installation, "editor")
    assert empty.get("/v1/tags", None, headers={"Cookie": f"{COOKIE}={text}"}).status_code == 401


@pytest.mark.parametrize("spoil", [lambda t: t[:-2] + "AA", lambda t: "x" + t, lambda t: t.split(".")[0]])
def test_a_changed_session_is_none(empty, spoil) -> None:
    text, _ = session(empty, "admin")
    secret, now = empty.client.app.state.parts.secret, empty.installation.clock()
    assert read_session(secret, text, now) is not None
    assert read_session(secret, spoil(text), now) is None
    assert read_session(secret, text, now + timedelta(hours=13)) is None


def test_only_the_hash_of_a_key_is_kept(empty) -> None:
    made = keys.create(empty.installation, "new", "admin")
    database = empty.installation.home / "library.sqlite"
    held = b"".join(path.read_bytes() for path in database.parent.glob("library.sqlite*"))
    assert made.text.encode() not in held
    assert b"'new'" in held or b"new" in held

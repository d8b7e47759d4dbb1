"""Who may sit at the console, and what a form has to carry."""

from __future__ import annotations

import pytest
from tests.faces.console.conftest import HOST

from tagtower.usecases.installation import keys

PAGES = (
    *("/review", "/library", "/tags", "/topics", "/models", "/health", "/webhooks", "/keys"),
    *("/videos/1", "/tags/1", "/live"),
)
FORMS = (
    ("/review/1/verdict", {"tag": "red", "verdict": "accept"}),
    ("/review/1/undo", {"tag": "red"}),
    ("/library/bulk", {"action": "erase", "video": "1", "confirmed": "true"}),
    ("/tags/add", {"text": "new"}),
    ("/tags/undo", {"version": "1"}),
    ("/tags/merge", {"tag": "#1", "into": "siren"}),
    ("/tags/retire", {"tag": "#1"}),
    ("/tags/1", {"what": "retire"}),
    ("/topics/decide", {"decision": "approve", "tag": "#4"}),
    ("/topics/feeds", {"url": "https://news.example/", "policy": "quarantine"}),
    ("/topics/feeds/pause", {"url": "https://news.example/"}),
    ("/models/promote", {"name": "second"}),
    ("/models/roll-back", {}),
    ("/models/build", {"name": "second"}),
    ("/health/retry", {}),
    ("/review/1/bar", {"tag": "#1"}),
    ("/review/1/bar/undo", {"version": "1"}),
    ("/topics/feeds/remove", {"url": "https://news.example/"}),
    ("/webhooks/add", {"url": "https://news.example/"}),
    ("/webhooks/1/remove", {}),
    ("/webhooks/1/try", {}),
    ("/keys/create", {"name": "x", "role": "admin"}),
    ("/keys/revoke", {"name": "admin 1"}),
    ("/sign-out", {}),
)


@pytest.mark.parametrize("page", PAGES)
def test_who_is_not_signed_in_is_asked_for_a_key(page, look):
    answer = look(None).client.get(page, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


def test_after_signing_in_one_is_where_one_wanted_to_be(filled, browse, installation):
    browser = browse(None)
    made = keys.create(installation, "ed", "editor")
    answer = browser.post("/sign-in", key=f" {made.text} ", to="/tags?search=red")
    assert answer.url.path == "/tags"
    assert "ed · editor" in answer.text


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_leads_to_no_other_site(to, browse, installation):
    browser = browse(None)
    made = keys.create(installation, "ed", "editor")
    answer = browser.client.post("/sign-in", data={"key": made.text, "to": to}, follow_redirects=False)
    assert answer.headers["location"] == "/review"


def test_the_cookie_is_kept_from_scripts_and_other_sites(browse, installation):
    made = keys.create(installation, "ed", "editor")
    answer = browse(None).client.post("/sign-in", data={"key": made.text}, follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert made.text not in cookie


@pytest.mark.parametrize("key", ["tt_wrong", "nonsense", "ké"])
def test_a_wrong_key_opens_nothing(key, browse):
    browser = browse(None)
    answer = browser.post("/sign-in", key=key)
    assert answer.status_code == 401
    assert "wrong" in answer.text
    assert not browser.client.cookies


def test_a_revoked_key_ends_its_session(browse, installation):
    browser = browse("editor")
    keys.revoke(installation, "editor 1")
    assert browser.client.get("/tags", follow_redirects=False).status_code == 303


def test_a_terminal_has_no_console(browse, installation):
    browser = browse(None)
    made = keys.create(installation, "till", "terminal")
    answer = browser.post("/sign-in", key=made.text)
    assert answer.status_code == 403
    assert "Terminals have no console." in answer.text
    bearer = browser.client.get("/review", headers={"Authorization": f"Bearer {made.text}"})
    assert bearer.status_code == 403


def test_signing_out_ends_the_session(browse):
    browser = browse()
    browser.post("/sign-out")
    assert browser.client.get("/tags", follow_redirects=False).status_code == 303


@pytest.mark.parametrize(("path", "fields"), FORMS)
def test_a_form_without_the_token_changes_nothing(path, fields, look):
    browser = look("admin")
    for token in ("", "wrong", "é"):
        assert browser.post(path, csrf=token, **fields).status_code == 403


def test_the_token_of_another_session_is_refused(look):
    one, other = look("admin"), look("editor")
    mine, one.token = one.token, other.token
    assert one.post("/tags/add", text="new").status_code == 403
    one.token = mine


def test_a_form_of_another_site_is_refused(look):
    browser = look("admin")
    answer = browser.client.post(
        "/tags/add", data={"text": "new", "csrf": browser.token}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403


def test_the_token_may_come_as_a_header(filled, browse):
    browser = browse("editor")
    headers = {"Origin": HOST, "X-CSRF-Token": browser.token, "HX-Request": "true"}
    fields = {"tag": "red", "verdict": "accept"}
    assert browser.client.post("/review/1/verdict", data=fields, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("path", "fields"),
    [("/models/promote", {"name": "second"}), ("/models/roll-back", {}), ("/models/build", {"name": "second"}),
     ("/keys/create", {"name": "x", "role": "admin"}), ("/keys/revoke", {"name": "editor 1"}),
     ("/topics/feeds/remove", {"url": "https://news.example/"}), ("/webhooks/1/remove", {})],
)  # fmt: skip
def test_an_editor_neither_promotes_models_nor_makes_keys(path, fields, look):
    browser = look("editor")
    answer = browser.post(path, **fields)
    assert answer.status_code == 403
    assert "role admin" in answer.text


def test_an_editor_sees_no_keys_and_no_button_to_promote(look):
    browser = look("editor")
    assert browser.get("/keys").status_code == 403
    assert 'href="/keys"' not in browser.get("/health").text
    assert "/models/promote" not in browser.get("/models").text


def test_without_any_key_this_machine_is_the_administrators(filled, browse):
    browser = browse(None, keyed=False)
    assert browser.get("/keys").status_code == 200
    assert browser.post("/tags/add", text="new").url.path.startswith("/tags/")


def test_a_key_is_shown_once(browse):
    browser = browse("admin")
    made = browser.post("/keys/create", name="till", role="terminal")
    assert "tt_" in made.text
    assert "tt_" not in browser.get("/keys").text


def test_a_page_lets_the_browser_say_where_its_forms_come_from(browse):
    assert browse(None).get("/sign-in").headers["referrer-policy"] == "same-origin"

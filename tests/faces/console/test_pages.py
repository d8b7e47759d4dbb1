"""Every page is there with data and without, escapes what others wrote, and can be used without a pointer."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from tests.faces.console.conftest import HARM

PAGES = (
    "/review",
    "/library",
    "/tags",
    "/tags/history",
    "/topics",
    "/models",
    "/health",
    "/webhooks",
    "/keys",
)
OF_ONE = ("/review/1", "/videos/1", "/videos/3", "/videos/4", "/tags/3", "/tags/4", "/library?tag=red")


class Reader(HTMLParser):
    """Reads a page as a browser does: its elements, and what stands in them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.in_script: list[str] = []
        self.open: list[str] = []
        self.labelled: set[str] = set()
        self.unlabelled: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.elements.append((tag, found))
        if tag not in ("input", "meta", "link", "br", "img"):
            self.open.append(tag)
        field = tag in ("select", "textarea") or (tag == "input" and found.get("type") != "hidden")
        if field and "label" not in self.open and "aria-label" not in found:
            self.unlabelled.append(f"{tag} {found.get('name')}")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style") and data.strip():
            self.in_script.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.elements if name == tag]


def test_every_page_is_there_in_an_empty_installation(browse):
    browser = browse("admin")
    for page in PAGES:
        answer = browser.get(page)
        assert answer.status_code == 200, page
        assert "TagTower" in answer.text


@pytest.mark.parametrize("page", [*PAGES, *OF_ONE])
def test_a_page_is_there_with_data(page, look):
    assert look("admin").get(page).status_code == 200


@pytest.mark.parametrize("page", [*PAGES, *OF_ONE])
def test_no_page_runs_what_somebody_wrote(page, look):
    text = look("admin").get(page).text
    assert "<script>alert" not in text
    assert Reader(text).in_script == []


@pytest.mark.parametrize(
    "page", ["/review/1", "/videos/1", "/tags/3", "/topics", "/health", "/library", "/tags"]
)
def test_what_somebody_wrote_stands_there_as_he_wrote_it(page, look):
    assert "&lt;script&gt;alert(" in look("admin").get(page).text


@pytest.mark.parametrize("page", [*PAGES, *OF_ONE])
def test_no_page_has_styles_or_scripts_or_handlers_of_its_own(page, look):
    answer = look("admin").get(page)
    for tag, found in Reader(answer.text).elements:
        assert "style" not in found, tag
        assert not [name for name in found if name.startswith("on") or name.startswith("hx-on")], tag
        if tag == "script":
            assert (found.get("src") or "").startswith("/static/")
    assert "'unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")


@pytest.mark.parametrize("page", [*PAGES, *OF_ONE, "/sign-in"])
def test_every_field_has_a_name_and_every_page_its_landmarks(page, look):
    reader = Reader(look(None if page == "/sign-in" else "admin").get(page).text)
    assert reader.unlabelled == []
    assert len(reader.of("main")) == 1
    assert len(reader.of("h1")) == 1
    assert reader.of("html")[0]["lang"] == "en"
    assert any(one.get("href") == "#main" for one in reader.of("a"))


def test_every_form_that_changes_something_carries_the_token(look):
    browser = look("admin")
    for page in (*PAGES, *OF_ONE):
        text = browser.get(page).text
        assert text.count('method="post"') == text.count('name="csrf" value="'), page
        assert 'name="csrf" value=""' not in text, page


def test_what_a_page_needs_lies_on_the_server(look):
    browser = look("admin")
    reader = Reader(browser.get("/review/1").text)
    addresses = [one["src"] for one in reader.of("script")] + [one["href"] for one in reader.of("link")]
    assert len(addresses) >= 4
    for address in addresses:
        answer = browser.client.get(address)
        assert answer.status_code == 200
        assert "max-age" in answer.headers["cache-control"]


def test_a_file_outside_the_folder_is_not_sent(look):
    assert look("admin").client.get("/static/..%2Fapp.py").status_code == 404
    assert look("admin").client.get("/static/app.py").status_code == 404


def test_what_is_not_there_is_said_with_what_to_do(look):
    answer = look("admin").get("/videos/99")
    assert answer.status_code == 404
    assert "There is no video 99." in answer.text
    assert "erased" in answer.text


def test_a_note_is_shown_once(look):
    browser = look("admin")
    assert "was chosen" in browser.post("/library/bulk", action="accept", tag="red").text
    assert "was chosen" not in browser.get("/library").text


def test_a_note_that_somebody_else_wrote_is_passed_over(look):
    browser = look("admin")
    browser.client.cookies.set("tagtower_note", "nonsense")
    assert browser.get("/library").status_code == 200


def test_the_text_of_harm_is_what_it_is():
    assert Reader(f"<p>{HARM}</p>").in_script == ["alert('x')"]

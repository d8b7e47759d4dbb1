"""What a person does in a browser, where Playwright has no word for it."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

SHOTS = Path(os.environ.get("TAGTOWER_SCREENSHOTS", "screenshots"))


def sign_in(page: Any, key: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def shoot(page: Any, name: str) -> None:
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=str(SHOTS / f"{name}.png"), full_page=True)


def until(page: Any, question: str, about: object, seconds: float = 60.0) -> None:
    """Ask again and again until the page says yes; it lets no function of Playwright's own wait in it."""
    for _ in range(int(seconds / 0.05)):
        if page.evaluate(question, about):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"it never came to {question} of {about}")


def break_one_piece(page: Any) -> list[str]:
    """Let the first piece that is sent get lost on the way."""
    broken: list[str] = []

    def once(route: Any) -> None:
        if route.request.method == "PATCH" and not broken:
            broken.append("broken")
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/v1/videos/uploads/*", once)
    return broken


def drop(page: Any, files: list[Path]) -> None:
    """Drop files on the page, as from the desktop."""
    contents = [(one.name, base64.b64encode(one.read_bytes()).decode()) for one in files]
    page.evaluate(
        """files => {
            const given = new DataTransfer();
            for (const [name, text] of files) {
                const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
                given.items.add(new File([bytes], name));
            }
            const drop = new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true });
            document.querySelector("main").dispatchEvent(drop);
        }""",
        contents,
    )


def begin_half(page: Any, file: Path) -> int:
    """Leave behind what a page that was closed in the middle of an upload leaves; return how much has come."""
    size, half = file.stat().st_size, file.stat().st_size // 2
    changed = int(file.stat().st_mtime * 1000)
    page.evaluate(
        """async ([name, size, changed, half, text]) => {
            const token = document.querySelector('[data-upload] [name="csrf"]').value;
            const headers = { "X-CSRF-Token": token, "Content-Type": "application/json" };
            const body = JSON.stringify({ length: size });
            const made = await (await fetch("/v1/videos/uploads", { method: "POST", headers, body })).json();
            const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
            await fetch(`/v1/videos/uploads/${made.id}`, {
                method: "PATCH", headers: { "X-CSRF-Token": token, "Upload-Offset": "0" }, body: bytes });
            const kept = { [`${name}|${size}|${changed}`]: { id: made.id, name, size, at: half } };
            localStorage.setItem("tagtower.uploads", JSON.stringify(kept));
        }""",
        [file.name, size, changed, half, base64.b64encode(file.read_bytes()[:half]).decode()],
    )
    return half

"""The tag library: looked at, tried, filled, and its history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from tagtower.client.answers.tags import (
    Change,
    ChangeDetail,
    ChangePage,
    Import,
    Outcome,
    Preview,
    Tag,
    TagDetail,
    TagGroup,
    TagPage,
)
from tagtower.client.calls.tag_changes import TAG, TAGS, TagChangeCalls
from tagtower.client.calls.uploads import once
from tagtower.client.decoding import answer, several
from tagtower.client.grouping import AsyncGroup, Listing, SyncGroup, call, listing
from tagtower.client.steps import Ask, FilePart, given, unreadable

PREVIEW_SECONDS = 300.0
State: TypeAlias = Literal["active", "quarantined", "retired", "merged"]
Format: TypeAlias = Literal["txt", "csv", "jsonl"]


def _page(
    search: str | None,
    state: State | None,
    group: str | None,
    language: str | None,
    origin: str | None,
    order: str,
    limit: int,
    cursor: str | None,
) -> Ask[TagPage]:
    query = {
        "search": search,
        "state": state,
        "group": group,
        "language": language,
        "origin": origin,
        "order": order,
        "limit": limit,
        "cursor": cursor,
    }
    return Ask("GET", TAGS, answer(TagPage), query=query)


class TagCalls(TagChangeCalls):
    """The tag library: finding tags, trying them, adding them one by one or from a file, and what was changed."""

    @listing
    def search(
        self,
        search: str | None = None,
        *,
        state: State | None = None,
        group: str | None = None,
        language: str | None = None,
        origin: str | None = None,
        order: Literal["name", "id", "newest"] = "name",
        page: int = 200,
    ) -> Listing[Tag]:
        """Yield the tags that meet every condition; `search` is part of a name, `page` how many come at once."""
        return Listing(_page(search, state, group, language, origin, order, page, None))

    @call
    def page(
        self,
        search: str | None = None,
        *,
        state: State | None = None,
        group: str | None = None,
        language: str | None = None,
        origin: str | None = None,
        order: Literal["name", "id", "newest"] = "name",
        limit: int = 50,
        cursor: str | None = None,
    ) -> Ask[TagPage]:
        """Return one page of what `search` yields, and how many tags there are."""
        return _page(search, state, group, language, origin, order, limit, cursor)

    @call
    def get(self, tag_id: int) -> Ask[TagDetail]:
        """Return a tag, those that were merged into it, and its last changes."""
        return Ask("GET", TAG, answer(TagDetail), {"tag_id": tag_id})

    @call
    def look_up(self, name: str) -> Ask[TagDetail]:
        """Return the tag that a text or an alias leads to, in any spelling."""
        return Ask("GET", f"{TAGS}/lookup", answer(TagDetail), query={"name": name})

    @call
    def groups(self) -> Ask[tuple[TagGroup, ...]]:
        """Return every group, with the number of its tags."""
        return Ask("GET", f"{TAGS}/groups", several(TagGroup, "groups"))

    @call
    def add(
        self,
        text: str,
        *,
        aliases: Sequence[str] = (),
        description: str | None = None,
        language: str | None = None,
        groups: Sequence[str] = (),
        expires: datetime | None = None,
        threshold: float | None = None,
        state: Literal["active", "quarantined"] = "active",
        dry_run: bool = False,
        key: str | None = None,
    ) -> Ask[Outcome]:
        """Add a tag: the next video is labelled with it, and the workers look for the stored videos that it fits.

        Args:
            threshold: the probability in [0, 1] from which on it is suggested; default as the model says.
            key: by which it is added only once, also if another run asks again.
        """
        body = given(
            text=text,
            aliases=tuple(aliases),
            description=description,
            language=language,
            groups=tuple(groups),
            expires=expires,
            threshold=threshold,
            state=state,
        )
        query = {"dry_run": True} if dry_run else {}
        return Ask("POST", TAGS, answer(Outcome), query=query, json=body, headers=once(key))

    @call
    def preview(
        self,
        text: str,
        *,
        aliases: Sequence[str] = (),
        description: str | None = None,
        threshold: float | None = None,
        shown: int = 10,
    ) -> Ask[Preview]:
        """Return on how many stored videos a tag would be suggested if it were added, and on which `shown` first."""
        body = given(
            text=text, aliases=tuple(aliases), description=description, threshold=threshold, shown=shown
        )
        path = f"{TAGS}/preview"
        return Ask("POST", path, answer(Preview), json=body, repeatable=True, seconds=PREVIEW_SECONDS)

    @call
    def import_file(
        self,
        path: str | Path,
        *,
        form: Format | None = None,
        state: Literal["active", "quarantined"] = "active",
        sweep: bool = True,
        dry_run: bool = False,
        key: str | None = None,
    ) -> Ask[Import]:
        """Bring the tags of a file into the library as one change, and return what became of its rows.

        Args:
            form: how it is written; default by its suffix, `txt` where that is another.
            state: of new tags.
            sweep: look for stored videos that fit them.
        Raises:
            InputError: the file cannot be read.
        """
        file = Path(path)
        suffix = file.suffix.lower().removeprefix(".")
        try:
            size = file.stat().st_size
        except OSError as error:
            raise unreadable(file, error) from error
        query = {
            "format": form or (suffix if suffix in ("txt", "csv", "jsonl") else "txt"),
            "state": state,
            "sweep": sweep,
            "dry_run": dry_run,
        }
        headers = {"Content-Type": "application/octet-stream", **once(key)}
        body = FilePart(file, 0, size)
        return Ask("POST", f"{TAGS}/import", answer(Import), query=query, headers=headers, body=body)

    @listing
    def changes(self, *, before: int | None = None, page: int = 100) -> Listing[Change]:
        """Yield the changes of the library, the newest first; `before` leaves out a version and what came after it."""
        query = {"before": before, "limit": page}
        return Listing(Ask("GET", f"{TAGS}/changes", answer(ChangePage), query=query), cursor="before")

    @call
    def change(self, version: int) -> Ask[ChangeDetail]:
        """Return one change with the tags that it touched."""
        return Ask("GET", f"{TAGS}/changes/{{version}}", answer(ChangeDetail), {"version": version})


class Tags(TagCalls, SyncGroup):
    """The tag library."""


class AsyncTags(TagCalls, AsyncGroup):
    """The tag library, awaited."""

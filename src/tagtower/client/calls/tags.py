"""The tag library: looked at, changed, tried and taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

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
from tagtower.client.calls.uploads import once
from tagtower.client.decoding import answer, several
from tagtower.client.grouping import AsyncGroup, Group, Listing, SyncGroup, call, listing
from tagtower.client.steps import Ask, FilePart, given, unreadable

TAGS = "/v1/tags"
TAG = "/v1/tags/{tag_id}"
PREVIEW_SECONDS = 300.0
Named: TypeAlias = str | int
State: TypeAlias = Literal["active", "quarantined", "retired", "merged"]
Format: TypeAlias = Literal["txt", "csv", "jsonl"]


def _change(
    method: str,
    path: str,
    body: Mapping[str, Any] | None,
    dry_run: bool,
    etag: str | None,
    tag_id: int | None = None,
) -> Ask[Outcome]:
    return Ask(
        method,
        path,
        answer(Outcome),
        {} if tag_id is None else {"tag_id": tag_id},
        query={"dry_run": True} if dry_run else {},
        json=body,
        headers={} if etag is None else {"If-Match": etag},
        repeatable=dry_run or (method == "PUT" and etag is None),
    )


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


class TagCalls(Group):
    """What is done with tags. Every change can be tried with `dry_run`; one with `etag` (of a tag as it was seen) is
    refused if the tag is another since.
    """

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
    def rename(
        self,
        tag_id: int,
        text: str,
        *,
        keep_alias: bool = True,
        dry_run: bool = False,
        etag: str | None = None,
    ) -> Ask[Outcome]:
        """Give a tag another text; unless `keep_alias` is off, the old one still leads to it."""
        body = {"text": text, "keep_alias": keep_alias}
        return _change("POST", f"{TAG}/rename", body, dry_run, etag, tag_id)

    @call
    def add_aliases(
        self, tag_id: int, aliases: Sequence[str], *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let further names lead to a tag."""
        return _change("POST", f"{TAG}/aliases", {"add": list(aliases)}, dry_run, etag, tag_id)

    @call
    def remove_aliases(
        self, tag_id: int, aliases: Sequence[str], *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let names lead to a tag no longer."""
        return _change("POST", f"{TAG}/aliases", {"remove": list(aliases)}, dry_run, etag, tag_id)

    @call
    def describe(
        self,
        tag_id: int,
        description: str | None,
        *,
        language: str | None = None,
        dry_run: bool = False,
        etag: str | None = None,
    ) -> Ask[Outcome]:
        """Say what a tag means and in which language it is; None takes away."""
        body = {"description": description, "language": language}
        return _change("PUT", f"{TAG}/description", body, dry_run, etag, tag_id)

    @call
    def expire(
        self, tag_id: int, expires: datetime | None, *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let a tag be suggested until a moment, or with None for good."""
        body = {"expires": None if expires is None else expires.isoformat()}
        return _change("PUT", f"{TAG}/expiry", body, dry_run, etag, tag_id)

    @call
    def set_threshold(
        self, tag_id: int, threshold: float | None, *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let a tag be suggested from a probability in [0, 1] on, or with None as the model says."""
        return _change("PUT", f"{TAG}/threshold", {"threshold": threshold}, dry_run, etag, tag_id)

    @call
    def set_suggestable(
        self, tag_id: int, suggestable: bool, *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let a tag never be suggested, whatever the video, or again."""
        return _change("PUT", f"{TAG}/suggestable", {"suggestable": suggestable}, dry_run, etag, tag_id)

    @call
    def bar(
        self,
        tag_id: int,
        videos: Sequence[int],
        *,
        lift: bool = False,
        dry_run: bool = False,
        etag: str | None = None,
    ) -> Ask[Outcome]:
        """Let a tag never be suggested on some videos, or with `lift` again."""
        return _change("POST", f"{TAG}/bar", {"videos": list(videos), "lift": lift}, dry_run, etag, tag_id)

    @call
    def merge(
        self, sources: Sequence[Named], into: Named, *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let tags become one with another; nothing is rewritten, and `split` or `undo` bring everything back."""
        return _change("POST", f"{TAGS}/merge", {"sources": list(sources), "into": into}, dry_run, etag)

    @call
    def split(
        self, name: Named, *, more: Sequence[str] = (), dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Make a tag of its own of an alias, with `more` aliases; a merged tag comes back."""
        return _change("POST", f"{TAGS}/split", {"name": name, "more": list(more)}, dry_run, etag)

    @call
    def retire(
        self, tags: Sequence[Named], *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Suggest tags no more, and show them no more; verdicts are kept."""
        return _change("POST", f"{TAGS}/retire", {"tags": list(tags)}, dry_run, etag)

    @call
    def restore(
        self, tags: Sequence[Named], *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Make retired tags active again."""
        return _change("POST", f"{TAGS}/restore", {"tags": list(tags)}, dry_run, etag)

    @call
    def approve(
        self, tags: Sequence[Named], *, dry_run: bool = False, etag: str | None = None
    ) -> Ask[Outcome]:
        """Let quarantined tags, such as feeds bring, into the library."""
        return _change("POST", f"{TAGS}/approve", {"tags": list(tags)}, dry_run, etag)

    @call
    def regroup(
        self,
        tags: Sequence[Named],
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        dry_run: bool = False,
        etag: str | None = None,
    ) -> Ask[Outcome]:
        """Put tags into groups, and take them out of others."""
        body = {"tags": list(tags), "add": list(add), "remove": list(remove)}
        return _change("POST", f"{TAGS}/groups", body, dry_run, etag)

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

    @call
    def undo(self, version: int, *, dry_run: bool = False) -> Ask[Outcome]:
        """Let what a change touched become as it was; it is a change itself, and can be undone."""
        query = {"dry_run": True} if dry_run else {}
        path = f"{TAGS}/changes/{{version}}/undo"
        return Ask("POST", path, answer(Outcome), {"version": version}, query=query, repeatable=dry_run)


class Tags(TagCalls, SyncGroup):
    """The tag library."""


class AsyncTags(TagCalls, AsyncGroup):
    """The tag library, awaited."""

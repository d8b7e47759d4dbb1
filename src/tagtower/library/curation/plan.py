"""What is going to change: which tags, from what to what; a plan can be shown before it is carried out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from tagtower.errors import ConflictError
from tagtower.library.curation.record import TagRecord
from tagtower.library.tags import normalize_tag

Kind: TypeAlias = Literal[
    "add", "import", "rename", "alias", "merge", "split", "retire", "restore", "approve", "describe", "expire",
    "group", "bar", "threshold", "suggestable", "topics", "undo",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Edit:
    """A tag before and after; None where there is no such tag. At least one of them is given."""

    before: TagRecord | None
    after: TagRecord | None

    @property
    def tag_id(self) -> int:
        """The tag's number; 0 where it is new."""
        record = self.before or self.after
        assert record is not None, "an edit is of a tag"
        return record.id

    @property
    def renames(self) -> bool:
        """Whether the tag's names change."""
        return names_of(self.before) != names_of(self.after)


@dataclass(frozen=True, slots=True)
class Bar:
    """That a tag is never to be suggested on a video, or may be again."""

    video_id: int
    tag_id: int
    barred: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A change that was not made yet; without edits there is nothing to change."""

    kind: Kind
    summary: str
    edits: tuple[Edit, ...] = ()
    bars: tuple[Bar, ...] = ()
    detail: dict[str, Any] | None = None

    @property
    def empty(self) -> bool:
        """Whether everything is already as it would be."""
        return not self.edits and not self.bars


def edit_of(before: TagRecord, **fields: Any) -> tuple[Edit, ...]:
    """Return the edit that sets `fields`, or none where they are so already."""
    after = replace(before, **fields)
    return () if after == before else (Edit(before, after),)


def names_of(record: TagRecord | None) -> tuple[str, ...]:
    """Return the names that lead to a tag, none for one that does not exist."""
    return () if record is None else record.names


def check_version(records: Iterable[TagRecord], expected: int | None) -> None:
    """Return if none of the tags was changed after the version `expected`.

    Raises:
        ConflictError: one was; it names the change.
    """
    for record in records:
        if expected is not None and record.version > expected:
            raise ConflictError(
                f"The tag {record.text!r} was changed by change {record.version}, after the version {expected} "
                "that you saw.",
                hint="Look at it again, then decide.",
            )


def claims(edits: Iterable[Edit]) -> dict[str, tuple[Edit, str]]:
    """Return the normalized names that the tags will have, each with its edit and its text.

    Raises:
        ConflictError: two of the tags claim the same name.
    """
    claimed: dict[str, tuple[Edit, str]] = {}
    for edit in edits:
        for name in names_of(edit.after):
            key = normalize_tag(name)
            if key in claimed:
                assert edit.after is not None, "it has names"
                other = claimed[key][0].after
                assert other is not None, "it has names"
                raise ConflictError(
                    f"{name!r} would be a name of both {other.text!r} and {edit.after.text!r}.",
                    hint="A name leads to one tag only: merge the two, or leave it with one of them.",
                )
            claimed[key] = edit, name
    return claimed

"""Plans for how a tag stands: active or not, how long, where it may be suggested, and what is said about it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from tagtower.errors import ConflictError
from tagtower.library.curation.plan import Bar, Edit, Plan, edit_of
from tagtower.library.curation.record import (
    TagRecord,
    check_threshold,
    clean_description,
    clean_groups,
    clean_language,
)


def retire(records: Sequence[TagRecord]) -> Plan:
    """Return the plan to suggest tags no more; their names stay taken, their verdicts are kept.

    Raises:
        ConflictError: one is merged.
    """
    edits = [edit for record in records for edit in _in_state(record, "retired", ("active", "quarantined"))]
    return Plan("retire", f"retire {listed(records)}", tuple(edits))


def restore(records: Sequence[TagRecord], now: datetime) -> Plan:
    """Return the plan to make retired tags active again; an expiry that has passed is taken away.

    Raises:
        ConflictError: one is merged or quarantined.
    """
    edits = [edit for record in records for edit in _in_state(record, "active", ("retired",), now)]
    return Plan("restore", f"restore {listed(records)}", tuple(edits))


def approve(records: Sequence[TagRecord], now: datetime) -> Plan:
    """Return the plan to let quarantined tags into the library; an expiry that has passed is taken away.

    Raises:
        ConflictError: one is merged or retired.
    """
    edits = [edit for record in records for edit in _in_state(record, "active", ("quarantined",), now)]
    return Plan("approve", f"approve {listed(records)}", tuple(edits))


def describe(tag: TagRecord, description: str | None, language: str | None) -> Plan:
    """Return the plan to say what a tag means and in which language it is; None takes away.

    Raises:
        TagLibraryError: the texts can be none.
    """
    said = clean_description(description), clean_language(language)
    edits = edit_of(tag, description=said[0], language=said[1])
    return Plan("describe", f"describe {tag.text!r}", edits)


def expire(tag: TagRecord, at: datetime | None) -> Plan:
    """Return the plan to let a tag be suggested until `at`; None: for good."""
    until = "for good" if at is None else f"until {at.isoformat(timespec='minutes')}"
    return Plan("expire", f"keep {tag.text!r} {until}", edit_of(tag, expires_at=at))


def regroup(records: Sequence[TagRecord], add: Collection[str], remove: Collection[str]) -> Plan:
    """Return the plan to put tags into groups, and take them out of others.

    Raises:
        TagLibraryError: a name can be no group.
    """
    into, out = clean_groups(add), clean_groups(remove)
    edits: list[Edit] = []
    for record in records:
        groups = tuple(sorted((set(record.groups) - set(out)) | set(into)))
        edits += edit_of(record, groups=groups)
    said = " and ".join(
        f"{verb} {', '.join(map(repr, names))}" for verb, names in (("into", into), ("out of", out)) if names
    )
    return Plan("group", f"put {listed(records)} {said}", tuple(edits))


def set_threshold(tag: TagRecord, threshold: float | None) -> Plan:
    """Return the plan to suggest a tag from this probability on; None: as the model says.

    Raises:
        TagLibraryError: it is not in [0, 1].
    """
    said = "to the model's own" if threshold is None else f"to {threshold:g}"
    edits = edit_of(tag, threshold=check_threshold(threshold))
    return Plan("threshold", f"set the threshold of {tag.text!r} {said}", edits)


def set_suggestable(tag: TagRecord, suggestable: bool) -> Plan:
    """Return the plan to suggest a tag never, whatever the video, or again."""
    said = f"suggest {tag.text!r} again" if suggestable else f"never suggest {tag.text!r}"
    return Plan("suggestable", said, edit_of(tag, suggestable=suggestable))


def bar(
    tag: TagRecord, video_ids: Sequence[int], barred_now: Collection[tuple[int, int]], *, lift: bool = False
) -> Plan:
    """Return the plan to suggest a tag never on some videos, or, if `lift`, again.

    Args:
        barred_now: pairs of one of the videos and of the tag, or one that was merged into it, that is barred there.
    """
    # What is barred under another name would be let in again where that comes back to itself.
    barred_from = {video for video, number in barred_now if lift or number == tag.id}
    concerned = [video for video in dict.fromkeys(video_ids) if (video in barred_from) == lift]
    said = ", ".join(f"#{video}" for video in concerned)
    verb = "again on" if lift else "never on"
    lifted = [Bar(video, number, False) for video, number in sorted(barred_now)]
    return Plan(
        "bar",
        f"suggest {tag.text!r} {verb} video {said}",
        (Edit(tag, tag),) if concerned else (),
        tuple(lifted if lift else (Bar(video, tag.id, True) for video in concerned)),
    )


def listed(records: Sequence[TagRecord], most: int = 5) -> str:
    """Return the texts of tags for a summary; of many the first and how many there are more."""
    named = ", ".join(repr(record.text) for record in records[:most])
    return f"{named} and {len(records) - most} more" if len(records) > most else named


def _in_state(
    record: TagRecord, state: str, before: Collection[str], now: datetime | None = None
) -> tuple[Edit, ...]:
    if record.state == state:
        return ()
    if record.state not in before:
        raise ConflictError(
            f"The tag {record.text!r} is {record.state}, not {' or '.join(before)}.",
            hint=_HINTS[record.state],
        )
    passed = now is not None and record.expired(now)
    return edit_of(record, state=state, expires_at=None if passed else record.expires_at)


_HINTS = {
    "active": "It is in the library already.",
    "retired": "Bring it back with: tagtower tags HOME restore",
    "quarantined": "Let it in with: tagtower tags HOME approve",
    "merged": "Bring it back with: tagtower tags HOME split",
}

"""Changes of the tag library by persons: each is one change with an author, can be tried first and undone.

A tag is named by its text, by an alias, or by `#NUMBER`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from tagtower.errors import ConflictError, NotFoundError, TagLibraryError, UsageError
from tagtower.library.curation import joining, naming, standing
from tagtower.library.curation.committing import commit, lock_library
from tagtower.library.curation.history import before_merging
from tagtower.library.curation.importing import Imported, import_tags
from tagtower.library.curation.plan import Edit, Plan, check_version
from tagtower.library.curation.reach import Reach, reach_of
from tagtower.library.curation.reading import chunks, find, find_standing, load_one, merged_into
from tagtower.library.curation.record import TagRecord, TagState
from tagtower.library.curation.undoing import undo as undo_change
from tagtower.library.schema import barred, videos
from tagtower.library.tagfile import tag_entries
from tagtower.library.tags import normalize_tag
from tagtower.records import Problems
from tagtower.storage.rows import BadRows
from tagtower.usecases.installation.home import Installation


@dataclass(frozen=True, slots=True)
class Editing:
    """Who changes the library, and how.

    `dry_run` says what would change and changes nothing. `expected_version` is the version of the library that the
    editor looked at: a tag that was changed after it is not changed, so that nobody overwrites what he has not seen.
    """

    author: str
    dry_run: bool = False
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was changed, or would be: `version` is None where nothing was.

    `edits` are the tags before and after; `reach` says how many suggestions, verdicts and videos they have; `sweeps`
    how many tags the workers will look for among the stored videos.
    """

    kind: str
    summary: str
    version: int | None
    dry_run: bool
    edits: tuple[Edit, ...]
    reach: Reach
    sweeps: int

    @property
    def tag(self) -> TagRecord | None:
        """The tag that was changed or made first, as it is now."""
        return self.edits[0].after if self.edits else None

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        return {
            "kind": self.kind,
            "summary": self.summary,
            "version": self.version,
            "dry_run": self.dry_run,
            "changed": bool(self.edits),
            "tags": [
                {
                    "before": None if edit.before is None else edit.before.to_json(),
                    "after": None if edit.after is None else edit.after.to_json(),
                }
                for edit in self.edits
            ],
            "reach": self.reach.to_json(),
            "sweeps": self.sweeps,
        }


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What became of a file of tags; `problems` are its bad rows, and what was odd."""

    imported: Imported
    problems: Problems
    dry_run: bool

    def to_json(self) -> dict[str, Any]:
        """Return it for a reader of JSON."""
        counts = self.imported.to_json()
        return {
            **counts,
            "version": None if self.dry_run else self.imported.version,
            "dry_run": self.dry_run,
            "problem_count": self.problems.count,
            "problems": [{"where": one.where, "what": one.what} for one in self.problems.first],
        }


def add(
    installation: Installation,
    by: Editing,
    text: str,
    *,
    aliases: Sequence[str] = (),
    description: str | None = None,
    language: str | None = None,
    groups: Sequence[str] = (),
    expires: datetime | None = None,
    threshold: float | None = None,
    state: TagState = "active",
    origin: str = "person",
) -> Outcome:
    """Add a tag.

    Raises:
        TagLibraryError: a text can be no tag, description, language or group, or the threshold is none.
        ConflictError: a name belongs to another tag.
    """
    record = TagRecord(
        id=0,
        text=text,
        aliases=tuple(aliases),
        description=description,
        language=language,
        state=state,
        origin=origin,
        created_at=installation.clock(),
        expires_at=expires,
        threshold=threshold,
        groups=tuple(groups),
    )
    return _change(installation, by, lambda _: naming.add(record))


def rename(
    installation: Installation, by: Editing, tag: str, text: str, *, keep_alias: bool = True
) -> Outcome:
    """Give a tag another text; the old one stays as an alias if `keep_alias`.

    Raises:
        NotFoundError, ConflictError, TagLibraryError: there is no such tag; the name is taken; it can be none.
    """
    return _edit(installation, by, tag, lambda record: naming.rename(record, text, keep_alias=keep_alias))


def add_aliases(installation: Installation, by: Editing, tag: str, aliases: Sequence[str]) -> Outcome:
    """Let further names lead to a tag.

    Raises:
        NotFoundError, ConflictError, TagLibraryError: there is no such tag; a name is taken; it can be none.
    """
    return _edit(installation, by, tag, lambda record: naming.add_aliases(record, aliases))


def remove_aliases(installation: Installation, by: Editing, tag: str, aliases: Sequence[str]) -> Outcome:
    """Let names no longer lead to a tag.

    Raises:
        NotFoundError, ConflictError: there is no such tag or alias; it is the tag's own text.
    """
    return _edit(installation, by, tag, lambda record: naming.remove_aliases(record, aliases))


def describe(
    installation: Installation, by: Editing, tag: str, description: str | None, language: str | None
) -> Outcome:
    """Say what a tag means and in which language it is; None takes away.

    Raises:
        NotFoundError, TagLibraryError: there is no such tag; a text can be none.
    """
    return _edit(installation, by, tag, lambda record: standing.describe(record, description, language))


def expire(installation: Installation, by: Editing, tag: str, at: datetime | None) -> Outcome:
    """Let a tag be suggested until `at`; None: for good.

    Raises:
        NotFoundError: there is no such tag.
    """
    return _edit(installation, by, tag, lambda record: standing.expire(record, at))


def set_threshold(installation: Installation, by: Editing, tag: str, threshold: float | None) -> Outcome:
    """Suggest a tag from this probability on; None: as the model says.

    Raises:
        NotFoundError, TagLibraryError: there is no such tag; it is no probability.
    """
    return _edit(installation, by, tag, lambda record: standing.set_threshold(record, threshold))


def set_suggestable(installation: Installation, by: Editing, tag: str, suggestable: bool) -> Outcome:
    """Suggest a tag never, whatever the video, or again.

    Raises:
        NotFoundError: there is no such tag.
    """
    return _edit(installation, by, tag, lambda record: standing.set_suggestable(record, suggestable))


def retire(installation: Installation, by: Editing, tags: Sequence[str]) -> Outcome:
    """Suggest tags no more, and show them no more; verdicts are kept and names stay taken.

    Raises:
        NotFoundError, ConflictError: there is no such tag; it is merged.
    """
    return _edit_many(installation, by, tags, standing.retire)


def restore(installation: Installation, by: Editing, tags: Sequence[str]) -> Outcome:
    """Make retired tags active again.

    Raises:
        NotFoundError, ConflictError: there is no such tag; it is merged or quarantined.
    """
    now = installation.clock()
    return _edit_many(installation, by, tags, lambda records: standing.restore(records, now))


def approve(installation: Installation, by: Editing, tags: Sequence[str]) -> Outcome:
    """Let quarantined tags into the library.

    Raises:
        NotFoundError, ConflictError: there is no such tag; it is merged or retired.
    """
    now = installation.clock()
    return _edit_many(installation, by, tags, lambda records: standing.approve(records, now))


def regroup(
    installation: Installation, by: Editing, tags: Sequence[str], add: Sequence[str], remove: Sequence[str]
) -> Outcome:
    """Put tags into groups, and take them out of others.

    Raises:
        NotFoundError, TagLibraryError, UsageError: there is no such tag; a name can be no group; none is named.
    """
    if not add and not remove:
        raise UsageError("No group is named.", hint="Say into which group, or out of which.")
    return _edit_many(installation, by, tags, lambda records: standing.regroup(records, add, remove))


def bar(
    installation: Installation, by: Editing, tag: str, video_ids: Sequence[int], *, lift: bool = False
) -> Outcome:
    """Suggest a tag never on some videos, or, if `lift`, again.

    Raises:
        NotFoundError: there is no such tag or video.
    """

    def plan(connection: Connection) -> Plan:
        record = _checked(connection, by, [find_standing(connection, tag)])[0]
        wanted = list(dict.fromkeys(video_ids))
        known: set[int] = set()
        now: list[tuple[int, int]] = []
        members = [record.id, *(one.id for one in merged_into(connection, [record.id]))]
        for some in chunks(wanted):
            known.update(connection.scalars(select(videos.c.id).where(videos.c.id.in_(some))))
            for own in chunks(members):
                here = barred.c.tag_id.in_(own) & barred.c.video_id.in_(some)
                rows = connection.execute(select(barred.c.video_id, barred.c.tag_id).where(here))
                now += [(row.video_id, row.tag_id) for row in rows]
        for video in wanted:
            if video not in known:
                raise NotFoundError(f"There is no video #{video}.", hint="Give the number of a stored video.")
        return standing.bar(record, wanted, now, lift=lift)

    return _change(installation, by, plan)


def merge(installation: Installation, by: Editing, sources: Sequence[str], into: str) -> Outcome:
    """Merge tags into another one, which gets their names as aliases; their suggestions and verdicts count for it.

    Raises:
        NotFoundError, ConflictError: there is no such tag; it is merged, or would be into itself; `into` is not active.
    """

    def plan(connection: Connection) -> Plan:
        target = find_standing(connection, into)
        found = {record.id: record for record in (find_standing(connection, one) for one in sources)}
        records = list(found.values())
        _checked(connection, by, [target, *records])
        return joining.merge(records, target, merged_into(connection, found))

    return _change(installation, by, plan)


def split(installation: Installation, by: Editing, name: str, more: Sequence[str] = ()) -> Outcome:
    """Make a tag of its own of an alias: a tag that was merged comes back with its suggestions and verdicts.

    Args:
        name: the alias, or `#NUMBER` of a merged tag.
        more: further aliases that it takes along.
    Raises:
        NotFoundError, ConflictError: there is no such alias; it is a tag of its own.
    """

    def plan(connection: Connection) -> Plan:
        found = find(connection, name)
        if found.state != "merged":
            key = normalize_tag(name)
            _checked(connection, by, [found])
            former = [one for one in merged_into(connection, [found.id]) if normalize_tag(one.text) == key]
            if not former:
                return joining.split_off(found, name, more, installation.clock())
            found = former[-1]
        if found.merged_into is None:
            raise ConflictError(f"The tag {found.text!r} is not merged.", hint="Name an alias of it.")
        root = load_one(connection, found.merged_into)
        _checked(connection, by, [root])
        return joining.bring_back(found, root, before_merging(connection, found), more)

    return _change(installation, by, plan)


def undo(installation: Installation, by: Editing, version: int) -> Outcome:
    """Undo a change: what it touched becomes as it was. It is a change itself, and can be undone.

    Raises:
        NotFoundError: there is no such change.
        ConflictError: it was undone, or a later change, which is named, built upon it.
    """
    with _writing(installation, by) as connection:
        plan, made = undo_change(connection, version, by.author, installation.clock())
        return _outcome(connection, by, plan, made.version, made.edits, made.sweeps)


def import_file(
    installation: Installation, by: Editing, path: Path, *, state: TagState = "active", sweep: bool = True
) -> ImportOutcome:
    """Bring a file of tags into the library as one change.

    Tags that are there already get what they lack. Other writers wait meanwhile, also for a dry run: some seconds
    for a hundred thousand tags.

    Args:
        state: of new tags: active or quarantined.
        sweep: look for stored videos that fit the tags.
    Raises:
        TagLibraryError: the file cannot be read, or holds no usable tag.
    """
    bad = BadRows(path, Problems(), TagLibraryError)
    now = installation.clock()
    with _writing(installation, by) as connection:
        done = import_tags(connection, tag_entries(bad), bad, by.author, now, state=state, sweep=sweep)
    return ImportOutcome(done, bad.problems, by.dry_run)


def _edit(installation: Installation, by: Editing, tag: str, plan: Callable[[TagRecord], Plan]) -> Outcome:
    """Change one tag that is not merged."""
    return _change(
        installation,
        by,
        lambda connection: plan(_checked(connection, by, [find_standing(connection, tag)])[0]),
    )


def _edit_many(
    installation: Installation, by: Editing, tags: Sequence[str], plan: Callable[[Sequence[TagRecord]], Plan]
) -> Outcome:
    """Change several tags that are not merged, all or none."""

    def make(connection: Connection) -> Plan:
        found = {record.id: record for record in (find_standing(connection, one) for one in tags)}
        return plan(_checked(connection, by, list(found.values())))

    return _change(installation, by, make)


def _checked(connection: Connection, by: Editing, records: list[TagRecord]) -> list[TagRecord]:
    check_version(records, by.expected_version)
    return records


def _change(installation: Installation, by: Editing, make: Callable[[Connection], Plan]) -> Outcome:
    """Make a plan and carry it out in one transaction; a dry run carries it out as well, and takes it back."""
    with _writing(installation, by) as connection:
        plan = make(connection)
        if plan.empty:
            return Outcome(plan.kind, "nothing to change", None, by.dry_run, (), Reach(), 0)
        made = commit(connection, plan, by.author, installation.clock())
        edits = plan.edits if by.dry_run else made.edits
        return _outcome(connection, by, plan, made.version, edits, made.sweeps)


def _outcome(
    connection: Connection, by: Editing, plan: Plan, version: int, edits: tuple[Edit, ...], sweeps: int
) -> Outcome:
    shown = None if by.dry_run else version
    reached = reach_of(connection, edits)
    return Outcome(plan.kind, plan.summary, shown, by.dry_run, edits, reached, sweeps)


class _TakenBack(Exception):  # noqa: N818 - no error, it ends a dry run
    pass


@contextmanager
def _writing(installation: Installation, by: Editing) -> Iterator[Connection]:
    """Give a connection that no other change of the library gets in between; a dry run leaves no trace."""
    try:
        with installation.database.write() as connection:
            lock_library(connection)
            yield connection
            if by.dry_run:
                raise _TakenBack
    except _TakenBack:
        pass

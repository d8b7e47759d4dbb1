"""Reviewing: what persons say of the tags of stored videos, one word or many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias, final, get_args

from sqlalchemy import Connection

from tagtower.errors import InputError, NotFoundError, TagTowerError, UsageError
from tagtower.library.curation.committing import check_author, commit, lock_library
from tagtower.library.curation.naming import add
from tagtower.library.curation.record import TagRecord
from tagtower.library.verdicts import Said, give_verdict, withdraw_verdict
from tagtower.library.videos.shown import Members, members_of
from tagtower.records import Problems
from tagtower.storage.rows import BadRows, FieldError, Row
from tagtower.storage.tables import TABLE_FORMATS, read_rows
from tagtower.usecases.installation.home import Installation

Word: TypeAlias = Literal["accept", "reject", "add", "withdraw"]
WORDS: tuple[Word, ...] = get_args(Word)

AT_ONCE = 500
"""Words of a file in one transaction: others wait for it no longer than a moment."""

COLUMNS = ("video", "tag", "verdict")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A word on a tag of a video; `tag` is a name, an alias, `#NUMBER`, or a number. `line` is where it stood."""

    video_id: int
    tag: str | int
    word: Word
    line: int = 0


def parse_word(text: str) -> Word:
    """Return a word as typed by a person.

    Raises:
        UsageError: it is none.
    """
    for word in WORDS:
        if text == word:
            return word
    raise UsageError(f"{text!r} is no verdict.", hint=f"Choose: {', '.join(WORDS)}.")


def judge(
    installation: Installation, judgements: Iterable[Judgement], *, author: str, create: bool = True
) -> list[Said]:
    """Let these be a person's words, in their order, all or none; return what became of each.

    Args:
        create: an `add` of a tag that does not exist makes it.
    Raises:
        NotFoundError: there is no such video or tag.
        ConflictError: the tag is not in use, and the word is a yes.
        InputError: the author or a tag's text cannot be kept.
    """
    with installation.database.write() as connection:
        return judge_within(connection, judgements, author=author, at=installation.clock(), create=create)


def judge_within(
    connection: Connection,
    judgements: Iterable[Judgement],
    *,
    author: str,
    at: datetime,
    create: bool = True,
) -> list[Said]:
    """Do what `judge` does inside the caller's transaction."""
    judging = _Judging(connection, check_author(author), at, create)
    # Tags first: whoever changes the tag library may go on to rows of videos, never the other way round.
    resolved = [(judgement, judging.tag(judgement)) for judgement in judgements]
    return [judging.say(judgement, tag) for judgement, tag in resolved]


def judge_many(
    installation: Installation,
    judgements: Iterable[Judgement],
    *,
    author: str,
    create: bool = True,
    problems: Problems,
    place: str = "",
) -> Iterator[Said]:
    """Take a person's words as they come, and yield what became of each; one that cannot be is counted in `problems`.

    Args:
        place: where the lines of the judgements stand, for the problems.
    """
    author = check_author(author)
    source = iter(judgements)
    while part := list(islice(source, AT_ONCE)):
        said: list[Said] = []
        with installation.database.write() as connection:
            judging = _Judging(connection, author, installation.clock(), create)
            resolved: list[tuple[Judgement, Members]] = []
            for judgement in part:
                with _counted(problems, place, judgement), connection.begin_nested():
                    resolved.append((judgement, judging.tag(judgement)))
            for judgement, tag in resolved:
                with _counted(problems, place, judgement), connection.begin_nested():
                    said.append(judging.say(judgement, tag))
        yield from said


def read_judgements(path: Path, problems: Problems, *, strict: bool = False) -> list[Judgement]:
    """Return the rows of a file of JSON Lines, CSV or Parquet with `video` (a number), `tag` and `verdict`.

    Raises:
        InputError: the file cannot be read, or holds no usable row; or, if `strict`, a row is bad.
    """
    bad = BadRows(path, problems, InputError, strict)
    if path.suffix.lower() not in TABLE_FORMATS:
        raise bad.failure(
            f"{path.suffix!r} is no format of verdicts.", hint=f"Give one of: {', '.join(TABLE_FORMATS)}."
        )
    found: list[Judgement] = []
    for row in read_rows(bad, COLUMNS, one_of=("video",)):
        try:
            found.append(_judgement(row))
        except FieldError as fault:
            bad.add(row.line, str(fault))
    if not found:
        raise bad.nothing_left("verdicts")
    return found


@contextmanager
def _counted(problems: Problems, place: str, judgement: Judgement) -> Iterator[None]:
    try:
        yield
    except TagTowerError as error:
        problems.add(f"{place}:{judgement.line}" if place else "", error.message)


@final
@dataclass(slots=True)
class _Judging:
    """Words of one transaction."""

    connection: Connection
    author: str
    at: datetime
    create: bool

    def say(self, judgement: Judgement, tag: Members) -> Said:
        if judgement.word == "withdraw":
            return withdraw_verdict(self.connection, judgement.video_id, tag)
        return give_verdict(
            self.connection, judgement.video_id, tag, judgement.word, author=self.author, at=self.at
        )

    def tag(self, judgement: Judgement) -> Members:
        text = judgement.tag
        try:
            return members_of(self.connection, text)
        except NotFoundError:
            if not self.create or judgement.word != "add" or isinstance(text, int) or text.strip()[:1] == "#":
                raise
        lock_library(self.connection)
        plan = add(TagRecord(0, text, created_at=self.at))
        (edit,) = commit(self.connection, plan, self.author, self.at).edits
        assert edit.after is not None, "it was added"
        return members_of(self.connection, edit.after.id)


def _judgement(row: Row) -> Judgement:
    number = row.identifier("video")
    if number is None or not number.isascii() or not number.isdigit() or len(number) > 18:
        raise FieldError("video", "the number of a video is wanted")
    tag = row.identifier("tag")
    if tag is None:
        raise FieldError("tag", "is missing")
    word = row.choice("verdict", {word: word for word in WORDS})
    if word is None:
        raise FieldError("verdict", f"is missing; it is one of {', '.join(WORDS)}")
    return Judgement(int(number), tag, word, row.line)


def judgements_on(word: Word, tags: Sequence[str | int], video_ids: Sequence[int]) -> list[Judgement]:
    """Return the same word on each tag of each video."""
    return [Judgement(video, tag, word) for video in video_ids for tag in tags]


def summary(said: Iterable[Said]) -> dict[str, Any]:
    """Return how many words there were by kind."""
    counts: dict[str, int] = {}
    for one in said:
        kind = one.verdict or "withdrawn"
        counts[kind] = counts.get(kind, 0) + 1
    return counts

"""What a person says of the tags of one stored video, at the moment that he saw it."""

from __future__ import annotations

from collections.abc import Sequence

from tagtower.errors import ConflictError
from tagtower.library.verdicts import Said
from tagtower.usecases.installation.find import Shown, shown_of
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.review import Judgement, Word, judge_within


def judge(
    installation: Installation,
    video_id: int,
    words: Sequence[tuple[str | int, Word]],
    *,
    author: str,
    expected: str | None = None,
    create: bool = True,
) -> tuple[list[Said], Shown]:
    """Let these be the last words on tags of a video, all or none; return them, and the video as it is then.

    Args:
        words: tags, by text or number, and what is said of each.
        expected: the `mark` of the video as its judge saw it.
        create: an `add` of a tag that does not exist makes it.
    Raises:
        NotFoundError: there is no such video or tag.
        ConflictError: the video is another than `expected`, or a tag is not in use.
    """
    with installation.database.write() as connection:
        if expected is not None and shown_of(connection, video_id).mark != expected:
            raise ConflictError(
                f"Video {video_id} has changed since you saw it.", hint="Look at it again, then decide."
            )
        judgements = [Judgement(video_id, tag, word) for tag, word in words]
        said = judge_within(connection, judgements, author=author, at=installation.clock(), create=create)
        return said, shown_of(connection, video_id)

"""What a person says of the tags of a stored video, at the moment that he saw it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from tagtower.errors import ConflictError
from tagtower.library.verdicts import Said, give_verdict, withdraw_verdict
from tagtower.library.videos.shown import members_of
from tagtower.usecases.installation.find import Shown, shown_of
from tagtower.usecases.installation.home import Installation

Word: TypeAlias = Literal["accept", "reject", "add", "withdraw"]


def judge(
    installation: Installation,
    video_id: int,
    words: list[tuple[str | int, Word]],
    *,
    author: str,
    expected: str | None = None,
) -> tuple[list[Said], Shown]:
    """Let these be the last words on tags of a video, all or none; return them, and the video as it is then.

    Args:
        words: tags, by text or number, and what is said of each.
        expected: the `mark` of the video as its judge saw it.
    Raises:
        NotFoundError: there is no such video or tag.
        ConflictError: the video is another than `expected`, or a tag is not in use.
    """
    with installation.database.write() as connection:
        if expected is not None and shown_of(connection, video_id).mark != expected:
            raise ConflictError(
                f"Video {video_id} has changed since you saw it.", hint="Look at it again, then decide."
            )
        at = installation.clock()
        said = []
        for name, word in words:
            tag = members_of(connection, name)
            if word == "withdraw":
                said.append(withdraw_verdict(connection, video_id, tag))
            else:
                said.append(give_verdict(connection, video_id, tag, word, author=author, at=at))
        return said, shown_of(connection, video_id)

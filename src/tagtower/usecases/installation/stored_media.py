"""Whether the store of media and the rows of videos agree: media that no video has, videos whose media are gone."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from tagtower.library.schema import videos
from tagtower.usecases.installation.home import Installation


def orphaned_media(installation: Installation) -> Iterator[str]:
    """Yield the keys of stored media that no video has, such as a program leaves that is killed between the two."""
    part: list[str] = []
    for key in installation.media.keys():  # noqa: SIM118
        part.append(key)
        if len(part) == 500:
            yield from _without_video(installation, part)
            part = []
    yield from _without_video(installation, part)


def missing_media(installation: Installation) -> Iterator[tuple[int, str]]:
    """Yield the videos whose stored media are not in the store, with their keys."""
    last = 0
    while True:
        with installation.database.read() as connection:
            rows = connection.execute(
                select(videos.c.id, videos.c.media)
                .where(videos.c.id > last, videos.c.stored)
                .order_by(videos.c.id)
                .limit(500)
            ).all()
        if not rows:
            return
        last = rows[-1].id
        yield from ((row.id, row.media) for row in rows if not installation.media.exists(row.media))


def _without_video(installation: Installation, keys: list[str]) -> list[str]:
    with installation.database.read() as connection:
        found = set(
            connection.scalars(select(videos.c.media).where(videos.c.stored, videos.c.media.in_(keys)))
        )
    return [key for key in keys if key not in found]

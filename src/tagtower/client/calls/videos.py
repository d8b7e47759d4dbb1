"""Videos: sending, finding, waiting for, judging, playing and erasing them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tagtower.client.answers.videos import Erased, Judged, Sent, Video, VideoDetail, VideoPage
from tagtower.client.calls.sending import fetch_media, send_file
from tagtower.client.calls.uploads import once
from tagtower.client.decoding import answer, several
from tagtower.client.failures import LabellingError, LabellingTimeoutError
from tagtower.client.grouping import AsyncGroup, Group, Listing, SyncGroup, call, flow, listing
from tagtower.client.memory import UploadMemory
from tagtower.client.steps import Ask, Flow, Pause, Progress, Reply, given

VIDEOS = "/v1/videos"
VIDEO = "/v1/videos/{video_id}"
PIECE = 64 * 1024 * 1024
FETCH_SECONDS = 3600.0
"""A server that fetches media from elsewhere answers when it has them."""

Verdict: TypeAlias = Literal["accept", "reject", "add", "withdraw"]
Shelf: TypeAlias = Literal["unlabelled", "labelled", "failed"]


def _find(
    tags: Sequence[str],
    words: str | None,
    similar: int | None,
    owner: str | None,
    shelf: Shelf | None,
    since: datetime | None,
    until: datetime | None,
    reviewed: bool | None,
    limit: int,
    cursor: str | None,
) -> Ask[VideoPage]:
    query: dict[str, Any] = {
        "tag": tuple(tags),
        "words": words,
        "similar": similar,
        "owner": owner,
        "shelf": shelf,
        "since": since,
        "until": until,
        "reviewed": reviewed,
        "limit": limit,
        "cursor": cursor,
    }
    return Ask("GET", VIDEOS, answer(VideoPage), query=query)


def _get(video_id: int) -> Ask[VideoDetail]:
    return Ask("GET", VIDEO, answer(VideoDetail), {"video_id": video_id})


def _picture(name: str, video_id: int) -> Ask[bytes]:
    return Ask("GET", f"{VIDEO}/{name}", _body, {"video_id": video_id})


def _body(reply: Reply) -> bytes:
    return reply.body


class VideoCalls(Group):
    """What a terminal does with videos."""

    @flow
    def send(
        self,
        path: str | Path,
        *,
        title: str | None = None,
        owner: str | None = None,
        name: str | None = None,
        description: str | None = None,
        subtitles: str | None = None,
        published: datetime | None = None,
        replace: bool = False,
        piece: int = PIECE,
        memory: UploadMemory | None = None,
        progress: Progress | None = None,
    ) -> Flow[Sent]:
        """Send a file, read as it is sent, and have it put on the unlabelled shelf; after a break it goes on where it
        stopped. Its SHA-256 is taken first, and the server compares it.

        Args:
            owner, name: whose name it is, and which; default who asks, and the content.
            replace: take the place of what has the same name.
            piece: bytes of a request.
            memory: where an upload that is not finished is remembered, for another run of the program.
            progress: is told how many bytes are there, and of how many.
        Raises:
            InputError: the file cannot be read, or is no video.
            UploadBrokenError: the server was gone for too long; sending again with `memory` goes on.
        """
        file = Path(path)
        about = given(
            title=title,
            owner=owner,
            name=name,
            description=description,
            subtitles=subtitles,
            published=published,
            filename=file.name,
            replace=replace,
        )
        return send_file(self, file, about, piece=piece, memory=memory, progress=progress)

    @call
    def put(
        self,
        uri: str | None = None,
        *,
        title: str | None = None,
        owner: str | None = None,
        name: str | None = None,
        description: str | None = None,
        subtitles: str | None = None,
        published: datetime | None = None,
        replace: bool = False,
        key: str | None = None,
    ) -> Ask[Sent]:
        """Hand in a video that the server fetches or reads by itself (`http:`, `https:`, `file:`), or one that is known
        by its title alone.

        Args:
            name: how its owner calls it; default the URI, needed without one.
            key: by which the request is done only once, also if it is repeated by another run.
        """
        about = given(
            uri=uri,
            title=title,
            owner=owner,
            name=name,
            description=description,
            subtitles=subtitles,
            published=published,
            replace=replace,
        )
        return Ask("POST", VIDEOS, answer(Sent), json=about, headers=once(key), seconds=FETCH_SECONDS)

    @call
    def get(self, video_id: int) -> Ask[VideoDetail]:
        """Return all that is known of a video: its tags with what spoke for each, verdicts, and who handed it in."""
        return _get(video_id)

    @listing
    def search(
        self,
        *,
        tags: Sequence[str] = (),
        words: str | None = None,
        similar: int | None = None,
        owner: str | None = None,
        shelf: Shelf | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        reviewed: bool | None = None,
        page: int = 100,
    ) -> Listing[Video]:
        """Yield every video that meets the conditions, the last that came first, or the most alike first.

        Args:
            tags: that all stand on it.
            words: of its texts; `eclip*` is a beginning.
            similar: the number of a video to be like.
            since, until: when it was handed in, with a zone.
            page: videos that are asked for at a time, 1 to 500.
        """
        return Listing(_find(tags, words, similar, owner, shelf, since, until, reviewed, page, None))

    @call
    def page(
        self,
        *,
        tags: Sequence[str] = (),
        words: str | None = None,
        similar: int | None = None,
        owner: str | None = None,
        shelf: Shelf | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        reviewed: bool | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Ask[VideoPage]:
        """Return one page of what `search` yields; `cursor` is `next` of the page before."""
        return _find(tags, words, similar, owner, shelf, since, until, reviewed, limit, cursor)

    @flow
    def wait(self, video_id: int, *, seconds: float | None = None, every: float = 2.0) -> Flow[VideoDetail]:
        """Return a video once it is labelled.

        Args:
            seconds: how long is waited at most; default for ever.
            every: the longest wait between two looks in seconds.
        Raises:
            LabellingError: it is on the failed shelf.
            LabellingTimeoutError: it still waits.
        """
        end = None if seconds is None else time.monotonic() + seconds
        pause = min(0.1, every)
        while True:
            found = yield from self.ask(_get(video_id))
            if found.shelf == "labelled":
                return found
            if found.shelf == "failed":
                error = found.error or {}
                raise LabellingError(
                    f"The video {video_id} could not be labelled: {error.get('message', 'no reason is known')}",
                    hint=error.get("hint") or f"Look at it: tagtower client show {video_id}",
                    video=video_id,
                )
            if end is not None and time.monotonic() + pause > end:
                raise LabellingTimeoutError(
                    f"The video {video_id} was not labelled within {seconds:g} s.",
                    hint="It waits for a worker: look whether one runs, or ask again later.",
                    video=video_id,
                )
            yield Pause(pause)
            pause = min(every, pause * 1.5)

    @call
    def judge(
        self, video_id: int, verdicts: Sequence[tuple[str | int, Verdict]], *, etag: str | None = None
    ) -> Ask[Judged]:
        """Accept or reject suggested tags, add others, or withdraw a word: `[("solar eclipse", "accept")]`.

        Args:
            verdicts: tags by text or number, and what is said of each; all are kept, or none.
            etag: of the video as it was seen; if it is another since, nothing is done.
        """
        said = [{"tag": tag, "verdict": verdict} for tag, verdict in verdicts]
        headers = {} if etag is None else {"If-Match": etag}
        repeatable = etag is None  # the same word again changes nothing, but the ETag
        return Ask(
            "POST",
            f"{VIDEO}/verdicts",
            answer(Judged),
            {"video_id": video_id},
            json={"verdicts": said},
            headers=headers,
            repeatable=repeatable,
        )

    @call
    def erase(self, video_id: int) -> Ask[tuple[Erased, ...]]:
        """Erase a video for good, and return the proofs; also of erasures that were interrupted before."""
        return Ask("DELETE", VIDEO, several(Erased, "erased"), {"video_id": video_id}, seconds=600.0)

    @flow
    def download(self, video_id: int, path: str | Path, *, progress: Progress | None = None) -> Flow[Path]:
        """Write the media of a video to a file, which is there whole or not at all, and return its path.

        What came before a break lies beside it, and is gone on with, also by another run of the program. At the end the
        SHA-256 is compared.
        """
        video = yield from self.ask(_get(video_id))
        return (yield from fetch_media(self, video, Path(path), progress=progress))

    @call
    def thumbnail(self, video_id: int) -> Ask[bytes]:
        """Return the picture in the middle of a video, a JPEG of 256 pixels square."""
        return _picture("thumbnail", video_id)

    @call
    def strip(self, video_id: int) -> Ask[bytes]:
        """Return eight pictures of a video side by side, a JPEG of 1280 by 160 pixels."""
        return _picture("strip", video_id)


class Videos(VideoCalls, SyncGroup):
    """Videos."""


class AsyncVideos(VideoCalls, AsyncGroup):
    """Videos, awaited."""

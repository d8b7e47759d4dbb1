"""Small pictures of stored videos: one strip of frames for each, made when it is first asked for.

They lie in a folder of the installation under the hash of their video, where erasing finds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tagtower.errors import MediaError, NotFoundError
from tagtower.library.videos.records import get_video
from tagtower.media.isolation import Decoder
from tagtower.media.picture import encode_jpeg
from tagtower.media.records import DecodeRequest, FrameRequest
from tagtower.storage.atomic import atomic_path
from tagtower.usecases.installation.erase import PREVIEWS
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.media import STORED, InstallationMedia

FRAMES, SIDE = 8, 192
"""Frames of a strip, side by side, and the side of each in pixels."""

LOOK = DecodeRequest(FrameRequest(frames=FRAMES, max_parts=1, exactness="keyframe", resize=SIDE, crop=SIDE))


def preview(installation: Installation, video_id: int, decoder: Decoder | None = None) -> Path:
    """Return the file with the strip of a video: `FRAMES` squares of `SIDE` pixels from left to right, as JPEG.

    Raises:
        NotFoundError: there is no such video, or it has no pictures to show.
        StorageError: the disk is full, or the media cannot be reached.
    """
    with installation.database.read() as connection:
        video = get_video(connection, video_id)
    nothing = NotFoundError(f"Video {video_id} has no pictures.", hint="Show its title in their place.")
    if video.content_hash is None or video.media is None or not (video.facts or {}).get("pictures", True):
        raise nothing
    target = installation.home / PREVIEWS / video.content_hash[:2] / f"{video.content_hash}.jpg"
    if target.exists():
        return target
    media = f"{STORED}{video.media}" if video.stored else video.media
    try:
        with (
            InstallationMedia(installation.media).local(media) as path,
            _decoder(installation, decoder) as open_,
        ):
            found = open_.decode(path, LOOK)
    except MediaError as error:
        raise nothing from error
    if not found.frames or not len(found.frames[0].frames):
        raise nothing
    frames = found.frames[0].frames
    places = np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as partial:
        partial.write_bytes(encode_jpeg(np.concatenate([frames[one] for one in places], axis=1)))
    try:
        with installation.database.read() as connection:
            get_video(connection, video_id)
    except NotFoundError:  # erased meanwhile, which leaves no picture behind
        target.unlink(missing_ok=True)
        raise
    return target


@contextmanager
def _decoder(installation: Installation, given: Decoder | None) -> Iterator[Decoder]:
    if given is not None:
        yield given
        return
    with Decoder(installation.settings.media, workers=1) as own:
        yield own

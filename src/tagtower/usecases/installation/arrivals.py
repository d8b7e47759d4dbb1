"""One video that comes in from outside, as a file or by its address, and what is said of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tagtower.errors import InputError, MediaError, UsageError
from tagtower.media.isolation import Decoder
from tagtower.records import Example, Video
from tagtower.storage.media_store import hash_media
from tagtower.usecases.installation.fetching import fetched_file, name_in
from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.intake import Put, PutSettings, put_videos
from tagtower.usecases.installation.scratch import storage_failures

SHA256 = re.compile(r"[0-9a-f]{64}")
SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is said of a video that comes in.

    `owner` and `name` are how its owner calls it; a video without a name is called by its content. `filename` tells
    the format of its file, and is used for nothing else. `sha256` is what its sender found.
    """

    owner: str = ""
    name: str | None = None
    title: str | None = None
    description: str | None = None
    subtitles: str | None = None
    published: datetime | None = None
    filename: str | None = None
    sha256: str | None = None
    replace: bool = False


def take_file(
    installation: Installation,
    path: Path,
    arrival: Arrival,
    *,
    author: str,
    decoder: Decoder | None = None,
) -> Put:
    """Take a file that has come into the video library.

    Raises:
        InputError: its hash is another than its sender's, it is no media, or what is said of it cannot be.
    """
    with storage_failures():
        digest, size = hash_media(path)
    if arrival.sha256 is not None:
        if not SHA256.fullmatch(arrival.sha256.lower()):
            raise UsageError("The SHA-256 is none.", hint="Give 64 hexadecimal digits.")
        if arrival.sha256.lower() != digest:
            raise InputError(
                "The file has another SHA-256 than its sender says.",
                hint="It was changed on the way: send it anew.",
            )
    suffix = Path(arrival.filename or "").suffix.lower()
    named = path.with_name(path.name.removesuffix(".part") + (suffix if SUFFIX.fullmatch(suffix) else ""))
    with storage_failures():
        path.rename(named)
    try:
        return take_video(
            installation,
            arrival,
            media=str(named),
            name=arrival.name or f"content:{digest[:32]}",
            author=author,
            content=(digest, size),
            decoder=decoder,
        )
    finally:
        named.rename(path)


def take_video(
    installation: Installation,
    arrival: Arrival,
    *,
    media: str | None,
    name: str,
    author: str,
    reference: bool = False,
    content: tuple[str, int] | None = None,
    decoder: Decoder | None = None,
) -> Put:
    """Take one video into the library.

    Args:
        media: a path of this machine; None for one that is known by its title alone.
        reference: leave the media where they lie.
        content: SHA-256 in hex and size in bytes of the file, where they were just taken.
    Raises:
        InputError: it is no media, or what is said of it cannot be.
    """
    video = Video(name, media, arrival.title, arrival.description, arrival.subtitles)
    settings = PutSettings(
        owner=arrival.owner, author=author, reference=reference, replace=arrival.replace, content=content
    )
    example = Example(video, published=arrival.published)
    (done,) = put_videos(installation, [example], settings, decoder=decoder)
    if isinstance(done, Put):
        return done
    if isinstance(done.error, MediaError):  # without the path, which is the server's own
        raise InputError(
            f"The file {done.error.reason}.", hint=done.error.hint or "Send a file that plays."
        ) from done.error
    raise done.error


def take_fetched(
    installation: Installation,
    uri: str,
    arrival: Arrival,
    *,
    author: str,
    decoder: Decoder | None = None,
) -> Put:
    """Fetch a file from its http or https address and take it into the video library; without a name its address is
    its name.

    Raises:
        FetchError: it may not be fetched, or cannot.
        InputError: its hash is another than was said, it is no media, or what is said of it cannot be.
    """
    said = replace(
        arrival,
        name=uri if arrival.name is None else arrival.name,
        filename=name_in(uri) if arrival.filename is None else arrival.filename,
    )
    with fetched_file(installation, uri) as path:
        return take_file(installation, path, said, author=author, decoder=decoder)

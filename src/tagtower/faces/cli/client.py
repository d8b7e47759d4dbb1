"""`tagtower client`: a terminal of a server elsewhere, which hands videos in, finds them and plays them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tagtower.errors import TagTowerError, UsageError
from tagtower.faces.cli import client_searches, options
from tagtower.faces.cli.client_connection import KeyFile, Server, connected
from tagtower.faces.cli.client_output import plain, tag_line
from tagtower.faces.cli.output import print_line, say, write_json
from tagtower.faces.cli.progress import TerminalProgress

if TYPE_CHECKING:
    from tagtower.client import Client, UploadMemory
    from tagtower.client.answers.operation import Recommendation
    from tagtower.client.answers.videos import Sent, VideoDetail

SOME_FAILED, NOTHING_DONE = 1, 3
MIB = 1024 * 1024

HELP = """\
Work with the server of an installation from any machine: hand videos in, find them, play them, ask for tags.

The server is named by --server or TAGTOWER_SERVER, the key by TAGTOWER_KEY or --key-file.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)

Title = Annotated[str | None, typer.Option("--title", help="The title of the one video that is given.")]
Seconds = Annotated[
    float, typer.Option("--wait-seconds", min=1.0, help="With --wait: after so long it is given up.")
]


@app.command()
def send(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Media files, or http(s) addresses that the server fetches."),
    ],
    title: Title = None,
    owner: Annotated[
        str | None,
        typer.Option("--owner", metavar="NAME", help="Whose videos they are; default the key's name."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="How their owner calls the one video; default by content."
        ),
    ] = None,
    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", help="What the one video is about.")
    ] = None,
    subtitles: Annotated[
        Path | None,
        typer.Option("--subtitles", metavar="FILE", help="Subtitles of the one video (SRT, WebVTT)."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of what has the same name.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until each is labelled, and print its tags.")
    ] = False,
    wait_seconds: Seconds = 3600.0,
    server: Server = None,
    key_file: KeyFile = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Send videos to the server, whatever their size.

    A transfer that breaks goes on where it stopped: by itself, and after Ctrl-C when the same is sent again. The same
    file twice is one video.
    """
    from tagtower.client import UploadMemory

    own = {"title": title, "name": name, "description": description, "subtitles": subtitles}
    if len(files) > 1 and (given := [f"--{one}" for one, value in own.items() if value is not None]):
        raise UsageError(
            f"{', '.join(given)} is of one video, and {len(files)} are given.", hint="Send that one alone."
        )
    text = None if subtitles is None else _read(subtitles)
    memory = UploadMemory.default()
    about = About(title, owner, name, description, text, replace)
    done: list[tuple[str, Sent]] = []
    failed = 0
    with connected(server, key_file) as client, TerminalProgress(quiet=quiet) as progress:
        for file in files:
            try:
                sent = _send(client, file, about, memory, progress)
            except KeyboardInterrupt:
                say(f"tagtower: {file}: send it again, and it goes on where it stopped.")
                raise
            except TagTowerError as error:
                failed += 1
                say(f"tagtower: {file}: {error}")
                continue
            done.append((file, sent))
            if not wait:
                _tell(file, sent, None, as_json)
        for file, sent in done if wait else ():
            try:
                labelled = client.videos.wait(sent.id, seconds=wait_seconds)
            except TagTowerError as error:
                failed += 1
                say(f"tagtower: {file}: {error}")
                continue
            _tell(file, sent, labelled, as_json)
    if failed:
        return SOME_FAILED if done else NOTHING_DONE
    return 0


@app.command()
def play(
    video: client_searches.VideoId,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where the media are written.")],
    overwrite: options.Overwrite = False,
    server: Server = None,
    key_file: KeyFile = None,
    quiet: options.Quiet = False,
) -> None:
    """Fetch the media of a video into a file, which is there whole or not at all.

    What came before a break is kept beside it, and is gone on with by the same command.
    """
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists.", hint="Name another file, or add --overwrite.")
    with connected(server, key_file) as client, TerminalProgress(quiet=quiet) as progress:
        try:
            client.videos.download(video, out, progress=Megabytes(progress, out.name).told)
        except KeyboardInterrupt:
            say("tagtower: the same command goes on where it stopped.")
            raise
    if not quiet:
        say(f"{out}: {out.stat().st_size:,} bytes")


@app.command()
def recommend(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Media files; nothing of them is kept.")
    ] = None,
    title: Annotated[
        str | None, typer.Option("--title", help="A title, of the one file or without any.")
    ] = None,
    top_k: Annotated[int, typer.Option("--top-k", min=1, max=100, help="At most so many tags.")] = 5,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="With --json: what spoke for each tag.")
    ] = False,
    server: Server = None,
    key_file: KeyFile = None,
    as_json: options.Json = False,
) -> int:
    """Ask for the tags that fit files or a title, without storing anything."""
    files = files or []
    if not files and title is None:
        raise UsageError("There is nothing to find tags for.", hint="Give a FILE or --title TEXT.")
    if len(files) > 1 and title is not None:
        raise UsageError("--title is of one file.", hint="Ask for that one alone.")
    failed = 0
    with connected(server, key_file) as client:
        if not files:
            _answer("", client.recommend.words(title, top_k=top_k, evidence=evidence), as_json)
        for file in files:
            try:
                found = client.recommend.file(file, title=title, top_k=top_k, evidence=evidence)
            except TagTowerError as error:
                failed += 1
                say(f"tagtower: {file}: {error}")
                continue
            _answer(str(file), found, as_json)
    if failed:
        return SOME_FAILED if failed < len(files) else NOTHING_DONE
    return 0


@dataclass(frozen=True, slots=True)
class About:
    """What is said of the videos that are sent."""

    title: str | None
    owner: str | None
    name: str | None
    description: str | None
    subtitles: str | None
    replace: bool


class Megabytes:
    """Tells a progress bar of bytes in whole MiB."""

    def __init__(self, progress: TerminalProgress, name: str) -> None:
        self._progress = progress
        self._name = name
        self._at: int | None = None

    def told(self, at: int, of: int) -> None:
        """Move the bar to `at` of `of` bytes."""
        if self._at is None:
            self._progress.phase(f"{self._name} (MiB)", -(-of // MIB))
            self._at = 0
        now = -(-at // MIB) if at >= of else at // MIB
        self._progress.advance(now - self._at)
        self._at = now


def _send(client: Client, file: str, about: About, memory: UploadMemory, progress: TerminalProgress) -> Sent:
    if file.lower().startswith(("http://", "https://")):
        return client.videos.put(file, **asdict(about))
    told = Megabytes(progress, Path(file).name).told
    return client.videos.send(file, **asdict(about), memory=memory, progress=told)


def _tell(file: str, sent: Sent, labelled: VideoDetail | None, as_json: bool) -> None:
    for remark in sent.remarks:
        say(f"{file}: {remark}")
    if as_json:
        more = {} if labelled is None else {"video": plain(labelled)}
        write_json({"file": file, **plain(sent), **more})
    elif labelled is None:
        print_line(f"{file}: video {sent.id} ({sent.outcome})")
    else:
        print_line(f"{file}: video {sent.id}: {tag_line(labelled.tags) or 'no tag fits'}")


def _answer(file: str, found: Recommendation, as_json: bool) -> None:
    if as_json:
        write_json({**({"file": file} if file else {}), **plain(found)})
    else:
        print_line(f"{file}: {tag_line(found.tags)}" if file else tag_line(found.tags))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", hint="Give a text file in UTF-8.") from None


client_searches.register(app)

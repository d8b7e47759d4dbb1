"""Start: tags for an archive without labels and without a model, out of names, and out of pictures where these can be
read.

Every video gets the tags that are named in its title, file name, folders and texts, and those that its title is
similar to. A model of pictures and sound adds what is not written anywhere: a dual encoder, or a small model that the
telling titles taught. Which of both said a tag stands beside it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tagtower.config import MediaSettings
from tagtower.errors import MediaError, UsageError
from tagtower.library.tagfile import read_tag_library
from tagtower.library.tags import TagLibrary, normalize_tag
from tagtower.media.isolation import Decoder
from tagtower.records import MODALITIES, Example, Problems, Video
from tagtower.storage.atomic import write_json, write_text
from tagtower.training.events import Listener
from tagtower.training.manifest import TitleSource, read_manifest
from tagtower.training.manifest.titles import title_from_name
from tagtower.usecases.cold_model import (
    LEAST_TAUGHT,
    ColdModel,
    check_dual,
    similar_tags,
    take_dual,
    taught_settings,
    teach,
)
from tagtower.usecases.label import Labelled, Unlabelled, label, named, remaining
from tagtower.usecases.label_file import LabelFile
from tagtower.usecases.mentions import Mentions, written_about
from tagtower.usecases.progress import Progress, Silent
from tagtower.usecases.session import Device, open_session, open_store
from tagtower.usecases.sidecars import Kind, sidecar_places, write_sidecars
from tagtower.usecases.train import state_folder

RESULTS, TABLE, RUN, MODEL, SIDECARS = "results.jsonl", "results.csv", "run.json", "model", "sidecars"
SCHEMA = 1
SUBTITLE_SUFFIXES = (".srt", ".vtt")
BY_TITLE = "like the title"


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What to tag and how. `text` and `dual` are model folders, None where there is none."""

    source: Path
    tags: Path
    out: Path
    titles: TitleSource = "filename"
    text: str | None = None
    dual: str | None = None
    top_k: int = 5
    max_distance: float | None = None
    sidecars: tuple[Kind, ...] = ()
    beside: bool = False
    least_taught: int = LEAST_TAUGHT
    overrides: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what two runs must share for their answers to stand in one file."""
        return {
            "source": str(self.source.absolute()),
            "titles": self.titles,
            "text": self.text,
            "dual": self.dual,
            "top_k": self.top_k,
            "max_distance": self.max_distance,
            "least_taught": self.least_taught,
            "overrides": list(self.overrides),
        }


@dataclass(frozen=True, slots=True)
class StartReport:
    """What was seen, what became of it, and what would help most; every number counts videos."""

    out: Path
    videos: int
    having: dict[str, int]
    tagged: dict[str, int]
    untagged: dict[str, int]
    unreadable: tuple[str, ...]
    sidecars: int
    refused: tuple[str, ...]
    model: ColdModel
    advice: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report as `start --json` prints it, less the schema number."""
        return {
            "out": str(self.out),
            "videos": self.videos,
            "having": self.having,
            "tagged": self.tagged,
            "untagged": self.untagged,
            "unreadable": list(self.unreadable),
            "sidecars": {"written": self.sidecars, "refused": list(self.refused)},
            "model": self.model.to_json(),
            "advice": list(self.advice),
        }


def start(
    request: StartRequest,
    *,
    resume: bool = False,
    overwrite: bool = False,
    strict: bool = False,
    device: Device = "auto",
    store: Path | None = None,
    bypass_store: bool = False,
    problems: Problems | None = None,
    progress: Progress | None = None,
    on_event: Listener = lambda event: None,
) -> StartReport:
    """Tag a folder or a manifest and write `request.out`: results.jsonl, results.csv, and sidecars on request.

    An interrupt keeps all that is finished; the table is written then as well.

    Raises:
        UsageError: the place of the results is taken, or `resume` finds those of another request.
        ManifestError, TagLibraryError: an input cannot be used.
        ConfigError, ModelError: a model folder cannot be used.
    """
    progress, problems = progress or Silent(), problems if problems is not None else Problems()
    out = request.out
    _check_place(request, resume=resume, overwrite=overwrite)
    whole = read_tag_library(request.tags, problems)
    rows, root = _rows(request, strict, problems)
    with ExitStack() as stack:
        features = stack.enter_context(open_store(store, bypass=bypass_store))
        titles = {row.video.id: row.video.title for row in rows if row.video.title}
        similar = similar_tags(titles, whole, request.text, features)
    if request.dual is not None:
        check_dual(request.dual)
    if not resume:  # all that was given could be read: only now may an earlier run go
        _clear(out)
    write_json(out / RUN, request.to_json())
    model = _model(
        request,
        rows,
        similar,
        whole,
        store=store,
        bypass_store=bypass_store,
        progress=progress,
        on_event=on_event,
    )
    progress.tell(model.why)
    names = _Names(whole, root, similar)
    places = sidecar_places(
        [row.video for row in rows],
        request.sidecars,
        root,
        None if request.beside else out.absolute() / SIDECARS,
    )
    written: dict[Path, str | None] = {}
    lines: dict[str, dict[str, Any]] = {}

    def keep(line: dict[str, Any]) -> None:
        lines[line["id"]] = line
        if line.get("tags"):
            title = line["title"] or Path(line["video"] or line["id"]).stem
            written.update(
                write_sidecars(places.get(line["id"], {}), title, [tag["tag"] for tag in line["tags"]])
            )

    try:
        with LabelFile(out / RESULTS, resume=(out / RESULTS).exists()) as file:
            wanted = {row.video.id for row in rows}
            for line in file.before:
                if line["id"] in wanted:
                    keep(line)
            todo = remaining([row.video for row in rows], file.before)
            progress.phase("tagging", len(todo))
            checked = False
            by_id = {row.video.id: row for row in rows}
            for answer in _answers(
                [by_id[video.id] for video in todo],
                names,
                whole.unexpired(datetime.now(UTC)),
                request,
                model,
                device=device,
                store=store,
                bypass_store=bypass_store,
            ):
                if "model" in answer and not checked:
                    file.check_model(answer["model"], answer["ranker"])
                    checked = True
                keep(answer)
                file.write(_json_line({"schema": SCHEMA, **answer}))
                progress.advance()
    finally:
        if lines:
            write_text(out / TABLE, _table(rows, lines))
    return _report(request, [lines[row.video.id] for row in rows if row.video.id in lines], model, written)


def _check_place(request: StartRequest, *, resume: bool, overwrite: bool) -> None:
    out, run = request.out, request.out / RUN
    if resume and overwrite:
        raise UsageError("--resume and --overwrite contradict each other.", hint="Choose one.")
    if request.beside and not request.sidecars:
        raise UsageError(
            "--beside says where sidecars go, and none are asked for.", hint="Add --sidecars nfo."
        )
    taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if taken and not run.exists():
        raise UsageError(f"{out} exists and holds no results of `start`.", hint="Choose another --out.")
    if taken and not (resume or overwrite):
        raise UsageError(f"{out} exists.", hint="Go on with --resume, or replace it with --overwrite.")
    if taken and resume and json.loads(run.read_bytes()) != request.to_json():
        raise UsageError(
            f"{out} holds the results of another request.",
            hint="Use the same input and options, choose another --out, or replace it with --overwrite.",
        )


def _clear(out: Path) -> None:
    """Remove what an earlier run wrote, and nothing else."""
    for name in (MODEL, state_folder(out / MODEL).name, SIDECARS):
        shutil.rmtree(out / name, ignore_errors=True)
    for name in (RESULTS, TABLE, RUN):
        (out / name).unlink(missing_ok=True)


def _rows(request: StartRequest, strict: bool, problems: Problems) -> tuple[tuple[Example, ...], Path]:
    """The videos, with a title and subtitles from around the media where they have none; and the folder they lie in."""
    source = request.source.absolute()
    found = read_manifest(source, strict=strict, problems=problems, titles=request.titles).examples
    root = source if source.is_dir() else source.parent
    return tuple(replace(row, video=_described(row.video, request.titles)) for row in found), root


def _described(video: Video, titles: TitleSource) -> Video:
    if video.media is None or "://" in video.media:
        return video
    media = Path(video.media)
    beside = (media.with_suffix(suffix) for suffix in SUBTITLE_SUFFIXES)
    title = video.title or (None if titles == "none" else title_from_name(media))
    with suppress(OSError):  # a name too long for the disk names no file
        return replace(
            video,
            title=title,
            subtitles=video.subtitles or next((str(one) for one in beside if one.is_file()), None),
        )
    return replace(video, title=title)


def _model(
    request: StartRequest,
    rows: Sequence[Example],
    similar: Mapping[str, Sequence[int]],
    library: TagLibrary,
    *,
    store: Path | None,
    bypass_store: bool,
    progress: Progress,
    on_event: Listener,
) -> ColdModel:
    model = request.out / MODEL
    if request.dual is not None:
        return take_dual(
            request.dual,
            rows,
            similar,
            library,
            model,
            least=request.least_taught,
            store=store,
            bypass_store=bypass_store,
            progress=progress,
        )
    return teach(
        rows,
        similar,
        library,
        request.source,
        request.tags,
        model,
        taught_settings(request.text, request.overrides),
        least=request.least_taught,
        store=store,
        bypass_store=bypass_store,
        progress=progress,
        on_event=on_event,
    )


class _Names:
    """What is written about a video, as tags: those that are named, then those that its title is similar to."""

    def __init__(self, library: TagLibrary, root: Path, similar: Mapping[str, Sequence[int]]) -> None:
        self._library, self._root, self._similar = library, root, similar
        self._mentions = Mentions(library)

    def __call__(self, row: Example) -> dict[str, list[str]]:
        """Return where each tag was found, the most telling first."""
        found = self._mentions.find_in(written_about(row, self._root))
        tags: dict[str, list[str]] = {self._library.texts[tag]: [*places] for tag, places in found.items()}
        for tag in self._similar.get(row.video.id, ()):
            tags.setdefault(self._library.texts[tag], [BY_TITLE])
        return tags


def _answers(
    rows: Sequence[Example],
    names: Callable[[Example], dict[str, list[str]]],
    library: TagLibrary,
    request: StartRequest,
    model: ColdModel,
    *,
    device: Device,
    store: Path | None,
    bypass_store: bool,
) -> Iterator[dict[str, Any]]:
    """Yield the line of each video in order, less the schema number."""
    alive = set(library.texts)
    far = model.far if request.max_distance is None else request.max_distance
    with ExitStack() as stack:
        heard: Iterable[Labelled | Unlabelled | None] = (None for _ in rows)
        fingerprint, may_say = None, alive
        if model.speaks:
            session = stack.enter_context(
                open_session(request.out / MODEL, store=store, bypass_store=bypass_store, device=device)
            )
            fingerprint = session.model.model_fingerprint
            if model.kind == "taught":  # of other tags it knows nothing but their spelling
                known = {normalize_tag(tag) for tag in session.model.training_tags}
                may_say = {text for text in alive if normalize_tag(text) in known}
            heard = label(session, (row.video for row in rows), library, ranker="tower", evidence=False)
        decoder = stack.enter_context(Decoder(MediaSettings(), workers=1))
        for row, one in zip(rows, heard, strict=True):
            begin = time.perf_counter()
            having, error = _having(row.video, decoder)
            if isinstance(one, Unlabelled) and isinstance(one.error, MediaError):
                error = one.error
            seen = one if isinstance(one, Labelled) else None
            tags = _merged(
                {tag: places for tag, places in names(row).items() if tag in alive},
                seen,
                may_say,
                request.top_k,
                far,
            )
            if error is not None and not tags:
                yield Unlabelled(row.video, error).to_json()
                continue
            yield {
                **named(row.video),
                "model": fingerprint,
                "library": library.version,
                "ranker": "tower" if model.speaks else None,
                "tags": tags,
                "modalities": {
                    modality: round(seen.modalities.get(modality, 0.0), 6) if seen else 0.0
                    for modality in MODALITIES
                },
                "seconds": round((seen.seconds if seen else 0.0) + time.perf_counter() - begin, 4),
                "having": having,
                **({} if error is None else {"problem": {"type": error.cause, "message": error.message}}),
            }


def _having(video: Video, decoder: Decoder) -> tuple[list[str], MediaError | None]:
    """What a video has, out of pictures, sound and title; and why its media cannot be read."""
    having = ["title"] if video.title else []
    if video.media is None:
        return having, None
    try:
        info = decoder.probe(video.media)
    except MediaError as error:
        return having, error
    return [
        *(["pictures"] if info.has_pictures else []),
        *(["sound"] if info.has_sound else []),
        *having,
    ], None


def _merged(
    by_name: Mapping[str, list[str]], seen: Labelled | None, may_say: set[str], top_k: int, far: float | None
) -> list[dict[str, Any]]:
    """The tags that are written somewhere, then the nearest of those that the model may say, `top_k` in all."""
    distances = {tag.tag: tag.distance for tag in seen.tags} if seen else {}
    scores = {tag.tag: tag.score for tag in seen.tags} if seen else {}
    nearest = [
        tag
        for tag, distance in distances.items()
        if tag in may_say and tag not in by_name and (far is None or distance <= far)
    ]
    return [
        {
            "tag": tag,
            "rank": rank,
            "distance": distances.get(tag),
            "score": scores.get(tag),
            "found_in": by_name.get(tag, ["pictures and sound"]),
        }
        for rank, tag in enumerate([*by_name, *nearest][:top_k], start=1)
    ]


def _json_line(line: Mapping[str, Any]) -> str:
    text = json.dumps(line, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode() + "\n"


def _table(rows: Sequence[Example], lines: Mapping[str, Mapping[str, Any]]) -> str:
    """The results as a manifest, to be put right by a person and trained on."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["id", "video", "title", "tags"])
    for row in rows:
        tags = lines.get(row.video.id, {}).get("tags", ())
        cells = [
            row.video.id,
            row.video.media or "",
            row.video.title or "",
            "; ".join(t["tag"] for t in tags),
        ]
        table.writerow(
            [cell.replace("\0", "").encode("utf-8", "backslashreplace").decode() for cell in cells]
        )
    return text.getvalue()


def _report(
    request: StartRequest,
    lines: Sequence[Mapping[str, Any]],
    model: ColdModel,
    written: Mapping[Path, str | None],
) -> StartReport:
    having = Counter(one for line in lines for one in line.get("having", ()))
    having["title"] += sum(1 for line in lines if "error" in line and line["title"])
    tagged: Counter[str] = Counter()
    untagged: Counter[str] = Counter()
    for line in lines:
        if "error" in line:
            untagged["the file cannot be read and nothing written names a tag"] += 1
        elif not line["tags"]:
            untagged[_reason(line, model)] += 1
        else:
            seen = ["pictures and sound" in tag["found_in"] for tag in line["tags"]]
            tagged[
                "by name alone" if not any(seen) else "by pictures or sound alone" if all(seen) else "by both"
            ] += 1
    unreadable = [line.get("problem", line.get("error")) for line in lines]
    return StartReport(
        out=request.out,
        videos=len(lines),
        having={name: having[name] for name in ("pictures", "sound", "title")},
        tagged=dict(tagged),
        untagged=dict(untagged),
        unreadable=tuple(one["message"] for one in unreadable if one is not None),
        sidecars=sum(1 for refusal in written.values() if refusal is None),
        refused=tuple(f"{path}: {refusal}" for path, refusal in written.items() if refusal is not None),
        model=model,
        advice=_advice(request, tagged, untagged, having, len(lines), model),
    )


def _reason(line: Mapping[str, Any], model: ColdModel) -> str:
    if model.speaks and any(line["modalities"].values()):
        return "no tag is near enough to its pictures and sound, and nothing written names one"
    if model.speaks:
        return "it has nothing that the model reads, and nothing written names a tag"
    return "nothing written names a tag, and no model looks at its pictures"


def _advice(
    request: StartRequest,
    tagged: Mapping[str, int],
    untagged: Mapping[str, int],
    having: Mapping[str, int],
    videos: int,
    model: ColdModel,
) -> tuple[str, ...]:
    """What would help, what helps most videos first."""
    lost = sum(untagged.values())
    unseen = tagged.get("by name alone", 0) + lost
    wanted: list[tuple[int, str]] = []
    if request.dual is None and having.get("pictures"):
        wanted.append(
            (unseen, f"--dual FOLDER (CLIP, SigLIP): {unseen} videos would get tags from their pictures")
        )
    if request.text is None and having.get("title"):
        wanted.append(
            (
                lost,
                f"--text FOLDER (a sentence encoder): {lost} titles could find tags they do not name word by word",
            )
        )
    if having.get("title", 0) < videos:
        missing = videos - having.get("title", 0)
        wanted.append((missing, f"titles: {missing} videos have none; give a manifest, or --titles filename"))
    most = sorted((one for one in wanted if one[0]), key=lambda one: -one[0])
    labels = (
        f"labels: put {os.path.join(request.out, TABLE)} right and train on it: tagtower train "  # noqa: PTH118
        f"{request.out / TABLE} --tags {request.tags} --out MODEL"
    )
    return (*(text for _, text in most), labels)

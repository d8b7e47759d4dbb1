"""The answer for each video of an archive: tags that are written somewhere, then those that a model sees and hears."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from tagtower.config import MediaSettings
from tagtower.errors import MediaError
from tagtower.library.tags import TagLibrary, normalize_tag
from tagtower.media.isolation import Decoder
from tagtower.records import MODALITIES, Evidence, Example, MentionEvidence, RankedTag, Video
from tagtower.usecases.archive.request import MODEL, StartRequest
from tagtower.usecases.cold_model import ColdModel
from tagtower.usecases.label import Labelled, Unlabelled, evidence_json, label, named
from tagtower.usecases.mentions import Mentions, written_about
from tagtower.usecases.session import Device, open_session

BY_TITLE = "like the title"
BY_MODEL = "pictures and sound"

Mentioned = Mapping[str, tuple[MentionEvidence, ...]]
"""Tags and where each is mentioned; nowhere is one that the title is merely similar to."""


@final
class Names:
    """What is written about a video, as tags: those that are named, then those that its title is similar to."""

    def __init__(self, library: TagLibrary, root: Path, similar: Mapping[str, Sequence[int]]) -> None:
        self._library, self._root, self._similar = library, root, similar
        self._mentions = Mentions(library)

    def __call__(self, row: Example) -> Mentioned:
        """Return where each tag is mentioned, the most telling first."""
        found = self._mentions.find_in(written_about(row, self._root))
        tags = {self._library.texts[tag]: mentions for tag, mentions in found.items()}
        for tag in self._similar.get(row.video.id, ()):
            tags.setdefault(self._library.texts[tag], ())
        return tags


def archive_answers(
    rows: Sequence[Example],
    names: Names,
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
    by_id = {row.video.id: row for row in rows}
    ready: dict[str, Mentioned] = {}

    def mentioned_in(row: Example) -> Mentioned:
        return {tag: found for tag, found in names(row).items() if tag in alive}

    with ExitStack() as stack:
        heard: Iterable[Labelled | Unlabelled | None] = (None for _ in rows)
        fingerprint = None
        if model.speaks:
            session = stack.enter_context(
                open_session(request.out / MODEL, store=store, bypass_store=bypass_store, device=device)
            )
            fingerprint = session.model.model_fingerprint
            may_say = alive
            if model.kind == "taught":  # of other tags it knows nothing but their spelling
                known = {normalize_tag(tag) for tag in session.model.training_tags}
                may_say = {text for text in alive if normalize_tag(text) in known}

            def choose(video: Video, ranked: Sequence[RankedTag]) -> list[RankedTag]:
                ready[video.id] = mentioned_in(by_id[video.id])
                return _chosen(ready[video.id], ranked, may_say, far)[: request.top_k]

            heard = label(session, (row.video for row in rows), library, ranker="tower", choose=choose)
        decoder = stack.enter_context(Decoder(MediaSettings(), workers=1))
        for row, one in zip(rows, heard, strict=True):
            begin = time.perf_counter()
            having, error = _having(row.video, decoder)
            if isinstance(one, Unlabelled) and isinstance(one.error, MediaError):
                error = one.error
            seen = one if isinstance(one, Labelled) else None
            mentioned = ready.pop(row.video.id, None)
            tags = _tags(mentioned_in(row) if mentioned is None else mentioned, seen, request.top_k)
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


def _chosen(
    mentioned: Mentioned, ranked: Sequence[RankedTag], may_say: set[str], far: float | None
) -> list[RankedTag]:
    """The tags that are written somewhere, then the nearest of those that the model may say."""
    by_text = {tag.tag: tag for tag in ranked}
    nearest = (
        tag
        for tag in ranked
        if tag.tag in may_say and tag.tag not in mentioned and (far is None or tag.distance <= far)
    )
    return [*(by_text[text] for text in mentioned), *nearest]


def _tags(mentioned: Mentioned, seen: Labelled | None, top_k: int) -> list[dict[str, Any]]:
    """The tags of a line: those that were chosen from what a model ranked, or without one those that are written."""
    by_text = {tag.tag: tag for tag in seen.tags} if seen else {}
    lines = []
    for rank, text in enumerate(by_text if seen else [*mentioned][:top_k], start=1):
        tag = by_text.get(text)
        evidence = replace(tag.evidence if tag else Evidence(), mentions=mentioned.get(text, ()))
        lines.append(
            {
                "tag": text,
                "rank": rank,
                "distance": tag.distance if tag else None,
                "score": tag.score if tag else None,
                "found_in": _places(mentioned, text),
                "evidence": evidence_json(evidence),
            }
        )
    return lines


def _places(mentioned: Mentioned, text: str) -> list[str]:
    if text not in mentioned:
        return [BY_MODEL]
    return [*dict.fromkeys(one.field for one in mentioned[text])] or [BY_TITLE]

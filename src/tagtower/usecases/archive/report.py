"""What is said at the end: what the videos have, how they were tagged, why some were not, and what would help most."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagtower.usecases.archive.request import TABLE, StartRequest
from tagtower.usecases.cold_model import ColdModel


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


def report_of(
    request: StartRequest,
    lines: Sequence[Mapping[str, Any]],
    model: ColdModel,
    written: Mapping[Path, str | None],
) -> StartReport:
    """Return the report on the `lines` that were written.

    Args:
        written: the sidecars, each with why it was refused, if it was.
    """
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

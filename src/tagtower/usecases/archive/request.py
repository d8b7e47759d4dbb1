"""What `start` is asked for, and the folder of its results: when it may be used, and what of it may go."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tagtower.errors import UsageError
from tagtower.training.manifest import TitleSource
from tagtower.usecases.cold_model import LEAST_TAUGHT
from tagtower.usecases.sidecars import Kind
from tagtower.usecases.train import state_folder

RESULTS, TABLE, RUN, MODEL, SIDECARS = "results.jsonl", "results.csv", "run.json", "model", "sidecars"
"""What stands in the folder of the results."""


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


def check_place(request: StartRequest, *, resume: bool, overwrite: bool) -> None:
    """Refuse a folder for the results that is taken.

    Raises:
        UsageError: it holds something else, or results and neither `resume` nor `overwrite` is set; or `resume` finds
            those of another request.
    """
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


def clear(out: Path) -> None:
    """Remove what an earlier run wrote, and nothing else."""
    for name in (MODEL, state_folder(out / MODEL).name, SIDECARS):
        shutil.rmtree(out / name, ignore_errors=True)
    for name in (RESULTS, TABLE, RUN):
        (out / name).unlink(missing_ok=True)

"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Tags = Annotated[
    Path, typer.Option("--tags", help="The tag library: text with a tag a line, JSON Lines, or CSV.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first bad row instead of counting it.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the output where it exists.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Store = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of the feature store; default the user's cache ($TAGTOWER_CACHE)."),
]
NoStore = Annotated[bool, typer.Option("--no-store", help="Keep no features; every file is decoded afresh.")]
Ranker = Annotated[
    str | None,
    typer.Option("--ranker", help="tower (by distance) or hybrid; default hybrid where the model has it."),
]
Neighbours = Annotated[
    Path | None,
    typer.Option(
        "--neighbours",
        metavar="MANIFEST",
        help="Labelled videos that join those of the model, without training.",
    ),
]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder that training wrote.")]
Home = Annotated[Path, typer.Argument(metavar="HOME", help="The folder of an installation.")]

"""`tagtower data`: what is in a manifest, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tagtower.faces.cli import options
from tagtower.faces.cli.output import list_problems, say, write_json

app = typer.Typer(no_args_is_help=True, help="Look at training data before training on it.")


@app.callback()
def frame() -> None:
    """Look at training data before training on it."""

"""`tagtower data`: what is in a manifest, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tagtower.config import load_settings
from tagtower.faces.cli import options
from tagtower.faces.cli.config import ConfigFile, Preset, SetOptions
from tagtower.faces.cli.output import print_line, print_table, write_json

if TYPE_CHECKING:
    from tagtower.usecases.check import DataReport

app = typer.Typer(no_args_is_help=True, help="Look at training data before training on it.")


@app.callback()
def frame() -> None:
    """Look at training data before training on it."""


@app.command()
def check(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="JSON Lines, CSV, Parquet, or a folder of media.")
    ],
    tags: options.Tags,
    strict: options.Strict = False,
    preset: Preset = None,
    config: ConfigFile = None,
    overrides: SetOptions = None,
    store: options.Store = None,
    no_store: options.NoStore = False,
    as_json: options.Json = False,
) -> int:
    """Show what a manifest and a library hold, what is wrong with them, and how the tags are distributed.

    No media are opened. With the settings of the training to come, such as positives.source=similarity, it shows what
    that training would learn from.
    """
    from tagtower.usecases.check import check_data

    report = check_data(
        manifest,
        tags,
        strict=strict,
        settings=load_settings(preset, config, overrides or ()),
        store=store,
        bypass_store=no_store,
    )
    if as_json:
        write_json(report.to_json(), indent=2)
    else:
        _show(report)
    return 1 if report.refused or report.videos.media_missing else 0


@app.command("store")
def store_(
    folder: options.Store = None,
    prune: Annotated[
        int | None, typer.Option("--prune", min=0, metavar="MIB", help="Keep this much, the last used first.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show where the feature store lies and how large it is, or cut it down.

    What is deleted is computed again when it is needed.
    """
    from tagtower.usecases.session import open_store

    with open_store(folder) as store:
        size = store.size() if prune is None else store.prune(prune << 20)
    if as_json:
        write_json({"store": str(store.path), "entries": size.entries, "bytes": size.bytes})
    else:
        print_line(f"{store.path}: {size.entries:,} features, {size.bytes / (1 << 20):,.1f} MiB")


def _show(report: DataReport) -> None:
    videos = report.videos
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_row("examples", f"{report.examples:,}", f"{report.refused:,} rows refused")
    facts.add_row("with media", f"{videos.with_media:,}", f"{videos.media_missing:,} missing or empty")
    facts.add_row("with a title", f"{videos.with_title:,}", f"{videos.with_media_and_title:,} with both")
    facts.add_row("tags in the library", f"{report.tags.tags:,}", f"version {report.tags.library}")
    facts.add_row(
        "tags in use", f"{report.tags.used:,}", f"{report.tags.never_in_train:,} of them never in train"
    )
    facts.add_row(
        "tags a video", f"{report.tags.per_video_mean:.1f}", f"median {report.tags.per_video_median:g}"
    )
    facts.add_row(
        "tags outside the library", f"{report.tags.outside:,}", f"{report.tags.outside_uses:,} uses"
    )
    print_table(facts)
    splits = Table(
        "split", "videos", "groups", "without tags", "tags", "unseen tags", box=None, pad_edge=False
    )
    for split, one in report.splits.items():
        numbers = (one.videos, one.groups, one.without_tags, one.tags, one.unseen_tags)
        splits.add_row(split, *(f"{number:,}" for number in numbers))
    print_line("")
    print_table(splits)
    uses = Table("uses of a tag", "tags", box=None, pad_edge=False)
    for name, count in report.tags.by_uses.items():
        uses.add_row(name, f"{count:,}")
    print_line("")
    print_table(uses)
    for split, line in report.positives.found.items():
        print_line(f"\n{split}: {line}")
    if report.problem_count:
        title = f"{report.problem_count:,} remark{'s' if report.problem_count > 1 else ''}"
        found = Table(title, "", box=None, pad_edge=False)
        for problem in report.problems[:20]:
            found.add_row(problem.where, problem.what)
        print_line("")
        print_table(found)

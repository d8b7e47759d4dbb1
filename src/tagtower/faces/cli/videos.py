"""`tagtower videos HOME`: handing videos in, and writing them out with their tags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tagtower.faces.cli import options, video_reviews, video_searches
from tagtower.faces.cli.installation import HomeCommand, HomeGroup, author_of, opened
from tagtower.faces.cli.output import list_problems, say, write_json
from tagtower.faces.cli.progress import TerminalProgress
from tagtower.faces.cli.video_searches import Owner, Reviewed, ShelfName, Since, TagNames, Until, Words
from tagtower.records import Problems

SOME_FAILED, NOTHING_DONE = 1, 3

HELP = """\
Hand videos in, find them, judge their tags, and erase them.

A video is named by its number. The same file is one video, whoever hands it in under whatever name. New videos stand
on the unlabelled shelf until a worker has labelled them: tagtower worker HOME.
"""

app = typer.Typer(cls=HomeGroup, no_args_is_help=True, help=HELP)


@app.callback()
def frame(context: typer.Context, home: options.Home) -> None:
    """Hand videos in, find them, judge their tags, and erase them."""
    context.obj = home


@app.command(cls=HomeCommand)
def put(
    context: typer.Context,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT", help="Media files or their http(s) addresses, folders (recursively), manifests."
        ),
    ],
    owner: Annotated[
        str, typer.Option("--owner", metavar="NAME", help="Whose videos they are; default nobody's.")
    ] = "",
    reference: Annotated[
        bool, typer.Option("--reference", help="Leave the media where they lie instead of copying them.")
    ] = False,
    labels: Annotated[
        bool,
        typer.Option(
            "--labels",
            help="Take the tags of a manifest as a person's word; those outside the library are counted.",
        ),
    ] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Other content or words take the place of what had the same name."),
    ] = False,
    title: Annotated[
        str | None, typer.Option("--title", help="The title of the one file that is given.")
    ] = None,
    titles: Annotated[
        str, typer.Option("--titles", help="Titles of files without a manifest: none, filename or metadata.")
    ] = "none",
    author: Annotated[
        str | None,
        typer.Option("--author", metavar="NAME", help="Whose word the labels are; default your user's."),
    ] = None,
    as_json: options.Json = False,
    strict: options.Strict = False,
    quiet: options.Quiet = False,
) -> int:
    """Hand videos in: each is looked at, copied into the installation, and put on the unlabelled shelf.

    Handing in the same again changes nothing, so a run that was interrupted is simply repeated. A file that cannot be
    decoded is refused, and the rest goes on. A name (the manifest's id, or the path as given) belongs to one video of
    an owner.
    """
    from tagtower.usecases.inputs import read_examples, title_source
    from tagtower.usecases.installation.intake import Put, PutSettings, put_videos

    problems = Problems()
    settings = PutSettings(owner, author_of(author), reference, labels, replace, subtitle_files=True)
    counts = {"new": 0, "joined": 0, "known": 0, "changed": 0}
    refused = []
    try:
        with opened(context) as installation, TerminalProgress(quiet=quiet) as progress:
            examples = read_examples(
                inputs, problems, title=title, titles=title_source(titles), strict=strict
            )
            progress.phase("videos", len(examples))
            for one in put_videos(installation, examples, settings, problems):
                if as_json:
                    write_json(one.to_json())
                if isinstance(one, Put):
                    counts[one.outcome] += 1
                    for remark in one.remarks:
                        progress.tell(f"{one.name}: {remark}")
                else:
                    refused.append(one)
                progress.advance()
    finally:  # also where the disk is full or Ctrl-C was pressed: what was handed in before is kept
        for failure in refused:
            say(f"tagtower: {failure.error}")
        done = sum(counts.values())
        if not quiet and done + len(refused):
            list_problems(problems, "the inputs")
            say(
                f"{counts['new']:,} new videos, {counts['joined']:,} further names of videos that were there, "
                f"{counts['known']:,} known, {counts['changed']:,} changed, {len(refused):,} refused"
            )
    if refused:
        return SOME_FAILED if done else NOTHING_DONE
    return 0


@app.command(cls=HomeCommand)
def export(
    context: typer.Context,
    out: Annotated[
        Path, typer.Argument(metavar="FILE", help="Its suffix tells the format: .jsonl, .csv, .parquet.")
    ],
    tag: TagNames = None,
    words: Words = None,
    owner: Owner = None,
    shelf: ShelfName = None,
    since: Since = None,
    until: Until = None,
    reviewed: Reviewed = None,
    tags_of: Annotated[
        str, typer.Option("--tags-of", help="shown: all that a video shows; person: only what persons gave.")
    ] = "shown",
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Write videos with their tags to a file, which is a manifest for `tagtower train` as well.

    The file is there whole or not at all, and tells of one moment, whoever writes meanwhile.
    """
    from tagtower.usecases.installation.export import export_videos, parse_tag_choice

    choice = parse_tag_choice(tags_of)
    with opened(context) as installation:
        search = video_searches.search_of(installation, tag, words, owner, shelf, since, until, reviewed)
        report = export_videos(installation, out, search, tags=choice, overwrite=overwrite)
    if as_json:
        write_json(report.to_json())
        return
    say(f"{out}: {report.videos:,} videos with {report.tags:,} tags")
    if report.unsafe:
        say(f"  {report.unsafe:,} tags hold a semicolon, which CSV takes for two; write .jsonl or .parquet.")


video_searches.register(app)
video_reviews.register(app)

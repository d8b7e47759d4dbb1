"""The commands of `tagtower tags HOME` that change the library: each is one change, with --dry-run and --author."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tagtower.errors import UsageError
from tagtower.faces.cli import options
from tagtower.faces.cli.installation import Author, DryRun, HomeCommand, author_of, moment, opened
from tagtower.faces.cli.output import list_problems, print_line, print_table, say, write_json

if TYPE_CHECKING:
    from tagtower.library.curation.plan import Edit
    from tagtower.library.curation.record import TagRecord
    from tagtower.usecases.installation.curate import Editing, Outcome
    from tagtower.usecases.installation.home import Installation

SOME_FAILED = 1
SHOWN = 20

Tag = Annotated[str, typer.Argument(metavar="TAG", help="Its text, an alias, or its number: '#12'.")]
Tags = Annotated[list[str], typer.Argument(metavar="TAG", help="Texts, aliases, or numbers: '#12'.")]
Expected = Annotated[
    int | None,
    typer.Option(
        "--if-version", metavar="N", help="Only if the tag was not changed after version N of the library."
    ),
]
Aliases = Annotated[
    list[str] | None, typer.Option("--alias", metavar="NAME", help="Another name; may be repeated.")
]
Groups = Annotated[
    list[str] | None, typer.Option("--group", metavar="NAME", help="A group it is in; may be repeated.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to a group whose context object is the folder of the installation."""
    for name, command in COMMANDS.items():
        app.command(name, cls=HomeCommand)(command)


def add(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The new tag.")],
    alias: Aliases = None,
    description: Annotated[str | None, typer.Option("--description", help="What it means.")] = None,
    language: Annotated[str | None, typer.Option("--language", help="BCP 47, such as en or de-AT.")] = None,
    group: Groups = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="TIME", help="ISO time, or a span from now such as 7d.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Suggest it from this probability on.")
    ] = None,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Suggest it only once it is approved.")
    ] = False,
    author: Author = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Add a tag: the next video is tagged with it, and stored videos are searched for it."""
    from tagtower.usecases.installation import curate

    def change(installation: Installation, by: Editing) -> Outcome:
        until = None if expires is None else moment(expires, installation.clock())
        return curate.add(
            installation,
            by,
            text,
            aliases=alias or (),
            description=description,
            language=language,
            groups=group or (),
            expires=until,
            threshold=threshold,
            state="quarantined" if quarantine else "active",
        )

    _run(context, change, author, dry_run, as_json)


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Text with a tag a line, JSON Lines, or CSV.")],
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Suggest new tags only once they are approved.")
    ] = False,
    sweep: Annotated[
        bool, typer.Option("--sweep/--no-sweep", help="Search the stored videos for the new tags.")
    ] = True,
    author: Author = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> int:
    """Bring in a file of tags, as one change; tags that are there already get what they lack.

    The format is that of `tagtower train --tags`, with the further columns `language` and `groups`. Bad rows are
    counted and named, the rest comes in.
    """
    from tagtower.usecases.installation import curate

    with opened(context) as installation:
        by = curate.Editing(author_of(author), dry_run)
        state = "quarantined" if quarantine else "active"
        outcome = curate.import_file(installation, by, file, state=state, sweep=sweep)  # type: ignore[arg-type]
    done = outcome.imported
    if as_json:
        write_json(outcome.to_json(), indent=2)
    else:
        list_problems(outcome.problems, str(file))
        verb = "would be" if dry_run else "were"
        say(
            f"{done.made:,} tags {verb} added, {done.completed:,} completed, {done.known:,} known; "
            f"{done.refused:,} bad rows" + ("" if dry_run else f"; change {done.version}")
        )
    return SOME_FAILED if done.refused else 0


def rename(
    context: typer.Context,
    tag: Tag,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Its new text.")],
    keep: Annotated[
        bool, typer.Option("--alias/--no-alias", help="Whether the old text still leads to it.")
    ] = True,
    author: Author = None,
    expected: Expected = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Give a tag another text; the old one stays as an alias."""
    from tagtower.usecases.installation import curate

    _run(
        context,
        lambda installation, by: curate.rename(installation, by, tag, text, keep_alias=keep),
        author, dry_run, as_json, expected,
    )  # fmt: skip


def alias(
    context: typer.Context,
    tag: Tag,
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Further names.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take them away instead.")] = False,
    author: Author = None,
    expected: Expected = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Let further names lead to a tag, or no longer."""
    from tagtower.usecases.installation import curate

    change = curate.remove_aliases if remove else curate.add_aliases
    _run(
        context, lambda installation, by: change(installation, by, tag, names),
        author, dry_run, as_json, expected,
    )  # fmt: skip


def merge(
    context: typer.Context,
    tags: Tags,
    into: Annotated[str, typer.Option("--into", metavar="TAG", help="The tag that stays.")],
    author: Author = None,
    expected: Expected = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Merge tags into another one, which gets their names, suggestions and verdicts; `split` brings them back."""
    from tagtower.usecases.installation import curate

    _run(
        context, lambda installation, by: curate.merge(installation, by, tags, into),
        author, dry_run, as_json, expected,
    )  # fmt: skip


def split(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="An alias, or the number of a merged tag: '#12'.")
    ],
    more: Annotated[
        list[str] | None, typer.Option("--with", metavar="NAME", help="A further alias that it takes along.")
    ] = None,
    author: Author = None,
    expected: Expected = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Make a tag of an alias; a tag that was merged comes back with its suggestions and verdicts."""
    from tagtower.usecases.installation import curate

    _run(
        context, lambda installation, by: curate.split(installation, by, name, more or ()),
        author, dry_run, as_json, expected,
    )  # fmt: skip


def retire(
    context: typer.Context,
    tags: Tags,
    author: Author = None,
    expected: Expected = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Suggest and show tags no more; their names stay taken, their verdicts are kept."""
    from tagtower.usecases.installation import curate

    _run(
        context, lambda installation, by: curate.retire(installation, by, tags),
        author, dry_run, as_json, expected,
    )  # fmt: skip


def restore(
    context: typer.Context,
    tags: Tags,
    author: Author = None,
    expected: Expected = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Make retired tags active again."""
    from tagtower.usecases.installation import curate

    _run(
        context, lambda installation, by: curate.restore(installation, by, tags),
        author, dry_run, as_json, expected,
    )  # fmt: skip


def approve(
    context: typer.Context,
    tags: Tags,
    author: Author = None,
    expected: Expected = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Let quarantined tags into the library; list them with `list --state quarantined`."""
    from tagtower.usecases.installation import curate

    _run(
        context, lambda installation, by: curate.approve(installation, by, tags),
        author, dry_run, as_json, expected,
    )  # fmt: skip


def describe(
    context: typer.Context,
    tag: Tag,
    description: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="What it means; without, nothing is said.")
    ] = None,
    language: Annotated[str | None, typer.Option("--language", help="BCP 47, such as en or de-AT.")] = None,
    author: Author = None,
    expected: Expected = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Say what a tag means and in which language it is."""
    from tagtower.usecases.installation import curate

    _run(
        context, lambda installation, by: curate.describe(installation, by, tag, description, language),
        author, dry_run, as_json, expected,
    )  # fmt: skip


def expire(
    context: typer.Context,
    tag: Tag,
    at: Annotated[
        str | None, typer.Argument(metavar="[TIME]", help="ISO time, or a span from now such as 7d.")
    ] = None,
    never: Annotated[bool, typer.Option("--never", help="Keep it for good.")] = False,
    author: Author = None,
    expected: Expected = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Suggest a tag until a moment, and then no more."""
    from tagtower.usecases.installation import curate

    if (at is None) != never:
        raise UsageError(
            "Give either a moment or --never.", hint="For example: tagtower tags HOME expire TAG 7d"
        )

    def change(installation: Installation, by: Editing) -> Outcome:
        until = None if at is None else moment(at, installation.clock())
        return curate.expire(installation, by, tag, until)

    _run(context, change, author, dry_run, as_json, expected)


def group(
    context: typer.Context,
    tags: Tags,
    into: Annotated[
        list[str] | None, typer.Option("--into", metavar="GROUP", help="Put them here; may be repeated.")
    ] = None,
    out_of: Annotated[
        list[str] | None, typer.Option("--out-of", metavar="GROUP", help="Take them out; may be repeated.")
    ] = None,
    author: Author = None,
    expected: Expected = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Put tags into groups, and take them out of others."""
    from tagtower.usecases.installation import curate

    _run(
        context, lambda installation, by: curate.regroup(installation, by, tags, into or (), out_of or ()),
        author, dry_run, as_json, expected,
    )  # fmt: skip


def bar(
    context: typer.Context,
    tag: Tag,
    video: Annotated[
        list[int] | None, typer.Option("--video", metavar="N", help="Never on this video; may be repeated.")
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Allow it again.")] = False,
    author: Author = None,
    expected: Expected = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Never suggest a tag on some videos, or, without --video, on any."""
    from tagtower.usecases.installation import curate

    def change(installation: Installation, by: Editing) -> Outcome:
        if video:
            return curate.bar(installation, by, tag, video, lift=lift)
        return curate.set_suggestable(installation, by, tag, lift)

    _run(context, change, author, dry_run, as_json, expected)


def threshold(
    context: typer.Context,
    tag: Tag,
    value: Annotated[
        float | None, typer.Argument(metavar="[P]", help="A probability, 0 to 1; without, the model's own.")
    ] = None,
    author: Author = None,
    expected: Expected = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Suggest a tag only from this probability on."""
    from tagtower.usecases.installation import curate

    _run(
        context, lambda installation, by: curate.set_threshold(installation, by, tag, value),
        author, dry_run, as_json, expected,
    )  # fmt: skip


def undo(
    context: typer.Context,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="The number of the change.")],
    author: Author = None,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Undo a change, unless a later one built upon it, which is then named. An undo can be undone."""
    from tagtower.usecases.installation import curate

    _run(context, lambda installation, by: curate.undo(installation, by, version), author, dry_run, as_json)


COMMANDS: dict[str, Callable[..., int | None]] = {
    "add": add,
    "import": import_,
    "rename": rename,
    "alias": alias,
    "merge": merge,
    "split": split,
    "retire": retire,
    "restore": restore,
    "approve": approve,
    "describe": describe,
    "expire": expire,
    "group": group,
    "bar": bar,
    "threshold": threshold,
    "undo": undo,
}


def show_edits(edits: Sequence[Edit]) -> None:
    """Print a table of tags before and after."""
    table = Table("id", "before", "after", box=None, pad_edge=False)
    for edit in edits[:SHOWN]:
        number = f"#{edit.tag_id}" if edit.tag_id else "new"
        before, after = _differing(edit.before, edit.after)
        table.add_row(number, before, after)
    print_table(table)
    if len(edits) > SHOWN:
        print_line(f"... and {len(edits) - SHOWN:,} more tags")


def _differing(before: TagRecord | None, after: TagRecord | None) -> tuple[str, str]:
    """Return what of a tag differs, as two texts."""
    images = [{} if one is None else one.to_image() for one in (before, after)]
    names = [name for name in (images[0] or images[1]) if images[0].get(name) != images[1].get(name)]
    if before is None or after is None:
        names = [name for name in names if name in ("text", "aliases", "state", "expires_at")]
    texts = []
    for record, image in zip((before, after), images, strict=True):
        said = [f"{name}: {_plain(image.get(name))}" for name in names if name != "text"]
        texts.append("-" if record is None else "; ".join([record.text, *said]))
    return texts[0], texts[1]


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _run(
    context: typer.Context,
    change: Callable[[Installation, Editing], Outcome],
    author: str | None,
    dry_run: bool,
    as_json: bool,
    expected: int | None = None,
) -> None:
    """Make a change, or try it, and show what came of it."""
    from tagtower.usecases.installation.curate import Editing

    with opened(context) as installation:
        outcome = change(installation, Editing(author_of(author), dry_run, expected))
    if as_json:
        write_json(outcome.to_json(), indent=2)
        return
    if not outcome.edits:
        say("Nothing to change: it is so already.")
        return
    show_edits(outcome.edits)
    would = "would be " if dry_run else ""
    number = "a dry run, nothing was changed" if dry_run else f"change {outcome.version}"
    reached = outcome.reach
    say(
        f"{outcome.summary} ({number}); {would}on {reached.videos:,} videos: {reached.suggestions:,} suggestions, "
        f"{reached.verdicts:,} verdicts"
        + (f"; {outcome.sweeps:,} tags to be searched for" if outcome.sweeps else "")
    )

"""`tagtower videos HOME verdict|retry|erase`: what persons decide about stored videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tagtower.errors import UsageError
from tagtower.faces.cli import options
from tagtower.faces.cli.installation import Author, HomeCommand, author_of, opened
from tagtower.faces.cli.output import list_problems, print_line, say, write_json
from tagtower.records import Problems

SOME_FAILED, NOTHING_DONE = 1, 3

VideoIds = Annotated[list[int] | None, typer.Argument(metavar="VIDEO", min=1, help="Numbers of videos.")]


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    app.command(cls=HomeCommand)(verdict)
    app.command(cls=HomeCommand)(retry)
    app.command(cls=HomeCommand)(erase)


def verdict(
    context: typer.Context,
    word: Annotated[
        str | None, typer.Argument(metavar="WORD", help="accept, reject, add or withdraw.")
    ] = None,
    videos: VideoIds = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="A name, an alias or '#12'. May be repeated."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="Verdicts of a file: rows of `video`, `tag` and `verdict`."
        ),
    ] = None,
    create: Annotated[
        bool, typer.Option("--create/--no-create", help="An `add` makes a tag that does not exist yet.")
    ] = True,
    author: Author = None,
    strict: options.Strict = False,
    as_json: options.Json = False,
) -> int:
    """Say of tags of videos that they are right (accept), wrong (reject) or missing (add), or take it back (withdraw).

    The last word counts. It outlives models, and merging or retiring the tag. Words typed here are all kept or none;
    of a file, the bad rows are counted and the rest is kept.

        tagtower videos HOME verdict accept --tag "solar eclipse" 12 13 14
    """
    from tagtower.usecases.installation import review

    problems = Problems()
    by = author_of(author)
    if (file is None) == (word is None):
        raise UsageError("Give a verdict, or a file of them with --from.", hint="See: verdict --help")
    with opened(context) as installation:
        if file is not None:
            judgements = review.read_judgements(file, problems, strict=strict)
            said = list(
                review.judge_many(
                    installation, judgements, author=by, create=create, problems=problems, place=str(file)
                )
            )
        elif word is not None and tag and videos:
            chosen = review.judgements_on(review.parse_word(word), tag, videos)
            said = review.judge(installation, chosen, author=by, create=create)
        else:
            raise UsageError("A verdict needs --tag and the numbers of videos.", hint="See: verdict --help")
    if as_json:
        write_json({"verdicts": [one.to_json() for one in said], "refused": problems.count})
    else:
        counts = ", ".join(f"{count:,} {name}" for name, count in review.summary(said).items())
        print_line(counts or "nothing said")
    list_problems(problems, str(file or "the verdicts"))
    if problems.count:
        return SOME_FAILED if said else NOTHING_DONE
    return 0


def retry(
    context: typer.Context,
    videos: VideoIds = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--type", help="Only failures of this type, such as timeout; may be repeated."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Put failed videos back on the unlabelled shelf, once what was wrong is mended; default all that failed."""
    from tagtower.library.shelves import retry_failed

    with opened(context) as installation, installation.database.write() as connection:
        done = retry_failed(connection, now=installation.clock(), ids=videos or None, kinds=kinds or None)
    if as_json:
        write_json({"videos": done})
    else:
        print_line(f"{done:,} videos are tried again")


def erase(
    context: typer.Context,
    videos: VideoIds = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="NAME", help="All that this owner handed in.")
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Go on with erasures that were interrupted.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    author: Author = None,
    as_json: options.Json = False,
) -> None:
    """Erase videos for good: media, vectors, frames, features, previews, suggestions and verdicts, down to the bytes.

    Afterwards everything is searched for what was erased, and a proof is kept that holds nothing of it. A video that
    others handed in too only loses the owner's name and words. Backups and exports that were made before are yours to
    delete, and a model that was trained on a video keeps what it learned.
    """
    from tagtower.usecases.installation.erase import erase_owner, erase_videos, finish_erasing

    if sum((bool(videos), owner is not None, finish)) != 1:
        raise UsageError("Say what to erase.", hint="Give numbers of videos, or --owner, or --finish.")
    if not finish and not yes:
        what = f"all that {owner!r} handed in" if owner is not None else f"{len(videos or ()):,} videos"
        typer.confirm(f"Erase {what} for good?", abort=True, err=True)
    by = author_of(author)
    with opened(context) as installation:
        if finish:
            proofs = finish_erasing(installation)
        elif owner is not None:
            proofs = erase_owner(installation, owner, author=by)
        else:
            proofs = erase_videos(installation, videos or [], author=by)
    if as_json:
        write_json({"erased": [one.to_json() for one in proofs]}, indent=2)
        return
    for one in proofs:
        counts = ", ".join(f"{count:,} {name}" for name, count in one.removed.items() if count)
        print_line(f"video {one.video_id}: {'erased' if one.whole else 'a name erased'} ({counts})")
    if proofs:
        checked = proofs[0].checked
        say(f"Searched afterwards: {checked['tables']} tables, {checked['files']} files; nothing is left.")
    else:
        say("Nothing was to be erased.")

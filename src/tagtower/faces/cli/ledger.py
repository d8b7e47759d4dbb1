"""`tagtower ledger`: the proof that nothing was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from tagtower.faces.cli import options
from tagtower.faces.cli.output import print_line, print_table, say, write_json

if TYPE_CHECKING:
    from tagtower.library.ledger import Ledger

DOES_NOT_BALANCE = 1


def ledger(
    home: options.Home,
    media: Annotated[
        bool, typer.Option("--media", help="Compare the media store with the videos too; lists all of it.")
    ] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Mend what can be mended without loss: leases of workers that are gone, labelled videos without a "
            "vector or an answer (labelled anew), with --media stored files of no video (removed).",
        ),
    ] = False,
    as_json: options.Json = False,
) -> int:
    """Prove that everything that came in is on exactly one shelf, and that nothing is left over.

    Ends with 1 if something does not balance.
    """
    from tagtower.usecases.installation.home import open_installation
    from tagtower.usecases.installation.ledger import check_ledger

    with open_installation(home) as installation:
        checked = check_ledger(installation, media=media, repair=repair)
    if as_json:
        write_json(checked.to_json(), indent=2)
    else:
        _show(checked.ledger)
        for kind, count in checked.mended.items():
            say(f"mended: {kind}, {count} times")
    return 0 if checked.ledger.balances else DOES_NOT_BALANCE


def _show(found: Ledger) -> None:
    table = Table("shelf", "videos", "")
    shelves = found.shelves
    table.add_row(
        "unlabelled",
        f"{shelves.unlabelled:,}",
        f"{shelves.leased:,} in work, {shelves.waiting:,} waiting to be tried again",
    )
    table.add_row("labelled", f"{shelves.labelled:,}", "")
    table.add_row("failed", f"{shelves.failed:,}", "")
    table.add_row(
        "together", f"{shelves.all:,}", f"{found.came_in:,} came in, by {found.references:,} references"
    )
    print_table(table)
    for one in found.findings:
        print_line(f"{one.count:,} {one.what}: {', '.join(one.examples) or '?'}")
        if one.mendable:
            print_line("  Mend it with: --repair")
    print_line("It balances." if found.balances else "It does not balance.")

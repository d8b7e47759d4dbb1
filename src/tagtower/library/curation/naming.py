"""Plans for what tags are called: adding them, renaming them, and their aliases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tagtower.errors import ConflictError, NotFoundError
from tagtower.library.curation.plan import Edit, Plan, edit_of
from tagtower.library.curation.record import (
    TagRecord,
    check_threshold,
    clean_description,
    clean_groups,
    clean_language,
    clean_name,
    with_aliases,
)
from tagtower.library.tags import normalize_tag


def add(new: TagRecord) -> Plan:
    """Return the plan to add a tag; its texts are brought into the form in which they are kept.

    Raises:
        TagLibraryError: a text can be no name, description, language or group, or the threshold is none.
    """
    record = replace(
        new,
        id=0,
        text=clean_name(new.text),
        description=clean_description(new.description),
        language=clean_language(new.language),
        groups=clean_groups(new.groups),
        threshold=check_threshold(new.threshold),
    )
    record = with_aliases(record, new.aliases)
    where = "to quarantine " if record.state == "quarantined" else ""
    return Plan("add", f"add {where}{record.text!r}", (Edit(None, record),))


def rename(tag: TagRecord, text: str, *, keep_alias: bool = True) -> Plan:
    """Return the plan to give a tag another text; the old one stays as an alias if `keep_alias`.

    Raises:
        TagLibraryError: `text` can be no tag.
    """
    text = clean_name(text)
    aliases = (tag.text, *tag.aliases) if keep_alias else tag.aliases
    after = with_aliases(replace(tag, text=text), aliases)
    return Plan(
        "rename", f"rename {tag.text!r} to {text!r}", edit_of(tag, text=after.text, aliases=after.aliases)
    )


def add_aliases(tag: TagRecord, aliases: Sequence[str]) -> Plan:
    """Return the plan to let further names lead to a tag.

    Raises:
        TagLibraryError: one can be no name.
    """
    after = with_aliases(tag, (*tag.aliases, *aliases))
    new = [alias for alias in after.aliases if alias not in tag.aliases]
    listed = ", ".join(map(repr, new))
    return Plan("alias", f"add to {tag.text!r} the alias {listed}", edit_of(tag, aliases=after.aliases))


def remove_aliases(tag: TagRecord, aliases: Sequence[str]) -> Plan:
    """Return the plan to let names no longer lead to a tag.

    Raises:
        ConflictError: one is the tag's own text.
        NotFoundError: one is no alias of it.
    """
    unwanted = {normalize_tag(alias): alias for alias in aliases}
    if normalize_tag(tag.text) in unwanted:
        raise ConflictError(
            f"{tag.text!r} is the tag's own text, not an alias.", hint="Rename the tag, or retire it."
        )
    known = {normalize_tag(alias): alias for alias in tag.aliases}
    for key, alias in unwanted.items():
        if key not in known:
            raise NotFoundError(
                f"{alias!r} is no alias of {tag.text!r}.",
                hint=f"It has: {', '.join(tag.aliases)}" if tag.aliases else "It has none.",
            )
    kept = tuple(alias for key, alias in known.items() if key not in unwanted)
    listed = ", ".join(repr(known[key]) for key in unwanted)
    return Plan("alias", f"remove from {tag.text!r} the alias {listed}", edit_of(tag, aliases=kept))

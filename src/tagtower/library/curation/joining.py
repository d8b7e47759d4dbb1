"""Plans to make one tag of several, and several of one.

Suggestions and verdicts stay with the tag they were given to, so that a tag that is brought back has its own again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from tagtower.errors import ConflictError, NotFoundError
from tagtower.library.curation.plan import Edit, Plan, edit_of
from tagtower.library.curation.record import TagRecord, clean_name, with_aliases
from tagtower.library.tags import normalize_tag


def merge(sources: Sequence[TagRecord], into: TagRecord, children: Sequence[TagRecord]) -> Plan:
    """Return the plan to merge tags into another one, which gets their names as aliases.

    Args:
        sources: tags that are not merged.
        into: the tag that stays.
        children: the tags that were merged into one of `sources` before; they follow.
    Raises:
        ConflictError: a tag would be merged into itself, or `into` is not active.
    """
    if any(source.id == into.id for source in sources):
        raise ConflictError(
            f"{into.text!r} cannot be merged into itself.",
            hint="Perhaps one is an alias of the other already.",
        )
    if into.state != "active":
        raise ConflictError(
            f"{into.text!r} is {into.state}; what is merged into it would vanish from every video.",
            hint="Approve or restore it first."
            if into.state != "merged"
            else "Name the tag it is merged into.",
        )
    names = [name for source in sources for name in source.names]
    kept = with_aliases(into, (*into.aliases, *names))
    gone = {source.id: source for source in (*sources, *children)}
    edits = [Edit(into, kept)]
    edits += [
        Edit(record, replace(record, aliases=(), state="merged", merged_into=into.id))
        for record in gone.values()
    ]
    listed = ", ".join(repr(source.text) for source in sources)
    return Plan("merge", f"merge {listed} into {into.text!r}", tuple(edits))


def bring_back(merged: TagRecord, root: TagRecord, former: TagRecord, more: Sequence[str] = ()) -> Plan:
    """Return the plan to make a merged tag one of its own again, with its suggestions and verdicts.

    It takes its text along, and those of its former aliases, and of `more`, that lead to `root` now.

    Args:
        former: the tag as it was before it was merged.
    Raises:
        NotFoundError: a name out of `more` leads elsewhere.
    """
    _check_aliases(root, more)
    wanted = {normalize_tag(name) for name in (merged.text, *former.aliases, *more)}
    taken = [alias for alias in root.aliases if normalize_tag(alias) in wanted]
    own = with_aliases(replace(merged, state="active", merged_into=None), taken)
    left = tuple(alias for alias in root.aliases if alias not in taken)
    edits = (Edit(merged, own), *edit_of(root, aliases=left))
    return Plan("split", f"split {merged.text!r} from {root.text!r}", edits)


def split_off(root: TagRecord, name: str, more: Sequence[str], at: datetime, origin: str = "person") -> Plan:
    """Return the plan to make an alias, with `more` aliases, a tag of its own, which has no suggestions yet.

    Raises:
        ConflictError: it is the tag's own text.
        NotFoundError: one is no alias of `root`.
    """
    if normalize_tag(name) == normalize_tag(root.text):
        raise ConflictError(
            f"{root.text!r} is the tag itself, and no tag was merged into it under that name.",
            hint="Name an alias that is to become a tag.",
        )
    _check_aliases(root, (name, *more))
    wanted = {normalize_tag(alias) for alias in (name, *more)}
    taken = [alias for alias in root.aliases if normalize_tag(alias) in wanted]
    text = next(alias for alias in taken if normalize_tag(alias) == normalize_tag(name))
    own = TagRecord(
        id=0, text=clean_name(text), language=root.language, groups=root.groups, origin=origin, created_at=at
    )
    left = tuple(alias for alias in root.aliases if alias not in taken)
    edits = (Edit(root, replace(root, aliases=left)), Edit(None, with_aliases(own, taken)))
    return Plan("split", f"split {text!r} from {root.text!r}", edits)


def _check_aliases(root: TagRecord, names: Sequence[str]) -> None:
    known = {normalize_tag(alias) for alias in root.aliases}
    for name in names:
        if normalize_tag(name) not in known:
            raise NotFoundError(
                f"{name!r} is no alias of {root.text!r}.",
                hint=f"It has: {', '.join(root.aliases)}" if root.aliases else "It has none.",
            )

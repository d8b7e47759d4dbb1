"""Answers as frozen dataclasses: a field is read by its name and by its type; what is not known is passed over.

So an older client reads a newer server, which may add fields. A field that is missing and has no default, or is of
another type, is an error that names it.
"""

from __future__ import annotations

import types
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from tagtower.client.failures import AnswerError
from tagtower.client.steps import Reply

T = TypeVar("T")
HEADER = "header"
"""In a field's metadata: the header that it is read from, in small letters."""


@dataclass(frozen=True, slots=True)
class Reader(Generic[T]):
    """Reads an answer as `kind`, or with `many` a list of it; `name` is the field that holds it, None for the whole."""

    kind: type[Any]
    name: str | None = None
    many: bool = False

    def __call__(self, reply: Reply) -> T:
        """Read an answer.

        Raises:
            AnswerError: it is of another form.
        """
        found = document(reply)
        if self.name is not None:
            found = _member(found, self.name)
        kind = tuple[self.kind, ...] if self.many else self.kind
        made: T = decode(kind, found, reply, self.name or "")
        return made


def answer(kind: type[T]) -> Reader[T]:
    """Return what reads an answer as `kind`."""
    return Reader(kind)


def several(kind: type[T], name: str) -> Reader[tuple[T, ...]]:
    """Return what reads the list `name` of an answer."""
    return Reader(kind, name, many=True)


def document(reply: Reply) -> Any:
    """Return the body of an answer as JSON.

    Raises:
        AnswerError: it is none.
    """
    try:
        return reply.json()
    except ValueError:
        raise AnswerError(
            "The answer is no JSON.", hint="Check that the address is that of a TagTower server."
        ) from None


def nothing(reply: Reply) -> None:
    """Read an answer without a body."""


def decode(kind: Any, value: Any, reply: Reply | None = None, where: str = "") -> Any:
    """Return a JSON value as `kind`.

    Raises:
        AnswerError: it is of another form.
    """
    if kind is Any:
        return value
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        choices = get_args(kind)
        if value is None and type(None) in choices:
            return None
        (kind,) = [one for one in choices if one is not type(None)]
        return decode(kind, value, reply, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise _strange(where, "a list", value)
        return tuple(
            decode(get_args(kind)[0], one, reply, f"{where}[{place}]") for place, one in enumerate(value)
        )
    if origin is dict:
        if not isinstance(value, dict):
            raise _strange(where, "an object", value)
        inner = get_args(kind)[1]
        return {name: decode(inner, one, reply, f"{where}.{name}") for name, one in value.items()}
    if is_dataclass(kind):
        return _record(kind, value, reply, where)
    return _scalar(kind, value, where)


def _record(kind: Any, value: Any, reply: Reply | None, where: str) -> Any:
    if not isinstance(value, dict):
        raise _strange(where, "an object", value)
    hints = _hints(kind)
    made: dict[str, Any] = {}
    for one in fields(kind):
        place = f"{where}.{one.name}" if where else one.name
        if HEADER in one.metadata:
            made[one.name] = None if reply is None else reply.headers.get(one.metadata[HEADER])
        elif one.name in value:
            made[one.name] = decode(hints[one.name], value[one.name], reply, place)
        elif one.default is MISSING and one.default_factory is MISSING:
            raise _strange(place, "there", None)
    return kind(**made)


def _scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is datetime:
        try:
            return datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise _strange(where, "a time", value) from None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _strange(where, f"of the type {kind.__name__}", value)
    return value


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _member(found: Any, name: str) -> Any:
    if not isinstance(found, dict) or name not in found:
        raise _strange(name, "there", None)
    return found[name]


def _strange(where: str, wanted: str, value: Any) -> AnswerError:
    shown = "" if value is None else f", but {str(value)[:60]!r}"
    return AnswerError(
        f"In the answer {where or 'the whole'} is not {wanted}{shown}.",
        hint="Client and server are of different versions: update the older one.",
    )

"""What every setting means, read off the sections themselves."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from tagtower.config.sections import Settings
from tagtower.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `section.key`, its type in words, default, range and meaning."""

    key: str
    type: str
    default: Any
    range: str
    description: str
    is_list: bool


@cache
def all_settings(whole: type[BaseModel] = Settings) -> tuple[Setting, ...]:
    """Every setting of a model and its training, or of another `whole`, in the order of the sections."""
    found = []
    for section, field in whole.model_fields.items():
        model = field.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        schema = model.model_json_schema()
        for name, info in model.model_fields.items():
            found.append(
                Setting(
                    key=f"{section}.{name}",
                    type=_type_words(schema["properties"][name]),
                    default=info.default,
                    range=_range_words(schema["properties"][name]),
                    description=info.description or "",
                    is_list="array" in _types(schema["properties"][name]),
                )
            )
    return tuple(found)


@cache
def setting_keys() -> frozenset[str]:
    """The names of all settings, as `section.key`."""
    return frozenset(one.key for one in all_settings())


def setting(key: str) -> Setting:
    """The setting called `key`.

    Raises:
        ConfigError: there is none; the message names the nearest.
    """
    for one in all_settings():
        if one.key == key:
            return one
    near = difflib.get_close_matches(key, [one.key for one in all_settings()], n=1, cutoff=0.4)
    raise ConfigError(
        f"There is no setting {key!r}" + (f"; did you mean {near[0]!r}?" if near else "."),
        hint="See: tagtower config show",
    )


def _types(schema: dict[str, Any]) -> set[str]:
    return {one.get("type", "") for one in (schema, *schema.get("anyOf", ()))}


def _type_words(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " | ".join(_type_words(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        items = schema.get("items") or {}
        return f"list of {_type_words(items)}" if items else "list"
    words = {
        "integer": "int",
        "number": "float",
        "string": "text",
        "boolean": "true | false",
        "null": "default",
    }
    return words.get(schema.get("type", ""), "value")


def _range_words(schema: dict[str, Any]) -> str:
    for one in (schema, *schema.get("anyOf", ())):
        low, above = one.get("minimum"), one.get("exclusiveMinimum")
        high, below = one.get("maximum"), one.get("exclusiveMaximum")
        parts = []
        if low is not None:
            parts.append(f">= {low:g}")
        if above is not None:
            parts.append(f"> {above:g}")
        if high is not None:
            parts.append(f"<= {high:g}")
        if below is not None:
            parts.append(f"< {below:g}")
        if parts:
            return ", ".join(parts)
    return ""

"""`tagtower config`: every setting with its unit and default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from tagtower.config import load_settings
from tagtower.config.explain import all_settings, setting
from tagtower.config.presets import ABOUT, PRESETS
from tagtower.faces.cli.output import print_line, print_table, write_json

app = typer.Typer(no_args_is_help=True, help="Every setting with its unit, range and default.")

Preset = Annotated[
    str | None, typer.Option("--preset", help="Start from this preset: tiny, base, titles or finetune.")
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="A TOML file of settings, over the preset.")
]
SetOptions = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting, over preset and file; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def show(
    preset: Preset = None, file: ConfigFile = None, overrides: SetOptions = None, as_json: Json = False
) -> None:
    """Show every setting and its value, from the defaults, a preset, a file and --set."""
    settings = load_settings(preset, file, overrides or ())
    values = settings.model_dump(mode="json")
    if as_json:
        write_json({"settings": values}, indent=2)
        return
    table = Table("setting", "value", "meaning", box=None, pad_edge=False)
    for one in all_settings():
        section, name = one.key.split(".")
        table.add_row(one.key, _value(values[section][name]), one.description)
    print_table(table)


@app.command()
def presets(as_json: Json = False) -> None:
    """List the presets and what each changes."""
    if as_json:
        write_json(
            {"presets": {name: {"about": ABOUT[name], "changes": PRESETS[name]} for name in PRESETS}},
            indent=2,
        )
        return
    for name, sections in PRESETS.items():
        print_line(f"{name}: {ABOUT[name]}")
        table = Table(box=None, show_header=False)
        for section, values in sections.items():
            for key, value in values.items():
                table.add_row(f"{section}.{key}", _value(value))
        print_table(table)


@app.command()
def explain(
    key: Annotated[str, typer.Argument(help="A setting, such as loss.margin.")], as_json: Json = False
) -> None:
    """Explain one setting: what it does, its unit, range and default."""
    one = setting(key)
    facts = {
        "setting": one.key,
        "meaning": one.description,
        "values": one.type,
        "range": one.range,
        "default": one.default,
        "presets": {
            name: sections[section][own]
            for name, sections in PRESETS.items()
            for section, own in [key.split(".")]
            if own in sections.get(section, {})
        },
    }
    if as_json:
        write_json(facts, indent=2)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in facts.items():
        if value not in ("", {}):
            shown = (
                ", ".join(f"{k}: {_value(v)}" for k, v in value.items()) if isinstance(value, dict) else value
            )
            table.add_row(name, _value(shown))
    print_table(table)


def _value(value: Any) -> str:
    if value is None:
        return "default"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)

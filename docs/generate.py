"""Writes docs/reference from the code: every setting, and every command with its options.

    python docs/generate.py [--check]

With `--check` nothing is written, and the exit code says whether the pages are true.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from tagtower.config.explain import Setting, all_settings
from tagtower.config.installation import (
    DATABASE_VARIABLE,
    FILE,
    MEDIA_VARIABLE,
    SERVER_VARIABLES,
    InstallationSettings,
)
from tagtower.config.presets import ABOUT, PRESETS
from tagtower.faces.cli.main import app

FOLDER = Path(__file__).parent / "reference"


def main() -> int:
    """Write the pages, or compare them; return the exit code."""
    pages = {
        "settings.md": settings_page(),
        "installation.md": installation_page(),
        "commands.md": commands_page(),
    }
    if "--check" in sys.argv:
        stale = [name for name, text in pages.items() if _written(name) != text]
        print("\n".join(f"docs/reference/{name} is stale: run make docs" for name in stale))  # noqa: T201
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def settings_page() -> str:
    """Return the page of all settings and presets."""
    lines = [
        "# Settings",
        "",
        "Generated from the code by `make docs`. A setting is given as `--set section.key=value`, or in a TOML file",
        "(`--config`) as a key in the table of its section.",
        *_settings(all_settings()),
    ]
    lines += ["", "## Presets"]
    for name, sections in PRESETS.items():
        lines += ["", f"### {name}", "", f"{ABOUT[name]}.", "", "```toml"]
        for title, values in sections.items():
            lines += [f"[{title}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
        lines.append("```")
    return "\n".join(lines) + "\n"


def installation_page() -> str:
    """Return the page of the settings of an installation."""
    lines = [
        "# Settings of an installation",
        "",
        f"Generated from the code by `make docs`. They stand in HOME/{FILE}, as keys in the table of their section.",
        f"`{DATABASE_VARIABLE}` and `{MEDIA_VARIABLE}` come before `places.database_url` and `places.media_url`, and",
        f"`{SERVER_VARIABLES}` with the name of a setting, in capitals, before that setting of `server`.",
        *_settings(all_settings(InstallationSettings)),
    ]
    return "\n".join(lines) + "\n"


def _settings(settings: tuple[Setting, ...]) -> list[str]:
    lines: list[str] = []
    section = ""
    for one in settings:
        if one.key.split(".")[0] != section:
            section = one.key.split(".")[0]
            lines += [
                "",
                f"## {section}",
                "",
                "| setting | values | default | meaning |",
                "|---|---|---|---|",
            ]
        kind = f"{one.type} {one.range}".strip().replace("|", "or")
        lines.append(
            f"| `{one.key}` | {kind} | `{_shown(one.default)}` | {one.description.replace('|', '/')} |"
        )
    return lines


def commands_page() -> str:
    """Return the page of all commands."""
    lines = ["# Commands", "", "Generated from the code by `make docs`."]
    root = typer.main.get_command(app)
    lines += _command("tagtower", root)
    return "\n".join(lines) + "\n"


def _command(name: str, command: Any) -> list[str]:
    children = getattr(command, "commands", None)
    if children is not None:
        own = [one for one in command.params if one.param_type_name == "argument"]
        name = " ".join([name, *(one.metavar or one.name.upper() for one in own)])
        shown = [(key, child) for key, child in children.items() if not child.hidden]
        return [line for key, child in shown for line in _command(f"{name} {key}", child)]
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    usage = " ".join([name, *(one.metavar or one.name.upper() for one in arguments), "[OPTIONS]"])
    lines = ["", f"## {name}", "", (command.help or "").strip(), "", "```", usage, "```"]
    lines += ["", "| | meaning | default |", "|---|---|---|"]
    for one in command.params:
        names = (
            ", ".join(f"`{text}`" for text in one.opts) if one not in arguments else f"`{one.name.upper()}`"
        )
        default = "" if one.default is None or callable(one.default) else f"`{_shown(one.default)}`"
        needed = " (required)" if one.required else ""
        lines.append(f"| {names} | {getattr(one, 'help', None) or ''}{needed} | {default} |")
    return lines


def _written(name: str) -> str:
    path = FOLDER / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _shown(value: object) -> str:
    if value is None:
        return "default"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else _shown(value)


if __name__ == "__main__":
    sys.exit(main())

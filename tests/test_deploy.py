"""What is shipped for containers and systemd: it says what the program understands, and runs as nobody special."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tagtower.config.installation import SERVER_VARIABLES, ServingSettings
from tagtower.faces.cli.main import app

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def tool(name: str) -> str:
    """A tool beside this Python or on the path; the test is skipped where it is not there."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} here")
    return found


def run(*arguments: object) -> None:
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() in ("", "ok -- validation done"), done.stdout


def understood(words: list[str]) -> None:
    """Whether the command line takes these words; nothing is run."""
    command = typer.main.get_command(app)
    name, *rest = words
    command.commands[name].make_context(name, rest).close()


def test_the_dockerfile_has_no_faults() -> None:
    run(tool("hadolint"), "--no-color", ROOT / "Dockerfile")


def test_the_image_runs_as_a_plain_user_and_knows_its_health() -> None:
    last = DOCKERFILE.split("\nFROM ")[-1]
    (user,) = re.findall(r"^USER (\S+)$", last, re.MULTILINE)
    assert user.isdigit()
    assert int(user) > 0
    assert "HEALTHCHECK" in last
    assert "/healthz" in last
    assert "--constraint constraints.txt" in DOCKERFILE


def test_what_the_image_is_built_from_is_there_and_is_sent_to_the_builder() -> None:
    sent = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
            assert f"!{name}" in sent, name


def test_the_command_of_the_image_is_one() -> None:
    (command,) = re.findall(r'^CMD \["(serve.+)"\]$', DOCKERFILE, re.MULTILINE)
    understood(command.split('", "'))


def test_the_compose_file_keeps_to_its_specification() -> None:
    run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_the_services_run_what_there_is_with_settings_that_there_are() -> None:
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    for name in ("server", "worker"):
        one = services[name]
        understood(one["command"])
        assert one["cap_drop"] == ["ALL"]
        assert one["read_only"] is True
        for variable in one["environment"]:
            if variable.startswith(SERVER_VARIABLES):
                assert variable.removeprefix(SERVER_VARIABLES).lower() in ServingSettings.model_fields
    assert services["server"]["ports"] == ["127.0.0.1:8765:8765"], "it reaches this machine alone"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_a_command_that_there_is_as_a_plain_user_without_rights(unit) -> None:
    text = unit.read_text(encoding="utf-8")
    (command,) = re.findall(r"^ExecStart=\S+/tagtower (.+)$", text, re.MULTILINE)
    understood(shlex.split(command))
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert said["User"] == "tagtower"
    assert said["CapabilityBoundingSet"] == ""
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices"):
        assert said[name] == "yes", name
    assert said["ProtectSystem"] == "strict"


def test_systemd_finds_no_fault_with_the_units(tmp_path) -> None:
    for unit in UNITS:  # the program need not be installed where this is tested
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name.replace("@", "@1")).write_text(text)
    run(tool("systemd-analyze"), "verify", *tmp_path.iterdir())

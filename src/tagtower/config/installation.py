"""The settings of an installation: where its parts live, and how its workers, topics and limits behave.

They come from defaults, then HOME/installation.toml, then the environment: TAGTOWER_DATABASE_URL and
TAGTOWER_MEDIA_URL, which may hold secrets and are never written down, and TAGTOWER_SERVER_NAME for each setting of the
server. What is given on the command line comes before all of them.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, ValidationError

from tagtower.config.sections import MediaSettings, Positive, Section, Share
from tagtower.errors import ConfigError

FILE = "installation.toml"
DATABASE_VARIABLE, MEDIA_VARIABLE = "TAGTOWER_DATABASE_URL", "TAGTOWER_MEDIA_URL"
SERVER_VARIABLES = "TAGTOWER_SERVER_"
"""What the variables begin with that name settings of the server; lists are separated by commas."""

LogFormat: TypeAlias = Literal["json", "text"]


class PlaceSettings(Section):
    """Where things lie."""

    database_url: str | None = Field(
        None, description="`postgresql://...`; default a SQLite file in the installation's folder"
    )
    media_url: str | None = Field(
        None, description="`s3://bucket/prefix` or a folder; default a folder of the installation"
    )


class WorkerSettings(Section):
    """How unlabelled videos become labelled ones."""

    batch: Positive = Field(
        8,
        description="videos that a worker leases at a time; up to four times as many where they are soon done",
    )
    lease_seconds: Annotated[float, Field(gt=0)] = Field(
        120.0,
        description="a worker that does not renew its lease for this long has lost its videos (seconds)",
    )
    attempts: Positive = Field(5, description="failures after which a video is put on the failed shelf")
    backoff_seconds: Annotated[float, Field(ge=0)] = Field(
        30.0, description="wait before the second attempt; it doubles with each (seconds)"
    )
    backoff_ceiling_seconds: Annotated[float, Field(ge=0)] = Field(
        3600.0, description="the longest wait between attempts (seconds)"
    )
    idle_seconds: Annotated[float, Field(gt=0)] = Field(
        0.5, description="how often an idle worker looks for work (seconds)"
    )
    top_k: Positive = Field(20, description="suggestions kept of a video, at most")


class SuggestionSettings(Section):
    """Which stored videos a new tag is suggested on."""

    precision: Share = Field(
        0.5, description="retro-tagging suggests where this share is right, by the model's calibration"
    )
    max_distance: Annotated[float, Field(ge=0)] | None = Field(
        None, description="limit of retro-tagging for a model without calibration (distance)"
    )
    most_hits: Positive = Field(
        10_000, description="a new tag is suggested on at most so many stored videos, the nearest first"
    )


class TopicSettings(Section):
    """Hot topics from feeds."""

    half_life_hours: Annotated[float, Field(gt=0)] = Field(
        12.0, description="the heat of a tag halves in this time (hours)"
    )
    min_burst: Annotated[float, Field(ge=0)] = Field(
        3.0, description="how many standard deviations above its own past a phrase must be"
    )
    min_entries: Positive = Field(2, description="entries that must hold a phrase before it is a topic")
    most_new: Positive = Field(20, description="new tags that one poll of a feed may bring")
    near_tag: Annotated[float, Field(ge=0)] = Field(
        0.1, description="a phrase nearer than this to a tag is that tag (distance)"
    )
    max_bytes: Positive = Field(5 * 1024 * 1024, description="size of one feed (bytes)")
    deadline_seconds: Annotated[float, Field(gt=0)] = Field(
        20.0, description="time for fetching one feed (seconds)"
    )
    max_entries: Positive = Field(1000, description="entries read of one feed at a time")


class FetchingSettings(Section):
    """Videos that are handed in by their http or https address."""

    hosts: tuple[str, ...] = Field(
        (),
        description="hosts that videos may be fetched from; `*.example` is every host below, `*` every public one",
    )
    private_hosts: tuple[str, ...] = Field(
        (), description="hosts of this machine or of private networks that videos may be fetched from"
    )
    max_bytes: Positive = Field(4 * 1024**3, description="size of one video (bytes)")
    deadline_seconds: Annotated[float, Field(gt=0)] = Field(
        600.0, description="time for fetching one video (seconds)"
    )
    at_once: Positive = Field(2, description="videos that one server fetches at a time")


class ServingSettings(Section):
    """How the server may be reached, and what it takes."""

    host: str = Field(
        "127.0.0.1", description="address to listen on; for any but this machine's own make keys first"
    )
    port: Annotated[int, Field(ge=1, le=65535)] = Field(8765, description="port to listen on")
    secure: bool = Field(False, description="cookies only over TLS: behind a proxy that speaks it")
    public_hosts: tuple[str, ...] = Field(
        (), description="names by which it may be called; default this machine's own, and any elsewhere"
    )
    media_folders: tuple[str, ...] = Field(
        (), description="where media may lie that are handed in by URI; default none are"
    )
    worker: bool = Field(True, description="whether `tagtower serve` runs a worker beside the server")
    log_format: LogFormat = Field(
        "json", description="a line of JSON for each entry of the log, or plain text"
    )
    requests_per_second: Annotated[float, Field(gt=0)] = Field(
        50.0, description="requests of one key in the long run"
    )
    requests_burst: Positive = Field(200, description="requests of one key at once")
    max_upload_bytes: Positive = Field(64 * 1024**3, description="size of one file (bytes)")
    upload_hours: Annotated[float, Field(gt=0)] = Field(
        24.0, description="an upload that nothing was added to for this long is removed (hours)"
    )
    patience_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="how long a body may bring nothing, or be behind 1 KiB a second (seconds)"
    )


class InstallationSettings(Section):
    """All settings of an installation."""

    places: PlaceSettings = PlaceSettings()
    worker: WorkerSettings = WorkerSettings()
    suggestions: SuggestionSettings = SuggestionSettings()
    topics: TopicSettings = TopicSettings()
    fetching: FetchingSettings = FetchingSettings()
    media: MediaSettings = MediaSettings()
    server: ServingSettings = ServingSettings()


def load_installation_settings(
    home: Path, environment: Mapping[str, str] | None = None
) -> InstallationSettings:
    """Return the settings of the installation in the folder `home`.

    Raises:
        ConfigError: the file is no TOML, a key is unknown or a value malformed; it names them.
    """
    path = home / FILE
    environment = os.environ if environment is None else environment
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as fault:
        raise ConfigError(f"{path} cannot be read: {fault}.", hint="It is a TOML file of settings.") from None
    places = dict(tables.get("places", {})) if isinstance(tables.get("places", {}), dict) else {}
    for name, variable in (("database_url", DATABASE_VARIABLE), ("media_url", MEDIA_VARIABLE)):
        if environment.get(variable):
            places[name] = environment[variable]
    server = _from_variables(environment)
    if isinstance(tables.get("server", {}), dict):
        tables["server"] = {**tables.get("server", {}), **server}
    try:
        return InstallationSettings.model_validate({**tables, "places": places})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        given = first["loc"][1:2]
        source = f"{SERVER_VARIABLES}{given[0]}".upper() if given and given[0] in server else str(path)
        raise ConfigError(
            f"{source}: {where}: {first['msg']}.",
            hint="The keys are listed in docs/reference/installation.md.",
        ) from None


def _from_variables(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the server that the environment names; empty variables are as none."""
    found: dict[str, Any] = {}
    for name, field in ServingSettings.model_fields.items():
        text = environment.get(SERVER_VARIABLES + name.upper())
        if text:
            is_list = isinstance(field.default, tuple)
            found[name] = [part.strip() for part in text.split(",") if part.strip()] if is_list else text
    return found

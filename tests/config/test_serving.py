"""Where the settings of a server come from: command line, environment, file and defaults, in this order."""

from __future__ import annotations

import pytest

from tagtower.config.installation import FILE, ServingSettings, load_installation_settings
from tagtower.errors import ConfigError, UsageError
from tagtower.faces.cli.serve import Given
from tagtower.faces.http.settings import ServerSettings


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TAGTOWER_SERVER_PORT", "9002")
    monkeypatch.setenv("TAGTOWER_SERVER_PUBLIC_HOSTS", "Tags.example, ,other.example")
    monkeypatch.setenv("TAGTOWER_SERVER_WORKER", "")
    (tmp_path / FILE).write_text(
        '[server]\nport = 9001\nhost = "0.0.0.0"\nlog_format = "text"\nworker = false\nmedia_folders = ["/srv/a"]\n'
    )
    return tmp_path


def test_the_nearest_word_counts_for_each_setting_by_itself(home):
    found = Given(port=9003, secure=True).over(home)
    assert (found.port, found.secure) == (9003, True), "the command line"
    assert Given().over(home).port == 9002, "the environment"
    assert found.public_hosts == ("Tags.example", "other.example")
    assert (found.host, found.log_format, found.worker) == ("0.0.0.0", "text", False), "the file"
    assert found.max_upload_bytes == ServingSettings().max_upload_bytes, "the default"


def test_the_server_takes_what_was_found(home):
    taken = ServerSettings.of(Given(log_format="json").over(home))
    assert taken.hosts == ("tags.example", "other.example")
    assert (taken.port, taken.loopback) == (9002, False)
    assert [str(one) for one in taken.media_folders] == ["/srv/a"]


def test_what_the_command_line_says_is_handed_on_to_the_server_and_nothing_else(tmp_path):
    assert Given().arguments() == []
    given = Given("::1", 9, True, ["a", "b"], [tmp_path], "text")
    assert given.arguments() == [
        *("--host", "::1", "--port", "9", "--secure", "--public-host", "a", "--public-host", "b"),
        *("--media-folder", str(tmp_path), "--log-format", "text"),
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PORT", "0"), ("PORT", "http"), ("SECURE", "perhaps"), ("LOG_FORMAT", "xml"), ("REQUESTS_BURST", "0")],
)
def test_a_variable_that_cannot_be_is_named(tmp_path, variable, value):
    name = f"TAGTOWER_SERVER_{variable}"
    with pytest.raises(ConfigError, match=rf"{name}: server\.{variable.lower()}"):
        load_installation_settings(tmp_path, {name: value})


def test_a_key_of_the_file_that_cannot_be_is_named_with_the_file(tmp_path):
    (tmp_path / FILE).write_text("[server]\nprot = 1\n")
    with pytest.raises(ConfigError, match=rf"{FILE}: server\.prot"):
        load_installation_settings(tmp_path, {})
    (tmp_path / FILE).write_text("")
    with pytest.raises(UsageError, match="xml"):
        Given(log_format="xml").over(tmp_path)

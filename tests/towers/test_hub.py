from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest

from tagtower.errors import ConfigError, ModelError, OfflineError
from tagtower.towers.hub import pretrained_folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.usefixtures("offline")
def test_a_hub_name_without_a_network_says_which_folder_to_give() -> None:
    with pytest.raises(OfflineError) as error:
        pretrained_folder("microsoft/resnet-50", "image.encoder")
    assert "image.encoder = microsoft/resnet-50" in error.value.message
    assert "--set image.encoder=FOLDER" in error.value.hint


@pytest.mark.usefixtures("offline")
def test_a_folder_needs_no_network(bert_folder: Path) -> None:
    assert pretrained_folder(str(bert_folder), "text.encoder") == bert_folder


@pytest.mark.parametrize("name", ["/no/such/folder", "./here", "~/there", "a/b/c", "two words"])
def test_what_can_be_no_hub_name_is_a_missing_folder(name: str) -> None:
    with pytest.raises(ConfigError, match="there is no such folder"):
        pretrained_folder(name, "text.encoder")


def test_a_folder_without_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no config.json"):
        pretrained_folder(str(tmp_path), "text.encoder")


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="no weights in safetensors"):
        pretrained_folder(str(tmp_path), "text.encoder")

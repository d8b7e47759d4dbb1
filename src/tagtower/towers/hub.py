"""From the name of a pretrained model to a folder that holds it: a local folder as it is, or a hub download."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    GatedRepoError,
    HFValidationError,
    HTTPError,
    RepositoryNotFoundError,
)

from tagtower.errors import ConfigError, ModelError, OfflineError

WANTED_FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]


def pretrained_folder(name: str, setting: str) -> Path:
    """Return the folder of the pretrained model `name`, which the setting `setting` asks for.

    Nothing is downloaded where `name` is a folder, or the hub's cache already has it.

    Raises:
        ConfigError: there is neither such a folder nor such a hub model.
        OfflineError: it is a hub name and the hub cannot be reached.
        ModelError: the folder has no configuration, or its weights are not in safetensors.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        folder = _downloaded(name, setting)
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{setting} = {name}: the folder has no config.json.",
            hint="Give a folder as Hugging Face's save_pretrained writes it.",
        )
    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"{setting} = {name}: there are no weights in safetensors.",
            hint="Weights in pickle files are not read: convert them with save_pretrained first.",
        )
    return folder


def _downloaded(name: str, setting: str) -> Path:
    unknown = ConfigError(
        f"{setting} = {name}: there is no such folder, and no such model on the Hugging Face hub.",
        hint="Check the spelling; a hub name is written owner/model.",
    )
    if name.startswith(("/", ".", "~")) or name.count("/") > 1:
        raise unknown
    try:
        return Path(snapshot_download(name, allow_patterns=WANTED_FILES, ignore_patterns=["*/*"]))
    except GatedRepoError:
        raise ConfigError(
            f"{setting} = {name}: the hub gives this model only to those who accepted its terms.",
            hint="Accept them on the hub and log in, or name a folder that holds the model.",
        ) from None
    except (RepositoryNotFoundError, HFValidationError):
        raise unknown from None
    except (HTTPError, OSError):
        raise OfflineError(
            f"{setting} = {name}: this is a hub name, and the hub cannot be reached.",
            hint=f"Download {name} elsewhere and name its folder: --set {setting}=FOLDER. The folder holds "
            "config.json, model.safetensors, and the tokenizer or preprocessor files.",
        ) from None

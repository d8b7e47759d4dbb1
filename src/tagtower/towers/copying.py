"""Copying a model folder: only what belongs to it, whole or not at all, and checked after it was copied."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from tagtower.errors import ModelError
from tagtower.storage.atomic import atomic_folder
from tagtower.towers.folder import LoadedModel, load_model, model_files

BESIDE = ("config.json", "metrics.json", "README.md")
"""Files that a model's configuration does not list."""


def copy_model(source: Path, target: Path) -> LoadedModel:
    """Copy the model in `source` to `target`, which is replaced where it exists, and return it as loaded from there.

    Files that do not belong to a model are left behind.

    Raises:
        ModelError: there is no whole model.
        StorageError: the copy cannot be written.
    """
    names = [*model_files(source), *(name for name in BESIDE if (source / name).is_file())]
    with atomic_folder(target) as partial:
        for name in names:
            inner = PurePosixPath(name)
            if inner.is_absolute() or ".." in inner.parts:
                raise ModelError(f"{source}: its configuration names a file outside of it, {name!r}.")
            (partial / inner).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / inner, partial / inner)
    return load_model(target)

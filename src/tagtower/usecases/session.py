"""A model at work: the loaded towers with the decoder, the feature store and the tag vectors they share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from tagtower.config.sections import MediaSettings
from tagtower.errors import UsageError
from tagtower.features.store import FeatureStore
from tagtower.media.isolation import Decoder
from tagtower.pipeline.extract import FeatureExtractor, MediaPlaces
from tagtower.pipeline.vectors import TagVectors
from tagtower.ranking.folder import load_ranking
from tagtower.towers import LoadedModel, load_model
from tagtower.towers.folder import RANKING
from tagtower.usecases.ranking import TagOrders

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Session:
    """A loaded model and what it needs to read videos and tags."""

    model: LoadedModel
    decoder: Decoder
    extractor: FeatureExtractor
    tags: TagVectors
    orders: TagOrders


@contextmanager
def open_session(
    model: Path | LoadedModel,
    *,
    store: Path | None = None,
    bypass_store: bool = False,
    device: Device = "auto",
    threads: int | None = None,
    limits: MediaSettings | None = None,
    places: MediaPlaces | None = None,
) -> Iterator[Session]:
    """Open a model folder, or take a loaded model, with decoding processes that live as long as the context.

    Args:
        model: a model folder or what `load_model` gave.
        store: folder of the feature store; default the user's cache.
        bypass_store: keep features in a temporary store that is thrown away.
        device: where the towers run.
        threads: CPU threads of the towers, 0 for one per core; default what the model was trained with.
        limits: caps on media files in place of the model's own.
        places: where media lie that videos name; default files of this machine.
    Raises:
        ModelError: the folder holds no whole model.
        UsageError: a GPU was asked for and there is none.
    """
    with ExitStack() as stack:
        loaded = load_model(model) if isinstance(model, Path) else model
        loaded.tower.to(pick_device(device)).eval()
        settings = loaded.tower.settings
        set_threads(settings.train.threads if threads is None else threads)
        features = stack.enter_context(open_store(store, bypass=bypass_store))
        decoder = stack.enter_context(Decoder(limits or settings.media))
        tags = TagVectors(loaded.tower, loaded.vector_fingerprint, features)
        yield Session(
            loaded,
            decoder,
            FeatureExtractor(loaded.tower, settings, decoder, features, keep_frames=False, places=places),
            tags,
            TagOrders(loaded, load_ranking(loaded.folder / RANKING), tags),
        )


@contextmanager
def open_store(path: Path | None = None, *, bypass: bool = False) -> Iterator[FeatureStore]:
    """Open the feature store in the folder `path`, the user's own by default, or a temporary one."""
    if bypass:
        with FeatureStore.temporary() as store:
            yield store
        return
    store = FeatureStore(FeatureStore.default_path() if path is None else path / "features.sqlite")
    try:
        yield store
    finally:
        store.close()


def pick_device(wanted: Device) -> torch.device:
    """Return the device to run on.

    Raises:
        UsageError: a GPU was asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "A GPU was asked for, but PyTorch sees none.", hint="Use the device `auto` or `cpu`."
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def set_threads(wanted: int) -> int:
    """Set the number of CPU threads of the towers, 0 for one per core, and return it."""
    threads = wanted or len(
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    torch.set_num_threads(threads)
    return threads


def parse_device(name: str) -> Device:
    """Return a device's name as typed by a person.

    Raises:
        UsageError: it is none of them.
    """
    devices: tuple[Device, ...] = get_args(Device)
    for known in devices:
        if name == known:
            return known
    raise UsageError(f"There is no device {name!r}.", hint=f"Devices: {', '.join(devices)}.")

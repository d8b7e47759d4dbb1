"""Untrained models, an open decoder that counts, and an empty store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tagtower.features.store import FeatureStore
from tagtower.media.isolation import Decoder
from tagtower.media.records import DecodedMedia, DecodeRequest
from tagtower.towers import TwoTower, build_two_tower

TITLES = ["a walk in the park", "music at the sea"]
TAGS = ["red", "green", "low", "high"]


class CountingDecoder:
    """A decoder that remembers what it was asked for."""

    def __init__(self, inner: Decoder) -> None:
        self._inner = inner
        self.requests: list[tuple[str, DecodeRequest]] = []

    @property
    def workers(self) -> int:
        return self._inner.workers

    def decode(self, path: str, request: DecodeRequest) -> DecodedMedia:
        self.requests.append((path, request))
        return self._inner.decode(path, request)


@pytest.fixture(scope="session")
def open_decoder(job) -> Iterator[CountingDecoder]:
    with Decoder(job.settings().media) as inner:
        yield CountingDecoder(inner)


@pytest.fixture
def decoder(open_decoder) -> CountingDecoder:
    open_decoder.requests.clear()
    return open_decoder


@pytest.fixture(scope="session")
def towers(job) -> dict[str, TwoTower]:
    """Untrained models by what they read."""
    off = {"image": "image.encoder=none", "audio": "audio.frontend=none", "text": "text.encoder=none"}
    return {
        name: build_two_tower(
            job.settings(*(off[part] for part in off if part not in name)), TITLES, TAGS
        ).eval()
        for name in ("image audio text", "image", "audio", "text", "image audio", "audio text")
    }


@pytest.fixture
def store() -> Iterator[FeatureStore]:
    with FeatureStore.temporary() as opened:
        yield opened

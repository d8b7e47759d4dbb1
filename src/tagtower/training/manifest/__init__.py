"""Manifests: JSON Lines, CSV, Parquet, a folder of media or of yt-dlp downloads, all read into examples."""

from __future__ import annotations

from tagtower.training.manifest.folder import MEDIA_SUFFIXES
from tagtower.training.manifest.read import MANIFEST_SUFFIXES, Manifest, read_manifest
from tagtower.training.manifest.titles import TitleSource, title_from_name, title_reader

__all__ = [
    "MANIFEST_SUFFIXES",
    "MEDIA_SUFFIXES",
    "Manifest",
    "TitleSource",
    "read_manifest",
    "title_from_name",
    "title_reader",
]

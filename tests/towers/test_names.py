"""The image head starts from what the picture network can name."""

from __future__ import annotations

from pathlib import Path

import torch

from tagtower.towers.names import naming_weight, read_class_names


def test_directions_are_sent_near_their_names() -> None:
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(200, 16, generator=generator)
    turned = directions @ torch.linalg.qr(torch.randn(16, 16, generator=generator)).Q
    weight = naming_weight(directions, turned)
    sent = (directions - directions.mean(0)) @ weight.T
    near = torch.cosine_similarity(sent, turned - turned.mean(0))
    assert weight.shape == (16, 16)
    assert near.mean() > 0.95


def test_a_network_without_a_classifier_names_nothing(resnet_folder: Path) -> None:
    assert read_class_names(resnet_folder, 32) is None


def test_a_real_classifier_names_its_classes(bench_data: Path) -> None:
    found = read_class_names(bench_data / "models" / "resnet-18", 512)
    if found is not None:  # a folder may hold the backbone alone
        assert len(found.names) == len(found.directions)

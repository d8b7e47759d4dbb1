"""What a picture network can already name, as the start of the image head.

A network that was trained to classify has a direction for each of its classes, and its configuration says what they
are called. Read by the tag tower, the names lie in the space of the tags: so directions and names are pairs to start
a head from, before any video was seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForImageClassification

from tagtower.towers.backbones import quiet

SHRINKAGE = 0.5
"""The ridge of the fit, as a share of the directions' mean variance."""

UNNAMED = re.compile(r"LABEL_\d+")
"""How Hugging Face numbers classes that nobody named."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassNames:
    """The classes of a picture network: what each is called, and the direction of the feature that speaks for it."""

    names: tuple[str, ...]
    directions: Float[Tensor, "name dim"]


def read_class_names(folder: Path, width: int) -> ClassNames | None:
    """Return the named classes of the network in a Hugging Face folder, None where it has none.

    Of names that list synonyms, as ImageNet's do, the first is taken.

    Args:
        width: of the feature that the classes are told by.
    """
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    architectures: list[str] = getattr(config, "architectures", None) or []
    labels: dict[int, str] = getattr(config, "id2label", None) or {}
    if not any(name.endswith("ForImageClassification") for name in architectures):
        return None
    names = tuple(labels[number].split(",")[0].strip() for number in sorted(labels))
    if len(set(names)) < 2 or any(UNNAMED.fullmatch(name) for name in names):
        return None
    with quiet():
        model = AutoModelForImageClassification.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    for layer in reversed(list(model.modules())):
        if isinstance(layer, nn.Linear) and layer.weight.shape == (len(names), width):
            return ClassNames(names, layer.weight.detach())
    return None


def naming_weight(
    directions: Float[Tensor, "name dim"], names: Float[Tensor, "name shared"]
) -> Float[Tensor, "shared dim"]:
    """Return the linear map that takes each class's direction as near as may be to its name's vector.

    A ridge regression, both sides centred: what all names share would else drown what tells them apart. It keeps the
    scale of features, so that what was of root mean square one stays so on average.

    Source: Frome et al. 2013, "DeViSE: A Deep Visual-Semantic Embedding Model", section 3, for a linear map from a
    classifier's feature to vectors of label names; here fitted to the classifier itself, so that it takes no pictures.
    """
    centred, wanted = directions - directions.mean(0), names - names.mean(0)
    covariance = centred.T @ centred
    ridge = SHRINKAGE * covariance.diagonal().mean() * torch.eye(len(covariance))
    weight: Tensor = torch.linalg.solve(covariance + ridge, centred.T @ wanted).T
    scaled: Tensor = weight * (len(weight) ** 0.5 / weight.norm())
    return scaled

"""How deep below its output each parameter of a pretrained backbone lies, so that deeper ones may learn more slowly."""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import nn

_LAYER = re.compile(r"\.(?:layer|layers|stages|blocks|h)\.(\d+)\.")
"""How architectures number the outermost list of their layers: BERT and ViT `layer`, ResNet `stages`."""

_STEM = re.compile(r"embed|\bfeature_(?:extractor|projection)\.|\bconv[12]\.")
"""What lies below all layers: embeddings, and the convolutions that sound networks begin with."""


def layer_depths(backbone: nn.Module) -> Iterator[tuple[nn.Parameter, int]]:
    """Yield every parameter with its depth: 0 in the topmost layer and behind it, one more a layer further down.

    Embeddings and stems, below all layers, are the deepest.

    Source: Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification" (2018), section 3.2.
    """
    found = []
    for name, parameter in backbone.named_parameters():
        match = _LAYER.search(name)
        below = match is None and _STEM.search(name) is not None
        found.append((parameter, -1 if below else None if match is None else int(match[1])))
    top = max((layer for _, layer in found if layer is not None), default=-1)
    for parameter, layer in found:
        yield parameter, 0 if layer is None else top - layer

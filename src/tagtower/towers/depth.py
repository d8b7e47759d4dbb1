"""How deep below its output each parameter of a pretrained backbone lies, so that deeper ones may learn more slowly."""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import nn

_LAYER = re.compile(r"\.(?:layer|layers|stages|blocks|h)\.(\d+)\.")
"""How architectures number the outermost list of their layers: BERT and ViT `layer`, ResNet `stages`."""


def layer_depths(backbone: nn.Module) -> Iterator[tuple[nn.Parameter, int]]:
    """Yield every parameter with its depth: 0 in the topmost layer and behind it, one more a layer further down.

    Embeddings and stems, below all layers, are the deepest.

    Source: Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification" (2018), section 3.2.
    """
    found = []
    for name, parameter in backbone.named_parameters():
        match = _LAYER.search(name)
        below = match is None and "embed" in name
        found.append((parameter, -1 if below else None if match is None else int(match[1])))
    top = max((layer for _, layer in found if layer is not None), default=-1)
    for parameter, layer in found:
        yield parameter, 0 if layer is None else top - layer

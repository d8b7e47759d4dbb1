"""The identity of a frozen backbone: a hash of its architecture and its weights."""

from __future__ import annotations

import hashlib
import json

import torch
from transformers import PreTrainedModel

PROVENANCE = {"_name_or_path", "transformers_version", "architectures", "dtype"}
"""Entries of a configuration that say where it came from, not what it computes."""


def backbone_hash(model: PreTrainedModel) -> str:
    """Return a hash of the configuration and of the names, shapes and values of all weights and buffers."""
    config = {key: value for key, value in model.config.to_dict().items() if key not in PROVENANCE}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()

"""Presets: named starting points, each a few settings over the defaults."""

from __future__ import annotations

from typing import Any

from tagtower.errors import ConfigError

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "tiny": {
        "image": {
            "encoder": "resnet",
            "depths": (1, 1, 1),
            "widths": (32, 64, 128),
            "resize": 64,
            "crop": 64,
            "join": "attention",
        },
        "audio": {"network": "cnn"},
        "text": {"encoder": "bert", "layers": 2, "width": 128, "vocabulary": 2000, "max_tokens": 32},
        "tag": {"encoder": "bert", "max_tokens": 16},
        "fusion": {"width": 128},
        "loss": {"name": "softmax", "temperature": 0.1},
        "train": {"batch_size": 16, "epochs": 40, "learning_rate": 1e-3, "patience": 10},
    },
    "base": {
        "image": {"encoder": "microsoft/resnet-50"},
        "text": {"encoder": "sentence-transformers/all-MiniLM-L6-v2"},
        "loss": {"name": "softmax"},
        "train": {"backbones": "frozen", "start": "fitted", "learning_rate": 1e-4},
    },
    "titles": {
        "image": {"encoder": "none"},
        "audio": {"frontend": "none"},
        "text": {"encoder": "sentence-transformers/all-MiniLM-L6-v2", "dropout": 0.0},
        "tag": {"encoder": "sentence-transformers/all-MiniLM-L6-v2", "memory": True, "hidden": 512},
        "fusion": {"hidden": 512},
        "loss": {"name": "softmax", "temperature": 0.04},
        "negatives": {"scope": "used"},
        "train": {
            "backbones": "finetune",
            "finetune": ("text",),
            "finetune_embeddings": False,
            "learning_rate": 2e-3,
            "backbone_learning_rate": 7e-5,
            "memory_learning_rate": 3e-3,
            "interpolate": 0.85,
            "batch_size": 128,
            "epochs": 8,
            "patience": 4,
        },
    },
    "finetune": {
        "image": {"encoder": "microsoft/resnet-50"},
        "text": {"encoder": "sentence-transformers/all-MiniLM-L6-v2"},
        "loss": {"name": "softmax"},
        "train": {"backbones": "finetune", "start": "fitted", "learning_rate": 1e-4, "batch_size": 32},
        "ranking": {"kind": "tower"},
    },
}

ABOUT: dict[str, str] = {
    "tiny": "everything from scratch and small: minutes on a laptop CPU, nothing is downloaded",
    "base": "pretrained ResNet-50 and MiniLM, frozen, their features stored once; a folder works in place of a "
    "hub name (--set image.encoder=FOLDER --set text.encoder=FOLDER)",
    "titles": "what is written alone: MiniLM trained end to end on the titles, its twin on the tags left as it is, and "
    "a learned vector for each known tag; a processor will do. A folder takes the place of both hub names "
    "(--set text.encoder=FOLDER --set tag.encoder=FOLDER)",
    "finetune": "the backbones of `base`, trained end to end; wants a GPU. Without a ranker, which would train them "
    "twice more",
}


def preset(name: str) -> dict[str, dict[str, Any]]:
    """The settings that preset `name` changes, by section.

    Raises:
        ConfigError: there is no such preset.
    """
    if name not in PRESETS:
        raise ConfigError(f"There is no preset {name!r}.", hint=f"Presets: {', '.join(PRESETS)}.")
    return PRESETS[name]

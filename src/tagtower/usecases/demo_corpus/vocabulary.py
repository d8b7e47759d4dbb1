"""The tags of the demo: which modality decides each, and which are kept out of training."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tagtower.records import Modality
from tagtower.usecases.demo_corpus.pictures import COLOURS, MOTIONS
from tagtower.usecases.demo_corpus.shapes import SHAPES
from tagtower.usecases.demo_corpus.sounds import BEATS, VOICES
from tagtower.usecases.demo_corpus.titles import TOPICS

# In the table of colours by shapes, two diagonals are held out: training still shows each colour with four
# shapes and each shape with at least four colours, so that neither stands for the other.
_HELD_OUT_DIAGONALS = (0, 5)

COMPOSITIONS: tuple[tuple[str, str], ...] = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)
"""Every pair of a colour and a shape; its tag is `compose(colour, shape)`."""


def compose(colour: str, shape: str) -> str:
    """The tag of a colour and a shape together, such as "blue triangle"."""
    return f"{colour} {shape}"


HELD_OUT: tuple[str, ...] = tuple(
    compose(colour, shape)
    for i, colour in enumerate(COLOURS)
    for j, shape in enumerate(SHAPES)
    if (j - i) % len(SHAPES) in _HELD_OUT_DIAGONALS
)
"""Compositions that no training or validation clip shows, though it shows their colour and their shape."""

NEW_TAG = "purple star"
"""The held-out composition that the demo adds to the library after training."""

_DECIDED_BY: dict[Modality, tuple[str, ...]] = {
    "image": (*COLOURS, *SHAPES, *(compose(*pair) for pair in COMPOSITIONS), *MOTIONS),
    "audio": (*VOICES, *BEATS),
    "text": tuple(TOPICS),
}

MODALITY_OF: Mapping[str, Modality] = MappingProxyType(
    {tag: modality for modality, tags in _DECIDED_BY.items() for tag in tags}
)
"""The one modality from which each tag can be told."""

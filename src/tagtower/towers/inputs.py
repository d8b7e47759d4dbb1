"""What goes into the towers: one video's features, and batches of videos and of texts, padded and masked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from torch import Tensor

from tagtower.errors import InputError
from tagtower.records import MODALITIES, TEXT_FIELDS, Modality, TextField

TextFeature: TypeAlias = (
    Float32[np.ndarray, "text_dim"] | Float32[np.ndarray, "_window text_dim"] | Int64[np.ndarray, "_token"]
)
"""A text before the trained part of the model: a vector, one a window, or token ids."""

FIELD_NAMES: dict[TextField, str] = {"title": "text", "description": "description", "subtitles": "subtitles"}
"""What the features of a field are called: `text` is the title."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoFeatures:
    """One video before the trained part of the model; None where the modality is missing.

    `image` holds vectors where the backbone is frozen, else the frames themselves; `text`, the title, likewise holds
    a vector or token ids. `description` and `subtitles` belong to the modality text as well.
    """

    image: Float32[np.ndarray, "frame image_dim"] | UInt8[np.ndarray, "frame height width 3"] | None = None
    audio: Float32[np.ndarray, "step coefficient"] | None = None
    text: TextFeature | None = None
    description: TextFeature | None = None
    subtitles: TextFeature | None = None

    def has(self, modality: Modality) -> bool:
        """Whether there is anything of `modality`; an array without entries counts as missing."""
        if modality == "text":
            return any(self.has_field(field) for field in TEXT_FIELDS)
        return _is_there(getattr(self, modality))

    def has_field(self, field: TextField) -> bool:
        """Whether there is anything of a field of the text."""
        return _is_there(getattr(self, FIELD_NAMES[field]))

    def only(self, modalities: Collection[Modality]) -> VideoFeatures:
        """Return the features without those of other modalities."""
        words = dict.fromkeys(FIELD_NAMES.values()) if "text" not in modalities else {}
        media = {name: None for name in ("image", "audio") if name not in modalities}
        return replace(self, **media, **words)

    @property
    def present(self) -> tuple[Modality, ...]:
        """The modalities there are, in canonical order."""
        return tuple(modality for modality in MODALITIES if self.has(modality))


def _is_there(values: np.ndarray | None) -> bool:
    return values is not None and values.size > 0


Batch = TypeVar("Batch", "VideoBatch", "TextBatch")


@dataclass(frozen=True, slots=True, eq=False)
class VideoBatch:
    """Videos side by side. A tensor is None where no video of the batch has the modality.

    Padding is zero and masked out: `*_mask` is true on what is real. `present` has one column a modality of the
    model, in its order. `text` is the title; `fields` has one column each of `TEXT_FIELDS`.
    """

    image: Float[Tensor, "batch frame image_dim"] | UInt8[Tensor, "batch frame height width 3"] | None
    image_mask: Bool[Tensor, "batch frame"] | None
    audio: Float[Tensor, "batch step coefficient"] | None
    audio_mask: Bool[Tensor, "batch step"] | None
    text: (
        Float[Tensor, "batch text_dim"]
        | Float[Tensor, "batch window text_dim"]
        | Int64[Tensor, "batch token"]
        | None
    )
    text_mask: Bool[Tensor, "batch token"] | None
    present: Bool[Tensor, "batch modality"]
    description: TextBatch | None = None
    subtitles: TextBatch | None = None
    fields: Bool[Tensor, "batch field"] | None = None

    def __len__(self) -> int:
        return len(self.present)

    def field(self, name: TextField) -> TextBatch | None:
        """Return a field of the text for all videos, None where no video of the batch has it."""
        if name == "description":
            return self.description
        if name == "subtitles":
            return self.subtitles
        return None if self.text is None else TextBatch(self.text, self.text_mask)

    def to(self, device: torch.device | str) -> VideoBatch:
        """Return the batch on `device`."""
        return _moved(self, device)


@dataclass(frozen=True, slots=True, eq=False)
class TextBatch:
    """Texts side by side: vectors of a frozen backbone (no mask), one a window or token ids (with their mask).

    Of tags, each may have several `wordings` in a row, whose vectors are averaged; `known` says which row of the tag
    memory each tag has.
    """

    values: Float[Tensor, "text dim"] | Float[Tensor, "text window dim"] | Int64[Tensor, "text token"]
    mask: Bool[Tensor, "text token"] | None
    known: Int64[Tensor, "tag"] | None = None
    wordings: int = 1

    def __len__(self) -> int:
        return len(self.values) // self.wordings

    def to(self, device: torch.device | str) -> TextBatch:
        """Return the batch on `device`."""
        return _moved(self, device)


def collate_videos(videos: Sequence[VideoFeatures], modalities: Sequence[Modality]) -> VideoBatch:
    """Return `videos` as one batch for a model that reads `modalities`; what it does not read is left out.

    Raises:
        InputError: there is no video, or one has none of `modalities`.
    """
    if not videos:
        raise InputError("There is no video to encode.")
    present = torch.tensor([[video.has(modality) for modality in modalities] for video in videos])
    if not present.any(dim=1).all():
        row = int((~present.any(dim=1)).nonzero()[0, 0])
        raise InputError(
            f"Video {row} of the batch has none of what the model reads ({', '.join(modalities)}).",
            hint="Leave it out, or give it a title.",
        )
    image, image_mask = _padded([video.image for video in videos], "image" in modalities)
    audio, audio_mask = _padded([video.audio for video in videos], "audio" in modalities)
    text, text_mask = _texts([video.text for video in videos], "text" in modalities)
    more = {name: _field([getattr(video, name) for video in videos]) for name in ("description", "subtitles")}
    fields = torch.tensor([[video.has_field(field) for field in TEXT_FIELDS] for video in videos])
    return VideoBatch(image, image_mask, audio, audio_mask, text, text_mask, present, **more, fields=fields)


def collate_texts(
    texts: Sequence[np.ndarray], known: Int64[Tensor, "tag"] | None = None, wordings: int = 1
) -> TextBatch:
    """Return texts, each a feature vector or token ids as the tower made them, as one batch.

    Args:
        texts: at least one.
        known: the row of each tag in the tag memory, where the model has one.
        wordings: so many texts in a row are one tag.

    Raises:
        InputError: there is no text.
    """
    values, mask = _texts(texts, wanted=True)
    if values is None:
        raise InputError("There is no text to encode.")
    return TextBatch(values, mask, known, wordings)


def _field(texts: Sequence[np.ndarray | None]) -> TextBatch | None:
    values, mask = _texts(texts, wanted=True)
    return None if values is None else TextBatch(values, mask)


def _texts(texts: Sequence[np.ndarray | None], wanted: bool) -> tuple[Tensor | None, Tensor | None]:
    """Token ids and windows are padded; vectors of whole texts have one width and need no mask."""
    values, mask = _padded(texts, wanted)
    whole = values is not None and values.is_floating_point() and values.ndim == 2
    return values, None if whole else mask


def _padded(arrays: Sequence[np.ndarray | None], wanted: bool) -> tuple[Tensor | None, Tensor | None]:
    """Arrays stacked along a new first axis and padded with zeros along their own first; missing rows are zero."""
    real = [array for array in arrays if array is not None and array.size]
    if not wanted or not real:
        return None, None
    longest = max(len(array) for array in real)
    values = np.zeros((len(arrays), longest, *real[0].shape[1:]), real[0].dtype)
    mask = np.zeros((len(arrays), longest), bool)
    for row, array in enumerate(arrays):
        if array is not None and array.size:
            values[row, : len(array)] = array
            mask[row, : len(array)] = True
    return torch.from_numpy(values), torch.from_numpy(mask)


def _moved(batch: Batch, device: torch.device | str) -> Batch:
    moved: dict[str, Any] = {}
    for field in fields(batch):
        value = getattr(batch, field.name)
        moved[field.name] = value if value is None or isinstance(value, int) else value.to(device)
    return replace(batch, **moved)

"""The model: a video tower and a tag tower that meet in one space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from torch import Tensor, nn

from tagtower.config import Settings, TrainSettings
from tagtower.records import Modality
from tagtower.storage.hashing import hash_json
from tagtower.towers.audio import AudioEncoder
from tagtower.towers.codes import binary, relaxed
from tagtower.towers.fusion import build_fusion
from tagtower.towers.heads import ProjectionHead, unit
from tagtower.towers.image import ImageEncoder
from tagtower.towers.inputs import TextBatch, VideoBatch
from tagtower.towers.text import TextEncoder


@dataclass(frozen=True, slots=True, eq=False)
class VideoEncoding:
    """What the video tower says: the fused vector, and what each expert says under which weight.

    Under `cosine` the vectors have length one; under `hamming` their components are -1 or 1, and in training
    between the two. Absent experts are zero and have weight zero; weights sum to one.
    """

    vectors: Float[Tensor, "batch dim"]
    experts: Float[Tensor, "batch modality dim"]
    weights: Float[Tensor, "batch modality"]
    present: Bool[Tensor, "batch modality"]


class TwoTower(nn.Module):
    """Encodes videos and tags into one space, where a tag that fits a video lies near it.

    `encoders` holds one encoder for each modality that the model reads; the tag encoder may share its backbone
    with the title's. `build_two_tower` and `load_model` make the parts.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        image: ImageEncoder | None,
        audio: AudioEncoder | None,
        text: TextEncoder | None,
        tag: TextEncoder,
    ) -> None:
        super().__init__()
        self.settings = settings
        encoders: dict[Modality, ImageEncoder | AudioEncoder | TextEncoder | None]
        encoders = {"image": image, "audio": audio, "text": text}
        found = {modality: encoder for modality, encoder in encoders.items() if encoder is not None}
        self.modalities: tuple[Modality, ...] = tuple(found)
        self.width: int = settings.fusion.width or tag.width
        self.image, self.audio, self.text, self.tag = image, audio, text, tag
        dropout = {
            "image": settings.image.dropout,
            "audio": settings.audio.dropout,
            "text": settings.text.dropout,
        }
        self.heads = nn.ModuleDict(
            {
                modality: ProjectionHead(encoder.width, self.width, settings.fusion.hidden, dropout[modality])
                for modality, encoder in found.items()
            }
        )
        self.tag_head = ProjectionHead(tag.width, self.width, settings.tag.hidden)
        self.fusion = build_fusion(settings.fusion, len(found), self.width)

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.tag_head.linear.weight.device

    @property
    def image_is_frozen(self) -> bool:
        """Whether `frame_features` gives vectors (worth keeping) and not the frames themselves."""
        return self.image is not None and self.image.frozen

    @property
    def text_is_frozen(self) -> bool:
        """Whether `title_features` gives vectors (worth keeping) and not token ids."""
        return self.text is not None and self.text.frozen

    @property
    def tag_is_frozen(self) -> bool:
        """Whether `tag_features` gives vectors (worth keeping) and not token ids."""
        return self.tag.frozen

    def encode_videos(self, batch: VideoBatch) -> VideoEncoding:
        """Return the vectors of a batch that `collate_videos` made for this model's `modalities`."""
        shape = (len(batch), len(self.modalities), self.width)
        experts = torch.zeros(shape, device=batch.present.device)
        for column, modality in enumerate(self.modalities):
            rows = batch.present[:, column]
            if getattr(batch, modality) is None:
                continue
            feature = self.joined(batch, modality)
            experts[rows, column] = self._scaled(self.heads[modality](feature)).float()
        fused, weights = self.fusion(experts, batch.present)
        placed = self._placed(experts).masked_fill(~batch.present[:, :, None], 0.0)
        return VideoEncoding(self._placed(fused), placed, weights, batch.present)

    def joined(self, batch: VideoBatch, modality: Modality) -> Float[Tensor, "some feature"]:
        """Return what the head of `modality` is given: one feature for each video that has the modality."""
        rows = batch.present[:, self.modalities.index(modality)]
        values, mask = getattr(batch, modality), getattr(batch, f"{modality}_mask")
        return getattr(self, modality)(values[rows], None if mask is None else mask[rows])  # type: ignore[no-any-return]

    def encode_tags(self, batch: TextBatch) -> Float[Tensor, "tag dim"]:
        """Return the vectors of tags that `tag_features` and `collate_texts` made ready."""
        return self._placed(self.tag_head(self.tag(batch.values, batch.mask))).float()

    def frame_features(
        self, frames: UInt8[np.ndarray, "frame height width 3"]
    ) -> Float32[np.ndarray, "frame dim"] | UInt8[np.ndarray, "frame height width 3"]:
        """Return a vector a frame where the image backbone is frozen, else the frames unchanged."""
        assert self.image is not None, "this model reads no pictures"
        return self.image.features(frames)

    def sound_features(
        self, waveform: Float32[np.ndarray, "samples"]
    ) -> Float32[np.ndarray, "step coefficient"]:
        """Return the spectrum of a mono waveform at `audio.sample_rate`, in [-1, 1]."""
        assert self.audio is not None, "this model reads no sound"
        return self.audio.features(waveform)

    def title_features(
        self, texts: Sequence[str]
    ) -> list[Float32[np.ndarray, "dim"]] | list[Int64[np.ndarray, "token"]]:
        """Return for each title a vector where the text backbone is frozen, else token ids."""
        assert self.text is not None, "this model reads no titles"
        return self.text.features(texts)

    def tag_features(
        self, texts: Sequence[str]
    ) -> list[Float32[np.ndarray, "dim"]] | list[Int64[np.ndarray, "token"]]:
        """Return for each tag a vector where the tag backbone is frozen, else token ids."""
        return self.tag.features(texts)

    def spec(self, part: Modality | Literal["tag"]) -> str:
        """Return a hash of all that a feature of `part` depends on before the trained weights.

        Two models with one spec may share stored features: it covers sampling, resizing, framing, tokenizer and
        frozen weights.
        """
        encoder = getattr(self, part)
        assert encoder is not None, f"this model has no {part}"
        return hash_json({"part": part, **encoder.spec()})

    def parameter_groups(self, train: TrainSettings) -> list[dict[str, Any]]:
        """Return AdamW's groups: pretrained backbones at their own rate; no decay on norms and biases."""
        pretrained = {
            id(parameter)
            for encoder in (self.image, self.text, self.tag)
            if encoder is not None and encoder.pretrained
            for parameter in encoder.backbone.parameters()
        }
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for parameter in self.parameters():
            if parameter.requires_grad:
                groups.setdefault((id(parameter) in pretrained, parameter.ndim > 1), []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": train.backbone_learning_rate if is_backbone else train.learning_rate,
                "weight_decay": train.weight_decay if decays else 0.0,
            }
            for (is_backbone, decays), parameters in groups.items()
        ]

    def _scaled(self, vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """What is fused: at length one where only directions count."""
        return vectors if self.settings.distance.kind == "euclidean" else unit(vectors)

    def _placed(self, vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """What distances are taken of."""
        if self.settings.distance.kind != "hamming":
            return self._scaled(vectors)
        return relaxed(vectors, self.settings.distance.sharpness) if self.training else binary(vectors)

"""The model: a video tower and a tag tower that meet in one space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor, nn

from tagtower.config import Settings, TrainSettings
from tagtower.records import TEXT_FIELDS, Modality, TextField
from tagtower.storage.hashing import hash_json
from tagtower.towers.audio import AudioEncoder, SoundEncoder
from tagtower.towers.codes import binary, relaxed
from tagtower.towers.depth import layer_depths
from tagtower.towers.fusion import build_fusion
from tagtower.towers.fusion.hiding import hide_modalities
from tagtower.towers.heads import ProjectionHead, unit
from tagtower.towers.image import ImageEncoder
from tagtower.towers.inputs import TextBatch, TextFeature, VideoBatch
from tagtower.towers.memory import TagMemory
from tagtower.towers.text import TextEncoder
from tagtower.towers.text.fields import FieldMixture


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
        audio: SoundEncoder | None,
        text: TextEncoder | None,
        tag: TextEncoder,
    ) -> None:
        super().__init__()
        self.settings = settings
        encoders: dict[Modality, ImageEncoder | SoundEncoder | TextEncoder | None]
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

        names = settings.text.fields
        self.mixture: FieldMixture | None = None
        if text is not None and len(names) > 1:
            self.mixture = FieldMixture(len(names), text.width)
        self.memory = TagMemory(self.width, settings.tag.memory_dropout) if settings.tag.memory else None

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return self.tag_head.linear.weight.device

    @property
    def image_is_frozen(self) -> bool:
        """Whether `frame_features` gives vectors (worth keeping) and not the frames themselves."""
        return self.image is not None and self.image.frozen

    @property
    def sound_is_raw(self) -> bool:
        """Whether `sound_features` gives the waveform itself (large), and not vectors or spectra."""
        return self.audio is not None and self.audio.pretrained and not self.audio.frozen

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
            if not bool(rows.any()):
                continue
            feature = self.joined(batch, modality)
            experts[rows, column] = self._scaled(self.heads[modality](feature)).float()
        fused, weights = self.fusion(experts, batch.present)
        placed = self._placed(experts).masked_fill(~batch.present[:, :, None], 0.0)
        return VideoEncoding(self._placed(fused), placed, weights, batch.present)

    def fuse(
        self, experts: Float[Tensor, "batch modality dim"], present: Bool[Tensor, "batch modality"]
    ) -> Float[Tensor, "batch dim"]:
        """Return the fused vectors of experts that `encode_videos` gave, as if only `present` modalities were there."""
        fused, _ = self.fusion(experts, present)
        return self._placed(fused)

    def joined(self, batch: VideoBatch, modality: Modality) -> Float[Tensor, "some feature"]:
        """Return what the head of `modality` is given: one feature for each video that has the modality."""
        rows = batch.present[:, self.modalities.index(modality)]
        if modality == "text" and self.settings.text.fields != ("title",):
            return self._read_fields(batch, rows)
        values, mask = getattr(batch, modality), getattr(batch, f"{modality}_mask")
        return getattr(self, modality)(values[rows], None if mask is None else mask[rows])  # type: ignore[no-any-return]

    def _read_fields(self, batch: VideoBatch, rows: Bool[Tensor, "batch"]) -> Float[Tensor, "some dim"]:
        """Return the text feature of the videos in `rows`, each of which has a field that the model reads.

        In training some fields are hidden at random; one always stays.
        """
        assert self.text is not None, "this model reads no words"
        assert batch.fields is not None, "collate_videos says which fields there are"
        names = self.settings.text.fields
        present = batch.fields[rows][:, [TEXT_FIELDS.index(name) for name in names]]
        if self.training and self.settings.text.field_dropout > 0:
            present = hide_modalities(present, self.settings.text.field_dropout)
        features = torch.zeros((*present.shape, self.text.width), device=present.device)
        for column, name in enumerate(names):
            part = batch.field(name)
            chosen = rows.nonzero()[:, 0][present[:, column]]
            if part is not None and len(chosen):
                mask = None if part.mask is None else part.mask[chosen]
                features[present[:, column], column] = self.text(part.values[chosen], mask).float()
        if self.mixture is None:
            return features[:, 0]
        return self.mixture(features, present)  # type: ignore[no-any-return]

    def encode_frames(
        self, frames: Float[Tensor, "frame image_dim"] | UInt8[Tensor, "frame height width 3"]
    ) -> Float[Tensor, "frame dim"]:
        """Return the image expert's vector of each single frame of one video, from what `frame_features` gave."""
        assert self.image is not None, "this model reads no pictures"
        return self._placed(self.heads["image"](self.image.each(frames))).float()

    def encode_tags(self, batch: TextBatch) -> Float[Tensor, "tag dim"]:
        """Return the vectors of tags that `tag_features` and `collate_texts` made ready."""
        words = self._scaled(self.tag_head(self.tag(batch.values, batch.mask))).float()
        if batch.wordings > 1:
            words = self._scaled(words.view(len(batch), batch.wordings, -1).mean(1))
        if self.memory is not None and batch.known is not None:
            words = self._scaled(self.memory(words, batch.known))
        return self._placed(words)

    def frame_features(
        self, frames: UInt8[np.ndarray, "frame height width 3"]
    ) -> Float32[np.ndarray, "frame dim"] | UInt8[np.ndarray, "frame height width 3"]:
        """Return a vector a frame where the image backbone is frozen, else the frames unchanged."""
        assert self.image is not None, "this model reads no pictures"
        return self.image.features(frames)

    def sound_features(
        self, waveform: Float32[np.ndarray, "samples"]
    ) -> Float32[np.ndarray, "step coefficient"]:
        """Return what is kept of a mono waveform at `audio.sample_rate`, in [-1, 1].

        Spectra; vectors of a frozen backbone; or the waveform in blocks where the backbone is trained.
        """
        assert self.audio is not None, "this model reads no sound"
        return self.audio.features(waveform)

    def title_features(self, texts: Sequence[str]) -> list[TextFeature]:
        """Return for each title a vector, or one a window, where the text backbone is frozen, else token ids."""
        return self.field_features("title", texts)

    def field_features(self, field: TextField, texts: Sequence[str]) -> list[TextFeature]:
        """Return for each text of a field what `title_features` does; the others are cut to `text.long_tokens`."""
        assert self.text is not None, "this model reads no words"
        return self.text.features(texts, self._tokens_of(field))

    def tag_wordings(self, text: str) -> list[str]:
        """Return the texts whose vectors are averaged for a tag: it in every template, or the tag as it is.

        Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021),
            section 3.1.4.
        """
        return [template.replace("{}", text) for template in self.settings.tag.templates] or [text]

    def tag_features(self, texts: Sequence[str]) -> list[TextFeature]:
        """Return for each tag a vector, or one a window, where the tag backbone is frozen, else token ids."""
        return self.tag.features(texts)

    def spec(self, part: Modality | Literal["tag"]) -> str:
        """Return a hash of all that a feature of `part` depends on before the trained weights.

        Two models with one spec may share stored features: it covers sampling, resizing, framing, tokenizer and
        frozen weights.
        """
        encoder = getattr(self, part)
        assert encoder is not None, f"this model has no {part}"
        return hash_json({"part": part, **encoder.spec()})

    def field_spec(self, field: TextField) -> str:
        """Return what `spec` does of the text, for one of its fields; for the title the two are one."""
        assert self.text is not None, "this model reads no words"
        return hash_json({"part": "text", **self.text.spec(self._tokens_of(field))})

    def _tokens_of(self, field: TextField) -> int:
        return self.settings.text.max_tokens if field == "title" else self.settings.text.long_tokens

    def parameter_groups(self, train: TrainSettings) -> list[dict[str, Any]]:
        """Return AdamW's groups: pretrained backbones, by layer, and the tag memory at their own rates; no
        decay on norms and biases."""
        backbone = {
            id(parameter): train.backbone_learning_rate * train.layer_decay**depth
            for encoder in (self.image, self.audio, self.text, self.tag)
            if encoder is not None and not isinstance(encoder, AudioEncoder) and encoder.pretrained
            for parameter, depth in layer_depths(encoder.backbone)
        }
        remembered = None if self.memory is None else id(self.memory.vectors)
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for parameter in self.parameters():
            if not parameter.requires_grad:
                continue
            if id(parameter) == remembered:
                rates = train.memory_learning_rate, train.memory_weight_decay
            else:
                rate = backbone.get(id(parameter), train.learning_rate)
                rates = rate, train.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault(rates, []).append(parameter)
        return [
            {"params": parameters, "lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ]

    def _scaled(self, vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """What is fused: at length one where only directions count."""
        return vectors if self.settings.distance.kind == "euclidean" else unit(vectors)

    def _placed(self, vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """What distances are taken of."""
        if self.settings.distance.kind != "hamming":
            return self._scaled(vectors)
        return relaxed(vectors, self.settings.distance.sharpness) if self.training else binary(vectors)

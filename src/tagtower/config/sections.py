"""Every setting: its name, type, range, unit, default and meaning, one class for each table of the TOML file.

The settings of all parts stand here, in the lowest layer, because every part reads its own section and none
may import another's.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tagtower.records import TextField

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Section(BaseModel):
    """A table of settings: immutable, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


DESCRIPTOR_NAMES = ("color", "shape", "texture")


def _listed(value: object) -> object:
    """A list as one text, its names in canonical order if all are descriptors: one choice has one spelling."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return value
    stripped = [name.strip() for name in names]
    if set(stripped) <= set(DESCRIPTOR_NAMES):
        return ",".join(name for name in DESCRIPTOR_NAMES if name in stripped)
    return value if isinstance(value, str) else ",".join(stripped)


class ImageSettings(Section):
    """Pictures: which frames are taken, what looks at them, and how the frames are joined."""

    encoder: Annotated[str, BeforeValidator(_listed)] = Field(
        "resnet",
        description="`resnet` (from scratch), `none`, a folder of a Hugging Face vision model, a hub name, or a list "
        "out of `color`, `shape`, `texture` (descriptors without weights)",
    )
    depths: tuple[Positive, ...] = Field(
        (2, 2, 2, 2), description="residual blocks per stage of a ResNet from scratch"
    )
    widths: tuple[Positive, ...] = Field(
        (64, 128, 256, 512), description="channels per stage of a ResNet from scratch"
    )
    frames: Positive = Field(8, description="segments (frames) per part of a video under `sparse`, O")
    sampling: Literal["sparse", "dense", "all"] = Field(
        "sparse",
        description="`sparse`: equal segments, a random frame of each in training, its centre later; `dense`: every "
        "k-th frame, from a random one on in training; `all`: each frame",
    )
    part_seconds: float = Field(
        300.0, gt=0, description="a video longer than this is cut into parts first (seconds)"
    )
    max_parts: Positive = Field(
        4, description="at most this many parts, P; frames per video <= frames * max_parts"
    )
    every: Positive = Field(25, description="`dense` takes one frame of so many, k (frames)")
    max_frames: Annotated[int, Field(ge=1, le=1024)] = Field(
        64,
        description="`dense` and `all` take at most so many frames of a video; of a longer one evenly fewer (frames)",
    )
    exactness: Literal["exact", "keyframe"] = Field(
        "exact",
        description="`exact` decodes the frame asked for; `keyframe` takes the keyframe before it: about 17 "
        "times cheaper, off by up to one group of pictures (seconds)",
    )
    resize: Annotated[int, Field(ge=8, le=2048)] = Field(
        256, description="the short side of a frame is scaled to this (pixels)"
    )
    crop: Annotated[int, Field(ge=8, le=2048)] = Field(
        224, description="side of the centre square that is kept (pixels); at most `resize`"
    )
    join: Literal["mean", "max", "attention", "concat", "gru", "lstm"] = Field(
        "mean",
        description="how the vectors of the frames become one, in time order; only `mean` and `max` are blind to it",
    )
    temporal: Literal["none", "tsm"] = Field(
        "none",
        description="time inside the backbone: `none`, or `tsm`, the temporal shift inside the blocks of a ResNet",
    )
    cache_draws: Annotated[int, Field(ge=0, le=64)] = Field(
        4,
        description="random draws per segment kept in the feature store for training; 0 trains on the centre "
        "frames alone",
    )
    dropout: Share = Field(0.1, description="dropout on the joined feature while training")

    @property
    def descriptors(self) -> tuple[str, ...]:
        """The descriptors that look at frames in place of a network; empty where a network does."""
        names = tuple(self.encoder.split(","))
        return names if set(names) <= set(DESCRIPTOR_NAMES) else ()

    @property
    def most_frames(self) -> int:
        """No video gives more frames than this."""
        return self.frames * self.max_parts if self.sampling == "sparse" else self.max_frames

    @property
    def random_draws(self) -> int:
        """How many random draws of frames training sees; none where there is nothing to draw."""
        return 0 if self.sampling == "all" else self.cache_draws


SoundFrontEnd: TypeAlias = Literal["mfcc", "stft", "mel", "dct", "dwt", "cqt", "flatness"]


def _frontends(given: object) -> object:
    """One word stands for a list of it, and `none` for the empty list."""
    words = [given] if isinstance(given, str) else given
    if not isinstance(words, list | tuple):
        return given
    if list(words) == ["none"]:
        return ()
    if "none" in words or len(set(map(str, words))) < len(words):
        raise ValueError("`none` stands alone, and no front-end twice")
    return tuple(words)


class AudioSettings(Section):
    """Sound: how the waveform is cut, what spectrum is taken, and what listens to it."""

    encoder: str = Field(
        "spectra",
        description="`spectra`: `frontend` and `network`, from scratch; `none`; a folder of a Hugging Face sound "
        "model (Wav2Vec2, HuBERT, WavLM, AST, Whisper, CLAP), or a hub name",
    )
    frontend: Annotated[tuple[SoundFrontEnd, ...], BeforeValidator(_frontends)] = Field(
        ("mfcc",),
        description="one or several spectra of the sound, side by side; `none` (an empty list) reads no sound unless "
        "`encoder` names a model; docs/sound.md has the table",
    )
    network: Literal["stats", "cnn", "gru"] = Field(
        "cnn",
        description="`stats`: statistics over time; `cnn`, `gru`: a small convolutional or recurrent network over "
        "time beside them",
    )
    sample_rate: Annotated[int, Field(ge=4000, le=96000)] = Field(
        16000, description="samples per second (Hz)"
    )
    frame_ms: Annotated[float, Field(ge=10, le=100)] = Field(25.0, description="frame length (milliseconds)")
    hop_ms: Annotated[float, Field(ge=1, le=100)] = Field(
        10.0, description="step between frames (milliseconds)"
    )
    mels: Annotated[int, Field(ge=4, le=256)] = Field(64, description="triangles of the mel filter bank")
    coefficients: Annotated[int, Field(ge=2, le=256)] = Field(
        40, description="cepstral coefficients kept; at most `mels`"
    )
    bins_per_octave: Annotated[int, Field(ge=1, le=96)] = Field(12, description="pitches per octave of `cqt`")
    low_hz: Annotated[float, Field(ge=0)] = Field(20.0, description="lower edge of the filter bank (Hz)")
    high_hz: float | None = Field(
        None, description="upper edge of the filter bank (Hz); default half the rate"
    )
    preemphasis: Annotated[float, Field(ge=0, lt=1)] = Field(0.97, description="pre-emphasis coefficient")
    spectrum: Literal["power", "magnitude"] = Field("power", description="what the filter bank sums")
    whole_seconds: float = Field(60.0, gt=0, description="sound up to this long is read whole (seconds)")
    windows: Positive = Field(6, description="windows spread over the track of longer sound")
    window_seconds: float = Field(
        10.0,
        gt=0,
        description="length of one window, and of the pieces that a network hears which takes any length (seconds)",
    )
    channels: Positive = Field(64, description="channels of the network over time, or its state")
    dropout: Share = Field(0.1, description="dropout on the sound feature while training")

    @property
    def is_pretrained(self) -> bool:
        """Whether a pretrained network hears the sound."""
        return self.encoder not in ("spectra", "none")

    @property
    def is_heard(self) -> bool:
        """Whether sound is read at all."""
        return self.is_pretrained or (self.encoder == "spectra" and bool(self.frontend))


class TextSettings(Section):
    """Words of a video: its title, and on request its description and subtitles."""

    encoder: str = Field(
        "bert",
        description="from scratch: `bert` (small), `bow`, `tfidf`, `cnn`, `lstm`; `bert-lstm` for long text (see "
        "`window_encoder`); `none`; a folder of a BERT-family model, or a hub name",
    )
    window_encoder: str = Field(
        "bert",
        description="what reads each window of a `bert-lstm`: `bert` (small, from scratch), a folder, or a hub name",
    )
    window: Annotated[int, Field(ge=4, le=8192)] = Field(
        32, description="length of a window of a `bert-lstm` (tokens)"
    )
    pool: Literal["cls", "mean"] = Field(
        "mean",
        description="what is taken of the last layer; of an `lstm`, `cls` is the last state of each direction",
    )
    fields: Annotated[tuple[TextField, ...], Field(min_length=1)] = Field(
        ("title",),
        description="which texts of a video are read, the leading one first: `title`, `description`, `subtitles` "
        "(noisy and redundant)",
    )
    field_dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2,
        description="probability that a field is hidden in training where there are several; one always stays",
    )
    max_tokens: Annotated[int, Field(ge=4, le=8192)] = Field(64, description="longer titles are cut (tokens)")
    long_tokens: Annotated[int, Field(ge=4, le=8192)] = Field(
        256, description="longer descriptions and subtitles are cut (tokens)"
    )
    vocabulary: Annotated[int, Field(ge=100, le=200_000)] = Field(
        4000, description="WordPiece vocabulary of what starts from scratch, at most this many pieces"
    )
    layers: Positive = Field(2, description="layers of a `bert` or `lstm` from scratch")
    width: Annotated[int, Field(ge=4)] = Field(128, description="width of what starts from scratch")
    heads: Positive = Field(4, description="attention heads of a `bert` from scratch")
    dropout: Share = Field(0.1, description="dropout on the title feature while training")


class TagSettings(Section):
    """Words of a tag: the tag tower."""

    encoder: str = Field(
        "shared",
        description="`shared` (the title's network), a kind of `text.encoder`, a folder, or a hub name",
    )
    pool: Literal["cls", "mean"] = Field("mean", description="what is taken of the last layer")
    max_tokens: Annotated[int, Field(ge=4, le=8192)] = Field(32, description="longer tags are cut (tokens)")
    hidden: Positive = Field(128, description="width of the residual layer behind the backbone")
    templates: tuple[str, ...] = Field(
        (),
        description="sentences with `{}` where the tag goes, such as `a video of {}`; the vectors of all are averaged. "
        "None: the tag as it is",
    )
    aliases: Literal["nearest", "off"] = Field(
        "nearest",
        description="when tags are ranked: `nearest`, a tag is as far as the nearest of its name and its aliases; "
        "`off`, the name alone",
    )
    descriptions: Literal["nearest", "off"] = Field(
        "off",
        description="when tags are ranked: `nearest`, `tag: description` is one more wording of a tag that has a "
        "description",
    )
    memory: bool = Field(
        False,
        description="a learned vector for each tag of the training videos, added to what its words say; a new tag "
        "has none",
    )
    memory_dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2, description="probability that a known tag answers by its words alone in training"
    )


class FusionSettings(Section):
    """Several modalities into one vector."""

    kind: Literal["moe", "concat", "add", "multiply"] = Field(
        "moe",
        description="`moe`: a gate weighs the modalities that are present; `concat`: one linear layer over all of "
        "them; `add`: their mean; `multiply`: their product, component by component",
    )
    width: Positive | None = Field(
        None, description="width of the shared space, D; default the width of the tag backbone"
    )
    hidden: Positive = Field(128, description="width of the residual layer of each expert's head")
    expert_loss: Annotated[float, Field(ge=0)] = Field(
        0.5, description="weight of the experts' own losses beside the fused one"
    )
    expert_targets: Literal["same", "own"] = Field(
        "same",
        description="what the experts' own losses ask of them: every tag of a video of each expert (`same`), or each "
        "tag most of the experts that explain it best (`own`)",
    )
    top_k: Positive | None = Field(
        None, description="only the k experts with the largest weight speak; `moe` only"
    )
    modality_dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.15, description="probability that a present modality is hidden in training; one always stays"
    )


class DistanceSettings(Section):
    """How far a tag is from a video."""

    kind: Literal["cosine", "euclidean", "hamming"] = Field(
        "cosine",
        description="`cosine`: 1 - cosine in [0, 2]; `euclidean`: L2 in [0, inf); `hamming`: binary codes of "
        "fusion.width bits, the share of bits that differ in [0, 1]",
    )
    sharpness: Annotated[float, Field(gt=0)] = Field(
        1.0, description="`hamming` trains on tanh(sharpness * v) in place of the sign of v"
    )
    quantisation: Annotated[float, Field(ge=0)] = Field(
        0.1, description="`hamming`: weight of what draws the trained codes towards -1 and 1"
    )


class LossSettings(Section):
    """What training minimises."""

    name: Literal["triplet", "softmax", "infonce", "sigmoid"] = Field(
        "triplet",
        description="`triplet`: max(0, d(a,p) - d(a,n) + m); `softmax`: sampled over the library; `infonce`: videos "
        "against tags and tags against videos, in the batch; `sigmoid`: yes or no for every video and tag",
    )
    margin: Annotated[float, Field(gt=0)] = Field(0.1, description="margin m of the triplet loss (distance)")
    temperature: Annotated[float, Field(gt=0)] = Field(
        0.05, description="all losses but `triplet` see -distance / temperature"
    )
    boundary: Annotated[float, Field(ge=0)] = Field(
        0.5, description="`sigmoid` takes a tag at this distance to be as likely as not (distance)"
    )
    negatives: Positive = Field(2048, description="library tags drawn per step for `softmax` and `sigmoid`")
    positives: Positive = Field(4, description="at most this many random positives of a video per epoch")


NegativeScope: TypeAlias = Literal["auto", "library", "used", "batch"]


class NegativeSettings(Section):
    """Which tags are held against a video."""

    rule: Literal["auto", "target-distance", "semi-hard", "hard", "random"] = Field(
        "auto",
        description="`auto`: target-distance under triplet, random under the others; docs/negatives.md has the table",
    )
    scope: NegativeScope = Field(
        "auto",
        description="draw from the whole `library`, from its tags that are `used` by a training video (softmax and "
        "sigmoid; others would only ever be pushed away), or from the tags of the `batch`; `auto`: batch under "
        "infonce, library under the others",
    )
    offset: Annotated[float, Field(gt=0)] = Field(
        0.05, description="v: a negative lies farther than the positive by more than this (distance)"
    )
    ceiling: Literal["margin", "none"] | Annotated[float, Field(gt=0)] = Field(
        "margin",
        description="a negative lies less than this much farther than the positive (distance); `margin` is "
        "loss.margin, `none` the one-sided rule",
    )
    refresh: Literal["epoch"] | Positive = Field("epoch", description="a round: an epoch, or this many steps")
    rejected: Share = Field(
        0.5,
        description="where tags were rejected on a video, share of its pairs that are held against one of these, under "
        "triplet; the other losses hold all of them against it at every step",
    )
    allow_zero_hinge: bool = Field(
        False,
        description="accept an offset at or above the margin, which leaves a triplet loss without gradient",
    )


class PositiveSettings(Section):
    """Which tags belong to a video in training."""

    source: Literal["labels", "similarity"] = Field(
        "labels",
        description="`labels`: the tags of the manifest; `similarity`: the tags that the title is similar to, no "
        "labels needed",
    )
    similarity: Literal["vectors", "words"] = Field(
        "vectors",
        description="of title and tag: cosine under the pretrained tag encoder (`vectors`), or the share of the "
        "tag's words that the title has (`words`)",
    )
    above: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.9, description="a tag more similar than this is a positive"
    )
    below: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="a tag less similar than this is a negative; in between it is neither"
    )


class TrainSettings(Section):
    """The training run."""

    backbones: Literal["frozen", "finetune"] = Field(
        "frozen",
        description="pretrained backbones: `frozen` (features are stored once), or `finetune` (end to end); "
        "what starts from scratch is always trained",
    )
    start: Literal["plain", "fitted"] = Field(
        "plain",
        description="`fitted`: before the first step the heads over pretrained backbones are fitted in closed form and "
        "the gate weighs the experts by what they know (under the distance `cosine`, else nothing is): worth most "
        "where examples are few; `plain`: not",
    )
    finetune: Annotated[tuple[Literal["image", "audio", "text", "tag"], ...], Field(min_length=1)] = Field(
        ("image", "audio", "text", "tag"),
        description="whose pretrained backbones are trained under `finetune`; the others stay frozen, their features "
        "stored",
    )
    finetune_embeddings: bool = Field(
        True, description="under `finetune` the word embeddings of text backbones are trained as well"
    )
    epochs: Positive = Field(20, description="passes over the training videos")
    batch_size: Positive = Field(64, description="videos per step")
    accumulate: Positive = Field(
        1,
        description="parts in which the videos and tags of a step are encoded, one after the other, to save memory; "
        "the loss still sees all of them at once, and a step takes up to twice as long",
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        1e-3, description="peak rate of what starts from scratch"
    )
    backbone_learning_rate: Annotated[float, Field(gt=0)] = Field(
        2e-5, description="peak rate of pretrained backbones under `finetune`"
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="each layer of a backbone learns at this share of the rate of the layer above it"
    )
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.01, description="AdamW's weight decay")
    memory_learning_rate: Annotated[float, Field(gt=0)] = Field(
        1e-3, description="peak rate of the learned vectors of known tags (tag.memory)"
    )
    memory_weight_decay: Annotated[float, Field(ge=0)] = Field(
        0.01, description="AdamW's weight decay on the learned vectors of known tags"
    )
    interpolate: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0,
        description="the weights that are kept lie this share of the way from the first weights to the trained "
        "ones; below 1 keeps more of what pretrained backbones know of unseen tags",
    )
    warmup: Share = Field(0.05, description="share of the steps over which the rate rises")
    clip_norm: Annotated[float, Field(gt=0)] = Field(1.0, description="gradients are clipped to this norm")
    patience: Positive = Field(5, description="epochs without a better validation nDCG@10 before stopping")
    keep: Literal["best", "last"] = Field(
        "best",
        description="weights of the epoch with the `best` validation nDCG@10, or of the `last` epoch, without early "
        "stopping: better where validation is too small to choose by",
    )
    val_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.15, description="share of train carved out by group where the manifest has no validation split"
    )
    seed: Annotated[int, Field(ge=0)] = Field(0, description="one seed for every random choice")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="`auto`: a GPU where there is one")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="`auto`: bf16 on a GPU that has it, else fp32"
    )
    threads: Annotated[int, Field(ge=0)] = Field(0, description="CPU threads; 0 takes one per core")
    checkpoint_seconds: Annotated[float, Field(gt=0)] = Field(
        300.0, description="a checkpoint at every round's end, and inside a round after this long (seconds)"
    )


class RankingSettings(Section):
    """From candidates to the order that is shown: the learned ranker behind the towers."""

    kind: Literal["auto", "tower", "hybrid"] = Field(
        "auto",
        description="`tower`: by distance; `hybrid`: a learned ranker over distance, tags of similar labelled videos "
        "and mentions, which trains the towers twice more; `auto`: hybrid from 1,000 training videos on",
    )
    fields: tuple[TextField, ...] = Field(
        ("title",), min_length=1, description="texts in which mentions and similar words are looked for"
    )
    holdout: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2,
        description="share of the training videos that the ranker learns from, with towers and neighbours that do "
        "not know them: the latest, or whole groups where some have no `published`",
    )
    rounds: Positive = Field(
        2,
        description="how often such a share is held out, each another one and with towers trained for it: the ranker "
        "learns from more videos; fewer where towers would be left with less than half of the videos",
    )
    candidates: Positive = Field(100, description="tags that each source of candidates proposes for a video")
    neighbours: Positive = Field(50, description="similar labelled videos whose tags count")
    trees: Positive = Field(400, description="boosted trees of the ranker")
    depth: Annotated[int, Field(ge=1, le=16)] = Field(6, description="depth of a tree")
    learning_rate: Annotated[float, Field(gt=0, le=1)] = Field(0.05, description="share of each tree's step")
    negatives: Annotated[float, Field(gt=0, le=1)] = Field(
        0.3, description="share of the wrong candidates that the ranker is shown; fewer train faster"
    )


class MediaSettings(Section):
    """Caps on files from strangers; a file over one of them is refused with a clear error."""

    max_pixels: Positive = Field(8192 * 4320, description="pixels of one frame")
    max_streams: Positive = Field(64, description="streams in one file")
    max_seconds: float = Field(12 * 3600.0, gt=0, description="duration (seconds)")
    memory_mb: Positive = Field(2048, description="memory of one decoding process (MiB)")
    deadline_seconds: float = Field(60.0, gt=0, description="wall-clock time for one file (seconds)")
    workers: Annotated[int, Field(ge=0)] = Field(0, description="decoding processes; 0 takes one per core")


class Settings(Section):
    """All settings of a model and its training."""

    image: ImageSettings = ImageSettings()
    audio: AudioSettings = AudioSettings()
    text: TextSettings = TextSettings()
    tag: TagSettings = TagSettings()
    fusion: FusionSettings = FusionSettings()
    distance: DistanceSettings = DistanceSettings()
    loss: LossSettings = LossSettings()
    negatives: NegativeSettings = NegativeSettings()
    positives: PositiveSettings = PositiveSettings()
    train: TrainSettings = TrainSettings()
    ranking: RankingSettings = RankingSettings()
    media: MediaSettings = MediaSettings()

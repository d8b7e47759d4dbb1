"""What looks at pictures and sound where there are no labels: a dual encoder as it is, or a small model that titles
taught, if it proves on clips held back that it learnt something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from transformers import AutoConfig

from tagtower.config import Settings, load_settings
from tagtower.config.load import settings_from
from tagtower.errors import ConfigError, InputError, ModelError, TrainingError
from tagtower.evaluation.metrics import video_scores
from tagtower.features.store import FeatureStore
from tagtower.library.tags import TagLibrary
from tagtower.media.isolation import Decoder
from tagtower.pipeline.extract import FeatureExtractor
from tagtower.records import Example, Problems
from tagtower.storage.hashing import hash_text
from tagtower.towers import build_two_tower, save_model
from tagtower.towers.hub import pretrained_folder
from tagtower.training.events import Listener
from tagtower.training.similarity import Similarity, VectorSimilarity, WordSimilarity
from tagtower.usecases.card import model_card
from tagtower.usecases.evaluate import evaluate
from tagtower.usecases.progress import Progress
from tagtower.usecases.session import open_session
from tagtower.usecases.train import run_settings, train

LEAST_TAUGHT = 40
"""Fewer clips with a telling title teach nothing that could be checked: a fifth of them is held back."""

HELD_BACK = 5
"""One taught clip of so many is held back for the proof."""

SURE = 2
"""Standard errors by which a taught model must beat a guess: at one, every sixth that learnt nothing would speak."""

WORDS_ABOVE, VECTORS_ABOVE = 0.9, 0.6
"""How similar a title and a tag have to be. Titles are sentences and tags are words: few vectors of theirs come within
the 0.9 of the patent."""

FRAMES_OF_A_DUAL = 8
TOKENS_OF_A_TAG = 32


@dataclass(frozen=True, slots=True)
class ColdModel:
    """How pictures and sound are read: `dual`, `taught`, or `none`; whether the model may speak; and why, in words.

    It gives no tag farther than `far` (distance), where that could be found out.
    """

    kind: Literal["dual", "taught", "none"]
    speaks: bool
    why: str
    far: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {"kind": self.kind, "speaks": self.speaks, "why": self.why, "far": self.far}


def similar_tags(
    titles: Mapping[str, str], library: TagLibrary, text: str | None, store: FeatureStore
) -> dict[str, list[int]]:
    """Return for each titled video, by its id, the places of the tags that its title makes positives (R14).

    Words are compared, and vectors as well where there is an encoder, which may miss what stands there word for word.

    Args:
        text: the folder of a text encoder, whose vectors are compared.
    Raises:
        ConfigError, ModelError: the folder holds no text encoder.
    """
    names = [
        (name, place)
        for place, tag in enumerate(library.tags)
        for name in (library.texts[place], *tag.aliases)
    ]
    compared = {None: WORDS_ABOVE} if text is None else {None: WORDS_ABOVE, text: VECTORS_ABOVE}
    similar: dict[str, set[int]] = {video: set() for video in titles}
    for encoder, above in compared.items():
        with _similarity(encoder, store) as similarity:
            found = similarity(list(titles.values()), [name for name, _ in names], above)
            for video, (near, values, _) in zip(titles, found, strict=True):
                similar[video].update(names[name][1] for name in near[values > above])
    return {video: sorted(places) for video, places in similar.items()}


@contextmanager
def _similarity(text: str | None, store: FeatureStore) -> Iterator[Similarity]:
    if text is None:
        yield WordSimilarity()
        return
    settings = settings_from(
        {
            "image": {"encoder": "none"},
            "audio": {"frontend": "none"},
            "text": {"encoder": text},
            "tag": {"encoder": "shared"},
        }
    )
    tower = build_two_tower(settings, [], []).eval()
    with Decoder(settings.media, workers=1) as decoder:  # never asked: there are words alone
        yield VectorSimilarity(FeatureExtractor(tower, settings, decoder, store).tag_features)


def taught_settings(text: str | None, overrides: Sequence[str]) -> Settings:
    """Return the settings of the model that titles teach: it looks and listens, and does not read the title.

    What the title names is known already; a model that could read it would have no need to look.
    """
    encoder = "bert" if text is None else text
    chosen = ("text.encoder=none", "ranking.kind=tower", f"tag.encoder={encoder}")
    return load_settings("tiny", overrides=[*chosen, *overrides])


def take_dual(
    dual: str,
    rows: Sequence[Example],
    similar: Mapping[str, Sequence[int]],
    library: TagLibrary,
    model: Path,
    *,
    least: int,
    store: Path | None,
    bypass_store: bool,
    progress: Progress,
) -> ColdModel:
    """Write a model folder of a CLIP-like network as it is: it tags pictures before any training.

    Where `least` clips have a title that says a tag, they tell how far a tag may be.

    Raises:
        ConfigError, ModelError: the folder holds no such network.
    """
    size, tokens = check_dual(dual)
    settings = settings_from(
        {
            "image": {"encoder": dual, "resize": size, "crop": size, "frames": FRAMES_OF_A_DUAL},
            "audio": {"frontend": "none"},
            "text": {"encoder": "none"},
            "tag": {"encoder": dual, "max_tokens": min(TOKENS_OF_A_TAG, tokens)},
        }
    )
    tower = build_two_tower(settings, [], []).eval()
    save_model(model, tower, [], {}, model_card(tower, library, [], {}, None, {"train": 0, "val": 0}))
    why = "pictures are compared with the tags by the dual encoder as it is"
    named = [replace(row, split="test") for row in _named(rows, similar, library)]
    if len(named) < least:
        return ColdModel("dual", True, f"{why}; too few titles name tags to tell which are too far")
    try:
        with open_session(model, store=store, bypass_store=bypass_store) as session:
            found = evaluate(session, named, library, ranker="tower", problems=Problems(), progress=progress)
    except InputError as error:
        return ColdModel("dual", True, f"{why}; which tags are too far is not known: {error.message}")
    far = best_cut(found.distances, found.relevant)
    return ColdModel(
        "dual", True, f"{why}, up to the distance {far:.3f}, by the titles of {len(named)} clips", far
    )


def best_cut(distances: Float[np.ndarray, "video tag"], relevant: Bool[np.ndarray, "video tag"]) -> float:
    """Return the distance up to which tags are given, so that F1 over all pairs is highest: half way to the next."""
    order = distances.ravel().argsort(kind="stable")
    ascending, hits = distances.ravel()[order], relevant.ravel()[order].cumsum()
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + relevant.sum())
    f1[:-1][ascending[:-1] == ascending[1:]] = 0  # equal distances are given together
    last = int(f1.argmax())
    return float(ascending[last : last + 2].mean())


def _named(
    rows: Sequence[Example], similar: Mapping[str, Sequence[int]], library: TagLibrary
) -> list[Example]:
    """The clips whose titles say a tag, with these tags and no split."""
    return [
        replace(row, tags=tuple(library.texts[tag] for tag in similar[row.video.id]), split=None)
        for row in rows
        if row.video.media is not None and similar.get(row.video.id)
    ]


def _held_back(named: Sequence[Example], similar: Mapping[str, Sequence[int]]) -> list[Example]:
    """The clips with some of them set aside, of each tag about as large a share: a proof on one tag proves nothing."""
    order = sorted(
        range(len(named)), key=lambda row: (similar[named[row].video.id][0], hash_text(named[row].video.id))
    )
    aside = set(order[HELD_BACK // 2 :: HELD_BACK])
    return [replace(one, split="test") if row in aside else one for row, one in enumerate(named)]


def check_dual(dual: str) -> tuple[int, int]:
    """Return what a network of two sides was trained on: the side of its pictures (pixels), the length of its texts
    (tokens).

    Raises:
        ConfigError, ModelError: the folder holds no such network.
        OfflineError: it is a hub name and the hub cannot be reached.
    """
    folder = pretrained_folder(dual, "--dual")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelError(f"--dual {dual}: its configuration cannot be read: {error}") from None
    size = getattr(getattr(config, "vision_config", None), "image_size", None)
    tokens = getattr(getattr(config, "text_config", None), "max_position_embeddings", None)
    if not isinstance(size, int) or not isinstance(tokens, int):
        raise ConfigError(
            f"--dual {dual}: is no network of pictures and texts.",
            hint="Give a folder of CLIP, SigLIP or their kin; a text encoder goes with --text.",
        )
    return size, tokens


def teach(
    rows: Sequence[Example],
    similar: Mapping[str, Sequence[int]],
    library: TagLibrary,
    manifest: Path,
    tags: Path,
    model: Path,
    settings: Settings,
    *,
    least: int,
    store: Path | None,
    bypass_store: bool,
    progress: Progress,
    on_event: Listener,
) -> ColdModel:
    """Train on the clips whose titles say a tag, and let the model speak only if it beats the commonest tags.

    A fifth of these clips is held back. There its nDCG@10 must exceed that of ranking tags by how often titles name
    them, by more than twice the standard error of the difference. They also tell how far a tag may be. An unfinished
    training is gone on with.
    """
    taught = _held_back(_named(rows, similar, library), similar)
    tags_named = {tag for row in taught for tag in similar[row.video.id]}
    if len(taught) < least or len(tags_named) < 2:
        return ColdModel(
            "none",
            False,
            f"titles name {len(tags_named)} tags in {len(taught)} clips; pictures and sound learn from {least} "
            "clips or more, with two tags or more",
        )
    try:
        if not model.exists():
            unfinished = run_settings(model) is not None
            train(
                manifest,
                tags,
                model,
                settings,
                resume=unfinished,
                overwrite=not unfinished,
                examples=taught,
                store=store,
                bypass_store=bypass_store,
                progress=progress,
                on_event=on_event,
            )
        with open_session(model, store=store, bypass_store=bypass_store) as session:
            found = evaluate(session, taught, library, ranker="tower", problems=Problems(), progress=progress)
    except (TrainingError, InputError) as error:
        return ColdModel("none", False, f"the titles could not teach pictures and sound: {error.message}")
    uses = np.zeros(len(library))
    for row in taught:
        if row.split != "test":
            np.add.at(uses, list(similar[row.video.id]), 1)
    common = np.broadcast_to(-uses, found.distances.shape)
    own = video_scores(found.distances, found.relevant).ndcg_at_10
    base = video_scores(common, found.relevant).ndcg_at_10
    gain = (own - base)[~np.isnan(own)]
    error_of_mean = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.inf
    speaks = bool(gain.mean() > SURE * error_of_mean)
    figures = f"on {len(gain)} clips held back nDCG@10 {np.nanmean(own):.2f}, the commonest tags {np.nanmean(base):.2f}"
    verdict = (
        "learnt something and speak" if speaks else "did not beat guessing the commonest tags and stay silent"
    )
    return ColdModel(
        "taught",
        speaks,
        f"pictures and sound, taught by {len(taught)} titles, {verdict}: {figures}",
        best_cut(found.distances[:, found.seen], found.relevant[:, found.seen]) if speaks else None,
    )

"""Every kind of text network, as title and as tag encoder, with shared and with own weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tagtower.config import settings_from
from tagtower.errors import ConfigError
from tagtower.library.tags import TagLibrary
from tagtower.records import Tag
from tagtower.towers import (
    VideoFeatures,
    build_two_tower,
    collate_texts,
    collate_videos,
    load_model,
    save_model,
)
from tagtower.training.dataset import MemoryExamples, TrainingData
from tagtower.training.trainer import fit

from ..conftest import TAGS, TITLES, tiny_tower

KINDS = ("bert", "bow", "tfidf", "cnn", "lstm", "bert-lstm")
ALONE = {"image": {"encoder": "none"}, "audio": {"frontend": "none"}}
WORDS = ("fox", "sea", "horn", "bread", "snow", "train")
LIBRARY = TagLibrary.from_tags(Tag(word) for word in WORDS)


def tower(kind: str, tag: str = "shared", **text: object):
    return tiny_tower(
        **ALONE, text={"encoder": kind, "window": 6, **text}, tag={"encoder": tag, "max_tokens": 8}
    )


def examples(of, count: int, seed: int) -> MemoryExamples:
    """Titles that speak of two of the words, in other words as well."""
    draw = np.random.default_rng(seed)
    chosen = [draw.choice(len(WORDS), 2, replace=False) for _ in range(count)]
    titles = [f"all about the {WORDS[one]} and a {WORDS[other]} today" for one, other in chosen]
    features = [VideoFeatures(text=text) for text in of.title_features(titles)]
    return MemoryExamples([(WORDS[one], WORDS[other]) for one, other in chosen], features)


@pytest.mark.parametrize("own", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["shared", "own"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns(kind: str, own: bool) -> None:
    settings = settings_from(
        {
            **ALONE,
            "text": {
                "encoder": kind, "width": 24, "layers": 1, "heads": 2, "vocabulary": 150, "max_tokens": 16,
                "window": 16, "dropout": 0.0,
            },
            "tag": {"encoder": kind if own else "shared", "max_tokens": 16, "hidden": 16},
            "loss": {"name": "softmax", "temperature": 0.1},
            "train": {"epochs": 18, "batch_size": 16, "learning_rate": 0.01, "patience": 18},
        }
    )  # fmt: skip
    model = build_two_tower(settings, ["all about the and a today"], LIBRARY.texts)
    data = TrainingData(examples(model, 96, 0), examples(model, 32, 1))
    result = fit(model, data, lambda: LIBRARY, settings)
    assert result.best.metrics.ndcg_at_10 > 0.78, "by chance, two of six tags, it is about .62"


@pytest.mark.parametrize("tag", ["shared", "own"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back_out_of_its_folder_to_the_bit(kind: str, tag: str, tmp_path: Path) -> None:
    model = tower(kind, kind if tag == "own" else tag)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    save_model(tmp_path / "model", model, TAGS, {}, "")
    loaded = load_model(tmp_path / "model").tower
    for one in (model, loaded):
        one.answers = (
            one.encode_videos(
                collate_videos([VideoFeatures(text=text) for text in one.title_features(TITLES)], ("text",))
            ).vectors,
            one.encode_tags(collate_texts(one.tag_features([*TAGS, "unheard of"]))),
        )
    assert all(torch.equal(a, b) for a, b in zip(model.answers, loaded.answers, strict=True))
    assert [loaded.spec(part) for part in ("text", "tag")] == [model.spec(part) for part in ("text", "tag")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_network_is_one_and_an_own_one_is_another(kind: str) -> None:
    shared, own = tower(kind), tower(kind, kind)
    assert shared.tag.backbone is shared.text.backbone
    assert own.tag.backbone is not own.text.backbone
    both = {id(parameter) for parameter in own.tag.parameters()} & {
        id(parameter) for parameter in own.text.parameters()
    }
    assert not both


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_gives_one_vector_in_whatever_company(kind: str) -> None:
    model = tower(kind)
    texts = ["fox", "a red fox runs at night", "bread " * 20]
    together = model.encode_tags(collate_texts(model.tag_features(texts)))
    alone = torch.cat([model.encode_tags(collate_texts(model.tag_features([text]))) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_word_that_was_never_seen_has_a_vector_of_its_own(kind: str) -> None:
    model = tower(kind)
    unseen = model.encode_tags(collate_texts(model.tag_features(["snowboard", "eclipse", "fox"])))
    assert torch.pdist(unseen).min() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_gives_nearly_the_same(kind: str) -> None:
    model = tower(kind)
    batch = collate_texts(model.tag_features([*TAGS, "a red fox runs at night"]))
    expected = model.encode_tags(batch)
    with torch.autocast("cpu", torch.bfloat16):
        found = model.encode_tags(batch)
    assert found.dtype == torch.float32
    assert torch.cosine_similarity(found, expected).min() > 0.99


def test_windows_of_a_long_text_reach_beyond_the_first() -> None:
    model = tower("bert-lstm", max_tokens=12)
    first, second, beyond = (
        model.title_features([f"{'fox ' * 4}{word} {'fox ' * 3}{other}"])[0]
        for word, other in (("fox", "fox"), ("sea", "fox"), ("fox", "sea"))
    )
    assert len(first) == 12
    assert not np.array_equal(first, second)
    assert np.array_equal(first, beyond), "text.max_tokens bounds all windows together"


@pytest.mark.parametrize("backbones", ["frozen", "finetune"])
def test_windows_may_be_read_by_a_pretrained_encoder(
    bert_folder: Path, backbones: str, tmp_path: Path
) -> None:
    model = tiny_tower(
        **ALONE,
        text={"encoder": "bert-lstm", "window_encoder": str(bert_folder), "window": 6, "max_tokens": 18},
        train={"backbones": backbones},
    )
    frozen = backbones == "frozen"
    assert (model.text_is_frozen, model.tag_is_frozen) == (frozen, frozen)
    short, long = model.title_features(["fox", "fox " * 12])
    if frozen:
        assert (short.shape, long.shape) == ((1, 16), (3, 16))
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert any(name.startswith("text.windows.") for name in trained)
    assert any(name.startswith("text.backbone.") for name in trained) != frozen
    batch = collate_videos([VideoFeatures(text=one) for one in (short, long)], ("text",))
    expected = model.encode_videos(batch).vectors
    save_model(tmp_path / "model", model, TAGS, {}, "")
    assert torch.equal(load_model(tmp_path / "model").tower.encode_videos(batch).vectors, expected)


def test_frozen_and_trained_windows_agree(bert_folder: Path) -> None:
    def vectors(backbones: str) -> torch.Tensor:
        model = tiny_tower(
            **ALONE,
            text={"encoder": "bert-lstm", "window_encoder": str(bert_folder), "window": 6, "max_tokens": 18},
            train={"backbones": backbones},
        )
        texts = model.title_features([*TITLES, "fox " * 12])
        return model.encode_videos(
            collate_videos([VideoFeatures(text=one) for one in texts], ("text",))
        ).vectors

    torch.testing.assert_close(vectors("frozen"), vectors("finetune"), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ({"encoder": "bert-lstm", "window_encoder": "cnn"}, "read by a BERT"),
        ({"encoder": "bert-lstm", "window": 40, "max_tokens": 20}, "text.window"),
    ],
)
def test_windows_that_cannot_be_are_refused(text: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        settings_from({"text": text})

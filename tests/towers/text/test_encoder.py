from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tagtower.config import TextSettings
from tagtower.features.text import load_tokenizer, train_wordpiece
from tagtower.towers.backbones import pretrained_text, scratch_text
from tagtower.towers.inputs import collate_texts
from tagtower.towers.text import TEXTS_AT_ONCE, TextEncoder


def frozen(folder: Path, **changes: object) -> TextEncoder:
    settings = TextSettings(**{"max_tokens": 12, **changes})
    backbone = pretrained_text(folder, load_tokenizer(folder), settings.max_tokens)
    return TextEncoder(backbone, settings, pretrained=True, frozen=True)


def trained(texts: list[str]) -> TextEncoder:
    settings = TextSettings(width=16, heads=2, layers=1, max_tokens=6)
    backbone = scratch_text(settings, train_wordpiece(texts, 100), 6)
    return TextEncoder(backbone, settings, pretrained=False, frozen=False)


def test_a_frozen_backbone_gives_vectors_that_pass_through(bert_folder: Path) -> None:
    encoder = frozen(bert_folder)
    vectors = encoder.features(["red fox", "the blue sea"])
    batch = collate_texts(vectors)
    assert torch.equal(encoder(batch.values, batch.mask), torch.tensor(np.stack(vectors)))


def test_a_text_gives_one_vector_in_whatever_company(bert_folder: Path) -> None:
    encoder = frozen(bert_folder).train()  # dropout of a frozen backbone stays off
    texts = [
        " ".join(["fox", "sea", "bread"][k % 3] for k in range(1 + i % 9)) for i in range(TEXTS_AT_ONCE + 5)
    ]
    together = encoder.features(texts)
    for row in (0, 8, TEXTS_AT_ONCE + 4):
        np.testing.assert_allclose(encoder.features([texts[row]])[0], together[row], atol=1e-5)


def test_a_trained_backbone_gives_token_ids_cut_to_length() -> None:
    encoder = trained(["red fox runs far away over the hills"])
    (ids,) = encoder.features(["red fox runs far away over the hills"])
    assert ids.dtype == np.int64
    assert len(ids) == 6
    assert encoder.features([]) == []


def test_pooling_is_that_of_the_settings(bert_folder: Path) -> None:
    (cls,), (mean,) = (frozen(bert_folder, pool=pool).features(["red fox"]) for pool in ("cls", "mean"))
    assert not np.allclose(cls, mean)


@pytest.mark.parametrize("change", [{"pool": "cls"}, {"max_tokens": 9}])
def test_spec_changes_with_what_is_stored(bert_folder: Path, change: dict[str, object]) -> None:
    assert frozen(bert_folder, **change).spec() != frozen(bert_folder).spec()


def test_spec_names_backbone_and_tokenizer(bert_folder: Path, ernie_folder: Path) -> None:
    assert frozen(bert_folder).spec()["backbone"] != frozen(ernie_folder).spec()["backbone"]
    assert trained(["red fox"]).spec()["tokenizer"] != trained(["blue sea"]).spec()["tokenizer"]


def test_spec_does_not_depend_on_what_was_read_before(bert_folder: Path) -> None:
    encoder = frozen(bert_folder)
    before = encoder.spec()
    encoder.features(["red fox " * 20])
    assert encoder.spec() == before


def test_spec_of_a_trained_backbone_does_not_follow_its_weights() -> None:
    encoder = trained(["red fox"])
    before = encoder.spec()
    torch.nn.init.zeros_(next(encoder.backbone.parameters()))
    assert encoder.spec() == before

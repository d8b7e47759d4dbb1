"""Bags of pieces are those of scikit-learn, and what no training text held is not lost."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tagtower.features.text import tokenize, train_wordpiece
from tagtower.towers.inputs import collate_texts
from tagtower.towers.text.bag import BagOfPieces

TEXTS = [
    "a red fox runs, a red red fox",
    "the blue sea at night",
    "how to bake bread at night",
    "a walk at the sea",
    "fox",
]


def bag(kind: str, width: int = 16) -> BagOfPieces:
    torch.manual_seed(0)
    return BagOfPieces(train_wordpiece(TEXTS, 200), width, kind).learn(TEXTS)


def dense(of: BagOfPieces, texts: list[str]) -> np.ndarray:
    batch = collate_texts(tokenize(of.tokenizer, texts, 40))
    counts = torch.zeros(len(texts), len(of.tokenizer))
    return counts.scatter_add(1, batch.values, of.weights(batch.values, batch.mask)).numpy()


@pytest.mark.parametrize(("kind", "reference"), [("bow", "CountVectorizer"), ("tfidf", "TfidfVectorizer")])
def test_agrees_with_scikit_learn(kind: str, reference: str) -> None:
    vectorizers = pytest.importorskip("sklearn.feature_extraction.text")
    own = bag(kind)

    def pieces(text: str) -> list[str]:
        return own.tokenizer.tokenize(text)

    other = getattr(vectorizers, reference)(tokenizer=pieces, token_pattern=None, lowercase=False)
    expected = other.fit(TEXTS).transform([*TEXTS, "a red sea, a red bread"]).toarray()
    found = dense(own, [*TEXTS, "a red sea, a red bread"])
    columns = own.tokenizer.convert_tokens_to_ids(other.get_feature_names_out().tolist())
    np.testing.assert_allclose(found[:, columns], expected, atol=1e-6)
    assert not np.delete(found, columns, axis=1).any()


@pytest.mark.parametrize("kind", ["bow", "tfidf"])
def test_a_vector_is_the_bag_through_one_layer(kind: str) -> None:
    own = bag(kind)
    batch = collate_texts(tokenize(own.tokenizer, TEXTS, 40))
    expected = torch.from_numpy(dense(own, TEXTS)) @ own.rows
    torch.testing.assert_close(own(batch.values, batch.mask, "mean"), expected)


def test_an_untrained_bag_finds_shared_words() -> None:
    own = bag("tfidf", width=512)
    batch = collate_texts(tokenize(own.tokenizer, ["fox", "a red fox runs", "how to bake bread"], 40))
    tag, near, far = own(batch.values, batch.mask, "mean")
    assert torch.cosine_similarity(tag, near, 0) > torch.cosine_similarity(tag, far, 0) + 0.2


def test_a_word_that_was_never_seen_counts_by_its_pieces() -> None:
    own = bag("bow")
    (found,) = dense(own, ["foxes"])
    assert found.sum() >= 2
    assert found[own.tokenizer.unk_token_id] == 0


def test_a_text_without_a_known_character_is_zero() -> None:
    own = bag("tfidf")
    batch = collate_texts(tokenize(own.tokenizer, ["日食"], 40))
    assert not own(batch.values, batch.mask, "mean").any()

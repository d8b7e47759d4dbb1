from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtower.errors import ConfigError
from tagtower.training import similarity as under_test
from tagtower.training.similarity import SIMILARITIES, VectorSimilarity, WordSimilarity, words_of

WORDS = st.lists(st.sampled_from(["red", "fox", "sea", "Sea", "the"]), max_size=5).map(" ".join)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The RED fox's den!", ["the", "red", "fox", "s", "den"]),
        ("日全食 2024年 eclipse", ["日", "全", "食", "2024", "年", "eclipse"]),
        ("Straße_42", ["strasse", "42"]),
        ("#!?", []),
    ],
)
def test_words_are_runs_of_letters_and_single_signs(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(
    titles=st.lists(WORDS, max_size=5), names=st.lists(WORDS, min_size=1, max_size=6), floor=st.floats(0.1, 1)
)
def test_the_share_of_a_names_words_agrees_with_loops(titles, names, floor) -> None:
    found = list(WordSimilarity()(titles, names, floor))
    assert len(found) == len(titles)
    for title, (near, values, best) in zip(titles, found, strict=True):
        shares = []
        for name in names:
            own = {word.lower() for word in name.split()}
            shares.append(len(own & {word.lower() for word in title.split()}) / len(own) if own else 0.0)
        assert near.tolist() == [place for place, share in enumerate(shares) if share >= floor]
        np.testing.assert_allclose(values, [shares[place] for place in near])
        assert best == pytest.approx(max(shares))


def test_vectors_are_compared_by_cosine_however_the_work_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    known = {text: rng.normal(size=6).astype(np.float32) for text in "abcdefghij"}
    titles, names = list("abcde"), list("efghij")
    monkeypatch.setattr(under_test, "BLOCK_ELEMENTS", 12)
    found = list(VectorSimilarity(lambda texts: [known[text] for text in texts])(titles, names, 0.2))
    for title, (near, values, best) in zip(titles, found, strict=True):
        cosines = [
            float(known[title] @ known[name] / np.linalg.norm(known[title]) / np.linalg.norm(known[name]))
            for name in names
        ]
        assert near.tolist() == [place for place, cosine in enumerate(cosines) if cosine >= 0.2]
        np.testing.assert_allclose(values, [cosines[place] for place in near], rtol=1e-5)
        assert best == pytest.approx(max(cosines), rel=1e-5)


def test_an_encoder_that_is_still_to_be_trained_knows_no_similarity() -> None:
    tokens = VectorSimilarity(lambda texts: [np.array([1, 2, 3]) for _ in texts])
    with pytest.raises(ConfigError, match=r"still to be trained(.|\n)*train\.backbones"):
        list(tokens(["a"], ["b"], 0.5))


def test_every_measure_of_the_settings_is_in_the_table() -> None:
    from tagtower.config import PositiveSettings

    assert set(PositiveSettings.model_fields["similarity"].annotation.__args__) == set(SIMILARITIES)

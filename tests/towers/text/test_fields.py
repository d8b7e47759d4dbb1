"""Several fields in one text expert: the title alone at first, any may be missing, and the others' share is learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tagtower.config import settings_from
from tagtower.errors import ConfigError
from tagtower.library.tags import TagLibrary
from tagtower.records import Tag
from tagtower.towers import VideoFeatures, build_two_tower, collate_videos, load_model, save_model
from tagtower.towers.text.fields import FieldMixture
from tagtower.training.dataset import MemoryExamples, TrainingData
from tagtower.training.trainer import fit

from ..conftest import TAGS, tiny_tower

ALONE = {"image": {"encoder": "none"}, "audio": {"frontend": "none"}}
FIELDS = ("title", "description", "subtitles")


def mixture(fields: int = 3, width: int = 6) -> FieldMixture:
    torch.manual_seed(0)
    found = FieldMixture(fields, width)
    torch.nn.init.normal_(found.weight)
    torch.nn.init.normal_(found.bias)
    return found


def test_agrees_with_a_loop_over_videos_and_fields() -> None:
    mix = mixture()
    vectors = torch.randn(7, 3, 6)
    present = torch.tensor([[bool(number & 1 << field) for field in range(3)] for number in range(1, 8)])
    expected = []
    for video in range(7):
        there = [field for field in range(3) if present[video, field]]
        total = torch.zeros(6)
        for field in there:
            scaled = F.rms_norm(vectors[video, field], (6,))
            gate = scaled @ mix.weight[field] / 6**0.5 + mix.bias[field]
            total = total + (scaled if field == there[0] else gate * scaled)
        expected.append(total)
    torch.testing.assert_close(mix(vectors, present), torch.stack(expected))


def test_an_absent_field_never_leaks_even_if_it_is_not_a_number() -> None:
    mix = mixture()
    vectors = torch.randn(1, 3, 6)
    present = torch.tensor([[True, False, True]])
    expected = mix(vectors, present)
    vectors[0, 1] = torch.nan
    assert torch.equal(mix(vectors, present), expected)


def video(tower, **texts: str) -> VideoFeatures:
    names = {"title": "text", "description": "description", "subtitles": "subtitles"}
    return VideoFeatures(
        **{names[field]: tower.field_features(field, [text])[0] for field, text in texts.items()}
    )


def vectors(tower, *videos: VideoFeatures) -> torch.Tensor:
    return tower.encode_videos(collate_videos(list(videos), tower.modalities)).vectors


@pytest.mark.parametrize("frozen", [False, True])
def test_an_untrained_model_answers_by_the_first_field_that_there_is(bert_folder: Path, frozen: bool) -> None:
    encoder = str(bert_folder) if frozen else "bert"
    tower = tiny_tower(**ALONE, text={"encoder": encoder, "fields": FIELDS, "long_tokens": 20})
    title, description = "a red fox runs", "drums and a loud horn at night"
    found = vectors(
        tower,
        video(tower, title=title),
        video(tower, title=title, description=description, subtitles="bread"),
        video(tower, description=description),
        video(tower, description=description, subtitles="bread"),
        video(tower, subtitles="bread"),
    )
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(found[2], found[3])
    assert torch.pdist(found[[0, 2, 4]]).min() > 1e-3


def test_one_field_other_than_the_title_works_alone() -> None:
    tower = tiny_tower(**ALONE, text={"fields": ("description",), "long_tokens": 20})
    assert tower.mixture is None
    both = vectors(tower, video(tower, description="fox"), video(tower, description="sea"))
    assert torch.pdist(both).min() > 1e-3


def test_fields_stand_beside_other_modalities_and_any_may_be_missing() -> None:
    tower = tiny_tower(text={"fields": FIELDS, "long_tokens": 20})
    sound = np.zeros((5, 12), np.float32)
    batch = collate_videos(
        [VideoFeatures(audio=sound), video(tower, description="fox"), video(tower, title="sea")],
        tower.modalities,
    )
    found = tower.encode_videos(batch)
    assert found.present.tolist() == [[False, True, False], [False, False, True], [False, False, True]]
    assert torch.isfinite(found.vectors).all()


def test_long_fields_are_cut_at_their_own_length_and_stored_apart() -> None:
    tower = tiny_tower(**ALONE, text={"fields": FIELDS, "max_tokens": 5, "long_tokens": 9})
    lengths = [len(tower.field_features(field, ["fox " * 30])[0]) for field in FIELDS]
    assert lengths == [5, 9, 9]
    assert tower.field_spec("title") == tower.spec("text")
    assert tower.field_spec("description") != tower.spec("text")


def test_a_model_with_fields_comes_back_to_the_bit(tmp_path: Path) -> None:
    tower = tiny_tower(**ALONE, text={"fields": FIELDS, "long_tokens": 20})
    torch.nn.init.normal_(tower.mixture.weight)
    one = video(tower, title="fox", description="a red fox", subtitles="runs")
    save_model(tmp_path / "model", tower, TAGS, {}, "")
    loaded = load_model(tmp_path / "model").tower
    assert torch.equal(vectors(loaded, one), vectors(tower, one))


def test_it_learns_from_descriptions_what_titles_do_not_say() -> None:
    words = ("fox", "sea", "horn", "bread")
    library = TagLibrary.from_tags(Tag(word) for word in words)
    settings = settings_from(
        {
            **ALONE,
            "text": {
                "encoder": "bow", "width": 24, "vocabulary": 100, "fields": ("title", "description"),
                "dropout": 0.0,
            },
            "loss": {"name": "softmax", "temperature": 0.1},
            "train": {"epochs": 10, "batch_size": 16, "learning_rate": 0.02, "patience": 10},
        }
    )  # fmt: skip
    tower = build_two_tower(settings, ["a video of a day"], library.texts)
    draw = np.random.default_rng(0)

    def examples(count: int) -> MemoryExamples:
        chosen = draw.integers(0, 4, (count, 2))
        features = [
            video(tower, title=f"a video of a {words[one]}", description=f"a day of {words[other]}")
            if draw.random() < 0.9
            else video(tower, description=f"{words[one]} {words[other]}")
            for one, other in chosen
        ]
        return MemoryExamples([(words[one], words[other]) for one, other in chosen], features)

    result = fit(tower, TrainingData(examples(96), examples(40)), lambda: library, settings)
    assert result.best.metrics.ndcg_at_10 > 0.9
    assert tower.mixture.bias[1].abs() + tower.mixture.weight[1].abs().sum() > 0.01


def test_fields_are_hidden_at_random_in_training_only() -> None:
    tower = tiny_tower(
        **ALONE, text={"fields": ("title", "description"), "field_dropout": 0.5, "dropout": 0.0}
    )
    with torch.no_grad():
        tower.mixture.bias.fill_(1.0)
    one = video(tower, title="fox", description="the blue sea at night")
    for module in tower.text.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    apart = vectors(tower, video(tower, title="fox"), video(tower, description="the blue sea at night"), one)
    torch.manual_seed(0)
    tower.train()
    seen = {int((apart - vectors(tower, one)).norm(dim=1).argmin()) for _ in range(30)}
    assert seen == {0, 1, 2}


def test_a_field_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="twice"):
        settings_from({"text": {"fields": ["title", "title"]}})

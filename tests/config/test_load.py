from __future__ import annotations

from pathlib import Path

import pytest

from tagtower.config import Settings, load_settings, settings_from
from tagtower.config.presets import PRESETS
from tagtower.errors import ConfigError


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[image]\nframes = 5\n[loss]\nname = "triplet"\n')
    settings = load_settings("tiny", file, ["image.frames=6", "train.seed=3"])
    assert settings.image.frames == 6
    assert settings.loss.name == "triplet"
    assert settings.train.seed == 3
    assert settings.image.crop == 64  # the preset's own


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid_and_survives_a_round_trip(name: str) -> None:
    settings = load_settings(name)
    assert settings_from(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("override", "suggestion"),
    [
        ("image.frame=4", "image.frames"),
        ("frames=4", "image.frames"),
        ("los.margin=1", "loss.margin"),
        ("train.lerning_rate=1", "train.learning_rate"),
    ],
)
def test_an_unknown_key_names_the_nearest(override: str, suggestion: str) -> None:
    with pytest.raises(ConfigError, match=suggestion):
        load_settings(overrides=[override])


def test_an_unknown_key_in_a_file_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[image]\nframez = 5\n")
    with pytest.raises(ConfigError, match=r"image\.frames"):
        load_settings(file=file)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["image.crop=300"], "image.resize"),
        (["image.encoder=none", "audio.frontend=none", "text.encoder=none"], "nothing of a video"),
        (["image.encoder=none", "audio.encoder=none", "text.encoder=none"], "nothing of a video"),
        (["audio.coefficients=80"], "audio.mels"),
        (["audio.high_hz=9000"], "half of audio.sample_rate"),
        (["audio.hop_ms=40"], "audio.frame_ms"),
        (["text.width=130"], "text.heads"),
        (["text.encoder=none"], "nothing to share"),
        (["tag.encoder=none"], "tags are always text"),
        (["negatives.ceiling=0.01"], "negatives.offset"),
        (["positives.below=0.95"], "positives.above"),
        (["fusion.kind=add", "fusion.top_k=2"], "fusion.top_k is set, but fusion.kind"),
        (["image.depths=2,2"], "image.widths"),
        (["image.encoder=color,resnet"], "mixes descriptors"),
        (["image.temporal=tsm", "image.encoder=shape"], "no residual blocks"),
        (["image.temporal=tsm", "image.encoder=none"], "no residual blocks"),
        (["image.temporal=tsm", "image.widths=4,8,16,32"], "image.widths"),
        (["image.sampling=dense", "image.exactness=keyframe"], "the same keyframe for many"),
    ],
)
def test_contradictions_are_refused_with_both_names(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_settings(overrides=overrides)


@pytest.mark.parametrize(
    "override",
    ["image.frames=0", "image.frames=many", "loss.name=hinge", "loss.margin=nan", "fusion.top_k=0"],
)
def test_a_bad_value_names_its_setting(override: str) -> None:
    with pytest.raises(ConfigError, match=override.split("=")[0]):
        load_settings(overrides=[override])


def test_an_override_without_equals_is_refused() -> None:
    with pytest.raises(ConfigError, match="section.key=value"):
        load_settings(overrides=["image.frames"])


@pytest.mark.parametrize(
    ("given", "found"), [("mfcc", ("mfcc",)), ("cqt,mfcc", ("cqt", "mfcc")), ("none", ()), ('["none"]', ())]
)
def test_one_spectrum_several_or_none(given: str, found: tuple[str, ...]) -> None:
    assert load_settings(overrides=[f"audio.frontend={given}"]).audio.frontend == found


@pytest.mark.parametrize(
    ("overrides", "heard"),
    [
        ([], True),
        (["audio.frontend=none"], False),
        (["audio.encoder=none"], False),
        (["audio.encoder=/models/wavlm"], True),
        (["audio.encoder=/models/wavlm", "audio.frontend=none"], True),
    ],
)
def test_sound_is_heard_through_spectra_or_a_model(overrides: list[str], heard: bool) -> None:
    assert load_settings(overrides=overrides).audio.is_heard is heard


def test_one_spectrum_in_a_file_needs_no_list(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[audio]\nfrontend = "dwt"\n')
    assert load_settings(file=file).audio.frontend == ("dwt",)


@pytest.mark.parametrize("given", ["mfcc,none", "mfcc,mfcc", "mfcd", "3"])
def test_other_lists_of_spectra_are_refused(given: str) -> None:
    with pytest.raises(ConfigError, match=r"audio\.frontend"):
        load_settings(overrides=[f"audio.frontend={given}"])


def test_lists_and_null_can_be_set() -> None:
    settings = load_settings(overrides=["image.depths=1,1", "image.widths=[8, 16]", "audio.high_hz=null"])
    assert settings.image.depths == (1, 1)
    assert settings.image.widths == (8, 16)
    assert settings.audio.high_hz is None


@pytest.mark.parametrize(("content", "words"), [("[image", "not TOML"), ("frames = 3", "outside a table")])
def test_a_malformed_file_is_named(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "c.toml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=words):
        load_settings(file=file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load_settings(file=tmp_path / "none.toml")


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().image.frames = 3  # type: ignore[misc]


@pytest.mark.parametrize("written", ["texture,color", '["color", "texture"]', "color, texture, color"])
def test_a_list_of_descriptors_has_one_spelling(written: str) -> None:
    image = load_settings(overrides=[f"image.encoder={written}"]).image
    assert image.encoder == "color,texture"
    assert image.descriptors == ("color", "texture")


def test_descriptors_in_a_file_are_a_list(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[image]\nencoder = ["shape"]\n')
    assert load_settings(file=file).image.descriptors == ("shape",)


@pytest.mark.parametrize("encoder", ["resnet", "none", "/a/folder, with a comma", "owner/color"])
def test_networks_are_no_descriptors(encoder: str) -> None:
    image = load_settings(overrides=[f"image.encoder={encoder}"]).image
    assert image.encoder == encoder
    assert image.descriptors == ()

"""From a preset, a TOML file and `--set key=value` to checked settings; later ones win."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tagtower.config.explain import setting, setting_keys
from tagtower.config.presets import preset as preset_settings
from tagtower.config.sections import DESCRIPTOR_NAMES, Settings
from tagtower.errors import ConfigError

SCRATCH_TEXT = frozenset({"none", "bert", "bow", "tfidf", "cnn", "lstm"})
"""Text encoders that are always trained."""

Tables = dict[str, dict[str, Any]]


def load_settings(
    preset: str | None = None, file: Path | None = None, overrides: Iterable[str] = ()
) -> Settings:
    """Settings out of the defaults, then `preset`, then the TOML `file`, then `overrides` (`section.key=value`).

    Raises:
        ConfigError: a key is unknown, a value is malformed, or two settings contradict each other.
    """
    tables: Tables = {}
    if preset is not None:
        _merge(tables, preset_settings(preset))
    if file is not None:
        _merge(tables, _read_toml(file))
    for text in overrides:
        key, value = _parse_override(text)
        section, name = key.split(".")
        _merge(tables, {section: {name: value}})
    return settings_from(tables)


def settings_from(tables: Mapping[str, Any]) -> Settings:
    """Checked settings from nested plain values, such as a model folder keeps.

    Raises:
        ConfigError: as for `load_settings`.
    """
    try:
        settings = Settings.model_validate(tables)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain_error(detail) for detail in error.errors())) from None
    check_settings(settings)
    return settings


def check_settings(settings: Settings) -> None:
    """Refuse settings that contradict one another.

    Raises:
        ConfigError: says which two settings, and what to change.
    """
    image, audio, text, tag = settings.image, settings.audio, settings.text, settings.tag
    if image.encoder == text.encoder == "none" and not audio.is_heard:
        raise ConfigError(
            "image.encoder, text.encoder and audio.encoder or audio.frontend are all `none`: nothing of a video would "
            "be read.",
            hint="Switch at least one on.",
        )
    if not image.descriptors and set(image.encoder.split(",")) & set(DESCRIPTOR_NAMES):
        raise ConfigError(
            f"image.encoder = {image.encoder} mixes descriptors with something else.",
            hint=f"Give a list out of {', '.join(DESCRIPTOR_NAMES)}, or one network.",
        )
    if image.temporal == "tsm" and (image.descriptors or image.encoder == "none"):
        raise ConfigError(
            f"image.temporal is `tsm`, but image.encoder is {image.encoder}: there are no residual blocks to shift in.",
            hint="Use image.encoder=resnet or the folder of a ResNet, or image.temporal=none.",
        )
    if image.temporal == "tsm" and image.encoder == "resnet" and min(image.widths) < 8:
        raise ConfigError(
            f"image.temporal is `tsm`, but image.widths has a stage of {min(image.widths)} channels: an eighth of them "
            "is none.",
            hint="Make every stage at least 8 wide.",
        )
    if image.sampling != "sparse" and image.exactness == "keyframe":
        raise ConfigError(
            f"image.sampling is `{image.sampling}`, but image.exactness = keyframe would give the same keyframe for "
            "many frames.",
            hint="Use image.sampling=sparse, or image.exactness=exact.",
        )
    if image.crop > image.resize:
        raise ConfigError(
            f"image.crop ({image.crop}) is larger than image.resize ({image.resize}).",
            hint="The crop is cut out of the resized frame: make it at most as large.",
        )
    if len(image.depths) != len(image.widths):
        raise ConfigError(
            f"image.depths names {len(image.depths)} stages and image.widths {len(image.widths)}.",
            hint="Give both the same number of entries.",
        )
    if audio.coefficients > audio.mels:
        raise ConfigError(
            f"audio.coefficients ({audio.coefficients}) exceeds audio.mels ({audio.mels}).",
            hint="A cosine transform of n bands has n coefficients.",
        )
    nyquist = audio.sample_rate / 2
    high = nyquist if audio.high_hz is None else audio.high_hz
    if not audio.low_hz < high <= nyquist:
        raise ConfigError(
            f"The filter bank from audio.low_hz ({audio.low_hz:g} Hz) to audio.high_hz ({high:g} Hz) is not inside "
            f"0 to {nyquist:g} Hz.",
            hint="The upper edge is at most half of audio.sample_rate.",
        )
    if audio.hop_ms > audio.frame_ms:
        raise ConfigError(
            f"audio.hop_ms ({audio.hop_ms:g}) is longer than audio.frame_ms ({audio.frame_ms:g}): sound between "
            "two frames would be lost.",
            hint="Make the hop at most as long as the frame.",
        )
    if len(set(text.fields)) < len(text.fields):
        raise ConfigError(
            f"text.fields names a field twice: {', '.join(text.fields)}.", hint="Name each field once."
        )
    if text.width % text.heads:
        raise ConfigError(
            f"text.width ({text.width}) is not a multiple of text.heads ({text.heads}).",
            hint="Each attention head takes an equal share of the width.",
        )
    if tag.encoder == "none":
        raise ConfigError(
            "tag.encoder is `none`: tags are always text.",
            hint="Use `shared`, `bert`, a folder or a hub name.",
        )
    wrong = [template for template in tag.templates if template.count("{}") != 1]
    if wrong:
        raise ConfigError(
            f"tag.templates: {wrong[0]!r} does not say once where the tag goes.",
            hint="Write {} in its place, as in `a video of {}`.",
        )
    if tag.encoder == "shared" and text.encoder == "none":
        raise ConfigError(
            "tag.encoder is `shared`, but text.encoder is `none`: there is nothing to share.",
            hint="Set tag.encoder to `bert`, a folder or a hub name.",
        )
    tuned = settings.train.finetune
    if (
        settings.train.backbones == "finetune"
        and tag.encoder == "shared"
        and text.encoder not in SCRATCH_TEXT
        and ("text" in tuned) != ("tag" in tuned)
    ):
        raise ConfigError(
            f"train.finetune = {', '.join(tuned)}, but tag.encoder is `shared`: one network cannot be both trained and "
            "frozen.",
            hint="Name the folder or hub name of text.encoder as tag.encoder too, so that each has its own.",
        )
    if "bert-lstm" in (text.encoder, tag.encoder):
        if text.window_encoder in ("none", "bow", "tfidf", "cnn", "lstm", "bert-lstm"):
            raise ConfigError(
                f"text.window_encoder is `{text.window_encoder}`: the windows of a `bert-lstm` are read by a BERT.",
                hint="Use `bert`, a folder or a hub name.",
            )
        shortest = min(one.max_tokens for one in (text, tag) if one.encoder == "bert-lstm")
        if text.window > shortest:
            raise ConfigError(
                f"text.window ({text.window}) is longer than the text that is read of it ({shortest} tokens).",
                hint="Lower text.window, or raise max_tokens: it bounds all windows together.",
            )
    positives = settings.positives
    if positives.below > positives.above:
        raise ConfigError(
            f"positives.below ({positives.below:g}) is larger than positives.above ({positives.above:g}): a tag would "
            "be a positive and a negative at once.",
            hint="Make positives.below at most positives.above.",
        )
    if settings.fusion.top_k is not None and settings.fusion.kind != "moe":
        raise ConfigError(
            f"fusion.top_k is set, but fusion.kind is `{settings.fusion.kind}`, which has no gate to choose by.",
            hint="Set fusion.kind to `moe`, or fusion.top_k to `default`.",
        )
    if settings.ranking.kind == "hybrid" and settings.positives.source != "labels":
        raise ConfigError(
            "ranking.kind is `hybrid`, but positives.source is `similarity`: the ranker learns which tags people give.",
            hint="Set ranking.kind to `tower`, or learn from labels.",
        )
    ceiling = settings.negatives.ceiling
    if isinstance(ceiling, float | int) and ceiling <= settings.negatives.offset:
        raise ConfigError(
            f"negatives.ceiling ({ceiling:g}) is not above negatives.offset ({settings.negatives.offset:g}): no "
            "tag can lie between them.",
            hint="Raise the ceiling or lower the offset.",
        )


def _merge(tables: Tables, more: Mapping[str, Any]) -> None:
    for section, values in more.items():
        if not isinstance(values, Mapping):
            raise ConfigError(
                f"{section} = {values!r} stands outside a table.",
                hint=f"Settings are named section.key{_near(section)}",
            )
        tables.setdefault(section, {}).update(values)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not TOML: {error}.") from None


def _parse_override(text: str) -> tuple[str, Any]:
    key, equals, raw = text.partition("=")
    key, raw = key.strip(), raw.strip()
    if not equals:
        raise ConfigError(f"--set {text}: there is no `=`.", hint="Write it as --set section.key=value.")
    if key not in setting_keys():
        raise ConfigError(
            f"--set {text}: there is no setting {key!r}{_near(key)}", hint="See: tagtower config show"
        )
    is_list = setting(key).is_list
    if is_list and not raw.startswith("["):
        return key, [_literal(part.strip()) for part in raw.split(",") if part.strip()]
    return key, _literal(raw)


def _literal(raw: str) -> Any:
    """A JSON number, boolean, null, list or string where the text is one; else the text itself."""
    if raw.lower() in {"true", "false"}:
        return raw.lower() == "true"
    if raw.lower() in {"null", "default"}:
        return None
    try:
        return json.loads(raw)
    except json.JSONDecodeError:
        return raw


def _explain_error(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"] if isinstance(part, str))
    if detail["type"] == "extra_forbidden":
        return f"There is no setting {key!r}{_near(key)}"
    known = ".".join(key.split(".")[:2])
    about = f"\n  {known}: {setting(known).description}" if known in setting_keys() else ""
    return f"{known} = {detail['input']!r}: {detail['msg']}.{about}"


def _near(key: str) -> str:
    keys = sorted(setting_keys())
    found = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
    if not found:  # the right key under the wrong section is the commonest slip
        found = [known for known in keys if known.split(".")[1] == key.split(".")[-1]][:1]
    return f"; did you mean {found[0]!r}?" if found else "."

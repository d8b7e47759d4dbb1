from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tagtower.errors import ModelError
from tagtower.features.spectra import FRONTENDS
from tagtower.storage.hashing import hash_json
from tagtower.towers import TwoTower, collate_texts, collate_videos, load_model, save_model
from tagtower.towers.audio import NETWORKS
from tagtower.towers.folder import replace_ranking

from .conftest import TAGS, random_video, tiny_tower

METRICS = {"ndcg@10": 0.5}
KINDS = (
    "scratch",
    "shared",
    "frozen",
    "finetune",
    "recurrent",
    "concatenated",
    "shifted",
    "shifted and frozen",
    "descriptors",
    "sound",
)


def saved(tower: TwoTower, folder: Path) -> Path:
    save_model(folder, tower, TAGS, METRICS, "# A card")
    return folder


def answers(tower: TwoTower) -> list[torch.Tensor]:
    videos = collate_videos([random_video(tower), random_video(tower, 1)], tower.modalities)
    with torch.inference_mode():
        encoding = tower.encode_videos(videos)
        known = None if tower.memory is None else tower.memory.rows([*TAGS[1:], "never seen"])
        return [
            encoding.vectors,
            encoding.weights,
            tower.encode_tags(collate_texts(tower.tag_features(TAGS), known)),
        ]


def remembering(tower: TwoTower) -> TwoTower:
    tower.memory.grow(TAGS)
    return tower


@pytest.fixture
def towers(bert_folder: Path, ernie_folder: Path, resnet_folder: Path) -> dict[str, Callable[[], TwoTower]]:
    return {
        "scratch": lambda: tiny_tower(tag={"encoder": "bert"}),
        "shared": lambda: tiny_tower(tag={"encoder": "shared"}),
        "frozen": lambda: tiny_tower(
            image={"encoder": str(resnet_folder)}, text={"encoder": str(bert_folder)}
        ),
        "finetune": lambda: tiny_tower(
            image={"encoder": str(resnet_folder)},
            text={"encoder": str(ernie_folder), "pool": "cls"},
            tag={"encoder": str(bert_folder)},
            train={"backbones": "finetune"},
            distance={"kind": "euclidean"},
        ),
        "memory": lambda: remembering(tiny_tower(tag={"memory": True})),
        "recurrent": lambda: tiny_tower(image={"join": "lstm"}),
        "concatenated": lambda: tiny_tower(image={"join": "concat"}),
        "shifted": lambda: tiny_tower(image={"temporal": "tsm"}),
        "shifted and frozen": lambda: tiny_tower(image={"encoder": str(resnet_folder), "temporal": "tsm"}),
        "descriptors": lambda: tiny_tower(image={"encoder": ["color", "shape", "texture"]}),
        **{
            kind: (lambda kind=kind: tiny_tower(fusion={"kind": kind}))
            for kind in ("concat", "add", "multiply")
        },
        "codes": lambda: tiny_tower(distance={"kind": "hamming"}),
        "sound": lambda: tiny_tower(
            image={"encoder": "none"},
            text={"encoder": "none"},
            tag={"encoder": "bert"},
            audio={"network": "stats"},
        ),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "scratch",
        "shared",
        "frozen",
        "finetune",
        "memory",
        "recurrent",
        "concatenated",
        "descriptors",
        "sound",
        "codes",
        "concat",
        "add",
        "multiply",
    ],
)
def test_a_loaded_model_answers_to_the_bit(
    kind: str, towers: dict[str, Callable[[], TwoTower]], tmp_path: Path
) -> None:
    answers_to_the_bit(towers[kind](), tmp_path / "model")


@pytest.mark.parametrize(
    "audio",
    [
        *({"frontend": name, "network": "stats"} for name in FRONTENDS),
        *({"frontend": ["mfcc", "flatness"], "network": name} for name in NETWORKS),
        {"frontend": ["dwt", "cqt", "mel"]},
    ],
    ids=lambda audio: " ".join(map(str, audio.values())),
)
def test_every_spectrum_and_every_network_over_them_answers_to_the_bit(
    audio: dict[str, object], tmp_path: Path
) -> None:
    answers_to_the_bit(tiny_tower(image={"encoder": "none"}, audio=audio), tmp_path / "model")


@pytest.mark.parametrize("backbones", ["frozen", "finetune"])
@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "wavlm", "ast", "whisper", "clap", "fusing clap"])
def test_every_pretrained_sound_network_answers_to_the_bit_from_the_folder_alone(
    family: str, backbones: str, sound_folders: dict[str, Path], tmp_path: Path
) -> None:
    gone = shutil.copytree(sound_folders[family], tmp_path / "gone")
    tower = tiny_tower(
        image={"encoder": "none"},
        audio={"encoder": str(gone), "sample_rate": 48_000 if "clap" in family else 16_000},
        train={"backbones": backbones},
    )
    gone.rename(tmp_path / "elsewhere")
    answers_to_the_bit(tower, tmp_path / "model")


def answers_to_the_bit(tower: TwoTower, folder: Path) -> None:
    """Move what is trained a little, save the tower, load it, and compare all that it says."""
    with torch.no_grad():
        for parameter in tower.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    loaded = load_model(saved(tower, folder))
    for expected, found in zip(answers(tower), answers(loaded.tower), strict=True):
        assert torch.equal(expected, found)
    for part in (*tower.modalities, "tag"):
        assert loaded.tower.spec(part) == tower.spec(part)
    assert loaded.tower.settings == tower.settings
    assert loaded.training_tags == tuple(TAGS)
    assert loaded.metrics == METRICS
    assert not loaded.tower.training


def test_a_model_needs_nothing_but_its_folder(resnet_folder: Path, bert_folder: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    for name, source in (("image", resnet_folder), ("text", bert_folder)):
        (gone / name).mkdir(parents=True)
        for file in source.iterdir():
            (gone / name / file.name).write_bytes(file.read_bytes())
    tower = tiny_tower(image={"encoder": str(gone / "image")}, text={"encoder": str(gone / "text")})
    saved(tower, tmp_path / "model")
    gone.rename(tmp_path / "elsewhere")
    (tmp_path / "model").rename(tmp_path / "moved")
    loaded = load_model(tmp_path / "moved")
    assert all(torch.equal(a, b) for a, b in zip(answers(tower), answers(loaded.tower), strict=True))


def test_shared_weights_are_stored_once(tmp_path: Path) -> None:
    shared = saved(tiny_tower(tag={"encoder": "shared"}), tmp_path / "shared")
    names = load_file(shared / "model.safetensors")
    assert {name.split(".")[0] for name in names} == {"image", "audio", "text", "heads", "tag_head", "fusion"}
    assert not (shared / "tag").exists()


def test_nothing_is_pickled(tmp_path: Path) -> None:
    folder = saved(tiny_tower(), tmp_path / "model")
    suffixes = {file.suffix for file in folder.rglob("*") if file.is_file()}
    assert suffixes == {".json", ".safetensors", ".md"}


def test_loading_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    folder = saved(tiny_tower(), tmp_path / "model")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_model(folder)
    assert torch.equal(torch.rand(3), expected)


def test_fingerprint_follows_weights_and_what_else_moves_a_vector(tmp_path: Path) -> None:
    def fingerprint(name: str, **changes: dict[str, object]) -> str:
        return load_model(saved(tiny_tower(**changes), tmp_path / name)).vector_fingerprint

    first = fingerprint("a")
    assert fingerprint("b") == first
    assert fingerprint("c", train={"epochs": 3}, loss={"margin": 0.3}, image={"cache_draws": 9}) == first
    assert fingerprint("d", train={"seed": 9}) != first
    assert fingerprint("e", image={"frames": 5}) != first
    assert fingerprint("f", distance={"kind": "euclidean"}) != first
    assert fingerprint("g", tag={"max_tokens": 9}) != first
    assert fingerprint("h", image={"encoder": "color"}) != fingerprint("i", image={"encoder": "texture"})
    assert fingerprint("j", distance={"sharpness": 3.0, "quantisation": 0.5}) == first
    assert fingerprint("k", fusion={"kind": "add"}) != first
    assert fingerprint("l", fusion={"expert_targets": "own"}) == first


def test_card_and_measurements_may_be_edited(tmp_path: Path) -> None:
    folder = saved(tiny_tower(), tmp_path / "model")
    before = load_model(folder).vector_fingerprint
    (folder / "README.md").write_text("Better words.")
    (folder / "metrics.json").write_text("{}")
    assert load_model(folder).vector_fingerprint == before


def test_what_ranks_beside_the_towers_moves_the_model_and_no_vector(tmp_path: Path) -> None:
    def ranked(name: str, text: str | None) -> tuple[str, str]:
        def write(folder: Path) -> None:
            if text is not None:
                folder.mkdir()
                (folder / "calibration.json").write_text(text)

        save_model(tmp_path / name, tiny_tower(), TAGS, METRICS, "# A card", write)
        loaded = load_model(tmp_path / name)
        return loaded.vector_fingerprint, loaded.model_fingerprint

    plain, first, again, other = ranked("a", None), ranked("b", "1"), ranked("c", "1"), ranked("d", "2")
    assert plain[0] == plain[1] == first[0] == other[0]
    assert first == again
    assert len({plain[1], first[1], other[1]}) == 3


def test_the_ranking_part_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    def write(text: str | None) -> Callable[[Path], None]:
        def save(folder: Path) -> None:
            folder.mkdir()
            (folder / "calibration.json").write_text(text or "half")
            if text is None:
                raise RuntimeError

        return save

    save_model(tmp_path / "model", tiny_tower(), TAGS, METRICS, "# A card", write("1"))
    (tmp_path / "model" / "logs").mkdir()
    (tmp_path / "model" / "logs" / "events").write_text("kept")
    first = load_model(tmp_path / "model")
    with pytest.raises(RuntimeError):
        replace_ranking(tmp_path / "model", write(None))
    assert load_model(tmp_path / "model").model_fingerprint == first.model_fingerprint
    replace_ranking(tmp_path / "model", write("2"))
    second = load_model(tmp_path / "model")
    assert second.model_fingerprint != first.model_fingerprint
    assert second.vector_fingerprint == first.vector_fingerprint
    assert (tmp_path / "model" / "logs" / "events").read_text() == "kept"
    assert [one.name for one in tmp_path.iterdir()] == ["model"]
    replace_ranking(tmp_path / "model", write("1"))
    assert load_model(tmp_path / "model").model_fingerprint == first.model_fingerprint


def test_saving_again_replaces_the_folder(tmp_path: Path) -> None:
    folder = saved(tiny_tower(tag={"encoder": "bert"}), tmp_path / "model")
    saved(tiny_tower(tag={"encoder": "shared"}), folder)
    assert not (folder / "tag").exists()
    assert load_model(folder).tower.settings.tag.encoder == "shared"


def test_a_missing_folder_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such model folder"):
        load_model(tmp_path / "none")


def test_a_folder_written_half_is_refused(tmp_path: Path) -> None:
    folder = saved(tiny_tower(), tmp_path / "model")
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match="written half"):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "training_tags.json", "text/tokenizer.json"])
def test_a_missing_or_altered_file_is_named(name: str, tmp_path: Path) -> None:
    folder = saved(tiny_tower(), tmp_path / "model")
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ModelError, match=f"{name} is not what was written"):
        load_model(folder)
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=f"{name} is not what was written"):
        load_model(folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        load_model(folder)


def test_altered_settings_are_refused(tmp_path: Path) -> None:
    folder = saved(tiny_tower(), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["settings"]["image"]["frames"] = 7
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="was altered"):
        load_model(folder)


def test_another_format_is_refused_with_both_versions(tmp_path: Path) -> None:
    folder = saved(tiny_tower(), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config.update(format=2, tagtower="9.9")
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"format 2, written by TagTower 9\.9; this version reads format 1"):
        load_model(folder)


def test_settings_of_another_version_are_refused(tmp_path: Path) -> None:
    folder = saved(tiny_tower(), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config.pop("sha256")
    config["settings"]["image"]["no_such_setting"] = 1
    (folder / "config.json").write_text(json.dumps({**config, "sha256": hash_json(config)}))
    with pytest.raises(ModelError, match="no_such_setting"):
        load_model(folder)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    folder = saved(tiny_tower(), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config.pop("sha256")
    config["settings"]["audio"]["channels"] = 4
    (folder / "config.json").write_text(json.dumps({**config, "sha256": hash_json(config)}))
    with pytest.raises(ModelError, match=r"audio\.network"):
        load_model(folder)


def test_a_hugging_face_folder_is_told_apart(bert_folder: Path) -> None:
    with pytest.raises(ModelError, match="not one of TagTower's"):
        load_model(bert_folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_a_damaged_config_is_refused(text: str, tmp_path: Path) -> None:
    folder = saved(tiny_tower(), tmp_path / "model")
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError):
        load_model(folder)

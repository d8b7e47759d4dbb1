from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tagtower.config import ImageSettings
from tagtower.features.pixels import normalize
from tagtower.towers.image import FRAMES_AT_ONCE, ImageEncoder
from tagtower.towers.joins import JOINS
from tagtower.towers.vision import Descriptors, pretrained_vision, scratch_vision

SMALL = {"depths": (1, 1), "widths": (8, 16), "resize": 32, "crop": 32}


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def trained(**changes: object) -> ImageEncoder:
    """An encoder from scratch, whose backbone goes with it."""
    torch.manual_seed(0)
    settings = ImageSettings(**{**SMALL, **changes})
    return ImageEncoder(scratch_vision(settings), settings, pretrained=False, frozen=False)


def frozen(folder: Path, **changes: object) -> ImageEncoder:
    settings = ImageSettings(**{**SMALL, **changes})
    return ImageEncoder(pretrained_vision(folder, settings.crop), settings, pretrained=True, frozen=True)


def shifted(folder: Path) -> ImageEncoder:
    settings = ImageSettings(**{**SMALL, "temporal": "tsm"})
    backbone = pretrained_vision(folder, settings.crop, shift=True)
    return ImageEncoder(backbone, settings, pretrained=True, frozen=True)


def batch(*counts: int, longest: int) -> tuple[torch.Tensor, torch.Tensor]:
    frames = torch.zeros(len(counts), longest, 32, 32, 3, dtype=torch.uint8)
    mask = torch.zeros(len(counts), longest, dtype=torch.bool)
    for row, count in enumerate(counts):
        frames[row, :count] = torch.from_numpy(pictures(count, row))
        mask[row, :count] = True
    return frames, mask


def test_a_pretrained_network_that_is_trained_keeps_its_statistics(resnet_folder: Path) -> None:
    settings = ImageSettings(**SMALL)
    encoder = ImageEncoder(
        pretrained_vision(resnet_folder, 32), settings, pretrained=True, frozen=False
    ).train()
    before = {name: values.clone() for name, values in encoder.backbone.named_buffers()}
    encoder(*batch(2, 4, longest=4)).sum().backward()
    assert any("running_mean" in name for name in before)
    assert all(torch.equal(values, before[name]) for name, values in encoder.backbone.named_buffers())
    assert all(weight.grad is not None for weight in encoder.backbone.parameters())
    assert encoder.norm.training
    assert encoder.backbone.training
    assert not encoder.eval().backbone.training


@pytest.mark.parametrize("join", JOINS)
def test_padding_never_leaks(join: str) -> None:
    encoder = trained(join=join).eval()
    frames, mask = batch(2, 4, longest=4)
    expected = encoder(frames, mask)
    frames[0, 2:] = 255
    torch.testing.assert_close(encoder(frames, mask), expected)
    torch.testing.assert_close(encoder(frames[:1, :2], mask[:1, :2]), expected[:1])


def test_padding_reaches_no_statistic_of_training() -> None:
    plain, with_padding = trained().train(), trained().train()
    frames, mask = batch(3, 3, longest=3)
    longer, longer_mask = batch(3, 3, longest=6)
    torch.testing.assert_close(with_padding(longer, longer_mask), plain(frames, mask))
    for a, b in zip(plain.state_dict().values(), with_padding.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_trained_backbone_takes_the_frames_as_they_are() -> None:
    frames = pictures(3)
    assert trained().features(frames) is frames


def test_a_frozen_backbone_gives_a_vector_a_frame(resnet_folder: Path) -> None:
    encoder = frozen(resnet_folder)
    frames = pictures(FRAMES_AT_ONCE + 3)
    frames.flags.writeable = False
    vectors = encoder.features(frames)
    scale = encoder.backbone.pixels
    with torch.inference_mode():
        expected = encoder.backbone(normalize(torch.tensor(frames), scale.mean, scale.std))
    np.testing.assert_allclose(vectors, expected.numpy(), rtol=1e-4, atol=1e-5)
    assert vectors.dtype == np.float32


def test_a_frozen_backbone_never_trains(resnet_folder: Path) -> None:
    encoder = frozen(resnet_folder).train()
    before = encoder.features(pictures(4))
    assert not any(parameter.requires_grad for parameter in encoder.backbone.parameters())
    assert not encoder.backbone.model.training
    encoder(torch.from_numpy(before)[None], torch.ones(1, 4, dtype=torch.bool))
    np.testing.assert_array_equal(encoder.features(pictures(4)), before)


def test_specs_of_frames_are_shared_by_all_trained_backbones() -> None:
    assert trained().spec() == trained(widths=(8, 12), join="max", dropout=0.5, cache_draws=1).spec()
    for change in ({"frames": 5}, {"crop": 24}, {"exactness": "keyframe"}, {"part_seconds": 9.0}):
        assert trained(**change).spec() != trained().spec()


def test_specs_name_what_the_sampling_depends_on_and_nothing_else() -> None:
    dense = trained(sampling="dense", every=5)
    assert dense.spec() == trained(sampling="dense", every=5, frames=3, part_seconds=9.0).spec()
    assert trained().spec() == trained(every=5, max_frames=9).spec()
    others = [{"sampling": "dense", "every": 6}, {"sampling": "dense", "every": 5, "max_frames": 9}]
    for change in (*others, {"sampling": "all"}, {}):
        assert trained(**change).spec() != dense.spec()


def test_specs_of_vectors_name_the_weights_and_the_scale(resnet_folder: Path) -> None:
    assert frozen(resnet_folder).spec() == frozen(resnet_folder).spec()
    other = frozen(resnet_folder)
    with torch.no_grad():
        next(other.backbone.parameters()).mul_(1.001)
    assert other.spec() != frozen(resnet_folder).spec()
    assert frozen(resnet_folder).spec() != trained().spec()


def descriptors(*names: str) -> ImageEncoder:
    settings = ImageSettings(**{**SMALL, "encoder": names})
    return ImageEncoder(Descriptors(settings.descriptors), settings, pretrained=False, frozen=True)


def test_descriptors_are_stored_by_the_frame() -> None:
    encoder = descriptors("color", "texture")
    frames = pictures(FRAMES_AT_ONCE + 1)
    found = encoder.features(frames)
    assert found.shape == (len(frames), encoder.width)
    np.testing.assert_array_equal(found[-1], encoder.features(frames[-1:])[0])
    assert encoder.spec() != descriptors("color").spec()
    assert encoder.spec() == descriptors("texture", "color").spec()


@pytest.mark.parametrize("names", [("color",), ("shape",), ("texture",), ("color", "shape", "texture")])
def test_what_descriptors_see_can_be_learnt(names: tuple[str, ...]) -> None:
    """Discs of one colour on noise against stripes of another: each family alone tells them apart."""
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    down, right = np.mgrid[:32, :32]
    kinds = draw.integers(0, 2, 48)
    clips = []
    for kind in kinds:
        centre = draw.integers(12, 20, 2)
        disc = (down - centre[0]) ** 2 + (right - centre[1]) ** 2 < 64
        mark = disc if kind else (right + draw.integers(6)) % 6 < 3
        colour = (200, 60, 60) if kind else (60, 60, 200)
        frame = np.where(mark[..., None], colour, 90) + draw.integers(-30, 30, (32, 32, 3))
        clips.append(np.clip(frame, 0, 255).astype(np.uint8)[None])
    encoder = descriptors(*names)
    features = torch.stack([torch.from_numpy(encoder.features(clip)) for clip in clips])
    mask = torch.ones(features.shape[:2], dtype=torch.bool)
    out = torch.nn.Linear(encoder.width, 1)
    optimizer = torch.optim.Adam(out.parameters(), 3e-2)
    truth = torch.from_numpy(kinds).float()
    learnt = slice(0, 32)
    for _ in range(30):
        answer = out(encoder(features[learnt], mask[learnt]))[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(answer, truth[learnt])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    answer = out(encoder.eval()(features, mask))[:, 0]
    assert ((answer > 0) == truth.bool())[32:].float().mean() > 0.9


def test_shifted_frames_are_looked_at_clip_by_clip_and_stored_as_such(resnet_folder: Path) -> None:
    encoder, plain = shifted(resnet_folder), frozen(resnet_folder)
    frames = pictures(FRAMES_AT_ONCE + 3)
    vectors = encoder.features(frames)
    whole = encoder.backbone.look(torch.from_numpy(frames), [len(frames)])
    np.testing.assert_array_equal(vectors, whole.numpy())
    assert not np.allclose(vectors[0], encoder.features(frames[:1])[0], atol=1e-4)
    np.testing.assert_array_equal(plain.features(frames)[0], plain.features(frames[:1])[0])
    assert encoder.spec() != plain.spec()


def test_clips_of_a_batch_do_not_see_each_other() -> None:
    encoder = trained(temporal="tsm").eval()
    frames, mask = batch(2, 4, longest=4)
    together = encoder(frames, mask)
    torch.testing.assert_close(encoder(frames[:1, :2], mask[:1, :2]), together[:1])
    torch.testing.assert_close(encoder(frames[1:], mask[1:]), together[1:])


@pytest.mark.parametrize("temporal", ["none", "tsm"])
def test_only_with_the_shift_a_mean_tells_which_way_things_move(temporal: str) -> None:
    torch.manual_seed(0)
    encoder = trained(temporal=temporal, widths=(16, 32), dropout=0.0).train()
    out = torch.nn.Linear(encoder.width, 1)
    right = torch.arange(32) % 2
    frames = torch.zeros(32, 4, 32, 32, 3, dtype=torch.uint8)
    for row, way in enumerate(right.tolist()):
        top = int(torch.randint(0, 24, ()))
        for frame in range(4):
            left = 8 * (frame if way else 3 - frame)
            frames[row, frame, top : top + 8, left : left + 8] = 255
    mask = torch.ones(frames.shape[:2], dtype=torch.bool)
    optimizer = torch.optim.Adam([*encoder.parameters(), *out.parameters()], 3e-3)
    for _ in range(25):
        answer = out(encoder(frames, mask))[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(answer, right.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    backwards = out(encoder.eval()(frames.flip(1), mask))[:, 0]
    forwards = out(encoder(frames, mask))[:, 0]
    if temporal == "none":
        torch.testing.assert_close(backwards, forwards)
    else:
        assert ((forwards > 0) == right.bool()).float().mean() > 0.9
        assert ((backwards > 0) == right.bool()).float().mean() < 0.1

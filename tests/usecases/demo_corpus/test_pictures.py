"""A scene can be told from its pictures: colour and shape from any frame, motion only from the order of frames."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from tagtower.usecases.demo_corpus.pictures import COLOURS, HEIGHT, MOTIONS, WIDTH, Scene, draw, plot

_FRAMES = 24


def _drawn(scene: Scene, seed: int = 0) -> np.ndarray:
    return draw(scene, _FRAMES, np.random.default_rng(seed))


def test_pictures_have_the_size_asked_for_and_repeat() -> None:
    scene = Scene("blue", "triangle", "rising", backdrop=3)
    pictures = _drawn(scene)
    assert pictures.shape == (_FRAMES, HEIGHT, WIDTH, 3)
    assert np.array_equal(pictures, _drawn(scene))
    assert not np.array_equal(pictures, _drawn(scene, seed=1))


@pytest.mark.parametrize("colour", COLOURS)
def test_the_middle_of_the_shape_has_its_colour(colour: str) -> None:
    course = plot("growing", _FRAMES, np.random.default_rng(5))
    pictures = _drawn(Scene(colour, "square", "growing", backdrop=1), seed=5)
    row = round((course.y[-1] + 1) * HEIGHT / 2)
    column = round(course.x[-1] * HEIGHT / 2 + WIDTH / 2)
    seen = pictures[-1, row - 4 : row + 4, column - 4 : column + 4].mean((0, 1)) / 255
    assert _nearest_colour(seen) == colour


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("motion", MOTIONS)
def test_only_what_the_motion_names_goes_one_way(motion: str, seed: int) -> None:
    course = plot(motion, _FRAMES, np.random.default_rng(seed))
    changing, backwards = MOTIONS[motion]
    went = {
        "size": course.radius[-1] - course.radius[0],
        "height": course.y[0] - course.y[-1],
        "light": course.light[0] - course.light[-1],
    }
    assert went.pop(changing) * (-1 if backwards else 1) > 0.3
    assert max(map(abs, went.values())) < 0.01 if changing != "size" else abs(went["light"]) < 0.01


@pytest.mark.parametrize("motion", MOTIONS)
def test_the_shape_stays_in_the_centre_square_and_the_light_in_range(motion: str) -> None:
    for seed in range(20):
        course = plot(motion, _FRAMES, np.random.default_rng(seed))
        assert (np.abs(course.x) + course.radius).max() < 1
        assert (np.abs(course.y) + course.radius).max() < 1
        assert course.light.min() >= 0
        assert course.light.max() <= 1


def test_a_motion_and_its_reverse_show_the_same_frames_in_another_order() -> None:
    sizes = [plot(motion, _FRAMES, np.random.default_rng(2)).radius for motion in ("growing", "shrinking")]
    assert np.allclose(sizes[0], sizes[1][::-1])


def _nearest_colour(rgb: np.ndarray) -> str:
    return min(
        COLOURS, key=lambda name: float(np.abs(np.array(colorsys.hsv_to_rgb(*COLOURS[name])) - rgb).sum())
    )

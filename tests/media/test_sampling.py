from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagtower.media.records import FrameRequest, SoundRequest
from tagtower.media.sampling import segment_times, sound_spans, stretch_times


def test_the_centre_of_each_segment() -> None:
    np.testing.assert_allclose(segment_times(8.0, FrameRequest(frames=4), None), [1, 3, 5, 7])


@pytest.mark.parametrize(
    ("duration", "parts"), [(99.0, 1), (100.0, 1), (101.0, 2), (250.0, 3), (10_000.0, 3)]
)
def test_a_long_video_is_cut_into_parts(duration: float, parts: int) -> None:
    request = FrameRequest(frames=5, part_seconds=100.0, max_parts=3)
    times = segment_times(duration, request, None)
    assert len(times) == 5 * parts
    for part in range(parts):
        of_part = segment_times(duration / parts, FrameRequest(frames=5, part_seconds=1e9), None)
        np.testing.assert_allclose(times[5 * part : 5 * part + 5], part * duration / parts + of_part)


@given(
    duration=st.floats(0.01, 50_000),
    frames=st.integers(1, 20),
    part_seconds=st.floats(1, 1000),
    max_parts=st.integers(1, 6),
    draw=st.none() | st.integers(0, 50),
)
def test_every_segment_gives_one_moment_inside_it(
    duration: float, frames: int, part_seconds: float, max_parts: int, draw: int | None
) -> None:
    request = FrameRequest(frames=frames, part_seconds=part_seconds, max_parts=max_parts)
    times = segment_times(duration, request, draw)
    segment = duration / len(times)
    assert len(times) <= request.frames * request.max_parts
    assert (np.floor(times / segment + 1e-9) == np.arange(len(times))).all()


def test_draws_differ_and_repeat() -> None:
    request = FrameRequest(seed=3)
    first, second = (segment_times(60.0, request, draw) for draw in (0, 1))
    assert (first != second).all()
    np.testing.assert_array_equal(first, segment_times(60.0, request, 0))
    assert (first != segment_times(60.0, FrameRequest(seed=4), 0)).all()


def test_dense_takes_the_middle_of_each_stretch_halfway_to_the_next_frame() -> None:
    shown = np.arange(10) / 10
    request = FrameRequest(sampling="dense", every=3)
    np.testing.assert_allclose(stretch_times(shown, request, None), [0.15, 0.45, 0.75])


def test_all_takes_each_frame_under_every_draw() -> None:
    shown = np.array([0.0, 0.1, 0.5, 0.6])
    for draw in (None, 0, 7):
        times = stretch_times(shown, FrameRequest(sampling="all"), draw)
        np.testing.assert_allclose(times, [0.05, 0.3, 0.55, 0.65])


@given(
    count=st.integers(1, 3000),
    every=st.integers(1, 80),
    max_frames=st.integers(1, 100),
    sampling=st.sampled_from(["dense", "all"]),
    draw=st.none() | st.integers(0, 50),
)
def test_stretches_are_equal_and_no_more_than_the_cap(
    count: int, every: int, max_frames: int, sampling: Literal["dense", "all"], draw: int | None
) -> None:
    request = FrameRequest(sampling=sampling, every=every, max_frames=max_frames)
    places = np.floor(stretch_times(np.arange(count, dtype=float), request, draw)).astype(int)
    k = every if sampling == "dense" else 1
    assert 1 <= len(places) <= max_frames
    assert (np.diff(places) == max(k, -(-count // max_frames))).all()
    assert 0 <= places[0] < max(k, -(-count // max_frames))
    assert count - places[-1] <= max(k, -(-count // max_frames))


def test_draws_of_dense_start_at_other_frames_and_repeat() -> None:
    shown, request = np.arange(1000) / 25, FrameRequest(sampling="dense", every=50)
    starts = {float(stretch_times(shown, request, draw)[0]) for draw in range(8)}
    assert len(starts) > 4
    np.testing.assert_array_equal(stretch_times(shown, request, 3), stretch_times(shown, request, 3))


def test_short_sound_is_read_whole() -> None:
    request = SoundRequest(whole_seconds=60.0, windows=6, window_seconds=10.0)
    assert sound_spans(60.0, request) == [(0, 60)]
    assert sound_spans(None, request) == [(0, 60)]


def test_long_sound_is_read_in_windows_at_the_centres_of_segments() -> None:
    request = SoundRequest(whole_seconds=60.0, windows=3, window_seconds=10.0)
    assert sound_spans(90.0, request) == [(10, 10), (40, 10), (70, 10)]


def test_windows_that_would_overlap_become_the_whole() -> None:
    request = SoundRequest(whole_seconds=20.0, windows=6, window_seconds=10.0)
    assert sound_spans(50.0, request) == [(0, 60)]

"""Sequences of beats found in activations with known beats."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.rhythm.from_sound.beat_paths import find_paths
from inference_service.rhythm.from_sound.features import FRAMES_PER_S
from tests.unit.rhythm.from_sound.activations import activate, steady


@pytest.mark.parametrize("bpm", [44.0, 57.0, 77.0, 100.0, 120.0, 171.0, 225.0])
def test_the_best_sequence_has_the_beats(bpm: float) -> None:
    beats_s, positions = steady(bpm, 4)
    path = find_paths(activate(beats_s, positions, 40.0)[0][0], FRAMES_PER_S)[0]
    assert np.abs(path.frames / FRAMES_PER_S - beats_s).max() <= 0.011
    assert 60.0 * FRAMES_PER_S / path.interval_frames == pytest.approx(bpm, rel=0.01)


def test_half_and_double_tempo_are_among_the_others() -> None:
    beats_s, positions = steady(100.0, 4)
    paths = find_paths(activate(beats_s, positions, 40.0)[0][0], FRAMES_PER_S)
    found_bpm = np.array([60.0 * FRAMES_PER_S / path.interval_frames for path in paths])
    for bpm in (50.0, 100.0, 200.0):
        assert np.abs(found_bpm / bpm - 1.0).min() < 0.03
    assert [path.gain for path in paths] == sorted((path.gain for path in paths), reverse=True)


def test_no_two_sequences_are_alike() -> None:
    beats_s, positions = steady(90.0, 3)
    paths = find_paths(activate(beats_s, positions, 40.0)[0][0], FRAMES_PER_S)
    for index, path in enumerate(paths):
        for other in paths[:index]:
            common = len(set(path.frames.tolist()) & set(other.frames.tolist()))
            assert common < 0.9 * max(len(path.frames), len(other.frames))


def test_follows_a_slowing() -> None:
    intervals_s = np.linspace(0.5, 0.65, 60)
    beats_s = 0.1 + np.concatenate([[0.0], np.cumsum(intervals_s)])
    positions = np.arange(len(beats_s)) % 3 + 1
    activations, _ = activate(beats_s, positions, float(beats_s[-1]) + 0.2)
    path = find_paths(activations[0], FRAMES_PER_S)[0]
    assert len(path.frames) == len(beats_s)
    assert np.abs(path.frames / FRAMES_PER_S - beats_s).max() <= 0.021


def test_goes_on_where_beats_are_missing() -> None:
    beats_s, positions = steady(120.0, 4)
    activations, _ = activate(beats_s, positions, 40.0)
    activations[:, 800:1000] = 0.02
    assert len(find_paths(activations[0], FRAMES_PER_S)[0].frames) == len(beats_s)


@pytest.mark.parametrize("count", [0, 1, 5, 12])
def test_no_room_for_beats_gives_none(count: int) -> None:
    assert find_paths(np.full(count, 0.5), FRAMES_PER_S) == []


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_covers_what_tells_nothing(level: float) -> None:
    for path in find_paths(np.full(1000, level), FRAMES_PER_S):
        longest = 1.3 * path.interval_frames
        assert path.frames[0] <= longest
        assert path.frames[-1] >= 1000 - longest
        assert (np.diff(path.frames) > 0).all()

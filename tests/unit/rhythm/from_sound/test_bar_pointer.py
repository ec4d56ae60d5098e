"""Bars decoded from activations with known beats."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.rhythm.from_sound.bar_pointer import decode_bars

FRAMES_PER_S = 50


def activate(
    beats_s: NDArray[np.float64], positions: NDArray[np.int64], duration_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Activations of a good network for these beats."""
    beat = np.full(round(duration_s * FRAMES_PER_S), 0.02)
    downbeat = np.full(len(beat), 0.01)
    frames = np.rint(beats_s * FRAMES_PER_S).astype(int)
    inside = frames < len(beat)
    beat[frames[inside]] = 0.8
    downbeat[frames[inside]] = np.where(positions[inside] == 1, 0.78, 0.03)
    return beat, downbeat


def steady(
    bpm: float, bar: int, duration_s: float = 40.0, first: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    beats_s = np.arange(0.1, duration_s - 0.05, 60.0 / bpm)
    return beats_s, (np.arange(len(beats_s)) + first) % bar + 1


@pytest.mark.parametrize("bar", [2, 3, 4, 6])
@pytest.mark.parametrize("bpm", [57.0, 77.0, 100.0, 120.0])
def test_finds_steady_bars(bar: int, bpm: float) -> None:
    beats_s, positions = steady(bpm, bar)
    path = decode_bars(*activate(beats_s, positions, 40.0), FRAMES_PER_S)
    assert np.abs(path.frames / FRAMES_PER_S - beats_s).max() <= 0.011
    assert path.positions.tolist() == positions.tolist()
    assert set(path.lengths.tolist()) == {bar}


@pytest.mark.parametrize("first", [1, 2, 3])
def test_begins_with_a_pickup(first: int) -> None:
    beats_s, positions = steady(100.0, 4, first=first)
    path = decode_bars(*activate(beats_s, positions, 40.0), FRAMES_PER_S)
    assert path.positions[:4].tolist() == [(first + k) % 4 + 1 for k in range(4)]


def test_follows_a_slowing() -> None:
    intervals_s = np.linspace(0.4, 0.8, 60)
    beats_s = 0.1 + np.concatenate([[0.0], np.cumsum(intervals_s)])
    positions = np.arange(len(beats_s)) % 3 + 1
    path = decode_bars(*activate(beats_s, positions, float(beats_s[-1]) + 0.2), FRAMES_PER_S)
    assert path.positions.tolist() == positions.tolist()


def test_an_odd_bar_moves_the_bars_after_it() -> None:
    beats_s, _ = steady(120.0, 4, 60.0)
    positions = np.array([*(k % 4 + 1 for k in range(48)), 1, 2, *(k % 4 + 1 for k in range(70))])
    positions = positions[: len(beats_s)]
    path = decode_bars(*activate(beats_s, positions, 60.0), FRAMES_PER_S)
    assert path.positions.tolist() == positions.tolist()
    assert path.lengths[48:50].tolist() == [2, 2]


def test_the_metre_may_change() -> None:
    beats_s, _ = steady(120.0, 4, 48.0)
    positions = np.array([*(k % 4 + 1 for k in range(48)), *(k % 3 + 1 for k in range(60))])
    positions = positions[: len(beats_s)]
    path = decode_bars(*activate(beats_s, positions, 48.0), FRAMES_PER_S)
    assert path.positions.tolist() == positions.tolist()


def test_goes_on_where_beats_are_missing() -> None:
    beats_s, positions = steady(120.0, 4, 40.0)
    beat, downbeat = activate(beats_s, positions, 40.0)
    beat[800:1000] = downbeat[800:1000] = 0.02
    path = decode_bars(beat, downbeat, FRAMES_PER_S)
    assert len(path.frames) == len(beats_s)
    assert path.positions.tolist() == positions.tolist()


@pytest.mark.parametrize("count", [0, 1, 5, 12])
def test_no_room_for_beats_gives_none(count: int) -> None:
    path = decode_bars(np.full(count, 0.5), np.full(count, 0.2), FRAMES_PER_S)
    assert len(path.frames) == len(path.positions) == len(path.lengths) == 0


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_covers_what_tells_nothing(level: float) -> None:
    path = decode_bars(np.full(1000, level), np.full(1000, level), FRAMES_PER_S)
    assert path.frames[0] <= 75
    assert path.frames[-1] >= 1000 - 76
    assert (np.diff(path.frames) > 0).all()
    assert (path.positions <= path.lengths).all()

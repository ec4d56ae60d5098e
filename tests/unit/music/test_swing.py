"""Swung eighths are distinguished from even, dotted and triplet ones."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.music.swing import (
    MIN_PAIRS,
    USUAL_SHORT,
    find_short,
    find_swing,
    straighten,
)


def _beats(*phases: float, count: int = 32, deviation: float = 0.02) -> np.ndarray:
    places = (np.arange(count)[:, None] + np.array([0.0, *phases])[None, :]).ravel()
    return np.sort(places + np.random.default_rng(0).normal(0, deviation, len(places)))


@pytest.mark.parametrize("short", [0.6, 0.66, 0.7])
def test_long_and_short_eighths_swing(short: float) -> None:
    assert find_swing([_beats(short)]) == pytest.approx(short, abs=0.02)


@pytest.mark.parametrize("phases", [(0.5,), (0.75,), (1 / 3, 2 / 3), (0.25, 0.5, 0.75), ()])
def test_other_divisions_do_not(phases: tuple[float, ...]) -> None:
    assert find_swing([_beats(*phases)]) is None


def test_a_few_pairs_are_no_style() -> None:
    assert find_swing([_beats(0.66, count=MIN_PAIRS - 1)]) is None


def test_a_piece_that_is_half_even_is_even() -> None:
    half = np.concatenate([_beats(0.66, count=16), 16 + _beats(0.5, count=16)])
    assert find_swing([half]) is None
    assert find_swing([_beats(0.66, count=16), _beats(0.5, count=16)]) is None


def test_nothing_does_not_swing() -> None:
    assert find_swing([]) is None
    assert find_swing([np.array([]), np.array([])]) is None


def test_fills_and_errors_among_swung_eighths_are_allowed_for() -> None:
    wrong = np.random.default_rng(1).uniform(0.0, 32.0, 12)
    found = find_swing([np.sort(np.concatenate([_beats(0.64, deviation=0.04), wrong]))])
    assert found == pytest.approx(0.64, abs=0.03)


def test_parts_that_swing_apart_swing_together() -> None:
    early, late = _beats(0.63, count=6), _beats(0.68, count=6)
    assert find_swing([early]) is None
    assert find_swing([early, late]) is not None


def test_straightening_puts_the_short_eighth_in_the_middle() -> None:
    places = np.array([0.0, 0.33, 0.66, 0.83, 1.0, 1.66, -0.34])
    assert straighten(places, 0.66) == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0, 1.5, -0.5])


def test_the_short_eighth_of_known_swing_is_the_one_that_is_played() -> None:
    assert find_short(_beats(0.62)) == pytest.approx(0.62, abs=0.01)
    assert find_short(np.arange(4.0)) == USUAL_SHORT
    assert find_short(np.zeros(0)) == USUAL_SHORT

"""The clock between written positions and the recording."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_service.music.clock import Clock, fit_clock
from inference_service.music.events import Beat
from inference_service.music.time import BeatGrid

EVEN = BeatGrid([Beat(1.0 + 0.5 * k, k % 4 + 1) for k in range(9)])
"""Beats every half second, from 1 s on."""


def fit(onsets: list[tuple[float, float]], start: int = 0, stop: int = 8) -> Clock:
    placed = [(Fraction(place), time_s) for place, time_s in onsets]
    return fit_clock(placed, EVEN, Fraction(start), Fraction(stop))


def test_without_notes_the_clock_follows_the_beats() -> None:
    clock = fit([])
    assert clock.positions == tuple(float(k) for k in range(9))
    assert clock.times_s == tuple(1.0 + 0.5 * k for k in range(9))


def test_an_attack_is_where_it_was_heard() -> None:
    clock = fit([(0, 1.05), (2, 2.3), (3.5, 2.8)])
    for place, time_s in ((0, 1.05), (2, 2.3), (3.5, 2.8)):
        assert clock.to_seconds(place) == pytest.approx(time_s)
        assert clock.to_position(time_s) == pytest.approx(place)


def test_between_attacks_the_clock_runs_as_the_beats_do() -> None:
    uneven = BeatGrid([Beat(t, 1) for t in (0.0, 1.0, 1.5, 3.0)])
    clock = fit_clock([(Fraction(0), 0.1), (Fraction(3), 3.4)], uneven, Fraction(0), Fraction(3))
    assert clock.to_seconds(1) == pytest.approx(0.1 + 1.0 * 1.1)
    assert clock.to_seconds(2) == pytest.approx(0.1 + 1.5 * 1.1)


def test_before_the_first_attack_and_after_the_last_it_runs_with_the_beats() -> None:
    clock = fit([(2, 2.2), (4, 3.4)], start=-3, stop=8)
    assert clock.to_seconds(0) == pytest.approx(1.2)
    assert clock.to_seconds(-3) == pytest.approx(-0.3), "before the recording"
    assert clock.to_seconds(8) == pytest.approx(5.4)


def test_a_chord_is_heard_at_the_median_of_its_onsets() -> None:
    assert fit([(2, 2.0), (2, 2.02), (2, 2.5)]).to_seconds(2) == pytest.approx(2.02)


def test_attacks_out_of_order_are_heard_together() -> None:
    clock = fit([(1, 1.5), (2, 2.2), (2.5, 2.0), (4, 3.0)])
    assert clock.to_seconds(2) < clock.to_seconds(2.5)
    assert clock.to_seconds(2) == pytest.approx(2.1, abs=0.02)
    assert clock.to_seconds(2.5) == pytest.approx(2.1, abs=0.02)
    assert clock.to_seconds(4) == pytest.approx(3.0)


def test_beyond_its_points_a_clock_goes_on() -> None:
    clock = Clock((0.0, 1.0, 2.0), (0.0, 1.0, 3.0))
    assert clock.to_seconds(-1.0) == -1.0
    assert clock.to_seconds(3.0) == 5.0
    assert clock.to_position(5.0) == 3.0


@given(
    st.lists(
        st.tuples(
            st.fractions(min_value=0, max_value=8, max_denominator=24),
            st.floats(min_value=0.0, max_value=10.0),
        ),
        max_size=30,
    )
)
def test_any_clock_is_strictly_increasing_and_runs_both_ways(
    onsets: list[tuple[Fraction, float]],
) -> None:
    clock = fit_clock(onsets, EVEN, Fraction(-1), Fraction(9))
    assert all(a < b for a, b in pairwise(clock.positions))
    assert all(a < b for a, b in pairwise(clock.times_s))
    for position in (-2.0, 0.0, 3.3, 12.0):
        assert clock.to_position(clock.to_seconds(position)) == pytest.approx(position, abs=1e-6)

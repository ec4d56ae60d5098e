"""Arrivals: as many as expected, random for people alone, in bursts for groups."""

from __future__ import annotations

import math

import numpy as np
import pytest

from deploy.planning.demand import (
    ALONE,
    HOUR_S,
    HOURS,
    KINDS,
    WEEKLY_PEAK,
    Groups,
    busiest_hour,
    draw_arrivals,
    draw_recordings,
    spread_saturday,
)

MANY = Groups(share=0.5, size=8.0, within_s=5.0)


def dispersion(arrivals_s: np.ndarray, span_s: float, until_s: float) -> float:
    """Variance over mean of the counts in equal spans: 1 for a Poisson process."""
    counts, _ = np.histogram(arrivals_s, np.arange(0.0, until_s + span_s, span_s))
    return float(counts.var() / counts.mean())


def test_people_alone_are_a_poisson_process() -> None:
    arrivals_s = draw_arrivals([36_000.0], HOUR_S, ALONE, np.random.default_rng(1))
    assert len(arrivals_s) == pytest.approx(36_000, abs=4 * math.sqrt(36_000))
    assert dispersion(arrivals_s, 1.0, HOUR_S) == pytest.approx(1.0, abs=4 * math.sqrt(2 / 3600))
    gaps_s = np.diff(arrivals_s)
    assert gaps_s.std() / gaps_s.mean() == pytest.approx(1.0, abs=0.03)


def test_groups_send_as_many_in_bursts() -> None:
    arrivals_s = draw_arrivals([36_000.0], HOUR_S, MANY, np.random.default_rng(1))
    assert len(arrivals_s) == pytest.approx(36_000, rel=0.05)
    assert list(arrivals_s) == sorted(arrivals_s)
    assert dispersion(arrivals_s, 60.0, HOUR_S) > 3.0


def test_each_span_has_its_own_number() -> None:
    arrivals_s = draw_arrivals([0.0, 5_000.0, 0.0], 10.0, ALONE, np.random.default_rng(1))
    assert arrivals_s.min() >= 10.0
    assert arrivals_s.max() < 20.0


def test_a_saturday_has_the_hours_of_a_day() -> None:
    expected = spread_saturday(1_000)
    assert sum(expected) == pytest.approx(1_000 * WEEKLY_PEAK)
    assert len(expected) == len(HOURS) == 24
    assert busiest_hour(1_000) == max(expected) > 2 * 1_000 / 24


def test_recordings_are_of_the_assumed_kinds() -> None:
    recordings = draw_recordings([20_000.0], HOUR_S, ALONE, np.random.default_rng(1))
    assert sum(kind.share for kind in KINDS) == pytest.approx(1.0)
    for kind in KINDS:
        lengths_s = [recording.length_s for recording in recordings if recording.kind is kind]
        assert len(lengths_s) / len(recordings) == pytest.approx(kind.share, abs=0.02)
        assert np.median(lengths_s) == pytest.approx(kind.median_s, rel=0.05)
        assert max(lengths_s) <= 900.0


def test_a_seed_draws_the_same_again() -> None:
    def draw(seed: int) -> list[float]:
        recordings = draw_recordings([100.0], HOUR_S, MANY, np.random.default_rng(seed))
        return [recording.arrival_s + recording.length_s for recording in recordings]

    assert draw(1) == draw(1) != draw(2)

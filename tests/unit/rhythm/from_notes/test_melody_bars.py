"""Metre, values and bars of tunes that everybody knows, and the search for phases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.rhythm.from_notes import melody_bars
from inference_service.rhythm.from_notes.melody_bars import (
    METRE_ODDS,
    Melody,
    MelodyBarReader,
    MelodyReading,
    _find_phases,
)
from inference_service.rhythm.from_notes.score_network import INTERVALS, METRES, QUARTER_PARTS
from model_zoo.training.rhythm.melody_excerpts import METRE_SHARES
from tests.unit.rhythm.from_notes.readings import even

WEIGHTS = Path(__file__).parents[4] / "model_zoo" / "weights" / "melody_bars.safetensors"

Notes = tuple[tuple[int, float], ...]
"""Pitches with their values in quarters."""


class Tune(NamedTuple):
    """A tune as it is printed."""

    notes: Notes
    tonic: int
    metre: tuple[int, int]
    pickup_q: float
    quarter_s: float


def repeat(pitches: Sequence[int], value_q: float) -> Notes:
    return tuple((pitch, value_q) for pitch in pitches)


ODE_LINE = repeat((64, 64, 65, 67, 67, 65, 64, 62, 60, 60, 62, 64), 1)
ODE = Tune(
    (*ODE_LINE, (64, 1.5), (62, 0.5), (62, 2), *ODE_LINE, (62, 1.5), (60, 0.5), (60, 2)),
    tonic=0,
    metre=(4, 4),
    pickup_q=0,
    quarter_s=0.6,
)
GRACE_LINE = ((62, 1), (67, 2), (71, 0.5), (67, 0.5), (71, 2), (69, 1))
AMAZING_GRACE = Tune(
    (
        *GRACE_LINE,
        *((67, 2), (64, 1), (62, 2)),
        *GRACE_LINE,
        *((74, 5), (71, 1), (74, 2), (71, 0.5), (67, 0.5), (71, 2), (69, 1)),
        *((67, 2), (64, 1), (62, 2)),
        *GRACE_LINE,
        (67, 5),
    ),
    tonic=7,
    metre=(3, 4),
    pickup_q=1,
    quarter_s=0.65,
)
JIG_LINE = (67, 62, 62, 59, 62, 62, 67, 67, 67, 71, 69, 67)
IRISH_WASHERWOMAN = Tune(
    (
        *repeat((71, 69), 0.25),
        *repeat((*JIG_LINE, 69, 64, 64, 60, 64, 64, 69, 69, 69, 72, 71, 69), 0.5),
        *repeat((*JIG_LINE, 72, 71, 72, 69, 74, 72, 71, 67, 67), 0.5),
        (67, 1),
    ),
    tonic=7,
    metre=(6, 8),
    pickup_q=0.5,
    quarter_s=0.35,
)
ROW_YOUR_BOAT = Tune(
    (
        *((60, 1.5), (60, 1.5), (60, 1), (62, 0.5), (64, 1.5)),
        *((64, 1), (62, 0.5), (64, 1), (65, 0.5), (67, 3)),
        *repeat((72, 72, 72, 67, 67, 67, 64, 64, 64, 60, 60, 60), 0.5),
        *((67, 1), (65, 0.5), (64, 1), (62, 0.5), (60, 3)),
    ),
    tonic=0,
    metre=(6, 8),
    pickup_q=0,
    quarter_s=0.55,
)
TUNES = (ODE, AMAZING_GRACE, IRISH_WASHERWOMAN, ROW_YOUR_BOAT)


def sing(tune: Tune, hurry: float = 1.0) -> Melody:
    """Sing in strict time, ``hurry`` times as fast, to a score network without an opinion."""
    quarter_s = tune.quarter_s / hurry
    values_q = np.array([value for _, value in tune.notes])
    starts_q = np.concatenate([[0.0], np.cumsum(values_q)[:-1]])
    return Melody(
        onset_s=quarter_s * starts_q,
        duration_s=0.9 * quarter_s * values_q,
        pitch=np.array([pitch for pitch, _ in tune.notes]),
        positions=QUARTER_PARTS * np.arange(len(tune.notes)),
        tonic=tune.tonic,
        interval=even(len(tune.notes), len(INTERVALS)),
    )


@pytest.fixture(name="reader", scope="module")
def load_reader() -> MelodyBarReader:
    return MelodyBarReader(WEIGHTS)


def find_pickup(reading: MelodyReading) -> float:
    """Return how many quarters after the first note a bar begins."""
    first = int(reading.positions[0])
    return next(line - first for line in reading.bars.lines if line >= first) / QUARTER_PARTS


@pytest.mark.parametrize("hurry", [0.9, 1.0, 1.1])
@pytest.mark.parametrize("tune", TUNES)
def test_known_tunes_are_read_as_printed(reader: MelodyBarReader, tune: Tune, hurry: float) -> None:
    best = reader.read(sing(tune, hurry))[0]
    assert best.bars.metre == tune.metre
    assert find_pickup(best) == tune.pickup_q
    values_q = np.diff(best.positions) / QUARTER_PARTS
    np.testing.assert_allclose(values_q, [value for _, value in tune.notes[:-1]])


def test_readings_are_sorted_and_differ(reader: MelodyBarReader) -> None:
    readings = reader.read(sing(ODE))
    assert {reading.bars.metre for reading in readings} == set(METRES)
    scores = [reading.score for reading in readings]
    assert scores == sorted(scores, reverse=True)
    kinds = set()
    for reading in readings:
        beats, unit = reading.bars.metre
        lines = reading.bars.lines
        assert {b - a for a, b in pairwise(lines)} == {4 * QUARTER_PARTS * beats // unit}
        assert lines[0] <= reading.positions[0]
        assert lines[-1] > reading.positions[-1]
        assert (np.diff(reading.positions) > 0).all()
        steps = float(np.median(np.diff(reading.positions)))
        kinds.add((reading.bars.metre, steps, int(reading.positions[0]) - lines[0]))
    assert len(kinds) == len(readings)


def test_bars_that_begin_elsewhere_are_readings_too(reader: MelodyBarReader) -> None:
    best, *others = reader.read(sing(ODE))
    shifts = {
        find_pickup(other)
        for other in others
        if other.bars.metre == best.bars.metre
        and np.array_equal(np.diff(other.positions), np.diff(best.positions))
    }
    assert find_pickup(best) == 0
    assert 2.0 in shifts


def test_odds_of_metres_are_those_of_songs_to_those_in_training() -> None:
    songs = np.array([227, 341, 861, 188, 43, 20, 14])
    odds = np.log(songs / songs.sum() / np.array(METRE_SHARES))
    np.testing.assert_allclose(METRE_ODDS, odds, atol=1e-2)


@pytest.mark.parametrize("shift", [-12, 1, 5])
def test_bars_do_not_depend_on_the_key(reader: MelodyBarReader, shift: int) -> None:
    here = sing(AMAZING_GRACE)
    there = replace(here, pitch=here.pitch + shift, tonic=(here.tonic + shift) % 12)
    for ours, theirs in zip(reader.read(here), reader.read(there), strict=True):
        assert ours.bars == theirs.bars
        np.testing.assert_array_equal(ours.positions, theirs.positions)
        assert ours.score == pytest.approx(theirs.score, abs=1e-3)


@pytest.mark.parametrize(
    ("tune", "extra_q"),
    [(ODE, -1), (ODE, 0.5), (ODE, 1), (AMAZING_GRACE, 0.5), (AMAZING_GRACE, 1)],
)
def test_a_breath_after_a_long_note_moves_no_bars(
    reader: MelodyBarReader, tune: Tune, extra_q: float
) -> None:
    ends_q = np.cumsum([value for _, value in tune.notes])
    last = int(np.flatnonzero(ends_q == {ODE: 16, AMAZING_GRACE: 12}[tune])[0])
    notes = list(tune.notes)
    notes[last] = (notes[last][0], notes[last][1] + extra_q)
    best = reader.read(sing(tune._replace(notes=tuple(notes))))[0]
    assert best.bars.metre == tune.metre
    beats, unit = tune.metre
    assert {b - a for a, b in pairwise(best.bars.lines)} == {4 * QUARTER_PARTS * beats // unit}
    starts_q = (best.positions - best.positions[0]) / QUARTER_PARTS
    np.testing.assert_allclose(starts_q[last + 1 :], ends_q[last:-1])


def test_two_notes_are_enough(reader: MelodyBarReader) -> None:
    two = ODE._replace(notes=ODE.notes[:2])
    best = reader.read(sing(two))[0]
    assert len(best.positions) == 2
    assert np.isfinite(best.score)
    assert len(best.bars.lines) >= 2


@pytest.mark.parametrize("seed", range(3))
def test_eighths_that_hurry_and_drag_are_eighths(reader: MelodyBarReader, seed: int) -> None:
    melody = sing(ROW_YOUR_BOAT)
    noise_s = np.random.default_rng(seed).normal(0, 0.025, len(melody.onset_s))
    best = reader.read(replace(melody, onset_s=melody.onset_s + noise_s))[0]
    values_q = np.diff(best.positions) / QUARTER_PARTS
    np.testing.assert_allclose(values_q, [value for _, value in ROW_YOUR_BOAT.notes[:-1]])


def test_given_positions_are_read_where_the_own_ones_have_no_grid(
    reader: MelodyBarReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(melody_bars, "spans_a_grid", lambda _: False)
    melody = sing(ODE)
    best = reader.read(replace(melody, positions=48 * np.arange(len(ODE.notes))))[0]
    assert np.bincount(np.diff(best.positions)).max() > 0.9 * len(best.positions)


def score_path(
    path: Sequence[int],
    potentials: NDArray[np.float64],
    opening: NDArray[np.float64],
    costs: NDArray[np.float64],
) -> float:
    places = (np.arange(len(path)) - path) % len(potentials)
    changes = np.flatnonzero(np.diff(path)) + 1
    potential = potentials[places, np.arange(len(path))].sum()
    return float(opening[path[0]] + potential - costs[changes].sum())


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("cost", [0.5, 2.0, np.inf])
def test_the_search_finds_the_best_phases(seed: int, cost: float) -> None:
    length, count = 3, 7
    generator = np.random.default_rng(seed)
    potentials, opening = generator.normal(size=(length, count)), generator.normal(size=length)
    costs = np.where(generator.random(count) < 0.6, cost, np.inf)
    score, phases = _find_phases(potentials, opening, costs)
    paths = list(product(range(length), repeat=count))
    best = max(paths, key=lambda path: score_path(path, potentials, opening, costs))
    assert score == pytest.approx(score_path(best, potentials, opening, costs))
    assert phases.tolist() == list(best)
    if cost == np.inf:
        assert len(set(best)) == 1

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

from inference_service.rhythm.from_notes.melody_bars import (
    SCALES,
    Melody,
    MelodyBarReader,
    MelodyReading,
    _find_phases,
)
from inference_service.rhythm.from_notes.score_network import METRES, QUARTER_PARTS

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


def sing(tune: Tune, located_scale: float = 1.0, start_q: float = 0.0) -> Melody:
    """Sing in strict time, located at ``located_scale`` times the printed values."""
    values_q = np.array([value for _, value in tune.notes])
    starts_q = np.concatenate([[0.0], np.cumsum(values_q)[:-1]])
    return Melody(
        onset_s=tune.quarter_s * starts_q,
        duration_s=0.9 * tune.quarter_s * values_q,
        pitch=np.array([pitch for pitch, _ in tune.notes]),
        positions=to_parts((start_q + starts_q) * located_scale),
        tonic=tune.tonic,
    )


def to_parts(positions_q: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.round(positions_q * QUARTER_PARTS).astype(np.int64)


@pytest.fixture(name="reader", scope="module")
def load_reader() -> MelodyBarReader:
    return MelodyBarReader(WEIGHTS)


def find_pickup(reading: MelodyReading) -> float:
    """Return how many quarters after the first note a bar begins."""
    first = int(reading.positions[0])
    return next(line - first for line in reading.bars.lines if line >= first) / QUARTER_PARTS


@pytest.mark.parametrize("located_scale", SCALES)
@pytest.mark.parametrize("tune", TUNES)
def test_known_tunes_are_read_as_printed(
    reader: MelodyBarReader, tune: Tune, located_scale: float
) -> None:
    best = reader.read(sing(tune, located_scale))[0]
    assert best.bars.metre == tune.metre
    assert find_pickup(best) == tune.pickup_q
    values_q = np.diff(best.positions) / QUARTER_PARTS
    np.testing.assert_allclose(values_q, [value for _, value in tune.notes[:-1]])


def test_readings_of_all_metres_and_scales_are_sorted(reader: MelodyBarReader) -> None:
    readings = reader.read(sing(ODE))
    assert len(readings) == len(SCALES) * len(METRES)
    scores = [reading.score for reading in readings]
    assert scores == sorted(scores, reverse=True)
    for reading in readings:
        beats, unit = reading.bars.metre
        lines = reading.bars.lines
        assert {b - a for a, b in pairwise(lines)} == {4 * QUARTER_PARTS * beats // unit}
        assert lines[0] <= reading.positions[0]
        assert lines[-1] > reading.positions[-1]
        assert (np.diff(reading.positions) > 0).all()


@pytest.mark.parametrize("shift", [-12, 1, 5])
def test_bars_do_not_depend_on_the_key(reader: MelodyBarReader, shift: int) -> None:
    here = sing(AMAZING_GRACE)
    there = replace(here, pitch=here.pitch + shift, tonic=(here.tonic + shift) % 12)
    for ours, theirs in zip(reader.read(here), reader.read(there), strict=True):
        assert ours.bars == theirs.bars
        np.testing.assert_array_equal(ours.positions, theirs.positions)
        assert ours.score == pytest.approx(theirs.score, abs=1e-3)


def test_where_positions_begin_does_not_matter(reader: MelodyBarReader) -> None:
    here, there = (reader.read(sing(ODE, start_q=start_q))[0] for start_q in (0.0, 7.5))
    assert here.bars == there.bars
    np.testing.assert_array_equal(here.positions, there.positions)


@pytest.mark.parametrize("tune", [ODE, AMAZING_GRACE])
@pytest.mark.parametrize("extra_q", [-1, 0.5, 1])
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


def test_notes_at_one_position_stay_there(reader: MelodyBarReader) -> None:
    melody = sing(ODE)
    positions = melody.positions.copy()
    positions[2] = positions[1]
    best = reader.read(replace(melody, positions=positions))[0]
    assert best.bars.metre == (4, 4)
    assert best.positions[2] == best.positions[1]


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

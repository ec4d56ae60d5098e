"""Notes of melodies located in the bars of each metre, with the step counts that are served."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.checkpoint import load_network
from inference_service.rhythm.from_notes.melody_location import (
    BAR_PARTS,
    BAR_PLACES,
    FIRST_ROW,
    STEPS,
    Location,
    locate_melody,
)
from inference_service.rhythm.from_notes.melody_network import MelodyBarNetwork
from inference_service.rhythm.from_notes.score_network import INTERVALS, METRES, QUARTER_PARTS
from tests.unit.rhythm.from_notes.readings import even

WEIGHTS = Path(__file__).parents[4] / "model_zoo" / "weights" / "melody_bars.safetensors"
TWO, THREE, FOUR, SIX = (METRES.index(metre) for metre in ((2, 4), (3, 4), (4, 4), (6, 8)))

TUNE_Q = (*[1.0] * 6, 2, *[1.0] * 6, 2, 0.5, 0.5, 1, 0.5, 0.5, 1, 1.5, 0.5, 2)


@pytest.fixture(name="tables", scope="module")
def load_tables() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    network = load_network(WEIGHTS, MelodyBarNetwork)
    return network.step.double().numpy(), network.beginning.double().numpy()


def locate(
    tables: tuple[NDArray[np.float64], NDArray[np.float64]], onset_s: NDArray[np.float64]
) -> list[Location]:
    return locate_melody(onset_s, even(len(onset_s), len(INTERVALS)), *tables)


def find_values(location: Location) -> NDArray[np.float64]:
    """Return the written values, the shortest as long as that of the tune."""
    steps = np.diff(location.positions)
    return np.asarray(steps / steps.min() * min(TUNE_Q), np.float64)


def play(values_q: Sequence[float], quarter_s: float = 0.6) -> NDArray[np.float64]:
    return quarter_s * np.cumsum([0.0, *values_q])


def test_places_lie_in_the_bar() -> None:
    for metre, (places, parts) in enumerate(zip(BAR_PLACES, BAR_PARTS, strict=True)):
        assert FIRST_ROW[metre + 1] - FIRST_ROW[metre] == len(places)
        assert (np.diff(places) > 0).all()
        assert places[0] == 0
        assert places[-1] < parts
        assert not (places % 2).any(), "steps are even"
    assert BAR_PARTS[FOUR] == 96
    assert BAR_PLACES[SIX].tolist() == list(range(0, 72, 6))


def test_a_location_for_each_metre(
    tables: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    found = locate(tables, play(TUNE_Q))
    assert len(found) == len(METRES)
    for location, places, parts in zip(found, BAR_PLACES, BAR_PARTS, strict=True):
        assert set((location.positions % parts).tolist()) <= set(places.tolist())
        assert (np.diff(location.positions) > 0).all()
        assert np.isfinite(location.timing)
    np.testing.assert_allclose(find_values(found[FOUR]), TUNE_Q)


@pytest.mark.parametrize("seed", range(4))
def test_singers_hurry_and_breathe(
    tables: tuple[NDArray[np.float64], NDArray[np.float64]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    onset_s = play(TUNE_Q) + rng.normal(0, 0.025, len(TUNE_Q) + 1)
    onset_s[7:] += 0.25  # after the first half note
    onset_s[14:] -= 0.15
    found = locate(tables, onset_s)[FOUR]
    np.testing.assert_allclose(find_values(found), TUNE_Q)


def test_even_timing_is_likelier(tables: tuple[NDArray[np.float64], NDArray[np.float64]]) -> None:
    onset_s = play(TUNE_Q)
    uneven_s = onset_s + np.random.default_rng(0).normal(0, 0.03, len(onset_s))
    steady, unsteady = (locate(tables, times)[FOUR].timing for times in (onset_s, uneven_s))
    assert steady > unsteady


def test_a_long_silence_is_whole_bars(
    tables: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    values_q = [*[1.0] * 7, 29.0, *[1.0] * 7]
    moved = np.diff(locate(tables, play(values_q))[FOUR].positions)
    assert len(set(np.delete(moved, 7).tolist())) == 1
    assert moved[7] % BAR_PARTS[FOUR] == 0
    assert abs(moved[7] / moved[0] - 29) <= BAR_PARTS[FOUR] / moved[0] / 2


def test_one_note_and_notes_at_once(
    tables: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    assert all(len(found.positions) == 1 for found in locate(tables, np.array([1.0])))
    together = np.array([0.0, 0.0, 0.0, 0.5, 1.0])
    assert all((np.diff(f.positions) > 0).all() for f in locate(tables, together))


def test_what_is_served_are_probabilities(
    tables: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    step, beginning = np.exp(tables[0]), np.exp(tables[1])
    assert step.shape == (FIRST_ROW[-1], STEPS)
    np.testing.assert_allclose(step.sum(1), 1.0, atol=0.01)
    np.testing.assert_allclose(np.add.reduceat(beginning, FIRST_ROW[:-1]), 1.0, atol=0.01)
    on_beat = step[FIRST_ROW[FOUR]]
    assert on_beat.argmax() == QUARTER_PARTS // 2, "quarters are the commonest steps"

"""Readings of activations with known beats and bars, by the parameters that are served."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.errors import ModelRejected
from inference_service.music.events import ChordSegment
from inference_service.rhythm.from_sound.features import FRAMES_PER_S
from inference_service.rhythm.from_sound.reading_model import (
    ReadingModel,
    load_model,
    name_metre,
    save_model,
)
from inference_service.rhythm.from_sound.readings import (
    Reading,
    compare,
    find_candidates,
    place_bars,
)
from tests.conftest import ROOT
from tests.unit.rhythm.from_sound.activations import activate, steady

SERVED = ROOT / "model_zoo" / "weights" / "readings.json"


@pytest.fixture(scope="module")
def model() -> ReadingModel:
    return load_model(SERVED)


def change_chords(beats_s: NDArray[np.float64], positions: NDArray[np.int64]) -> list[ChordSegment]:
    starts_s = [0.0, *beats_s[positions == 1]]
    return [
        ChordSegment(start_s, end_s, label)
        for start_s, end_s, label in zip(
            starts_s,
            [*starts_s[1:], starts_s[-1] + 1.0],
            ["C", "F", "G", "A:min"] * 99,
            strict=False,
        )
    ]


def read(
    model: ReadingModel,
    beats_s: NDArray[np.float64],
    positions: NDArray[np.int64],
    compound: float = 0.05,
) -> tuple[list[Reading], NDArray[np.int64]]:
    """Return the readings, and the positions with odd bars and changes of metre."""
    duration_s = float(beats_s[-1]) + 0.3
    activations, features = activate(beats_s, positions, duration_s, compound)
    candidates = find_candidates(activations, features, change_chords(beats_s, positions))
    readings = compare(candidates, model, duration_s)
    best = next(c for c in candidates if c.frames is readings[0].frames)
    return readings, place_bars(best, readings[0], model)


@pytest.mark.parametrize("bar", [3, 4])
@pytest.mark.parametrize("bpm", [77.0, 100.0, 129.0])
def test_finds_steady_bars(model: ReadingModel, bar: int, bpm: float) -> None:
    beats_s, positions = steady(bpm, bar)
    readings, placed = read(model, beats_s, positions)
    best = readings[0]
    assert best.time_signature == f"{bar}/4"
    assert np.abs(best.frames / FRAMES_PER_S - beats_s).max() <= 0.011
    assert best.positions.tolist() == placed.tolist() == positions.tolist()
    assert sum(reading.probability for reading in readings) == pytest.approx(1.0)


@pytest.mark.parametrize("first", [1, 2, 3])
def test_begins_with_a_pickup(model: ReadingModel, first: int) -> None:
    beats_s, positions = steady(100.0, 4, first=first)
    readings, placed = read(model, beats_s, positions)
    assert readings[0].positions.tolist() == placed.tolist() == positions.tolist()


def test_beats_that_divide_in_three_make_six_eight(model: ReadingModel) -> None:
    beats_s, positions = steady(66.0, 2)
    readings, _ = read(model, beats_s, positions, compound=0.97)
    assert readings[0].time_signature == "6/8"
    beat_frames = 60.0 / 66.0 * FRAMES_PER_S
    assert readings[0].quarter_frames == pytest.approx(beat_frames / 1.5, rel=0.02)


def test_other_readings_share_the_beats_at_other_values(model: ReadingModel) -> None:
    beats_s, positions = steady(100.0, 4)
    readings, _ = read(model, beats_s, positions)
    values = {round(readings[0].quarter_frames / r.quarter_frames, 1) for r in readings}
    assert {0.5, 1.0, 2.0} <= values
    assert {r.metre for r in readings} == set(model.metres)


def test_an_odd_bar_moves_the_bars_after_it(model: ReadingModel) -> None:
    beats_s, _ = steady(120.0, 4, 90.0)
    positions = np.array([*(k % 4 + 1 for k in range(96)), 1, 2, *(k % 4 + 1 for k in range(99))])
    positions = positions[: len(beats_s)]
    readings, placed = read(model, beats_s, positions)
    assert readings[0].time_signature == "4/4"
    assert placed.tolist() == positions.tolist()


def test_the_metre_changes_on_strong_evidence(model: ReadingModel) -> None:
    beats_s, _ = steady(120.0, 4, 96.0)
    positions = np.array([*(k % 4 + 1 for k in range(96)), *(k % 3 + 1 for k in range(99))])
    positions = positions[: len(beats_s)]
    _, placed = read(model, beats_s, positions)
    assert placed.tolist() == positions.tolist()


def test_two_bars_do_not_change_the_metre(model: ReadingModel) -> None:
    beats_s, _ = steady(120.0, 4, 60.0)
    odd = [1, 2, 3, 1, 2, 3]
    positions = np.array([*(k % 4 + 1 for k in range(48)), *odd, *(k % 4 + 1 for k in range(99))])
    readings, placed = read(model, beats_s, positions[: len(beats_s)])
    assert readings[0].time_signature == "4/4"
    assert (placed[:48] == positions[:48]).all()


def test_no_room_for_beats_gives_no_reading(model: ReadingModel) -> None:
    activations, features = np.full((3, 5), 0.5), np.zeros((96, 5), np.float32)
    assert compare(find_candidates(activations, features, []), model, 0.1) == []


def test_parameters_survive_a_file(
    model: ReadingModel, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("readings") / "readings.json"
    save_model(model, path)
    assert path.read_text() == SERVED.read_text()


def test_another_file_is_rejected(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("readings") / "readings.json"
    path.write_text('{"kinds": {"downbeat": 1.0}}')
    with pytest.raises(ModelRejected):
        load_model(path)


def test_metres_have_names() -> None:
    names = [name_metre((length, compound)) for length in (2, 3, 4) for compound in (False, True)]
    assert names == ["2/4", "6/8", "3/4", "9/8", "4/4", "12/8"]

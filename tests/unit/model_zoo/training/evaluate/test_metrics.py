"""Metrics on notes with known errors."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.music.events import NoteEvent
from inference_service.music.families import FAMILIES
from model_zoo.training.evaluate.metrics import (
    DRUM_CLASSES,
    NoteArray,
    as_heard,
    compare_offsets,
    compare_onsets,
    compare_pitches,
    compare_velocities,
    confuse_families,
    count_families,
    count_strokes,
    match_notes,
)
from tests.factories import build_scale

PIANO, GUITAR, BASS = (FAMILIES.index(name) for name in ("piano", "guitar", "bass"))


def row(onset_s: float, pitch: float, velocity: float = 80, family: float = PIANO) -> list[float]:
    """A note of half a second."""
    return [onset_s, onset_s + 0.5, pitch, velocity, family]


def strokes(*rows: tuple[float, str]) -> NoteArray:
    """Strokes by the names of their classes."""
    found = [(onset_s, DRUM_CLASSES.index(name)) for onset_s, name in rows]
    return np.array(found, float).reshape(-1, 2)


@pytest.mark.parametrize(
    ("moved", "right"),
    [
        ((0.0, 0.0, 0.0), "onset pitch offset"),
        ((0.04, 0.04, 0.4), "onset pitch offset"),
        ((0.06, 0.06, 0.0), ""),
        ((0.0, 0.0, 0.6), "onset"),
        ((0.0, 0.2, 0.0), "onset pitch"),
    ],
)
def test_scores_of_shifted_notes(moved: tuple[float, float, float], right: str) -> None:
    labels = as_heard(build_scale())
    notes = labels + np.array(moved)
    f1 = {
        "onset": compare_onsets(labels, notes).f1,
        "pitch": compare_pitches(labels, notes).f1,
        "offset": compare_offsets(labels, notes).f1,
    }
    assert f1 == {name: float(name in right.split()) for name in f1}


def test_precision_and_recall_differ() -> None:
    labels = np.array([row(0, 60), row(1, 62), row(2, 64), row(3, 65)])
    accuracy = compare_pitches(labels, np.array([row(0, 60), row(1, 62.4), row(2, 70)]))
    assert accuracy.precision == pytest.approx(2 / 3)
    assert accuracy.recall == pytest.approx(2 / 4)
    assert accuracy.f1 == pytest.approx(4 / 7)


def test_pitch_is_the_sounding_pitch() -> None:
    sung = as_heard([NoteEvent(0.0, 1.0, 60, 80, pitch_cents=45.0)])
    assert sung[0, 2] == pytest.approx(60.45)
    assert compare_pitches(np.array([row(0, 60.9)]), sung).f1 == 1.0
    assert compare_pitches(np.array([row(0, 61.0)]), sung).f1 == 0.0


def test_an_empty_estimate_of_an_empty_reference_is_right() -> None:
    some, none = np.array([row(0, 60)]), np.zeros((0, 5))
    for compare in (compare_onsets, compare_pitches, compare_offsets, compare_velocities):
        assert compare(none, none) == (1.0, 1.0, 1.0)
        assert compare(some, none) == compare(none, some) == (0.0, 0.0, 0.0)


def test_velocities_are_right_up_to_scale() -> None:
    labels = np.array([row(k, 60 + k, 20 + 20 * k) for k in range(5)])
    softer = labels.copy()
    softer[:, 3] = 10 + labels[:, 3] / 2
    assert compare_velocities(labels, softer).f1 == 1.0
    shuffled = labels.copy()
    shuffled[:, 3] = labels[[4, 0, 3, 1, 2], 3]
    assert compare_velocities(labels, shuffled).f1 < 0.5


def test_families_of_found_notes() -> None:
    labels = np.array([row(0, 60), row(1, 62), row(2, 40, 80, BASS), row(3, 41, 80, BASS)])
    estimated = labels.copy()
    estimated[1, 4] = GUITAR  # wrong family
    estimated[3, 2] = 50  # not found
    confusion = confuse_families(labels, estimated)
    assert confusion[PIANO, PIANO] == confusion[PIANO, GUITAR] == confusion[BASS, BASS] == 1
    assert confusion.sum() == len(match_notes(labels, estimated)) == 3
    counts = count_families(labels, estimated)
    assert counts[PIANO].tolist() == [1, 1, 2]
    assert counts[GUITAR].tolist() == [0, 1, 0]
    assert counts[BASS].tolist() == [1, 2, 2]


def test_strokes_are_matched_within_their_class() -> None:
    labels = strokes((0.0, "KD"), (0.5, "SD"), (1.0, "KD"), (1.0, "HH"), (1.5, "HH"))
    estimated = strokes((0.04, "KD"), (0.5, "KD"), (1.06, "KD"), (1.0, "HH"), (1.5, "CY"))
    counts = dict(zip(DRUM_CLASSES, count_strokes(labels, estimated).tolist(), strict=True))
    assert counts == {
        "KD": [1, 3, 2],
        "SD": [0, 0, 1],
        "HH": [1, 1, 2],
        "TT": [0, 0, 0],
        "CY": [0, 1, 0],
    }


def test_the_order_of_strokes_does_not_matter() -> None:
    labels = strokes(*((0.1 * k, "SD") for k in range(9)))
    assert count_strokes(labels[::-1], labels)[1].tolist() == [9, 9, 9]

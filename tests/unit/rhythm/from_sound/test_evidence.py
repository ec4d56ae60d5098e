"""Evidence of bars in spectra and activations with known bars."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.music.events import ChordSegment
from inference_service.rhythm.from_sound.evidence import (
    KINDS,
    describe_beats,
    find_onsets,
    measure_novelty,
    measure_repetition,
)
from inference_service.rhythm.from_sound.features import FRAMES_PER_S
from tests.unit.rhythm.from_sound.activations import activate, steady


def play(
    bar: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float32]]:
    beats_s, positions = steady(100.0, bar)
    activations, features = activate(beats_s, positions, 40.0)
    return np.rint(beats_s * FRAMES_PER_S).astype(int), positions, activations[1], features


def test_downbeats_stand_out_in_the_activation_the_chords_and_the_bass() -> None:
    frames, positions, downbeat, features = play(4)
    starts_s = [0.0, *frames[positions == 1] / FRAMES_PER_S]
    chords = [ChordSegment(start_s, start_s + 2.0, "C") for start_s in starts_s]
    evidence = describe_beats(frames, downbeat, features, chords)
    assert evidence.shape == (len(frames), len(KINDS))
    first = positions == 1
    for kind in ("downbeat", "chord", "bass"):
        column = evidence[:, KINDS.index(kind)]
        assert column[first][1:].min() > column[~first].max()
    middle = evidence[:, KINDS.index("middle")]
    assert np.ptp(middle[1:]) == pytest.approx(0.0, abs=1e-6)


def test_onsets_are_rises_and_not_ends() -> None:
    features = np.zeros((96, 60), np.float32)
    features[:, 20:40] = 1.0
    onsets = find_onsets(features)
    assert (onsets[:, 20] == 1.0).all()
    assert (onsets[:, 38:] == 0.0).all()


def test_novelty_is_where_the_sound_changes() -> None:
    features = np.zeros((96, 400), np.float32)
    features[:48, :200] = features[48:, 200:] = 1.0
    frames = np.arange(0, 400, 25)
    assert frames[measure_novelty(frames, features).argmax()] == 200


@pytest.mark.parametrize("bar", [3, 4])
def test_bars_repeat_at_their_length(bar: int) -> None:
    frames, _, _, features = play(bar)
    alike = measure_repetition(frames, features, (2, 3, 4))
    assert (2, 3, 4)[int(alike.argmax())] == bar


def test_a_few_beats_repeat_nothing() -> None:
    frames, _, _, features = play(4)
    assert (measure_repetition(frames[:12], features, (2, 3, 4)) == 0).all()

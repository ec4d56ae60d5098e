"""Grouping of notes into attacks, and the features of both."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.rhythm.from_notes.attacks import (
    ATTACK_FEATURES,
    GAP_S,
    NOTE_FEATURES,
    SPAN_S,
    describe_attacks,
    describe_notes,
    find_attacks,
)


@pytest.mark.parametrize(
    ("onsets_s", "attacks"),
    [
        ([], []),
        ([1.0], [0]),
        ([0.0, 0.0, 0.0], [0, 0, 0]),
        ([0.0, 0.02, 0.5, 0.51], [0, 0, 1, 1]),
        ([0.0, 0.031], [0, 1]),  # further apart than the notes of a chord
        (
            [0.0, 0.02, 0.04, 0.06, 0.08],
            [0, 0, 0, 1, 1],
        ),  # rolled: each is near the last
    ],
)
def test_notes_that_begin_together_are_an_attack(onsets_s: list[float], attacks: list[int]) -> None:
    assert find_attacks(np.array(onsets_s)).index.tolist() == attacks


def test_an_attack_is_where_its_notes_are_on_average() -> None:
    found = find_attacks(np.array([1.0, 1.02, 3.0]))
    np.testing.assert_allclose(found.onset_s, [1.01, 3.0])


@pytest.mark.parametrize("seed", range(5))
def test_attacks_are_short_and_apart(seed: int) -> None:
    onset_s = np.sort(np.random.default_rng(seed).uniform(0.0, 10.0, 400))
    found = find_attacks(onset_s)
    assert (np.diff(found.index) >= 0).all()
    assert (np.diff(found.onset_s) > 0).all()
    for attack in range(len(found.onset_s)):
        own = onset_s[found.index == attack]
        assert own[-1] - own[0] <= SPAN_S
        assert (np.diff(own) <= GAP_S).all()


def describe(
    onsets_s: list[float], offsets_s: list[float], pitches: list[int], velocity: int = 64
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    onset_s, offset_s = np.array(onsets_s), np.array(offsets_s)
    pitch = np.array(pitches, np.int64)
    loudness = np.full(len(pitch), velocity)
    attacks = find_attacks(onset_s)
    return (
        describe_notes(attacks, onset_s, offset_s, pitch, loudness),
        describe_attacks(attacks, offset_s, pitch, loudness),
    )


def test_a_note_is_described_by_its_pitch_and_its_place_in_the_chord() -> None:
    notes, attacks = describe([0.0, 0.0, 1.0], [0.5, 1.0, 2.0], [48, 72, 60])
    assert notes.shape == (3, NOTE_FEATURES)
    assert attacks.shape == (2, ATTACK_FEATURES)
    assert notes[:, :12].argmax(axis=1).tolist() == [0, 0, 0]
    np.testing.assert_allclose(notes[:, 12], [-0.5, 0.5, 0.0])  # two octaves are one
    np.testing.assert_allclose(notes[:, 14], [2.0, 0.0, 0.0])  # octaves below the highest
    np.testing.assert_allclose(notes[:, 15], [0.0, 2.0, 0.0])  # octaves above the lowest


def test_durations_are_spread_over_two_octaves_at_most() -> None:
    notes, _ = describe([0.0, 1.0], [0.5, 1.6], [60, 60])
    spread = notes[:, 16:]
    np.testing.assert_allclose(spread.sum(axis=1), 1.0, atol=1e-6)
    assert ((spread > 0).sum(axis=1) <= 2).all()
    assert spread[0].argmax() == 4  # half a second: the bump at minus one octave


def test_features_do_not_know_when_the_music_begins() -> None:
    for early, late in zip(
        describe([0.0, 0.4], [0.3, 0.9], [60, 64]),
        describe([50.0, 50.4], [50.3, 50.9], [60, 64]),
        strict=True,
    ):
        np.testing.assert_allclose(early, late, atol=1e-5)


@pytest.mark.parametrize("count", [0, 1])
def test_next_to_nothing_is_described(count: int) -> None:
    notes, attacks = describe([0.0] * count, [1.0] * count, [60] * count)
    assert notes.shape == (count, NOTE_FEATURES)
    assert attacks.shape == (count, ATTACK_FEATURES)
    assert np.isfinite(notes).all()
    assert np.isfinite(attacks).all()

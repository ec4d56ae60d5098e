"""What is seen of notes, and how their families are rated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inference_service.music.events import NoteEvent
from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.timbre import (
    FRAMES,
    FRAMES_BEFORE,
    LEVELS,
    PARTIALS,
    TimbreNet,
    find_partials,
    rate_families,
)

RATE_HZ = 22_050


@pytest.fixture(scope="module")
def network() -> TimbreNet:
    torch.manual_seed(2)
    return TimbreNet().eval()


def tone(pitch: float, partials: tuple[int, ...], start_s: float, length_s: float) -> np.ndarray:
    """Return a tone with the partials given, in silence."""
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    hz = 440 * 2 ** ((pitch - 69) / 12)
    sound = 0.1 * sum(np.sin(2 * np.pi * hz * n * time_s) for n in partials)
    return np.where(time_s >= start_s, sound, 0.0).astype(np.float32)


@pytest.mark.parametrize("pitch", [40, 57, 69])
def test_partials_are_seen_where_they_are(network: TimbreNet, pitch: int) -> None:
    rate_hz = network.config.spectrogram.frame_rate_hz
    present = (1, 3, 5)
    with torch.inference_mode():
        spectrum = network.compute_levels(torch.from_numpy(tone(pitch, present, 1.0, 3.0))).numpy()
    seen = find_partials(spectrum, np.array([[1.0, 1.3, pitch]]), rate_hz)
    assert seen.levels.shape == (1, FRAMES, LEVELS)
    levels = seen.levels[0, FRAMES_BEFORE + 10].reshape(len(PARTIALS), 3).max(1)
    strong = {n for n, level in zip(PARTIALS, levels, strict=True) if level > 0.7 * levels.max()}
    assert strong == set(present)
    assert seen.sounding[0].tolist() == [0.0] * 2 + [1.0] * 15 + [0.0] * 13


def test_nothing_is_seen_outside_the_recording(network: TimbreNet) -> None:
    spectrum = np.ones((309, 10), np.float32)
    seen = find_partials(spectrum, np.array([[0.0, 0.01, 108.0], [0.18, 9.0, 21.0]]), 50.0)
    assert seen.levels[0, :FRAMES_BEFORE].max() == 0.0
    assert seen.levels[0, :, 3 * PARTIALS.index(8) :].max() == 0.0
    assert seen.levels[1, FRAMES_BEFORE + 1 :].max() == 0.0
    assert seen.sounding.sum(1).tolist() == [2.0, FRAMES - FRAMES_BEFORE]


def test_ratings_do_not_depend_on_where_a_stretch_is_cut(network: TimbreNet) -> None:
    """Notes before and after the end of a stretch of 20 s, and the same ones elsewhere."""
    sound = tone(60, (1, 2, 3), 0.0, 24.0) * np.random.default_rng(0).uniform(
        0.5, 1.5, 24 * RATE_HZ
    ).astype(np.float32)
    moved = np.concatenate([np.zeros(3 * RATE_HZ, np.float32), sound])
    times_s = [0.5, 19.7, 19.98, 20.0, 20.02, 20.5, 23.5]
    notes = [NoteEvent(time_s, time_s + 0.4, 60, 80) for time_s in times_s]
    later = [NoteEvent(time_s + 3, time_s + 3.4, 60, 80) for time_s in times_s]
    rated = rate_families(network, sound, notes)
    assert rated.shape == (len(notes), len(FAMILIES))
    np.testing.assert_allclose(rated.sum(1), 1.0, atol=1e-5)
    np.testing.assert_allclose(rated[1:], rate_families(network, moved, later)[1:], atol=1e-3)


def test_no_notes_have_no_ratings(network: TimbreNet) -> None:
    assert rate_families(network, np.zeros(0, np.float32), []).shape == (0, len(FAMILIES))


def test_a_note_beyond_the_end_is_rated(network: TimbreNet) -> None:
    rated = rate_families(network, np.zeros(100, np.float32), [NoteEvent(25.0, 26.0, 60, 80)])
    assert np.isfinite(rated).all()

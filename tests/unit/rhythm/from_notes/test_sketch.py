"""Sketches of the sound of notes."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.music.events import NoteEvent
from inference_service.rhythm.from_notes import sketch as module
from inference_service.rhythm.from_notes.sketch import RATE_HZ, Samples, sketch


def power(samples: Samples, start_s: float, stop_s: float) -> float:
    piece = samples[round(start_s * RATE_HZ) : round(stop_s * RATE_HZ)]
    return float(np.mean(piece.astype(float) ** 2))


def test_a_note_sounds_from_its_onset_to_its_end() -> None:
    sound = sketch([NoteEvent(0.5, 1.0, 69), NoteEvent(2.0, 2.2, 60)])
    samples = sound.samples[0]
    assert sound.duration_s == pytest.approx(2.2, abs=0.01)
    assert power(samples, 0.0, 0.5) == 0.0
    assert power(samples, 0.5, 1.0) > 1e-3
    assert power(samples, 1.1, 2.0) == 0.0


@pytest.mark.parametrize("pitch", [21, 69, 108])
def test_a_tone_has_its_pitch(pitch: int) -> None:
    samples = sketch([NoteEvent(0.0, 1.0, pitch)]).samples[0]
    spectrum = np.abs(np.fft.rfft(samples))
    loudest_hz = float(spectrum.argmax() * RATE_HZ / len(samples))
    assert loudest_hz == pytest.approx(440.0 * 2 ** ((pitch - 69) / 12), abs=1.5)


def test_loud_notes_are_louder_and_high_ones_end_sooner() -> None:
    def play(pitch: int, velocity: int) -> Samples:
        samples: Samples = sketch([NoteEvent(0.0, 2.0, pitch, velocity)]).samples[0]
        return samples

    assert power(play(60, 100), 0, 1) > 2 * power(play(60, 50), 0, 1)
    kept = [power(play(p, 80), 1, 2) / power(play(p, 80), 0, 1) for p in (36, 60, 96)]
    assert kept == sorted(kept, reverse=True)


def test_long_music_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_S", 3.0)
    sound = sketch([NoteEvent(0.0, 1.0, 60), NoteEvent(2.9, 5.0, 60), NoteEvent(9.0, 9.5, 60)])
    assert sound.duration_s == pytest.approx(3.0)
    assert np.isfinite(sound.samples).all()

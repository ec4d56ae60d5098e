"""Beats of clicks with a known tempo, and a steady grid for sounds without a pulse."""

from __future__ import annotations

from itertools import pairwise

import mir_eval
import numpy as np
import pytest

from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled
from inference_service.music.events import ChordSegment, NoteEvent, Rhythm
from inference_service.progress import ignore
from inference_service.rhythm.from_sound.librosa_beats import (
    BLOCK_FRAMES,
    FALLBACK_BPM,
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    LibrosaBeatEstimator,
    cover,
    estimate_note_tempo,
    onset_envelope,
)
from tests.factories import build_noise, build_notes, build_tone


@pytest.fixture(scope="module")
def estimator() -> LibrosaBeatEstimator:
    return LibrosaBeatEstimator()


def strum(bpm: float, duration_s: float = 30.0, start_s: float = 0.0) -> Waveform:
    """Chords on the beats and single notes between them."""
    beat_s = 60.0 / bpm
    count = int((duration_s - start_s) / beat_s)
    notes = [
        NoteEvent(start_s + k * beat_s, start_s + (k + 0.9) * beat_s, pitch, 120)
        for k in range(count)
        for pitch in ((48, 55, 64) if k % 4 == 0 else (60, 64))
    ]
    notes += [
        NoteEvent(start_s + (k + 0.5) * beat_s, start_s + (k + 0.9) * beat_s, 67, 50)
        for k in range(count)
    ]
    return build_notes(notes)


def chords_of(bpm: float, duration_s: float) -> list[ChordSegment]:
    bar_s = 240.0 / bpm
    edges = [*np.arange(0.0, duration_s, bar_s), duration_s]
    return [ChordSegment(a, b, "CF"[i % 2]) for i, (a, b) in enumerate(pairwise(edges))]


def check_covers(rhythm: Rhythm, duration_s: float) -> None:
    times = [beat.time_s for beat in rhythm.beats]
    period_s = 60.0 / rhythm.tempo_bpm
    assert len(times) >= 2
    assert times == sorted(times)
    assert 0.0 <= times[0] <= 1.3 * period_s
    assert times[-1] >= duration_s - 1.3 * period_s
    length = int(rhythm.time_signature.split("/")[0])
    assert {beat.position for beat in rhythm.beats} <= set(range(1, length + 1))


@pytest.mark.parametrize("bpm", [70.0, 92.0, 110.0, 130.0])
def test_follows_a_steady_pulse(estimator: LibrosaBeatEstimator, bpm: float) -> None:
    waveform = strum(bpm)
    rhythm = estimator.estimate(waveform, [], chords_of(bpm, waveform.duration_s), ignore)
    assert rhythm.tempo_bpm == pytest.approx(bpm, rel=0.02)
    assert rhythm.time_signature == "4/4"
    found = np.array([beat.time_s for beat in rhythm.beats])
    truth = np.arange(0.0, waveform.duration_s, 60.0 / bpm)
    assert mir_eval.beat.f_measure(truth, found) > 0.9
    check_covers(rhythm, waveform.duration_s)


def test_beats_go_back_to_the_beginning(estimator: LibrosaBeatEstimator) -> None:
    waveform = strum(100.0, start_s=4.0)
    rhythm = estimator.estimate(waveform, [], [], ignore)
    check_covers(rhythm, waveform.duration_s)


def test_an_unpulsed_tone_gets_a_steady_grid(estimator: LibrosaBeatEstimator) -> None:
    waveform = Waveform(build_tone(220.0, 10.0)[None], 44100)
    notes = [NoteEvent(0.8, 9.5, 57)]
    rhythm = estimator.estimate(waveform, notes, [], ignore)
    assert rhythm.tempo_bpm == pytest.approx(FALLBACK_BPM)
    assert any(beat.time_s == pytest.approx(0.8) for beat in rhythm.beats)
    intervals = np.diff([beat.time_s for beat in rhythm.beats])
    assert np.allclose(intervals, 0.5)
    check_covers(rhythm, waveform.duration_s)


@pytest.mark.parametrize("length", [0, 1, 1000, 44100, 200_000])
@pytest.mark.parametrize("noise", [False, True])
def test_any_waveform_gets_a_rhythm(
    estimator: LibrosaBeatEstimator, length: int, noise: bool
) -> None:
    samples = build_noise(5.0)[:length] if noise else np.zeros(length, np.float32)
    rhythm = estimator.estimate(Waveform(samples[None], 44100), [], [], ignore)
    check_covers(rhythm, length / 44100)


@pytest.mark.parametrize("bpm", [80.0, 96.0, 132.0])
def test_note_distances_tell_the_tempo(bpm: float) -> None:
    lengths = np.tile([1.0, 0.5, 0.5, 1.0, 1.5, 0.5], 4) * 60.0 / bpm
    onsets_s = np.cumsum(lengths)
    notes = [NoteEvent(float(t), float(t) + 0.2, 60) for t in onsets_s]
    assert estimate_note_tempo(notes) == pytest.approx(bpm, rel=0.01)


def test_too_few_notes_tell_nothing() -> None:
    assert estimate_note_tempo([NoteEvent(0.0, 1.0, 60)] * 3) == FALLBACK_BPM


def test_blocks_give_what_the_whole_gives() -> None:
    waveform = strum(100.0, duration_s=1.5 * BLOCK_FRAMES * HOP_SAMPLES / SAMPLE_RATE_HZ)
    half = Waveform(waveform.samples[:, : waveform.samples.shape[1] // 2], 44100)
    whole, part = onset_envelope(waveform, ignore), onset_envelope(half, ignore)
    assert np.allclose(whole[: len(part) - 4], part[:-4], atol=0.05)


def test_cover_keeps_the_beats_and_reaches_both_ends() -> None:
    covered = cover(np.array([1.3, 1.8, 2.3]), 4.0)
    assert np.allclose(covered, [0.3, 0.8, 1.3, 1.8, 2.3, 2.8, 3.3, 3.8])


def test_stops_when_cancelled(estimator: LibrosaBeatEstimator) -> None:
    def cancel(fraction: float) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        estimator.estimate(strum(100.0), [], [], cancel)

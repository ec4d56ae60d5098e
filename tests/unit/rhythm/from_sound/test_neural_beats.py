"""The shipped network on clicks and chords with known beats, and on sounds without beats."""

from __future__ import annotations

import mir_eval
import numpy as np
import pytest
import torch

from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled
from inference_service.music.events import NoteEvent, Rhythm
from inference_service.progress import ignore
from inference_service.rhythm.from_sound.features import compute_features
from inference_service.rhythm.from_sound.librosa_beats import FALLBACK_BPM
from inference_service.rhythm.from_sound.network import BeatNet, BeatNetConfig
from inference_service.rhythm.from_sound.neural_beats import (
    WINDOW_FRAMES,
    NeuralBeatEstimator,
    describe_readings,
    load_estimator,
)
from inference_service.rhythm.from_sound.reading_model import load_model
from inference_service.rhythm.from_sound.readings import Reading
from tests.conftest import ROOT
from tests.factories import build_noise, build_notes, build_tone

WEIGHTS = ROOT / "model_zoo" / "weights"
READINGS = WEIGHTS / "readings.json"


@pytest.fixture(scope="module")
def estimator() -> NeuralBeatEstimator:
    return load_estimator(WEIGHTS / "beats.safetensors", READINGS)


def play(bpm: float, bar: int, duration_s: float = 30.0) -> Waveform:
    """A bass note on each downbeat, chords on the other beats, and a tune in half beats."""
    beat_s = 60.0 / bpm
    notes = []
    for index in range(int(duration_s / beat_s)):
        onset_s, root = index * beat_s, (0, 5, 7, 0)[index // bar % 4]
        if index % bar == 0:
            notes.append(NoteEvent(onset_s, onset_s + 0.9 * beat_s, 36 + root, 115))
        else:
            notes += [
                NoteEvent(onset_s, onset_s + 0.5 * beat_s, 55 + root + k, 80) for k in (0, 4, 7)
            ]
        for half, step in ((0.0, 12), (0.5, 16)):
            begin_s = onset_s + half * beat_s
            notes.append(NoteEvent(begin_s, begin_s + 0.45 * beat_s, 60 + root + step, 70))
    return build_notes(notes)


def check_covers(rhythm: Rhythm, duration_s: float) -> None:
    times = [beat.time_s for beat in rhythm.beats]
    period_s = 60.0 / rhythm.tempo_bpm
    assert len(times) >= 2
    assert times == sorted(set(times))
    assert 0.0 <= times[0] <= 1.3 * period_s
    assert times[-1] >= duration_s - 1.3 * period_s
    assert min(beat.position for beat in rhythm.beats) >= 1


@pytest.mark.parametrize(("bpm", "bar"), [(90.0, 4), (112.0, 4), (100.0, 3), (132.0, 3)])
def test_hears_beats_and_bars(estimator: NeuralBeatEstimator, bpm: float, bar: int) -> None:
    waveform = play(bpm, bar)
    rhythm = estimator.estimate(waveform, [], [], ignore)
    assert rhythm.tempo_bpm == pytest.approx(bpm, rel=0.02)
    assert rhythm.time_signature == f"{bar}/4"
    found_s = np.array([beat.time_s for beat in rhythm.beats])
    down_s = np.array([beat.time_s for beat in rhythm.beats if beat.position == 1])
    truth_s = np.arange(0.0, waveform.duration_s, 60.0 / bpm)
    assert mir_eval.beat.f_measure(truth_s, found_s) > 0.95
    assert mir_eval.beat.f_measure(truth_s[::bar], down_s) > 0.85
    check_covers(rhythm, waveform.duration_s)
    first, *others = rhythm.readings
    assert (first.time_signature, first.beat_scale) == (rhythm.time_signature, 1.0)
    assert rhythm.beats[round(first.first_beat) - 1].position == 1
    assert first.probability + sum(other.probability for other in others) <= 1.0 + 1e-9


def test_an_unpulsed_tone_gets_a_steady_grid(estimator: NeuralBeatEstimator) -> None:
    waveform = Waveform(build_tone(220.0, 10.0)[None], 44100)
    rhythm = estimator.estimate(waveform, [NoteEvent(0.8, 9.5, 57)], [], ignore)
    assert rhythm.tempo_bpm == pytest.approx(FALLBACK_BPM)
    assert rhythm.time_signature == "4/4"
    assert any(beat.time_s == pytest.approx(0.8) for beat in rhythm.beats)
    assert np.allclose(np.diff([beat.time_s for beat in rhythm.beats]), 0.5)
    check_covers(rhythm, waveform.duration_s)


@pytest.mark.parametrize("length", [0, 1, 1000, 44100, 200_000])
@pytest.mark.parametrize("noise", [False, True])
def test_any_waveform_gets_a_rhythm(
    estimator: NeuralBeatEstimator, length: int, noise: bool
) -> None:
    samples = build_noise(5.0)[:length] if noise else np.zeros(length, np.float32)
    rhythm = estimator.estimate(Waveform(samples[None], 44100), [], [], ignore)
    check_covers(rhythm, length / 44100)


def test_windows_give_what_the_whole_gives() -> None:
    torch.manual_seed(1)
    network = BeatNet(BeatNetConfig(channels=8)).eval()
    waveform = Waveform(build_noise(2.3 * WINDOW_FRAMES / 50, rate_hz=22_050)[None], 22_050)
    parts = NeuralBeatEstimator(network, load_model(READINGS)).predict(waveform, ignore)
    with torch.inference_mode():
        logits = network(torch.from_numpy(compute_features(waveform))[None])
    assert np.allclose(parts, torch.sigmoid(torch.cat(logits)).numpy(), atol=1e-4)


def test_readings_are_told_in_terms_of_the_chosen_beats() -> None:
    beats = np.arange(0, 1000, 25)
    positions = (np.arange(40) + 3) % 4 + 1
    chosen = Reading(beats, positions, (4, False), 0.5)
    half = Reading(beats[1::2], np.arange(20) % 2 + 1, (2, False), 0.2)
    dotted = Reading(beats[::3], (np.arange(14) + 1) % 2 + 1, (2, True), 0.1)
    again = Reading(beats, positions, (4, False), 0.19)
    told = describe_readings([chosen, half, again, dotted])
    assert [(r.time_signature, r.beat_scale, r.first_beat) for r in told] == [
        ("4/4", 1.0, 2.0),
        ("2/4", 0.5, 2.0),
        ("6/8", 0.5, 4.0),
    ]
    assert [r.probability for r in told] == pytest.approx([0.69, 0.2, 0.1])


def test_bars_may_begin_at_the_eighths_of_dotted_beats() -> None:
    dotted = Reading(np.arange(0, 900, 75), np.arange(12) % 2 + 1, (2, True), 0.6)
    eighths = np.arange(0, 900, 25)
    late = Reading(eighths, (np.arange(36) + 2) % 3 + 1, (3, False), 0.4)
    assert describe_readings([dotted, late])[1].first_beat == pytest.approx(1 + 1 / 3)


def test_stops_when_cancelled(estimator: NeuralBeatEstimator) -> None:
    def cancel(fraction: float) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        estimator.estimate(play(100.0, 4), [], [], cancel)

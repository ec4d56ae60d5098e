"""Repeated notes begin exactly where their labels say, and are counted as they should be."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.audio.spectrogram import Kind
from inference_service.tagger.notes.decoding import Outputs
from inference_service.tagger.notes.network import LOWEST_PITCH, PITCHES
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sound.soundfonts import HELD_BACK_SOUNDFONT
from model_zoo.training.trials import repeats
from model_zoo.training.trials.repeats import INTERVALS_MS, REPETITIONS, Repeats
from model_zoo.training.trials.spectra import frequencies_hz


@pytest.fixture(scope="module")
def labelled() -> Repeats:
    _, onsets_s = repeats.compose(60, 0)
    return Repeats(60, np.zeros(RATE_HZ, np.float32), onsets_s)


def test_repetitions_are_exactly_an_interval_apart() -> None:
    track, onsets_s = repeats.compose(60, 0)
    repeated = track.notes[track.notes[:, 2] == 60]
    np.testing.assert_array_equal(repeated[:, 0], np.concatenate(list(onsets_s.values())))
    for interval_ms in INTERVALS_MS:
        np.testing.assert_allclose(np.diff(onsets_s[interval_ms]), interval_ms / 1000)
        assert len(onsets_s[interval_ms]) == REPETITIONS


def test_a_tone_is_held_below_each_group() -> None:
    track, onsets_s = repeats.compose(60, 0)
    held = track.notes[track.notes[:, 2] == 60 - repeats.HELD_BELOW]
    assert len(held) == len(INTERVALS_MS)
    for (onset_s, offset_s, *_), times_s in zip(held, onsets_s.values(), strict=True):
        assert onset_s < times_s[0]
        assert offset_s > times_s[-1]


@pytest.mark.skipif(not HELD_BACK_SOUNDFONT.exists(), reason="needs the soundfont")
def test_sound_begins_where_labels_say() -> None:
    made = repeats.render(84, 0, HELD_BACK_SOUNDFONT)
    onset = round((made.onsets_s[200][0] - repeats.HELD_BEFORE_S) * RATE_HZ)
    loud = np.abs(made.samples) > 0.02
    assert int(loud.argmax()) == pytest.approx(onset, abs=0.01 * RATE_HZ)


def test_true_onsets_are_all_found_and_none_is_too_many(labelled: Repeats) -> None:
    for interval_ms in INTERVALS_MS:
        told_s = labelled.onsets_s[interval_ms]
        assert repeats.count(labelled, interval_ms, told_s) == (REPETITIONS, 0)
        assert repeats.count(labelled, interval_ms, told_s[:-2]) == (REPETITIONS - 2, 0)
        assert repeats.count(labelled, interval_ms, told_s + 0.4 * interval_ms / 1000)[0] == 0


def test_an_interval_is_recovered_by_what_is_found_and_not_invented() -> None:
    counts = {200: (10, 0), 100: (9, 3), 50: (8, 0), 30: (10, 4)}
    assert repeats.shortest(counts, 10) == 100
    assert repeats.shortest({200: (10, 4)}, 10) is None


def test_flux_tells_steps_at_their_time() -> None:
    hop_s = 0.005
    spectrum = np.zeros((1, 200), np.float32)
    for step in (40, 80, 120):
        spectrum[0, step : step + 20] = 5.0
    told_s = repeats.pick(repeats.compute_flux(spectrum, hop_s), 0.5, hop_s)
    np.testing.assert_allclose(told_s, np.array([40, 80, 120]) * hop_s, atol=0.006)


def test_the_lateness_of_a_spectrum_is_chosen_with_its_share() -> None:
    _, onsets_s = repeats.compose(60, 0)
    times_s = np.concatenate([onsets_s[interval_ms] for interval_ms in INTERVALS_MS])
    hop_s = repeats.HOP_SAMPLES[0] / RATE_HZ
    spectrum = np.zeros((1, round((times_s[-1] + 0.5) / hop_s)), np.float32)
    for time_s in times_s + 0.02:  # everything is seen late
        spectrum[0, round(time_s / hop_s) : round(time_s / hop_s) + 3] = 5.0
    seen = repeats.Seen(Repeats(60, np.zeros(1, np.float32), onsets_s), spectrum)
    _, late_s = repeats.choose([seen], repeats.HOP_SAMPLES[0])
    assert late_s == pytest.approx(0.02, abs=0.008)


@pytest.mark.parametrize("kind", ["stft", "mel", "gammatone", "vqt"])
def test_own_bins_lie_at_the_harmonics(kind: Kind) -> None:
    own = repeats.find_bins(kind, 69)
    centres_hz = frequencies_hz(kind)[own]
    harmonic = np.maximum(np.round(centres_hz / 440.0), 1)
    assert np.all(np.abs(12 * np.log2(centres_hz / (440.0 * harmonic))) < 0.6)
    assert set(harmonic) == {1, 2, 3, 4, 5}


def test_heads_are_read_at_a_pitch() -> None:
    silent = np.zeros((50, PITCHES), np.float32)
    onset, frame = silent.copy(), silent.copy()
    onset[[10, 20], 69 - LOWEST_PITCH] = 0.9
    frame[10:30, 69 - LOWEST_PITCH] = 0.9
    outputs = Outputs(onset, silent, frame, silent, silent, silent[..., None], silent, silent)
    np.testing.assert_allclose(repeats.find_by_onset_head(outputs, 69, 0.5, 50.0), [0.2, 0.4])
    np.testing.assert_allclose(repeats.find_by_frame_head(outputs, 69, 0.5, 50.0), [0.2])
    assert len(repeats.find_by_onset_head(outputs, 70, 0.5, 50.0)) == 0

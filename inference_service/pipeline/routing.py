"""The choice of a preset for a recording: a single voice, a piano, or several instruments.

Up to three excerpts, the loudest of each third of the recording, are described by six features and
classified by multinomial logistic regression:

- ``polyphony``: mean number of simultaneous notes in frames with any (frames of Basic Pitch);
- ``chordal``: share of these frames with at least three notes;
- ``percussive``: log10 of the share of energy in the percussive component (Fitzgerald, "Harmonic/
  percussive separation using median filtering", DAFx 2010);
- ``voiced``: share of loud frames in which SwiftF0 is confident of a pitch;
- ``wobble``: change of that pitch between frames in semitones, 80th percentile: singers glide, a
  piano cannot;
- ``noise``: log10 of the median spectral flatness below 7 kHz: breath, consonants, cymbals.

The coefficients were fitted on one half of the recordings listed in ``tests/bench/routing.py``;
``docs/routing.md`` has the confusion table of the other half, and the commands for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
from librosa import stft
from librosa.decompose import hpss
from librosa.feature import spectral_flatness
from numpy.typing import NDArray

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.pipeline.options import Preset
from inference_service.pipeline.stages import Tagger
from inference_service.progress import Report, ignore

EXCERPT_S: Final = 8.0
EXCERPTS: Final = 3
STEP_S: Final = 0.5

FEATURES: Final = ("polyphony", "chordal", "percussive", "voiced", "wobble", "noise")
CLASSES: Final = (Preset.PIANO, Preset.SONG, Preset.VOICE)
WEIGHTS: Final = np.array(
    [
        [1.535, 1.17, -3.848, -5.435, -12.818, -1.072],
        [-0.097, 3.911, 3.424, -3.119, 9.021, 0.725],
        [-1.438, -5.081, 0.424, 8.555, 3.797, 0.347],
    ]
)
BIASES: Final = np.array([-9.18, 6.922, 2.259])

_FRAME_THRESHOLD: Final = 0.3
_SURE: Final = 0.9
_LOUD_RANGE_DB: Final = 30.0
_STEADY_STEP: Final = 0.8  # semitones; a larger step is another note
_STFT_RATE_HZ: Final = 22_050
_STFT_SAMPLES: Final = 1_024
_STFT_HOP_SAMPLES: Final = 256
_NOISE_LIMIT_HZ: Final = 7_000  # some phones and low bit rates remove what is above
_TINY: Final = 1e-9


class PitchTracker(Tagger, Protocol):
    """Tracks a single pitch, as ``tagger.swift_f0.SwiftF0Tagger`` does."""

    def track(self, waveform: Waveform, report: Report) -> Any:
        """Return arrays ``pitch_hz``, ``confidence`` and ``loudness_db``, shape (T,)."""
        ...


class NoteDetector(Tagger, Protocol):
    """Detects simultaneous notes, as ``tagger.basic_pitch.BasicPitchTagger`` does."""

    def predict(
        self, waveform: Waveform, report: Report
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return frame and onset activations, each of shape (T, P), in [0, 1]."""
        ...


class PresetRouter:
    """Chooses the preset from the audio.

    Parameters
    ----------
    pitch_tracker : PitchTracker
    note_detector : NoteDetector
    """

    def __init__(self, pitch_tracker: PitchTracker, note_detector: NoteDetector) -> None:
        self._pitch_tracker = pitch_tracker
        self._note_detector = note_detector

    @property
    def taggers(self) -> Mapping[str, Tagger]:
        """The pitch tracker and the note detector."""
        return {"pitch tracker": self._pitch_tracker, "note detector": self._note_detector}

    def classify(self, waveform: Waveform, report: Report = ignore) -> dict[Preset, float]:
        """Return the probabilities of ``VOICE``, ``PIANO`` and ``SONG``."""
        excerpts = choose_excerpts(waveform)
        scores = np.zeros(len(CLASSES))
        for number, excerpt in enumerate(excerpts):
            report(number / len(excerpts))
            scores += WEIGHTS @ self.describe(excerpt) + BIASES
        odds = np.exp((scores - scores.max()) / len(excerpts))
        return dict(zip(CLASSES, (odds / odds.sum()).tolist(), strict=True))

    def describe(self, excerpt: Waveform) -> NDArray[np.float64]:
        """Return the features of an excerpt, shape (6,), in the order of :data:`FEATURES`."""
        frames, _ = self._note_detector.predict(excerpt, ignore)
        contour = self._pitch_tracker.track(excerpt, ignore)
        polyphony, chordal = _describe_notes(frames)
        percussive, noise = _describe_noise(excerpt)
        voiced, wobble = _describe_pitch(contour)
        return np.array([polyphony, chordal, percussive, voiced, wobble, noise])


def choose_excerpts(waveform: Waveform) -> list[Waveform]:
    """Return the loudest :data:`EXCERPT_S` of each third; of a short recording, fewer excerpts."""
    mono = waveform.mono()
    rate_hz = waveform.sample_rate_hz
    length = round(EXCERPT_S * rate_hz)
    count = min(EXCERPTS, len(mono) // length)
    if count <= 1:
        return [_loudest(mono, length, rate_hz)]
    return [_loudest(third, length, rate_hz) for third in np.array_split(mono, count)]


def _loudest(mono: Samples, length: int, rate_hz: int) -> Waveform:
    step = round(STEP_S * rate_hz)
    starts = range(0, max(1, len(mono) - length + 1), step)
    energy = np.concatenate([[0.0], np.cumsum(np.square(mono, dtype=np.float64))])
    start = max(starts, key=lambda s: energy[min(s + length, len(mono))] - energy[s])
    return Waveform(mono[np.newaxis, start : start + length], rate_hz)


def _describe_notes(frames: NDArray[np.float32]) -> tuple[float, float]:
    sounding = (frames > _FRAME_THRESHOLD).sum(axis=1)
    sounding = sounding[sounding > 0]
    if not len(sounding):
        return 0.0, 0.0
    return float(sounding.mean()), float((sounding >= 3).mean())


def _describe_noise(excerpt: Waveform) -> tuple[float, float]:
    samples = resample(excerpt.mono(), excerpt.sample_rate_hz, _STFT_RATE_HZ)
    magnitudes = np.abs(stft(samples, n_fft=_STFT_SAMPLES, hop_length=_STFT_HOP_SAMPLES))
    _, percussive = hpss(magnitudes)
    share = np.square(percussive).sum() / (np.square(magnitudes).sum() + _TINY)
    band = magnitudes[: _NOISE_LIMIT_HZ * _STFT_SAMPLES // _STFT_RATE_HZ]
    flatness = float(np.median(spectral_flatness(S=band)))
    return float(np.log10(share + 1e-3)), float(np.log10(flatness + _TINY))


def _describe_pitch(contour: Any) -> tuple[float, float]:
    if not len(contour.loudness_db):
        return 0.0, 0.0
    loud = contour.loudness_db > np.percentile(contour.loudness_db, 95) - _LOUD_RANGE_DB
    sure = loud & (contour.confidence > _SURE) & (contour.pitch_hz > 0)
    voiced = float(sure.sum() / max(1, loud.sum()))
    pitch = 12 * np.log2(np.maximum(contour.pitch_hz, 1.0))
    steps = np.abs(np.diff(pitch))[sure[1:] & sure[:-1]]
    steps = steps[steps < _STEADY_STEP]
    return voiced, float(np.percentile(steps, 80)) if len(steps) > 5 else 0.0

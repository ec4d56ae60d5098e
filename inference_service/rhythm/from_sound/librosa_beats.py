"""Beats and tempo with librosa, and downbeats from :mod:`.downbeats`.

The onset envelope is librosa's spectral flux. A single tempo is estimated: the period whose first,
second and fourth multiples have the greatest autocorrelation of the envelope, averaged over windows
of :data:`WINDOW_S`. A prior is centred on :data:`PRIOR_BPM`; another one, on the median duration of
chords in beats, centred on :data:`CHORD_BEATS`, decides between half and double tempo. librosa's
dynamic programming (Ellis, "Beat Tracking by Dynamic Programming", JNMR 2007) then finds the beats,
which are extended to the beginning and end of the recording.

Without a clear pulse, as in much unaccompanied singing, beats are a steady grid from the first
note, at the tempo that fits the intervals between notes best, or :data:`FALLBACK_BPM`.

Constants were chosen on the songs of POP909 that ``tests/bench`` reserves for tuning, and on the
real drum recordings of the development data. ``python -m tests.bench --only songs`` measures on
other songs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from librosa import power_to_db
from librosa.beat import beat_track
from librosa.feature import melspectrogram
from librosa.onset import onset_strength
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import savgol_filter

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.model_files import ModelFiles
from inference_service.music.events import ChordSegment, NoteEvent, Rhythm
from inference_service.progress import Report
from inference_service.rhythm.from_sound.downbeats import place_downbeats
from inference_service.settings import ModelSettings

SAMPLE_RATE_HZ: Final = 22_050
HOP_SAMPLES: Final = 512
FFT_SAMPLES: Final = 2048
FRAMES_PER_S: Final = SAMPLE_RATE_HZ / HOP_SAMPLES
BLOCK_FRAMES: Final = 1024
LATENCY_S: Final = 0.04
"""Delay of librosa's flux behind labelled onsets, measured on drums and on rendered pianos."""

SMOOTHED_BEATS: Final = 7
"""Number of beats over which a line is fitted, so that rounding to frames does not show in the
tempo."""

MIN_BPM: Final = 45.0
MAX_BPM: Final = 200.0
PRIOR_BPM: Final = 105.0
PRIOR_OCTAVES: Final = 0.6
PRIOR_WEIGHT: Final = 0.04
CHORD_BEATS: Final = 2.6
CHORD_WEIGHT: Final = 0.16
MIN_CHORD_S: Final = 0.4
MULTIPLES: Final = ((1, 1.0), (2, 0.5), (4, 1.0))
WINDOW_S: Final = 12.0
DETREND_FRAMES: Final = 43  # one second
MIN_ONSET_DB: Final = 0.1
"""Smaller flux is fluctuation of a steady sound, and is ignored."""

MIN_CLARITY: Final = 0.25
FALLBACK_BPM: Final = 120.0

Envelope = NDArray[np.float32]


class LibrosaBeatEstimator:
    """Estimates the rhythm of a recording with librosa."""

    def __init__(self) -> None:
        # librosa compiles its tracker on the first call: do that now, not within a request.
        track_beats(np.tile(np.eye(1, 22, dtype=np.float32)[0], 8), tempo_bpm=117.0)

    def estimate(
        self,
        waveform: Waveform,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        report: Report,
    ) -> Rhythm:
        """Return beats over the whole waveform; a steady grid if there is no clear pulse."""
        envelope = onset_envelope(waveform, report)
        tempo_bpm, clarity = estimate_tempo(envelope, chords)
        if clarity >= MIN_CLARITY:
            tracked_s = track_beats(envelope, tempo_bpm)
        else:
            tracked_s = steady_beats(notes)
        beats_s = cover(tracked_s, waveform.duration_s)
        metre = place_downbeats(beats_s, _strengths(envelope, beats_s), notes, chords)
        report(1.0)
        return Rhythm(
            beats=metre.beats,
            tempo_bpm=60.0 / typical_period_s(beats_s),
            time_signature=metre.time_signature,
        )


def build(entry: ModelFiles, settings: ModelSettings) -> LibrosaBeatEstimator:
    """Build the estimator, as the manifest declares it."""
    return LibrosaBeatEstimator()


def onset_envelope(waveform: Waveform, report: Report) -> Envelope:
    """Return librosa's onset strength, shape (T,), with a frame every 23 ms."""
    mono = resample(waveform.mono(), waveform.sample_rate_hz, SAMPLE_RATE_HZ)
    frame_count = 1 + len(mono) // HOP_SAMPLES
    padded = np.pad(mono, FFT_SAMPLES // 2)
    blocks = []
    for start in range(0, frame_count, BLOCK_FRAMES):
        report(0.8 * start / frame_count)
        stop = min(start + BLOCK_FRAMES, frame_count)
        blocks.append(
            _mel_powers(padded[start * HOP_SAMPLES : (stop - 1) * HOP_SAMPLES + FFT_SAMPLES])
        )
    decibels = power_to_db(np.concatenate(blocks, axis=1), ref=np.max)
    envelope: Envelope = onset_strength(S=decibels, sr=SAMPLE_RATE_HZ, hop_length=HOP_SAMPLES)
    return envelope


def _mel_powers(samples: Samples) -> NDArray[np.float32]:
    powers: NDArray[np.float32] = melspectrogram(
        y=samples, sr=SAMPLE_RATE_HZ, n_fft=FFT_SAMPLES, hop_length=HOP_SAMPLES, center=False
    )
    return powers


def estimate_tempo(envelope: Envelope, chords: Sequence[ChordSegment]) -> tuple[float, float]:
    """Return the tempo in beats per minute, and its clarity.

    Clarity is the weighted mean autocorrelation at the beat and its multiples: 1 for a perfectly
    regular pulse, near 0 for none.
    """
    correlation = _autocorrelate(envelope)
    bpm = np.geomspace(MIN_BPM, MAX_BPM, 400)
    lags = 60.0 / bpm * FRAMES_PER_S
    frames = np.arange(len(correlation))
    pulse = np.zeros(len(bpm))
    for multiple, weight in MULTIPLES:
        pulse += weight * np.interp(multiple * lags, frames, correlation)
    pulse /= sum(weight for _, weight in MULTIPLES)
    score = pulse - PRIOR_WEIGHT * (np.log2(bpm / PRIOR_BPM) / PRIOR_OCTAVES) ** 2 / 2
    durations_s = [chord.end_s - chord.start_s for chord in chords if chord.label != "N"]
    lasting_s = [duration_s for duration_s in durations_s if duration_s > MIN_CHORD_S]
    if lasting_s:
        beats = float(np.median(lasting_s)) * bpm / 60.0
        score -= CHORD_WEIGHT / 2 * np.log2(beats / CHORD_BEATS) ** 2
    best = int(score.argmax())
    return float(bpm[best]), float(pulse[best])


def _autocorrelate(envelope: Envelope) -> NDArray[np.float64]:
    """Return the autocorrelation of the detrended envelope, 1 at lag 0, for lags up to a window.

    It is averaged over half-overlapping windows of :data:`WINDOW_S`, and unbiased at long lags.
    """
    window_frames = round(WINDOW_S * FRAMES_PER_S)
    loud = np.log1p(envelope.astype(np.float64))
    loud = np.pad(loud, (0, max(window_frames - len(loud), 0)))
    loud[loud < MIN_ONSET_DB] = 0.0
    peaks = np.maximum(loud - uniform_filter1d(loud, DETREND_FRAMES, mode="constant"), 0.0)
    total = np.zeros(window_frames)
    starts = range(0, len(peaks) - window_frames + 1, window_frames // 2)
    for start in starts:
        window = peaks[start : start + window_frames]
        spectrum = np.fft.rfft(window - window.mean(), 2 * window_frames)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:window_frames]
        if correlation[0] > 0:
            total += correlation / correlation[0]
    overlap = np.maximum(1.0 - np.arange(window_frames) / window_frames, 0.2)
    averaged: NDArray[np.float64] = total / len(starts) / overlap
    return averaged


def track_beats(envelope: Envelope, tempo_bpm: float) -> NDArray[np.float64]:
    """Return the times of beats near a given tempo, found by librosa."""
    _, frames = beat_track(
        onset_envelope=envelope,
        sr=SAMPLE_RATE_HZ,
        hop_length=HOP_SAMPLES,
        bpm=tempo_bpm,
        trim=False,
    )
    times_s = frames / FRAMES_PER_S - LATENCY_S
    if len(times_s) >= SMOOTHED_BEATS:
        times_s = savgol_filter(times_s, SMOOTHED_BEATS, polyorder=1)
    tracked_s: NDArray[np.float64] = times_s[times_s >= 0.0]
    if len(tracked_s) < 2:
        first_s = float(tracked_s[0]) if len(tracked_s) else 0.0
        tracked_s = np.array([first_s, first_s + 60.0 / tempo_bpm])
    return tracked_s


def typical_period_s(beats_s: NDArray[np.float64]) -> float:
    """Return the mean of the beat intervals that are within 25 % of their median."""
    intervals_s = np.diff(beats_s)
    median_s = np.median(intervals_s)
    return float(intervals_s[np.abs(intervals_s - median_s) <= median_s / 4].mean())


def estimate_note_tempo(notes: Sequence[NoteEvent]) -> float:
    """Return the tempo, 70 to 140 bpm, whose half beats fit the intervals between onsets best.

    With fewer than eight intervals it is :data:`FALLBACK_BPM`.
    """
    onsets_s = sorted(note.onset_s for note in notes)
    distances_s = np.array([b - a for a, b in pairwise(onsets_s) if 0.1 <= b - a <= 2.0])
    if len(distances_s) < 8:
        return FALLBACK_BPM
    bpm = np.arange(70.0, 140.5, 0.5)
    half_beats = distances_s[:, None] * bpm / 30.0
    fit = np.cos(2 * np.pi * half_beats).mean(axis=0)
    prior = PRIOR_WEIGHT * np.log2(bpm / FALLBACK_BPM) ** 2
    return float(bpm[int((fit - prior).argmax())])


def steady_beats(notes: Sequence[NoteEvent]) -> NDArray[np.float64]:
    """Return the first two beats of a steady grid from the first note, at the notes' tempo."""
    first_s = min((note.onset_s for note in notes), default=0.0)
    return np.array([first_s, first_s + 60.0 / estimate_note_tempo(notes)])


def cover(beats_s: NDArray[np.float64], duration_s: float) -> NDArray[np.float64]:
    """Extrapolate two or more beats at their own tempo to both ends of ``[0, duration_s]``."""
    lead_s = float(np.median(np.diff(beats_s[:9])))
    tail_s = float(np.median(np.diff(beats_s[-9:])))
    before = int(beats_s[0] / lead_s)
    after = max(int((duration_s - beats_s[-1]) / tail_s), 0)
    return np.concatenate(
        [
            beats_s[0] - lead_s * np.arange(before, 0, -1),
            beats_s,
            beats_s[-1] + tail_s * np.arange(1, after + 1),
        ]
    )


def _strengths(envelope: Envelope, beats_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the greatest onset strength within two frames of each beat."""
    frames = np.rint((beats_s + LATENCY_S) * FRAMES_PER_S).astype(int)
    near = np.clip(frames[:, None] + np.arange(-2, 3), 0, len(envelope) - 1)
    strengths: NDArray[np.float64] = envelope[near].max(axis=1).astype(np.float64)
    return strengths

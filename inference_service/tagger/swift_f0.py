"""The notes of one voice, through SwiftF0.

SwiftF0 (Nieradzik, "SwiftF0: Fast and Accurate Monophonic Pitch Detection", 2025; package
``swift-f0``, MIT, weights in its wheel) predicts pitch, confidence and loudness every 16 ms. Its
``segment_notes`` cuts that contour into notes by dynamic programming. This module adds

- the written ``pitch``, rounded in the singer's tuning. That is the tuning of the recording, pulled
  towards the notes nearby, since unaccompanied singers start between the keys and drift.
  ``pitch_cents`` keeps the pitch that was sung;
- ``velocity`` from loudness, by the gain curve of General MIDI (40 log10(v / 127) dB), with the
  loudest notes at :data:`LOUD_VELOCITY`;
- a lower bound on durations, and onsets where the pitch has settled instead of where voicing
  begins, as in labels of sung melodies.

Constants were chosen on half of the clips of voice_dev; ``python -m tests.bench --only voice``
measures on the other half.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from swift_f0 import PitchResult, SwiftF0, concat, segment_notes

from inference_service.audio.waveform import Waveform
from inference_service.model_files import ModelFiles
from inference_service.music.events import NoteEvent
from inference_service.music.intonation import local_tuning
from inference_service.music.pitch import frequency_to_pitch
from inference_service.progress import Report
from inference_service.settings import ModelSettings

MIN_NOTE_S: Final = 0.05
PITCH_HOLD_MS: Final = 120.0
ONSET_DELAY_S: Final = 0.015
CHUNK_S: Final = 10.0
LOUD_VELOCITY: Final = 108


class SwiftF0Tagger:
    """Finds the notes of a lone voice or monophonic instrument, 47 to 2094 Hz.

    Parameters
    ----------
    threads : int
        Number of threads of ONNX Runtime.
    """

    def __init__(self, threads: int = 2) -> None:
        # Without spinning, idle threads leave the cores to the next stage.
        self._detector = SwiftF0(threads=threads, spin=False)

    def tag(self, waveform: Waveform, tuning_cents: float, report: Report) -> list[NoteEvent]:
        """Return the notes, sorted and without overlap."""
        contour = self.track(waveform, report)
        notes = [
            note
            for note in segment_notes(contour, pitch_hold_ms=PITCH_HOLD_MS)
            if note.end - note.start >= MIN_NOTE_S
        ]
        report(1.0)
        if not notes:
            return []
        onsets_s = np.array([note.start for note in notes])
        offsets_s = np.array([note.end for note in notes])
        sung = np.array([frequency_to_pitch(note.pitch_hz) for note in notes])
        # The delay is limited to half of the note.
        onsets_s = onsets_s + np.minimum(ONSET_DELAY_S, (offsets_s - onsets_s) / 2)
        return to_events(onsets_s, offsets_s, sung, contour, tuning_cents, waveform.duration_s)

    def track(self, waveform: Waveform, report: Report) -> PitchResult:
        """Return the pitch contour, one frame per 16 ms. Chunks do not affect the result."""
        mono = waveform.mono()
        rate_hz = waveform.sample_rate_hz
        chunk_samples = round(CHUNK_S * rate_hz)
        stream = self._detector.stream()
        contours = []
        for start in range(0, len(mono), chunk_samples):
            report(start / len(mono))
            contours.append(stream.push(mono[start : start + chunk_samples], rate_hz))
        contours.append(stream.flush())
        return concat(contours)


def build(entry: ModelFiles, settings: ModelSettings) -> SwiftF0Tagger:
    """Build the tagger, as the manifest declares it."""
    return SwiftF0Tagger()


def to_events(
    onsets_s: NDArray[np.float64],
    offsets_s: NDArray[np.float64],
    sung: NDArray[np.float64],
    contour: PitchResult,
    tuning_cents: float,
    duration_s: float,
) -> list[NoteEvent]:
    """Convert notes with fractional pitches to note events.

    Parameters
    ----------
    onsets_s, offsets_s, sung : np.ndarray, shape (N,)
        Onsets, offsets and fractional MIDI pitches, sorted and without overlap.
    contour : PitchResult
        Contour of the recording, for the loudness.
    tuning_cents : float
        Deviation of the recording from A440.
    duration_s : float
        Duration of the recording, to which offsets are limited.
    """
    if not len(onsets_s):
        return []
    pitches = np.rint(sung - local_tuning(onsets_s, offsets_s, sung, tuning_cents))
    velocities = _velocities(onsets_s, offsets_s, contour)
    return [
        NoteEvent(
            onset_s=float(onset_s),
            offset_s=float(min(offset_s, duration_s)),
            pitch=int(pitch),
            velocity=int(velocity),
            pitch_cents=float(100 * (exact - pitch)),
        )
        for onset_s, offset_s, pitch, velocity, exact in zip(
            onsets_s, offsets_s, pitches, velocities, sung, strict=True
        )
        if onset_s < duration_s
    ]


def _velocities(
    onsets_s: NDArray[np.float64], offsets_s: NDArray[np.float64], contour: PitchResult
) -> NDArray[np.int64]:
    """Return MIDI velocities from the loudness of each note relative to the loudest notes."""
    starts = np.searchsorted(contour.timestamps, onsets_s)
    stops = np.maximum(np.searchsorted(contour.timestamps, offsets_s), starts + 1)
    levels_db = np.array(
        [
            np.percentile(contour.loudness_db[start:stop], 75)
            for start, stop in zip(starts, stops, strict=True)
        ]
    )
    below_db = np.minimum(levels_db - np.percentile(levels_db, 90), 0.0)
    velocities: NDArray[np.float64] = np.rint(LOUD_VELOCITY * 10 ** (below_db / 40))
    return velocities.clip(1, 127).astype(np.int64)

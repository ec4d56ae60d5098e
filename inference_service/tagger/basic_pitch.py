"""Polyphonic notes of any instrument, through Basic Pitch.

Basic Pitch is by Bittner et al., "A Lightweight Instrument-Agnostic Model for Polyphonic Note
Transcription and Multipitch Estimation", ICASSP 2022 (package ``basic-pitch``, Apache 2.0). The
wheel's ``nmp.onnx`` runs in ONNX Runtime; the package itself, which needs TensorFlow, is never
imported. Windows and their joining follow ``basic_pitch.inference``. Decoding follows
``basic_pitch.note_creation.output_to_notes_polyphonic`` with its default thresholds. The unit tests
compare both with the originals. Pitch bends are omitted.

Frames are 256 samples at 22.05 kHz. A window has 43 844 samples (172 frames), of which 15 frames
are dropped at either end. Windows advance by 36 164 samples: 142 frames are kept, but the advance
is 141.27 frames, which the time of a frame takes into account as in the original.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy.signal import argrelmax

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform, mix
from inference_service.model_files import ModelFiles
from inference_service.music.events import NoteEvent, Part
from inference_service.music.programs import PIANO
from inference_service.progress import Report
from inference_service.settings import ModelSettings

SAMPLE_RATE_HZ: Final = 22_050
HOP_SAMPLES: Final = 256
WINDOW_SAMPLES: Final = 2 * SAMPLE_RATE_HZ - HOP_SAMPLES
WINDOW_FRAMES: Final = 172
OVERLAP_FRAMES: Final = 30
ADVANCE_SAMPLES: Final = WINDOW_SAMPLES - OVERLAP_FRAMES * HOP_SAMPLES
WHOLE_FRAMES_PER_S: Final = SAMPLE_RATE_HZ // HOP_SAMPLES
LOWEST_PITCH: Final = 21
ALIGNMENT_S: Final = 0.0018
"""The original's correction per window, which its authors found by hand."""

ONSET_THRESHOLD: Final = 0.5
FRAME_THRESHOLD: Final = 0.3
MIN_NOTE_FRAMES: Final = 11
GAP_FRAMES: Final = 11
"""Number of frames below the threshold after which a note ends."""

Activations = NDArray[np.float32]


class FrameNote(NamedTuple):
    """A note with times in frames; ``amplitude`` is its mean activation, in [0, 1]."""

    start: int
    stop: int
    pitch: int
    amplitude: float


def default_model_path() -> Path:
    """Return the ONNX file in the installed ``basic-pitch``, without importing the package.

    Raises
    ------
    FileNotFoundError
        If the package is not installed.
    """
    spec = importlib.util.find_spec("basic_pitch")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package basic-pitch is not installed")
    return Path(spec.origin).parent / "saved_models" / "icassp_2022" / "nmp.onnx"


class BasicPitchTagger:
    """Finds the notes of a stem of any instruments, A0 to C8.

    Parameters
    ----------
    model_path : Path, optional
        An ONNX file of the model; by default the installed package's.
    threads : int
        Number of threads of ONNX Runtime.
    """

    def __init__(self, model_path: Path | None = None, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(model_path or default_model_path()), options, providers=["CPUExecutionProvider"]
        )

    def tag(self, waveform: Waveform, tuning_cents: float, report: Report) -> list[NoteEvent]:
        """Return the notes, sorted; ``tuning_cents`` is unused, as the model predicts semitones."""
        frames, onsets = self.predict(waveform, report)
        times_s = frame_times_s(len(frames))
        notes = decode_notes(frames, onsets)
        report(1.0)
        return sorted(
            NoteEvent(
                onset_s=float(times_s[note.start]),
                offset_s=float(times_s[note.stop]),
                pitch=note.pitch,
                velocity=min(max(round(127 * note.amplitude), 1), 127),
            )
            for note in notes
        )

    def tag_parts(
        self, stems: Mapping[str, Waveform], tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return all notes as one part, as the model does not distinguish instruments.

        The drums stem is ignored.
        """
        pitched = [stem for name, stem in stems.items() if name != "drums"]
        notes = self.tag(mix(pitched), tuning_cents, report) if pitched else []
        return (Part("accompaniment", "Accompaniment", tuple(notes), PIANO),) if notes else ()

    def tag_players(
        self, waveform: Waveform, tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return all notes as one part."""
        return self.tag_parts({"mixture": waveform}, tuning_cents, report)

    def predict(self, waveform: Waveform, report: Report) -> tuple[Activations, Activations]:
        """Return the frame and onset activations, each of shape (T, 88), in [0, 1]."""
        mono = resample(waveform.mono()[None], waveform.sample_rate_hz, SAMPLE_RATE_HZ)[0]
        frames, onsets = [], []
        starts = range(0, len(mono) + OVERLAP_FRAMES // 2 * HOP_SAMPLES, ADVANCE_SAMPLES)
        for number, window in enumerate(_windows(mono, starts)):
            report(number / len(starts))
            note, onset = self._session.run(
                ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"],
                {"serving_default_input_2:0": window[None, :, None]},
            )
            frames.append(note[0])
            onsets.append(onset[0])
        return join_windows(frames, len(mono)), join_windows(onsets, len(mono))


def build(entry: ModelFiles, settings: ModelSettings) -> BasicPitchTagger:
    """Build the tagger, as the manifest declares it."""
    return BasicPitchTagger()


def _windows(mono: Samples, starts: range) -> Iterator[Samples]:
    """Yield windows of a signal that is preceded by half an overlap of silence; pad the last."""
    lead_samples = OVERLAP_FRAMES // 2 * HOP_SAMPLES
    for start in starts:
        window = np.zeros(WINDOW_SAMPLES, np.float32)
        first = start - lead_samples
        piece = mono[max(first, 0) : first + WINDOW_SAMPLES]
        offset = max(-first, 0)
        window[offset : offset + len(piece)] = piece
        yield window


def join_windows(windows: list[Activations], length_samples: int) -> Activations:
    """Join the middles of overlapping windows, from shapes (172, P) to (T, P)."""
    half = OVERLAP_FRAMES // 2
    joined = np.concatenate([window[half:-half] for window in windows])
    return joined[: length_samples * WHOLE_FRAMES_PER_S // SAMPLE_RATE_HZ]


def frame_times_s(frame_count: int) -> NDArray[np.float64]:
    """Return the time of each joined frame in seconds.

    A window has 172 frames nominally, but 171.27 by its number of samples. Each further window of
    172 joined frames is therefore a little earlier than its frame index suggests.
    """
    index = np.arange(frame_count)
    excess_s = (
        HOP_SAMPLES / SAMPLE_RATE_HZ * (WINDOW_FRAMES - WINDOW_SAMPLES / HOP_SAMPLES) + ALIGNMENT_S
    )
    times_s: NDArray[np.float64] = index * HOP_SAMPLES / SAMPLE_RATE_HZ - excess_s * (
        index // WINDOW_FRAMES
    )
    return times_s


def decode_notes(frames: Activations, onsets: Activations) -> list[FrameNote]:
    """Decode activations, each of shape (T, 88), to notes.

    Notes begin at peaks of the onset activation, or of sudden rises of the frame activation, and
    are decoded from the latest. They end where the frame activation stays below its threshold for
    :data:`GAP_FRAMES`. The remaining activation then yields notes that grow from its strongest
    frames in both directions ("melodia trick").
    """
    if len(frames) < 3:
        return []
    onsets = _with_sudden_rises(onsets, frames)
    peaks = np.zeros(onsets.shape, bool)
    peaks[argrelmax(onsets, axis=0)] = True
    peaks &= onsets >= ONSET_THRESHOLD
    remaining = frames.copy()
    notes = []
    for start, bin_ in reversed(list(zip(*np.nonzero(peaks), strict=True))):
        if start >= len(frames) - 1:
            continue
        stop = _follow(remaining[:, bin_], start + 1, len(frames) - 1)
        if stop - start > MIN_NOTE_FRAMES:
            _erase(remaining, start, stop, bin_)
            notes.append(_frame_note(frames, start, stop, bin_))
    notes.extend(_notes_of_remainder(frames, remaining))
    return notes


def _with_sudden_rises(onsets: Activations, frames: Activations) -> Activations:
    """Return the maximum of the onsets and the scaled rise of the frames over 1 and 2 frames."""
    rise = np.zeros_like(frames)
    rise[2:] = np.minimum(frames[2:] - frames[1:-1], frames[2:] - frames[:-2])
    np.maximum(rise, 0, out=rise)
    steepest = float(rise.max())
    if steepest == 0:
        return onsets
    louder: Activations = np.maximum(onsets, onsets.max() * rise / steepest)
    return louder


def _follow(energy: Activations, first: int, end: int) -> int:
    """Return the end of a note that sounds at ``first``, at most ``end``."""
    gap = 0
    position = first
    while position < end and gap < GAP_FRAMES:
        gap = gap + 1 if energy[position] < FRAME_THRESHOLD else 0
        position += 1
    return position - gap


def _erase(energy: Activations, start: int, stop: int, bin_: int) -> None:
    """Erase a note and the adjacent semitones, into which it leaks."""
    energy[start:stop, max(bin_ - 1, 0) : bin_ + 2] = 0


def _notes_of_remainder(frames: Activations, remaining: Activations) -> Iterator[FrameNote]:
    # Energy is only erased, so sorting once replaces a search for the maximum for each note.
    seeds = np.flatnonzero(remaining > FRAME_THRESHOLD)
    strongest_first = seeds[np.argsort(-remaining.ravel()[seeds], kind="stable")]
    end = len(frames) - 1
    for seed in strongest_first:
        middle, bin_ = divmod(int(seed), remaining.shape[1])
        if remaining[middle, bin_] == 0:
            continue
        remaining[middle, bin_] = 0
        after, stop = _grow(remaining[:, bin_], range(middle + 1, end))
        before, start = _grow(remaining[:, bin_], range(middle - 1, 0, -1))
        _erase(remaining, middle + 1, after, bin_)
        _erase(remaining, before + 1, middle, bin_)
        if stop - 1 - (start + 1) > MIN_NOTE_FRAMES:
            yield _frame_note(frames, start + 1, stop - 1, bin_)


def _grow(energy: Activations, positions: range) -> tuple[int, int]:
    """Walk until a gap; return the first position not visited, and that minus the gap."""
    gap = 0
    position = positions.start
    while position in positions and gap < GAP_FRAMES:
        gap = gap + 1 if energy[position] < FRAME_THRESHOLD else 0
        position += positions.step
    return position, position - gap * positions.step


def _frame_note(frames: Activations, start: int, stop: int, bin_: int) -> FrameNote:
    amplitude = float(frames[start:stop, bin_].mean())
    return FrameNote(int(start), int(stop), int(bin_) + LOWEST_PITCH, amplitude)

"""Labelled real recordings for evaluation; nothing is chosen on them.

They are every third clip of pianos, every sixth of voices and both of guitars in the development
sets. The score is the mean over clips of F1 with mir_eval's defaults: onsets within 50 ms, pitches
within 50 cents, offsets within 20 % of a note's length or 50 ms.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.music.events import NoteEvent
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.tagger.dev import match_notes, to_rows

Kind = Literal["piano", "voice", "guitar", "rendered"]
Rows = NDArray[np.float64]

EVERY: Final[dict[Kind, int]] = {"piano": 3, "voice": 6, "guitar": 1}
LEAD_IN_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording and its notes.

    Attributes
    ----------
    kind, name : str
    samples : np.ndarray, shape (N,), float32, at ``RATE_HZ``
    notes : np.ndarray, shape (M, 3)
        Onset and offset in seconds, MIDI pitch, with fractions if the labels have them.
    """

    kind: Kind
    name: str
    samples: Samples
    notes: Rows

    @property
    def waveform(self) -> Waveform:
        """The samples as a waveform."""
        return Waveform(self.samples[None], RATE_HZ)


def load_clips(data: Path, kind: Kind) -> list[Clip]:
    """Read the clips of a kind.

    Raises
    ------
    FileNotFoundError
        If the folder has none.
    """
    paths = sorted((data / f"{kind}_dev").glob("*.flac"))[:: EVERY[kind]]
    if not paths:
        raise FileNotFoundError(f"no recordings in {data / f'{kind}_dev'}")
    return [Clip(kind, path.stem, _read(path), _READERS[kind](path)) for path in paths]


def excerpt(clip: Clip, length_s: float) -> Clip:
    """Return ``length_s`` of a clip from shortly before its first note; cut notes end with it."""
    start_s = max(float(clip.notes[:, 0].min()) - LEAD_IN_S, 0.0)
    first = round(start_s * RATE_HZ)
    samples = clip.samples[first : first + round(length_s * RATE_HZ)]
    notes = clip.notes - [first / RATE_HZ, first / RATE_HZ, 0.0]
    end_s = len(samples) / RATE_HZ
    notes = notes[notes[:, 0] < end_s - 0.05]
    notes[:, 1] = np.minimum(notes[:, 1], end_s)
    return Clip(clip.kind, clip.name, samples, notes)


def f1(
    clip: Clip, estimated: Rows | Sequence[NoteEvent], offset_ratio: float | None = None
) -> float:
    """Return a clip's F1; offsets must match too if a ratio is given."""
    rows = estimated if isinstance(estimated, np.ndarray) else to_rows(estimated)
    matched = len(match_notes(clip.notes, rows, offset_ratio))
    return 2 * matched / max(len(rows) + len(clip.notes), 1)


def _read(path: Path) -> Samples:
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    mono: Samples = samples.mean(axis=1, dtype=np.float32)
    resampled: Samples = resample(mono, rate_hz, RATE_HZ)
    return resampled


def _read_table(suffix: str) -> Callable[[Path], Rows]:
    return lambda path: np.loadtxt(path.with_suffix(suffix), ndmin=2)[:, :3]


def _read_jams(path: Path) -> Rows:
    """Read GuitarSet's labels, which have a track of notes for each string."""
    annotations = json.loads(path.with_name(f"{path.stem.removesuffix('_mic')}.jams").read_text())
    rows = [
        (note["time"], note["time"] + note["duration"], note["value"])
        for track in annotations["annotations"]
        if track["namespace"] == "note_midi"
        for note in track["data"]
    ]
    return np.array(sorted(rows), float).reshape(-1, 3)


_READERS: Final[dict[Kind, Callable[[Path], Rows]]] = {
    "piano": _read_table(".tsv"),
    "voice": _read_table(".txt"),
    "guitar": _read_jams,
}

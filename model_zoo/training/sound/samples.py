"""Stores recorded sounds by pitch and velocity, so that processes can share them.

A set of recordings is two files. ``NAME.npy`` holds the concatenated samples: mono, int16, at
``RATE_HZ``, each recording scaled to full range, to be memory-mapped. ``NAME.json`` is the index.
A recording begins :data:`LEAD_S` before its onset (:func:`find_onset`) and ends when it has decayed
by :data:`DECAY_DB`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from inference_service.audio.waveform import Samples
from model_zoo.training.sound.fluidsynth import RATE_HZ

SOUNDS: Final = Path("var/sounds")
LEAD_S: Final = 0.001
ONSET_DB: Final = -26.0
DECAY_DB: Final = -66.0
MAX_S: Final = 20.0
SILENT: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Recording:
    """The recording of a note or a stroke.

    Attributes
    ----------
    pitch : float
        MIDI number, or General MIDI key for percussion.
    velocity : int
        The highest velocity that it is used for.
    samples : np.ndarray, shape (N,), float32
        Trimmed by :func:`trim`.
    variant : int
        Number among the recordings of the same pitch and velocity.
    """

    pitch: float
    velocity: int
    samples: Samples
    variant: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """Location of a recording in the array.

    Attributes
    ----------
    pitch, velocity, variant
        As in :class:`Recording`.
    start, stop : int
        Range in the array.
    peak : float
        The amplitude that full scale stands for.
    """

    pitch: float
    velocity: int
    variant: int
    start: int
    stop: int
    peak: float


def find_onset(samples: Samples, rate_hz: int = RATE_HZ) -> int:
    """Return the index of the sample at which a note begins.

    That is where the power, averaged over a millisecond, first comes within :data:`ONSET_DB` of its
    maximum in the first half-second.
    """
    width = max(round(0.001 * rate_hz), 1)
    power = uniform_filter1d(np.square(samples, dtype=np.float64), width)
    quiet = power < power.max() * 1e-4
    first = int(np.argmin(quiet)) if len(quiet) else 0
    highest = power[: first + rate_hz // 2].max(initial=0.0)
    return int(np.argmax(power >= highest * 10 ** (ONSET_DB / 10)))


def trim(samples: Samples, rate_hz: int = RATE_HZ) -> Samples:
    """Cut the silence before a note, and its end once it has decayed."""
    lead = round(LEAD_S * rate_hz)
    start = find_onset(samples, rate_hz) - lead
    note = np.pad(samples, (max(-start, 0), 0))[max(start, 0) :][: round(MAX_S * rate_hz)]
    level = maximum_filter1d(np.abs(note), max(round(0.02 * rate_hz), 1))
    heard = np.flatnonzero(level > level.max(initial=0.0) * 10 ** (DECAY_DB / 20))
    note = np.array(note[: heard[-1] + 1 if len(heard) else 0], np.float32)
    note[:lead] *= np.linspace(0.0, 1.0, min(lead, len(note)), dtype=np.float32)
    fade = min(round(0.01 * rate_hz), len(note))
    note[len(note) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return note


def load_sound(path: Path, semitones: float = 0.0) -> Samples:
    """Decode a file and raise its pitch: np.ndarray, shape (N,), float32, mono."""
    sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    played_hz = rate_hz * 2 ** (semitones / 12)
    return np.asarray(soxr.resample(sound.mean(axis=1), played_hz, RATE_HZ), np.float32)


def write(folder: Path, name: str, recordings: Iterable[Recording]) -> int:
    """Store the recordings that are not silent; return their number.

    Raises
    ------
    ValueError
        If all are silent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[Entry] = []
    pieces: list[NDArray[np.int16]] = []
    start = 0
    for recording in recordings:
        peak = float(np.abs(recording.samples).max(initial=0.0))
        if peak < SILENT:
            continue
        stop = start + len(recording.samples)
        pieces.append(np.rint(recording.samples / peak * 32767).astype(np.int16))
        kept = (recording.pitch, recording.velocity, recording.variant)
        entries.append(Entry(*kept, start, stop, peak))
        start = stop
    if not entries:
        raise ValueError(f"{name}: nothing sounds")
    np.save(folder / f"{name}.npy", np.concatenate(pieces))
    (folder / f"{name}.json").write_text(json.dumps([asdict(entry) for entry in entries]))
    return len(entries)


def read(folder: Path, name: str) -> tuple[NDArray[np.int16], list[Entry]]:
    """Read what :func:`write` stored; the samples are memory-mapped.

    Raises
    ------
    FileNotFoundError
        If there is no such set.
    """
    index = json.loads((folder / f"{name}.json").read_text())
    return np.load(folder / f"{name}.npy", mmap_mode="r"), [Entry(**entry) for entry in index]

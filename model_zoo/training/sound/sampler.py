"""A sampler that plays notes with the recorded notes of a bank.

A note uses the sample of nearest pitch in the layer of its velocity, resampled to its pitch. The
sample starts :data:`~model_zoo.training.sound.samples.LEAD_S` before the note, so that the sound
begins at the onset. In banks with a single layer, soft notes are also low-pass filtered. After the
offset, the level falls by 40 dB within a release time drawn for each performance, then to silence;
the top strings of a piano have no dampers and ring on. Striking a key again does not stop its
previous note.

Labels are exact: a note that is longer than its sample ends with the sample, and a note too far
from any sample is dropped.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soxr
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from inference_service.audio.waveform import Samples
from model_zoo.training.sound.banks import Bank
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sound.samples import LEAD_S, SOUNDS, Entry, read

Notes = NDArray[np.float64]
"""Rows of onset and offset in seconds, pitch as a MIDI number, velocity 1-127."""

REACH_SEMITONES: Final = 6.0
UNDAMPED_PITCH: Final = 90
SHADES: Final = ((45, 5.0), (80, 12.0))
"""For banks of one layer: up to this velocity, the low-pass cut-off in multiples of the pitch."""

CACHE_SAMPLES: Final = 6_000_000
SHORTEST_S: Final = 0.5
"""Samples are prepared in this length and its doublings, so that notes can share them."""

MARGIN_S: Final = 0.02
"""Extra input for the resampler, so that its output does not depend on where the piece ends."""


@dataclass(frozen=True, slots=True)
class Touch:
    """Response of an instrument to velocity and release.

    Attributes
    ----------
    release_s : tuple of float
        Range of the release time.
    undamped_pitch : float
        From this pitch up, notes ring on after their offset.
    exponent : tuple of float
        Range of the exponent that maps velocity to level within a layer.
    """

    release_s: tuple[float, float] = (0.02, 0.08)
    undamped_pitch: float = np.inf
    exponent: tuple[float, float] = (0.7, 1.8)


PLAIN: Final = Touch()
PIANO: Final = Touch((0.08, 0.15), UNDAMPED_PITCH, (0.9, 1.5))
RINGING: Final = Touch((0.3, 0.8))
"""For harps and xylophones, which are not damped immediately."""


class Instrument:
    """An instrument that plays samples.

    Parameters
    ----------
    samples : np.ndarray, shape (N,), int16
    entries : sequence of Entry
        Index of ``samples``.
    touch : Touch
    """

    def __init__(
        self,
        samples: NDArray[np.int16],
        entries: Sequence[Entry],
        touch: Touch = PLAIN,
    ) -> None:
        self._samples = samples
        self._entries = list(entries)
        self._touch = touch
        self._velocities = np.array([entry.velocity for entry in entries])
        self._layers = np.unique(self._velocities)
        self._pitches = np.array([entry.pitch for entry in entries])
        self._cache: OrderedDict[tuple[int, int, int, int], Samples] = OrderedDict()
        self._cached_samples = 0

    def play(self, notes: Notes, length_s: float, random: Generator) -> tuple[Samples, Notes]:
        """Play notes; return the sound, and the notes that sound.

        Parameters
        ----------
        notes : np.ndarray, shape (N, 4)
        length_s : float
        random : Generator

        Returns
        -------
        samples : np.ndarray, shape (M,), float32
        notes : np.ndarray, shape (K, 4)
            Sorted by onset; offsets may lie beyond ``length_s``.
        """
        lead = round(LEAD_S * RATE_HZ)
        release = self._draw_release(random)
        exponent = float(random.uniform(*self._touch.exponent))
        sound = np.zeros(round(length_s * RATE_HZ), np.float32)
        sounded = []
        for onset_s, offset_s, pitch, velocity in notes[np.argsort(notes[:, 0], kind="stable")]:
            index, top = self._choose(pitch, velocity)
            start = round(onset_s * RATE_HZ) - lead
            if index is None or start >= len(sound):
                continue
            damped = pitch < self._touch.undamped_pitch
            held = round((offset_s - onset_s) * RATE_HZ) + lead if damped else None
            count = None if held is None else held + len(release)
            note = self._prepare(index, pitch, self._shade(velocity), count)
            whole_s = (self._length(index, pitch) - lead) / RATE_HZ
            sounded.append((onset_s, min(offset_s, onset_s + whole_s), pitch, velocity))
            gain = np.float32((velocity / top) ** exponent)
            add(sound, note[: len(note) if held is None else held], start, gain)
            if held is not None:
                tail = note[held : held + len(release)]
                add(sound, tail * release[: len(tail)], start + held, gain)
        return sound, np.array(sounded, float).reshape(-1, 4)

    def _draw_release(self, random: Generator) -> Samples:
        release_s = float(random.uniform(*self._touch.release_s))
        time = np.arange(round(1.5 * release_s * RATE_HZ)) / (release_s * RATE_HZ)
        return np.asarray(10 ** (-2 * time) * (1 - time / 1.5), np.float32)

    def _choose(self, pitch: float, velocity: float) -> tuple[int | None, int]:
        """Return the sample's index, if one is near enough, and its layer's top velocity."""
        layer = int(np.searchsorted(self._layers, velocity).clip(0, len(self._layers) - 1))
        top = int(self._layers[layer])
        distance = np.abs(self._pitches - pitch) + 1000.0 * (self._velocities != top)
        index = int(distance.argmin())
        return (index if distance[index] <= REACH_SEMITONES else None), top

    def _length(self, index: int, pitch: float) -> int:
        entry = self._entries[index]
        return int((entry.stop - entry.start) * 2 ** ((entry.pitch - pitch) / 12))

    def _shade(self, velocity: float) -> int:
        if len(self._layers) > 1:
            return len(SHADES)
        return sum(velocity > top for top, _ in SHADES)

    def _prepare(self, index: int, pitch: float, shade: int, count: int | None) -> Samples:
        """Return the first ``count`` values of a sample at ``pitch``, or all of it."""
        whole = self._length(index, pitch)
        count = whole if count is None else min(count, whole)
        doublings = max(int(np.ceil(np.log2(max(count, 1) / (SHORTEST_S * RATE_HZ)))), 0)
        key = index, round(pitch * 100), shade, doublings
        if (found := self._cache.get(key)) is not None:
            self._cache.move_to_end(key)
            return found[:count]
        entry = self._entries[index]
        ratio = 2 ** ((pitch - entry.pitch) / 12)
        length = int(SHORTEST_S * RATE_HZ) * 2**doublings
        stop = min(entry.start + int((length + MARGIN_S * RATE_HZ) * ratio), entry.stop)
        sample = self._samples[entry.start : stop].astype(np.float32)
        sample *= np.float32(entry.peak / 32767)
        if ratio != 1.0:
            sample = soxr.resample(sample, RATE_HZ * ratio, RATE_HZ, quality="MQ")
        if shade < len(SHADES):
            cut_hz = min(440 * 2 ** ((pitch - 69) / 12) * SHADES[shade][1], 0.45 * RATE_HZ)
            sample = sosfilt(butter(1, cut_hz, fs=RATE_HZ, output="sos"), sample)
            sample = sample.astype(np.float32)
        self._keep(key, sample)
        return sample[:count]

    def _keep(self, key: tuple[int, int, int, int], sample: Samples) -> None:
        self._cache[key] = sample
        self._cached_samples += len(sample)
        while self._cached_samples > CACHE_SAMPLES and len(self._cache) > 1:
            self._cached_samples -= len(self._cache.popitem(last=False)[1])


def load_instrument(bank: Bank, folder: Path = SOUNDS) -> Instrument:
    """Load the instrument of a bank; its samples are memory-mapped.

    Raises
    ------
    FileNotFoundError
        If the bank has not been fetched.
    """
    family = bank.programs[0]
    touch = PIANO if family < 8 else RINGING if family in (13, 46) else PLAIN
    samples, entries = read(folder, bank.name)
    return Instrument(samples, entries, touch)


def add(sound: Samples, piece: Samples, start: int, gain: np.float32) -> None:
    """Add ``piece`` to ``sound`` at ``start``, in place; what lies outside is cut off."""
    piece = piece[max(-start, 0) :]
    start = max(start, 0)
    stop = min(start + len(piece), len(sound))
    if stop > start:
        sound[start:stop] += gain * piece[: stop - start]

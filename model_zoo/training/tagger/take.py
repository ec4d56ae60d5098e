"""A recording with exact labels, and operations on both."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.audio.waveform import Samples
from inference_service.music.events import ChordSegment, Key
from model_zoo.training.sound.fluidsynth import RATE_HZ

ONSET: Final = 0
OFFSET: Final = 1
PITCH: Final = 2
VELOCITY: Final = 3
FAMILY: Final = 4

KEY: Final = 1
STRENGTH: Final = 2

MEAN_VELOCITY: Final = 80.0

Labels = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Take:
    """A recording and its labels.

    Attributes
    ----------
    samples : np.ndarray, shape (N,), float32
        At ``RATE_HZ``.
    notes : np.ndarray, shape (M, 5)
        Onset and offset in seconds, sounding pitch (a MIDI number with fractions), velocity 1-127
        (of rendered scenes: after :func:`centre_velocities`), index of the family; sorted by
        onset.
    drums : np.ndarray, shape (K, 3)
        Onset in seconds, index of the percussion sound, velocity; sorted by onset.
    beats : np.ndarray, shape (B, 2)
        Time in seconds and position in the bar, 1 for the downbeat; empty if unknown.
    chords : tuple of ChordSegment
        Empty if unknown.
    key : Key or None
    """

    samples: Samples
    notes: Labels
    drums: Labels
    beats: Labels = field(default_factory=lambda: np.zeros((0, 2)))
    chords: tuple[ChordSegment, ...] = ()
    key: Key | None = None

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / RATE_HZ


def cut(take: Take, start_s: float, length_s: float) -> Take:
    """Return an excerpt with times from its start; notes already sounding have negative onsets."""
    first = round(start_s * RATE_HZ)
    samples = take.samples[first : first + round(length_s * RATE_HZ)]
    notes, drums, beats = take.notes.copy(), take.drums.copy(), take.beats - [start_s, 0.0]
    notes[:, :2] -= start_s
    drums[:, 0] -= start_s
    heard = (notes[:, OFFSET] > 0) & (notes[:, ONSET] < length_s)
    struck = (drums[:, 0] >= -0.1) & (drums[:, 0] < length_s + 0.1)
    counted = (beats[:, 0] >= 0) & (beats[:, 0] < length_s)
    chords = tuple(
        replace(c, start_s=max(c.start_s - start_s, 0.0), end_s=min(c.end_s - start_s, length_s))
        for c in take.chords
        if c.end_s > start_s and c.start_s < start_s + length_s
    )
    return Take(samples, notes[heard], drums[struck], beats[counted], chords, take.key)


def mix(takes: list[Take], gains: list[float]) -> Take:
    """Return the sum of takes; shorter ones are padded with silence."""
    samples = np.zeros(max(len(take.samples) for take in takes), np.float32)
    for take, gain in zip(takes, gains, strict=True):
        samples[: len(take.samples)] += np.float32(gain) * take.samples
    notes = np.concatenate([take.notes for take in takes])
    drums = np.concatenate([take.drums for take in takes])
    return Take(
        samples,
        notes[np.argsort(notes[:, ONSET], kind="stable")],
        drums[np.argsort(drums[:, ONSET], kind="stable")],
    )


def centre_velocities(notes: Labels) -> Labels:
    """Return notes with velocities relative to the mean of their family.

    A mix does not reveal how hard a whole part was played, since parts are mixed at any level.
    """
    centred = notes.copy()
    for family in np.unique(notes[:, FAMILY]):
        own = notes[:, FAMILY] == family
        centred[own, VELOCITY] += MEAN_VELOCITY - notes[own, VELOCITY].mean()
    centred[:, VELOCITY] = np.clip(centred[:, VELOCITY], 1, 127)
    return centred


def hold_by_pedal(notes: Labels, pedal: Labels) -> Labels:
    """Return notes that last while the pedal holds them, or until their key is struck again.

    Notes held by a pedal that is never released end at ``inf``.

    Parameters
    ----------
    notes : np.ndarray, shape (N, 4), sorted by onset
    pedal : np.ndarray, shape (K, 2)
        Time in seconds and value; pressed from 64 up, as in General MIDI.
    """
    held = notes.copy()
    if len(pedal):
        down = pedal[:, 1] >= 64
        index = np.searchsorted(pedal[:, 0], held[:, OFFSET], side="right") - 1
        for row in np.flatnonzero((index >= 0) & down[np.maximum(index, 0)]):
            releases = np.flatnonzero(~down[index[row] :])
            last = float(pedal[index[row] + releases[0], 0]) if len(releases) else np.inf
            held[row, OFFSET] = max(held[row, OFFSET], last)
    return end_at_repeats(held)


def end_at_repeats(notes: Labels) -> Labels:
    """Return notes that end where their pitch begins again; of two at once, only the longer."""
    order = np.lexsort((-notes[:, OFFSET], notes[:, ONSET], notes[:, PITCH]))
    ended = notes[order].copy()
    again = np.flatnonzero(ended[1:, PITCH] == ended[:-1, PITCH])
    ended[again, OFFSET] = np.minimum(ended[again, OFFSET], ended[again + 1, ONSET])
    # two notes of one key at once make one sound
    same = np.zeros(len(ended), bool)
    same[again + 1] = ended[again + 1, ONSET] - ended[again, ONSET] < 1e-3
    ended[again, OFFSET] = np.where(
        same[again + 1],
        np.maximum(ended[again, OFFSET], notes[order][again, OFFSET]),
        ended[again, OFFSET],
    )
    ended = ended[~same & (ended[:, OFFSET] > ended[:, ONSET])]
    return ended[np.argsort(ended[:, ONSET], kind="stable")]

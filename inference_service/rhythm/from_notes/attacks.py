"""Group notes into attacks, and compute the network's input features.

Durations are encoded in seconds and, where the usual length of a quarter is given, in quarters too.
So conditioned, the network predicts written values that suit this length: if it is twice as long,
the values are half as long.

An attack is a run of notes, each within :data:`GAP_S` of the previous note and :data:`SPAN_S` of
the first. Arpeggios and ornaments form several attacks, which may share one written position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

GAP_S: Final = 0.03
SPAN_S: Final = 0.045
"""Set by hand; the networks were trained on attacks of these limits."""
NOTE_FEATURES: Final = 32
ATTACK_FEATURES: Final = 53

_TIME_CENTRES: Final = np.linspace(-5.0, 2.0, 8)
"""Centres, in octaves of seconds, of the triangular bins that encode a duration."""


@dataclass(frozen=True, slots=True)
class Attacks:
    """N notes, sorted by onset then pitch, in A attacks.

    Attributes
    ----------
    onset_s : np.ndarray, shape (A,)
        Mean onset of the notes of each attack.
    index : np.ndarray of int, shape (N,)
        Index of the attack of each note.
    """

    onset_s: Floats
    index: Indices


def find_attacks(onset_s: Floats) -> Attacks:
    """Group notes into attacks by their onsets, ascending, shape (N,)."""
    index = np.zeros(len(onset_s), np.int64)
    first = previous = -np.inf
    attack = -1
    for note, time_s in enumerate(onset_s.tolist()):
        if time_s - previous > GAP_S or time_s - first > SPAN_S:
            attack += 1
            first = time_s
        previous = time_s
        index[note] = attack
    sizes = np.bincount(index, minlength=attack + 1)
    means = np.bincount(index, onset_s, attack + 1) / np.maximum(sizes, 1)
    return Attacks(means, index)


def describe_notes(
    attacks: Attacks,
    onset_s: Floats,
    offset_s: Floats,
    pitch: Indices,
    velocity: Indices,
    quarter_s: float | None = None,
) -> NDArray[np.float32]:
    """Return the features of each note, shape (N, NOTE_FEATURES)."""
    count = len(attacks.onset_s)
    index = attacks.index
    lowest = np.full(count, 128)
    highest = np.full(count, -1)
    np.minimum.at(lowest, index, pitch)
    np.maximum.at(highest, index, pitch)
    classes = np.eye(12)[pitch % 12]
    columns = [
        (pitch - 60) / 24.0,
        (velocity - 64) / 32.0,
        (highest[index] - pitch) / 12.0,
        (pitch - lowest[index]) / 12.0,
        *_spread(offset_s - onset_s).T,
        *_spread_quarters(offset_s - onset_s, quarter_s).T,
    ]
    return np.column_stack([classes, *columns]).astype(np.float32)


def describe_attacks(
    attacks: Attacks,
    offset_s: Floats,
    pitch: Indices,
    velocity: Indices,
    quarter_s: float | None = None,
) -> NDArray[np.float32]:
    """Return the features of each attack, shape (A, ATTACK_FEATURES)."""
    count = len(attacks.onset_s)
    gaps = np.diff(attacks.onset_s)
    before = np.concatenate([gaps[:1] if len(gaps) else [1.0], gaps])[:count]
    after = np.concatenate([gaps, [2.0]])[:count]
    lowest = np.full(count, 128.0)
    highest = np.full(count, -1.0)
    loudest = np.zeros(count)
    np.minimum.at(lowest, attacks.index, pitch)
    np.maximum.at(highest, attacks.index, pitch)
    np.maximum.at(loudest, attacks.index, velocity)
    released = np.zeros(count)
    np.maximum.at(released, attacks.index, offset_s)
    still = np.maximum.accumulate(released) - attacks.onset_s  # time until the last note ends
    sizes = np.bincount(attacks.index, minlength=count)
    columns = [
        *_spread(before).T,
        *_spread(after).T,
        *_spread(still).T,
        (lowest - 60) / 24.0,
        (highest - 60) / 24.0,
        (loudest - 64) / 32.0,
        np.minimum(sizes, 8) / 4.0,
        *_spread_quarters(before, quarter_s).T,
        *_spread_quarters(after, quarter_s).T,
        *_spread_quarters(still, quarter_s).T,
        np.full(count, float(quarter_s is not None)),
    ]
    return np.column_stack(columns).astype(np.float32)


def _spread(seconds: Floats) -> Floats:
    """Encode durations by triangular bins over octaves, a soft one-hot code, shape (len, 8)."""
    octaves = np.log2(np.clip(seconds, 0.01, 8.0))[:, None]
    return np.maximum(0.0, 1.0 - np.abs(octaves - _TIME_CENTRES[None, :]))


def _spread_quarters(seconds: Floats, quarter_s: float | None) -> Floats:
    """Encode durations in quarters; zeros where the length of a quarter is unknown."""
    if quarter_s is None:
        return np.zeros((len(seconds), len(_TIME_CENTRES)))
    return _spread(seconds / quarter_s)

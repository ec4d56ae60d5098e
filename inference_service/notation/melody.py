"""Find the melody of a score: by the name of a part, or else as the most melodic line.

Where no part is named as the melody, each note gets the log odds that it belongs to the melody, by
a logistic model fitted to 40 songs of POP909. Its features are the notes sounding or struck above
it, its height and loudness relative to its neighbours, and its register. The melody is the
chain of successive notes with the greatest total, less the costs of leaps, silences and overlaps.
This applies the approach of Rizo et al., "A pattern recognition approach for melody track selection
in MIDI files" (ISMIR 2006), to notes instead of tracks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.music.programs import BASSES, SINGERS
from inference_service.music.score import ScoreNote, ScorePart

_NAMES: Final = (
    "vocals", "melody", "lead vocal", "voice", "vox", "singer", "solo", "lead", "вокал", "голос",
    "мелодия", "соло",
)  # fmt: skip

# Thresholds of the skyline. Set by hand; not fitted.
_HIGHER_LINE_SEMITONES: Final = 6
_PASSED_BEATS: Final = 2

_NEAR_BEATS: Final = 1.0
_AROUND_BEATS: Final = 4.0
_HELD_BEATS: Final = 2.0
_USUAL_PITCH: Final = 71.0
_WINDOW: Final = 48
"""Number of preceding notes among which the predecessor is sought."""

# The logistic model of the module's docstring, fitted to 40 songs of POP909.
_BIAS: Final = 1.6
_WEIGHTS: Final = np.array([-0.97, -0.24, -0.33, -0.46, 0.16, 0.62, -0.98, -0.10, 0.84, 0.05])

# Costs of the path. Set by hand; not fitted.
_LEAP_COST: Final = 2.0
_WIDE_LEAP: Final = 1.5
_SILENCE_COST: Final = 0.3
_OVERLAP_COST: Final = 0.5


def named_melody(parts: Sequence[ScorePart]) -> ScorePart | None:
    """Return the part whose id, name or program marks it as the melody or a singer, or None."""
    pitched = [part for part in parts if part.notes and not part.is_drum]
    for name in _NAMES:
        pattern = re.compile(rf"\b{name}\b|^{name}", re.IGNORECASE)
        for part in pitched:
            if pattern.search(part.id) or pattern.search(part.name):
                return part
    sung = [part for part in pitched if part.program in SINGERS]
    return sung[0] if sung else None


def find_melody(parts: Sequence[ScorePart]) -> list[ScoreNote]:
    """Return the melody of the parts, in which no two notes overlap.

    Parameters
    ----------
    parts : sequence of ScorePart
        Drums are ignored, and so are basses if there are other parts.
    """
    named = named_melody(parts)
    if named is not None:
        return top_line(named.notes)
    pitched = [part for part in parts if part.notes and not part.is_drum]
    higher = [part for part in pitched if part.program not in BASSES and part.id != "bass"]
    notes = sorted(note for part in higher or pitched for note in part.notes)
    return follow_melody(notes)


def top_line(notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    """Return the skyline: the top note of each attack, unless a much higher note still sounds.

    After Uitdenbogerd and Zobel, "Melodic matching techniques for large music databases" (ACM
    Multimedia 1999). A sounding note that is more than ``_HIGHER_LINE_SEMITONES`` higher blocks
    others for ``_PASSED_BEATS`` only, since pedals lengthen notes. Grace notes stay with the notes
    that they lead to.
    """
    line: list[ScoreNote] = []
    for start, group in groupby(_on_grid(notes), lambda n: n.start_beats):
        top = max(group, key=lambda n: n.pitch)
        if line:
            last = line[-1]
            passed = start - last.start_beats
            if last.stop_beats > start:
                if last.pitch > top.pitch + _HIGHER_LINE_SEMITONES and passed < _PASSED_BEATS:
                    continue
                line[-1] = replace(last, duration_beats=passed)
        line.append(top)
    return with_graces(line, notes)


def follow_melody(notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    """Return the most melodic chain of notes, in which no two notes overlap.

    Parameters
    ----------
    notes : sequence of ScoreNote
        Notes of all candidate parts.
    """
    ordered = _on_grid(notes)
    if not ordered:
        return []
    chain = [ordered[i] for i in _best_chain(ordered)]
    cut = [
        replace(note, duration_beats=min(note.duration_beats, after.start_beats - note.start_beats))
        for note, after in pairwise(chain)
    ]
    return with_graces([*cut, chain[-1]], notes)


def with_graces(line: Sequence[ScoreNote], notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    """Return a line together with those grace notes in ``notes`` that lead to its notes."""
    chords: dict[Fraction, list[int]] = {}
    for note in _on_grid(notes):
        chords.setdefault(note.start_beats, []).append(note.pitch)
    own = {(note.start_beats, note.pitch) for note in line}
    kept = list(line)
    for note in notes:
        if note.grace and note.start_beats in chords:
            led = min(chords[note.start_beats], key=lambda pitch: abs(pitch - note.pitch))
            if (note.start_beats, led) in own:
                kept.append(note)
    return sorted(kept)


def _on_grid(notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    return sorted(note for note in notes if not note.grace)


def _best_chain(notes: Sequence[ScoreNote]) -> list[int]:
    """Return the indices of the chain with the greatest total weight."""
    start = np.array([float(n.start_beats) for n in notes])
    length = np.array([min(float(n.duration_beats), 4.0) for n in notes])
    pitch = np.array([n.pitch for n in notes], dtype=np.float64)
    weight = _features(notes) @ _WEIGHTS + _BIAS
    total = weight.copy()
    came_from = np.full(len(notes), -1)
    attack = np.searchsorted(start, start)
    for i in range(len(notes)):
        before = np.arange(max(i - _WINDOW, 0), attack[i])
        if not len(before):
            continue
        gap = start[i] - start[before]
        leap = np.abs(pitch[i] - pitch[before])
        leap_cost = np.maximum(leap - 2, 0) / 12 * np.where(leap > 7, _WIDE_LEAP, 1.0)
        silence = gap - length[before]
        arriving = (
            total[before]
            - _LEAP_COST * leap_cost * np.minimum(2 / np.maximum(gap, 2.0), 1.0)
            - _SILENCE_COST * np.clip(silence, 0, 2)
            - _OVERLAP_COST * np.clip(-silence, 0, 2)
        )
        best = int(arriving.argmax())
        if arriving[best] > 0:
            total[i] += arriving[best]
            came_from[i] = before[best]
    chain = [int(total.argmax())]
    while came_from[chain[-1]] >= 0:
        chain.append(int(came_from[chain[-1]]))
    return chain[::-1]


def _features(notes: Sequence[ScoreNote]) -> NDArray[np.float64]:
    """Return the features of the logistic model, shape (notes, 10)."""
    start = np.array([float(n.start_beats) for n in notes])
    length = np.array([float(n.duration_beats) for n in notes])
    pitch = np.array([n.pitch for n in notes], dtype=np.float64)
    velocity = np.array([n.velocity for n in notes], dtype=np.float64)
    stop = start + length
    first, last = np.searchsorted(start, start), np.searchsorted(start, start, side="right")
    near = np.searchsorted(start, start - _NEAR_BEATS)
    near_end = np.searchsorted(start, start + _NEAR_BEATS, side="right")
    around = np.searchsorted(start, start - _AROUND_BEATS)
    around_end = np.searchsorted(start, start + _AROUND_BEATS, side="right")
    rows = np.empty((len(notes), len(_WEIGHTS)))
    for i in range(len(notes)):
        mates = slice(first[i], last[i])
        earlier = slice(near[i], first[i])
        later = slice(last[i], near_end[i])
        neighbours = slice(around[i], around_end[i])
        struck_above = int((pitch[mates] > pitch[i]).sum())
        held_until = np.minimum(stop[earlier], start[earlier] + _HELD_BEATS)
        sounding_above = int(((pitch[earlier] > pitch[i]) & (held_until > start[i])).sum())
        until = min(stop[i], start[i] + _NEAR_BEATS)
        followed_above = int(((pitch[later] > pitch[i]) & (start[later] < until)).sum())
        rows[i] = (
            min(struck_above, 3),
            struck_above > 0,
            min(sounding_above, 3),
            min(followed_above, 3),
            (pitch[i] - pitch[neighbours].mean()) / 12,
            (pitch[i] - pitch[neighbours].max()) / 12,
            min(((pitch[i] - _USUAL_PITCH) / 12) ** 2, 9.0),
            np.log2(min(max(length[i], 0.125), 4.0)),
            (velocity[i] - velocity[neighbours].mean()) / 16,
            min(last[i] - first[i] - 1, 5),
        )
    return rows

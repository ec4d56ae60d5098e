"""Accompanies a song as a band does: bass and chords in patterns drawn for the song.

Times within a pattern are in beats. Bass and chords may anticipate a change of harmony by half a
beat, as in most popular music; the beats stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from inference_service.music.chords import parse_chord
from inference_service.music.pitch import pitch_class
from model_zoo.training.sources.piece import Line, Piece, make_line

Note = tuple[float, float, float, float]
"""Onset and offset in beats, MIDI pitch, velocity."""

PUSH: Final = 0.5
"""By how many beats a change of harmony is anticipated."""


@dataclass(frozen=True, slots=True)
class Harmony:
    """A chord between two beats, with its root and its other tones in semitones above it."""

    start: float
    end: float
    root: int
    tones: tuple[int, ...]


def add_band(piece: Piece, random: Generator) -> list[Line]:
    """Return a bass line and one or two lines of chords; none without chords or beats."""
    chords = read_harmony(piece)
    if len(chords) < 2 or len(piece.beats_s) < 8:
        return []
    pushed = random.random() < 0.3
    if pushed:
        chords = anticipate(chords, piece.positions, random)
    lines = []
    styles = [style for style in _STYLES if random.random() < _STYLES[style]] or ["strum"]
    bars = np.flatnonzero(piece.positions == 1)
    for style in styles[:2]:
        pattern = draw_rhythm(style, piece.bar_beats, random)
        lines.append(
            _to_seconds("chords", play_chords(chords, bars, style, pattern, random), piece)
        )
    if random.random() < 0.85:
        pattern = draw_rhythm("bass", piece.bar_beats, random)
        lines.append(_to_seconds("bass", play_bass(chords, bars, pattern, random), piece))
    return [line for line in lines if len(line.notes)]


def read_harmony(piece: Piece) -> list[Harmony]:
    """Return a piece's chords in beats, each start rounded to half a beat."""
    indices = np.arange(len(piece.beats_s))
    chords = []
    for chord in piece.chords:
        name = parse_chord(chord.label)
        if name is None:
            continue
        bounds = np.interp([chord.start_s, chord.end_s], piece.beats_s, indices)
        start, end = (round(2 * float(bound)) / 2 for bound in bounds)
        if end > start:
            tones = tuple(7 * fifths % 12 for fifths in name.fifths)
            chords.append(Harmony(start, end, pitch_class(name.root), tones))
    return chords


def anticipate(
    chords: list[Harmony], positions: NDArray[np.int64], random: Generator
) -> list[Harmony]:
    """Move some changes of harmony on downbeats to half a beat earlier."""
    share = float(random.uniform(0.3, 1.0))
    starts = [
        chord.start - PUSH
        if chord.start % 1 == 0
        and 0 < chord.start < len(positions)
        and positions[int(chord.start)] == 1
        and random.random() < share
        else chord.start
        for chord in chords
    ]
    ends = [*starts[1:], chords[-1].end]
    return [
        Harmony(start, min(max(chord.end - PUSH, end), end), chord.root, chord.tones)
        for start, end, chord in zip(starts, ends, chords, strict=True)
        if end > start
    ]


def draw_rhythm(style: str, bar_beats: int, random: Generator) -> list[tuple[float, float]]:
    """Draw where a bar's hits begin and how loud they are, in beats and as a factor."""
    if style == "pad":
        return []
    step = float(random.choice([0.25, 0.5, 0.5, 0.5, 1.0]))
    if style == "arpeggio":
        step = float(random.choice([0.25, 0.5, 0.5]))
        return [(float(at), 1.0) for at in np.arange(0, bar_beats, step)]
    density = float(random.uniform(0.25, 1.0))
    hits = []
    for at in np.arange(0, bar_beats, step):
        strength = 1.0 if at == 0 else 0.75 if at % 1 == 0 else 0.55 if at % 0.5 == 0 else 0.4
        often = 0.95 if at == 0 else density * (0.6 + 0.4 * strength)
        if style == "stabs" and at % 1 == 0:
            often *= 0.4 if at == 0 else 0.7
        if random.random() < often:
            hits.append((float(at), 0.7 + 0.3 * strength))
    return hits or [(0.0, 1.0)]


def play_chords(
    chords: list[Harmony],
    bars: NDArray[np.intp],
    style: str,
    rhythm: list[tuple[float, float]],
    random: Generator,
) -> list[Note]:
    """Return the notes of one player."""
    register, loud = int(random.choice([48, 55, 60])), float(random.uniform(55, 90))
    if style == "pad":
        return [
            (chord.start, chord.end, float(tone), loud)
            for chord in chords
            for tone in _voice(chord, register)
        ]
    held = float(random.uniform(0.2, 1.6))
    order = random.permutation(6)
    notes: list[Note] = []
    for chord, onset, end, accent, count in _hits(chords, bars, rhythm, held):
        tones = _voice(chord, register)
        velocity = loud * accent + random.normal(0, 4)
        if style == "arpeggio":
            index = int(order[count % len(order)])
            tones = [tones[index % len(tones)] + 12 * (index // len(tones))]
        spread = random.uniform(0.0, 0.03) if style == "strum" else 0.0
        upward = count % 2 == 0
        for rank, tone in enumerate(tones if upward else tones[::-1]):
            notes.append((onset + rank * spread, end, float(tone), velocity))
    return notes


def play_bass(
    chords: list[Harmony],
    bars: NDArray[np.intp],
    rhythm: list[tuple[float, float]],
    random: Generator,
) -> list[Note]:
    """Return a bass line: roots, with other tones on weak hits of some songs."""
    held, loud = float(random.uniform(0.3, 2.0)), float(random.uniform(75, 105))
    walking = float(random.choice([0.0, 0.0, 0.2, 0.5]))
    notes: list[Note] = []
    for chord, onset, end, accent, _ in _hits(chords, bars, rhythm, held):
        tone = 0
        if accent < 0.99 and random.random() < walking:
            tone = int(random.choice([*chord.tones, 12]))
        pitch = 28 + (chord.root - 28) % 12 + tone
        notes.append((onset, end, float(pitch), loud * accent + random.normal(0, 4)))
    return notes


def _hits(
    chords: list[Harmony],
    bars: NDArray[np.intp],
    rhythm: list[tuple[float, float]],
    held: float,
) -> list[tuple[Harmony, float, float, float, int]]:
    """Return chord, onset, offset, accent and index within the bar of every hit of the song.

    A chord that begins between two hits of the pattern is struck where it begins.
    """
    starts = np.array([chord.start for chord in chords])
    onsets = {
        float(bar) + at: (accent, count)
        for bar in bars
        for count, (at, accent) in enumerate(rhythm)
    }
    for start in starts:
        onsets.setdefault(float(start), (0.95, 0))
        if start % 1 == PUSH:  # an anticipated chord is held over the beat
            onsets.pop(float(start) + PUSH, None)
    times = sorted(onsets)
    hits = []
    for onset, following in zip(times, [*times[1:], np.inf], strict=True):
        index = int(np.searchsorted(starts, onset + 1e-6)) - 1
        if index < 0 or onset >= chords[index].end:
            continue
        end = min(onset + held, float(following), chords[index].end)
        hits.append((chords[index], onset, end, *onsets[onset]))
    return hits


def _voice(chord: Harmony, register: int) -> list[int]:
    return sorted((chord.root + tone - register) % 12 + register for tone in chord.tones)


def _to_seconds(role: str, notes: list[Note], piece: Piece) -> Line:
    indices = np.arange(len(piece.beats_s))
    rows = np.array(notes, float).reshape(-1, 4)
    rows = rows[(rows[:, 0] >= 0) & (rows[:, 0] < len(indices) - 1)]
    rows[:, :2] = np.interp(rows[:, :2], indices, piece.beats_s)
    rows[:, 1] = np.maximum(rows[:, 1], rows[:, 0] + 0.06)
    rows[:, 3] = np.clip(rows[:, 3], 20, 127)
    return make_line("bass" if role == "bass" else "chords", rows)


_STYLES: Final = {"strum": 0.45, "pad": 0.25, "arpeggio": 0.25, "stabs": 0.25}
"""Ways of playing chords, with the probability of each."""

"""Divide the notes of a staff into at most two readable voices.

Notes whose written length is known (``settled``) keep it. Those of equal onset and length form a
chord, chords go into the voice that they shorten least, and rests that are too short to write are
closed, as are overlaps as short as these.

Performed durations say little about written ones, because pedals prolong notes and fingers leave
early. If only these are known, the durations are tidied by these rules:

- A beat has one subdivision, even where parts with different ones share the staff.
- A note ends at the next attack unless it is held, that is, if it begins on a beat and overlaps
  the next attack by ``HELD_BEATS`` or more, while that attack does not itself overlap the one
  after (which suggests the pedal). Notes that sound during a held note form a second voice. A
  held note ends on a beat.
- A note lasts until the next one of its voice if the silence between them is short. Other notes
  end on a half beat.

Durations that a reader has set (``given``) are not tidied. Such a note is held over the next attack
if it reaches beyond it, and else ends where it ends, with a rest after it.

The thresholds were set by hand; they are not fitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import groupby, pairwise, zip_longest
from math import ceil, floor
from statistics import mean
from typing import Final

from inference_service.music.score import ScoreNote

HELD_BEATS: Final = Fraction(1)
"""Least overlap with the next attack for a note to be held."""

CLOSED_GAP_BEATS: Final = Fraction(1)
"""A silence shorter than this, and not longer than the note before it, is closed."""

SLIT_BEATS: Final = Fraction(1, 4)
"""Longest rest after a settled note that is closed, and longest overlap without a second voice."""

_HALF: Final = Fraction(1, 2)
_THIRD: Final = Fraction(1, 3)
_GRIDS: Final = (1, 2, 4, 3, 8, 6)


@dataclass(slots=True)
class _Chord:
    """Notes of one voice that begin and end together."""

    start: Fraction
    stop: Fraction
    notes: list[ScoreNote]
    voice: int = 1

    @property
    def pitch(self) -> float:
        return mean(note.pitch for note in self.notes)

    @property
    def is_given(self) -> bool:
        """Whether a reader has set the length of one of the notes, which is that of all."""
        return any(note.given for note in self.notes)


def write_voices(notes: Sequence[ScoreNote], *, voices: int = 2) -> list[ScoreNote]:
    """Return the notes of a staff with voices and readable durations.

    Parameters
    ----------
    notes : sequence of ScoreNote
        Notes of one staff, with performed durations unless all are settled.
    voices : int
        Most voices, 1 or 2. Where two sound together, voice 1 is the upper one.

    Returns
    -------
    list of ScoreNote
        Sorted. Within a voice, notes either begin and end together or do not overlap.
    """
    settled = all(note.settled for note in notes)
    tidy = _drop_doubles(notes) if settled else _regrid(notes)
    attacks = [list(group) for _, group in groupby(tidy, lambda n: n.start_beats)]
    if settled:
        starts = [attack[0].start_beats for attack in attacks]
        cut = (_cut_overhang(a, after) for a, after in zip_longest(attacks, starts[1:]))
        lines = _assign(_by_length(attack, voices) for attack in cut)
        for line in lines:
            _close_slits(line)
    else:
        lines = _assign(_limit(attacks, voices))
        for line in lines:
            _close_gaps(line)
    _put_upper_voice_first(*lines)
    return sorted(
        replace(note, duration_beats=chord.stop - chord.start, voice=chord.voice)
        for line in lines
        for chord in line
        for note in chord.notes
    )


def _drop_doubles(notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    """Keep the longest of equal pitches at one position."""
    kept: dict[tuple[Fraction, int], ScoreNote] = {}
    for note in notes:
        known = kept.get((note.start_beats, note.pitch))
        if known is None or known.duration_beats < note.duration_beats:
            kept[note.start_beats, note.pitch] = note
    return sorted(kept.values())


def _cut_overhang(attack: list[ScoreNote], following: Fraction | None) -> list[ScoreNote]:
    """Return an attack, its notes shortened that would reach into the next one by a short rest."""
    if following is None:
        return attack
    return [
        replace(note, duration_beats=following - note.start_beats)
        if 0 < note.stop_beats - following <= SLIT_BEATS and not note.given
        else note
        for note in attack
    ]


def _by_length(attack: Sequence[ScoreNote], voices: int) -> list[_Chord]:
    """Group the notes of an attack into chords by length, at most ``voices`` of them.

    If there are more lengths, those that differ least are merged, the longer notes shortened unless
    they alone have a given length.
    """
    chords = [
        _Chord(attack[0].start_beats, stop, list(group))
        for stop, group in groupby(sorted(attack, key=_by_stop), lambda n: n.stop_beats)
    ]
    while len(chords) > voices:
        gaps = [after.stop - before.stop for before, after in pairwise(chords)]
        nearest = gaps.index(min(gaps))
        shorter, longer = chords[nearest], chords.pop(nearest + 1)
        if longer.is_given and not shorter.is_given:
            shorter.stop = longer.stop
        shorter.notes += longer.notes
    return chords


def _by_stop(note: ScoreNote) -> tuple[Fraction, int]:
    return note.stop_beats, note.pitch


def _regrid(notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    """Move starts and stops to one subdivision per beat, and drop duplicate pitches."""
    positions: dict[int, set[Fraction]] = {}
    for note in notes:
        for place in (note.start_beats, note.stop_beats):
            positions.setdefault(floor(place), set()).add(place % 1)
    grids = {beat: _common_grid(places) for beat, places in positions.items()}
    kept: dict[tuple[Fraction, int], ScoreNote] = {}
    for note in notes:
        start = _to_grid(note.start_beats, grids)
        shortest = Fraction(1, grids[floor(note.start_beats)])
        duration = max(_to_grid(note.stop_beats, grids) - start, shortest)
        known = kept.get((start, note.pitch))
        if known is None or known.duration_beats < duration:
            kept[start, note.pitch] = replace(note, start_beats=start, duration_beats=duration)
    return sorted(kept.values())


def _common_grid(places: set[Fraction]) -> int:
    """Return the coarsest subdivision with all the positions, or else the nearest one."""
    for grid in _GRIDS:
        if all(grid % place.denominator == 0 for place in places):
            return grid
    return min((4, 3, 8, 6), key=lambda g: sum(abs(p - Fraction(round(p * g), g)) for p in places))


def _to_grid(position: Fraction, grids: dict[int, int]) -> Fraction:
    beat = floor(position)
    return beat + Fraction(round((position - beat) * grids[beat]), grids[beat])


def _limit(attacks: Sequence[list[ScoreNote]], voices: int) -> Iterator[list[_Chord]]:
    """Yield each attack as a chord that ends by the next attack and, if any, a held chord."""
    for i, notes in enumerate(attacks):
        if i + 1 == len(attacks):
            yield [_Chord(notes[0].start_beats, _last_stop(notes), notes)]
            continue
        following = attacks[i + 1]
        limit = following[0].start_beats
        is_blurred = i + 2 < len(attacks) and any(
            n.stop_beats >= attacks[i + 2][0].start_beats + HELD_BEATS for n in following
        )
        may_hold = voices > 1 and not is_blurred and notes[0].start_beats.denominator == 1
        held: list[ScoreNote] = []
        moving: list[ScoreNote] = []
        for note in notes:
            if note.given:
                is_held = voices > 1 and note.stop_beats > limit
            else:
                is_held = may_hold and note.stop_beats >= limit + HELD_BEATS
            (held if is_held else moving).append(note)
        chords = []
        if moving:
            chord = _Chord(notes[0].start_beats, _last_stop(moving), moving)
            chord.stop = min(chord.stop, limit)
            chords.append(chord)
        if held:
            chord = _Chord(notes[0].start_beats, _last_stop(held), held)
            if not chord.is_given:
                chord.stop = Fraction(round(chord.stop))
            chords.append(chord)
        yield chords


def _last_stop(notes: Sequence[ScoreNote]) -> Fraction:
    """Return where the last of the notes ends, of those with a given length if there are any."""
    return max((n.stop_beats for n in notes if n.given), default=max(n.stop_beats for n in notes))


def _assign(attacks: Iterable[list[_Chord]]) -> tuple[list[_Chord], list[_Chord]]:
    """Assign chords to two lines so as to shorten notes least, then so as to move least."""
    lines: tuple[list[_Chord], list[_Chord]] = ([], [])
    for chords in attacks:
        orders = (lines, lines[::-1])
        for chord, line in zip(chords, min(orders, key=partial(_cost, chords)), strict=False):
            if line:
                line[-1].stop = min(line[-1].stop, chord.start)
            line.append(chord)
    return lines


def _cost(chords: Sequence[_Chord], lines: Sequence[list[_Chord]]) -> tuple[Fraction, float]:
    """Cost of putting the chords into the lines in order: beats cut, then semitones moved."""
    pairs = list(zip(chords, lines, strict=False))
    cut = sum((_overhang(line, chord.start) for chord, line in pairs), Fraction(0))
    if len(chords) < len(lines):  # a single chord prefers the first line
        return cut, 0.0
    return cut, sum(abs(line[-1].pitch - chord.pitch) for chord, line in pairs if line)


def _overhang(line: Sequence[_Chord], start: Fraction) -> Fraction:
    return max(line[-1].stop - start, Fraction(0)) if line else Fraction(0)


def _close_slits(line: Sequence[_Chord]) -> None:
    """Prolong notes over rests that are too short to write.

    Rests begin on a half beat, or on a third of a beat in which a note begins on a third: an end
    alone makes no triplet. A rest up to ``SLIT_BEATS`` that still begins within a beat is closed if
    the note before it is longer. One that begins on a beat stays, since closing it takes a tie.
    """
    thirds = {floor(chord.start) for chord in line if chord.start.denominator % 3 == 0}
    for index, chord in enumerate(line):
        limit = line[index + 1].start if index + 1 < len(line) else None
        if chord.stop == limit or chord.is_given:
            continue
        grid = _THIRD if floor(chord.stop) in thirds else _HALF
        stop = ceil(chord.stop / grid) * grid
        chord.stop = stop if limit is None else min(stop, limit)
        gap = (limit or chord.stop) - chord.stop
        is_within = chord.stop.denominator > 1
        if is_within and 0 < gap <= SLIT_BEATS and gap < chord.stop - chord.start:
            chord.stop += gap


def _close_gaps(line: Sequence[_Chord]) -> None:
    for i, chord in enumerate(line):
        if chord.is_given:
            continue
        if i + 1 == len(line):
            chord.stop = Fraction(ceil(chord.stop))
            return
        following = line[i + 1].start
        gap = following - chord.stop
        span = following - chord.start
        if span <= 1 or (gap < CLOSED_GAP_BEATS and gap <= chord.stop - chord.start):
            chord.stop = following
        elif chord.stop.denominator % 3:
            chord.stop = min(ceil(chord.stop / _HALF) * _HALF, following)


def _put_upper_voice_first(first: Sequence[_Chord], second: Sequence[_Chord]) -> None:
    """Number the voices by pitch in each stretch where both lines sound."""
    for upper, lower in _stretches(first, second):
        if mean(c.pitch for c in upper) < mean(c.pitch for c in lower):
            upper, lower = lower, upper
        for chord in lower:
            chord.voice = 2
        for chord in upper:
            chord.voice = 1


def _stretches(
    first: Sequence[_Chord], second: Sequence[_Chord]
) -> Iterator[tuple[list[_Chord], list[_Chord]]]:
    """Yield the chords of both lines for each stretch in which they overlap without a break."""
    stop = None
    mine: list[_Chord] = []
    theirs: list[_Chord] = []
    merged = sorted(
        [(c.start, 0, i) for i, c in enumerate(first)]
        + [(c.start, 1, i) for i, c in enumerate(second)]
    )
    for start, line, index in merged:
        chord = (first, second)[line][index]
        if stop is None or start >= stop:
            if mine and theirs:
                yield mine, theirs
            mine, theirs = [], []
            stop = chord.stop
        (mine, theirs)[line].append(chord)
        stop = max(stop, chord.stop)
    if mine and theirs:
        yield mine, theirs

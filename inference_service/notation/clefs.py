"""Choose clefs and octave lines so as to save ledger lines.

A part has the customary clef of its instrument, with an octave sign where it sounds an octave lower
than written (guitar, bass, a low voice in the treble clef). The staves of a keyboard part may
change clef at bar lines, along the cheapest path through the bars (Viterbi). A change costs as
much as a passage of ledger lines, so that it pays only if the hand stays there. Octave lines are
the cheapest path over attacks, for what then still lies more than three ledger lines off the staff
(Gould, "Behind Bars", 2011, ch. "Clefs" and "Octave signs").

The costs were set by hand; they are not fitted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from itertools import groupby
from statistics import median
from typing import Final

import numpy as np

from inference_service.music.programs import BASSES, SINGERS
from inference_service.music.score import Bar, ScoreNote, ScorePart


class Clef(Enum):
    """A clef: sign, staff line, octave sign, and the diatonic step of the staff's lowest line.

    Diatonic steps are counted from C0; middle C is 28.
    """

    TREBLE = ("G", 2, 0, 30)
    TREBLE_8VB = ("G", 2, -1, 23)
    ALTO = ("C", 3, 0, 24)
    TENOR = ("C", 4, 0, 22)
    BASS = ("F", 4, 0, 18)
    BASS_8VB = ("F", 4, -1, 11)
    PERCUSSION = ("percussion", 2, 0, 30)

    def __init__(self, sign: str, line: int, octave_change: int, lowest_step: int) -> None:
        self.sign = sign
        self.line = line
        self.octave_change = octave_change
        self.lowest_step = lowest_step

    def ledger_lines(self, pitch: int, octaves: int = 0) -> int:
        """Number of ledger lines of a pitch that is written ``octaves`` lower than it sounds."""
        place = self._place(pitch) - 7 * octaves
        return max(place - _TOP_LINE, -place, 0) // 2

    def is_beyond(self, pitch: int, octaves: int) -> bool:
        """Whether a pitch lies off the staff, on the side that an octave line would correct."""
        place = self._place(pitch)
        return place > _TOP_LINE if octaves > 0 else place < 0

    def _place(self, pitch: int) -> int:
        """Diatonic steps above the lowest line."""
        octave, pitch_class = divmod(pitch, 12)
        return 7 * (octave - 1) + _STEPS[pitch_class] - self.lowest_step


@dataclass(frozen=True, slots=True)
class OctaveLine:
    """An octave line, from the first to the last attack under it.

    ``octaves`` is 1 for 8va, 2 for 15ma, -1 for 8vb and -2 for 15mb.
    """

    start_beats: Fraction
    last_beats: Fraction
    octaves: int


_STEPS: Final = (0, 0, 1, 2, 2, 3, 3, 4, 4, 5, 6, 6)
"""Diatonic step above C of each pitch class; black keys as sharps, but E flat and B flat."""

_TOP_LINE: Final = 8
"""Steps from a staff's lowest line to its highest."""

_GUITARS: Final = range(24, 32)
_BASSES: Final = (*BASSES, 43)
_VIOLA: Final = 41
_LOW_VOICE_PITCH: Final = 61
"""A voice with a lower median pitch is written an octave higher, like a tenor, because half of its
notes would need ledger lines in the plain treble clef."""
_BASS_CLEF_PITCH: Final = 59
"""Any other part with a lower median pitch has the bass clef, in which half of its notes then need
fewer ledger lines."""

_CLEF_CHANGE_COST: Final = 14.0
_MOST_LEDGER_COST: Final = 12
_READABLE_LEDGER_LINES: Final = 3
_COUNTING_COST: Final = 2
"""Additional cost of each ledger line beyond the readable ones."""
_LINE_COST: Final = 3.0
"""Cost of beginning or ending a line, per octave of shift."""
_UNDER_LINE_COST: Final = 0.2
"""Cost of each attack under a line, per octave of shift."""
_NEEDLESS_SHIFT_COST: Final = 2
"""Cost of each note under a line that would be on the staff without it."""
_LONGEST_SILENCE_BEATS: Final = 8
"""Longest silence over which a line is continued."""


def choose_clefs(part: ScorePart, staff: int, bars: Sequence[Bar]) -> list[Clef]:
    """Return the clef of a staff in each bar.

    Parameters
    ----------
    part : ScorePart
    staff : int
    bars : sequence of Bar
        All bars of the piece.
    """
    notes = [n for n in part.notes if n.staff == staff]
    if part.staves == 1:
        return [_choose_clef(part, notes)] * len(bars)
    home = Clef.TREBLE if staff == 1 else Clef.BASS
    return _follow_hand(notes, home, bars)


def _choose_clef(part: ScorePart, notes: Sequence[ScoreNote]) -> Clef:
    if part.is_drum:
        return Clef.PERCUSSION
    if part.clef is not None:
        return Clef[part.clef.name]
    if part.program in _GUITARS:
        return Clef.TREBLE_8VB
    if part.program in _BASSES:
        return Clef.BASS_8VB
    if part.program == _VIOLA:
        return Clef.ALTO
    if not notes:
        return Clef.TREBLE
    middle = part.middle_pitch
    if middle is None:
        middle = median(n.pitch for n in notes)
    if part.program in SINGERS and middle < _LOW_VOICE_PITCH:
        return Clef.TREBLE_8VB
    return Clef.BASS if middle < _BASS_CLEF_PITCH else Clef.TREBLE


def _follow_hand(notes: Sequence[ScoreNote], home: Clef, bars: Sequence[Bar]) -> list[Clef]:
    """Return the cheapest sequence of treble and bass clefs, one per bar."""
    clefs = (home, Clef.BASS if home is Clef.TREBLE else Clef.TREBLE)
    in_bars = _notes_by_bar(notes, bars)
    costs = np.zeros((len(bars), 2))
    for i, here in enumerate(in_bars):
        for k, clef in enumerate(clefs):
            costs[i, k] = sum(
                min(max(_reading_cost(clef.ledger_lines(p)) for p in ends), _MOST_LEDGER_COST)
                for ends in _outer_pitches(here)
            )
    change = _CLEF_CHANGE_COST * (1 - np.eye(2))
    path = _cheapest_path(costs, change, np.array([0.0, _CLEF_CHANGE_COST]))
    return _settle([clefs[k] for k in path], in_bars)


def _reading_cost(ledger_lines: int) -> int:
    """Cost of reading a note; ledger lines beyond the readable ones have to be counted."""
    return ledger_lines + _COUNTING_COST * max(ledger_lines - _READABLE_LEDGER_LINES, 0)


def _settle(clefs: list[Clef], in_bars: Sequence[Sequence[ScoreNote]]) -> list[Clef]:
    """Postpone each change of clef over empty bars."""
    for i in range(1, len(clefs)):
        if clefs[i] is not clefs[i - 1] and not in_bars[i]:
            clefs[i] = clefs[i - 1]
    return clefs


def find_octave_lines(
    notes: Sequence[ScoreNote], clefs: Sequence[Clef], bars: Sequence[Bar]
) -> list[OctaveLine]:
    """Return the octave lines of a staff, in order.

    Parameters
    ----------
    notes : sequence of ScoreNote
        Notes of one staff. In a bar with two voices, lines begin and end at bar lines.
    clefs : sequence of Clef
        Clef of each bar, from :func:`choose_clefs`.
    bars : sequence of Bar
    """
    units: list[tuple[Clef, list[ScoreNote]]] = []
    for clef, here in zip(clefs, _notes_by_bar(notes, bars), strict=True):
        if len({n.voice for n in here}) > 1:
            units.append((clef, here))
        else:
            units.extend((clef, list(g)) for _, g in groupby(here, lambda n: n.start_beats))
    if not units or clefs[0] is Clef.PERCUSSION:
        return []
    shifts = (0, 1, 2, -1, -2)
    costs = np.array([[_shift_cost(clef, here, s) for s in shifts] for clef, here in units])
    move = _LINE_COST * np.abs(np.subtract.outer(shifts, shifts))
    begin = _LINE_COST * np.abs(np.array(shifts))
    path = _cheapest_path(costs, move, begin)
    lines: list[OctaveLine] = []
    for k, (_, here) in zip(path, units, strict=True):
        start, last = here[0].start_beats, here[-1].start_beats
        before = lines[-1] if lines else None
        if (
            before is not None
            and before.octaves == shifts[k]
            and start - before.last_beats <= _LONGEST_SILENCE_BEATS
        ):
            lines[-1] = OctaveLine(before.start_beats, last, before.octaves)
        else:
            lines.append(OctaveLine(start, last, shifts[k]))
    return [line for line in lines if line.octaves]


def _shift_cost(clef: Clef, notes: Sequence[ScoreNote], octaves: int) -> float:
    """Cost of reading notes under an octave line; 0 octaves means no line.

    8va in the bass clef and 8vb in the treble clef are excluded.
    """
    if octaves:
        is_high = clef in (Clef.TREBLE, Clef.TREBLE_8VB, Clef.ALTO, Clef.TENOR)
        if (octaves > 0) != is_high:
            return 1e6
    excess = 0
    for ends in _outer_pitches(notes):
        for pitch in ends:
            lines = clef.ledger_lines(pitch, octaves)
            excess += max(lines - _READABLE_LEDGER_LINES, 0)
            if octaves and not clef.is_beyond(pitch, octaves):
                excess += _NEEDLESS_SHIFT_COST
    return excess + _UNDER_LINE_COST * abs(octaves)


def _notes_by_bar(notes: Sequence[ScoreNote], bars: Sequence[Bar]) -> list[list[ScoreNote]]:
    ordered = sorted(n for n in notes if not n.grace)
    found: list[list[ScoreNote]] = []
    index = 0
    for bar in bars:
        here = []
        while index < len(ordered) and ordered[index].start_beats < bar.stop_beats:
            here.append(ordered[index])
            index += 1
        found.append(here)
    return found


def _outer_pitches(notes: Sequence[ScoreNote]) -> Iterator[tuple[int, ...]]:
    """Yield the lowest and highest pitch of each attack; a single one if they are equal."""
    for _, group in groupby(notes, lambda n: n.start_beats):
        pitches = [n.pitch for n in group]
        yield tuple({min(pitches), max(pitches)})


def _cheapest_path(costs: np.ndarray, move: np.ndarray, begin: np.ndarray) -> list[int]:
    """Return the state in each row on the cheapest path (Viterbi).

    Shapes: ``costs`` (rows, states), ``move`` (states, states), ``begin`` (states,).
    """
    total = begin + costs[0]
    came_from = np.zeros(costs.shape, dtype=np.intp)
    for i in range(1, len(costs)):
        arriving = total[:, None] + move
        came_from[i] = arriving.argmin(axis=0)
        total = arriving.min(axis=0) + costs[i]
    path = [int(total.argmin())]
    for i in range(len(costs) - 1, 0, -1):
        path.append(int(came_from[i, path[-1]]))
    return path[::-1]

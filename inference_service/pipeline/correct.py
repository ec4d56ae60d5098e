"""Apply a reader's corrections to what was heard; no model runs.

What concerns time, keys and parts is applied here, to the performance. What concerns only how it is
written (clefs, the finest value of parts without placements, a range of bars) is left to
``notation/quantize.py``, which reads it from the performance's ``corrections``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm
from typing import Final

from inference_service.errors import InvalidCorrections
from inference_service.music.alternatives import find_beat, number_beat
from inference_service.music.corrections import (
    FIRST_BEAT_STEPS,
    MAX_BEATS_PER_BAR,
    Corrections,
    Feel,
)
from inference_service.music.events import Part, Transcription, name_notes
from inference_service.music.metre import (
    BarGrid,
    TimeSignature,
    align,
    parse_time_signature,
)
from inference_service.music.rebar import Moves, rebar
from inference_service.music.simplify import Grid, choose_grid, simplify
from inference_service.music.swing import write_even, write_uneven
from inference_service.pipeline.reading import Reading, choose_reading

_NEAR_BEATS: Final = 0.02

_MovedLines = tuple[tuple[Fraction, Fraction], ...]
"""As in :class:`Corrected`."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """A performance with its corrections applied.

    Attributes
    ----------
    heard : Transcription
        As it was heard, with the corrections.
    performance : Transcription
        With everything but its notation put right.
    beat_scale : Fraction
        Factor of the written values.
    moved_lines : tuple of (Fraction, Fraction)
        Each bar line from which on lines were moved, and by how much they have, in the notated
        beats that were heard.
    """

    heard: Transcription
    performance: Transcription
    beat_scale: Fraction = Fraction(1)
    moved_lines: tuple[tuple[Fraction, Fraction], ...] = ()

    @property
    def heard_beat_quarters(self) -> Fraction:
        """The written length of a beat that was heard."""
        bars = align(self.heard)
        return bars.beat_parts * bars.signature.beat_quarters * self.beat_scale

    def number_unmoved(self, lines_s: Iterable[float]) -> list[Fraction]:
        """Return the numbers of the heard beats at which bar lines would be without moves from some
        line on, given when they are.
        """
        grid = align(self.heard).grid
        beats_s = sorted(beat.time_s for beat in self.heard.beats)
        numbers = []
        for line_s in lines_s:
            place = grid.to_beats(line_s)
            shifts = [shift for line, shift in self.moved_lines if line <= place + _NEAR_BEATS]
            unmoved_s = grid.to_seconds(place - float(shifts[-1])) if shifts else line_s
            number = number_beat(unmoved_s, beats_s, FIRST_BEAT_STEPS) if beats_s else 1.0
            numbers.append(Fraction(number).limit_denominator(FIRST_BEAT_STEPS))
        return numbers

    @property
    def chord_step_beats(self) -> Fraction:
        """A step of written beats that reaches every notated beat that was heard, on which chords
        change.
        """
        written = parse_time_signature(self.performance.time_signature)
        heard = parse_time_signature(self.heard.time_signature)
        ratio = self.beat_scale * written.unit / heard.unit
        moved = (shift * ratio for _, shift in self.moved_lines)
        return Fraction(1, lcm(ratio.denominator, *(shift.denominator for shift in moved)))


def correct(heard: Transcription) -> Corrected:
    """Apply the corrections of a transcription, and name its notes.

    Raises
    ------
    InvalidCorrections
        If they do not fit the music.
    """
    heard = name_notes(heard)
    corrections = heard.corrections
    if not corrections:
        return Corrected(heard, heard)
    bars = align(heard)
    reading = choose_reading(heard, bars)
    performance = replace(heard, key=corrections.key or heard.key)
    performance, moved_lines = _correct_rhythm(performance, bars, reading)
    return Corrected(heard, _correct_parts(performance), reading.scale, moved_lines)


# Rhythm


def _correct_rhythm(
    performance: Transcription, bars: BarGrid, reading: Reading
) -> tuple[Transcription, _MovedLines]:
    """Write a performance in other bars, values and feel; return it, and the lines that moved."""
    corrections = performance.corrections
    still_swings = corrections.feel is None and performance.swing and reading.scale == 1
    swings = _may_swing(reading) and (corrections.feel is Feel.SWING or still_swings)
    is_warped = False
    if _divides_in_three(bars.signature, reading):
        performance = replace(performance, placements=write_uneven(performance.placements))
        is_warped = True
    is_rebarred = reading != Reading(bars.signature, Fraction(1), None)
    moved_lines: _MovedLines = ()
    if is_rebarred or corrections.bar_moves:
        performance, moved_lines = _rebar(performance, bars, reading)
        is_warped = is_warped or any(shift.denominator > 1 for _, shift in moved_lines)
    if swings and not performance.swing:
        performance = replace(performance, placements=write_even(performance.placements))
        is_warped = True
    performance = replace(performance, swing=swings)
    grid = choose_grid(corrections)
    if grid is None and (is_rebarred or is_warped):
        grid = Grid()
    return performance if grid is None else _simplify(performance, grid), moved_lines


def _divides_in_three(heard: TimeSignature, reading: Reading) -> bool:
    """Whether beats that were heard become dotted, so that halves of them become two thirds."""
    ratio = reading.scale * reading.signature.unit / heard.unit
    return ratio == 3 and reading.signature.is_compound and not heard.is_compound


def _may_swing(reading: Reading) -> bool:
    """Whether the written eighths may be played long and short."""
    return reading.signature.unit == 4 and not reading.signature.is_compound


def _rebar(
    performance: Transcription, bars: BarGrid, reading: Reading
) -> tuple[Transcription, _MovedLines]:
    starts, stops = _list_extent(performance, bars)
    start, stop = min(starts, default=Fraction(0)), max(stops, default=Fraction(0))
    lines = bars.bar_starts(float(start), float(max(stop, start + 1)))
    anchor = lines[1] if bars.is_pickup(lines, float(start)) else lines[0]
    first_bar = None
    if reading.first_beat is not None:
        first_bar = _find_beat(reading.first_beat, performance, bars)
    rebarred = rebar(
        bars,
        reading.signature,
        reading.scale,
        (min(start, Fraction(0)), max(stop, Fraction(len(bars.grid.beats) - 1))),
        Fraction(anchor),
        first_bar,
        Moves(
            _read_moves(performance, bars),
            attacks := tuple(sorted(set(starts))),
            is_single_line=len(attacks) == len(starts),
        ),
    )
    rebarred_performance = replace(
        performance,
        time_signature=str(reading.signature),
        tempo_bpm=rebarred.tempo_bpm,
        beats=rebarred.beats,
        placements=tuple(tuple(map(rebarred.place, placed)) for placed in performance.placements),
    )
    return rebarred_performance, rebarred.moves


def _read_moves(performance: Transcription, bars: BarGrid) -> dict[Fraction, Fraction]:
    """Return the moves of bar lines that corrections ask for, in the notated beats of the bars."""
    shifts: dict[Fraction, Fraction] = {}
    for move in performance.corrections.bar_moves:
        place = _find_beat(move.from_beat, performance, bars, "bar_moves")
        shifts[place] = shifts.get(place, Fraction(0)) + _round(
            _to_beats(move.from_beat + move.beats, performance, bars) - place, bars
        )
    return shifts


def _list_extent(
    performance: Transcription, bars: BarGrid
) -> tuple[list[Fraction], list[Fraction]]:
    """Return where notes start and stop, in the beats that were heard."""
    starts, stops = [], []
    placements = performance.placements or ((),) * len(performance.parts)
    for part, placed in zip(performance.parts, placements, strict=True):
        starts += [placement.start_beats for placement in placed]
        stops += [placement.start_beats + placement.duration_beats for placement in placed]
        if not placed:
            starts += [_to_quarters(bars, note.onset_s) for note in part.notes]
            stops += [_to_quarters(bars, note.offset_s) for note in part.notes]
    return starts, stops


def _to_quarters(bars: BarGrid, time_s: float) -> Fraction:
    """Return a position rounded to a quarter of a beat."""
    return Fraction(round(4 * bars.grid.to_beats(time_s)), 4)


def _find_beat(
    number: Fraction, performance: Transcription, bars: BarGrid, correction: str = "first_beat"
) -> Fraction:
    """Return the position of a numbered beat, or of a place between two.

    Beats are numbered as they were heard, positions are in notated beats: a heard beat of a
    compound metre is three of them.
    """
    count = len(performance.beats)
    if number > count + MAX_BEATS_PER_BAR:
        raise InvalidCorrections(f"a beat is beyond the {count} beats", correction=correction)
    return _round(_to_beats(number, performance, bars), bars)


def _to_beats(number: Fraction, performance: Transcription, bars: BarGrid) -> Fraction:
    time_s = find_beat(float(number), sorted(beat.time_s for beat in performance.beats))
    return Fraction(bars.grid.to_beats(time_s))


def _round(position: Fraction, bars: BarGrid) -> Fraction:
    """Round to sixteenths, or to eighths in compound metres."""
    step = Fraction(1) if bars.signature.is_compound else Fraction(bars.signature.unit, 16)
    return round(position / step) * step


def _simplify(performance: Transcription, grid: Grid) -> Transcription:
    """Write the values that a grid has."""
    bars = align(performance)
    placed = [placement for part in performance.placements for placement in part]
    if not placed:
        return performance
    start = min(placement.start_beats for placement in placed)
    stop = max(placement.start_beats + placement.duration_beats for placement in placed)
    length = bars.signature.beats
    lines = bars.bar_starts(float(start) - length, float(stop) + length)
    placements = tuple(
        simplify(part, lines, bars.signature, grid) for part in performance.placements
    )
    return replace(performance, placements=placements)


# Parts


def _correct_parts(performance: Transcription) -> Transcription:
    """Name parts and their instruments, and leave parts out."""
    corrections = performance.corrections
    known = {part.id: part for part in performance.parts}
    for correction in corrections.parts:
        part = known.get(correction.id)
        if part is None:
            raise InvalidCorrections("no part has this id", correction="parts")
        if part.is_drum and (correction.program, correction.clef) != (None, None):
            raise InvalidCorrections("drums have neither clef nor program", correction="parts")
    placements = performance.placements or ((),) * len(performance.parts)
    kept = [
        (_rename(part, corrections), placed)
        for part, placed in zip(performance.parts, placements, strict=True)
        if not corrections.find_part(part.id).left_out
    ]
    if performance.parts and not kept:
        raise InvalidCorrections("no part is left", correction="parts")
    return replace(
        performance,
        parts=tuple(part for part, _ in kept),
        placements=tuple(placed for _, placed in kept) if performance.placements else (),
    )


def _rename(part: Part, corrections: Corrections) -> Part:
    correction = corrections.find_part(part.id)
    return replace(
        part,
        name=correction.name or part.name,
        program=part.program if correction.program is None else correction.program,
    )

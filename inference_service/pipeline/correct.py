"""Apply a reader's corrections to what was heard; no model runs.

What concerns time, keys and parts is applied here, to the performance. What concerns only how it is
written (clefs, the finest value of parts without placements, a range of bars) is left to
``notation/quantize.py``, which reads it from the performance's ``corrections``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from inference_service.errors import InvalidCorrections
from inference_service.music.alternatives import find_beat
from inference_service.music.corrections import MAX_BEATS_PER_BAR, Corrections, Feel
from inference_service.music.events import Part, Transcription, name_notes
from inference_service.music.metre import (
    BarGrid,
    TimeSignature,
    align,
    parse_time_signature,
)
from inference_service.music.placement import NotePlacement
from inference_service.music.rebar import rebar
from inference_service.music.simplify import Grid, choose_grid, simplify
from inference_service.music.swing import write_even, write_uneven
from inference_service.pipeline.reading import Reading, choose_reading


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
    """

    heard: Transcription
    performance: Transcription
    beat_scale: Fraction = Fraction(1)

    @property
    def heard_beat_quarters(self) -> Fraction:
        """The written length of a beat that was heard."""
        bars = align(self.heard)
        return bars.beat_parts * bars.signature.beat_quarters * self.beat_scale

    @property
    def chord_step_beats(self) -> Fraction:
        """A step of written beats that reaches every notated beat that was heard, on which chords
        change.
        """
        written = parse_time_signature(self.performance.time_signature)
        heard = parse_time_signature(self.heard.time_signature)
        return Fraction(1, (self.beat_scale * written.unit / heard.unit).denominator)


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
    performance = _correct_rhythm(performance, bars, reading)
    return Corrected(heard, _correct_parts(performance), reading.scale)


# Rhythm


def _correct_rhythm(performance: Transcription, bars: BarGrid, reading: Reading) -> Transcription:
    """Write a performance in other bars, values and feel."""
    corrections = performance.corrections
    still_swings = corrections.feel is None and performance.swing and reading.scale == 1
    swings = _may_swing(reading) and (corrections.feel is Feel.SWING or still_swings)
    is_warped = False
    if _divides_in_three(bars.signature, reading):
        performance = replace(performance, placements=write_uneven(performance.placements))
        is_warped = True
    is_rebarred = reading != Reading(bars.signature, Fraction(1), None)
    if is_rebarred:
        performance = _rebar(performance, bars, reading)
    if swings and not performance.swing:
        performance = replace(performance, placements=write_even(performance.placements))
        is_warped = True
    performance = replace(performance, swing=swings)
    grid = choose_grid(corrections)
    if grid is None and (is_rebarred or is_warped):
        grid = Grid()
    return performance if grid is None else _simplify(performance, grid)


def _divides_in_three(heard: TimeSignature, reading: Reading) -> bool:
    """Whether beats that were heard become dotted, so that halves of them become two thirds."""
    ratio = reading.scale * reading.signature.unit / heard.unit
    return ratio == 3 and reading.signature.is_compound and not heard.is_compound


def _may_swing(reading: Reading) -> bool:
    """Whether the written eighths may be played long and short."""
    return reading.signature.unit == 4 and not reading.signature.is_compound


def _rebar(performance: Transcription, bars: BarGrid, reading: Reading) -> Transcription:
    start, stop = _find_span(performance, bars)
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
    )

    def move(placement: NotePlacement) -> NotePlacement:
        begin = rebarred.map.move(placement.start_beats)
        end = rebarred.map.move(placement.start_beats + placement.duration_beats)
        return replace(placement, start_beats=begin, duration_beats=end - begin)

    return replace(
        performance,
        time_signature=str(reading.signature),
        tempo_bpm=rebarred.tempo_bpm,
        beats=rebarred.beats,
        placements=tuple(tuple(map(move, placed)) for placed in performance.placements),
    )


def _find_span(performance: Transcription, bars: BarGrid) -> tuple[Fraction, Fraction]:
    """Return where the music starts and stops, in the beats that were heard."""
    starts, stops = [], []
    placements = performance.placements or ((),) * len(performance.parts)
    for part, placed in zip(performance.parts, placements, strict=True):
        starts += [placement.start_beats for placement in placed]
        stops += [placement.start_beats + placement.duration_beats for placement in placed]
        if not placed:
            starts += [_to_quarters(bars, note.onset_s) for note in part.notes]
            stops += [_to_quarters(bars, note.offset_s) for note in part.notes]
    return min(starts, default=Fraction(0)), max(stops, default=Fraction(0))


def _to_quarters(bars: BarGrid, time_s: float) -> Fraction:
    """Return a position rounded to a quarter of a beat."""
    return Fraction(round(4 * bars.grid.to_beats(time_s)), 4)


def _find_beat(number: Fraction, performance: Transcription, bars: BarGrid) -> Fraction:
    """Return the position of a numbered beat, or of a place between two.

    Beats are numbered as they were heard, positions are in notated beats: a heard beat of a
    compound metre is three of them.
    """
    beats_s = sorted(beat.time_s for beat in performance.beats)
    if number > len(beats_s) + MAX_BEATS_PER_BAR:
        raise InvalidCorrections(
            f"the first beat is beyond the {len(beats_s)} beats", correction="first_beat"
        )
    time_s = find_beat(float(number), beats_s)
    step = Fraction(1) if bars.signature.is_compound else Fraction(bars.signature.unit, 16)
    return round(Fraction(bars.grid.to_beats(time_s)) / step) * step


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

"""Write a performance in other bars, on other beats.

Other beats are interpolated between the ones that were heard, or are some of them; other bars begin
at some of the new beats. A map from old to new beats moves what was already written: it is linear
between new beats.

The bar lines that were heard are kept as far as the new metre allows, so that a pause that was
heard as a longer bar remains one. Bars of the same length keep their lines, or all are moved by the
same number of beats; bars that are a multiple or a fraction of the old ones join or divide them.
Other bars are regular. Where a long bar is no whole number of new beats, its last beat is shorter.
Of the lines that result, those from some on may be moved further (:mod:`.bar_moves`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Final

from inference_service.errors import InvalidCorrections
from inference_service.music.bar_moves import Mending, MovedLines, move_lines
from inference_service.music.beat_map import BeatMap
from inference_service.music.events import Beat
from inference_service.music.metre import MAX_BEAT_S, BarGrid, TimeSignature
from inference_service.music.placement import NotePlacement
from inference_service.music.time import MIN_BEAT_S

MAX_BEATS: Final = 250_000

_SPARE_S: Final = 1e-4
"""Beats are further apart than the least distance by this, which rounding cannot undo."""


@dataclass(frozen=True, slots=True)
class Moves:
    """Bar lines that are moved from some positions on; see :mod:`.bar_moves`.

    Attributes
    ----------
    shifts : mapping of Fraction to Fraction
        By the position of a line, to which the nearest one is meant, how much later it and all
        others after it are.
    attacks : tuple of Fraction
        Where notes begin, ascending.
    is_single_line : bool
        Whether no two notes begin together.
    """

    shifts: Mapping[Fraction, Fraction] = field(default_factory=dict)
    attacks: tuple[Fraction, ...] = ()
    is_single_line: bool = False


@dataclass(frozen=True, slots=True)
class Rebarred:
    """The beats of the new bars, their tempo, and how positions move.

    Attributes
    ----------
    beats : tuple of Beat
    tempo_bpm : float
    map : BeatMap
        From old to new beats.
    mended : BeatMap
        From the music that was mended where bar lines moved to new beats.
    mending : Mending
    moves : tuple of (Fraction, Fraction)
        Each old position of a line from which on lines were moved, and by how much.
    """

    beats: tuple[Beat, ...]
    tempo_bpm: float
    map: BeatMap
    mended: BeatMap
    mending: Mending
    moves: tuple[tuple[Fraction, Fraction], ...]

    def place(self, placement: NotePlacement) -> NotePlacement:
        """Return where a note is written in the new bars."""
        end = placement.start_beats + placement.duration_beats
        start = self.map.move(placement.start_beats)
        stop = self.mended.move(self.mending.move_end(end))
        return replace(placement, start_beats=start, duration_beats=stop - start)


def rebar(
    bars: BarGrid,
    signature: TimeSignature,
    scale: Fraction,
    span: tuple[Fraction, Fraction],
    anchor: Fraction,
    first_bar: Fraction | None,
    moves: Moves = Moves(),
) -> Rebarred:
    """Write a performance in other bars.

    Parameters
    ----------
    bars : BarGrid
        The bars that were heard; all positions here are in their beats.
    signature : TimeSignature
        The new metre.
    scale : Fraction
        Factor of the written values.
    span : tuple of Fraction
        Where the music starts and stops.
    anchor : Fraction
        Bar line from which bars of other lengths are counted.
    first_bar : Fraction, optional
        Where a bar is to begin instead.
    moves : Moves
        Of the lines that these bars have.

    Raises
    ------
    InvalidCorrections
        If the beats would be too short or too long.
    """
    ratio = scale * signature.unit / bars.signature.unit
    if not is_countable(bars, signature, scale):
        raise InvalidCorrections(
            f"the beats would not last from {MIN_BEAT_S} to {MAX_BEAT_S} s",
            correction="beat_scale",
        )
    if (span[1] - span[0]) * ratio > MAX_BEATS:
        raise InvalidCorrections("there would be too many beats", correction="beat_scale")
    length = signature.beats / ratio
    lines = _lay_lines(bars, length, span, anchor, first_bar)
    moved = _move_lines(lines, moves, length, 1 / ratio, span)
    places: list[Fraction] = []
    positions: list[int] = []
    for line, following in pairwise(moved.lines):
        count = ceil((following - line) * ratio)
        places += [line + number / ratio for number in range(count)]
        positions += range(1, count + 1)
    return _time(bars, places, positions, ratio, moved)


def is_countable(bars: BarGrid, signature: TimeSignature, scale: Fraction) -> bool:
    """Whether the beats of another metre, in other values, are neither too short nor too long."""
    ratio = scale * signature.unit / bars.signature.unit
    return MIN_BEAT_S < 60 / (bars.grid.tempo_bpm * float(ratio)) < MAX_BEAT_S


def _lay_lines(
    bars: BarGrid,
    length: Fraction,
    span: tuple[Fraction, Fraction],
    anchor: Fraction,
    first_bar: Fraction | None,
) -> list[Fraction]:
    """Return bar lines ``length`` apart as a rule, from before the span to after it."""
    usual = Fraction(bars.signature.beats)
    reach = 2 * max(length, usual)
    heard = [Fraction(line) for line in bars.bar_starts(float(span[0]), float(span[1]))]
    while heard[0] > span[0] - reach:
        heard.insert(0, heard[0] - usual)
    while heard[-1] < span[1] + reach:
        heard.append(heard[-1] + usual)
    wanted = anchor if first_bar is None else first_bar
    if (length / usual).denominator == 1:  # bars of one or several old ones
        nearest = min(range(len(heard)), key=lambda i: abs(heard[i] - wanted))
        step = int(length / usual)
        lines = heard[nearest % step :: step]
    elif (usual / length).denominator == 1:
        lines = [line for bar in pairwise(heard) for line in _divide(*bar, length)]
    else:
        before = ceil((wanted - heard[0]) / length)
        after = ceil((heard[-1] - wanted) / length)
        lines = [wanted + number * length for number in range(-before, after + 1)]
    if first_bar is not None:
        shift = min((first_bar - line for line in lines), key=lambda shift: (abs(shift), -shift))
        lines = [line + shift for line in lines]
    first = max(i for i, line in enumerate(lines) if i == 0 or line <= span[0])
    last = next(i for i, line in enumerate(lines) if line > span[1])
    return lines[first : last + 1]


def _move_lines(
    lines: Sequence[Fraction],
    moves: Moves,
    length: Fraction,
    beat: Fraction,
    span: tuple[Fraction, Fraction],
) -> MovedLines:
    """Move lines from some of them on; bars still reach from before the span to after it."""
    shifts: dict[int, Fraction] = {}
    for place, shift in moves.shifts.items():
        nearest = min(range(len(lines)), key=lambda index: abs(lines[index] - place))
        shifts[nearest] = shifts.get(nearest, Fraction(0)) + shift
    moved = move_lines(
        lines, shifts, length, beat, moves.attacks, is_single_line=moves.is_single_line
    )
    around = list(moved.lines)
    while around[0] > span[0]:
        around.insert(0, around[0] - length)
    while around[-1] <= moved.mending.map.move(span[1]):
        around.append(around[-1] + length)
    return replace(moved, lines=tuple(around))


def _divide(line: Fraction, following: Fraction, length: Fraction) -> list[Fraction]:
    """Return the lines of shorter bars in one bar; the last is longer if they do not fill it."""
    count = max(floor((following - line) / length), 1)
    return [line + number * length for number in range(count)]


def _time(
    bars: BarGrid,
    places: Sequence[Fraction],
    positions: Sequence[int],
    ratio: Fraction,
    moved: MovedLines,
) -> Rebarred:
    """Return the beats at places in the mended music, which must not come before the recording.

    Long gaps are divided, and beats that are too close are moved apart, as later readers of beats
    do.
    """
    restore = moved.mending.map.inverse
    beats: list[Beat] = []
    old: list[Fraction] = []
    new: list[Fraction] = []
    for place, position in zip(places, positions, strict=True):
        time_s = bars.grid.to_seconds(float(restore.move(place)))
        if not beats and time_s < 0:
            continue
        if beats:
            last_s = beats[-1].time_s
            time_s = max(time_s, last_s + MIN_BEAT_S + _SPARE_S)
            missing = int((time_s - last_s) // MAX_BEAT_S)
            step_s = (time_s - last_s) / (missing + 1)
            beats += [Beat(last_s + number * step_s, 0) for number in range(1, missing + 1)]
        old.append(place)
        new.append(Fraction(len(beats)))
        beats.append(Beat(time_s, position))
    if len(beats) < 2:
        raise InvalidCorrections("there would be no beats", correction="beat_scale")
    mended = BeatMap((old[0] - 1 / ratio, *old), (new[0] - 1, *new))
    return Rebarred(
        beats=tuple(beats),
        tempo_bpm=bars.tempo_bpm * float(ratio),
        map=moved.mending.map.then(mended),
        mended=mended,
        mending=moved.mending,
        moves=moved.moves,
    )

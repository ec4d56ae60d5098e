"""Draw the piano roll as SVG: every performed note, for people who do not read notation.

Time follows the beats of the performance, so that bars are equally wide and a note keeps its
position within the beat, early or late. Long pieces are broken into rows, with more bars per row
the longer the piece, so that a chat can show the picture whole. Each part has a colour, louder
notes are more opaque, and drums have lanes of their own below the pitched notes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Final
from xml.sax.saxutils import escape

from inference_service.music.chord_names import write_key, write_segment
from inference_service.music.events import Key, NoteEvent, Part, Transcription
from inference_service.music.metre import BarGrid, align
from inference_service.notation.fonts import TEXT_FAMILY, text_width

WIDTH_PX: Final = 1600
MAX_HEIGHT_PX: Final = 2800
"""Telegram shows photos at 1280 or 2560 pixels on the longer side."""

_LEFT_PX: Final = 76
_RIGHT_PX: Final = 28
_MARGIN_PX: Final = 28
_TITLE_PX: Final = 50
_LEGEND_PX: Final = 34
_CHORD_PX: Final = 30
_SMALL_PX: Final = 23
_NUMBERS_PX: Final = 29
_GAP_PX: Final = 14
_DRUM_LANE_PX: Final = 13
_DRUM_STROKE_PX: Final = 8.0

_FEWEST_SEMITONES: Final = 25
_NARROWEST_LANE_PX: Final = 4.5
_WIDEST_LANE_PX: Final = 17.0
_LONE_ROW_LANE_PX: Final = 32.0
"""Widest lane when there is one row, so that a short piece is not a thin ribbon. With more rows
the limit approaches ``_WIDEST_LANE_PX``."""

_BARS_PER_ROW: Final = (4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64)
_LEAST_BEAT_PX: Final = 14.0
_LEAST_SHADED_PX: Final = 5.0
_LEAST_BAR_PX: Final = 6.0
_LEAST_NOTE_PX: Final = 3.0
_EARLY_BEATS: Final = 0.25
"""A note that begins this little before a bar line belongs to the bar after it."""

_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#b0508f", "#c98a00", "#3fa0d8", "#6a51a3")
"""After Okabe and Ito, distinguishable to the colour-blind; darkened for use on white."""

_DRUM_COLOUR: Final = "#444444"
_STRENGTHS: Final = 6
_BLACK_KEYS: Final = frozenset({1, 3, 6, 8, 10})
_DRUM_LANES: Final = ((49, 51, 52, 53, 55, 57, 59), (42, 44, 46), (37, 38, 39, 40), (35, 36))
"""General MIDI keys of cymbals, hi-hat, snare and kick; all others are drawn in the third lane."""

_CHORD_LANES: Final = 2
_LEGEND_NAMES: Final = 10
_NAME_CHARS: Final = 24


@dataclass(frozen=True, slots=True)
class _Plan:
    """The layout of the roll.

    Attributes
    ----------
    rows : tuple of tuple of int
        Bar lines of each row in beats, including both ends.
    first_number : int
        Number of the first bar, 0 for a pickup.
    lowest, highest : int
        Range of pitches shown.
    lane_px, beat_px : float
        Height of a pitch and width of a beat.
    has_drums : bool
    chord_lanes : int
        Number of lanes for chord names above a row.
    """

    rows: tuple[tuple[int, ...], ...]
    first_number: int
    lowest: int
    highest: int
    lane_px: float
    beat_px: float
    has_drums: bool
    chord_lanes: int

    @property
    def pitched_px(self) -> float:
        """Height of the pitched lanes."""
        return (self.highest - self.lowest + 1) * self.lane_px

    @property
    def chords_px(self) -> float:
        """Height of the chord names above a row."""
        return self.chord_lanes * (_CHORD_PX + 5)

    @property
    def row_px(self) -> float:
        """Height of a row, including the gap to the next."""
        return self.pitched_px + _fixed_row_px(self.has_drums, self.chord_lanes)


def _fixed_row_px(has_drums: bool, chord_lanes: int) -> float:
    """Height of a row without its pitched lanes."""
    drums_px = (len(_DRUM_LANES) + 1) * _DRUM_LANE_PX if has_drums else 0
    return chord_lanes * (_CHORD_PX + 5) + drums_px + _NUMBERS_PX + _GAP_PX


def draw_roll(transcription: Transcription, title: str = "", first_number: int = 1) -> str:
    """Draw a performance.

    Parameters
    ----------
    transcription : Transcription
        May lack notes, beats or chords.
    title : str
    first_number : int
        Number of the bar at the first beat, if more than 1; else the first full bar is number 1.

    Returns
    -------
    str
        An SVG document, ``WIDTH_PX`` wide and at most about ``MAX_HEIGHT_PX`` high.
    """
    bars = align(transcription)
    parts = [part for part in transcription.parts if part.notes]
    colours = _colours(parts)
    header, header_px = _draw_header(transcription.key, bars, parts, colours, title)
    room_px = MAX_HEIGHT_PX - header_px - _MARGIN_PX
    for chord_lanes in range(_CHORD_LANES + 1):
        plan = _plan(bars, parts, room_px, chord_lanes, first_number)
        names, is_complete = _place_chords(transcription, bars, plan)
        if is_complete:
            break
    drawn = [header]
    shapes = _place_notes(parts, bars, plan)
    number = plan.first_number
    for index, lines in enumerate(plan.rows):
        top = header_px + index * plan.row_px
        drawn += _draw_grid(lines, number, plan, top)
        drawn += _draw_notes(shapes[index], parts, colours, top + plan.chords_px)
        drawn += [_text(name, x, top + y, _CHORD_PX, "bold") for name, x, y in names[index]]
        number += len(lines) - 1
    height_px = ceil(header_px + len(plan.rows) * plan.row_px - _GAP_PX + _MARGIN_PX / 2)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_PX}px" height="{height_px}px" '
        f'viewBox="0 0 {WIDTH_PX} {height_px}">{"".join(drawn)}</svg>'
    )


# Layout


def _plan(
    bars: BarGrid, parts: Sequence[Part], room_px: float, chord_lanes: int, first_number: int
) -> _Plan:
    """Choose the fewest bars per row that leave the pitch lanes wide enough to read."""
    notes = [note for part in parts for note in part.notes]
    first = bars.grid.to_beats(min((n.onset_s for n in notes), default=0.0)) + _EARLY_BEATS
    last = bars.grid.to_beats(max((n.offset_s for n in notes), default=0.0))
    lines = bars.bar_starts(first, max(last, first + 0.01))
    opening = lines[1] - lines[0]
    is_pickup = (first - lines[0]) * 2 > opening or opening < bars.signature.beats
    if first_number > 1:
        number = first_number + len(bars.bar_starts(0.0, lines[0])) - 1
    else:
        number = 0 if is_pickup else 1

    pitches = [n.pitch for part in parts if not part.is_drum for n in part.notes] or [60]
    lowest, highest = min(pitches) - 1, max(pitches) + 1
    missing = max(_FEWEST_SEMITONES - (highest - lowest + 1), 0)
    lowest, highest = lowest - missing // 2, highest + (missing + 1) // 2
    has_drums = any(part.is_drum for part in parts)
    fixed_px = _fixed_row_px(has_drums, chord_lanes)

    bar_count = len(lines) - 1
    for per_row in (*_BARS_PER_ROW, *(128 << k for k in range(20))):
        count = ceil(bar_count / per_row)
        lane_px = (room_px / count - fixed_px) / (highest - lowest + 1)
        if lane_px >= _NARROWEST_LANE_PX or per_row >= bar_count:
            break
    rows = tuple(
        tuple(lines[k : k + per_row + 1]) for k in range(0, bar_count, min(per_row, bar_count))
    )
    longest = max(row[-1] - row[0] for row in rows)
    return _Plan(
        rows,
        number,
        lowest,
        highest,
        min(max(lane_px, 1.0), max(_WIDEST_LANE_PX, _LONE_ROW_LANE_PX / len(rows) ** 0.5)),
        (WIDTH_PX - _LEFT_PX - _RIGHT_PX) / longest,
        has_drums,
        chord_lanes,
    )


def _spans(start: float, stop: float, plan: _Plan) -> Iterator[tuple[int, float, float]]:
    """Yield the row and the left and right edge, in pixels, of each part of a span of beats."""
    row_starts = [row[0] for row in plan.rows]
    index = max(bisect_right(row_starts, start) - 1, 0)
    while index < len(plan.rows) and (plan.rows[index][0] < stop or index == 0):
        row = plan.rows[index]
        left, right = max(start, row[0]), min(stop, row[-1])
        if right >= left:
            yield (
                index,
                _LEFT_PX + (left - row[0]) * plan.beat_px,
                _LEFT_PX + (right - row[0]) * plan.beat_px,
            )
        index += 1


_Shape = tuple[int, float, float, float, float]
"""Strength, top, height, left and right edge."""


def _place_notes(parts: Sequence[Part], bars: BarGrid, plan: _Plan) -> list[dict[int, set[_Shape]]]:
    """Return the rectangles of the notes, by row and part."""
    placed: list[dict[int, set[_Shape]]] = [defaultdict(set) for _ in plan.rows]
    for index, part in enumerate(parts):
        for note in part.notes:
            top, height = _lane(note, part.is_drum, plan)
            start = bars.grid.to_beats(note.onset_s)
            stop = start if part.is_drum else max(bars.grid.to_beats(note.offset_s), start)
            strength = round(max(note.velocity, 1) / 127 * (_STRENGTHS - 1))
            for row, left, right in _spans(start, stop, plan):
                least = _DRUM_STROKE_PX if part.is_drum else _LEAST_NOTE_PX
                width = max(right - left - 1.0, least)
                shape = (strength, top, height, round(left, 1), round(left + width, 1))
                placed[row][index].add(shape)
    return placed


def _unite(shapes: Iterable[_Shape]) -> Iterator[_Shape]:
    """Merge shapes of equal strength that overlap in a lane."""
    before: _Shape | None = None
    for shape in sorted(shapes):
        if before is not None and shape[:3] == before[:3] and shape[3] <= before[4]:
            before = (*before[:4], max(before[4], shape[4]))
            continue
        if before is not None:
            yield before
        before = shape
    if before is not None:
        yield before


def _lane(note: NoteEvent, is_drum: bool, plan: _Plan) -> tuple[float, float]:
    """Return a note's top edge, measured from below the chord names, and its height."""
    if is_drum:
        lane = next((i for i, keys in enumerate(_DRUM_LANES) if note.pitch in keys), 2)
        return plan.pitched_px + (lane + 0.6) * _DRUM_LANE_PX, _DRUM_LANE_PX - 2
    inset = min(plan.lane_px * 0.06, 1.0)
    return (plan.highest - note.pitch) * plan.lane_px + inset, plan.lane_px - 2 * inset


def _place_chords(
    transcription: Transcription, bars: BarGrid, plan: _Plan
) -> tuple[list[list[tuple[str, float, float]]], bool]:
    """Return chord names with their positions by row, and whether all of them fitted.

    A name is put into the lane nearest the notes that is free.
    """
    placed: list[list[tuple[str, float, float]]] = [[] for _ in plan.rows]
    ends = [[0.0] * plan.chord_lanes for _ in plan.rows]
    is_complete = True
    for chord in transcription.chords:
        name = write_segment(chord, transcription.key)
        start, stop = (_to_half(bars.grid.to_beats(s)) for s in (chord.start_s, chord.end_s))
        if not name or stop <= start:
            continue
        width = text_width(name, _CHORD_PX, is_bold=True)
        for row, left, right in _spans(start, stop, plan):
            if right <= left:
                continue
            lane = next((i for i, end in enumerate(ends[row]) if end <= left), None)
            if lane is None or left + width > WIDTH_PX:
                is_complete = False
                continue
            y = plan.chords_px - 8 - lane * (_CHORD_PX + 5)
            placed[row].append((name, left, y))
            ends[row][lane] = left + width + _CHORD_PX * 0.4
    return placed, is_complete


def _to_half(beats: float) -> float:
    """Round to half a beat, as chords are detected and written no finer."""
    return round(2 * beats) / 2


# Drawing


def _colours(parts: Sequence[Part]) -> list[str]:
    pitched = iter(_COLOURS * (len(parts) // len(_COLOURS) + 1))
    return [_DRUM_COLOUR if part.is_drum else next(pitched) for part in parts]


def _draw_header(
    key: Key, bars: BarGrid, parts: Sequence[Part], colours: Sequence[str], title: str
) -> tuple[str, float]:
    """Return the header (title, key, tempo, legend) and the height at which the rows begin."""
    facts = f"{write_key(key)} · {bars.signature} · {round(bars.pulse_bpm)} bpm"
    baseline = _MARGIN_PX + _TITLE_PX * 0.8
    room = WIDTH_PX - _LEFT_PX - _RIGHT_PX - text_width(facts, _LEGEND_PX) - 40
    drawn = [
        _text(_cut(title, room, _TITLE_PX), _LEFT_PX, baseline, _TITLE_PX, "bold"),
        _text(facts, WIDTH_PX - _RIGHT_PX, baseline, _LEGEND_PX, anchor="end"),
    ]
    x, baseline = float(_LEFT_PX), baseline + _LEGEND_PX * 1.6
    for part, colour in list(zip(parts, colours, strict=True))[:_LEGEND_NAMES]:
        name = part.name if len(part.name) <= _NAME_CHARS else part.name[:_NAME_CHARS] + "…"
        width = text_width(name, _LEGEND_PX) + 70
        if x > _LEFT_PX and x + width > WIDTH_PX - _RIGHT_PX:
            x, baseline = float(_LEFT_PX), baseline + _LEGEND_PX * 1.3
        drawn.append(_rect(x, baseline - 23, 26, 23, colour))
        drawn.append(_text(name, x + 36, baseline, _LEGEND_PX))
        x += width
    return "".join(drawn), baseline + _LEGEND_PX * (0.9 if parts else 0)


def _cut(text: str, room_px: float, size: float) -> str:
    if text_width(text, size, is_bold=True) <= room_px:
        return text
    while text and text_width(text + "…", size, is_bold=True) > room_px:
        text = text[:-1]
    return text + "…"


def _draw_grid(lines: Sequence[int], number: int, plan: _Plan, top: float) -> list[str]:
    """Draw the background of a row: keys, beats, bars and bar numbers."""
    upper = top + plan.chords_px
    lower = upper + plan.pitched_px
    bottom = top + plan.row_px - _GAP_PX - _NUMBERS_PX
    width = (lines[-1] - lines[0]) * plan.beat_px
    drawn = []
    for pitch in range(plan.lowest, plan.highest + 1):
        y = upper + (plan.highest - pitch) * plan.lane_px
        if pitch % 12 in _BLACK_KEYS and plan.lane_px >= _LEAST_SHADED_PX:
            drawn.append(_rect(_LEFT_PX, y, width, plan.lane_px, "#f1f1f1"))
        if pitch % 12 == 0:
            foot = y + plan.lane_px
            drawn.append(_line(_LEFT_PX, foot, _LEFT_PX + width, foot, "#bbbbbb", 1.2))
            middle = y + plan.lane_px / 2 + _SMALL_PX * 0.35
            drawn.append(_text(f"C{pitch // 12 - 1}", _LEFT_PX - 10, middle, _SMALL_PX, "", "end"))

    def x_of(beat: float) -> float:
        return _LEFT_PX + (beat - lines[0]) * plan.beat_px

    if plan.beat_px >= _LEAST_BEAT_PX:
        inner = [b for a, z in pairwise(lines) for b in range(a + 1, z)]
        drawn += [_line(x_of(b), upper, x_of(b), bottom, "#d9d9d9", 1) for b in inner]
    shortest = min(b - a for a, b in pairwise(lines)) * plan.beat_px
    every = next(n for n in (1, 2, 4, 8, 16, 10**9) if n * shortest >= 2.5 * _SMALL_PX)
    for k, beat in enumerate(lines):
        is_edge = k in (0, len(lines) - 1)
        if is_edge or shortest >= _LEAST_BAR_PX:
            drawn.append(_line(x_of(beat), upper - 4, x_of(beat), bottom, "#8a8a8a", 1.6))
        if k % every == 0 and k < len(lines) - 1:
            drawn.append(_text(str(number + k), x_of(beat), bottom + _SMALL_PX, _SMALL_PX))
    drawn.append(_line(_LEFT_PX, upper, _LEFT_PX + width, upper, "#8a8a8a", 1))
    drawn.append(_line(_LEFT_PX, bottom, _LEFT_PX + width, bottom, "#8a8a8a", 1))
    if plan.has_drums:
        drawn.append(_line(_LEFT_PX, lower, _LEFT_PX + width, lower, "#8a8a8a", 1))
    return drawn


def _draw_notes(
    shapes: Mapping[int, set[_Shape]], parts: Sequence[Part], colours: Sequence[str], top: float
) -> Iterator[str]:
    """Draw the notes of a row, one path per part and strength."""
    for index in range(len(parts)):
        by_strength: dict[int, list[str]] = defaultdict(list)
        for strength, y, height, left, right in _unite(shapes.get(index, ())):
            width = right - left
            path = f"M{left:g} {top + y:.1f}h{width:.1f}v{height:.1f}h{-width:.1f}z"
            by_strength[strength].append(path)
        for strength, paths in by_strength.items():
            opacity = 0.4 + 0.6 * strength / (_STRENGTHS - 1)
            ink = f'fill="{colours[index]}" fill-opacity="{opacity:.2f}"'
            yield f'<path {ink} d="{"".join(paths)}"/>'


def _text(
    text: str, x: float, y: float, size: float, weight: str = "", anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="{TEXT_FAMILY}" font-size="{size}" '
        f'font-weight="{weight or "normal"}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> str:
    path = f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"
    return f'<path d="{path}" stroke="{colour}" stroke-width="{width}"/>'

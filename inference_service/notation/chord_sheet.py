"""Draw a chord chart as SVG: chord names without a staff, four bars a row.

A chord name is placed where the chord begins within its bar. A bar that repeats the one before
shows the simile sign, except at the beginning of a row and under a rehearsal mark. A double bar
line precedes a rehearsal mark. Names are spelt in the key in force, and drawn smaller where they do
not fit their bar. Signs are SMuFL's (https://w3c.github.io/smufl), in the font of the engraved
pages.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final
from xml.sax.saxutils import escape

from inference_service.music.chord_names import (
    NO_CHORD_TEXT,
    with_signs,
    write_chord,
    write_key,
)
from inference_service.music.events import Key
from inference_service.music.metre import TimeSignature
from inference_service.music.score import Score
from inference_service.notation.chart import ChartBar, chart_bars
from inference_service.notation.fonts import MUSIC_FAMILY, TEXT_FAMILY, text_width
from inference_service.notation.mei import TITLE_LINES
from inference_service.notation.musicxml import measure_id
from inference_service.notation.names import KEY_WORDS, Language
from inference_service.notation.page import MAX_PAGES, Page

BARS_PER_ROW: Final = 4

_ROW_PX: Final = 152
_BAR_PX: Final = 96
"""Height of a bar line."""

_GUTTER_PX: Final = 70
"""Space before the first bar of a row, for the first time signature."""

_CHORD_PX: Final = 60
_TITLE_PX: Final = 68
_TITLE_CHARS: Final = 36
_LABEL_PX: Final = 40
_NUMBER_PX: Final = 26
_MARK_PX: Final = 32
_PADDING_PX: Final = 14
_BAR_ROOM_PX: Final = 230
"""Least width of a bar on a screen that has room for a bar of half the width."""

_END_PX: Final = 16
"""Space between the two lines of the final bar line."""

_DOUBLE_PX: Final = 9
"""Space between the two lines before a rehearsal mark."""

_GAP: Final = 0.24
"""Least space between two names, in ems."""

_SIMILE: Final = "\ue500"
_DIGITS: Final = {str(digit): chr(0xE080 + digit) for digit in range(10)}
_METRONOME: Final = {1: "\ue1d2", 2: "\ue1d3", 4: "\ue1d5", 8: "\ue1d7", 16: "\ue1d9", 32: "\ue1db"}
_METRONOME_DOT: Final = "\ue1e7"


@dataclass(frozen=True, slots=True)
class _Run:
    """Part of a chord name: text, size, and height above the baseline, in ems of the root."""

    text: str
    size: float = 1.0
    raised: float = 0.0

    @property
    def width(self) -> float:
        """Width in ems of the root."""
        return text_width(self.text, self.size, is_bold=True)


def draw_chord_sheet(
    chart: Score, page: Page, key: Key, language: Language = Language.EN
) -> list[str]:
    """Draw a chart.

    Parameters
    ----------
    chart : Score
        From :func:`~inference_service.notation.chart.build_chart`.
    page : Page
    key : Key
        Overall key, shown in the header. Chords are spelt in the key in force.
    language : Language
        Of the word before the key.

    Returns
    -------
    list of str
        SVG documents of the page's size, at least one and at most ``MAX_PAGES``.
    """
    rows = _rows(chart_bars(chart))
    header, header_px = _draw_header(chart, page, key, language)
    pages: list[str] = []
    top = page.margin_px + header_px
    drawn = [header]
    signature: TimeSignature | None = None
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        if top + _ROW_PX > page.height_px - page.margin_px and top > page.margin_px:
            pages.append(_document(drawn, page.width_px, page.height_px))
            drawn, top = [], page.margin_px
            if len(pages) == MAX_PAGES:
                return pages
        drawn += _draw_row(row, following, chart, page, top, signature)
        signature = row[-1].bar.signature
        top += _ROW_PX
    height_px = top + page.margin_px // 2 if page.is_trimmed else page.height_px
    pages.append(_document(drawn, page.width_px, height_px))
    return pages


def draw_chord_rows(chart: Score, page: Page, limit: int) -> list[str]:
    """Draw a chart for a screen, each row on a page of its own, without a header.

    A row has 8, 4, 2 bars or one, as many as there is room for.

    Parameters
    ----------
    chart : Score
    page : Page
    limit : int
        Number of rows; further ones are dropped.
    """
    per_row = next(n for n in (8, 4, 2, 1) if n * _BAR_ROOM_PX <= page.width_px or n == 1)
    rows = _rows(chart_bars(chart), per_row)
    pages: list[str] = []
    signature: TimeSignature | None = None
    for row, following in list(zip(rows, [*rows[1:], None], strict=True))[:limit]:
        drawn = _draw_row(row, following, chart, page, 0, signature, per_row)
        signature = row[-1].bar.signature
        pages.append(_document(drawn, page.width_px, _ROW_PX + page.margin_px))
    return pages


def _rows(bars: Sequence[ChartBar], per_row: int = BARS_PER_ROW) -> list[list[ChartBar]]:
    """Break bars into rows; a pickup gets a row of its own."""
    pickup = [bars[:1]] if bars[0].bar.number == 0 else []
    full = bars[len(pickup) :]
    broken = [full[k : k + per_row] for k in range(0, len(full), per_row)]
    return [list(row) for row in pickup + broken]


def _document(drawn: Sequence[str], width_px: int, height_px: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width_px}px" height="{height_px}px" '
        f'viewBox="0 0 {width_px} {height_px}">{"".join(drawn)}</svg>'
    )


def _draw_header(score: Score, page: Page, key: Key, language: Language) -> tuple[str, int]:
    """Return the title, tempo and key, and their height."""
    title = textwrap.wrap(
        score.title, _TITLE_CHARS, max_lines=TITLE_LINES, placeholder=" …", break_long_words=True
    )
    drawn, top = [], float(page.margin_px)
    for line in title:
        top += _TITLE_PX
        drawn.append(_text(line, page.width_px / 2, top, _TITLE_PX, anchor="middle"))
        top += _TITLE_PX * 0.2
    top += _LABEL_PX * 1.2
    drawn.append(_draw_tempo(score, page.margin_px + _GUTTER_PX, top))
    key_text = f"{KEY_WORDS[language]}: {write_key(key)}"
    drawn.append(_text(key_text, page.width_px - page.margin_px, top, _LABEL_PX, anchor="end"))
    return "".join(drawn), round(top + _LABEL_PX * 1.1) - page.margin_px


def _draw_tempo(score: Score, x: float, baseline: float) -> str:
    signature = score.signature
    sign = _METRONOME.get(signature.unit, _METRONOME[4])
    if signature.is_compound:  # three beats are a dotted note of twice their value
        sign = _METRONOME.get(signature.unit // 2, _METRONOME[4]) + _METRONOME_DOT
    tempo = f" = {round(score.pulse_bpm)}"
    return (
        f'<text x="{x:.1f}" y="{baseline:.1f}" font-family="{TEXT_FAMILY}" '
        f'font-size="{_LABEL_PX}"><tspan font-family="{MUSIC_FAMILY}">{sign}</tspan>'
        f"{escape(tempo)}</text>"
    )


def _draw_row(
    row: Sequence[ChartBar],
    following: Sequence[ChartBar] | None,
    score: Score,
    page: Page,
    top: float,
    signature: TimeSignature | None,
    per_row: int = BARS_PER_ROW,
) -> list[str]:
    """Draw a row of at most ``per_row`` bars, each as an element of its own.

    ``following`` is the next row, None after the last; ``signature`` is in force before the row.
    """
    left = page.margin_px + _GUTTER_PX
    width = (page.width_px - page.margin_px - left) / per_row
    upper, lower = top + (_ROW_PX - _BAR_PX), top + _ROW_PX
    if row[0].bar.number == 0:  # a pickup is aligned with the right end of the first full row
        left = round(page.width_px - page.margin_px - width)
    drawn = [_line(left, upper, lower)]
    number, number_px = row[0].bar.number, 0.0
    if number > 1:
        drawn.append(_text(str(number), left, upper - 8, _NUMBER_PX, style="italic"))
        number_px = text_width(str(number), _NUMBER_PX) + _PADDING_PX
    afters = [*row[1:], following[0] if following else None]
    for column, (written, after) in enumerate(zip(row, afters, strict=True)):
        start = left + column * width
        stop = start + width
        inner = start + _PADDING_PX
        drawn.append(
            f'<g id="{measure_id(written.bar.number)}" class="measure">'
            f'<rect x="{start:.1f}" y="{upper:.1f}" width="{width:.1f}" height="{_BAR_PX}" '
            'fill="none"/>'
        )
        if written.mark:
            shift = 0.0 if column else number_px
            drawn.append(_draw_mark(written.mark, start + shift, upper, width - shift))
        if written.bar.signature != signature:
            sign, sign_px = _draw_signature(written.bar.signature, (upper + lower) / 2)
            place = inner + sign_px / 2 if column else left - _PADDING_PX - sign_px / 2
            drawn.append(sign.replace("X", f"{place:.1f}"))
            inner += (sign_px + _PADDING_PX) if column else 0
        signature = written.bar.signature
        if written.repeats and column:
            drawn.append(_draw_simile((start + stop) / 2, (upper + lower) / 2))
        else:
            key = score.key_at(written.bar.start_beats)
            edge = stop - _PADDING_PX - (_END_PX if after is None else 0)
            drawn += _draw_chords(written, key, inner, edge, (upper + lower) / 2)
        if after is None:
            drawn.append(_line(stop - _END_PX, upper, lower))
        elif after.mark:
            drawn.append(_line(stop - _DOUBLE_PX, upper, lower))
        drawn += [_line(stop, upper, lower, 9 if after is None else 3), "</g>"]
    return drawn


def _draw_signature(signature: TimeSignature, middle: float) -> tuple[str, float]:
    """Return a time signature, with the placeholder ``X`` for its centre, and its width."""
    size = 100
    lines = [
        f'<text x="X" y="{middle + shift:.1f}" font-family="{MUSIC_FAMILY}" font-size="{size}" '
        f'text-anchor="middle">{"".join(_DIGITS[d] for d in str(number))}</text>'
        for number, shift in ((signature.beats, -0.28 * size), (signature.unit, 0.28 * size))
    ]
    digits = max(len(str(signature.beats)), len(str(signature.unit)))
    return "".join(lines), digits * size * 0.45


def _draw_simile(x: float, y: float) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="{MUSIC_FAMILY}" font-size="100" '
        f'text-anchor="middle">{_SIMILE}</text>'
    )


def _draw_mark(text: str, x: float, bottom: float, room_px: float) -> str:
    """Draw a rehearsal mark in a box above a bar line."""
    inside_px = room_px - 3 * _PADDING_PX
    size = min(_MARK_PX, inside_px / text_width(text, 1.0, is_bold=True))
    width, height = text_width(text, size, is_bold=True) + _PADDING_PX, 1.3 * size
    top = bottom - height - 6
    return (
        f'<rect x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="none" '
        'stroke="black" stroke-width="3"/>'
        + _text(text, x + _PADDING_PX / 2, top + 0.97 * size, size, weight="bold")
    )


def _draw_chords(
    written: ChartBar, key: Key, left: float, right: float, middle: float
) -> list[str]:
    names = [_chord_runs(label, key) for _, label in written.chords]
    widths = [sum(run.width for run in runs) for runs in names]
    places = [place / written.bar.length_beats for place, _ in written.chords]
    size, starts = _fit(widths, places, right - left)
    drawn = []
    for runs, start in zip(names, starts, strict=True):
        x = left + start
        for run in runs:
            baseline = middle + size * (0.32 - run.raised)
            drawn.append(_text(run.text, x, baseline, run.size * size, weight="bold"))
            x += run.width * size
    return drawn


def _fit(
    widths: Sequence[float], places: Sequence[Fraction], room_px: float
) -> tuple[float, list[float]]:
    """Place names side by side.

    Parameters
    ----------
    widths : sequence of float
        Widths in ems.
    places : sequence of Fraction
        Preferred starts as shares of the room, ascending.
    room_px : float
        Width available.

    Returns
    -------
    size_px : float
        The largest em, at most ``_CHORD_PX``, with which the names fit.
    starts_px : list of float
        Left edges, ascending, not negative.
    """
    size = float(_CHORD_PX)
    while True:
        starts: list[float] = []
        for i, place in enumerate(places):
            least = starts[-1] + (widths[i - 1] + _GAP) * size if i else 0.0
            starts.append(max(float(place) * room_px, least))
        limit = room_px
        for i in reversed(range(len(starts))):
            starts[i] = min(starts[i], limit - widths[i] * size)
            limit = starts[i] - _GAP * size
        if starts[0] >= 0:
            return size, starts
        size *= 0.92


def _chord_runs(label: str, key: Key) -> list[_Run]:
    """Return a chord's name as runs: the root large, the rest smaller, figures raised."""
    name = write_chord(label, key)
    if name is None:
        return [_Run(NO_CHORD_TEXT, 0.72)]
    suffix = name.suffix
    minor = "m" if suffix.startswith("m") and not suffix.startswith("maj") else ""
    runs = [
        _Run(with_signs(name.root)),
        _Run(minor, 0.8),
        _Run(suffix.removeprefix(minor), 0.62, 0.26),
        _Run(f"/{with_signs(name.bass)}" if name.bass else "", 0.8),
    ]
    return [run for run in runs if run.text]


def _text(
    text: str,
    x: float,
    y: float,
    size: float,
    *,
    anchor: str = "start",
    style: str = "normal",
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="{TEXT_FAMILY}" font-size="{size:.1f}" '
        f'text-anchor="{anchor}" font-style="{style}" font-weight="{weight}">{escape(text)}</text>'
    )


def _line(x: float, upper: float, lower: float, width: float = 3) -> str:
    return f'<path d="M{x:.1f} {upper:.1f}V{lower:.1f}" stroke="black" stroke-width="{width}"/>'

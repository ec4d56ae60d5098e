"""The use case: a written score for a page that plays it, follows the recording, and edits it.

A :class:`Sheet` is a score as :func:`~inference_service.pipeline.render.render` would write it,
engraved for a screen, with everything in it tied to its picture by the ids of elements, and to the
recording by a clock. Its positions and lengths are in quarters from the beginning of its first bar.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from inference_service.music.chord_names import NO_CHORD_TEXT, write_label
from inference_service.music.clock import Clock, fit_clock
from inference_service.music.events import Transcription
from inference_service.music.pitch import key_fifths
from inference_service.music.score import Bar, Score
from inference_service.notation.bars import complete_pickup
from inference_service.notation.chord_sheet import draw_chord_rows
from inference_service.notation.engrave import engrave_systems
from inference_service.notation.musicxml import head_id, measure_id
from inference_service.notation.names import translate_names
from inference_service.notation.quantize import WrittenPerformance
from inference_service.notation.screen import (
    ScreenPages,
    build_page,
    choose_staff_height,
    prepare,
)
from inference_service.notation.views import View
from inference_service.notation.web_fonts import WebFont, subset_fonts
from inference_service.pipeline.correct import correct
from inference_service.pipeline.encoded import encode_once
from inference_service.pipeline.options import RenderOptions, Screen
from inference_service.pipeline.relative import make_absolute
from inference_service.pipeline.remembered import Remembered
from inference_service.pipeline.render import Rendering, arrange_view
from inference_service.pipeline.shown import settle_view, show
from inference_service.pipeline.written import write_corrected
from inference_service.progress import Progress, Stage

MAX_PAGES: Final = 400
"""Systems of a sheet; further ones are dropped. A phone's page of piano music has four to six."""

_MAX_REMEMBERED: Final = 4
"""A sheet of 12 pages takes a megabyte."""

_DRAWN: Final[Remembered[ScreenPages]] = Remembered(_MAX_REMEMBERED)


@dataclass(frozen=True, slots=True)
class SheetMeasure:
    """A bar: its number and the id of its element, its page from 1, and where it begins and ends.

    The number of a pickup is 0. ``fifths`` are the sharps of its key signature; flats if negative.
    """

    number: int
    id: str
    page: int
    start: Fraction
    stop: Fraction
    fifths: int


@dataclass(frozen=True, slots=True)
class SheetNote:
    """A note that is played once, however it is written.

    Attributes
    ----------
    ids : tuple of str
        Ids of its noteheads' elements, tied ones in order.
    note : str
        Id of the heard note; empty if nobody performed it.
    part : str
        Id of its :class:`SheetPart`.
    pitch, velocity : int
        As sounding.
    start, duration : Fraction
        The duration of a grace note is 0.
    """

    ids: tuple[str, ...]
    note: str
    part: str
    pitch: int
    start: Fraction
    duration: Fraction
    velocity: int


@dataclass(frozen=True, slots=True)
class SheetPart:
    """A part of the page, its program in General MIDI, 0-based, and its number of staves."""

    id: str
    name: str
    program: int
    is_drum: bool
    staves: int


@dataclass(frozen=True, slots=True)
class SheetChord:
    """A chord symbol, in force until the next."""

    start: Fraction
    text: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """An engraved score; see the module.

    Attributes
    ----------
    pages : ScreenPages
    measures : tuple of SheetMeasure
    notes : tuple of SheetNote
        Sorted by start, then pitch.
    parts : tuple of SheetPart
        In the order of the staves.
    clock : Clock
        From quarters to seconds of the recording.
    chords : tuple of SheetChord
    fonts : tuple of WebFont
        Of the text in the pages.
    """

    pages: ScreenPages
    measures: tuple[SheetMeasure, ...]
    notes: tuple[SheetNote, ...]
    parts: tuple[SheetPart, ...]
    clock: Clock
    chords: tuple[SheetChord, ...]
    fonts: tuple[WebFont, ...]


@dataclass(frozen=True, slots=True)
class Engraving:
    """A sheet, and what :func:`~inference_service.pipeline.render.describe` returns."""

    sheet: Sheet
    rendering: Rendering


def engrave_sheet(
    transcription: Transcription, options: RenderOptions, screen: Screen, progress: Progress
) -> Engraving:
    """Write a transcription as ``options`` say, and engrave it for a screen.

    Raises
    ------
    Cancelled
        If ``progress`` raises it.
    InvalidCorrections
        If the corrections do not fit the music.
    """
    progress(Stage.NOTATION, 0.0)
    options = make_absolute(transcription, options)
    corrected = correct(options.amend(transcription))
    options = settle_view(options, corrected.performance)
    written = write_corrected(corrected, options.pitches, options.title)
    score = translate_names(arrange_view(written.score, options), options.language)
    pages = _engrave(score, options, screen, progress)
    progress(Stage.ENGRAVING, 1.0)
    sheet = _describe(score, pages, written)
    return Engraving(sheet, Rendering(show(written, corrected, options), (), options))


def _engrave(
    score: Score, options: RenderOptions, screen: Screen, progress: Progress
) -> ScreenPages:
    staves = sum(part.staves for part in score.parts)
    height_px = screen.staff_height_px or choose_staff_height(screen.width_px, staves)
    page = build_page(screen.width_px, height_px)

    def lay_out() -> ScreenPages:
        if options.view is View.CHORDS:
            return prepare(draw_chord_rows(score, page, MAX_PAGES))
        musicxml = encode_once(score, progress)
        progress(Stage.ENGRAVING, 0.0)
        return prepare(engrave_systems(musicxml, page, MAX_PAGES))

    ids = tuple(note.id for part in score.parts for note in part.notes)  # scores ignore them
    return _DRAWN.get((score, ids, page, options.view), lay_out)


def _describe(score: Score, pages: ScreenPages, written: WrittenPerformance) -> Sheet:
    """Return the sheet of an arranged score that was engraved as ``pages``."""
    drawn = dict(pages.ids)
    bars = [
        bar
        for bar in complete_pickup(score.bars(), score.stop_beats)
        if measure_id(bar.number) in drawn
    ]
    start, stop = bars[0].start_beats, bars[-1].stop_beats
    quarters = score.signature.beat_quarters

    def place(position: Fraction) -> Fraction:
        return max(position - start, Fraction(0)) * quarters

    def measure(bar: Bar) -> SheetMeasure:
        name = measure_id(bar.number)
        return SheetMeasure(
            bar.number,
            name,
            drawn[name],
            place(bar.start_beats),
            place(bar.stop_beats),
            key_fifths(score.key_at(bar.start_beats)),
        )

    notes = _list_notes(score, start, stop, pages)
    return Sheet(
        pages,
        tuple(map(measure, bars)),
        tuple(sorted(notes, key=lambda note: (note.start, note.pitch))),
        tuple(SheetPart(p.id, p.name, p.program or 0, p.is_drum, p.staves) for p in score.parts),
        _fit_clock(score, start, stop, written),
        tuple(
            SheetChord(
                place(chord.start_beats),
                write_label(chord.label, score.key_at(chord.start_beats)) or NO_CHORD_TEXT,
            )
            for chord in score.chords
            if chord.start_beats < stop
        ),
        subset_fonts(pages.pages),
    )


def _list_notes(
    score: Score, start: Fraction, stop: Fraction, pages: ScreenPages
) -> Iterator[SheetNote]:
    """Yield the notes between two positions; the first one is at 0."""
    heads: defaultdict[str, list[str]] = defaultdict(list)
    for name, _ in pages.ids:
        heads[name.partition(".")[0]].append(name)
    quarters = score.signature.beat_quarters
    for part in score.parts:
        for note in part.notes:
            if start <= note.start_beats < stop:
                yield SheetNote(
                    tuple(heads[head_id(note.id)]) if note.id else (),
                    note.id,
                    part.id,
                    note.pitch,
                    (note.start_beats - start) * quarters,
                    note.duration_beats * quarters,
                    note.velocity,
                )


def _fit_clock(score: Score, start: Fraction, stop: Fraction, written: WrittenPerformance) -> Clock:
    """Return the clock of an arranged score, which is the same in every view."""
    onsets_s = {note.id: note.onset_s for part in written.performance.parts for note in part.notes}
    onsets = [
        (note.start_beats + written.score.origin_beats, onsets_s[note.id])
        for part in written.score.parts
        for note in part.notes
        if note.id in onsets_s and not note.grace
    ]
    origin = score.origin_beats
    clock = fit_clock(onsets, written.grid, start + origin, stop + origin)
    quarters = float(score.signature.beat_quarters)
    first = float(start + origin)
    positions = tuple((position - first) * quarters for position in clock.positions)
    return Clock(positions, clock.times_s)

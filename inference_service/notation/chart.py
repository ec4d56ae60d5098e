"""Chord charts: the chords of a piece, bar by bar, to draw, to play and to engrave.

A chart is a :class:`Score` with one part that strikes each chord where it begins and again at
every bar line, in close position above its bass. It extends as far as there are chords. Where no
chord sounds, as before the first, it is silent and reads "N.C.".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Final
from xml.etree import ElementTree

from inference_service.music.chords import parse_chord
from inference_service.music.events import NO_CHORD
from inference_service.music.pitch import pitch_class
from inference_service.music.score import Bar, Score, ScoreChord, ScoreNote, ScorePart
from inference_service.notation.keys import find_key_changes
from inference_service.notation.musicxml import encode_musicxml
from inference_service.progress import Report, ignore

_LOWEST_BASS: Final = 36
_LOWEST_TONE: Final = 55
_SLASH_PITCH: Final = 71
"""The middle line of the treble clef."""

_DOCTYPE_END: Final = b'.dtd">\n'


@dataclass(frozen=True, slots=True)
class ChartBar:
    """A bar of a chart.

    Attributes
    ----------
    bar : Bar
    chords : tuple of (Fraction, str)
        Positions in beats from the start of the bar, the first of them 0, and Harte labels.
    repeats : bool
        Whether the previous bar has the same chords at the same positions in the same metre. Always
        false under a rehearsal mark.
    mark : str
        Rehearsal mark over the bar; empty for none.
    """

    bar: Bar
    chords: tuple[tuple[Fraction, str], ...]
    repeats: bool
    mark: str = ""


def build_chart(score: Score) -> Score:
    """Return the score with one part, which plays the chords and strikes them anew in each bar.

    It has the changes of key that the other views have, so that chords are spelt as there.
    """
    score = find_key_changes(score)
    spans = list(_spans(score))
    sounding = max((stop for _, stop, label in spans if label != NO_CHORD), default=Fraction(0))
    frame = replace(
        score, parts=(ScorePart("chords", "Chords", (ScoreNote(Fraction(0), sounding, 60),)),)
    )
    notes = []
    bars, index = frame.bars(), 0
    for start, stop, label in spans:
        while index < len(bars) and bars[index].start_beats < stop:
            struck = max(start, bars[index].start_beats)
            released = min(stop, bars[index].stop_beats)
            if struck < released:
                notes += [ScoreNote(struck, released - struck, p) for p in _voice(label)]
            index += 1
        index = max(index - 1, 0)
    return replace(score, parts=(ScorePart("chords", "Chords", tuple(sorted(notes)), program=0),))


def _spans(score: Score) -> Iterator[tuple[Fraction, Fraction, str]]:
    """Yield each chord's start, stop and label; the last chord lasts to the end of the bars."""
    chords = sorted(score.chords)
    if not chords:
        return
    last = chords[-1].start_beats
    bars = replace(
        score,
        parts=(*score.parts, ScorePart("", "", (ScoreNote(last, Fraction(1, 64), 60),))),
    ).bars()
    first = bars[0].start_beats
    for chord, following in pairwise([*chords, ScoreChord(bars[-1].stop_beats, NO_CHORD)]):
        label = chord.label if parse_chord(chord.label) else NO_CHORD
        start, stop = max(chord.start_beats, first), following.start_beats
        if start < stop:
            yield start, stop, label


def _voice(label: str) -> list[int]:
    """Return the pitches of a chord: the bass, and each chord tone once above it."""
    name = parse_chord(label)
    if name is None:
        return []
    root = pitch_class(name.root)
    bass = (root + 7 * (name.bass_fifths or 0) - _LOWEST_BASS) % 12 + _LOWEST_BASS
    tones = {(root + 7 * fifths - _LOWEST_TONE) % 12 + _LOWEST_TONE for fifths in name.fifths}
    return [bass, *sorted(tones)]


def chart_bars(chart: Score) -> list[ChartBar]:
    """Return the bars of a chart from :func:`build_chart`.

    A pickup without a chord is omitted.
    """
    spans = list(_spans(chart))
    written: list[ChartBar] = []
    marks = {mark.start_beats: mark.text for mark in chart.marks}
    index, label = 0, NO_CHORD
    for bar in chart.bars():
        chords = [(Fraction(0), label)]
        while index < len(spans) and spans[index][0] < bar.stop_beats:
            start, _, label = spans[index]
            place = start - bar.start_beats
            if place <= 0:
                chords = [(Fraction(0), label)]
            elif label != chords[-1][1]:
                chords.append((place, label))
            index += 1
        if bar.number == 0 and all(name == NO_CHORD for _, name in chords):
            continue
        before = written[-1] if written else None
        mark = marks.get(bar.start_beats, "")
        repeats = (
            before is not None
            and not mark
            and before.chords == tuple(chords)
            and before.bar.signature == bar.signature
            and before.bar.length_beats == bar.length_beats
        )
        written.append(ChartBar(bar, tuple(chords), repeats, mark))
    return written


def encode_chart(chart: Score, report: Report = ignore) -> bytes:
    """Write a chart as MusicXML: one slash per pulse, with the chord symbols above.

    Parameters
    ----------
    chart : Score
        From :func:`build_chart`.
    report : Report

    Returns
    -------
    bytes
        As :func:`~inference_service.notation.musicxml.encode_musicxml` does.
    """
    slashes = [
        ScoreNote(start, stop - start, _SLASH_PITCH)
        for bar in chart.bars()
        for start, stop in _pulses(bar)
    ]
    part = replace(chart.parts[0], notes=tuple(slashes))
    musicxml = encode_musicxml(replace(chart, parts=(part,)), report)
    head, doctype, body = musicxml.partition(_DOCTYPE_END)
    root = ElementTree.fromstring(body)
    for note in root.iter("note"):
        _draw_slash(note)
    ElementTree.indent(root, " ")
    written: bytes = ElementTree.tostring(root, encoding="utf-8")
    return head + doctype + written + b"\n"


def _pulses(bar: Bar) -> list[tuple[Fraction, Fraction]]:
    """Return starts and stops of a bar's pulses, counted from its end."""
    step = Fraction(bar.signature.pulse_beats)
    lines = [bar.stop_beats]
    while lines[-1] > bar.start_beats:
        lines.append(max(lines[-1] - step, bar.start_beats))
    return list(pairwise(reversed(lines)))


def _draw_slash(note: ElementTree.Element) -> None:
    """Turn a note into a slash without a stem, keeping MusicXML's order of elements."""
    for name in ("beam", "stem", "notehead"):
        for element in note.findall(name):
            note.remove(element)
    before = ("type", "dot", "accidental", "time-modification")
    place = max(i for i, element in enumerate(note) if element.tag in before) + 1
    stem, head = ElementTree.Element("stem"), ElementTree.Element("notehead")
    stem.text, head.text = "none", "slash"
    note.insert(place, stem)
    note.insert(place + 1, head)

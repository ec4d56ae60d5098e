"""A written piece as MusicXML 4.0, through music21.

music21's own ``makeNotation`` guesses measures, ties, accidentals and voices from durations; here
they are decided already, so its objects are built measure by measure and exported as they are.
What this module adds to a :class:`Score` is what only the page has: clefs, tied values, tuplets,
beams, accidentals and rests. Positions become quarter notes, as music21 counts.

Chord symbols stand in the first part. Voice 2 leaves out its rests. An alteration is shown where
the bar's earlier notes and the key signature do not imply it, and not again behind a tie.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from statistics import median
from typing import Any, Final
from xml.etree import ElementTree

from music21 import (
    bar as bar_line,
)
from music21 import (
    beam,
    chord,
    clef,
    duration,
    harmony,
    instrument,
    key,
    layout,
    metadata,
    meter,
    note,
    percussion,
    pitch,
    stream,
    tempo,
    tie,
)
from music21.musicxml.m21ToXml import ScoreExporter

from inference_service.music.events import NO_CHORD
from inference_service.music.meter import TimeSignature
from inference_service.music.pitch import key_fifths, pitch_class
from inference_service.music.score import Bar, Score, ScoreNote, ScorePart
from inference_service.notation.chords import parse_chord
from inference_service.notation.durations import NoteValue, split_span, triplet_beats
from inference_service.notation.quantize import chord_at
from inference_service.notation.spelling import (
    PitchName,
    fifths_of,
    name_of,
    single_accidental,
    spell,
    spell_class,
)
from inference_service.progress import Report, ignore

_DOCTYPE: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    b'"http://www.musicxml.org/dtds/partwise.dtd">\n'
)
_DRUM_CHANNEL: Final = 9
_LOW_VOICE_PITCH: Final = 57
"""A voice with a median below this reads best an octave up, as tenors do."""

_BASS_CLEF_PITCH: Final = 56
_TREBLE_LEFT_HAND_PITCH: Final = 65
_SUNG: Final = range(52, 55)
"""General MIDI's choirs and voices."""

_PERCUSSION_STAFF: Final[dict[int, str]] = {
    35: "F4", 36: "F4", 37: "C5", 38: "C5", 39: "C5", 40: "C5", 41: "G4", 42: "G5", 43: "G4",
    44: "D4", 45: "A4", 46: "G5", 47: "A4", 48: "D5", 49: "A5", 50: "E5", 51: "F5", 52: "A5",
    53: "F5", 55: "A5", 57: "A5", 59: "F5",
}  # fmt: skip
"""General MIDI percussion keys on the staff, after Weinberg's guidelines (PAS, 1998)."""

_CROSS_HEADS: Final = frozenset({37, 42, 44, 46, 49, 51, 52, 53, 55, 57, 59})


def encode_musicxml(score: Score, report: Report = ignore) -> bytes:
    """Write a score.

    Parameters
    ----------
    score : Score
        Arranged: see :func:`~inference_service.notation.arrange.arrange`.
    report : Report
        Called after each part.

    Returns
    -------
    bytes
        UTF-8 MusicXML 4.0, valid against its schema.
    """
    written = stream.Score()
    written.metadata = metadata.Metadata(title=score.title or None)
    bars = score.bars()
    for index, part in enumerate(score.parts):
        staves = [
            _StaffWriter(score, part, staff, bars, index).write()
            for staff in range(1, part.staves + 1)
        ]
        for staff in staves:
            written.insert(0, staff)
        if len(staves) > 1:
            written.insert(0, layout.StaffGroup(staves, name=part.name, symbol="brace"))
        report((index + 1) / (len(score.parts) + 1))
    root = ScoreExporter(written, makeNotation=False).parse()
    _tidy(root, score)
    ElementTree.indent(root, " ")
    body: bytes = ElementTree.tostring(root, encoding="utf-8")
    return _DOCTYPE + body + b"\n"


@dataclass(frozen=True, slots=True)
class _Event:
    """A written chord, note or rest in a bar; ``notes`` is empty for a rest."""

    value: NoteValue
    notes: tuple[ScoreNote, ...]
    names: tuple[PitchName, ...] = ()
    tie_type: str | None = None


@dataclass
class _StaffWriter:
    """Builds one staff, bar by bar."""

    score: Score
    part: ScorePart
    staff: int
    bars: Sequence[Bar]
    part_index: int
    _signature: TimeSignature | None = field(default=None, init=False)

    @property
    def is_first(self) -> bool:
        """Whether this is the top staff, which has the tempo and the chord symbols."""
        return self.part_index == 0 and self.staff == 1

    def write(self) -> stream.Part:
        staff_type = stream.PartStaff if self.part.staves > 1 else stream.Part
        written = staff_type()
        written.id = f"{self.part.id}-{self.staff}"
        written.partName = self.part.name
        written.insert(0, self._instrument())
        mine = sorted(n for n in self.part.notes if n.staff == self.staff)
        voices = [
            _chords_in_bars([n for n in mine if n.voice == number], self.bars, self)
            for number in (1, 2)
        ]
        offset = Fraction(0)
        measure = stream.Measure()
        for bar, first, second in zip(self.bars, *voices, strict=True):
            measure = self._measure(bar, first, second)
            written.coreInsert(offset, measure)
            offset += bar.length_beats * bar.signature.beat_quarters
        measure.rightBarline = bar_line.Barline("final")
        written.coreElementsChanged()
        return written

    def _measure(self, bar: Bar, first: Sequence[_Span], second: Sequence[_Span]) -> stream.Measure:
        measure = stream.Measure(number=bar.number)
        self._insert_attributes(measure, bar)
        if not first:
            first, second = second, []
        lines = [_fill(first, bar)]
        if second:
            lines = [_leave_out_rests(lines[0], second), _leave_out_rests(_fill(second, bar))]
        shown = _shown_accidentals(lines, key_fifths(self.score.key))
        for number, line in enumerate(lines, start=1):
            place: Any = stream.Voice(id=number) if second else measure
            written = [_build(event, shown, bar.signature, self.part) for event in line]
            _add_tuplet_brackets(line, written)
            _add_beams(line, written, bar)
            for event, general_note in zip(line, written, strict=True):
                place.coreInsert(
                    _quarters(event.value.start_beats - _missing(bar), bar), general_note
                )
            place.coreElementsChanged()
            if second:
                measure.coreInsert(0, place)
        if self.is_first:
            self._insert_chord_symbols(measure, bar)
        measure.coreElementsChanged()
        return measure

    def _insert_attributes(self, measure: stream.Measure, bar: Bar) -> None:
        is_opening = self._signature is None
        if is_opening:
            measure.insert(0, self._clef())
            measure.insert(0, key.KeySignature(key_fifths(self.score.key)))
        if bar.signature != self._signature:
            measure.insert(0, meter.TimeSignature(str(bar.signature)))
        self._signature = bar.signature
        if bar.number == 0:
            measure.paddingLeft = _quarters(_missing(bar), bar)
        if is_opening and self.is_first:
            measure.insert(0, _tempo_mark(self.score))

    def _insert_chord_symbols(self, measure: stream.Measure, bar: Bar) -> None:
        for symbol in self.score.chords:
            if bar.start_beats <= symbol.start_beats < bar.stop_beats:
                written = _chord_symbol(symbol.label, self.score.key)
                if written is not None:
                    measure.insert(_quarters(symbol.start_beats - bar.start_beats, bar), written)

    def _clef(self) -> clef.Clef:
        if self.part.is_drum:
            return clef.PercussionClef()
        pitches = [n.pitch for n in self.part.notes if n.staff == self.staff]
        if self.part.staves > 1:
            is_low = self.staff == 2
            if pitches and is_low and median(pitches) >= _TREBLE_LEFT_HAND_PITCH:
                is_low = False
            return clef.BassClef() if is_low else clef.TrebleClef()
        middle = median(pitches) if pitches else _LOW_VOICE_PITCH
        if self.part.program in _SUNG and middle < _LOW_VOICE_PITCH:
            return clef.Treble8vbClef()
        return clef.BassClef() if middle < _BASS_CLEF_PITCH else clef.TrebleClef()

    def _instrument(self) -> instrument.Instrument:
        written = instrument.Instrument(instrumentName=self.part.name)
        if not self.part.is_drum:
            written.midiProgram = self.part.program
        written.partName = self.part.name
        written.partId = f"P{self.part_index + 1}"
        written.instrumentId = f"P{self.part_index + 1}-I1"
        written.midiChannel = self.part_index  # one each, or music21 looks for a free one
        return written


# Bars


@dataclass(frozen=True, slots=True)
class _Span:
    """What of a chord lies in one bar, in beats from where the full bar would begin."""

    start: Fraction
    stop: Fraction
    notes: tuple[ScoreNote, ...]
    names: tuple[PitchName, ...]
    is_continued: bool
    is_cut: bool


def _missing(bar: Bar) -> Fraction:
    """Beats by which a pickup is shorter than a full bar."""
    return bar.signature.beats - bar.length_beats


def _quarters(beats: Fraction, bar: Bar) -> Fraction:
    return beats * bar.signature.beat_quarters


def _chords_in_bars(
    notes: Sequence[ScoreNote], bars: Sequence[Bar], writer: _StaffWriter
) -> list[list[_Span]]:
    """Cut one voice's chords at the bar lines."""
    chords = [tuple(group) for _, group in groupby(notes, lambda n: n.start_beats)]
    spans: list[list[_Span]] = [[] for _ in bars]
    first_bar = 0
    for i, members in enumerate(chords):
        start = members[0].start_beats
        stop = max(n.stop_beats for n in members)
        following = chords[i + 1] if i + 1 < len(chords) else ()
        names = _spell(members, following, writer)
        while bars[first_bar].stop_beats <= start:
            first_bar += 1
        index = first_bar
        while index < len(bars) and bars[index].start_beats < stop:
            bar = bars[index]
            origin = bar.start_beats - _missing(bar)
            spans[index].append(
                _Span(
                    max(start, bar.start_beats) - origin,
                    min(stop, bar.stop_beats) - origin,
                    members,
                    names,
                    is_continued=start < bar.start_beats,
                    is_cut=stop > bar.stop_beats,
                )
            )
            index += 1
    return spans


def _spell(
    members: Sequence[ScoreNote], following: Sequence[ScoreNote], writer: _StaffWriter
) -> tuple[PitchName, ...]:
    if writer.part.is_drum:
        return ()
    label = chord_at(writer.score.chords, members[0].start_beats)
    pitches = {n.pitch for n in following}
    return tuple(
        spell(n.pitch, writer.score.key, label, n.pitch + 1 if n.pitch + 1 in pitches else None)
        for n in members
    )


def _leave_out_rests(line: Sequence[_Event], other: Sequence[_Span] | None = None) -> list[_Event]:
    """Return a voice without the rests during which the other one sounds; without any for None."""
    return [
        event
        for event in line
        if event.notes
        or event.value.is_triplet  # a bracket needs all of its beat
        or (
            other is not None
            and not any(
                span.start < event.value.start_beats + event.value.duration_beats
                and event.value.start_beats < span.stop
                for span in other
            )
        )
    ]


def _fill(spans: Sequence[_Span], bar: Bar) -> list[_Event]:
    """Write a voice's bar as consecutive events, with rests between."""
    start, stop = _missing(bar), Fraction(bar.signature.beats)
    triplets = triplet_beats(p for span in spans for p in (span.start, span.stop))
    events: list[_Event] = []

    def rest_until(position: Fraction) -> None:
        if position > here:
            values = split_span(here, position, bar.signature, triplets, is_rest=True)
            events.extend(_Event(value, ()) for value in values)

    here = start
    if not spans:
        whole = NoteValue(start, stop - start, "whole", 0)
        return [_Event(whole, ())]
    for span in spans:
        rest_until(span.start)
        values = split_span(span.start, span.stop, bar.signature, triplets)
        for i, value in enumerate(values):
            tied_before = span.is_continued or i > 0
            tied_after = span.is_cut or i + 1 < len(values)
            events.append(_Event(value, span.notes, span.names, _TIES[tied_before, tied_after]))
        here = span.stop
    rest_until(stop)
    return events


_TIES: Final = {
    (False, False): None,
    (False, True): "start",
    (True, True): "continue",
    (True, False): "stop",
}


def _shown_accidentals(
    lines: Iterable[Sequence[_Event]], fifths: int
) -> set[tuple[Fraction, PitchName]]:
    """Return the notes, by place in the bar, whose alteration the reader must be told."""
    implied: dict[tuple[str, int], int] = {}
    shown = set()
    events = sorted((e for line in lines for e in line), key=lambda e: e.value.start_beats)
    for event in events:
        for name in event.names:
            if event.tie_type in ("stop", "continue"):
                continue
            place = (name.step, name.octave)
            if implied.get(place, _signature_alter(name.step, fifths)) != name.alter:
                shown.add((event.value.start_beats, name))
            implied[place] = name.alter
    return shown


def _signature_alter(step: str, fifths: int) -> int:
    """Alteration of a letter in a key signature: -1, 0 or 1."""
    place = fifths_of(step)
    return int(fifths > place + 1) - int(fifths < place - 5)


# music21's objects


def _build(
    event: _Event,
    shown: set[tuple[Fraction, PitchName]],
    signature: TimeSignature,
    part: ScorePart,
) -> note.GeneralNote:
    """Build the note, chord or rest of an event."""
    length = _duration(event.value, signature)
    written: note.GeneralNote
    if not event.notes:
        written = note.Rest(duration=length)
        if event.value.type == "whole":
            written.fullMeasure = True
        return written
    if part.is_drum:
        heads: list[Any] = [_build_drum(n.pitch) for n in event.notes]
        written = heads[0] if len(heads) == 1 else percussion.PercussionChord(heads)
    else:
        heads = [
            _build_note(name, show=(event.value.start_beats, name) in shown) for name in event.names
        ]
        written = heads[0] if len(heads) == 1 else chord.Chord(heads)
    written.duration = length
    if event.tie_type is not None and not part.is_drum:
        for head in heads:
            head.tie = tie.Tie(event.tie_type)
    return written


def _build_note(name: PitchName, *, show: bool) -> note.Note:
    spelt = pitch.Pitch(step=name.step, octave=name.octave)
    if name.alter or show:
        spelt.accidental = pitch.Accidental(name.alter)
        spelt.accidental.displayStatus = show
    return note.Note(spelt)


def _build_drum(percussion_key: int) -> note.Unpitched:
    head = note.Unpitched(displayName=_PERCUSSION_STAFF.get(percussion_key, "E5"))
    if percussion_key in _CROSS_HEADS:
        head.notehead = "x"
    return head


def _duration(value: NoteValue, signature: TimeSignature) -> duration.Duration:
    if value.type == "whole" and value.dots == 0:
        return duration.Duration(value.duration_beats * signature.beat_quarters)
    length = duration.Duration(type=value.type, dots=value.dots)
    if value.is_triplet:
        length.appendTuplet(duration.Tuplet(3, 2, value.type))
    return length


def _add_tuplet_brackets(line: Sequence[_Event], written: Sequence[note.GeneralNote]) -> None:
    """Bracket the triplet values of each beat together."""
    numbered = [(i, e) for i, e in enumerate(line) if e.value.is_triplet]
    for _, group in groupby(numbered, lambda pair: pair[1].value.start_beats // 1):
        members = [written[i].duration.tuplets[0] for i, _ in group]
        if len(members) > 1:
            members[0].type = "start"
            members[-1].type = "stop"
        else:
            members[0].type = "startStop"


def _add_beams(line: Sequence[_Event], written: Sequence[note.GeneralNote], bar: Bar) -> None:
    """Beam each run of adjoining values as the metre groups them."""
    signature = meter.TimeSignature(str(bar.signature))
    for run in _adjoining(line):
        start = _quarters(line[run[0]].value.start_beats, bar)
        members = [written[i] for i in run]
        beams: list[beam.Beams | None] = signature.getBeams(members, measureStartOffset=start)
        for general_note, found in zip(members, beams, strict=True):
            if found is not None and isinstance(general_note, note.NotRest):
                general_note.beams = found


def _adjoining(line: Sequence[_Event]) -> Iterator[list[int]]:
    """Yield the indices of events that follow each other without a gap."""
    run: list[int] = []
    for i, event in enumerate(line):
        if run:
            before = line[run[-1]].value
            if before.start_beats + before.duration_beats != event.value.start_beats:
                yield run
                run = []
        run.append(i)
    if run:
        yield run


def _tempo_mark(score: Score) -> tempo.MetronomeMark:
    signature = score.signature
    beat = duration.Duration(signature.beat_quarters)
    beats_per_minute = score.tempo_bpm
    if signature.is_compound:
        beat = duration.Duration(signature.beat_quarters * 3)
        beats_per_minute /= 3
    return tempo.MetronomeMark(number=round(beats_per_minute), referent=beat)


def _chord_symbol(label: str, in_key: Any) -> harmony.ChordSymbol | None:
    """Build a chord symbol, or "N.C."; None for a label that cannot be read."""
    if label == NO_CHORD:
        return harmony.NoChord()
    name = parse_chord(label)
    if name is None:
        return None
    root = spell_class(pitch_class(name.root), in_key)
    bass = name_of(single_accidental(fifths_of(root) + (name.bass_fifths or 0)))
    return harmony.ChordSymbol(
        root=_music21_name(root),
        bass=_music21_name(bass),
        kind=name.kind,
        kindStr=name.text,
        updatePitches=False,
    )


def _music21_name(name: str) -> str:
    return name.replace("b", "-")


def _tidy(root: ElementTree.Element, score: Score) -> None:
    """Take out what music21 says of itself, and the name of a part that is alone."""
    identification = root.find("identification")
    if identification is not None:
        for creator in identification.findall("creator"):
            identification.remove(creator)
        encoding = identification.find("encoding")
        for date in encoding.findall("encoding-date") if encoding is not None else ():
            encoding.remove(date)  # type: ignore[union-attr]
    if not score.title:
        for element in root.findall("movement-title") + root.findall("work"):
            root.remove(element)
    for index, part in enumerate(score.parts):
        for channel in root.findall(f"part-list/score-part[@id='P{index + 1}']//midi-channel"):
            channel.text = str(_midi_channel(index, part) + 1)
    names = root.findall("part-list/score-part/part-name")
    if len(names) == 1:
        names[0].set("print-object", "no")


def _midi_channel(index: int, part: ScorePart) -> int:
    """Return the 0-based channel of a part: the tenth for drums, shared from 16 parts on."""
    if part.is_drum:
        return _DRUM_CHANNEL
    channel = index % 15
    return channel + 1 if channel >= _DRUM_CHANNEL else channel

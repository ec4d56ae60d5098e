"""Write a score as MusicXML 4.0, using music21.

music21's ``makeNotation`` would guess measures, ties, accidentals and voices from durations. Here
they are decided beforehand (:mod:`~inference_service.notation.bars`,
:mod:`~inference_service.notation.clefs`), so music21's objects are built measure by measure and
exported as they are. Positions are converted to quarter notes, music21's unit.

Chord symbols, rehearsal marks and the tempo are in the first part. Voice 2 omits its rests.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from itertools import groupby
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
    expressions,
    harmony,
    instrument,
    key,
    layout,
    metadata,
    meter,
    note,
    percussion,
    pitch,
    spanner,
    stream,
    tempo,
    tie,
)
from music21.musicxml.m21ToXml import ScoreExporter

from inference_service.music.chord_names import NO_CHORD_TEXT, write_chord
from inference_service.music.events import Key
from inference_service.music.metre import TimeSignature
from inference_service.music.pitch import key_fifths
from inference_service.music.score import Bar, Score, ScoreNote, ScorePart
from inference_service.notation.bars import (
    Accidental,
    Event,
    Span,
    complete_pickup,
    cut_at_bars,
    fill_bar,
    leave_out_rests,
    missing_beats,
    shown_accidentals,
)
from inference_service.notation.clefs import Clef, OctaveLine, choose_clefs, find_octave_lines
from inference_service.notation.durations import NoteValue
from inference_service.notation.names import full_name, short_name
from inference_service.notation.percussion import CROSS_HEADS, OTHER_PLACE, STAFF_PLACES
from inference_service.notation.quantize import chord_at
from inference_service.notation.spelling import (
    PitchName,
    spell,
    spell_by_neighbours,
)
from inference_service.progress import Report, ignore

_PLAIN_ID: Final = re.compile(r"[^A-Za-z0-9]", re.ASCII)

_DOCTYPE: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    b'"http://www.musicxml.org/dtds/partwise.dtd">\n'
)
_DRUM_CHANNEL: Final = 9
_LOWER_STAFF_VOICE: Final = 5
_BRACKET_SIDES: Final = {1: "above", 2: "below"}
"""Where the brackets of triplets stand, by voice, where a staff has two."""

_OCTAVE_SIGNS: Final = {2: "15ma", 1: "8va", -1: "8vb", -2: "15mb"}


def encode_musicxml(score: Score, report: Report = ignore) -> bytes:
    """Write a score as MusicXML.

    Parameters
    ----------
    score : Score
        From :func:`~inference_service.notation.arrange.arrange`.
    report : Report
        Called after each part.

    Returns
    -------
    bytes
        UTF-8 MusicXML 4.0, valid against its schema.
    """
    written = stream.Score()
    written.metadata = metadata.Metadata(title=score.title or None)
    bars = complete_pickup(score.bars(), score.stop_beats)
    neighbours = _spell_by_neighbours(score)
    for index, part in enumerate(score.parts):
        staves = [
            _StaffWriter(score, part, staff, bars, index, neighbours).write()
            for staff in range(1, part.staves + 1)
        ]
        for staff in staves:
            written.insert(0, staff)
        if len(staves) > 1:
            written.insert(0, layout.StaffGroup(staves, name=full_name(part.name), symbol="brace"))
        report((index + 1) / (len(score.parts) + 1))
    root = ScoreExporter(written, makeNotation=False).parse()
    _tidy(root, score)
    ElementTree.indent(root, " ")
    body: bytes = ElementTree.tostring(root, encoding="utf-8")
    return _DOCTYPE + body + b"\n"


def measure_id(number: int) -> str:
    """Return the XML id of a bar, in the first part."""
    return f"bar-{number}"


def head_id(note_id: str, count: int = 1) -> str:
    """Return the XML id of a note's head, the first, or a later one that is tied to it.

    It is empty for a note without an id. Characters that may not stand in XML ids are written as
    their code points.

    >>> head_id("electric guitar:12", 2)
    'note-electric_20_guitar_3a_12.2'
    """
    if not note_id:
        return ""
    plain = _PLAIN_ID.sub(lambda match: f"_{ord(match.group()):x}_", note_id)
    return f"note-{plain}" + (f".{count}" if count > 1 else "")


@dataclass
class _StaffWriter:
    """Builds one staff, bar by bar."""

    score: Score
    part: ScorePart
    staff: int
    bars: Sequence[Bar]
    part_index: int
    neighbours: Mapping[tuple[Fraction, int], int | None]
    _signature: TimeSignature | None = field(default=None, init=False)
    _fifths: int | None = field(default=None, init=False)
    _clef: Clef | None = field(default=None, init=False)
    _lines: dict[OctaveLine, list[note.GeneralNote]] = field(default_factory=dict, init=False)
    _heads: Counter[str] = field(default_factory=Counter, init=False)

    @property
    def is_first(self) -> bool:
        """Whether this is the top staff, which carries the tempo and the chord symbols."""
        return self.part_index == 0 and self.staff == 1

    def write(self) -> stream.Part:
        staff_type = stream.PartStaff if self.part.staves > 1 else stream.Part
        written = staff_type()
        written.id = f"{self.part.id}-{self.staff}"
        written.partName = full_name(self.part.name)
        written.partAbbreviation = short_name(self.part.name)
        written.insert(0, self._instrument())
        mine = sorted(n for n in self.part.notes if n.staff == self.staff)
        clefs = choose_clefs(self.part, self.staff, self.bars)
        self._lines = {line: [] for line in find_octave_lines(mine, clefs, self.bars)}
        voices = [
            cut_at_bars([n for n in mine if n.voice == number], self.bars, self._spell)
            for number in (1, 2)
        ]
        offset = Fraction(0)
        marks = {mark.start_beats: mark.text for mark in self.score.marks}
        measure = stream.Measure()
        for bar, here, first, second in zip(self.bars, clefs, *voices, strict=True):
            if offset and bar.start_beats in marks:
                measure.rightBarline = bar_line.Barline("double")
            measure = self._measure(bar, here, first, second)
            if self.is_first and bar.start_beats in marks:
                measure.insert(0, _rehearsal_mark(marks[bar.start_beats]))
            written.coreInsert(offset, measure)
            offset += bar.length_beats * bar.signature.beat_quarters
        measure.rightBarline = bar_line.Barline("final")
        written.coreElementsChanged()
        for line, members in self._lines.items():
            written.insert(0, _octave_line(line, members))
        return written

    def _measure(
        self, bar: Bar, here: Clef, first: Sequence[Span], second: Sequence[Span]
    ) -> stream.Measure:
        measure = stream.Measure(number=bar.number)
        if self.is_first:
            measure.id = measure_id(bar.number)
        self._insert_attributes(measure, bar, here)
        if not first:
            first, second = second, []
        lines = [leave_out_rests(fill_bar(first, bar, second), second)]
        if second:
            lines.append(leave_out_rests(fill_bar(second, bar)))
        shown = shown_accidentals(lines, key_fifths(self.score.key_at(bar.start_beats)))
        for number, line in enumerate(lines, start=1):
            place: Any = stream.Voice(id=number) if second else measure
            written = [self._build(event, shown, bar.signature) for event in line]
            _add_tuplet_brackets(line, written, _BRACKET_SIDES[number] if second else None)
            _add_beams(line, written, bar)
            for event, general_note in zip(line, written, strict=True):
                place.coreInsert(
                    _quarters(event.value.start_beats - missing_beats(bar), bar), general_note
                )
                self._put_under_line(event, general_note)
            place.coreElementsChanged()
            if second:
                measure.coreInsert(0, place)
        if self.is_first:
            self._insert_chord_symbols(measure, bar)
        measure.coreElementsChanged()
        return measure

    def _insert_attributes(self, measure: stream.Measure, bar: Bar, here: Clef) -> None:
        is_opening = self._signature is None
        if here is not self._clef:
            measure.insert(0, _build_clef(here))
            self._clef = here
        in_force = self.score.key_at(bar.start_beats)
        fifths = key_fifths(in_force)
        if fifths != self._fifths and not self.part.is_drum:
            measure.insert(0, key.Key(_music21_name(in_force.tonic), in_force.mode))
            self._fifths = fifths
        if bar.signature != self._signature:
            measure.insert(0, meter.TimeSignature(str(bar.signature)))
        self._signature = bar.signature
        if bar.number == 0:
            measure.paddingLeft = _quarters(missing_beats(bar), bar)
        if is_opening and self.is_first:
            measure.insert(0, _tempo_mark(self.score))

    def _insert_chord_symbols(self, measure: stream.Measure, bar: Bar) -> None:
        chords = self.score.chords
        first, stop = (
            bisect_left(chords, place, key=lambda chord: chord.start_beats)
            for place in (bar.start_beats, bar.stop_beats)
        )
        for symbol in chords[first:stop]:
            written = _chord_symbol(symbol.label, self.score.key_at(symbol.start_beats))
            measure.coreInsert(_quarters(symbol.start_beats - bar.start_beats, bar), written)

    def _build(
        self, event: Event, shown: set[Accidental], signature: TimeSignature
    ) -> note.GeneralNote:
        ids = []
        for member in event.notes:
            self._heads[member.id] += 1
            ids.append(head_id(member.id, self._heads[member.id]))
        return _build(event, shown, signature, self.part, ids)

    def _put_under_line(self, event: Event, written: note.GeneralNote) -> None:
        if not event.notes:
            return
        start = event.notes[0].start_beats
        for line, members in self._lines.items():
            if line.start_beats <= start <= line.last_beats:
                members.append(written)

    def _spell(
        self, members: Sequence[ScoreNote], following: Sequence[ScoreNote]
    ) -> tuple[PitchName, ...]:
        if self.part.is_drum:
            return ()
        start = members[0].start_beats
        label = chord_at(self.score.chords, start)
        in_key = self.score.key_at(start)
        pitches = {n.pitch for n in following}
        return tuple(
            spell(
                n.pitch,
                in_key,
                label,
                n.pitch + 1 if n.pitch + 1 in pitches else None,
                self.neighbours[n.start_beats, n.pitch],
                n.inflection,
            )
            for n in members
        )

    def _instrument(self) -> instrument.Instrument:
        written = instrument.Instrument(instrumentName=full_name(self.part.name))
        if not self.part.is_drum:
            written.midiProgram = self.part.program
        written.partName = full_name(self.part.name)
        written.partAbbreviation = short_name(self.part.name)
        written.partId = f"P{self.part_index + 1}"
        written.instrumentId = f"P{self.part_index + 1}-I1"
        written.midiChannel = self.part_index  # distinct, else music21 looks for a free one
        return written


def _spell_by_neighbours(score: Score) -> dict[tuple[Fraction, int], int | None]:
    """Return positions on the line of fifths by onset and pitch, for all pitched parts."""
    places = sorted(
        {(n.start_beats, n.pitch) for part in score.parts if not part.is_drum for n in part.notes}
    )
    keys = [score.key_at(start) for start, _ in places]
    return dict(zip(places, spell_by_neighbours([pitch for _, pitch in places], keys), strict=True))


def _quarters(beats: Fraction, bar: Bar) -> Fraction:
    return beats * bar.signature.beat_quarters


# Objects of music21


def _build_clef(wanted: Clef) -> clef.Clef:
    if wanted is Clef.PERCUSSION:
        return clef.PercussionClef()
    return clef.clefFromString(f"{wanted.sign}{wanted.line}", wanted.octave_change)


def _octave_line(line: OctaveLine, members: Sequence[note.GeneralNote]) -> spanner.Ottava:
    """Build an octave line; its notes keep their sounding pitch."""
    placement = "above" if line.octaves > 0 else "below"
    written = spanner.Ottava(
        type=_OCTAVE_SIGNS[line.octaves], transposing=False, placement=placement
    )
    written.addSpannedElements(members)
    return written


def _build(
    event: Event,
    shown: set[Accidental],
    signature: TimeSignature,
    part: ScorePart,
    ids: Sequence[str],
) -> note.GeneralNote:
    """Build the note, chord or rest of an event; ``ids`` are those of its heads."""
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
        written.stemDirection = "up" if event.notes[0].voice == 1 else "down"
    else:
        heads = [
            _build_note(name, show=(event.value.start_beats, event.grace, name) in shown)
            for name in event.names
        ]
        written = heads[0] if len(heads) == 1 else _Chord(heads)
    for head, name in zip(heads, ids, strict=True):
        if name:
            head.id = name
    written.duration = length
    if event.tie_type is not None and not part.is_drum:
        for head in heads:
            head.tie = tie.Tie(event.tie_type)
    is_rolled = len(heads) > 1 and any(n.arpeggio for n in event.notes) and not part.is_drum
    if is_rolled and event.tie_type in (None, "start"):
        written.expressions.append(expressions.ArpeggioMark())
    if not event.grace:
        return written
    small: note.GeneralNote = written.getGrace()
    small.duration.slash = event.value.type == "eighth"
    return small


class _Chord(chord.Chord):  # type: ignore[misc]
    """A chord whose heads are sorted already. The exporter would sort a copy for nothing."""

    def sortAscending(self, *, inPlace: bool = False) -> _Chord:  # noqa: N802, N803
        return self


def _build_note(name: PitchName, *, show: bool) -> note.Note:
    spelt = pitch.Pitch(step=name.step, octave=name.octave)
    if name.alter or show:
        spelt.accidental = pitch.Accidental(name.alter)
        spelt.accidental.displayStatus = show
    return note.Note(spelt)


def _build_drum(percussion_key: int) -> note.Unpitched:
    head = note.Unpitched(displayName=STAFF_PLACES.get(percussion_key, OTHER_PLACE))
    if percussion_key in CROSS_HEADS:
        head.notehead = "x"
    return head


def _duration(value: NoteValue, signature: TimeSignature) -> duration.Duration:
    if value.type == "whole" and value.dots == 0:
        return duration.Duration(value.duration_beats * signature.beat_quarters)
    length = duration.Duration(type=value.type, dots=value.dots)
    if value.is_triplet:
        length.appendTuplet(duration.Tuplet(3, 2, value.type))
    return length


def _add_tuplet_brackets(
    line: Sequence[Event], written: Sequence[note.GeneralNote], side: str | None
) -> None:
    """Put the values of each triplet under one bracket, on the given side of the staff.

    Without a ``side``, the engraver decides. Of two voices, each has its brackets on its own side.
    """
    numbered = [(i, e) for i, e in enumerate(line) if e.triplet is not None]
    for _, group in groupby(numbered, lambda pair: pair[1].triplet):
        members = [written[i].duration.tuplets[0] for i, _ in group]
        for member in members:
            member.placement = side
        if len(members) > 1:
            members[0].type = "start"
            members[-1].type = "stop"
        else:
            members[0].type = "startStop"


def _add_beams(line: Sequence[Event], written: Sequence[note.GeneralNote], bar: Bar) -> None:
    """Beam each run of adjoining values according to the metre."""
    signature = _beaming(str(bar.signature))
    for run in _adjoining(line):
        start = _quarters(line[run[0]].value.start_beats, bar)
        members = [written[i] for i in run]
        beams: list[beam.Beams | None] = signature.getBeams(members, measureStartOffset=start)
        for general_note, found in zip(members, beams, strict=True):
            if found is not None and isinstance(general_note, note.NotRest):
                general_note.beams = found
    for _, group in groupby(zip(line, written, strict=True), lambda pair: pair[0].grace > 0):
        small = [general_note for event, general_note in group if event.grace]
        for k, general_note in enumerate(small if len(small) > 1 else ()):
            place = "start" if k == 0 else "stop" if k + 1 == len(small) else "continue"
            general_note.beams.fill("16th", place)


@cache
def _beaming(signature: str) -> meter.TimeSignature:
    """Return a time signature that beams notes; to build one takes longer than a bar's notes."""
    return meter.TimeSignature(signature)


def _adjoining(line: Sequence[Event]) -> Iterator[list[int]]:
    """Yield the indices of events that follow each other without a gap."""
    run: list[int] = []
    for i, event in enumerate(line):
        if event.grace:
            continue
        if run and line[run[-1]].stop_beats != event.value.start_beats:
            yield run
            run = []
        run.append(i)
    if run:
        yield run


def _tempo_mark(score: Score) -> tempo.MetronomeMark:
    signature = score.signature
    beat = duration.Duration(signature.beat_quarters)
    if signature.is_compound:
        beat = duration.Duration(signature.beat_quarters * 3)
    return tempo.MetronomeMark(number=round(score.pulse_bpm), referent=beat)


def _rehearsal_mark(text: str) -> expressions.RehearsalMark:
    """Build a rehearsal mark above the staff."""
    written = expressions.RehearsalMark(text)
    written.placement = "above"
    return written


def _chord_symbol(label: str, in_key: Key) -> harmony.ChordSymbol:
    """Build a chord symbol, or "N.C."."""
    name = write_chord(label, in_key)
    if name is None:
        return harmony.NoChord(kindStr=NO_CHORD_TEXT)
    written = harmony.ChordSymbol(
        root=_music21_name(name.root),
        bass=_music21_name(name.bass or name.root),
        updatePitches=False,
    )
    # Given a kind, the constructor would work out pitches, which takes 20 times longer.
    written.chordKind, written.chordKindStr = name.kind, name.suffix
    return written


def _music21_name(name: str) -> str:
    return name.replace("b", "-")


def _tidy(root: ElementTree.Element, score: Score) -> None:
    """Post-process music21's output.

    Remove music21's own metadata and hide the name of a single part. Set channels, the numbers of
    the lower staff's voices, and swing. A pickup is implicit, that is, it is not counted.
    """
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
    for measure in root.iter("measure"):
        _number_lower_voices(measure)
        if measure.get("number") == "0":
            measure.set("implicit", "yes")
    if score.swing:
        _add_swing(root)
    if len(score.parts) == 1:
        for tag in ("part-name", "part-abbreviation"):
            for name in root.findall(f"part-list/score-part/{tag}"):
                name.set("print-object", "no")


def _number_lower_voices(measure: ElementTree.Element) -> None:
    """Number the voices of the lower staff from 5, as is usual.

    music21 would continue the numbers of the upper staff. Readers give odd voices stems up and
    even ones stems down.
    """
    numbers: dict[str | None, str] = {}
    for written in measure.findall("note"):
        voice = written.find("voice")
        if voice is not None and written.findtext("staff") == "2":
            voice.text = numbers.setdefault(voice.text, str(_LOWER_STAFF_VOICE + len(numbers)))


def _add_swing(root: ElementTree.Element) -> None:
    """Write "Swing" before the tempo, and MusicXML's ``swing`` element for playback."""
    for direction in root.findall("part[1]/measure[1]/direction"):
        if direction.find("direction-type/metronome") is None:
            continue
        direction.set("placement", "above")
        kind = ElementTree.Element("direction-type")
        ElementTree.SubElement(kind, "words", {"font-weight": "bold"}).text = "Swing\u00a0\u00a0"
        direction.insert(0, kind)
        sound = direction.find("sound")
        if sound is not None:
            swing = ElementTree.SubElement(sound, "swing")
            for tag, text in (("first", "2"), ("second", "1"), ("swing-type", "eighth")):
                ElementTree.SubElement(swing, tag).text = text


def _midi_channel(index: int, part: ScorePart) -> int:
    """Return the 0-based MIDI channel of a part, the tenth for drums.

    Channels are shared if there are more than 15 parts.
    """
    if part.is_drum:
        return _DRUM_CHANNEL
    channel = index % 15
    return channel + 1 if channel >= _DRUM_CHANNEL else channel

"""The contents of a MusicXML file as arrays.

Repeats and endings are played out; so are a da capo and a dal segno up to the fine, without
repeats. Ties are joined. A grace note has no length, and the onset of the note that follows it in
its voice. Cue notes are left out. Staves are counted from the top through all parts.
"""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from tests.bench.muster import ScoreNotes

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_TIE_TOLERANCE_QUARTERS = 0.02


@dataclass(frozen=True, slots=True)
class WrittenScore:
    """The notes of a score and the signatures over them.

    Attributes
    ----------
    notes : ScoreNotes
        In the order of onsets, staves, voices and pitches.
    staves, voices : np.ndarray, shape (N,), int64
        From 1, of each note.
    spellings : np.ndarray, shape (N,), str
        Step and accidentals, such as ``C#``, of each note.
    times : list of (float, int, int)
        Onset in quarters, beats and beat type of each time signature, in order.
    keys : list of (float, int)
        Onset in quarters and sharps (flats are negative) of each key signature of the top staff.
    bars : np.ndarray, shape (B,)
        Onsets of bars in quarters, in the order of playing.
    """

    notes: ScoreNotes
    staves: NDArray[np.int64]
    voices: NDArray[np.int64]
    spellings: NDArray[np.str_]
    times: list[tuple[float, int, int]]
    keys: list[tuple[float, int]]
    bars: NDArray[np.float64]

    def time_at(self, onsets: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the time signature in force at each onset, shape (N, 2); 4/4 before the first."""
        values = np.array([(4, 4), *((beats, unit) for _, beats, unit in self.times)])
        return values[_in_force([time[0] for time in self.times], onsets)]

    def key_at(self, onsets: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the sharps in force at each onset, shape (N,); 0 before the first signature."""
        values = np.array([0, *(sharps for _, sharps in self.keys)])
        return values[_in_force([key[0] for key in self.keys], onsets)]


def _in_force(starts: list[float], onsets: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.searchsorted(np.array(starts), onsets + _TIE_TOLERANCE_QUARTERS, side="right")


@dataclass(slots=True)
class WrittenNote:
    """A note head, or several tied ones."""

    onset: float
    offset: float
    pitch: int
    staff: int
    voice: int
    spelling: str


def build_written_score(
    notes: list[WrittenNote],
    times: list[tuple[float, int, int]],
    keys: list[tuple[float, int]],
    bars: list[float],
) -> WrittenScore:
    """Sort notes and convert them to arrays."""
    notes = sorted(notes, key=lambda n: (round(n.onset, 3), n.staff, n.voice, n.pitch))
    return WrittenScore(
        notes=ScoreNotes(
            np.array([n.onset for n in notes], dtype=np.float64),
            np.array([n.offset for n in notes], dtype=np.float64),
            np.array([n.pitch for n in notes], dtype=np.int64),
        ),
        staves=np.array([n.staff for n in notes], dtype=np.int64),
        voices=np.array([n.voice for n in notes], dtype=np.int64),
        spellings=np.array([n.spelling for n in notes], dtype=np.str_),
        times=times,
        keys=keys,
        bars=np.array(bars, dtype=np.float64),
    )


def read_musicxml_notes(data: bytes) -> WrittenScore:
    """Read a MusicXML file, compressed or not, with every repeat played out.

    Raises
    ------
    xml.etree.ElementTree.ParseError
        If this is no XML.
    """
    return parse_musicxml(data).play()


def parse_musicxml(data: bytes) -> MusicXml:
    """Read a partwise MusicXML file, compressed or not, without playing repeats out.

    Raises
    ------
    xml.etree.ElementTree.ParseError
        If this is no XML.
    """
    if data[:2] == b"PK":
        data = _uncompress(data)
    root = ElementTree.fromstring(data)
    return MusicXml([_Part.read(part) for part in root.findall("part")])


@dataclass(frozen=True, slots=True)
class MusicXml:
    """A score before its repeats are played out."""

    parts: list[_Part]

    @property
    def repeats(self) -> list[int]:
        """The measures that end with a repeat sign, counted from 0."""
        return [i for i, measure in enumerate(self._leading) if measure.backward]

    @property
    def _leading(self) -> list[_Measure]:
        """The measures of the longest part."""
        return max((part.measures for part in self.parts), key=len, default=[])

    def play(self, skipped: Collection[int] = ()) -> WrittenScore:
        """Play out repeats and jumps, except for the repeat signs of the measures ``skipped``."""
        measures = self._leading
        lengths = [
            max(part.measures[i].length for part in self.parts if i < len(part.measures))
            for i in range(len(measures))
        ]
        order = _play_order(measures, skipped)
        bars = list(np.cumsum([0.0, *(lengths[i] for i in order)])[:-1])
        notes: list[WrittenNote] = []
        staves_before = 0
        for part in self.parts:
            notes += _play(part, order, bars, staves_before)
            staves_before += part.staves
        times: list[tuple[float, int, int]] = []
        keys: list[tuple[float, int]] = []
        # After a jump back, the signatures in force there hold again.
        for i, start in zip(order, bars, strict=True):
            time, key = measures[i].time, measures[i].key
            if time is not None and (not times or times[-1][1:] != time):
                times.append((start, *time))
            if key is not None and (not keys or keys[-1][1] != key):
                keys.append((start, key))
        return build_written_score(notes, times, keys, bars)


def _uncompress(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as files:
        names = [n for n in files.namelist() if not n.startswith("META-INF") and "xml" in n]
        return files.read(names[0])


@dataclass(slots=True)
class _Head:
    note: WrittenNote
    tied_back: bool
    tied_on: bool


@dataclass(slots=True)
class _Measure:
    heads: list[_Head] = field(default_factory=list)
    length: float = 0.0
    time: tuple[int, int] | None = None
    key: int | None = None
    forward: bool = False
    backward: int = 0
    """Number of times that the passage ending here is played; 0 if it is not repeated."""
    ending_starts: tuple[int, ...] = ()
    ending_stops: bool = False
    segno: bool = False
    fine: bool = False
    jump: str = ""
    """``dacapo`` or ``dalsegno``, at the end of the measure."""


@dataclass(slots=True)
class _Part:
    measures: list[_Measure]
    staves: int

    @classmethod
    def read(cls, part: ElementTree.Element) -> _Part:
        measures: list[_Measure] = []
        state = _State()
        for element in part.findall("measure"):
            measures.append(_read_measure(element, state))
        return cls(measures, state.staves)


@dataclass(slots=True)
class _State:
    """State carried from measure to measure."""

    divisions: float = 1.0
    staves: int = 1
    time: tuple[int, int] | None = None
    key: int | None = None
    transpose: int = 0


def _read_measure(element: ElementTree.Element, state: _State) -> _Measure:
    measure = _Measure()
    cursor = chord_onset = end = first_voice_end = notes_end = 0.0
    for child in element:
        if child.tag == "attributes":
            _read_attributes(child, state)
        elif child.tag == "backup":
            first_voice_end = first_voice_end or cursor
            end = max(end, cursor)
            cursor -= _number(child, "duration") / state.divisions
        elif child.tag == "forward":
            cursor += _number(child, "duration") / state.divisions
        elif child.tag == "barline":
            _read_barline(child, measure)
        elif child.tag == "note":
            duration = _number(child, "duration") / state.divisions
            if child.find("chord") is None:
                chord_onset = cursor
                cursor += duration
            if child.find("pitch") is not None and child.find("cue") is None:
                measure.heads.append(_read_head(child, chord_onset, duration, state))
                notes_end = max(notes_end, chord_onset + duration)
    end = max(end, cursor)
    first_voice_end = first_voice_end or cursor
    # ignored beyond the metre's length: MuseScore writes wrong rests and gaps for further voices
    nominal = 4.0 * state.time[0] / state.time[1] if state.time else end
    measure.length = max(notes_end, first_voice_end, min(end, nominal))
    measure.time, measure.key = state.time, state.key
    for sound in element.iter("sound"):
        measure.segno |= sound.get("segno") is not None
        measure.fine |= sound.get("fine") is not None
        for jump in ("dacapo", "dalsegno"):
            measure.jump = jump if sound.get(jump) is not None else measure.jump
    return measure


def _read_attributes(element: ElementTree.Element, state: _State) -> None:
    state.divisions = _number(element, "divisions", state.divisions)
    state.staves = int(_number(element, "staves", state.staves))
    time = element.find("time")
    if time is not None and time.find("beats") is not None:
        beats = sum(int(term) for term in (time.findtext("beats") or "4").split("+"))
        state.time = beats, int(time.findtext("beat-type") or 4)
    key = element.find("key")
    if key is not None and key.get("number", "1") == "1" and key.find("fifths") is not None:
        state.key = int(_number(key, "fifths"))
    transpose = element.find("transpose")
    if transpose is not None:
        octaves = _number(transpose, "octave-change")
        state.transpose = int(_number(transpose, "chromatic") + 12 * octaves)


def _read_head(element: ElementTree.Element, onset: float, duration: float, state: _State) -> _Head:
    pitch = element.find("pitch")
    assert pitch is not None
    step = pitch.findtext("step") or "C"
    alter = round(_number(pitch, "alter"))
    number = 12 * (int(_number(pitch, "octave")) + 1) + _STEPS[step] + alter + state.transpose
    voice = element.findtext("voice") or "1"
    note = WrittenNote(
        onset=onset,
        offset=onset + duration,
        pitch=number,
        staff=int(_number(element, "staff", 1)),
        voice=int(voice) if voice.isdigit() else 1,
        spelling=step + ("#" * alter if alter > 0 else "b" * -alter),
    )
    ties = {tie.get("type") for tie in element.findall("tie")}
    return _Head(note, "stop" in ties, "start" in ties)


def _read_barline(element: ElementTree.Element, measure: _Measure) -> None:
    repeat = element.find("repeat")
    if repeat is not None and repeat.get("direction") == "forward":
        measure.forward = True
    elif repeat is not None:
        measure.backward = int(repeat.get("times") or 2)
    ending = element.find("ending")
    if ending is not None and ending.get("type") == "start":
        numbers = (ending.get("number") or "1").replace(".", ",").replace(" ", ",").split(",")
        measure.ending_starts = tuple(int(n) for n in numbers if n.isdigit())
    elif ending is not None:
        measure.ending_stops = True


def _number(element: ElementTree.Element, tag: str, default: float = 0.0) -> float:
    text = element.findtext(tag)
    return float(text) if text else default


def _play_order(measures: list[_Measure], skipped: Collection[int]) -> list[int]:
    """Return indices of measures in the order of playing, repeats and endings played out."""
    endings = _endings(measures)
    order: list[int] = []
    start, turn, i = 0, 1, 0
    while i < len(measures):
        left_endings = i > 0 and endings[i - 1] and not endings[i]
        if i > start and (measures[i].forward or left_endings):
            start, turn = i, 1
        if (
            endings[i]
            and _sign_after(measures, i) in skipped
            and _another_follows(measures, endings, i)
        ):
            turn = max(turn, *endings[i]) + 1  # for the next ending
        if endings[i] and turn not in endings[i]:
            i += 1
            continue
        order.append(i)
        repeated = measures[i].backward and i not in skipped
        turns = _count_turns(measures, endings, i) if repeated else 0
        if turn < turns:
            turn += 1
            i = start
            continue
        if measures[i].jump:
            return order + _after_jump(measures, endings, measures[i].jump)
        if measures[i].backward and not endings[i]:
            start, turn = i + 1, 1
        i += 1
    return order


def _after_jump(measures: list[_Measure], endings: list[tuple[int, ...]], jump: str) -> list[int]:
    """Return the measures from the beginning or the sign to the end, each last ending once."""
    segno = next((i for i, measure in enumerate(measures) if measure.segno), 0)
    order = []
    for i in range(segno if jump == "dalsegno" else 0, len(measures)):
        if not (endings[i] and _another_follows(measures, endings, i)):
            order.append(i)
        if measures[i].fine:
            break
    return order


def _another_follows(measures: list[_Measure], endings: list[tuple[int, ...]], i: int) -> bool:
    """Return whether the ending that measure ``i`` is in is followed by another."""
    stop = i
    while not (measures[stop].ending_stops or stop + 1 == len(measures)):
        stop += 1
    return stop + 1 < len(measures) and bool(endings[stop + 1])


def _sign_after(measures: list[_Measure], i: int) -> int:
    """Return the next measure that ends with a repeat sign; -1 where none does."""
    return next((k for k in range(i, len(measures)) if measures[k].backward), -1)


def _count_turns(measures: list[_Measure], endings: list[tuple[int, ...]], i: int) -> int:
    """Return the number of times that the passage ending with measure ``i`` is played."""
    if not endings[i]:
        return measures[i].backward
    if i + 1 < len(endings) and endings[i + 1]:
        return max(endings[i + 1])
    return max(endings[i]) + (1 in endings[i])


def _endings(measures: list[_Measure]) -> list[tuple[int, ...]]:
    """Return the numbers of the ending that each measure is in; none where it is in no ending."""
    inside: tuple[int, ...] = ()
    found = []
    for measure in measures:
        inside = measure.ending_starts or inside
        found.append(inside)
        if measure.ending_stops:
            inside = ()
    return found


def _play(
    part: _Part, order: list[int], bars: list[float], staves_before: int
) -> list[WrittenNote]:
    """Return a part's notes in the order of playing, with ties joined."""
    notes: list[WrittenNote] = []
    open_notes: defaultdict[int, list[WrittenNote]] = defaultdict(list)
    for i, start in zip(order, bars, strict=True):
        if i >= len(part.measures):
            continue
        for head in sorted(part.measures[i].heads, key=lambda head: head.note.onset):
            onset, offset = start + head.note.onset, start + head.note.offset
            waiting = open_notes[head.note.pitch]
            note = None
            if head.tied_back:
                note = next(
                    (n for n in waiting if abs(n.offset - onset) < _TIE_TOLERANCE_QUARTERS), None
                )
            if note is not None:
                waiting.remove(note)
                note.offset = offset
            else:
                note = WrittenNote(
                    onset, offset, head.note.pitch, head.note.staff + staves_before,
                    head.note.voice, head.note.spelling,
                )  # fmt: skip
                notes.append(note)
            if head.tied_on:
                waiting.append(note)
    return notes

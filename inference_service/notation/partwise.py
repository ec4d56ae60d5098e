"""Parse partwise MusicXML, versions 2 to 4, into parts and measures as written.

Repeats are not unfolded and ties not joined. Positions and lengths are exact, in quarter notes from
the start of the measure. Pitches are sounding pitches: transposing instruments are transposed,
while octave clefs and octave lines change nothing, as MusicXML defines. Cue notes are omitted.
Invalid content raises :class:`ValueError`. Nothing is limited here but the digits of a number.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final
from xml.etree.ElementTree import Element

from inference_service.music.repeats import Jump, Signs
from inference_service.notation.percussion import CROSS_HEADS, STAFF_PLACES

MAX_UNPACKED_BYTES: Final = 40_000_000

_MAX_CONTAINER_BYTES: Final = 65_536
_CONTAINER: Final = "META-INF/container.xml"
_ROOT_FILE: Final = re.compile(rb"full-path\s*=\s*[\"']([^\"']+)[\"']")
_NUMBER: Final = re.compile(r"\s*[+-]?\d{1,12}(?:\.\d{0,17})?\s*", re.ASCII)
_BEATS_PER_MINUTE: Final = re.compile(r"\d{1,4}(?:\.\d{1,4})?")
_PASSES: Final = re.compile(r"\d{1,2}")
_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_BEAT_UNITS: Final = {
    "breve": Fraction(8), "whole": Fraction(4), "half": Fraction(2), "quarter": Fraction(1),
    "eighth": Fraction(1, 2), "16th": Fraction(1, 4), "32nd": Fraction(1, 8),
}  # fmt: skip
_TOUCHING_Q: Final = Fraction(1, 1000)
"""Tolerance within which tied notes adjoin, as durations are whole divisions of a quarter note."""

_HIGHEST_OCTAVE: Final = 9
_MOST_ALTERED: Final = 3
_WIDEST_TRANSPOSITION: Final = 48
_DRUM_CHANNEL: Final = "10"
_SOME_DRUM: Final = 38
_CROSSES: Final = ("x", "circle-x", "cross")
_MOST_PASSES: Final = 32
_DRUMS: Final = {
    (place, key in CROSS_HEADS): key for key, place in reversed(list(STAFF_PLACES.items()))
} | {("C5", False): _SOME_DRUM, ("F4", False): 36, ("D5", False): 48, ("G5", True): 42}
"""General MIDI percussion key by staff position and whether the note head is a cross."""


@dataclass(frozen=True, slots=True)
class WrittenNote:
    """A written note, before ties are joined.

    Attributes
    ----------
    start_q, duration_q : Fraction
        Position in the measure and length, in quarter notes.
    pitch : int
        Sounding MIDI pitch; General MIDI key for percussion.
    staff : int
    voice : str
    is_grace : bool
    is_member : bool
        Whether it is struck together with the previous note.
    is_percussion : bool
    ties_back, ties_on : bool
        Whether a tie ends, or begins, at the note.
    marks : frozenset of str
        Tags of the elements in its ``notations``.
    """

    start_q: Fraction
    duration_q: Fraction
    pitch: int
    staff: int = 1
    voice: str = "1"
    is_grace: bool = False
    is_member: bool = False
    is_percussion: bool = False
    ties_back: bool = False
    ties_on: bool = False
    marks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ChordSymbol:
    """A chord symbol.

    Attributes
    ----------
    start_q : Fraction
        Position in the measure, in quarter notes.
    root, bass : str
        Note names such as ``"Bb"``; empty for none.
    kind : str
        MusicXML's ``kind-value``.
    degrees : tuple of (str, int, int)
        ``add``, ``alter`` or ``subtract``, the degree, and its alteration in semitones.
    """

    start_q: Fraction
    root: str
    kind: str
    degrees: tuple[tuple[str, int, int], ...] = ()
    bass: str = ""


@dataclass(slots=True)
class WrittenMeasure:
    """A measure of a part, with the signatures in force.

    Attributes
    ----------
    beats, unit : int
        Time signature.
    fifths : int or None
        Written key signature; None for no key.
    mode : str
        Mode of the key; empty if the file gives none.
    transposition : int
        Semitones from written to sounding pitch.
    length_q : Fraction
        Length of the longest voice in quarter notes, ignoring rests beyond the time signature.
    notes : list of WrittenNote
    chords : list of ChordSymbol
    signs : Signs
        Repeat and jump signs.
    mark : str
        Rehearsal mark; empty for none.
    quarters_per_minute : Fraction or None
        First tempo in the measure.
    swings : bool
        Whether swing begins here.
    """

    beats: int = 4
    unit: int = 4
    fifths: int | None = None
    mode: str = ""
    transposition: int = 0
    length_q: Fraction = Fraction(0)
    notes: list[WrittenNote] = field(default_factory=list)
    chords: list[ChordSymbol] = field(default_factory=list)
    signs: Signs = field(default_factory=Signs)
    mark: str = ""
    quarters_per_minute: Fraction | None = None
    swings: bool = False


@dataclass(frozen=True, slots=True)
class WrittenPart:
    """A part. ``program`` is General MIDI's, 0-based."""

    name: str
    program: int | None
    is_drum: bool
    staves: int
    measures: list[WrittenMeasure]


@dataclass(slots=True)
class JoinedNote:
    """A note with those tied to it; ``start_q`` counts from the beginning of the music."""

    start_q: Fraction
    duration_q: Fraction
    note: WrittenNote


def unpack(mxl: bytes, limit: int = MAX_UNPACKED_BYTES) -> bytes:
    """Return the score inside a compressed MusicXML file.

    Raises
    ------
    ValueError
        If the archive is damaged, holds no score, or the score has more than ``limit`` bytes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(mxl)) as files:
            text = _read(files, _find_score(files), limit)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, LookupError) as error:
        raise ValueError(f"a damaged archive: {error}") from error
    if len(text) > limit:
        raise ValueError(f"more than {limit} bytes unpacked")
    return text


def _find_score(files: zipfile.ZipFile) -> str:
    """Return the name of the score by the archive's container, or else the first candidate."""
    names = files.namelist()
    container = _read(files, _CONTAINER, _MAX_CONTAINER_BYTES) if _CONTAINER in names else b""
    roots: list[str] = [match.decode("utf-8", "replace") for match in _ROOT_FILE.findall(container)]
    likely = [n for n in names if not n.startswith("META-INF") and n.endswith((".xml", "ml"))]
    for name in (*roots, *likely):
        if name in names:
            return name
    raise ValueError("there is no score in the archive")


def _read(files: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Read at most one byte more than the limit.

    Other compression methods than deflation are refused, as they may allocate any amount of memory.
    """
    if files.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("the archive uses a compression method that MusicXML does not allow")
    with files.open(name) as packed:
        data: bytes = packed.read(limit + 1)
    return data


def read_parts(root: Element) -> list[WrittenPart]:
    """Read the parts of a ``score-partwise`` element.

    Raises
    ------
    ValueError
        If a number or a note is invalid.
    """
    listed = {entry.get("id"): entry for entry in root.iterfind("part-list/score-part")}
    return [_PartReader(part, listed.get(part.get("id"))).read() for part in root.iterfind("part")]


def join_ties(placed: Iterable[tuple[Fraction, WrittenNote]]) -> list[JoinedNote]:
    """Join the tied notes of a part.

    Parameters
    ----------
    placed : iterable of (Fraction, WrittenNote)
        Notes with the start of their measure in quarter notes, in the order of the measures.
    """
    joined: list[JoinedNote] = []
    tied: dict[int, JoinedNote] = {}
    for measure_q, note in placed:
        sounding = JoinedNote(measure_q + note.start_q, note.duration_q, note)
        if note.is_grace:
            joined.append(sounding)
            continue
        before = tied.pop(note.pitch, None)
        if (
            before is not None
            and (note.ties_back or _are_in_line(before.note, note))
            and abs(before.start_q + before.duration_q - sounding.start_q) < _TOUCHING_Q
        ):
            before.duration_q += note.duration_q
            sounding = before
        else:
            joined.append(sounding)
        if note.ties_on:
            tied[note.pitch] = sounding
    return joined


def _are_in_line(note: WrittenNote, following: WrittenNote) -> bool:
    """Whether a tie from a note may lead to another that has no tie of its own."""
    return (note.staff, note.voice) == (following.staff, following.voice)


@dataclass
class _PartReader:
    """Reads one part, measure by measure."""

    part: Element
    listed: Element | None
    _divisions: Fraction = field(default=Fraction(1), init=False)
    _staves: int = field(default=1, init=False)
    _cursor_q: Fraction = field(default=Fraction(0), init=False)
    _last_q: Fraction = field(default=Fraction(0), init=False)
    _drums: dict[str, int] = field(default_factory=dict, init=False)

    def read(self) -> WrittenPart:
        program, is_drum = self._read_instruments()
        measures: list[WrittenMeasure] = []
        for element in self.part.iterfind("measure"):
            measures.append(self._read_measure(element, measures[-1] if measures else None))
        notes = [note for measure in measures for note in measure.notes]
        return WrittenPart(
            name=" ".join((_text(self.listed, "part-name")).split()),
            program=program,
            is_drum=is_drum or (bool(notes) and all(note.is_percussion for note in notes)),
            staves=self._staves,
            measures=measures,
        )

    def _read_instruments(self) -> tuple[int | None, bool]:
        """Store the drums by id; return the program, and whether all channels are drum channels."""
        programs, channels = [], []
        for sound in self.listed.iterfind("midi-instrument") if self.listed is not None else ():
            if (drum := sound.findtext("midi-unpitched")) is not None:
                self._drums[sound.get("id", "")] = min(max(_integer(drum) - 1, 0), 127)
            if (program := sound.findtext("midi-program")) is not None:
                programs.append(min(max(_integer(program) - 1, 0), 127))
            channels.append(_text(sound, "midi-channel"))
        is_drum = bool(channels) and set(channels) == {_DRUM_CHANNEL}
        return (programs[0] if programs and not is_drum else None), is_drum

    def _read_measure(self, element: Element, before: WrittenMeasure | None) -> WrittenMeasure:
        measure = WrittenMeasure()
        if before is not None:
            measure.beats, measure.unit = before.beats, before.unit
            measure.fifths, measure.mode = before.fifths, before.mode
            measure.transposition = before.transposition
        self._cursor_q = self._last_q = Fraction(0)
        for child in element:
            match child.tag:
                case "attributes":
                    self._read_attributes(child, measure)
                case "backup":
                    self._cursor_q = max(self._cursor_q - self._duration_q(child), Fraction(0))
                case "forward":
                    self._cursor_q += self._duration_q(child)
                case "note":
                    self._read_note(child, measure)
                case "harmony":
                    self._read_chord(child, measure)
                case "direction" | "sound":
                    _read_direction(child, measure)
                case "barline":
                    _read_barline(child, measure)
            reach_q = self._cursor_q
            if child.tag == "forward" or child.find("rest") is not None:
                reach_q = min(reach_q, Fraction(4 * measure.beats, measure.unit))
            measure.length_q = max(measure.length_q, reach_q)
        return measure

    def _read_attributes(self, element: Element, measure: WrittenMeasure) -> None:
        if (divisions := element.findtext("divisions")) is not None:
            self._divisions = _number(divisions)
            if self._divisions <= 0:
                raise ValueError("a quarter note has no divisions")
        if (beats := element.findtext("time/beats")) is not None:
            measure.beats = sum(_integer(term) for term in beats.split("+"))
            measure.unit = _integer(element.findtext("time/beat-type") or "")
            if measure.beats <= 0 or measure.unit <= 0:
                raise ValueError("a time signature without beats")
        if (fifths := element.findtext("key/fifths")) is not None:
            measure.fifths = _integer(fifths)
            measure.mode = _text(element, "key/mode").lower()
        if (transpose := element.find("transpose")) is not None:
            semitones = round(_number(transpose.findtext("chromatic") or "0"))
            semitones += 12 * _integer(transpose.findtext("octave-change") or "0")
            if abs(semitones) > _WIDEST_TRANSPOSITION:
                raise ValueError(f"an instrument that transposes by {semitones} semitones")
            measure.transposition = semitones
        self._staves = max(self._staves, _integer(element.findtext("staves") or "1"))

    def _duration_q(self, element: Element) -> Fraction:
        return _number(element.findtext("duration") or "0") / self._divisions

    def _read_note(self, element: Element, measure: WrittenMeasure) -> None:
        is_grace = element.find("grace") is not None
        duration_q = Fraction(0) if is_grace else self._duration_q(element)
        is_member = element.find("chord") is not None
        start_q = self._last_q if is_member else self._cursor_q
        if not is_member:
            self._last_q = self._cursor_q
            self._cursor_q += duration_q
        pitch = self._read_pitch(element, measure)
        if pitch is None or element.find("cue") is not None:
            return
        ties = {tie.get("type") for tie in element.iterfind("tie")}
        measure.notes.append(
            WrittenNote(
                start_q,
                duration_q,
                pitch,
                staff=max(_integer(element.findtext("staff") or "1"), 1),
                voice=_text(element, "voice") or "1",
                is_grace=is_grace,
                is_member=is_member,
                is_percussion=element.find("unpitched") is not None,
                ties_back="stop" in ties,
                ties_on="start" in ties,
                marks=frozenset(mark.tag for mark in element.iterfind("notations//*")),
            )
        )

    def _read_pitch(self, element: Element, measure: WrittenMeasure) -> int | None:
        """Return the sounding pitch or the percussion key; None for a rest."""
        if (pitch := element.find("pitch")) is not None:
            octave = _integer(pitch.findtext("octave") or "4")
            if not 0 <= octave <= _HIGHEST_OCTAVE:
                raise ValueError(f"a note in octave {octave}")
            return 12 * (octave + 1) + _semitones(pitch) + measure.transposition
        if (unpitched := element.find("unpitched")) is None:
            return None
        instrument = element.find("instrument")
        if instrument is not None and instrument.get("id") in self._drums:
            return self._drums[instrument.get("id", "")]
        place = _text(unpitched, "display-step") + _text(unpitched, "display-octave")
        is_cross = _text(element, "notehead") in _CROSSES
        return _DRUMS.get((place, is_cross), _SOME_DRUM)

    def _read_chord(self, element: Element, measure: WrittenMeasure) -> None:
        offset_q = _number(element.findtext("offset") or "0") / self._divisions
        measure.chords.append(
            ChordSymbol(
                max(self._cursor_q + offset_q, Fraction(0)),
                _name(element.find("root"), "root"),
                _text(element, "kind"),
                _read_degrees(element),
                _name(element.find("bass"), "bass"),
            )
        )


def _read_degrees(element: Element) -> tuple[tuple[str, int, int], ...]:
    """Read the degrees of a ``harmony``, also those that only the text of its kind tells."""
    degrees = tuple(
        (
            _text(degree, "degree-type"),
            _integer(degree.findtext("degree-value") or "1"),
            _read_alteration(degree, "degree-alter"),
        )
        for degree in element.iterfind("degree")
    )
    kind = element.find("kind")
    if not degrees and kind is not None and kind.get("text") == "7sus4":
        return (("add", 7, -1),)
    return degrees


def _read_direction(element: Element, measure: WrittenMeasure) -> None:
    """Read a ``direction``, or a ``sound`` outside of one."""
    if mark := _text(element, "direction-type/rehearsal"):
        measure.mark = measure.mark or " ".join(mark.split())
    sound = element if element.tag == "sound" else element.find("sound")
    attributes = sound.attrib if sound is not None else {}
    jump = measure.signs.jump
    if "dacapo" in attributes or "dalsegno" in attributes:
        jump = Jump.CAPO if "dacapo" in attributes else Jump.SEGNO
    measure.signs = measure.signs._replace(
        jump=jump,
        is_segno=measure.signs.is_segno or "segno" in attributes,
        is_coda=measure.signs.is_coda or "coda" in attributes,
        to_coda=measure.signs.to_coda or "tocoda" in attributes,
        is_fine=measure.signs.is_fine or "fine" in attributes,
    )
    if sound is not None and sound.findtext("swing/first") is not None:
        measure.swings = _text(sound, "swing/first") != _text(sound, "swing/second")
    if measure.quarters_per_minute is None:
        measure.quarters_per_minute = _read_tempo(element, attributes)


def _read_tempo(element: Element, attributes: Mapping[str, str]) -> Fraction | None:
    """Return the playback tempo, or else the written one."""
    if "tempo" in attributes:
        return _number(attributes["tempo"])
    metronome = element.find("direction-type/metronome")
    if (
        metronome is None
        or (written := _BEATS_PER_MINUTE.search(_text(metronome, "per-minute"))) is None
    ):
        return None
    unit_q = _BEAT_UNITS.get(_text(metronome, "beat-unit"), Fraction(1))
    dots = len(metronome.findall("beat-unit-dot"))
    return _number(written.group()) * unit_q * (2 - Fraction(1, 2 ** min(dots, 2)))


def _read_barline(element: Element, measure: WrittenMeasure) -> None:
    signs = measure.signs
    if (repeat := element.find("repeat")) is not None:
        if repeat.get("direction") == "forward":
            signs = signs._replace(opens=True)
        else:
            signs = signs._replace(repeats=max(_integer(repeat.get("times") or "2") - 1, 1))
    ending = element.find("ending")
    if ending is not None and ending.get("type") == "start":
        numbers = _PASSES.findall(ending.get("number") or "") or _PASSES.findall(ending.text or "")
        passes = {int(number) for number in numbers if 0 < int(number) <= _MOST_PASSES}
        signs = signs._replace(endings=sum(1 << number - 1 for number in passes or {1}))
    measure.signs = signs


def _name(element: Element | None, kind: str) -> str:
    """Return the name of a root or bass, such as ``"F#"``; empty for none."""
    step = _text(element, f"{kind}-step")
    if element is None or step not in _STEPS:
        return ""
    alter = _read_alteration(element, f"{kind}-alter")
    return step + ("#" * alter if alter > 0 else "b" * -alter)


def _semitones(pitch: Element) -> int:
    """Return an altered step in semitones above C."""
    step = _text(pitch, "step")
    if step not in _STEPS:
        raise ValueError(f"no step of the scale: {step[:8]!r}")
    return _STEPS[step] + _read_alteration(pitch, "alter")


def _read_alteration(element: Element, path: str) -> int:
    alter = round(_number(element.findtext(path) or "0"))
    if abs(alter) > _MOST_ALTERED:
        raise ValueError(f"an alteration by {alter} semitones")
    return alter


def _text(element: Element | None, path: str) -> str:
    return (element.findtext(path) or "").strip() if element is not None else ""


def _number(text: str) -> Fraction:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"no number: {text[:16]!r}")
    return Fraction(text.strip())


def _integer(text: str) -> int:
    number = _number(text)
    if number.denominator != 1:
        raise ValueError(f"no whole number: {text[:16]!r}")
    return int(number)

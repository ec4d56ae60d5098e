"""Written music as arrays, from MusicXML: what a performance is simulated from.

Reads what rhythm needs of partwise MusicXML 2-4, compressed or not: notes with ties merged,
staves, graces and ornaments, bars with their time and key signatures. Repeats are not unfolded.
Positions are in quarter notes from the beginning.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import ChordSegment
from model_zoo.training.sources.piece import (
    UNKNOWN,
    Line,
    Origin,
    Piece,
    Role,
    change_tempo,
    make_line,
)

EPSILON_Q: Final = 1e-3
QUARTERS_PER_S: Final = 1.6
VELOCITY: Final = 80.0

_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_MARKS: Final = {
    "trill-mark": "trill",
    "wavy-line": "trill",
    "mordent": "mordent",
    "inverted-mordent": "mordent",
    "turn": "turn",
    "inverted-turn": "turn",
    "tremolo": "tremolo",
    "arpeggiate": "arpeggio",
    "staccato": "staccato",
    "staccatissimo": "staccato",
    "fermata": "fermata",
}
MARKS: Final = ("trill", "mordent", "turn", "tremolo", "arpeggio", "staccato", "fermata")


@dataclass(frozen=True, slots=True)
class WrittenPiece:
    """A piece of N notes, sorted by onset, and M bars.

    Attributes
    ----------
    onset_q, duration_q : np.ndarray, shape (N,)
        In quarters; a grace note lasts 0.
    pitch, part, staff : np.ndarray, shape (N,)
        MIDI numbers, 0-based part, 1-based staff.
    grace : np.ndarray of bool, shape (N,)
    marks : np.ndarray of bool, shape (N, len(MARKS))
    bar_start_q : np.ndarray, shape (M,)
    bar_beats, bar_unit, bar_fifths : np.ndarray of int, shape (M,)
        Signatures in force in each bar.
    staves : tuple of int
        Number of staves of each part.
    """

    name: str
    onset_q: NDArray[np.float64]
    duration_q: NDArray[np.float64]
    pitch: NDArray[np.int64]
    part: NDArray[np.int64]
    staff: NDArray[np.int64]
    grace: NDArray[np.bool_]
    marks: NDArray[np.bool_]
    bar_start_q: NDArray[np.float64]
    bar_beats: NDArray[np.int64]
    bar_unit: NDArray[np.int64]
    bar_fifths: NDArray[np.int64]
    staves: tuple[int, ...]


@dataclass
class _Note:
    onset_q: float
    duration_q: float
    pitch: int
    part: int
    staff: int
    grace: bool
    marks: set[str] = field(default_factory=set)


@dataclass
class _Bars:
    start_q: list[float] = field(default_factory=list)
    beats: list[int] = field(default_factory=list)
    unit: list[int] = field(default_factory=list)
    fifths: list[int] = field(default_factory=list)


def read_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and MusicXML text of every score in a zip file, in the archive's order."""
    with zipfile.ZipFile(path) as files:
        for name in files.namelist():
            if name.endswith(".mxl"):
                yield name, unpack(files.read(name))
            elif name.endswith((".musicxml", ".xml")):
                yield name, files.read(name)


def unpack(mxl: bytes) -> bytes:
    """Return the score inside a compressed MusicXML file."""
    with zipfile.ZipFile(io.BytesIO(mxl)) as inner:
        names = [n for n in inner.namelist() if not n.startswith("META-INF") and n.endswith("ml")]
        return inner.read(names[0])


def parse_score(name: str, text: bytes) -> WrittenPiece:
    """Read partwise MusicXML.

    Raises
    ------
    ValueError
        If there is no note in it, or its parts disagree about the bars.
    """
    root = ElementTree.fromstring(text)
    notes: list[_Note] = []
    bars = _Bars()
    staves = []
    for index, part in enumerate(root.findall("part")):
        own, own_bars, count = _read_part(part, index, bars if index else None)
        notes += own
        staves.append(count)
        if not index:
            bars = own_bars
    if not notes:
        raise ValueError(f"{name}: no notes")
    notes.sort(key=lambda n: (n.onset_q, not n.grace, n.pitch))
    return WrittenPiece(
        name=name,
        onset_q=np.array([n.onset_q for n in notes]),
        duration_q=np.array([n.duration_q for n in notes]),
        pitch=np.array([n.pitch for n in notes]),
        part=np.array([n.part for n in notes]),
        staff=np.array([n.staff for n in notes]),
        grace=np.array([n.grace for n in notes]),
        marks=np.array([[m in n.marks for m in MARKS] for n in notes]),
        bar_start_q=np.array(bars.start_q),
        bar_beats=np.array(bars.beats),
        bar_unit=np.array(bars.unit),
        bar_fifths=np.array(bars.fifths),
        staves=tuple(staves),
    )


def _read_part(
    part: ElementTree.Element, index: int, known: _Bars | None
) -> tuple[list[_Note], _Bars, int]:
    notes: list[_Note] = []
    bars = _Bars()
    tied: dict[int, _Note] = {}
    divisions, beats, unit, fifths, staves, transpose = 1.0, 4, 4, 0, 1, 0
    start_q = 0.0
    for number, measure in enumerate(part.findall("measure")):
        if known is not None:
            if number >= len(known.start_q):
                break
            start_q = known.start_q[number]
        cursor_q = last_q = end_q = start_q
        for element in measure:
            match element.tag:
                case "attributes":
                    divisions = float(element.findtext("divisions") or divisions)
                    beats = _first_number(element.findtext("time/beats"), beats)
                    unit = int(element.findtext("time/beat-type") or unit)
                    fifths = int(element.findtext("key/fifths") or fifths)
                    staves = int(element.findtext("staves") or staves)
                    transpose = int(
                        float(element.findtext("transpose/chromatic") or transpose)
                    ) + 12 * int(element.findtext("transpose/octave-change") or 0)
                case "backup":
                    cursor_q -= float(element.findtext("duration") or 0) / divisions
                case "forward":
                    cursor_q += float(element.findtext("duration") or 0) / divisions
                case "note":
                    duration_q = float(element.findtext("duration") or 0) / divisions
                    is_chord = element.find("chord") is not None
                    onset_q = last_q if is_chord else cursor_q
                    if not is_chord:
                        last_q = cursor_q
                        cursor_q += duration_q
                    end_q = max(end_q, cursor_q)
                    note = _read_note(element, onset_q, duration_q, index, transpose)
                    if note is not None:
                        _add(note, element, notes, tied)
            end_q = max(end_q, cursor_q)
        bars.start_q.append(start_q)
        bars.beats.append(beats)
        bars.unit.append(unit)
        bars.fifths.append(fifths)
        start_q = end_q if end_q > start_q else start_q + 4.0 * beats / unit
    return notes, bars, staves


def _first_number(text: str | None, otherwise: int) -> int:
    """Sum additive signatures such as ``3+2``."""
    return sum(int(t) for t in text.split("+")) if text else otherwise


def _read_note(
    element: ElementTree.Element, onset_q: float, duration_q: float, part: int, transpose: int
) -> _Note | None:
    pitch = element.find("pitch")
    if pitch is None or element.find("cue") is not None:
        return None
    number = (
        12 * (int(pitch.findtext("octave") or 4) + 1)
        + _STEPS[pitch.findtext("step") or "C"]
        + round(float(pitch.findtext("alter") or 0))
        + transpose
    )
    marks = {_MARKS[e.tag] for e in element.iterfind("notations//*") if e.tag in _MARKS}
    return _Note(
        onset_q,
        duration_q,
        number,
        part,
        int(element.findtext("staff") or 1),
        element.find("grace") is not None,
        marks,
    )


def _add(
    note: _Note, element: ElementTree.Element, notes: list[_Note], tied: dict[int, _Note]
) -> None:
    ties = {tie.get("type") for tie in element.findall("tie")}
    before = tied.get(note.pitch) if "stop" in ties else None
    if before is not None and abs(before.onset_q + before.duration_q - note.onset_q) < 1e-3:
        before.duration_q += note.duration_q
        note = before
    else:
        notes.append(note)
    if "start" in ties:
        tied[note.pitch] = note
    else:
        tied.pop(note.pitch, None)


def beats_of(score: WrittenPiece) -> tuple[NDArray[np.float64], NDArray[np.int64], int, int]:
    """Return the beats of written music.

    Returns
    -------
    beats_q : np.ndarray, shape (B,), in quarters
    positions : np.ndarray of int, shape (B,)
    bar_beats : int
    compound : int
        1 or 0. Beats of compound metres are dotted.

    Raises
    ------
    ValueError
        If the music has bars of other than 2, 3, 4 or 6 beats for more than a tenth of its course.
    """
    starts = score.bar_start_q
    end_q = float((score.onset_q + score.duration_q).max())
    lengths = np.diff([*starts, max(end_q, float(starts[-1]) + 0.5)])
    beats: list[float] = []
    positions: list[int] = []
    tally: Counter[tuple[int, int]] = Counter()
    begun_q = 0.0  # how much of a bar that is written in two halves was in the first
    for index, (start_q, length_q) in enumerate(zip(starts, lengths, strict=True)):
        numerator, unit = int(score.bar_beats[index]), int(score.bar_unit[index])
        compound = numerator % 3 == 0 and numerator > 3
        beat_q = 4.0 / unit * (3 if compound else 1)
        bar_beats = numerator // 3 if compound else numerator
        tally[bar_beats, int(compound)] += 1
        missing_q = beat_q * bar_beats - length_q
        if index == 0 and missing_q > EPSILON_Q:  # a pickup
            begun_q = missing_q
        first = math.ceil(begun_q / beat_q - EPSILON_Q)
        offsets_q = np.arange(first, bar_beats) * beat_q - begun_q
        inside = offsets_q < length_q - EPSILON_Q
        beats += (start_q + offsets_q[inside]).tolist()
        positions += (np.arange(first, bar_beats)[inside] + 1).tolist()
        begun_q = length_q if missing_q > EPSILON_Q and begun_q == 0.0 else 0.0
    (bar_beats, compound_), count = tally.most_common(1)[0]
    odd = sum(n for (b, _), n in tally.items() if b not in (2, 3, 4))
    if odd > 0.1 * len(starts) or len({c for _, c in tally}) > 1 or count < 0.5 * len(starts):
        raise ValueError(f"{score.name}: irregular metre")
    order = np.argsort(beats, kind="stable")
    return np.array(beats)[order], np.array(positions)[order], bar_beats, compound_


def staves_of(score: WrittenPiece, velocity: float = VELOCITY) -> list[Line]:
    """Return a line for each staff, in quarters: the highest is the melody, the last a bass where
    there are more than two."""
    kept = ~score.grace & (score.duration_q > 0)
    staves = sorted(set(zip(score.part[kept].tolist(), score.staff[kept].tolist(), strict=True)))
    lines = []
    for index, (part, staff) in enumerate(staves):
        chosen = kept & (score.part == part) & (score.staff == staff)
        onset_q, end_q = score.onset_q[chosen], (score.onset_q + score.duration_q)[chosen]
        role: Role = "piano"
        if index == 0:
            role = "melody"
        elif len(staves) >= 4:
            role = "inner"
        loud = np.full(len(onset_q), velocity)
        lines.append(make_line(role, np.column_stack([onset_q, end_q, score.pitch[chosen], loud])))
    return lines


def play_deadpan(
    score: WrittenPiece, origin: Origin, chords: tuple[ChordSegment, ...] = ()
) -> Piece:
    """Return written music as a computer plays it, at :data:`QUARTERS_PER_S`.

    Where its metre is irregular, it has no beats.

    Parameters
    ----------
    chords : tuple of ChordSegment
        In quarters.
    """
    try:
        beats_q, positions, bar_beats, compound = beats_of(score)
    except ValueError:
        beats_q, positions, bar_beats, compound = np.zeros(0), np.zeros(0, np.int64), 4, UNKNOWN
    piece = Piece(
        name=score.name,
        lines=tuple(staves_of(score)),
        beats_s=beats_q,
        positions=positions,
        bar_beats=bar_beats,
        compound=compound,
        chords=chords,
        deadpan=True,
        origin=origin,
    )
    return change_tempo(piece, QUARTERS_PER_S)

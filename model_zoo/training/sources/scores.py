"""Reads written music from MusicXML as arrays, from which performances are simulated.

Reads partwise MusicXML 2 to 4, compressed or not: notes with ties merged, staves, grace notes and
ornaments, bars with their time and key signatures. Repeats are not unfolded. Positions are in
quarter notes from the beginning.
"""

from __future__ import annotations

import math
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import ChordSegment
from inference_service.notation.partwise import WrittenMeasure, join_ties, read_parts, unpack
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
        In quarters; the duration of a grace note is 0.
    pitch, part, staff : np.ndarray, shape (N,)
        MIDI numbers, 0-based part, 1-based staff.
    grace : np.ndarray of bool, shape (N,)
    marks : np.ndarray of bool, shape (N, len(MARKS))
    bar_start_q : np.ndarray, shape (M,)
    bar_beats, bar_unit, bar_fifths : np.ndarray of int, shape (M,)
        Time and key signatures in force in each bar.
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


def read_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and MusicXML text of every score in a zip file, in the archive's order."""
    with zipfile.ZipFile(path) as files:
        for name in files.namelist():
            if name.endswith(".mxl"):
                yield name, unpack(files.read(name))
            elif name.endswith((".musicxml", ".xml")):
                yield name, files.read(name)


def parse_score(name: str, text: bytes) -> WrittenPiece:
    """Read partwise MusicXML.

    Raises
    ------
    ValueError
        If it has no notes, or its parts disagree about the bars.
    """
    parts = read_parts(ElementTree.fromstring(text))
    measures = parts[0].measures if parts else []
    starts_q = _lay_measures(measures)
    notes = sorted(
        (
            (index, joined)
            for index, part in enumerate(parts)
            for joined in join_ties(
                (start_q, note)
                for start_q, measure in zip(starts_q, part.measures, strict=False)
                for note in measure.notes
                if not note.is_percussion
            )
        ),
        key=lambda pair: (pair[1].start_q, not pair[1].note.is_grace, pair[1].note.pitch),
    )
    if not notes:
        raise ValueError(f"{name}: no notes")
    marks = [{_MARKS[m] for m in joined.note.marks if m in _MARKS} for _, joined in notes]
    return WrittenPiece(
        name=name,
        onset_q=np.array([float(joined.start_q) for _, joined in notes]),
        duration_q=np.array([float(joined.duration_q) for _, joined in notes]),
        pitch=np.array([joined.note.pitch for _, joined in notes]),
        part=np.array([index for index, _ in notes]),
        staff=np.array([joined.note.staff for _, joined in notes]),
        grace=np.array([joined.note.is_grace for _, joined in notes]),
        marks=np.array([[m in own for m in MARKS] for own in marks]),
        bar_start_q=np.array([float(start_q) for start_q in starts_q]),
        bar_beats=np.array([measure.beats for measure in measures]),
        bar_unit=np.array([measure.unit for measure in measures]),
        bar_fifths=np.array([measure.fifths or 0 for measure in measures]),
        staves=tuple(part.staves for part in parts),
    )


def _lay_measures(measures: Sequence[WrittenMeasure]) -> list[Fraction]:
    """Return where measures begin; each is as long as its voices, or its metre if empty."""
    lengths_q = [m.length_q or Fraction(4 * m.beats, m.unit) for m in measures]
    return list(accumulate(lengths_q[:-1], initial=Fraction(0))) if measures else []


def beats_of(score: WrittenPiece) -> tuple[NDArray[np.float64], NDArray[np.int64], int, int]:
    """Return the beats of written music.

    Returns
    -------
    beats_q : np.ndarray, shape (B,), in quarters
    positions : np.ndarray of int, shape (B,)
    bar_beats : int
    compound : int
        1 or 0. The beat of a compound metre is dotted.

    Raises
    ------
    ValueError
        If more than a tenth of the bars have other than 2, 3 or 4 beats (dotted ones in compound
        metres), simple and compound metres are mixed, or no metre holds for half of the bars.
    """
    starts = score.bar_start_q
    end_q = float((score.onset_q + score.duration_q).max())
    lengths = np.diff([*starts, max(end_q, float(starts[-1]) + 0.5)])
    beats: list[float] = []
    positions: list[int] = []
    tally: Counter[tuple[int, int]] = Counter()
    begun_q = 0.0  # length of the first part of a bar that is split in two
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
    """Return a line for each staff, in quarters.

    The top staff is the melody. If there are four staves or more, the others are inner voices.
    """
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
    """Return written music in strict time, at :data:`QUARTERS_PER_S`.

    If the metre is irregular (see :func:`beats_of`), the piece has no beats.

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

"""Reads written music from Humdrum ``**kern`` as arrays.

Spines may be split, merged, exchanged and ended. Bars begin at numbered bar lines, and at the
beginning; the other bar lines are those of repeats within a bar. Repeats are not unfolded.

The format is described at https://www.humdrum.org/rep/kern/.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from model_zoo.training.sources.scores import MARKS, WrittenPiece

_DURATION: Final = re.compile(r"(\d+)(?:%(\d+))?(\.*)")
_PITCH: Final = re.compile(r"([a-g]+|[A-G]+)([#\-n]*)")
_METRE: Final = re.compile(r"\*M(\d+)/(\d+)$")
_SIGNATURE: Final = re.compile(r"\*k\[([a-g#\-n]*)\]")
_NUMBERED_BAR: Final = re.compile(r"=+\d")
_SIGNS: Final = {
    "trill": "Tt",
    "mordent": "MmWw",
    "turn": "S$",
    "tremolo": "@",
    "arpeggio": ":",
    "staccato": "'`",
    "fermata": ";",
}
_SEMITONES: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_C4: Final = 60
_BREVES_Q: Final = {"0": 8, "00": 16, "000": 32}


@dataclass(slots=True)
class _Spine:
    """A column of the file; ``staff`` is None for other data than ``**kern``."""

    staff: _Staff | None
    end_q: Fraction = Fraction(0)


@dataclass(slots=True, eq=False)
class _Staff:
    """A staff as the file declares it, and the notes that are tied to the next ones by pitch."""

    part: str
    tied: dict[int, _Note] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Note:
    onset_q: Fraction
    duration_q: Fraction
    pitch: int
    staff: _Staff
    is_grace: bool
    marks: tuple[bool, ...]


def read_kern_archive(path: Path) -> Iterator[WrittenPiece]:
    """Parse the scores of a zip file in its order, leaving out those that are malformed."""
    with zipfile.ZipFile(path) as files:
        for name in files.namelist():
            if name.endswith(".krn"):
                try:
                    yield parse_kern(name, files.read(name).decode("utf-8", "replace"))
                except ValueError:
                    continue


def parse_kern(name: str, text: str) -> WrittenPiece:
    """Read a score.

    Staves are numbered from the top, as are parts, which are the same for staves of one ``*part``.
    Where there is no ``*part``, all staves are one part.

    Raises
    ------
    ValueError
        If it has no notes or bars, its spines do not fit its lines, or its durations disagree.
    """
    score = _Score(name)
    for line in text.splitlines():
        if line and not line.startswith("!"):
            score.read(line.split("\t"))
    return score.collect()


class _Score:
    """The state of reading a file from its first line on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.spines: list[_Spine] = []
        self.staves: list[_Staff] = []
        self.notes: list[_Note] = []
        self.now_q = Fraction(0)
        self.signature = (4, 4, 0)
        self.bars: list[tuple[Fraction, tuple[int, int, int]]] = []

    def read(self, tokens: list[str]) -> None:
        if tokens[0].startswith("**"):
            self._begin(tokens)
            return
        if len(tokens) != len(self.spines):
            raise ValueError(f"{self.name}: {len(tokens)} fields for {len(self.spines)} spines")
        if tokens[0].startswith("*"):
            self._interpret(tokens)
        elif tokens[0].startswith("="):
            if _NUMBERED_BAR.match(tokens[0]) or not self.bars:
                self._begin_bar()
        else:
            self._read_data(tokens)

    def _begin(self, tokens: list[str]) -> None:
        kern = [token == "**kern" for token in tokens]
        staves = [_Staff("") for _ in range(sum(kern))]
        self.staves = staves[::-1]
        remaining = iter(staves)
        self.spines = [_Spine(next(remaining) if is_kern else None) for is_kern in kern]

    def _begin_bar(self) -> None:
        if self.bars and self.bars[-1][0] == self.now_q:
            self.bars[-1] = (self.now_q, self.signature)
        else:
            if not self.bars and self.now_q > 0:
                self.bars.append((Fraction(0), self.signature))
            self.bars.append((self.now_q, self.signature))

    def _interpret(self, tokens: list[str]) -> None:
        beats, unit, fifths = self.signature
        for spine, token in zip(self.spines, tokens, strict=True):
            if spine.staff is None:
                continue
            if token.startswith("*part"):
                spine.staff.part = token[5:]
            elif found := _METRE.match(token):
                beats, unit = int(found[1]), int(found[2])
            elif found := _SIGNATURE.match(token):
                fifths = max(-7, min(found[1].count("#") - found[1].count("-"), 7))
        self.signature = (beats, unit, fifths)
        if self.bars and self.bars[-1][0] == self.now_q:
            self.bars[-1] = (self.now_q, self.signature)
        if {"*^", "*v", "*x", "*-", "*+"} & set(tokens):
            self.spines = self._manipulate(tokens)

    def _manipulate(self, tokens: list[str]) -> list[_Spine]:
        spines: list[_Spine] = []
        exchanged: int | None = None
        before = ""
        for spine, token in zip(self.spines, tokens, strict=True):
            if token == "*^":
                spines += [spine, replace(spine)]
            elif token == "*v" and before == "*v" and spines[-1].staff is spine.staff:
                spines[-1].end_q = max(spines[-1].end_q, spine.end_q)
            elif token == "*+":
                raise ValueError(f"{self.name}: a spine is added")
            elif token == "*x" and exchanged is not None:
                spines.append(spines[exchanged])
                spines[exchanged] = spine
                exchanged = None
            elif token != "*-":
                if token == "*x":
                    exchanged = len(spines)
                spines.append(spine)
            before = token
        return spines

    def _read_data(self, tokens: list[str]) -> None:
        if not self.bars:
            self.bars.append((self.now_q, self.signature))
        is_grace_row = True  # grace notes have rows of their own, in which no time passes
        for spine, token in zip(self.spines, tokens, strict=True):
            if spine.staff is None or token == ".":
                continue
            lengths_q = [self._read_note(text, spine.staff) for text in token.split(" ")]
            length_q = max(lengths_q, default=Fraction(0))
            if length_q:
                spine.end_q = self.now_q + length_q
                is_grace_row = False
        if is_grace_row:
            return
        later = [s.end_q for s in self.spines if s.staff is not None and s.end_q > self.now_q]
        self.now_q = min(later, default=self.now_q)

    def _read_note(self, text: str, staff: _Staff) -> Fraction:
        """Read a note or rest, and return its length; 0 for a grace note."""
        duration = _DURATION.search(text)
        is_grace = "q" in text
        length_q = _read_length(*duration.groups()) if duration and not is_grace else Fraction(0)
        pitch = _PITCH.search(text)
        if "r" in text or pitch is None:
            return length_q
        number = _read_pitch(pitch[1], pitch[2])
        if ("_" in text or "]" in text) and number in staff.tied and not is_grace:
            note = staff.tied[number]
            note.duration_q = self.now_q + length_q - note.onset_q
        else:
            note = _Note(self.now_q, length_q, number, staff, is_grace, _read_marks(text))
            self.notes.append(note)
        if "[" in text:
            staff.tied[number] = note
        elif "]" in text:
            staff.tied.pop(number, None)
        return length_q

    def collect(self) -> WrittenPiece:
        if not self.notes or not self.bars:
            raise ValueError(f"{self.name}: no notes or no bars")
        while len(self.bars) > 1 and self.bars[-1][0] >= self.now_q:
            self.bars.pop()  # begun by the final bar line
        parts = list(dict.fromkeys(staff.part for staff in self.staves))
        part_of = {id(staff): parts.index(staff.part) for staff in self.staves}
        staff_of: dict[int, int] = {}
        count = [0] * len(parts)
        for staff in self.staves:
            count[part_of[id(staff)]] += 1
            staff_of[id(staff)] = count[part_of[id(staff)]]
        notes = sorted(self.notes, key=lambda n: (n.onset_q, not n.is_grace, n.pitch))
        signatures = np.array([signature for _, signature in self.bars])
        return WrittenPiece(
            name=self.name,
            onset_q=np.array([float(n.onset_q) for n in notes]),
            duration_q=np.array([float(n.duration_q) for n in notes]),
            pitch=np.array([n.pitch for n in notes]),
            part=np.array([part_of[id(n.staff)] for n in notes]),
            staff=np.array([staff_of[id(n.staff)] for n in notes]),
            grace=np.array([n.is_grace for n in notes]),
            marks=np.array([n.marks for n in notes]),
            bar_start_q=np.array([float(start_q) for start_q, _ in self.bars]),
            bar_beats=signatures[:, 0],
            bar_unit=signatures[:, 1],
            bar_fifths=signatures[:, 2],
            staves=tuple(count),
        )


def _read_marks(text: str) -> tuple[bool, ...]:
    """Return which of MARKS a note has."""
    return tuple(any(sign in text for sign in _SIGNS[mark]) for mark in MARKS)


@lru_cache(maxsize=512)
def _read_length(digits: str, divisor: str | None, dots: str) -> Fraction:
    if digits in _BREVES_Q:
        whole = Fraction(_BREVES_Q[digits])
    elif not int(digits):
        return Fraction(0)
    else:
        whole = Fraction(4 * int(divisor or 1), int(digits))
    return whole * (2 - Fraction(1, 2 ** len(dots)))


@lru_cache(maxsize=512)
def _read_pitch(letters: str, alterations: str) -> int:
    octave = len(letters) - 1 if letters.islower() else -len(letters)
    altered = alterations.count("#") - alterations.count("-")
    return _C4 + 12 * octave + _SEMITONES[letters[0].lower()] + altered

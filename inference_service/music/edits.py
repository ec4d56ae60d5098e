"""Edits of single notes and chord symbols: what a reader changes on a page with a finger.

A list of them is part of a result's corrections. They are made one after another, after all other
corrections: each refers to the music that the earlier ones leave. A heard note is named by its id,
``"PART:INDEX"``. The later piece of a split of the note X is ``"X/1"``, that of the next split
``"X/2"``. Notes that are added to a part are ``"PART+1"``, ``"PART+2"``, in the order of the list.

Some edits can be asked for in terms of the page: a note moves by steps, a chord has the name that
the page would give it. What is kept of them is absolute (a pitch, a label), so that it holds
whatever is corrected later; ``inference_service/pipeline/settle.py`` turns the one into the other.

Every value is checked when it is created, so that edits may come from anywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from inference_service.errors import InvalidCorrections
from inference_service.music.limits import MAX_DURATION_S
from inference_service.music.placement import refuse_long

MAX_EDITS: Final = 2000
MAX_ID_CHARS: Final = 240
"""A part's id, and what a note's own id adds to it."""

MAX_CHORD_CHARS: Final = 64
MAX_STEPS: Final = 14
MAX_SEMITONES: Final = 36
QUARTERS_RANGE: Final = (Fraction(1, 192), Fraction(128))
FINEST_DIVISION: Final = 192
"""Values are rounded to this fraction of a quarter: a 64th note, or a triplet's 32nd, with beats
written three times as long as they were heard."""


class Spelling(StrEnum):
    """How a note that is foreign to its key is written: as a raised or as a lowered degree."""

    RAISED = "raised"
    LOWERED = "lowered"


def round_quarters(quarters: float) -> Fraction:
    """Return a note value that was given as a floating-point number.

    Raises
    ------
    InvalidCorrections
        If it is none.
    """
    if not math.isfinite(quarters) or abs(quarters) > QUARTERS_RANGE[1]:
        raise _refuse("a value is not from 1/192 to 128 quarters")
    return Fraction(quarters).limit_denominator(FINEST_DIVISION)


def _read_quarters(value: object) -> object:
    return round_quarters(value) if isinstance(value, float) else refuse_long(value)


Quarters: TypeAlias = Annotated[Fraction, BeforeValidator(_read_quarters)]
"""A note value in quarters; in JSON, a number or a text such as ``"1/3"``."""


@dataclass(frozen=True, slots=True)
class MoveNote:
    """Move a note by steps of the scale in force, or else by semitones; upward if positive."""

    note: str
    steps: int = 0
    semitones: int = 0
    kind: Literal["move"] = "move"

    def __post_init__(self) -> None:
        _check_id(self.note)
        if bool(self.steps) == bool(self.semitones):
            raise _refuse("a note is moved either by steps or by semitones")
        if abs(self.steps) > MAX_STEPS or abs(self.semitones) > MAX_SEMITONES:
            raise _refuse(f"a note is moved by over {MAX_STEPS} steps or {MAX_SEMITONES} semitones")


@dataclass(frozen=True, slots=True)
class SetPitch:
    """Give a note a pitch, as untransposed, and perhaps a spelling."""

    note: str
    pitch: int
    spelling: Spelling | None = None
    kind: Literal["pitch"] = "pitch"

    def __post_init__(self) -> None:
        _check_id(self.note)
        _check_pitch(self.pitch)


@dataclass(frozen=True, slots=True)
class SetDuration:
    """Give a note a written value, in quarters of the uncorrected page."""

    note: str
    quarters: Quarters
    kind: Literal["duration"] = "duration"

    def __post_init__(self) -> None:
        _check_id(self.note)
        _check_quarters(self.quarters)


@dataclass(frozen=True, slots=True)
class DeleteNote:
    """Leave a note out."""

    note: str
    kind: Literal["delete"] = "delete"

    def __post_init__(self) -> None:
        _check_id(self.note)


@dataclass(frozen=True, slots=True)
class SplitNote:
    """Strike a note twice.

    ``quarters`` is the value of the first piece, as in :class:`SetDuration`; without it, the second
    piece begins at the strongest place of the bar within the note.
    """

    note: str
    quarters: Quarters | None = None
    kind: Literal["split"] = "split"

    def __post_init__(self) -> None:
        _check_id(self.note)
        if self.quarters is not None:
            _check_quarters(self.quarters)


@dataclass(frozen=True, slots=True)
class JoinNote:
    """Tie a note to the next one of its pitch, so that they are one."""

    note: str
    kind: Literal["join"] = "join"

    def __post_init__(self) -> None:
        _check_id(self.note)


@dataclass(frozen=True, slots=True)
class AddNote:
    """Add a note to a part.

    ``time_s`` is when it is heard in the recording; it is written in the nearest place. ``staff``
    is 1 or 2, or else chosen by pitch. The other fields are those of :class:`SetPitch` and
    :class:`SetDuration`.
    """

    part: str
    time_s: float
    quarters: Quarters
    pitch: int
    spelling: Spelling | None = None
    staff: int | None = None
    kind: Literal["add"] = "add"

    def __post_init__(self) -> None:
        _check_id(self.part)
        _check_time(self.time_s)
        _check_quarters(self.quarters)
        _check_pitch(self.pitch)
        if self.staff not in (None, 1, 2):
            raise _refuse("a staff is 1 or 2")


@dataclass(frozen=True, slots=True)
class SetChord:
    """Write a chord symbol, instead of the one in this place if there is one.

    Exactly one of ``text``, the chord's name on the page that is asked for, and ``label``, in Harte
    syntax and untransposed, is given. ``time_s`` is as in :class:`AddNote`.
    """

    time_s: float
    text: str = ""
    label: str = ""
    kind: Literal["chord"] = "chord"

    def __post_init__(self) -> None:
        _check_time(self.time_s)
        if bool(self.text) == bool(self.label):
            raise _refuse("a chord has either a text or a label")
        if max(len(self.text), len(self.label)) > MAX_CHORD_CHARS:
            raise _refuse(f"a chord's name has over {MAX_CHORD_CHARS} characters")


@dataclass(frozen=True, slots=True)
class DeleteChord:
    """Leave the chord symbol in a place out, so that the one before stays in force."""

    time_s: float
    kind: Literal["delete_chord"] = "delete_chord"

    def __post_init__(self) -> None:
        _check_time(self.time_s)


NoteEdit: TypeAlias = MoveNote | SetPitch | SetDuration | DeleteNote | SplitNote | JoinNote
"""An edit of one note."""

ScoreEdit: TypeAlias = Annotated[
    NoteEdit | AddNote | SetChord | DeleteChord, Field(discriminator="kind")
]


def _refuse(cause: str) -> InvalidCorrections:
    return InvalidCorrections(cause, correction="edits")


def _check_id(name: str) -> None:
    if not 0 < len(name) <= MAX_ID_CHARS:
        raise _refuse(f"a name of a note or part is not 1 to {MAX_ID_CHARS} characters")


def _check_pitch(pitch: int) -> None:
    if not 0 <= pitch <= 127:
        raise _refuse("a pitch is not from 0 to 127")


def _check_quarters(quarters: Fraction) -> None:
    least, most = QUARTERS_RANGE
    if not least <= quarters <= most or quarters.denominator > FINEST_DIVISION:
        raise _refuse("a value is not from 1/192 to 128 quarters")


def _check_time(time_s: float) -> None:
    if not abs(time_s) <= MAX_DURATION_S:  # also refuses NaN
        raise _refuse("a time is not within a recording")

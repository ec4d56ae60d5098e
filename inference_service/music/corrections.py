"""What a reader may put right in a transcription without anything being heard again.

Corrections are absolute, in terms of the uncorrected result. The same corrections twice, or several
in another order, are therefore the same: :class:`Corrections` is the state that they leave, an
:class:`Edit` a step from one state to the next. ``inference_service/pipeline/correct.py`` applies
the state.

Every value is checked when it is created, so that corrections may come from anywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from fractions import Fraction
from itertools import product
from typing import Any, Final

from inference_service.errors import InvalidCorrections
from inference_service.music.bar_moves import MAX_BAR_MOVES, BarMove
from inference_service.music.edits import MAX_EDITS, ScoreEdit
from inference_service.music.keys import Key
from inference_service.music.limits import MAX_PARTS
from inference_service.music.placement import Beats

MAX_ID_CHARS: Final = 200
MAX_NAME_CHARS: Final = 100
MAX_FIRST_BEAT: Final = 100_000
MAX_BARS: Final = 100_000
TEMPO_RANGE_BPM: Final = (10.0, 1000.0)
MAX_BEATS_PER_BAR: Final = 24
FIRST_BEAT_STEPS: Final = 12
"""First beats are rounded to this fraction of a beat: quarters, and thirds of dotted beats."""

BEAT_SCALES: Final = tuple(
    sorted(
        scale
        for twos, threes in product(range(-3, 4), range(-1, 2))
        if Fraction(1, 12) <= (scale := Fraction(2) ** twos * Fraction(3) ** threes) <= 12
    )
)
"""The factors of written values that may be asked for: products of 2, 3, 1/2 and 1/3."""

_SCALE_TOLERANCE: Final = 0.01

_LISTS: Final = frozenset({"parts", "edits", "bar_moves"})
"""The fields that are empty rather than None where nothing is corrected."""

_SIGNATURE: Final = re.compile(r"(\d{1,2})/(2|4|8|16)", re.ASCII)
_TONIC: Final = re.compile(r"[A-G][#b]?", re.ASCII)


def round_scale(factor: float) -> Fraction:
    """Return the one of :data:`BEAT_SCALES` that a factor stands for.

    Raises
    ------
    InvalidCorrections
        If none is near.
    """
    if math.isfinite(factor) and factor > 0:
        scale = min(BEAT_SCALES, key=lambda known: abs(math.log(known / factor)))
        if abs(math.log(scale / factor)) <= _SCALE_TOLERANCE:
            return scale
    raise _refuse("beat_scale", "the scale of beats is not a product of 2, 3, 1/2 and 1/3")


def round_bar_move(from_beat: float, beats: float) -> BarMove:
    """Return a move of bar lines by a fraction of a beat that is written.

    Raises
    ------
    InvalidCorrections
        If it is none.
    """
    if not abs(beats) <= MAX_FIRST_BEAT:
        raise _refuse("bar_moves", "bar lines are moved by beats")
    steps = round(beats * FIRST_BEAT_STEPS)
    return BarMove(round_first_beat(from_beat), Fraction(steps, FIRST_BEAT_STEPS))


def round_first_beat(number: float) -> Fraction:
    """Return the number of a beat, or of a place between two.

    Raises
    ------
    InvalidCorrections
        If it is no number of a beat.
    """
    if not 0 < number <= MAX_FIRST_BEAT:
        raise _refuse("first_beat", "the first beat is not the number of a beat")
    return max(Fraction(round(number * FIRST_BEAT_STEPS), FIRST_BEAT_STEPS), Fraction(1, 12))


def parse_metre(text: str) -> tuple[int, int]:
    """Return the upper and the lower number of a signature that may be asked for.

    Raises
    ------
    InvalidCorrections
        If it is none.
    """
    match = _SIGNATURE.fullmatch(text)
    if match is None or not 0 < int(match.group(1)) <= MAX_BEATS_PER_BAR:
        raise _refuse("time_signature", "not a time signature such as 3/4")
    return int(match.group(1)), int(match.group(2))


def _is_metre(text: str | None) -> bool:
    if text is not None:
        parse_metre(text)
    return True


def is_tonic(text: str) -> bool:
    """Whether a text is a tonic that may be asked for, such as ``"F#"``."""
    return _TONIC.fullmatch(text) is not None


def _is_key(key: Key) -> bool:
    return is_tonic(key.tonic) and key.mode in ("major", "minor")


def _refuse(name: str, cause: str) -> InvalidCorrections:
    return InvalidCorrections(cause, correction=name)


class FinestValue(StrEnum):
    """The shortest notes to write."""

    QUARTER = "quarter"
    EIGHTH = "eighth"
    SIXTEENTH = "sixteenth"


class Triplets(StrEnum):
    """Whether notes may be written as triplets."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "not_allowed"


class Feel(StrEnum):
    """How written eighths are to be played."""

    STRAIGHT = "straight"
    SWING = "swing"


class Clef(StrEnum):
    """A clef for a part on one staff."""

    TREBLE = "treble"
    TREBLE_8VB = "treble_8vb"
    ALTO = "alto"
    TENOR = "tenor"
    BASS = "bass"
    BASS_8VB = "bass_8vb"


class Correctable(StrEnum):
    """A field of :class:`Corrections`; the tempo belongs to the beat scale."""

    METRE = "metre"
    BEAT_SCALE = "beat_scale"
    FIRST_BEAT = "first_beat"
    KEY = "key"
    FINEST_VALUE = "finest_value"
    TRIPLETS = "triplets"
    FEEL = "feel"
    PARTS = "parts"
    BARS = "bars"
    EDITS = "edits"
    BAR_MOVES = "bar_moves"


@dataclass(frozen=True, slots=True)
class PartCorrection:
    """Corrections of one part; fields that are None are as heard.

    Raises
    ------
    InvalidCorrections
        If a value is outside its range.
    """

    id: str
    left_out: bool | None = None
    name: str | None = None
    program: int | None = None
    clef: Clef | None = None

    def __post_init__(self) -> None:
        if len(self.id) > MAX_ID_CHARS:
            raise _refuse("parts", "no part has this id")
        name = self.name
        if name is not None and not (0 < len(name) <= MAX_NAME_CHARS and name.isprintable()):
            raise _refuse("parts", f"a part's name is not 1 to {MAX_NAME_CHARS} characters")
        if self.program is not None and not 0 <= self.program <= 127:
            raise _refuse("parts", "a part's program is not from 0 to 127")

    def amended_by(self, later: PartCorrection) -> PartCorrection:
        """Return this correction with the fields that a later one of the same part sets."""
        changed = {
            field.name: getattr(later, field.name)
            for field in fields(later)
            if getattr(later, field.name) is not None
        }
        return replace(self, **changed)


@dataclass(frozen=True, slots=True)
class BarRange:
    """Bars by their numbers on the page, both included.

    Raises
    ------
    InvalidCorrections
        If there are none.
    """

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last <= MAX_BARS:
            raise _refuse("bars", "a range of bars begins at 1 or later and ends no earlier")


@dataclass(frozen=True, slots=True)
class Corrections:
    """All corrections of a result; fields that are None are as heard.

    Attributes
    ----------
    time_signature : str
        Such as ``"3/4"``.
    beat_scale : Fraction
        Factor of the written values, one of :data:`BEAT_SCALES`.
    tempo_bpm : float
        Instead of ``beat_scale``: the scale whose tempo is nearest to this, in pulses per minute.
    first_beat : Fraction
        Where bar 1 begins: the number of a heard beat, from 1, or between two.
    key : Key
        Of the whole page.
    finest_value : FinestValue
    triplets : Triplets
    feel : Feel
    parts : tuple of PartCorrection
        Sorted by id, one for each part.
    bars : BarRange
        The bars to write.
    edits : tuple of ScoreEdit
        Of single notes and chord symbols, made in this order after all else.
    bar_moves : tuple of BarMove
        Sorted, one for each beat from which lines are moved.

    Raises
    ------
    InvalidCorrections
        If a value is outside its range.
    """

    time_signature: str | None = None
    beat_scale: Beats | None = None
    tempo_bpm: float | None = None
    first_beat: Beats | None = None
    key: Key | None = None
    finest_value: FinestValue | None = None
    triplets: Triplets | None = None
    feel: Feel | None = None
    parts: tuple[PartCorrection, ...] = ()
    bars: BarRange | None = None
    edits: tuple[ScoreEdit, ...] = ()
    bar_moves: tuple[BarMove, ...] = ()

    def __post_init__(self) -> None:
        if len(self.edits) > MAX_EDITS:
            raise _refuse(
                "edits", f"there are {len(self.edits)} edits, over the {MAX_EDITS} allowed"
            )
        for name, is_wrong in self._check():
            if is_wrong:
                raise _refuse(name, f"the correction of {name} is outside its range")

    def _check(self) -> Iterator[tuple[str, bool]]:
        yield "time_signature", not _is_metre(self.time_signature)
        yield "beat_scale", self.beat_scale not in (None, *BEAT_SCALES)
        slowest_bpm, fastest_bpm = TEMPO_RANGE_BPM
        tempo_bpm = self.tempo_bpm
        yield "tempo_bpm", tempo_bpm is not None and not slowest_bpm <= tempo_bpm <= fastest_bpm
        yield "tempo_bpm", None not in (self.tempo_bpm, self.beat_scale)
        first = self.first_beat
        yield "first_beat", first is not None and not 0 < first <= MAX_FIRST_BEAT
        yield "key", self.key is not None and not _is_key(self.key)
        yield "parts", len(self.parts) > MAX_PARTS
        ids = [part.id for part in self.parts]
        yield "parts", ids != sorted(set(ids))
        moved_from = [move.from_beat for move in self.bar_moves]
        yield "bar_moves", len(moved_from) > MAX_BAR_MOVES or moved_from != sorted(set(moved_from))

    def __bool__(self) -> bool:
        """Whether anything is corrected."""
        return self != Corrections()

    def find_part(self, part_id: str) -> PartCorrection:
        """Return the corrections of a part, which may be none."""
        known = (part for part in self.parts if part.id == part_id)
        return next(known, PartCorrection(part_id))


@dataclass(frozen=True, slots=True)
class Edit:
    """A step from one state of corrections to the next.

    Attributes
    ----------
    corrections : Corrections
        The fields that it sets.
    as_heard : frozenset of Correctable
        What it first puts back to as heard.
    """

    corrections: Corrections = Corrections()
    as_heard: frozenset[Correctable] = frozenset()

    def apply(self, state: Corrections) -> Corrections:
        """Return the state that the edit leaves.

        Raises
        ------
        InvalidCorrections
            If too many parts are corrected, or bar lines moved in too many places.
        """
        taken_back: dict[str, Any] = dict.fromkeys(self._list_taken_back())
        for name in _LISTS & taken_back.keys():
            taken_back[name] = ()
        merged = _merge(replace(state, **taken_back), self.corrections)
        return replace(merged, bar_moves=tuple(move for move in merged.bar_moves if move.beats))

    def then(self, later: Corrections) -> Edit:
        """Return the edit that sets further fields.

        Raises
        ------
        InvalidCorrections
            As :meth:`apply`.
        """
        return replace(self, corrections=_merge(self.corrections, later))

    def _list_taken_back(self) -> Iterator[str]:
        for field in self.as_heard:
            yield "time_signature" if field is Correctable.METRE else field.value
            if field is Correctable.BEAT_SCALE:
                yield "tempo_bpm"


def _merge(state: Corrections, later: Corrections) -> Corrections:
    """Return corrections with the fields that later ones set."""
    if later.beat_scale is not None or later.tempo_bpm is not None:
        state = replace(state, beat_scale=None, tempo_bpm=None)
    changed = {
        field.name: getattr(later, field.name)
        for field in fields(later)
        if field.name not in {"parts", "bar_moves"} and getattr(later, field.name) not in (None, ())
    }
    parts = {part.id: part for part in state.parts}
    for part in later.parts:
        parts[part.id] = parts.get(part.id, PartCorrection(part.id)).amended_by(part)
    moves = {move.from_beat: move for move in (*state.bar_moves, *later.bar_moves)}
    return replace(
        state,
        parts=tuple(parts[name] for name in sorted(parts)),
        bar_moves=tuple(sorted(moves.values())),
        **changed,
    )

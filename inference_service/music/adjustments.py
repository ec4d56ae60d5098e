"""What a reader puts right in terms of the page that is shown: "one beat later", "in G".

Corrections are in terms of the uncorrected result (:mod:`.corrections`).
``inference_service/pipeline/relative.py`` turns an adjustment of a page into corrections.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import isfinite
from typing import Final

from inference_service.errors import InvalidCorrections
from inference_service.music.corrections import MAX_BARS, MAX_FIRST_BEAT, is_tonic
from inference_service.music.keys import Mode
from inference_service.music.metre import TimeSignature

MAX_LOCAL_SHIFTS: Final = 20
"""Moves in a single request; each needs the page before it to be written."""

_SIXTEENTHS: Final = 4
"""Sixteenths in a quarter."""


class BarUnit(StrEnum):
    """A note value by which bar lines move; a beat is what a metronome mark counts."""

    BEAT = "beat"
    HALF_BEAT = "half_beat"
    QUARTER = "quarter"
    EIGHTH = "eighth"
    SIXTEENTH = "sixteenth"

    def in_quarters(self, signature: TimeSignature) -> Fraction:
        """Return the length of the unit in a metre, in quarters."""
        beat = signature.pulse_beats * signature.beat_quarters
        return {
            BarUnit.BEAT: beat,
            BarUnit.HALF_BEAT: beat / 2,
            BarUnit.QUARTER: Fraction(1),
            BarUnit.EIGHTH: Fraction(1, 2),
            BarUnit.SIXTEENTH: Fraction(1, _SIXTEENTHS),
        }[self]


@dataclass(frozen=True, slots=True)
class BarShift:
    """Bar lines ``count`` units later, or earlier if it is negative.

    Raises
    ------
    InvalidCorrections
        If it is out of all proportion.
    """

    count: int
    unit: BarUnit = BarUnit.BEAT

    def __post_init__(self) -> None:
        if abs(self.count) > MAX_FIRST_BEAT:
            raise InvalidCorrections("the bars would move too far", correction="bar_shift")


@dataclass(frozen=True, slots=True)
class LocalShift:
    """Bar lines moved from a bar of the page on, which is counted from 1.

    Raises
    ------
    InvalidCorrections
        If no bar has this number.
    """

    from_bar: int
    shift: BarShift

    def __post_init__(self) -> None:
        if not 1 <= self.from_bar <= MAX_BARS:
            raise InvalidCorrections("bars are counted from 1", correction="local_shifts")


def express_shift(quarters: Fraction, signature: TimeSignature) -> BarShift:
    """Return a distance in the units in which a reader counts.

    Those are beats, eighths of dotted quarters, or halves of beats. Any other distance is rounded
    to sixteenths.
    """
    is_dotted = BarUnit.BEAT.in_quarters(signature) == Fraction(3, 2)
    for unit in (BarUnit.BEAT, BarUnit.EIGHTH if is_dotted else BarUnit.HALF_BEAT):
        count = quarters / unit.in_quarters(signature)
        if count.denominator == 1:
            return BarShift(int(count), unit)
    sixteenths = round(quarters * _SIXTEENTHS) or (1 if quarters > 0 else -1)
    return BarShift(sixteenths, BarUnit.SIXTEENTH)


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key by what a reader says of it; tonic or mode may be left open.

    Raises
    ------
    InvalidCorrections
        If the tonic is none, or nothing is named.
    """

    tonic: str | None = None
    mode: Mode | None = None

    def __post_init__(self) -> None:
        is_open = self.tonic is None and self.mode is None
        if is_open or (self.tonic is not None and not is_tonic(self.tonic)):
            raise InvalidCorrections("not a key", correction="key")


@dataclass(frozen=True, slots=True)
class Adjustments:
    """Changes of a page; fields that are None leave it as it is.

    Attributes
    ----------
    rescale : float
        Factor of the written values: 2 writes quarters as halves.
    bar_shift : BarShift
    key : NamedKey
        What the key is to be called on the page that is requested, which may be transposed. An open
        mode or tonic is that of the likeliest reading.
    local_shifts : tuple of LocalShift
        Made in this order, to the page with all other changes.

    Raises
    ------
    InvalidCorrections
        If a value is outside its range.
    """

    rescale: float | None = None
    bar_shift: BarShift | None = None
    key: NamedKey | None = None
    local_shifts: tuple[LocalShift, ...] = ()

    def __post_init__(self) -> None:
        if len(self.local_shifts) > MAX_LOCAL_SHIFTS:
            raise InvalidCorrections("too many bars are moved at once", correction="local_shifts")
        if self.rescale is not None and not (isfinite(self.rescale) and self.rescale > 0):
            raise InvalidCorrections("values are not scaled by a number", correction="rescale")

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return self != Adjustments()

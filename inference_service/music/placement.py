"""How performed notes are to be written: position, duration and hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator

_PLAIN: Final = re.compile(r"-?\d{1,9}(/[1-9]\d{0,4})?", re.ASCII)


def refuse_long(value: object) -> object:
    """Refuse texts such as ``"1e999999999"``, an integer of a billion digits, when JSON is read."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) is None:
        raise ValueError("not a plain fraction")
    return value


Beats: TypeAlias = Annotated[Fraction, BeforeValidator(refuse_long)]
"""A number of beats; in JSON, a text such as ``"7/24"``."""


@dataclass(frozen=True, slots=True)
class NotePlacement:
    """A note's position on the beats of its performance, its written duration, and its hand.

    Attributes
    ----------
    start_beats : Fraction
        Position in notated beats from the first detected beat.
    duration_beats : Fraction
        Written duration.
    is_lower : bool
        Whether the lower of two hands plays the note.
    is_ornament : bool
        Whether the note is an ornament of the note that follows it, without a position of its own.
    """

    start_beats: Beats
    duration_beats: Beats
    is_lower: bool = False
    is_ornament: bool = False


Placements = tuple[tuple[NotePlacement, ...], ...]
"""For each part of a transcription, one placement per note, in order; empty for drum parts."""

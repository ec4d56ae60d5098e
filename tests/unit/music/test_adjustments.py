"""Changes of a page: the units by which bar lines move, and keys by what is said of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from inference_service.errors import InvalidCorrections
from inference_service.music.adjustments import (
    Adjustments,
    BarShift,
    BarUnit,
    NamedKey,
    express_shift,
)
from inference_service.music.metre import parse_time_signature


@pytest.mark.parametrize(
    ("metre", "beat"), [("4/4", 1), ("6/8", 1.5), ("3/8", 0.5), ("2/2", 2), ("9/16", 0.75)]
)
def test_a_beat_is_what_a_metronome_mark_counts(metre: str, beat: float) -> None:
    signature = parse_time_signature(metre)
    assert BarUnit.BEAT.in_quarters(signature) == Fraction(beat)
    assert BarUnit.HALF_BEAT.in_quarters(signature) == Fraction(beat) / 2
    assert BarUnit.EIGHTH.in_quarters(signature) == Fraction(1, 2)


@pytest.mark.parametrize(
    ("metre", "quarters", "shift"),
    [
        ("4/4", 1, BarShift(1)),
        ("4/4", Fraction(-1, 2), BarShift(-1, BarUnit.HALF_BEAT)),
        ("4/4", Fraction(3, 2), BarShift(3, BarUnit.HALF_BEAT)),
        ("4/4", Fraction(3, 4), BarShift(3, BarUnit.SIXTEENTH)),
        ("4/4", Fraction(-1, 100), BarShift(-1, BarUnit.SIXTEENTH)),
        ("6/8", Fraction(3, 2), BarShift(1)),
        ("6/8", Fraction(-1, 2), BarShift(-1, BarUnit.EIGHTH)),
        ("6/8", 1, BarShift(2, BarUnit.EIGHTH)),
        ("6/8", Fraction(3, 4), BarShift(3, BarUnit.SIXTEENTH)),
        ("2/2", 1, BarShift(1, BarUnit.HALF_BEAT)),
    ],
)
def test_a_distance_is_in_the_units_in_which_a_reader_counts(
    metre: str, quarters: Fraction, shift: BarShift
) -> None:
    assert express_shift(Fraction(quarters), parse_time_signature(metre)) == shift


@pytest.mark.parametrize(
    "build",
    [
        lambda: NamedKey(),
        lambda: NamedKey("H"),
        lambda: NamedKey("C##", "major"),
        lambda: BarShift(10**9),
        lambda: Adjustments(rescale=float("nan")),
        lambda: Adjustments(rescale=-1.0),
    ],
)
def test_what_is_no_change_is_refused(build: Any) -> None:
    with pytest.raises(InvalidCorrections):
        build()

"""Spans as note values: the examples of Gould's chapter on metre."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_service.music.metre import parse_time_signature
from inference_service.notation.durations import split_span, triplet_beats

SYMBOLS = {"whole": "w", "half": "h", "quarter": "q", "eighth": "e", "16th": "s", "32nd": "t"}


def write(signature: str, start: str, stop: str, *, rest: bool = False) -> str:
    """Return the values of a span in shorthand: q for a quarter, q. if dotted, q3 in a triplet."""
    a, b = Fraction(start), Fraction(stop)
    values = split_span(
        a, b, parse_time_signature(signature), triplet_beats(iter((a, b))), is_rest=rest
    )
    return " ".join(SYMBOLS[v.type] + "." * v.dots + ("3" if v.is_triplet else "") for v in values)


@pytest.mark.parametrize(
    ("signature", "start", "stop", "expected"),
    [
        ("4/4", "0", "4", "w"),
        ("4/4", "0", "3", "h."),
        ("4/4", "1", "4", "q h"),  # the middle of the bar shows
        ("4/4", "1", "3", "h"),  # but for the plain syncopation
        ("4/4", "1", "5/2", "q e"),
        ("4/4", "0", "3/2", "q."),
        ("4/4", "1/2", "3/2", "q"),
        ("4/4", "3/2", "5/2", "e e"),
        ("4/4", "1/2", "2", "q."),
        ("4/4", "5/2", "4", "q."),
        ("4/4", "3/2", "3", "e q"),
        ("4/4", "1/4", "1", "e."),
        ("2/4", "1/2", "2", "q."),
        ("3/4", "3/2", "3", "e q"),
        ("6/8", "1/2", "2", "s e"),
        ("4/4", "3/4", "5/4", "s s"),
        ("4/4", "1/4", "3/4", "e"),
        ("4/4", "0", "5/2", "h e"),
        ("4/4", "0", "7/4", "q e."),
        ("3/4", "0", "3", "h."),
        ("3/4", "1", "3", "h"),
        ("3/4", "1/2", "3", "e h"),
        ("6/8", "0", "6", "h."),
        ("6/8", "0", "3", "q."),
        ("6/8", "1", "3", "q"),
        ("6/8", "2", "4", "e e"),
        ("6/8", "0", "4", "q. e"),
        ("12/8", "0", "6", "h."),
        ("9/8", "3", "9", "h."),
        ("5/4", "0", "5", "h. h"),
        ("2/2", "0", "2", "w"),
        ("2/2", "1/2", "3/2", "h"),
        ("4/4", "1/3", "1", "q3"),
        ("4/4", "0", "1/3", "e3"),
        ("4/4", "2/3", "2", "e3 q"),
        ("4/4", "1/6", "1/3", "s3"),
        ("4/4", "0", "4/3", "q e3"),
    ],
)
def test_notes_show_the_metre(signature: str, start: str, stop: str, expected: str) -> None:
    assert write(signature, start, stop) == expected


@pytest.mark.parametrize(
    ("signature", "start", "stop", "expected"),
    [
        ("4/4", "0", "2", "h"),
        ("4/4", "1", "3", "q q"),
        ("4/4", "0", "3", "h q"),
        ("4/4", "0", "3/2", "q e"),
        ("4/4", "1/2", "1", "e"),
        ("4/4", "1/2", "3/2", "e e"),
        ("3/4", "1", "3", "q q"),
        ("6/8", "0", "3", "q."),
        ("6/8", "0", "2", "q"),
        ("6/8", "1", "3", "e e"),
        ("6/8", "3/2", "2", "s"),
        ("4/4", "1/3", "1", "q3"),
    ],
)
def test_rests_are_never_syncopated(signature: str, start: str, stop: str, expected: str) -> None:
    assert write(signature, start, stop, rest=True) == expected


@given(
    st.sampled_from(["2/4", "3/4", "4/4", "5/4", "7/8", "6/8", "9/8", "12/8", "2/2"]),
    st.integers(0, 95),
    st.integers(1, 96),
    st.sampled_from([4, 8, 3, 6]),
    st.booleans(),
)
def test_values_fill_the_span_without_a_gap(
    text: str, start: int, length: int, grid: int, rest: bool
) -> None:
    signature = parse_time_signature(text)
    a = Fraction(start % (signature.beats * grid), grid)
    b = min(a + Fraction(length, grid), Fraction(signature.beats))
    values = split_span(a, b, signature, triplet_beats(iter((a, b))), is_rest=rest)
    assert values[0].start_beats == a
    assert values[-1].start_beats + values[-1].duration_beats == b
    for before, after in pairwise(values):
        assert before.start_beats + before.duration_beats == after.start_beats
    for value in values:
        written = Fraction(4, WHOLES[value.type]) * (Fraction(3, 2) if value.dots else 1)
        played = value.duration_beats * signature.beat_quarters
        assert played * (Fraction(3, 2) if value.is_triplet else 1) == written


WHOLES: dict[str, int | Fraction] = {
    "breve": Fraction(1, 2), "whole": 1, "half": 2, "quarter": 4, "eighth": 8, "16th": 16,
    "32nd": 32, "64th": 64,
}  # fmt: skip

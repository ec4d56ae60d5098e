"""Where edits let notes begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_service.music.metre import parse_time_signature
from inference_service.notation.edit_places import Places

Q = Fraction


def build(
    taken: Sequence[Fraction] = (), signature: str = "4/4", lines: Sequence[int] = (0, 4, 8, 12)
) -> Places:
    return Places(parse_time_signature(signature), lines, lambda beat: taken)


@pytest.mark.parametrize(
    ("taken", "position", "place"),
    [
        ((), Q(11, 32), Q(3, 8)),
        ((), Q(1, 3), Q(1, 3)),
        ((), Q(5, 6), Q(5, 6)),
        ((Q(1, 4),), Q(1, 3), Q(3, 8)),
        ((Q(2, 3),), Q(3, 8), Q(1, 3)),
        ((Q(2, 3),), Q(1, 2), Q(1, 2)),
        ((Q(2, 3),), Q(5, 4), Q(5, 4)),
        ((), Q(31, 32), Q(1)),
        ((), Q(3), Q(3)),
    ],
)
def test_a_beat_is_divided_in_one_way(
    taken: Sequence[Fraction], position: Fraction, place: Fraction
) -> None:
    assert build(taken).fit(position) == place


def test_beats_of_compound_metres_are_not_divided_in_three() -> None:
    assert build(signature="6/8").fit(Q(1, 3)) == Q(1, 4)


@given(
    st.fractions(0, 8, max_denominator=192),
    st.fractions(0, 8, max_denominator=192),
    st.lists(st.sampled_from([Q(1, 3), Q(1, 4), Q(7, 3), Q(5, 2)]), max_size=2),
    st.sampled_from(["4/4", "3/8", "6/8", "2/2", "5/16"]),
)
def test_later_is_later(
    start: Fraction, position: Fraction, taken: list[Fraction], signature: str
) -> None:
    places = build(taken, signature)
    place = places.fit_after(start, position)
    assert place > start
    assert place == places.fit(place)


@pytest.mark.parametrize(
    ("start", "stop", "middle"),
    [
        (Q(0), Q(4), Q(2)),
        (Q(0), Q(3), Q(2)),
        (Q(1), Q(3), Q(2)),
        (Q(3), Q(6), Q(4)),
        (Q(1, 2), Q(2), Q(1)),
        (Q(0), Q(1), Q(1, 2)),
        (Q(0), Q(1, 4), Q(1, 8)),
        (Q(0), Q(1, 8), None),
        (Q(0), Q(2, 3), Q(1, 3)),
    ],
)
def test_the_middle_of_a_note_is_its_strongest_place(
    start: Fraction, stop: Fraction, middle: Fraction | None
) -> None:
    taken = [start, stop]
    assert build(taken).find_middle(start, stop) == middle


def test_the_longer_piece_comes_first_in_odd_metres() -> None:
    assert build(signature="3/4", lines=(0, 3, 6)).find_middle(Q(0), Q(3)) == 2
    assert build(signature="6/8", lines=(0, 6, 12)).find_middle(Q(0), Q(3)) == 2
    assert build(signature="6/8", lines=(0, 6, 12)).find_middle(Q(0), Q(6)) == 3

"""Bar lines moved from one of them on, and how the bar before makes up for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_service.errors import InvalidCorrections
from inference_service.music.bar_moves import BarMove, MovedLines, Stretch, move_lines

FOUR = [4 * bar for bar in range(6)]
LONG_NOTES = [0, 4, 6, 8, 9, 12, 16, 20]
EIGHTHS = [Fraction(k, 2) for k in range(40)]


def move(
    moves: Mapping[int, float | Fraction],
    attacks: Sequence[float | Fraction] = LONG_NOTES,
    lines: Sequence[int] = FOUR,
    is_single_line: bool = True,
) -> MovedLines:
    return move_lines(
        [Fraction(line) for line in lines],
        {index: Fraction(shift) for index, shift in moves.items()},
        Fraction(4),
        Fraction(1),
        [Fraction(attack) for attack in attacks],
        is_single_line=is_single_line,
    )


def lengths(moved: MovedLines) -> list[Fraction]:
    return [following - line for line, following in pairwise(moved.lines)]


def test_a_beat_too_many_is_taken_from_the_longest_note() -> None:
    moved = move({3: 1})
    assert moved.mending.stretches == (Stretch(Fraction(9), Fraction(12), Fraction(-1)),)
    assert lengths(moved) == [4] * 5
    assert moved.moves == ((13, 1),)
    assert [moved.mending.map.move(Fraction(place)) for place in (8, 9, 12, 13, 16)] == [
        8, 9, 11, 12, 15,
    ]  # fmt: skip


def test_a_missing_beat_is_added_to_the_longest_note() -> None:
    moved = move({3: -1})
    assert moved.mending.stretches == (Stretch(Fraction(9), Fraction(11), Fraction(1)),)
    assert lengths(moved) == [4] * 5


def test_of_notes_of_one_length_the_last_one_changes() -> None:
    moved = move({3: 1}, attacks=[8, 10, 13])
    assert moved.mending.stretches[0].start == 10


def test_a_rest_changes_before_the_note_in_front_of_it() -> None:
    shorter, longer = move({3: 1}).mending, move({3: -1}).mending
    assert [shorter.move_end(Fraction(end)) for end in (10, 11, 12)] == [10, 11, 11]
    assert shorter.move_end(Fraction(23, 2)) == 11
    assert [longer.move_end(Fraction(end)) for end in (10, 11, 12)] == [10, 12, 13]


def test_a_bar_whose_length_becomes_that_of_the_metre_stays_as_it_is() -> None:
    moved = move({2: -1}, lines=[0, 4, 9, 13, 17])
    assert moved.lines == (0, 4, 8, 12, 16)
    assert moved.mending.stretches == ()
    assert moved.moves == ((8, -1),)


def test_a_bar_without_a_long_note_has_a_metre_of_its_own() -> None:
    assert lengths(move({3: 1}, EIGHTHS)) == [4, 4, 5, 4, 4]
    assert lengths(move({3: -1}, EIGHTHS)) == [4, 4, 3, 4, 4]
    assert move({3: -1}, EIGHTHS).mending.stretches == ()


def test_a_quarter_becomes_a_half_in_a_single_line_only() -> None:
    quarters = range(20)
    assert lengths(move({3: -1}, quarters)) == [4] * 5
    assert lengths(move({3: -1}, quarters, is_single_line=False)) == [4, 4, 3, 4, 4]
    assert lengths(move({3: -1}, is_single_line=False)) == [4] * 5


def test_bars_have_whole_beats() -> None:
    later = move({3: Fraction(1, 2)}, EIGHTHS)
    assert lengths(later) == [4, 4, 5, 4, 4]
    assert later.mending.stretches == (Stretch(Fraction(12), Fraction(25, 2), Fraction(1, 2)),)
    assert lengths(move({3: Fraction(-1, 2)}, EIGHTHS)) == [4] * 5


def test_moves_add_up() -> None:
    moved = move({1: 1, 3: 1}, EIGHTHS)
    assert lengths(moved) == [5, 4, 5, 4, 4]
    assert moved.moves == ((5, 1), (14, 2))
    assert move({1: 1, 3: -1}, EIGHTHS).lines == (0, 5, 9, 12, 16, 20)


def test_a_move_by_a_bar_changes_no_music() -> None:
    for shift in (4, -4, 8):
        moved = move({3: shift}, EIGHTHS)
        assert moved.mending.stretches == ()
        assert set(lengths(moved)) == {4}


def test_a_move_beyond_the_music_leaves_no_line_before_it() -> None:
    assert move({1: -100}).lines[0] == -96
    assert move({}).lines == tuple(FOUR)


@given(
    st.dictionaries(st.integers(0, 5), st.integers(-20, 20).map(lambda k: Fraction(k, 4))),
    st.sets(st.integers(0, 80).map(lambda k: Fraction(k, 4))),
)
def test_bars_stay_in_order_and_notes_apart(
    moves: dict[int, Fraction], attacks: set[Fraction]
) -> None:
    moved = move(moves, sorted(attacks))
    assert all(length > 0 and length.denominator == 1 for length in lengths(moved))
    places = [moved.mending.map.move(attack) for attack in sorted(attacks)]
    assert places == sorted(set(places))
    back = moved.mending.map.inverse
    assert [back.move(place) for place in places] == sorted(attacks)
    for place in attacks:
        later = place + Fraction(1, 8)
        assert moved.mending.move_end(later) > moved.mending.map.move(place)


@pytest.mark.parametrize(("from_beat", "beats"), [(0, 1), (-1, 1), (10**6, 1), (3, 101)])
def test_moves_out_of_range_are_refused(from_beat: int, beats: int) -> None:
    with pytest.raises(InvalidCorrections):
        BarMove(Fraction(from_beat), Fraction(beats))

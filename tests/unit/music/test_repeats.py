"""The order in which bars are played."""

from __future__ import annotations

import pytest

from inference_service.music.repeats import MAX_PASSES, Jump, Signs, unfold

OPEN, CLOSE = Signs(opens=True), Signs(repeats=1)


def first(*passes: int, repeats: int = 0) -> Signs:
    """Return a bar that begins an ending for the given passes, numbered from 1."""
    return Signs(repeats=repeats, endings=sum(1 << number - 1 for number in passes))


@pytest.mark.parametrize(
    ("bars", "order"),
    [
        ([], []),
        ([Signs(), Signs(), Signs()], [0, 1, 2]),
        ([Signs(), OPEN, CLOSE, Signs()], [0, 1, 2, 1, 2, 3]),
        ([Signs(), CLOSE, Signs()], [0, 1, 0, 1, 2]),
        ([Signs(), CLOSE, Signs(), CLOSE], [0, 1, 0, 1, 2, 3, 2, 3]),
        ([OPEN, Signs(repeats=3)], [0, 1] * 4),
        ([Signs(opens=True, repeats=2), Signs()], [0, 0, 0, 1]),
        ([OPEN, CLOSE, OPEN, CLOSE], [0, 1, 0, 1, 2, 3, 2, 3]),
    ],
)
def test_repeats(bars: list[Signs], order: list[int]) -> None:
    assert unfold(bars) == order


def test_first_and_second_endings() -> None:
    bars = [OPEN, first(1, repeats=1), first(2), Signs()]
    assert unfold(bars) == [0, 1, 0, 2, 3]


def test_endings_of_several_bars() -> None:
    bars = [OPEN, first(1), CLOSE, first(2), Signs()]
    assert unfold(bars) == [0, 1, 2, 0, 3, 4]


def test_endings_for_several_passes() -> None:
    """As in Guitar Pro: 1. 2. 3. 5. 6. 7., then 4., then 8.; repeat counts are lower."""
    bars = [OPEN, first(1, 2, 3, 5, 6, 7, repeats=1), first(4, repeats=1), first(8)]
    assert unfold(bars) == [0, 1] * 3 + [0, 2] + [0, 1] * 3 + [0, 3]


def test_a_second_ending_that_goes_back_too() -> None:
    assert unfold([OPEN, first(1, repeats=1), first(2, repeats=1), Signs()]) == [0, 1, 0, 2, 3]


def test_a_first_ending_alone() -> None:
    assert unfold([OPEN, first(1, repeats=1), Signs()]) == [0, 1, 0, 2]


def test_a_repeat_after_endings_goes_back_to_after_them() -> None:
    bars = [OPEN, first(1, repeats=1), first(2), Signs(), CLOSE]
    assert unfold(bars) == [0, 1, 0, 2, 3, 4, 3, 4]


def test_the_number_of_passes_is_limited() -> None:
    assert len(unfold([OPEN, Signs(repeats=99)])) == 2 * MAX_PASSES
    assert len(unfold([Signs(opens=True, repeats=7)] * 400, limit=500)) == 500


SEGNO, CODA = Signs(is_segno=True), Signs(is_coda=True)
D_C, D_S = Signs(jump=Jump.CAPO), Signs(jump=Jump.SEGNO)


@pytest.mark.parametrize(
    ("bars", "order"),
    [
        ([Signs(), D_C], [0, 1, 0, 1]),
        ([Signs(), Signs(is_fine=True), Signs(), D_C], [0, 1, 2, 3, 0, 1]),
        ([Signs(), SEGNO, Signs(is_fine=True), D_S], [0, 1, 2, 3, 1, 2]),
        ([Signs(), SEGNO, Signs(to_coda=True), D_S, CODA], [0, 1, 2, 3, 1, 2, 4]),
        ([Signs(), D_S, Signs()], [0, 1, 2]),
        ([Signs(to_coda=True), D_C], [0, 1, 0, 1]),
        ([Signs(), D_C, D_C], [0, 1, 0, 1, 2]),
    ],
)
def test_jumps(bars: list[Signs], order: list[int]) -> None:
    assert unfold(bars) == order


def test_nothing_is_repeated_after_a_jump_and_the_last_ending_is_played() -> None:
    bars = [OPEN, first(1, repeats=1), first(2), OPEN, Signs(repeats=1, jump=Jump.CAPO)]
    assert unfold(bars) == [0, 1, 0, 2, 3, 4, 3, 4, 0, 2, 3, 4]


def test_a_jump_ends_at_the_limit() -> None:
    assert len(unfold([Signs()] * 9 + [D_C], limit=15)) == 15

"""Bar lines and metre found over written positions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from inference_service.rhythm.from_notes.bar_network import TICK
from inference_service.rhythm.from_notes.bars import Bars, find_bars
from inference_service.rhythm.from_notes.score_network import METRES, QUARTER_PARTS
from tests.unit.rhythm.from_notes.readings import SURE, even, sure


def divide(
    eighths: int,
    lines_q: Sequence[float] | NDArray[np.float64],
    metres: tuple[int, int] | Sequence[tuple[int, int]] | None = None,
    first_tick: int = 0,
) -> Bars:
    """Divide a number of eighths into bars; those at ``lines_q`` sound like downbeats."""
    odds = np.where(np.isin(np.arange(eighths) / 2, lines_q), SURE, -SURE)
    if metres is None:
        heard = even(eighths, len(METRES))
    else:
        each = [metres] * eighths if isinstance(metres, tuple) else metres
        heard = sure([METRES.index(m) for m in each], len(METRES))
    return find_bars(odds, heard, first_tick)


def lines_q(bars: Bars) -> list[float]:
    return [line / QUARTER_PARTS for line in bars.lines]


EIGHTHS = 48


@pytest.mark.parametrize(
    ("metre", "bar_q"),
    [((2, 4), 2.0), ((3, 4), 3.0), ((4, 4), 4.0), ((6, 8), 3.0), ((3, 8), 1.5), ((12, 8), 6.0)],
)
def test_regular_bars(metre: tuple[int, int], bar_q: float) -> None:
    bars = divide(EIGHTHS, np.arange(0.0, 24.0, bar_q), metre)
    assert bars.metre == metre
    assert lines_q(bars) == np.arange(0.0, 24.0 + bar_q, bar_q).tolist()


def test_downbeats_every_three_quarters_are_bars_of_three() -> None:
    bars = divide(EIGHTHS, np.arange(0.0, 24.0, 3.0))
    assert set(np.diff(lines_q(bars))) == {3.0}
    assert bars.metre in ((3, 4), (6, 8))


def test_the_metre_that_is_heard_decides_between_bars_of_one_length() -> None:
    downbeats = np.arange(0.0, 24.0, 3.0)
    assert divide(EIGHTHS, downbeats, (3, 4)).metre == (3, 4)
    assert divide(EIGHTHS, downbeats, (6, 8)).metre == (6, 8)


@pytest.mark.parametrize("pickup_q", [0.5, 1.0, 2.0, 3.0])
def test_a_pickup_belongs_to_the_bar_before(pickup_q: float) -> None:
    bars = divide(EIGHTHS, np.arange(pickup_q, 24.0, 4.0), (4, 4))
    assert lines_q(bars)[:3] == [pickup_q, pickup_q + 4, pickup_q + 8] or lines_q(bars)[:3] == [
        pickup_q - 4,
        pickup_q,
        pickup_q + 4,
    ]


def test_one_short_bar_moves_the_lines_after_it() -> None:
    expected = [0.0, 4.0, 8.0, 10.0, 14.0, 18.0, 22.0, 26.0]
    bars = divide(EIGHTHS, expected, (4, 4))
    assert bars.metre == (4, 4)
    assert lines_q(bars) == expected


def test_one_misheard_downbeat_moves_nothing() -> None:
    bars = divide(EIGHTHS, [0.0, 4.0, 8.0, 11.0, 12.0, 16.0, 20.0], (4, 4))
    assert lines_q(bars) == np.arange(0.0, 28.0, 4.0).tolist()


def test_a_bar_line_without_evidence_is_still_found() -> None:
    assert 8.0 in lines_q(divide(EIGHTHS, [0.0, 4.0, 12.0, 16.0, 20.0], (4, 4)))


def test_the_metre_may_change() -> None:
    expected = [0.0, 3.0, 6.0, 9.0, 12.0, 16.0, 20.0, 24.0, 28.0, 32.0]
    heard = [(3, 4) if eighth < 24 else (4, 4) for eighth in range(64)]
    bars = divide(64, expected, heard)
    assert lines_q(bars) == expected
    assert bars.metre == (4, 4)  # the metre of most quarters


def test_lines_embrace_the_music() -> None:
    generator = np.random.default_rng(0)
    for count in range(1, 100):
        bars = find_bars(generator.normal(0, 3, count), even(count, len(METRES)))
        assert (np.diff(bars.lines) > 0).all()
        assert max(np.diff(bars.lines)) <= 12 * TICK
        assert bars.lines[0] <= 12 * TICK
        assert bars.lines[-1] >= count * TICK
        assert bars.metre in METRES


@pytest.mark.parametrize("first_tick", [0, 1, 2001])
def test_lines_count_from_where_positions_do(first_tick: int) -> None:
    bars = divide(EIGHTHS, np.arange(0.0, 24.0, 4.0), (4, 4), first_tick)
    assert bars.lines[0] == first_tick * TICK


def test_one_eighth_is_in_a_bar() -> None:
    bars = divide(1, [0.0], (3, 4))
    assert bars.metre == (3, 4)
    assert lines_q(bars) == [0.0, 3.0]


def test_a_long_silence_is_full_of_bars() -> None:
    odds = np.full(808, -1.5)  # as the network answers where nothing sounds
    odds[[0, 800]] = SURE
    bars = find_bars(odds, even(808, len(METRES)) + sure([2] * 808, len(METRES)))
    assert lines_q(bars) == np.arange(0.0, 408.0, 4.0).tolist()

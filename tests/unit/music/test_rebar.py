"""Other bars on other beats."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise

import pytest

from inference_service.errors import InvalidCorrections
from inference_service.music.events import Beat
from inference_service.music.metre import BarGrid, TimeSignature, parse_time_signature
from inference_service.music.rebar import Rebarred, rebar
from inference_service.music.time import BeatGrid

BEAT_S = 0.5


def hear(lengths: Sequence[int], signature: str = "4/4") -> BarGrid:
    """Bars of so many beats each, half a second apart."""
    beats = [position for length in lengths for position in range(1, length + 1)]
    grid = BeatGrid([Beat(BEAT_S * k, position) for k, position in enumerate(beats)])
    downbeats = tuple(k for k, position in enumerate(beats) if position == 1)
    return BarGrid(grid, parse_time_signature(signature), downbeats, 60 / BEAT_S)


def write(
    bars: BarGrid,
    signature: str,
    scale: Fraction = Fraction(1),
    first_bar: Fraction | None = None,
) -> Rebarred:
    beats, unit = map(int, signature.split("/"))
    span = (Fraction(0), Fraction(len(bars.grid.beats) - 1))
    return rebar(bars, TimeSignature(beats, unit), scale, span, Fraction(0), first_bar)


def lines(written: Rebarred) -> list[float]:
    """Times of the downbeats, in heard beats."""
    return [beat.time_s / BEAT_S for beat in written.beats if beat.position == 1]


def lengths(written: Rebarred) -> list[int]:
    starts = [k for k, beat in enumerate(written.beats) if beat.position == 1]
    return [b - a for a, b in pairwise(starts)]


def test_the_same_bars_stay() -> None:
    bars = hear([4, 4, 5, 4, 4])
    written = write(bars, "4/4")
    assert lines(written) == list(accumulate([0, 4, 4, 5, 4]))
    assert written.map.move(Fraction(29, 3)) == Fraction(29, 3)
    assert written.tempo_bpm == 120


def test_a_long_bar_stays_where_all_bars_are_moved() -> None:
    bars = hear([4, 4, 5, 4, 4])
    assert lines(write(bars, "4/4", first_bar=Fraction(1)))[:5] == [1, 5, 9, 14, 18]
    assert lines(write(bars, "4/4", first_bar=Fraction(3)))[:5] == [3, 7, 12, 16, 20]
    assert lines(write(bars, "4/4", first_bar=Fraction(13))) == lines(write(bars, "4/4"))


def test_bars_begin_between_two_beats() -> None:
    written = write(hear([4] * 3), "4/4", first_bar=Fraction(1, 2))
    assert lines(written)[:2] == [0.5, 4.5]
    assert written.map.move(Fraction(1, 2)).denominator == 1


def test_bars_of_another_length_are_regular() -> None:
    assert lines(write(hear([4, 4, 5, 4]), "3/4")) == [0, 3, 6, 9, 12, 15]


def test_values_are_doubled_and_halved() -> None:
    bars = hear([4] * 4)
    doubled = write(bars, "4/4", Fraction(2))
    assert lines(doubled) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert doubled.map.move(Fraction(3)) == 6
    assert doubled.tempo_bpm == 240
    halved = write(bars, "4/4", Fraction(1, 2))
    assert lines(halved) == [0, 8]
    assert halved.map.move(Fraction(3)) == Fraction(3, 2)


def test_a_long_bar_survives_halves_and_doubles() -> None:
    bars = hear([4, 4, 5, 4, 4, 4])
    assert lengths(write(bars, "4/4", Fraction(1, 2))) == [4, 5]
    assert lines(write(bars, "2/4")) == [0, 2, 4, 6, 8, 10, 13, 15, 17, 19, 21, 23]


def test_quarters_become_dotted_and_three_eighths() -> None:
    written = write(hear([4] * 4), "12/8", Fraction(3, 2))
    assert lengths(written) == [12, 12, 12]
    assert written.map.move(Fraction(1)) == 3
    same = write(hear([3] * 4, "3/4"), "6/8")
    assert lengths(same) == [6, 6, 6]
    assert same.map.move(Fraction(1)) == 2


def test_time_before_the_recording_has_no_beats() -> None:
    written = write(hear([4] * 3), "4/4", first_bar=Fraction(-1))
    assert written.beats[0] == Beat(0.0, 2)
    assert written.map.move(Fraction(-1)) == -1


@pytest.mark.parametrize(("signature", "scale"), [("4/16", Fraction(12)), ("2/2", Fraction(1, 12))])
def test_beats_that_no_one_could_count_are_refused(signature: str, scale: Fraction) -> None:
    with pytest.raises(InvalidCorrections):
        write(hear([4] * 4), signature, scale)


def test_long_gaps_and_close_beats_stay_in_order() -> None:
    times_s = [0.0, 0.06, 0.12, 0.18, 7.0, 7.5, 8.0, 8.5, 9.0, 9.5, 10.0, 10.5]
    beats = [Beat(time_s, k % 4 + 1) for k, time_s in enumerate(times_s)]
    bars = BarGrid(BeatGrid(beats), TimeSignature(4, 4), (0, 4, 8), 120.0)
    for scale in (Fraction(2), Fraction(1, 2), Fraction(1, 4)):
        written = write(bars, "4/4", scale)
        assert len(BeatGrid(written.beats).beats) == len(written.beats)
        places = [written.map.move(Fraction(k, 4)) for k in range(48)]
        assert places == sorted(set(places))

"""MUSTER's error rates, by worked examples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from tests.bench import muster
from tests.bench.muster import ErrorRates, ScoreNotes, align, rhythm_correction_cost

PERFECT = ErrorRates(0.0, 0.0, 0.0, 0.0, 0.0)
Note = tuple[float, float, int]


def build(notes: Sequence[Note]) -> ScoreNotes:
    """Notes as (onset, length, pitch), in quarters."""
    return ScoreNotes(
        np.array([onset for onset, _, _ in notes], dtype=np.float64),
        np.array([onset + length for onset, length, _ in notes], dtype=np.float64),
        np.array([pitch for _, _, pitch in notes], dtype=np.int64),
    )


def build_line(lengths: Sequence[float], pitches: Sequence[int] | None = None) -> ScoreNotes:
    """Consecutive notes, rising where no pitches are given."""
    onsets = np.cumsum([0.0, *lengths])[:-1]
    pitches = pitches or range(60, 60 + len(lengths))
    return build([(float(on), n, p) for on, n, p in zip(onsets, lengths, pitches, strict=True)])


def stretch(notes: ScoreNotes, factor: float, start: float = 0.0) -> ScoreNotes:
    """The same notes with values after ``start`` multiplied."""

    def move(times: np.ndarray) -> np.ndarray:
        return np.where(times > start, start + factor * (times - start), times)

    return ScoreNotes(move(notes.onsets), move(notes.offsets), notes.pitches)


CHORALE = build(
    [
        (0, 1, 60), (0, 2, 48), (0, 1, 64), (0.75, 0.25, 72),
        (1, 1, 62), (1, 1, 65), (1.5, 1.0, 74), (2, 0, 71), (2, 1 / 3, 64), (2, 1, 43),
        (2 + 1 / 3, 1 / 3, 65), (2 + 2 / 3, 1 / 3, 67), (3, 1, 60), (3, 1.5, 48),
    ]
)  # fmt: skip
"""Chords, triplets, a grace note, overlapping notes, and an offset where no note begins."""


def test_a_score_against_itself_has_no_errors() -> None:
    assert muster.muster(CHORALE, CHORALE) == PERFECT


@pytest.mark.parametrize("factor", [0.5, 2.0, 4.0, 1.5, 2 / 3])
def test_other_note_values_throughout_cost_one_scale(factor: float) -> None:
    rates = muster.muster(CHORALE, stretch(CHORALE, factor))
    assert rates.onset == pytest.approx(100 / len(CHORALE))
    assert rates.mean == pytest.approx(rates.onset / 5)


def test_other_note_values_from_somewhere_cost_one_scale() -> None:
    line = build_line([1.0] * 12)
    rates = muster.muster(line, stretch(line, 2.0, start=6.0))
    assert rates.onset == pytest.approx(100 / 12)


def test_a_note_value_that_is_too_long_costs_one_shift() -> None:
    rates = muster.muster(build_line([1.0] * 8), build_line([1.0] * 3 + [1.5] + [1.0] * 4))
    assert rates.onset == pytest.approx(100 / 8)
    assert rates.offset == 0.0


def test_a_note_that_alone_is_displaced_costs_two_shifts() -> None:
    rates = muster.muster(build_line([1.0] * 8), build_line([1.0] * 2 + [1.25, 0.75] + [1.0] * 4))
    assert rates.onset == pytest.approx(100 * 2 / 8)


def test_triplets_written_as_dotted_notes_cost_one_scale_and_every_other_note() -> None:
    # 2/3 for 3/4 is the scale 8/9, under which the 1/3 for 1/4 that follows each is a shift
    cost, _ = rhythm_correction_cost(
        build_line([2 / 3, 1 / 3] * 4 + [1.0]).onsets, build_line([3 / 4, 1 / 4] * 4 + [1.0]).onsets
    )
    assert cost == 1 + 4


def test_a_chord_taken_apart_costs_a_shift_there_and_back() -> None:
    truth = build([(0, 1, 60), (0, 1, 64), (0, 1, 67), (1, 1, 65), (2, 1, 64)])
    rolled = build([(0, 1, 60), (0, 1, 64), (0.25, 0.75, 67), (1, 1, 65), (2, 1, 64)])
    rates = muster.muster(truth, rolled)
    assert (rates.missing, rates.extra) == (0.0, 0.0)
    assert rates.onset == pytest.approx(100 * 2 / 5)


def test_the_cost_is_the_least_of_all_ways() -> None:
    generator = np.random.default_rng(3)
    values = np.array([0.0, 0.25, 1 / 3, 0.5, 0.75, 1.0, 1.5, 2.0])
    for _ in range(5):
        true, estimated = (np.cumsum(generator.choice(values, size=7)) for _ in range(2))
        assert rhythm_correction_cost(true, estimated)[0] == _least_cost(true, estimated)


def _least_cost(true_onsets: np.ndarray, onsets: np.ndarray) -> int:
    """The definition, computed by trying every scale for every interval."""
    true_intervals, intervals = np.diff(true_onsets), np.diff(onsets)
    scales = [float(scale) for scale in muster._scales()]

    @cache
    def least(i: int, scale: float) -> int:
        if i == len(intervals):
            return 0
        fitting = {s for s in scales if abs(true_intervals[i] - s * intervals[i]) < 0.01}
        # a scale that does not fit is no better than the current one
        return min((s != scale) + (s not in fitting) + least(i + 1, s) for s in {scale, *fitting})

    return least(0, 1.0)


def test_offsets_are_judged_where_onsets_are_right() -> None:
    truth = build_line([1.0] * 4)
    short = ScoreNotes(truth.onsets, truth.onsets + np.array([1.0, 0.5, 1.0, 1.0]), truth.pitches)
    assert muster.muster(truth, short) == ErrorRates(0.0, 0.0, 0.0, 0.0, 25.0)


def test_an_offset_between_onsets_is_carried_with_them() -> None:
    truth = build([(0, 1, 60), (0, 1.5, 48), (1, 1, 62), (2, 1, 64)])
    late = build([(0, 2, 60), (0, 2.5, 48), (2, 1, 62), (3, 1, 64)])  # the first beat is too long
    assert muster.muster(truth, late).offset == 0.0
    tenor = build([(0, 2, 60), (0, 2.25, 48), (2, 1, 62), (3, 1, 64)])
    assert muster.muster(truth, tenor).offset == pytest.approx(25.0)


def test_notes_are_missing_extra_or_of_wrong_pitch() -> None:
    truth = build_line([1.0] * 5, [60, 62, 64, 65, 67])
    rates = muster.muster(truth, build_line([1.0] * 5, [60, 62, 63, 65, 67]))
    assert rates == ErrorRates(20.0, 0.0, 0.0, 0.0, 0.0)
    without = truth.take(np.array([0, 1, 3, 4]))
    assert muster.muster(truth, without) == ErrorRates(0.0, 20.0, 0.0, 0.0, 0.0)
    assert muster.muster(without, truth) == ErrorRates(0.0, 0.0, 20.0, 0.0, 0.0)


def test_a_note_that_another_voice_doubles_counts_once() -> None:
    doubled = build([(0, 1, 60), (0, 2, 60), (1, 1, 62)])
    assert muster.muster(doubled, build([(0, 1, 60), (1, 1, 62)])) == PERFECT
    assert muster.muster(build([(0, 1, 60), (1, 1, 62)]), doubled) == PERFECT


def test_a_figure_that_repeats_is_aligned_in_spite_of_gaps() -> None:
    alberti = build_line([0.5] * 32, [48, 55, 52, 55] * 8)
    kept = np.array([i for i in range(32) if i not in (5, 6, 18)])
    alignment = align(alberti, alberti.take(kept))
    assert len(alignment.truth) == 29
    assert len(alignment.missing) == 3
    assert len(alignment.extra) == 0


def test_a_note_off_its_chord_is_matched_near_its_place() -> None:
    truth = build([(0, 1, 60), (1, 1, 62), (1, 1, 65), (2, 1, 64), (3, 1, 60)])
    late = build([(0, 1, 60), (1, 1, 62), (1.5, 0.5, 65), (2, 1, 64), (3, 1, 60)])
    alignment = align(truth, late)
    assert list(alignment.truth) == list(alignment.estimate) == [0, 1, 2, 3, 4]


def test_without_notes() -> None:
    nothing, line = build([]), build_line([1.0] * 4)
    assert muster.muster(nothing, nothing) == PERFECT
    assert muster.muster(line, nothing) == ErrorRates(0.0, 100.0, 0.0, 0.0, 0.0)
    assert muster.muster(nothing, line) == ErrorRates(0.0, 0.0, 100.0, 0.0, 0.0)

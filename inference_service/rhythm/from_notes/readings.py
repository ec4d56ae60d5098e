"""The probabilities of complete readings of a piece, in terms of the beats of the best one."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference_service.music.alternatives import count_steps, number_beat
from inference_service.music.events import Beat, RhythmReading
from inference_service.rhythm.from_notes.bars import Bars


class CompleteReading(Protocol):
    """N attacks in bars; positions and bar lines in 24ths of a quarter, the score logarithmic."""

    @property
    def positions(self) -> NDArray[np.int64]:
        """Written positions, shape (N,), not descending."""

    @property
    def bars(self) -> Bars:
        """Bar lines and metre."""

    @property
    def score(self) -> float:
        """Up to a constant."""


def compare(
    readings: Sequence[CompleteReading],
    sharpness: float,
    onset_s: NDArray[np.float64],
    beats: Sequence[Beat],
) -> tuple[RhythmReading, ...]:
    """Return the readings, in the same order, with probabilities that sum to 1.

    Parameters
    ----------
    readings : sequence of CompleteReading
        At least one, all of the same attacks.
    sharpness : float
        Factor of the scores that makes their softmax a probability.
    onset_s : np.ndarray, shape (N,)
        Times of the attacks.
    beats : sequence of Beat
        Those of the first reading.
    """
    scores = sharpness * np.array([reading.score for reading in readings])
    return _describe(readings, np.exp(scores - np.logaddexp.reduce(scores)), onset_s, beats)


def weigh(
    readings: Sequence[CompleteReading], onset_s: NDArray[np.float64], beats: Sequence[Beat]
) -> tuple[RhythmReading, ...]:
    """Return the readings like :func:`compare`; their scores are log probabilities."""
    probabilities = np.exp([reading.score for reading in readings])
    return _describe(readings, probabilities, onset_s, beats)


def _describe(
    readings: Sequence[CompleteReading],
    probabilities: NDArray[np.float64],
    onset_s: NDArray[np.float64],
    beats: Sequence[Beat],
) -> tuple[RhythmReading, ...]:
    beats_s = [beat.time_s for beat in beats]
    steps = count_steps(_name_metre(readings[0]))
    return tuple(
        RhythmReading(
            time_signature=_name_metre(reading),
            beat_scale=_compare_values(reading.positions, readings[0].positions),
            first_beat=number_beat(_time_first_bar(reading, onset_s), beats_s, steps),
            probability=float(probability),
        )
        for reading, probability in zip(readings, probabilities, strict=True)
    )


def _name_metre(reading: CompleteReading) -> str:
    return f"{reading.bars.metre[0]}/{reading.bars.metre[1]}"


def _compare_values(positions: NDArray[np.int64], chosen: NDArray[np.int64]) -> float:
    """Return the factor of written values, from the median steps of both."""
    steps, chosen_steps = np.diff(positions), np.diff(chosen)
    moved = (steps > 0) & (chosen_steps > 0)
    if not moved.any():
        return 1.0
    ratio = float(np.median(steps[moved] / chosen_steps[moved]))
    return float(Fraction(ratio).limit_denominator(4))


def _time_first_bar(reading: CompleteReading, onset_s: NDArray[np.float64]) -> float:
    """Return the time of the first bar line that is not before the music, in seconds."""
    places, first = np.unique(reading.positions, return_index=True)
    times_s = onset_s[first]
    line = next((line for line in reading.bars.lines if line >= places[0]), int(places[0]))
    if line <= places[-1] or len(places) < 2:
        return float(np.interp(line, places, times_s))
    pace_s = (times_s[-1] - times_s[0]) / (places[-1] - places[0])
    return float(times_s[-1] + (line - places[-1]) * pace_s)

"""The probabilities of complete readings of a piece, in terms of the beats of the best one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import Beat, RhythmReading
from inference_service.rhythm.from_notes.bar_network import TICK
from inference_service.rhythm.from_notes.bars import Bars, Floats, score_steady_bars
from inference_service.rhythm.from_notes.score_network import METRES

# Of music with several notes at a time, as it is read in one half of ASAP's pieces: how often its
# written values are right, or should be halved or doubled; and the factor that makes the softmax of
# the metres' scores, divided by the number of eighths, a probability where the values are right
# (docs/notation.md).
SCALE_SHARES: Final = ((1.0, 0.56), (0.5, 0.33), (2.0, 0.11))
METRE_SHARPNESS: Final = 2.5

LEAST_PROBABILITY: Final = 0.01
"""Less probable readings are left out; the probabilities of the others do not sum to 1."""

FIRST_BEAT_STEPS: Final = 4
"""First beats are rounded to this fraction of a beat."""


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


@dataclass(frozen=True, slots=True)
class SteadyReading:
    """A :class:`CompleteReading` whose bars are all of one length."""

    positions: NDArray[np.int64]
    bars: Bars
    score: float


def list_steady(
    odds: Floats, metre: Floats, first_tick: int, positions: NDArray[np.int64], chosen: Bars
) -> list[SteadyReading]:
    """Return readings of music in other metres, and in other values; first the chosen one.

    The scores are log probabilities.

    Parameters
    ----------
    odds, metre, first_tick
        As :func:`~.bars.find_bars` takes them.
    positions : np.ndarray of int, shape (N,), not descending
    chosen : Bars
        What :func:`~.bars.find_bars` found.
    """
    steady = score_steady_bars(odds, metre)
    fits = METRE_SHARPNESS * np.array([scores.max() for scores in steady]) / len(odds)
    metres = fits - np.logaddexp.reduce(fits)
    own = float(metres[METRES.index(chosen.metre)])
    (_, right), *others = SCALE_SHARES
    readings = [SteadyReading(positions, chosen, float(np.log(right)) + own)]
    for scores, name, log_share in zip(steady, METRES, metres, strict=True):
        if name != chosen.metre:
            begin = (first_tick + int(scores.argmax())) * TICK
            bars = _lay_bars(begin, len(scores) * TICK, name, positions)
            readings.append(SteadyReading(positions, bars, float(np.log(right) + log_share)))
    length = len(steady[METRES.index(chosen.metre)]) * TICK
    for scale, share in others:
        scaled = (positions * scale).astype(np.int64)
        full = next((line for line in chosen.lines if line >= positions[0]), chosen.lines[0])
        bars = _lay_bars(int(full * scale), length, chosen.metre, scaled)
        readings.append(SteadyReading(scaled, bars, float(np.log(share)) + own))
    return readings


def _lay_bars(
    begin: int, length: int, metre: tuple[int, int], positions: NDArray[np.int64]
) -> Bars:
    """Return steady bars over all positions, one of which begins at ``begin``."""
    start = begin - length * max(0, -(-(begin - int(positions[0])) // length))
    return Bars(tuple(range(start, int(positions[-1]) + length + 1, length)), metre)


def compare(
    readings: Sequence[CompleteReading],
    sharpness: float,
    onset_s: NDArray[np.float64],
    beats: Sequence[Beat],
) -> tuple[RhythmReading, ...]:
    """Return the likely readings, the first of ``readings`` first, then the likeliest.

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
    """Return the likely readings like :func:`compare`; their scores are log probabilities."""
    probabilities = np.exp([reading.score for reading in readings])
    return _describe(readings, probabilities, onset_s, beats)


def _describe(
    readings: Sequence[CompleteReading],
    probabilities: NDArray[np.float64],
    onset_s: NDArray[np.float64],
    beats: Sequence[Beat],
) -> tuple[RhythmReading, ...]:
    beats_s = [beat.time_s for beat in beats]
    order = sorted(range(1, len(readings)), key=lambda index: -probabilities[index])
    likely = [index for index in order if probabilities[index] >= LEAST_PROBABILITY]
    return tuple(
        RhythmReading(
            time_signature=f"{reading.bars.metre[0]}/{reading.bars.metre[1]}",
            beat_scale=_compare_values(reading.positions, readings[0].positions),
            first_beat=number_beat(_time_first_bar(reading, onset_s), beats_s),
            probability=float(probability),
        )
        for reading, probability in ((readings[k], probabilities[k]) for k in (0, *likely))
    )


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


def number_beat(time_s: float, beats_s: Sequence[float]) -> float:
    """Return the number of the beat at a time, counted from 1, extrapolated beyond the ends."""
    numbers = np.arange(1.0, len(beats_s) + 1)
    number = float(np.interp(time_s, beats_s, numbers))
    if len(beats_s) > 1:
        typical_s = float(np.median(np.diff(beats_s)))
        number += min(time_s - beats_s[0], 0.0) / typical_s
        number += max(time_s - beats_s[-1], 0.0) / typical_s
    return round(number * FIRST_BEAT_STEPS) / FIRST_BEAT_STEPS

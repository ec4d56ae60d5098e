"""Other readings of a piece: which metre, bars, values and key were nearly chosen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

import numpy as np

from inference_service.music.events import Alternative, KeyEstimate, RhythmReading
from inference_service.music.metre import parse_time_signature

LEAST_PROBABILITY: Final = 0.02
"""Readings that are less probable are not worth offering."""

MOST: Final = 12

DOUBT: Final = 0.75
"""A metre or key that is less probable than this is doubtful. On 53 sung clips, 40 % of the metres
are; of those, 71 % are right, and 88 % of the others."""


def combine(
    readings: Sequence[RhythmReading], keys: Sequence[KeyEstimate]
) -> tuple[Alternative, ...]:
    """Return the alternatives of a piece, given the readings of its rhythm and of its key.

    Rhythm and key are taken to be independent. The first reading with the first key comes first,
    since it is what the page shows; the others follow, the likeliest first.
    """
    pairs = [
        Alternative(
            time_signature=reading.time_signature,
            beat_scale=reading.beat_scale,
            first_beat=reading.first_beat,
            key=key.key,
            probability=reading.probability * key.probability,
        )
        for reading in readings
        for key in keys
    ]
    others = sorted(pairs[1:], key=lambda pair: -pair.probability)
    likely = [pair for pair in others if pair.probability >= LEAST_PROBABILITY]
    return tuple(pairs[:1] + likely[: MOST - 1])


def find_share(
    alternatives: Collection[Alternative], is_meant: Callable[[Alternative], bool]
) -> float:
    """Return the probability of the readings that are meant; 0 without alternatives.

    It is their share of the probability of all alternatives, as those that are too improbable to be
    listed are taken to be of all kinds alike. On 53 sung clips, the metre of the page is right in
    0.81 of them; the mean of this share is 0.77, that of the sum 0.64.
    """
    total = sum(other.probability for other in alternatives)
    meant = sum(other.probability for other in alternatives if is_meant(other))
    return meant / total if total else 0.0


def is_doubtful(probability: float) -> bool:
    """Whether a reading is to be shown as doubtful; one of unknown probability, 0, is not."""
    return 0 < probability < DOUBT


def count_steps(time_signature: str) -> int:
    """Return into how many steps a beat of a metre is divided, on which the bars of others begin.

    Those are the eighths of a dotted beat, as its beats are counted, and quarters of any other.
    """
    return 3 if parse_time_signature(time_signature).is_compound else 4


def number_beat(time_s: float, beats_s: Sequence[float], steps: int) -> float:
    """Return the number of the beat at a time, counted from 1, extrapolated beyond the ends.

    It is rounded to a fraction of a beat, of which there are ``steps``.
    """
    numbers = np.arange(1.0, len(beats_s) + 1)
    number = float(np.interp(time_s, beats_s, numbers))
    if len(beats_s) > 1:
        typical_s = float(np.median(np.diff(beats_s)))
        number += min(time_s - beats_s[0], 0.0) / typical_s
        number += max(time_s - beats_s[-1], 0.0) / typical_s
    return round(number * steps) / steps


def find_beat(number: float, beats_s: Sequence[float]) -> float:
    """Return the time of a beat by its number, as :func:`number_beat` counts them.

    Without beats, they are seconds from the start.
    """
    if len(beats_s) < 2:
        return (beats_s[0] if beats_s else 0.0) + number - 1
    numbers = np.arange(1.0, len(beats_s) + 1)
    typical_s = float(np.median(np.diff(beats_s)))
    time_s = float(np.interp(number, numbers, beats_s))
    time_s += min(number - 1, 0.0) * typical_s
    return time_s + max(number - len(beats_s), 0.0) * typical_s

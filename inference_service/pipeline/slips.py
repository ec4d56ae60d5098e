"""Where the bar lines of a page may have slipped, in terms of the page as it is shown.

There are two kinds of evidence: slips that were compared when rhythm was estimated
(:class:`~inference_service.music.events.Slip`), and bars that are longer or shorter than the metre
requires. Slips that have been corrected are no longer offered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

from inference_service.music.adjustments import BarShift, BarUnit, LocalShift
from inference_service.music.metre import TimeSignature
from inference_service.music.score import Score
from inference_service.notation.quantize import WrittenPerformance
from inference_service.pipeline.correct import Corrected

MOST: Final = 3
MOST_BEATS: Final = 2
_NEAR_BEATS: Final = 0.1


@dataclass(frozen=True, slots=True)
class LocalOffer:
    """A move of bar lines from a bar on; ``weight`` is that of the slip, or 0 for an odd bar."""

    shift: LocalShift
    weight: float = 0.0


def list_local_offers(corrected: Corrected, written: WrittenPerformance) -> tuple[LocalOffer, ...]:
    """Return the moves that are most worth while to ask about, at most :data:`MOST`.

    First those that were compared, the weightiest first, then those that give bars their regular
    length, in order.
    """
    numbers = corrected.number_unmoved(written.bar_lines_s[:-1])
    moved = {
        number
        for number in numbers
        for move in corrected.heard.corrections.bar_moves
        if abs(number - move.from_beat) < _NEAR_BEATS
    }
    offers: dict[LocalShift, LocalOffer] = {}
    compared = _list_compared(corrected, numbers, written.score.signature)
    for number, offer in (*compared, *_list_odd(written.score, numbers)):
        if number not in moved:
            offers.setdefault(offer.shift, offer)
    return tuple(offers.values())[:MOST]


_Numbered = tuple[Fraction, LocalOffer]
"""An offer, and the number of the heard beat of its first line."""


def _list_compared(
    corrected: Corrected, numbers: Sequence[Fraction], signature: TimeSignature
) -> Iterator[_Numbered]:
    later = range(2, len(numbers) + 1)
    for slip in corrected.heard.slips if later else ():
        bar = min(later, key=lambda bar: abs(float(numbers[bar - 1]) - slip.from_beat))
        quarters = Fraction(slip.beats).limit_denominator(12) * corrected.heard_beat_quarters
        shift = _express(quarters, signature)
        if shift is not None:
            yield numbers[bar - 1], LocalOffer(LocalShift(bar, shift), slip.weight)


def _list_odd(score: Score, numbers: Sequence[Fraction]) -> Iterator[_Numbered]:
    """Yield the moves that give bars before them their regular length."""
    signature = score.signature
    bars = [bar for bar in score.bars() if bar.number]
    for (bar, following), number in zip(pairwise(bars), numbers[1:], strict=False):
        missing = signature.beats - bar.length_beats
        shift = _express(missing * signature.beat_quarters, signature)
        if missing and shift is not None:
            yield number, LocalOffer(LocalShift(following.number, shift))


def _express(quarters: Fraction, signature: TimeSignature) -> BarShift | None:
    """Return a distance, the shorter way round a bar, if a reader counts it in beats or eighths."""
    bar = signature.beats * signature.beat_quarters
    rest = quarters % bar
    if rest > bar / 2 or (rest == bar / 2 and quarters < 0):
        rest -= bar
    for unit, most in ((BarUnit.BEAT, MOST_BEATS), (BarUnit.EIGHTH, 1)):
        count = rest / unit.in_quarters(signature)
        if count.denominator == 1 and 0 < abs(count) <= most:
            return BarShift(int(count), unit)
    return None

"""The order in which written bars are played.

Repeats and alternative endings are unfolded. Only the first da capo or dal segno is followed.
After the jump repeats are ignored, the last ending is played, and the music ends at the fine or
continues at the coda, if there is one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final, NamedTuple

MAX_BARS: Final = 1000
MAX_PASSES: Final = 8
"""Most passes through a repeat. Files that ask for ninety-nine do not mean it."""


class Jump(Enum):
    """The target of a jump at the end of a bar."""

    NONE = 0
    CAPO = 1
    SEGNO = 2


class Signs(NamedTuple):
    """The repeat and jump signs of a bar.

    Attributes
    ----------
    opens : bool
        Whether a repeat begins with the bar.
    repeats : int
        How many times to go back at its end.
    endings : int
        Bit mask of the passes for which an ending begins here; 0 if none does.
    jump : Jump
        Jump at its end.
    is_segno, is_coda : bool
        Whether the sign stands at its beginning.
    to_coda, is_fine : bool
        Whether the sign stands at its end.
    """

    opens: bool = False
    repeats: int = 0
    endings: int = 0
    jump: Jump = Jump.NONE
    is_segno: bool = False
    is_coda: bool = False
    to_coda: bool = False
    is_fine: bool = False


def unfold(bars: Sequence[Signs], limit: int = MAX_BARS) -> list[int]:
    """Return the indices of bars in playing order, at most ``limit`` of them.

    A repeat without a start sign goes back to the end of the previous repeat. An ending extends to
    the bar with the repeat sign; its passes, not that bar's count, determine how often it is
    played. On a pass without an ending of its own, as when there is only a first ending, the music
    continues after the endings. Jumps to a missing sign are ignored.
    """
    jumps = [(at, _find_target(bars, at)) for at, bar in enumerate(bars) if bar.jump.value]
    at, target = next((jump for jump in jumps if jump[1] is not None), (len(bars), None))
    order = _unfold_repeats(bars[: at + 1], limit)
    if target is not None:
        order += _follow(bars, target)
    return order[:limit]


def _find_target(bars: Sequence[Signs], at: int) -> int | None:
    if bars[at].jump is Jump.CAPO:
        return 0
    return max((index for index in range(at + 1) if bars[index].is_segno), default=None)


def _follow(bars: Sequence[Signs], start: int) -> Iterator[int]:
    """Yield the indices of the bars played after a jump to ``start``."""
    endings = _spread_endings(bars)
    codas = [index for index, bar in enumerate(bars) if bar.is_coda]
    index = start
    while index < len(bars):
        stop = index
        while stop < len(bars) and endings[stop] == endings[index]:
            stop += 1
        if endings[index] and stop < len(bars) and endings[stop]:
            index = stop
            continue
        yield index
        if bars[index].is_fine:
            return
        coda = next((coda for coda in codas if coda > index), None)
        index = coda if bars[index].to_coda and coda is not None else index + 1


def _unfold_repeats(bars: Sequence[Signs], limit: int) -> list[int]:
    endings = _spread_endings(bars)
    order: list[int] = []
    gone_back: Counter[int] = Counter()
    index = start = passed = 0
    while index < len(bars) and len(order) < limit:
        bar, ending = bars[index], endings[index]
        if index != start and (bar.opens or (not ending and endings[index - 1])):
            start, passed = index, 0
        if ending and not ending >> passed & 1:
            index += 1
            continue
        order.append(index)
        if bar.repeats and _goes_back(bars, endings, index, start, passed, gone_back[index]):
            gone_back[index] += 1
            index, passed = start, passed + 1
            continue
        if bar.repeats:
            gone_back[index] = 0
            if not ending:
                start, passed = index + 1, 0
        index += 1
    return order


def _goes_back(
    bars: Sequence[Signs], endings: Sequence[int], index: int, start: int, passed: int, gone: int
) -> bool:
    if passed + 1 >= MAX_PASSES:
        return False
    if not endings[index]:
        return gone < bars[index].repeats
    stop = next((k for k in range(start + 1, len(bars)) if bars[k].opens), len(bars))
    others = {ending for ending in endings[start:stop] if ending} - {endings[index]}
    if not others:
        return gone < bars[index].repeats
    return any(ending >> passed + 1 & 1 for ending in endings[start:stop])


def _spread_endings(bars: Sequence[Signs]) -> list[int]:
    """Return the bit mask of passes for every bar, extending each ending over all its bars.

    A last ending has no repeat sign to mark where it stops, and is taken to be one bar.
    """
    spread = [0] * len(bars)
    is_first = True
    for index, bar in enumerate(bars):
        is_first = is_first or bar.opens
        if not bar.endings:
            continue
        stop = index
        while not bars[stop].repeats and stop + 1 < len(bars):
            if bars[stop + 1].opens or bars[stop + 1].endings:
                break
            stop += 1
        is_last = not any(following.endings for following in bars[stop + 1 : stop + 2])
        last = stop if bars[stop].repeats and (is_first or not is_last) else index
        spread[index : last + 1] = [bar.endings] * (last + 1 - index)
        is_first = False
    return spread

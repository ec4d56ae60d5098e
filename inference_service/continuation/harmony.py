"""Conversion between bars of chords and words of the harmony grammar."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final

from inference_service.continuation.degrees import SILENCE, name_degree, signature_tonic
from inference_service.continuation.grammar import Grammar, is_sign
from inference_service.music.events import Key
from inference_service.music.score import Bar, Score

BAR: Final = "|"
HELD: Final = "."
_DIVISIONS: Final = (1, 2, 3, 4)
_DIVIDING: Final = ("division", "approach_major", "approach_minor", "half_close")
"""Rules whose alternatives have one symbol for each part of a bar."""

Slots = tuple[str, ...]
"""The degrees of the equal parts into which a bar is divided."""


def find_slots(score: Score, bars: Sequence[Bar], key: Key | None = None) -> list[Slots]:
    """Return the degrees of bars, each divided into as few equal parts as its changes require.

    Degrees refer to ``key``, or to the keys in force if it is None. Chord changes are moved to the
    nearest beat. A bar whose changes do not fit any division gets the degree that lasts longest.
    """
    starts = [chord.start_beats for chord in score.chords]
    labels = [chord.label for chord in score.chords]

    def degree_at(position: Fraction) -> str:
        index = bisect_right(starts, position) - 1
        tonic = signature_tonic(key or score.key_at(position))
        return name_degree(labels[index], tonic) if index >= 0 else SILENCE

    return [_divide(_degrees_by_beat(bar, degree_at)) for bar in bars]


def write_harmony(slots: Sequence[Slots], before: str = "") -> list[str]:
    """Return bars as words; ``before`` is the degree that sounds before the first bar."""
    words: list[str] = []
    for bar in slots:
        words.append(BAR)
        for degree in bar:
            words.append(HELD if degree == before else degree)
            before = degree
    return words


def read_harmony(words: Sequence[str], before: str = SILENCE) -> list[Slots]:
    """Return the bars of words; the inverse of :func:`write_harmony`."""
    bars: list[list[str]] = []
    for word in words:
        if word == BAR:
            bars.append([])
            continue
        before = before if word == HELD else word
        bars[-1].append(before)
    return [tuple(bar) for bar in bars]


def find_uneven_divisions(grammar: Grammar, beats: int) -> dict[str, frozenset[int]]:
    """Return the alternatives, by rule and index, that would divide a bar between its beats.

    Bars of given music are never divided like that; see :func:`find_slots`.
    """
    return {
        name: frozenset(
            index
            for index, production in enumerate(grammar.rules[name].productions)
            if beats % sum(not is_sign(symbol.name) for symbol in production)
        )
        for name in _DIVIDING
        if name in grammar.rules
    }


def list_changes(slots: Sequence[Slots]) -> list[str]:
    """Return the degrees in order, without immediate repetitions."""
    changes: list[str] = []
    for bar in slots:
        for degree in bar:
            if not changes or changes[-1] != degree:
                changes.append(degree)
    return changes


def _degrees_by_beat(bar: Bar, degree_at: Callable[[Fraction], str]) -> list[str]:
    """Return the degree on each beat; a chord that begins in its first half counts for it."""
    middle = Fraction(499, 1000)
    return [
        degree_at(bar.start_beats + beat + middle) for beat in range(max(int(bar.length_beats), 1))
    ]


def _divide(beats: Sequence[str]) -> Slots:
    count = len(beats)
    for division in _DIVISIONS:
        if count % division == 0:
            step = count // division
            slots = tuple(beats[::step])
            if [slot for slot in slots for _ in range(step)] == list(beats):
                return slots
    return (max(dict.fromkeys(beats), key=beats.count),)

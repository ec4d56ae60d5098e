"""A style's probabilities with a piece's own music counted in: what it has done it does again.

This is the cache of language models (Kuhn and De Mori, "A cache-based natural language model for
speech recognition", IEEE Transactions on Pattern Analysis and Machine Intelligence 1990): by the
same smoothing, what the piece never does keeps the corpus's probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from inference_service.continuation.grammar import start_at
from inference_service.continuation.harmony import Slots, write_harmony
from inference_service.continuation.melody import HarmonyAt, MelodyBar, write_melody
from inference_service.continuation.parser import Parser
from inference_service.continuation.probabilities import Choice, Probabilities, count_choices

OWN_WEIGHT: Final = 3.0
"""How many bars of the corpus a bar of the piece itself is worth."""

CONTEXT_WORDS: Final = 8
"""So many words before a sentence hold all that its rules hang on."""


def read_bars(
    known: Probabilities, slots: Sequence[Slots], before: Sequence[str] = ()
) -> tuple[Choice, ...]:
    """Return the choices that bars of chords are made of; ``before`` are degrees before them."""
    words = write_harmony(slots, before[-1] if before else "")
    grammar = start_at(known.grammar, ["bar"] * len(slots))
    return Parser(known.within(grammar)).read(words, before).choices


def read_melody_bars(
    known: Probabilities, bars: Sequence[MelodyBar], harmony_at: HarmonyAt, first: int = 0
) -> list[tuple[Choice, ...]]:
    """Return the choices that each bar of melody is made of, from one of them on."""
    before: list[str] = []
    read = []
    written = write_melody(known.grammar, bars, harmony_at, first)
    for bar, words in zip(bars[first:], written, strict=True):
        own = known.within(start_at(known.grammar, [f"bar_{bar.beats}"]))
        read.append(Parser(own).read(words, before[-CONTEXT_WORDS:]).choices)
        before += words
    return read


def adapt_harmony(known: Probabilities, slots: Sequence[Slots]) -> Probabilities:
    """Return probabilities with a piece's bars counted in."""
    counts = count_choices(known.grammar, _rules(read_bars(known, slots)))
    return known.plus(counts, OWN_WEIGHT)


def adapt_melody(
    known: Probabilities, bars: Sequence[MelodyBar], harmony_at: HarmonyAt
) -> Probabilities:
    """Return probabilities with a piece's melody counted in."""
    choices = [c for read in read_melody_bars(known, bars, harmony_at) for c in _rules(read)]
    return known.plus(count_choices(known.grammar, choices), OWN_WEIGHT)


def _rules(choices: Sequence[Choice]) -> Sequence[Choice]:
    """Leave out the choice with which a sentence starts, a rule of no grammar file."""
    return choices[1:]

"""Adapt the probabilities of a style to a piece, by adding counts from the piece itself.

This is a cache language model (Kuhn and De Mori, "A cache-based natural language model for speech
recognition", IEEE Transactions on Pattern Analysis and Machine Intelligence 1990). Smoothing leaves
probability for what does not occur in the piece, in the proportions of the corpus.
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
"""Weight of a count from the piece relative to one from the corpus. Set by hand; not fitted."""

CONTEXT_WORDS: Final = 8
"""Number of preceding words that is enough for the context of any rule."""


def read_bars(
    known: Probabilities, slots: Sequence[Slots], before: Sequence[str] = ()
) -> tuple[Choice, ...]:
    """Parse bars of chords into grammar choices; ``before`` are the preceding degrees."""
    words = write_harmony(slots, before[-1] if before else "")
    grammar = start_at(known.grammar, ["bar"] * len(slots))
    return Parser(known.within(grammar)).read(words, before).choices


def read_melody_bars(
    known: Probabilities, bars: Sequence[MelodyBar], harmony_at: HarmonyAt, first: int = 0
) -> list[tuple[Choice, ...]]:
    """Parse bars of melody, from index ``first``, into the grammar choices of each bar."""
    before: list[str] = []
    read = []
    written = write_melody(known.grammar, bars, harmony_at, first)
    for bar, words in zip(bars[first:], written, strict=True):
        own = known.within(start_at(known.grammar, [f"bar_{bar.beats}"]))
        read.append(Parser(own).read(words, before[-CONTEXT_WORDS:]).choices)
        before += words
    return read


def adapt_harmony(known: Probabilities, slots: Sequence[Slots]) -> Probabilities:
    """Return probabilities adapted to the chords of a piece."""
    counts = count_choices(known.grammar, _rules(read_bars(known, slots)))
    return known.plus(counts, OWN_WEIGHT)


def adapt_melody(
    known: Probabilities, bars: Sequence[MelodyBar], harmony_at: HarmonyAt
) -> Probabilities:
    """Return probabilities adapted to the melody of a piece."""
    choices = [c for read in read_melody_bars(known, bars, harmony_at) for c in _rules(read)]
    return known.plus(count_choices(known.grammar, choices), OWN_WEIGHT)


def _rules(choices: Sequence[Choice]) -> Sequence[Choice]:
    """Drop the first choice, which belongs to the start rule that :func:`start_at` adds."""
    return choices[1:]

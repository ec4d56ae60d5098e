"""The two searches: for the new bars' harmony, and for a melody over it.

Each evolves sentences of its grammar. The probabilities are the style's with the piece's own music
counted in, for what a piece has done it does again; their evenness follows the boldness.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from inference_service.continuation.adaptation import (
    CONTEXT_WORDS,
    adapt_harmony,
    adapt_melody,
)
from inference_service.continuation.analysis import PHRASE_BARS, Analysis, find_harmony
from inference_service.continuation.derivation import Derivation
from inference_service.continuation.evolution import EvolutionOptions, Individual, evolve
from inference_service.continuation.fitness import (
    HARMONY_WEIGHTS,
    MELODY_WEIGHTS,
    count_bits,
    judge_harmony,
    judge_melody,
    judge_surprise,
    weigh,
)
from inference_service.continuation.grammar import start_at
from inference_service.continuation.harmony import Slots, read_harmony, write_harmony
from inference_service.continuation.melody import MelodyBar, read_melody, write_melody
from inference_service.continuation.options import ContinuationOptions
from inference_service.continuation.probabilities import Heated, Probabilities
from inference_service.continuation.scale import Harmony
from inference_service.continuation.styles import Language
from inference_service.progress import Report

DIFFERENT: Final = 0.25
"""The share of bars in which an alternative differs from all before it."""

_CODONS_PER_BAR: Final = 24
_HEAT: Final = 1.6


@dataclass(frozen=True, slots=True)
class Found:
    """New bars, and what they are worth: their chords, and with them the melody."""

    words: tuple[str, ...]
    slots: tuple[Slots, ...]
    melody: tuple[MelodyBar, ...]
    terms: dict[str, float]


class Search:
    """Looks for continuations of a piece.

    Parameters
    ----------
    analysis : Analysis
    language : Language
    options : ContinuationOptions
    report : Report
    """

    def __init__(
        self,
        analysis: Analysis,
        language: Language,
        options: ContinuationOptions,
        report: Report,
    ) -> None:
        self._analysis = analysis
        self._language = language
        self._options = options
        self._report = report
        self._began = time.monotonic()
        self._done = 0
        self._searches = 1 + (1 + options.alternatives) * analysis.has_melody
        self.lengths = (int(analysis.bars[-1].length_beats),) * options.measures
        self._first_end = (PHRASE_BARS - 1 - analysis.bars_into_phrase) % PHRASE_BARS

    def run(self) -> list[Found]:
        """Return the best, then the alternatives."""
        found = self._find_harmonies()
        if self._analysis.has_melody:
            found = [self._add_melody(one) for one in found]
        return found

    # ------------------------------------------------------------------------------- harmony

    def _find_harmonies(self) -> list[Found]:
        analysis, habit = self._analysis, self._language.harmony
        given = write_harmony(analysis.slots)
        names = plan_harmony(self._options.measures, analysis.bars_into_phrase, analysis.key.mode)
        grammar = start_at(habit.probabilities.grammar, names)
        likely = adapt_harmony(habit.probabilities, analysis.slots).within(grammar)
        last = analysis.slots[-1][-1]

        def judge(derivation: Derivation) -> dict[str, float]:
            slots = read_harmony(derivation.words, last)
            bits = count_bits(derivation, likely) / len(slots)
            return {
                **judge_surprise(bits, habit.usual, self._options.boldness),
                **judge_harmony(slots, analysis, self._first_end),
            }

        ranked = self._evolve(
            likely, lambda d: weigh(judge(d), HARMONY_WEIGHTS), given[-CONTEXT_WORDS:]
        )
        kept: list[Found] = []
        for one in ranked:
            slots = tuple(read_harmony(one.derivation.words, last))
            if all(_differ(slots, other.slots) for other in kept):
                kept.append(Found(one.derivation.words, slots, (), judge(one.derivation)))
            if len(kept) > self._options.alternatives:
                break
        return kept

    # -------------------------------------------------------------------------------- melody

    def _add_melody(self, found: Found) -> Found:
        analysis, habit = self._analysis, self._language.melody
        given = list(analysis.melody)
        before = len(given)

        def harmony_at(bar: int, place: int) -> Harmony:
            if bar < before:
                return analysis.harmony_at(bar, place)
            new = bar - before
            return find_harmony(found.slots[new], self.lengths[new], place, analysis.tonic)

        beats = self.lengths[0]
        grammar = start_at(habit.probabilities.grammar, plan_melody(len(self.lengths), beats))
        likely = adapt_melody(habit.probabilities, given, harmony_at).within(grammar)
        written = write_melody(habit.probabilities.grammar, given, harmony_at, max(before - 2, 0))
        tonic = (analysis.tonic + (0 if analysis.key.mode == "major" else 9)) % 12

        def read(derivation: Derivation) -> list[MelodyBar]:
            return read_melody(derivation.words, given, self.lengths, harmony_at, tonic)

        def judge(derivation: Derivation) -> dict[str, float]:
            bars = read(derivation)
            bits = count_bits(derivation, likely) / max(sum(len(b.attacks) for b in bars), 1)
            return {
                **judge_surprise(bits, habit.usual, self._options.boldness),
                **judge_melody(bars, analysis, harmony_at, self._first_end),
            }

        best = self._evolve(
            likely,
            lambda d: weigh(judge(d), MELODY_WEIGHTS),
            [word for bar in written for word in bar][-CONTEXT_WORDS:],
        )[0]
        terms = {f"harmony.{name}": value for name, value in found.terms.items()}
        terms |= {f"melody.{name}": value for name, value in judge(best.derivation).items()}
        return Found(found.words, found.slots, tuple(read(best.derivation)), terms)

    # -------------------------------------------------------------------------------- both

    def _evolve(
        self, likely: Probabilities, fitness: Callable[[Derivation], float], before: Sequence[str]
    ) -> tuple[Individual, ...]:
        options = self._options
        heated = Heated(likely, _HEAT**options.boldness)
        number, self._done = self._done, self._done + 1
        settings = EvolutionOptions(
            population=options.population,
            generations=options.generations,
            codons=_CODONS_PER_BAR * options.measures,
            seed=options.seed + 7919 * number,
        )
        budget_s = options.budget_s * (number + 1) / self._searches
        outcome = evolve(
            heated,
            fitness,
            settings,
            lambda done: self._report((number + done) / self._searches),
            before,
            lambda: 0 < budget_s < time.monotonic() - self._began,
        )
        return outcome.ranked


def plan_harmony(measures: int, into_phrase: int, mode: str) -> list[str]:
    """Return the rules whose sentences are so many bars: the phrase is finished, others follow, and
    the last one closes in the tonic."""
    if measures == 1:
        return [f"goal_{mode}"]
    rest = min(-into_phrase % PHRASE_BARS, measures)
    whole, over = divmod(measures - rest, PHRASE_BARS)
    names = ["bar"] * rest + ["phrase"] * whole + ["bar"] * over
    # the cadence takes the last two bars, whatever they were part of
    if names[-1] == "phrase":
        return [*names[:-1], f"last_phrase_{mode}"]
    if names[-2] == "bar":
        return [*names[:-2], f"cadence_{mode}"]
    return [*names[:-2], *["bar"] * (PHRASE_BARS - 1), f"cadence_{mode}"]


def plan_melody(measures: int, beats: int) -> list[str]:
    """Return the rules of the grammar of melody for so many bars of so many beats."""
    return [f"bar_{beats}"] * (measures - 1) + [f"last_{beats}"]


def _differ(one: Sequence[Slots], other: Sequence[Slots]) -> bool:
    return sum(a != b for a, b in zip(one, other, strict=True)) >= max(DIFFERENT * len(one), 1)

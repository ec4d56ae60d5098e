"""Search for the harmony of the new bars, and for a melody over it.

Each search evolves sentences of its grammar. The probabilities are those of the style, adapted to
the piece, since pieces repeat themselves. Boldness makes them more even.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
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
from inference_service.continuation.harmony import (
    Slots,
    find_uneven_divisions,
    read_harmony,
    write_harmony,
)
from inference_service.continuation.melody import MelodyBar, read_melody, write_melody
from inference_service.continuation.options import ContinuationOptions
from inference_service.continuation.probabilities import Probabilities, Tempered
from inference_service.continuation.scale import Harmony
from inference_service.continuation.styles import Language, StyleModel
from inference_service.progress import Report

DIFFERENT: Final = 0.25
"""Share of bars in which an alternative must differ from all before it. Set by hand."""

CODONS_PER_BAR: Final = 24
TEMPERATURE: Final = 1.6
"""Temperature of the probabilities at boldness 1; its inverse at -1. Set by hand; not fitted."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """New bars found by the search.

    Attributes
    ----------
    words : tuple of str
        Their chords as a sentence of the harmony grammar.
    slots : tuple of Slots
        Their chords by bar.
    melody : tuple of MelodyBar
        Their melody; empty if there is none.
    terms : dict of str to float
        Terms of the fitness.
    """

    words: tuple[str, ...]
    slots: tuple[Slots, ...]
    melody: tuple[MelodyBar, ...]
    terms: dict[str, float]


@dataclass(frozen=True, slots=True)
class SearchProblem:
    """A search problem: sentences and their fitness.

    Attributes
    ----------
    likelihoods : Probabilities
        Probabilities of a grammar whose sentences all have the requested number of bars.
    judge : callable
        Function from a sentence to the terms of its fitness.
    weights : mapping of str to float
        Weights of the terms.
    before : tuple of str
        Last words of the given music, which the sentences follow.
    """

    likelihoods: Probabilities
    judge: Callable[[Derivation], dict[str, float]]
    weights: Mapping[str, float]
    before: tuple[str, ...]

    def fitness(self, derivation: Derivation) -> float:
        """Return the fitness of a sentence, in [0, 1]."""
        return weigh(self.judge(derivation), self.weights)


def pose_harmony_problem(
    analysis: Analysis, model: StyleModel, measures: int, boldness: float
) -> SearchProblem:
    """Return the search problem for the chords of new bars."""
    given = write_harmony(analysis.slots)
    last = analysis.slots[-1][-1]
    names = plan_harmony(measures, analysis.bars_into_phrase, analysis.key.mode)
    grammar = start_at(model.probabilities.grammar, names)
    uneven = find_uneven_divisions(grammar, int(analysis.bars[-1].length_beats))
    adapted = adapt_harmony(model.probabilities, analysis.slots).within(grammar).without(uneven)
    first_end = find_first_end(analysis)

    def judge(derivation: Derivation) -> dict[str, float]:
        slots = read_harmony(derivation.words, last)
        bits = count_bits(derivation, adapted) / len(slots)
        return {
            **judge_surprise(bits, model.surprise, boldness),
            **judge_harmony(slots, analysis, first_end),
        }

    return SearchProblem(adapted, judge, HARMONY_WEIGHTS, tuple(given[-CONTEXT_WORDS:]))


class MelodyReader:
    """Converts sentences of the melody grammar to bars over new chords.

    Parameters
    ----------
    analysis : Analysis
        Analysis of the given music.
    slots : sequence of Slots
        Chords of the new bars.
    """

    def __init__(self, analysis: Analysis, slots: Sequence[Slots]) -> None:
        self._analysis = analysis
        self._slots = slots
        self._given = len(analysis.melody)
        self.beats = int(analysis.bars[-1].length_beats)
        minor = analysis.key.mode == "minor"
        self._tonic = (analysis.tonic + (9 if minor else 0)) % 12

    def harmony_at(self, bar: int, place: int) -> Harmony:
        """Return the chord at a position, in ticks, of a bar; given bars are numbered first."""
        if bar < self._given:
            return self._analysis.harmony_at(bar, place)
        slots = self._slots[bar - self._given]
        return find_harmony(slots, self.beats, place, self._analysis.tonic)

    def read(self, words: Sequence[str]) -> list[MelodyBar]:
        """Return the new bars that a sentence describes."""
        lengths = [self.beats] * len(self._slots)
        return read_melody(words, self._analysis.melody, lengths, self.harmony_at, self._tonic)


def pose_melody_problem(
    analysis: Analysis, model: StyleModel, reader: MelodyReader, measures: int, boldness: float
) -> SearchProblem:
    """Return the search problem for a melody over new chords."""
    known = model.probabilities
    grammar = start_at(known.grammar, plan_melody(measures, reader.beats))
    adapted = adapt_melody(known, analysis.melody, reader.harmony_at).within(grammar)
    first = max(len(analysis.melody) - 2, 0)
    written = write_melody(known.grammar, analysis.melody, reader.harmony_at, first)
    before = [word for bar in written for word in bar]
    first_end = find_first_end(analysis)

    def judge(derivation: Derivation) -> dict[str, float]:
        bars = reader.read(derivation.words)
        notes = sum(len(bar.attacks) for bar in bars)
        bits = count_bits(derivation, adapted) / max(notes, 1)
        return {
            **judge_surprise(bits, model.surprise, boldness),
            **judge_melody(bars, analysis, reader.harmony_at, first_end),
        }

    return SearchProblem(adapted, judge, MELODY_WEIGHTS, tuple(before[-CONTEXT_WORDS:]))


def search(
    analysis: Analysis, language: Language, options: ContinuationOptions, report: Report
) -> list[Candidate]:
    """Return the best new bars, followed by the alternatives.

    If a search yields too few different results, it is repeated with another seed.
    """
    wanted = 1 + options.alternatives
    budget = _Budget(options, report, wanted * (1 + analysis.has_melody))
    problem = pose_harmony_problem(analysis, language.harmony, options.measures, options.boldness)
    found: list[Candidate] = []
    for attempt in range(wanted):
        for one in budget.evolve(problem, attempt):
            words = one.derivation.words
            slots = tuple(read_harmony(words, analysis.slots[-1][-1]))
            if len(found) < wanted and all(_differ(slots, other.slots) for other in found):
                terms = _name_terms("harmony", problem.judge(one.derivation))
                found.append(Candidate(words, slots, (), terms))
        if len(found) == wanted:
            break
    if not analysis.has_melody:
        return found
    return [
        _add_melody(one, analysis, language, options, budget, number)
        for number, one in enumerate(found, start=wanted)
    ]


def _add_melody(
    candidate: Candidate,
    analysis: Analysis,
    language: Language,
    options: ContinuationOptions,
    budget: _Budget,
    number: int,
) -> Candidate:
    reader = MelodyReader(analysis, candidate.slots)
    problem = pose_melody_problem(
        analysis, language.melody, reader, options.measures, options.boldness
    )
    best = budget.evolve(problem, number)[0].derivation
    terms = candidate.terms | _name_terms("melody", problem.judge(best))
    return Candidate(candidate.words, candidate.slots, tuple(reader.read(best.words)), terms)


def _name_terms(prefix: str, terms: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}.{name}": value for name, value in terms.items()}


class _Budget:
    """Divides seeds, time and progress among the searches."""

    def __init__(self, options: ContinuationOptions, report: Report, searches: int) -> None:
        self._options = options
        self._report = report
        self._searches = searches
        self._began = time.monotonic()

    def evolve(self, problem: SearchProblem, number: int) -> tuple[Individual, ...]:
        """Run the search with this number and return its results, the best first."""
        options = self._options
        settings = EvolutionOptions(
            population=options.population,
            generations=options.generations,
            codons=CODONS_PER_BAR * options.measures,
            seed=options.seed * self._searches + number,
        )
        budget_s = options.budget_s * (number + 1) / self._searches
        return evolve(
            Tempered(problem.likelihoods, TEMPERATURE**options.boldness),
            problem.fitness,
            settings,
            lambda done: self._report((number + done) / self._searches),
            problem.before,
            lambda: 0 < budget_s < time.monotonic() - self._began,
        ).ranked


def find_first_end(analysis: Analysis) -> int:
    """Return the index of the new bar that ends the current phrase, or the first new phrase."""
    return (PHRASE_BARS - 1 - analysis.bars_into_phrase) % PHRASE_BARS


def plan_harmony(measures: int, into_phrase: int, mode: str) -> list[str]:
    """Return rules of the harmony grammar for a number of bars.

    The current phrase is completed, whole phrases follow, and the last one closes in the tonic.
    """
    if measures == 1:
        return [f"goal_{mode}"]
    rest = min(-into_phrase % PHRASE_BARS, measures)
    whole, over = divmod(measures - rest, PHRASE_BARS)
    names = ["bar"] * rest + ["phrase"] * whole + ["bar"] * over
    # The cadence takes the last two bars, whatever they are part of.
    if names[-1] == "phrase":
        return [*names[:-1], f"last_phrase_{mode}"]
    if names[-2] == "bar":
        return [*names[:-2], f"cadence_{mode}"]
    return [*names[:-2], *["bar"] * (PHRASE_BARS - 1), f"cadence_{mode}"]


def plan_melody(measures: int, beats: int) -> list[str]:
    """Return rules of the melody grammar for a number of bars of equal length."""
    return [f"bar_{beats}"] * (measures - 1) + [f"last_{beats}"]


def _differ(one: Sequence[Slots], other: Sequence[Slots]) -> bool:
    return sum(a != b for a, b in zip(one, other, strict=True)) >= max(DIFFERENT * len(one), 1)

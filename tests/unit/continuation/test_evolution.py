"""The evolutionary search: it finds fit sentences, learns from them, and is reproducible."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference_service.continuation.derivation import Derivation
from inference_service.continuation.evolution import EvolutionOptions, evolve
from inference_service.continuation.grammar import decode_grammar
from inference_service.continuation.probabilities import Probabilities
from inference_service.errors import Cancelled
from inference_service.progress import ignore

LETTERS = 'word = letter { letter } ; letter = "a" | "b" | "c" | "d" | "e" ;'
TARGET = tuple("badcabe" * 2)
OPTIONS = EvolutionOptions(population=40, generations=25, codons=40)


def count_right(derivation: Derivation) -> float:
    """Return the number of right letters, minus those missing or surplus."""
    words = derivation.words
    right = sum(found == wanted for found, wanted in zip(words, TARGET, strict=False))
    return right - abs(len(words) - len(TARGET))


def even() -> Probabilities:
    return Probabilities(decode_grammar(LETTERS), {})


def test_breeding_finds_more_than_random_search() -> None:
    def reach(**changes: bool) -> float:
        found = [
            evolve(even(), count_right, replace(OPTIONS, seed=seed, **changes), ignore).history[-1]
            for seed in range(5)
        ]
        return float(np.mean(found))

    assert reach() > reach(breeds=False) + 1


def test_the_best_fitness_never_falls_and_the_best_is_first() -> None:
    outcome = evolve(even(), count_right, OPTIONS, ignore)
    assert len(outcome.history) == OPTIONS.generations
    assert list(outcome.history) == sorted(outcome.history)
    fitnesses = [person.fitness for person in outcome.ranked]
    assert fitnesses == sorted(fitnesses, reverse=True)
    assert fitnesses[0] == outcome.history[-1]
    sentences = [person.derivation.words for person in outcome.ranked]
    assert len(sentences) == len(set(sentences))


def test_the_same_seed_the_same_outcome() -> None:
    first, again = (evolve(even(), count_right, OPTIONS, ignore) for _ in range(2))
    assert first.history == again.history
    assert [p.derivation for p in first.ranked] == [p.derivation for p in again.ranked]
    other = evolve(even(), count_right, replace(OPTIONS, seed=1), ignore)
    assert other.ranked[0].derivation != first.ranked[0].derivation


def test_alternatives_of_the_best_become_more_probable() -> None:
    def count_b(derivation: Derivation) -> float:
        return derivation.words.count("b") / len(derivation.words)

    def draw_last(learning: float) -> float:
        options = replace(OPTIONS, breeds=False, generations=60, learning=learning)
        outcome = evolve(even(), count_b, options, ignore)
        return float(np.mean([count_b(person.derivation) for person in outcome.ranked]))

    assert draw_last(learning=0.2) > draw_last(learning=0.0) + 0.1


def test_cancelling_stops_it() -> None:
    def cancel(fraction: float) -> None:
        if fraction > 0.3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        evolve(even(), count_right, OPTIONS, cancel)


def test_without_complete_sentences_nothing_is_found() -> None:
    grammar = decode_grammar('s = "a" s | "b" | "c" s ;')
    endless = Probabilities(grammar, {("s", ()): [1e9, 0.0, 1e9]})
    outcome = evolve(endless, count_right, replace(OPTIONS, codons=4, generations=3), ignore)
    assert outcome.ranked == ()

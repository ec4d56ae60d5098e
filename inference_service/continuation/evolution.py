"""Probabilistic grammatical evolution: sentences are bred, and the grammar learns from the best.

After Mégane, Lourenço and Machado, "Probabilistic Grammatical Evolution" (EuroGP 2021). Individuals
are lists of numbers, mapped by :mod:`.derivation`. Each generation keeps an elite, breeds the
others by tournaments, crossover and Gaussian mutation; then the alternatives that the best
individual took become likelier, in turn the best of all generations and the best of this one, so
that the search does not settle too soon: an alternative taken ``n`` times of ``m`` gains ``n / m``
of the learning factor, one not taken loses its own share of it.

Two variants for comparison: ``learns=False`` leaves the probabilities as they were, which with even
ones is grammatical evolution as O'Neill and Ryan have it ("Grammatical evolution", IEEE
Transactions on Evolutionary Computation 2001) but for its numbers, and ``breeds=False`` draws every
individual anew, a random search.

Deviations: probabilities begin with those learnt from a corpus, if there are any; they are kept for
each context of a rule, as :mod:`.grammar` has it; they are brought to a sum of 1 by division, not
by equal differences, which keeps what is impossible impossible; and the learning factor is ten
times the published one, since a search has 25 generations of 60, not 50 of 1000.

The same seed, the same outcome, on any machine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from inference_service.continuation.derivation import Derivation, Likelihoods, derive
from inference_service.continuation.grammar import Grammar
from inference_service.progress import Report

Fitness = Callable[[Derivation], float]
"""The larger the better; asked for sentences alone."""

Genotype = NDArray[np.float64]

UNFIT: Final = -float("inf")
"""Of what is no sentence."""


@dataclass(frozen=True, slots=True)
class EvolutionOptions:
    """How to search.

    Attributes
    ----------
    population, generations : int
    codons : int
        Numbers of a genotype.
    elite : float
        The share that is kept as it is.
    tournament : int
        Individuals of whom the best becomes a parent.
    crossover, mutation : float
        How likely two parents mix, and each number moves.
    step : float
        The deviation by which it moves.
    learning : float
        By how much the best individual moves the probabilities.
    learns, breeds : bool
    seed : int
    """

    population: int = 60
    generations: int = 30
    codons: int = 128
    elite: float = 0.1
    tournament: int = 3
    crossover: float = 0.9
    mutation: float = 0.05
    step: float = 0.5
    learning: float = 0.1
    learns: bool = True
    breeds: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Individual:
    """A genotype, its sentence, and what it is worth."""

    genotype: Genotype
    derivation: Derivation
    fitness: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found.

    Attributes
    ----------
    ranked : tuple of Individual
        The last population and the best of all, the best first, no sentence twice.
    course : tuple of float
        The best fitness so far, after each generation.
    """

    ranked: tuple[Individual, ...]
    course: tuple[float, ...]


@dataclass
class _Learnt:
    """Probabilities that move: those given, where nothing has moved them."""

    given: Likelihoods
    moved: dict[tuple[str, tuple[str, ...]], NDArray[np.float64]] = field(default_factory=dict)

    @property
    def grammar(self) -> Grammar:
        return self.given.grammar

    def after(self, rule: str, context: tuple[str, ...]) -> Sequence[float]:
        moved = self.moved.get((rule, context))
        return self.given.after(rule, context) if moved is None else moved.tolist()

    def learn(self, best: Derivation, factor: float) -> None:
        """Make what was taken likelier."""
        taken: defaultdict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
        for rule, context, production in best.choices:
            taken[rule, context].append(production)
        for (rule, context), productions in taken.items():
            likely = np.array(self.after(rule, context))
            counts = np.bincount(productions, minlength=len(likely))
            gained = np.minimum(likely + factor * counts / counts.sum(), 1.0)
            likely = np.where(counts > 0, gained, likely * (1.0 - factor))
            self.moved[rule, context] = likely / likely.sum()


def evolve(
    likelihoods: Likelihoods,
    fitness: Fitness,
    options: EvolutionOptions,
    report: Report,
    before: Sequence[str] = (),
    is_over: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Search for the fittest sentence.

    Parameters
    ----------
    likelihoods : Likelihoods
        The grammar and its probabilities to begin with.
    fitness : Fitness
    options : EvolutionOptions
        ``population * generations`` individuals are judged.
    report : Report
        Told of each generation; raises to stop.
    before : sequence of str
        Words that the sentences follow.
    is_over : callable
        Asked before each generation but the first whether to leave it at that.
    """
    random = np.random.default_rng(options.seed)
    learnt = _Learnt(likelihoods)

    def judge(genotype: Genotype) -> Individual:
        derivation = derive(learnt, genotype.tolist(), before)
        worth = fitness(derivation) if derivation.is_complete else UNFIT
        return Individual(genotype, derivation, worth)

    def draw() -> Genotype:
        return random.random(options.codons)

    people = _rank([judge(draw()) for _ in range(options.population)])
    best, newest = people[0], people[0]
    course = [best.fitness]
    for generation in range(1, options.generations):
        report(generation / options.generations)
        if is_over():
            break
        if options.learns:
            learnt.learn((best if generation % 2 else newest).derivation, options.learning)
        elite = people[: round(options.elite * options.population)] if options.breeds else []
        count = options.population - len(elite)
        children = [_breed(people, options, random) if options.breeds else draw()
                    for _ in range(count)]  # fmt: skip
        born = _rank([judge(child) for child in children])
        newest = born[0]
        # the elite's sentences change with the probabilities, and are judged again
        people = _rank([*born, *(judge(person.genotype) for person in elite)])
        best = max(best, people[0], key=lambda person: person.fitness)
        course.append(best.fitness)
    report(1.0)
    return Outcome(_without_doubles([best, *people]), tuple(course))


def _breed(people: Sequence[Individual], options: EvolutionOptions, random: Generator) -> Genotype:
    child = _choose(people, options, random).copy()
    if random.random() < options.crossover:
        other = _choose(people, options, random)
        cut = int(random.integers(1, len(child)))
        child[cut:] = other[cut:]
    moves = random.random(len(child)) < options.mutation
    child[moves] += random.normal(0.0, options.step, int(moves.sum()))
    return np.clip(child, 0.0, np.nextafter(1.0, 0.0))


def _choose(people: Sequence[Individual], options: EvolutionOptions, random: Generator) -> Genotype:
    """Return the best of a few; people are ranked, so that the first of them is."""
    return people[int(random.integers(len(people), size=options.tournament).min())].genotype


def _rank(people: Sequence[Individual]) -> list[Individual]:
    return sorted(people, key=lambda person: -person.fitness)


def _without_doubles(people: Sequence[Individual]) -> tuple[Individual, ...]:
    kept = {person.derivation.words: person for person in reversed(people)}
    return tuple(_rank([p for p in kept.values() if p.derivation.is_complete]))

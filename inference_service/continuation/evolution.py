"""Probabilistic grammatical evolution: sentences evolve, and the grammar learns from the best.

After Mégane, Lourenço and Machado, "Probabilistic Grammatical Evolution" (EuroGP 2021). Individuals
are lists of numbers, mapped to sentences by :mod:`.derivation`. Each generation keeps an elite and
breeds the other individuals by tournament selection, crossover and Gaussian mutation. Then the
alternatives that the best individual used become more probable. To avoid premature convergence,
this is alternately the best individual of all generations and that of the current one. An
alternative used ``n`` of ``m`` times gains ``n / m`` of the learning factor; one that was not used
is reduced by the learning factor's share of its probability.

There are two variants for comparison. ``learns=False`` keeps the probabilities fixed; with uniform
probabilities this is grammatical evolution (O'Neill and Ryan, "Grammatical evolution", IEEE
Transactions on Evolutionary Computation 2001), except for the coding of genotypes.
``breeds=False`` draws every individual anew, which is random search.

Deviations from the paper:

- Initial probabilities may be those learnt from a corpus.
- Probabilities are kept for each context of a rule; see :mod:`.grammar`.
- They are normalised by division, not by equal differences, so that zero stays zero.
- The learning factor is ten times the published one, since a search has 25 generations of 60
  individuals, not 50 of 1000. It was chosen on 16 songs (experiment 009 in the model zoo).

Results are reproducible from the seed on any machine.
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
"""Function from a complete sentence to its fitness; larger is better."""

Genotype = NDArray[np.float64]

UNFIT: Final = -float("inf")
"""Fitness of a genotype without a complete sentence."""


@dataclass(frozen=True, slots=True)
class EvolutionOptions:
    """Options of the search. Those without a source in the docstring above were set by hand.

    Attributes
    ----------
    population, generations : int
        Individuals per generation, and number of generations.
    codons : int
        Length of a genotype.
    elite : float
        Share of individuals that survive unchanged.
    tournament : int
        Number of individuals of which the best becomes a parent.
    crossover, mutation : float
        Probability that two parents are crossed, and that each codon is mutated.
    step : float
        Standard deviation of a mutation.
    learning : float
        Learning factor.
    learns, breeds : bool
        Whether probabilities are learnt, and whether individuals are bred.
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
    """A genotype, its sentence, and its fitness."""

    genotype: Genotype
    derivation: Derivation
    fitness: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a search.

    Attributes
    ----------
    ranked : tuple of Individual
        The last population and the best of all generations, the best first, without duplicates.
    history : tuple of float
        Best fitness so far after each generation.
    """

    ranked: tuple[Individual, ...]
    history: tuple[float, ...]


@dataclass
class _Learnt:
    """Probabilities that are updated by learning, initially the given ones."""

    given: Likelihoods
    moved: dict[tuple[str, tuple[str, ...]], NDArray[np.float64]] = field(default_factory=dict)

    @property
    def grammar(self) -> Grammar:
        return self.given.grammar

    def after(self, rule: str, context: tuple[str, ...]) -> Sequence[float]:
        moved = self.moved.get((rule, context))
        return self.given.after(rule, context) if moved is None else moved.tolist()

    def learn(self, best: Derivation, factor: float) -> None:
        """Make the alternatives of a derivation more probable."""
        taken: defaultdict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
        for rule, context, production in best.choices:
            taken[rule, context].append(production)
        for (rule, context), productions in taken.items():
            shares = np.array(self.after(rule, context))
            counts = np.bincount(productions, minlength=len(shares))
            gained = np.minimum(shares + factor * counts / counts.sum(), 1.0)
            shares = np.where(counts > 0, gained, shares * (1.0 - factor))
            self.moved[rule, context] = shares / shares.sum()


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
        The grammar and its initial probabilities.
    fitness : Fitness
    options : EvolutionOptions
        ``population * generations`` evaluations are made, including those of the elites.
    report : Report
        Called before each generation; may raise to cancel.
    before : sequence of str
        Words that the sentences follow.
    is_over : callable
        Called before each generation but the first; True ends the search.
    """
    random = np.random.default_rng(options.seed)
    learnt = _Learnt(likelihoods)

    def judge(genotype: Genotype) -> Individual:
        derivation = derive(learnt, genotype.tolist(), before)
        value = fitness(derivation) if derivation.is_complete else UNFIT
        return Individual(genotype, derivation, value)

    def draw() -> Genotype:
        return random.random(options.codons)

    individuals = _rank([judge(draw()) for _ in range(options.population)])
    best, newest = individuals[0], individuals[0]
    history = [best.fitness]
    for generation in range(1, options.generations):
        report(generation / options.generations)
        if is_over():
            break
        if options.learns:
            learnt.learn((best if generation % 2 else newest).derivation, options.learning)
        elite = individuals[: round(options.elite * options.population)] if options.breeds else []
        count = options.population - len(elite)
        children = [_breed(individuals, options, random) if options.breeds else draw()
                    for _ in range(count)]  # fmt: skip
        born = _rank([judge(child) for child in children])
        newest = born[0]
        # The elite's sentences change with the probabilities, so they are evaluated again.
        individuals = _rank([*born, *(judge(individual.genotype) for individual in elite)])
        best = max(best, individuals[0], key=lambda individual: individual.fitness)
        history.append(best.fitness)
    report(1.0)
    return Outcome(_without_duplicates([best, *individuals]), tuple(history))


def _breed(
    individuals: Sequence[Individual], options: EvolutionOptions, random: Generator
) -> Genotype:
    child = _choose(individuals, options, random).copy()
    if random.random() < options.crossover:
        other = _choose(individuals, options, random)
        cut = int(random.integers(1, len(child)))
        child[cut:] = other[cut:]
    moves = random.random(len(child)) < options.mutation
    child[moves] += random.normal(0.0, options.step, int(moves.sum()))
    return np.clip(child, 0.0, np.nextafter(1.0, 0.0))


def _choose(
    individuals: Sequence[Individual], options: EvolutionOptions, random: Generator
) -> Genotype:
    """Return the winner of a tournament; as individuals are ranked, that is the lowest index."""
    return individuals[
        int(random.integers(len(individuals), size=options.tournament).min())
    ].genotype


def _rank(individuals: Sequence[Individual]) -> list[Individual]:
    return sorted(individuals, key=lambda individual: -individual.fitness)


def _without_duplicates(individuals: Sequence[Individual]) -> tuple[Individual, ...]:
    kept = {individual.derivation.words: individual for individual in reversed(individuals)}
    return tuple(_rank([p for p in kept.values() if p.derivation.is_complete]))

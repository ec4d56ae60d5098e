"""Compare probabilistic grammatical evolution with simpler searches.

All methods evaluate the same number of sentences. ``pge`` breeds and learns, beginning with the
probabilities of a style. ``breeding`` is the same without learning. ``random`` draws every sentence
from these probabilities. ``pge-even``, ``ge-even`` and ``random-even`` begin with uniform
probabilities; ``ge-even``, which does not learn, is grammatical evolution as published.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from inference_service.continuation.analysis import analyse
from inference_service.continuation.evolution import EvolutionOptions, evolve
from inference_service.continuation.harmony import Slots
from inference_service.continuation.probabilities import Probabilities
from inference_service.continuation.search import (
    CODONS_PER_BAR,
    MelodyReader,
    SearchProblem,
    pose_harmony_problem,
    pose_melody_problem,
)
from inference_service.continuation.styles import load_language
from inference_service.music.excerpt import cut_score
from inference_service.progress import ignore
from model_zoo.training.continuation.evaluate import find_cut
from model_zoo.training.continuation.learn import NEW_BARS, Lesson
from model_zoo.training.continuation.song import Song
from model_zoo.training.continuation.survey import STYLES

WAYS: Final[Mapping[str, tuple[bool, EvolutionOptions]]] = {
    "pge": (False, EvolutionOptions()),
    "breeding": (False, EvolutionOptions(learns=False)),
    "random": (False, EvolutionOptions(learns=False, breeds=False)),
    "pge-even": (True, EvolutionOptions()),
    "ge-even": (True, EvolutionOptions(learns=False)),
    "random-even": (True, EvolutionOptions(learns=False, breeds=False)),
}
"""Methods: whether they begin with uniform probabilities, and their options."""

KINDS: Final = ("harmony", "melody")

Curves = dict[str, NDArray[np.float64]]
"""Best fitness after each generation by method, shape (songs, seeds, generations)."""


def list_problems(song: Song, measures: int = NEW_BARS) -> dict[str, SearchProblem]:
    """Return the search problems for a song cut in its middle.

    These are ``harmony``, and ``melody`` over the song's own following chords.
    """
    place = find_cut(song)
    if place is None or not song.melody:
        return {}
    lesson = Lesson(song)
    bars = lesson.bars
    cut = bars[place].start_beats
    given = cut_score(song.score, bars[0].start_beats, cut)
    melody = [
        replace(n, start_beats=n.start_beats - bars[0].start_beats)
        for n in song.melody
        if bars[0].start_beats <= n.start_beats and n.stop_beats <= cut
    ]
    analysis = analyse(given, melody)
    language = load_language(STYLES[song.corpus])
    true: list[Slots] = lesson.slots[place : place + measures]
    reader = MelodyReader(analysis, true)
    return {
        "harmony": pose_harmony_problem(analysis, language.harmony, measures, 0.0),
        "melody": pose_melody_problem(analysis, language.melody, reader, measures, 0.0),
    }


def compare(
    problems: Iterable[SearchProblem],
    seeds: int,
    population: int,
    generations: int,
    measures: int = NEW_BARS,
) -> Curves:
    """Run every method on every problem with every seed."""
    curves: dict[str, list[list[tuple[float, ...]]]] = {way: [] for way in WAYS}
    for problem in problems:
        likely = problem.likelihoods
        even = Probabilities(likely.grammar, {}, excluded=likely.excluded)
        for way, (begins_even, options) in WAYS.items():
            courses = []
            for seed in range(seeds):
                settings = replace(
                    options,
                    population=population,
                    generations=generations,
                    codons=CODONS_PER_BAR * measures,
                    seed=seed,
                )
                first = even if begins_even else likely
                outcome = evolve(first, problem.fitness, settings, ignore, problem.before)
                courses.append(tuple(max(worth, 0.0) for worth in outcome.history))
            curves[way].append(courses)
    return {way: np.array(found) for way, found in curves.items()}


def describe_curves(curves: Curves, first: str, others: Iterable[str]) -> Iterator[str]:
    """Yield the final fitness of each method, and the lead of one over others.

    The p-value is of Wilcoxon's signed-rank test on the differences between the songs' means over
    seeds, one-sided for ``first`` being better.
    """
    for way, found in curves.items():
        last = found[:, :, -1]
        yield f"{way:12} {last.mean():.4f} (deviation over seeds {last.mean(axis=0).std():.4f})"
    for other in others:
        gains = (curves[first][:, :, -1] - curves[other][:, :, -1]).mean(axis=1)
        p = float(wilcoxon(gains, alternative="greater").pvalue) if np.any(gains) else 1.0
        yield (
            f"{first} over {other}: {gains.mean():+.4f}, better on {np.sum(gains > 0)} of "
            f"{len(gains)} songs, p = {p:.2g}"
        )

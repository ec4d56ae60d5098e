"""Probabilistic grammatical evolution against what it could be done without.

Every way of searching judges as many sentences. ``pge`` breeds and learns, from a style's
probabilities; ``breeding`` is the same without learning; ``random`` draws every sentence anew, from
the same probabilities; ``pge-even`` and ``ge-even`` begin with all alternatives alike, the first
learning, the second not: that is grammatical evolution as it was published.
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
    Quest,
    seek_harmony,
    seek_melody,
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
"""Whether it begins with even probabilities, and how it searches."""

KINDS: Final = ("harmony", "melody")

Curves = dict[str, NDArray[np.float64]]
"""By way: the best fitness after each generation, shape (songs, seeds, generations)."""


def list_quests(song: Song, measures: int = NEW_BARS) -> dict[str, Quest]:
    """Return what is searched for in a song that stops in its middle: ``harmony``, and ``melody``
    over the chords that follow in the song."""
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
        "harmony": seek_harmony(analysis, language.harmony, measures, 0.0),
        "melody": seek_melody(analysis, language.melody, reader, measures, 0.0),
    }


def compare(
    quests: Iterable[Quest], seeds: int, population: int, generations: int, measures: int = NEW_BARS
) -> Curves:
    """Run every way on every quest with every seed."""
    curves: dict[str, list[list[tuple[float, ...]]]] = {way: [] for way in WAYS}
    for quest in quests:
        likely = quest.likelihoods
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
                outcome = evolve(first, quest.fitness, settings, ignore, quest.before)
                courses.append(tuple(max(worth, 0.0) for worth in outcome.course))
            curves[way].append(courses)
    return {way: np.array(found) for way, found in curves.items()}


def describe_curves(curves: Curves, first: str, others: Iterable[str]) -> Iterator[str]:
    """Yield the final fitness of each way, and by how much one is ahead of others.

    The test is Wilcoxon's, of the differences between songs' means over seeds; one sided, that
    ``first`` is better.
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

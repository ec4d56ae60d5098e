"""N-gram models of the next chord, with which the grammar is compared.

A sentence is the sequence of a song's degrees without immediate repetitions. A model gives the
probability of each degree, conditioned on those before it; for the first one, on the beginning. The
end of a sentence is not predicted. As a degree never follows itself, every model renormalises over
the other degrees. The shortest history backs off to a uniform distribution, so that no probability
is 0.

Two kinds of smoothing are used:

- Witten and Bell, "The zero-frequency problem", IEEE Trans. Information Theory 37:4, 1991, method
  C. The weight of a history depends on its count and on the number of different degrees after it.
  There is no parameter.
- Kneser and Ney, "Improved backing-off for m-gram language modeling", ICASSP 1995. Every count is
  discounted, and shorter histories count the number of different degrees that precede; interpolated
  as by Chen and Goodman, "An empirical study of smoothing techniques", TR-10-98, 1998. Histories at
  the beginning of a sentence use plain counts. The discounts, one for each length of history, are
  chosen on development songs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import numpy as np

from inference_service.continuation.degrees import DIMINISHED, MAJOR, MINOR, SILENCE
from inference_service.continuation.harmony import find_slots, list_changes
from inference_service.music.score import Score

VOCABULARY: Final = (*MAJOR, *MINOR, *DIMINISHED, SILENCE)
BEGINNING: Final = "<"
DISCOUNTS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0)
"""Candidates."""

Sentence = Sequence[str]
History = tuple[str, ...]
Table = Mapping[History, Counter[str]]
"""Counts of the degrees after each history."""


def list_degrees(score: Score) -> list[str]:
    """Return a score's sentence: the degrees in its full bars, in the keys in force."""
    return list_changes(find_slots(score, [bar for bar in score.bars() if bar.number > 0]))


class DegreeModel(Protocol):
    """Predicts the next degree."""

    def probability(self, word: str, before: Sentence) -> float:
        """Return the probability of a degree after all that came before it."""
        ...


class NGrams(ABC):
    """A model of the next degree, conditioned on the last ``order - 1``.

    Parameters
    ----------
    sentences : sequence of Sentence
        Training data.
    order : int
        1 for no history.
    """

    def __init__(self, sentences: Sequence[Sentence], order: int) -> None:
        self.order = order
        self._counts = count_grams(sentences, order)

    @abstractmethod
    def weigh(self, word: str, history: History) -> float:
        """Return the probability of a degree after a history of less than ``order`` degrees."""

    def probability(self, word: str, before: Sentence) -> float:
        """Return the probability of a degree after all that came before it."""
        history = _cut((BEGINNING, *before), self.order)
        if not before:
            return self.weigh(word, history)
        return self.weigh(word, history) / (1.0 - self.weigh(before[-1], history))


class WittenBell(NGrams):
    """Counts, interpolated with the next shorter history."""

    def weigh(self, word: str, history: History) -> float:
        """Return the probability of a degree after a history."""
        shorter = self.weigh(word, history[1:]) if history else 1 / len(VOCABULARY)
        counts = self._counts.get(history)
        if counts is None:
            return shorter
        return (counts[word] + len(counts) * shorter) / (counts.total() + len(counts))


class KneserNey(NGrams):
    """Discounted counts, interpolated with continuation counts of shorter histories.

    Parameters
    ----------
    discounts : sequence of float
        By the length of the history, from 0. A count smaller than its discount becomes 0.
    """

    def __init__(
        self, sentences: Sequence[Sentence], order: int, discounts: Sequence[float]
    ) -> None:
        super().__init__(sentences, order)
        self.discounts = tuple(discounts)
        self._contexts = count_contexts(self._counts, order)

    def weigh(self, word: str, history: History) -> float:
        """Return the probability of a degree after a history."""
        shorter = self.weigh(word, history[1:]) if history else 1 / len(VOCABULARY)
        counts = self._contexts.get(history)
        if counts is None:
            return shorter
        discount = self.discounts[len(history)]
        kept = max(counts[word] - discount, 0.0)
        taken = sum(min(count, discount) for count in counts.values())
        return (kept + taken * shorter) / counts.total()


def count_grams(sentences: Sequence[Sentence], order: int) -> Table:
    """Count the degrees after every history of less than ``order`` degrees."""
    counts: defaultdict[History, Counter[str]] = defaultdict(Counter)
    for sentence in sentences:
        for history, word in _read(sentence):
            for length in range(min(order, len(history) + 1)):
                counts[history[len(history) - length :]][word] += 1
    return dict(counts)


def count_contexts(counts: Table, order: int) -> Table:
    """Count by how many different degrees a shorter history and its next degree are preceded."""
    contexts: defaultdict[History, Counter[str]] = defaultdict(Counter)
    for history, following in counts.items():
        if len(history) == order - 1 or history[:1] == (BEGINNING,):
            contexts[history].update(following)
        if history:
            contexts[history[1:]].update(following.keys())
    return dict(contexts)


def _read(sentence: Sentence) -> Iterator[tuple[History, str]]:
    history: History = (BEGINNING,)
    for word in sentence:
        yield history, word
        history = (*history, word)


def _cut(history: History, order: int) -> History:
    return history[max(len(history) - order + 1, 0) :]


def measure_perplexity(model: DegreeModel, sentences: Sequence[Sentence]) -> float:
    """Return the perplexity of a model on sentences."""
    bits = [
        -np.log2(model.probability(word, history[1:]))
        for sentence in sentences
        for history, word in _read(sentence)
    ]
    return float(2 ** np.mean(bits))


def learn_kneser_ney(
    train: Sequence[Sentence], dev: Sequence[Sentence], order: int, rounds: int = 2
) -> KneserNey:
    """Learn a model; its discounts minimise the perplexity on ``dev``, by coordinate search."""
    model = KneserNey(train, order, [0.75] * order)
    for _ in range(rounds):
        for length in reversed(range(order)):
            found = []
            for discount in DISCOUNTS:
                tried = [*model.discounts]
                tried[length] = discount
                model.discounts = tuple(tried)
                found.append((measure_perplexity(model, dev), model.discounts))
            model.discounts = min(found)[1]
    return model

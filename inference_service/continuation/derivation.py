"""From a genotype, a list of numbers in [0, 1), to a sentence.

The mapping of Mégane, Lourenço and Machado, "Probabilistic Grammatical Evolution" (EuroGP 2021):
the leftmost rule is replaced by the alternative in whose share of the cumulative probability the
next number lies. Where the numbers are used up they are read again from the first, at most
:data:`MAX_WRAPS` times; what is not a sentence by then is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from inference_service.continuation.grammar import Grammar
from inference_service.continuation.probabilities import Choice, find_context

MAX_WRAPS: Final = 3


class Likelihoods(Protocol):
    """Probabilities of a grammar's alternatives, from wherever."""

    @property
    def grammar(self) -> Grammar:
        """Whose alternatives they are."""
        ...

    def after(self, rule: str, context: tuple[str, ...]) -> Sequence[float]:
        """Return those of a rule's alternatives after the words that it hangs on."""
        ...


@dataclass(frozen=True, slots=True)
class Derivation:
    """A sentence and how it came about.

    Attributes
    ----------
    words : tuple of str
    choices : tuple of Choice
        In the order of the leftmost derivation.
    is_complete : bool
        Whether the words are a sentence; else they are its beginning.
    """

    words: tuple[str, ...]
    choices: tuple[Choice, ...]
    is_complete: bool


def derive(
    likelihoods: Likelihoods, genotype: Sequence[float], before: Sequence[str] = ()
) -> Derivation:
    """Return the sentence of a genotype.

    Parameters
    ----------
    likelihoods : Likelihoods
    genotype : sequence of float in [0, 1), not empty
    before : sequence of str
        Words that the sentence follows: its first rules hang on them.
    """
    grammar = likelihoods.grammar
    words = list(before)
    choices: list[Choice] = []
    pending = [(grammar.start, False)]
    codons = iter(list(genotype) * (1 + MAX_WRAPS))
    while pending:
        name, is_word = pending.pop()
        if is_word:
            words.append(name)
            continue
        codon = next(codons, None)
        if codon is None:
            return Derivation(tuple(words[len(before) :]), tuple(choices), is_complete=False)
        context = find_context(grammar, name, words)
        taken = pick(likelihoods.after(name, context), codon)
        choices.append(Choice(name, context, taken))
        production = grammar.rules[name].productions[taken]
        pending += [(symbol.name, symbol.is_word) for symbol in reversed(production)]
    return Derivation(tuple(words[len(before) :]), tuple(choices), is_complete=True)


def pick(likely: Sequence[float], codon: float) -> int:
    """Return the alternative in whose share of the cumulative probability a number lies."""
    reached = 0.0
    for index, share in enumerate(likely):
        reached += share
        if codon < reached:
            return index
    return max(index for index, share in enumerate(likely) if share > 0.0)  # rounding

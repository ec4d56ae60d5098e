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

from inference_service.continuation.grammar import MAX_CONTEXT, Grammar, Symbol, is_sign
from inference_service.continuation.probabilities import BEGINNING, Choice

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
    rules = likelihoods.grammar.rules
    words: list[str] = []
    heard = [BEGINNING] * MAX_CONTEXT + [word for word in before if not is_sign(word)]
    choices: list[Choice] = []
    pending = [Symbol(likelihoods.grammar.start, is_word=False)]
    codons = iter(list(genotype) * (1 + MAX_WRAPS))
    while pending:
        symbol = pending.pop()
        if symbol.is_word:
            words.append(symbol.name)
            if not is_sign(symbol.name):
                heard.append(symbol.name)
            continue
        codon = next(codons, None)
        if codon is None:
            return Derivation(tuple(words), tuple(choices), is_complete=False)
        rule = rules[symbol.name]
        context = tuple(heard[-rule.context :]) if rule.context else ()
        taken = pick(likelihoods.after(rule.name, context), codon)
        choices.append(Choice(rule.name, context, taken))
        pending += reversed(rule.productions[taken])
    return Derivation(tuple(words), tuple(choices), is_complete=True)


def pick(likely: Sequence[float], codon: float) -> int:
    """Return the alternative in whose share of the cumulative probability a number lies."""
    reached = 0.0
    for index, share in enumerate(likely):
        reached += share
        if codon < reached:
            return index
    return max(index for index, share in enumerate(likely) if share > 0.0)  # rounding

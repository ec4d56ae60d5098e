"""Map a genotype, a list of numbers in [0, 1), to a sentence.

This is the mapping of Mégane, Lourenço and Machado, "Probabilistic Grammatical Evolution" (EuroGP
2021). The next number selects an alternative of the leftmost rule by its cumulative probability.
When the numbers are used up, they are read again from the first, at most :data:`MAX_WRAPS` times.
If the sentence is not complete by then, the genotype has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from inference_service.continuation.grammar import MAX_CONTEXT, Grammar, Symbol, is_sign
from inference_service.continuation.probabilities import BEGINNING, Choice

MAX_WRAPS: Final = 3


class Likelihoods(Protocol):
    """Interface to the probabilities of a grammar's alternatives."""

    @property
    def grammar(self) -> Grammar:
        """The grammar."""
        ...

    def after(self, rule: str, context: tuple[str, ...]) -> Sequence[float]:
        """Return the probabilities of a rule's alternatives, given its context."""
        ...


@dataclass(frozen=True, slots=True)
class Derivation:
    """A sentence and its derivation.

    Attributes
    ----------
    words : tuple of str
    choices : tuple of Choice
        The choices in the order of the leftmost derivation.
    is_complete : bool
        Whether the words are a sentence, not only the beginning of one.
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
        Words that the sentence follows, as context of its first rules.
    """
    rules = likelihoods.grammar.rules
    words: list[str] = []
    history = [BEGINNING] * MAX_CONTEXT + [word for word in before if not is_sign(word)]
    choices: list[Choice] = []
    pending = [Symbol(likelihoods.grammar.start, is_word=False)]
    codons = iter(list(genotype) * (1 + MAX_WRAPS))
    while pending:
        symbol = pending.pop()
        if symbol.is_word:
            words.append(symbol.name)
            if not is_sign(symbol.name):
                history.append(symbol.name)
            continue
        codon = next(codons, None)
        if codon is None:
            return Derivation(tuple(words), tuple(choices), is_complete=False)
        rule = rules[symbol.name]
        context = tuple(history[-rule.context :]) if rule.context else ()
        taken = pick(likelihoods.after(rule.name, context), codon)
        choices.append(Choice(rule.name, context, taken))
        pending += reversed(rule.productions[taken])
    return Derivation(tuple(words), tuple(choices), is_complete=True)


def pick(shares: Sequence[float], codon: float) -> int:
    """Return the index of the alternative that a number selects by cumulative probability."""
    reached = 0.0
    for index, share in enumerate(shares):
        reached += share
        if codon < reached:
            return index
    return max(index for index, share in enumerate(shares) if share > 0.0)  # rounding

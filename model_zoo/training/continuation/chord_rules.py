"""The grammar's chord rules as a model of the next degree, to be held against n-grams."""

from __future__ import annotations

from inference_service.continuation.degrees import find_function
from inference_service.continuation.grammar import Grammar
from inference_service.continuation.probabilities import Probabilities, find_context
from model_zoo.training.continuation.ngrams import Sentence

CHANGE = "change"
"""The rule that chooses a function; each function has a rule that chooses the degree."""


class ChordRules:
    """What a chord is after those before it: its function, then which degree does it.

    Parameters
    ----------
    known : Probabilities
        Of the grammar of harmony.
    """

    def __init__(self, known: Probabilities) -> None:
        self._known = known

    def weigh(self, word: str, before: Sentence) -> float:
        """Return the probability of a degree after others, that before it included."""
        function = find_function(word)
        chosen = self._choose(CHANGE, function, before)
        single = len(self._known.grammar.rules[function].productions) == 1
        return chosen if single else chosen * self._choose(function, word, before)

    def probability(self, word: str, before: Sentence) -> float:
        """Return the probability of a degree that differs from the one before."""
        if not before:
            return self.weigh(word, before)
        return self.weigh(word, before) / (1.0 - self.weigh(before[-1], before))

    def _choose(self, rule: str, name: str, before: Sentence) -> float:
        grammar: Grammar = self._known.grammar
        names = [production[0].name for production in grammar.rules[rule].productions]
        return self._known.after(rule, find_context(grammar, rule, before))[names.index(name)]

"""The grammar's chord rules as a model of the next degree, for comparison with n-grams."""

from __future__ import annotations

from inference_service.continuation.degrees import find_function
from inference_service.continuation.probabilities import Probabilities, find_context
from model_zoo.training.continuation.ngrams import Sentence

CHANGE = "change"
"""The rule that chooses a function; each function has a rule that chooses the degree."""


class ChordRules:
    """Model of the next degree: first its function, then the degree among those of the function.

    Parameters
    ----------
    known : Probabilities
        Those of the grammar of harmony.
    """

    def __init__(self, known: Probabilities) -> None:
        self._known = known
        self._places = {
            rule: {production[0].name: i for i, production in enumerate(own.productions)}
            for rule, own in known.grammar.rules.items()
        }

    def weigh(self, word: str, before: Sentence) -> float:
        """Return the probability of a degree, which may equal the last one."""
        function = find_function(word)
        chosen = self._choose(CHANGE, function, before)
        if len(self._places[function]) == 1:
            return chosen
        return chosen * self._choose(function, word, before)

    def probability(self, word: str, before: Sentence) -> float:
        """Return the probability of a degree, given that it differs from the last one."""
        if not before:
            return self.weigh(word, before)
        return self.weigh(word, before) / (1.0 - self.weigh(before[-1], before))

    def _choose(self, rule: str, name: str, before: Sentence) -> float:
        length = self._known.grammar.rules[rule].context
        context = find_context(self._known.grammar, rule, before[-length:])
        return self._known.after(rule, context)[self._places[rule][name]]

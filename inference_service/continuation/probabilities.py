"""How likely each alternative of a rule is, learnt by counting.

After each context of so many words, the counts are smoothed by those after a shorter one, down to
none, and these by all alternatives being alike: interpolation after Witten and Bell ("The
zero-frequency problem", IEEE Transactions on Information Theory 1991), in which a context counts
for the more the fewer kinds of continuations it has been seen with.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from inference_service.continuation.grammar import Grammar

BEGINNING: Final = "^"
"""Stands for the words before a sentence."""


class Choice(NamedTuple):
    """An alternative taken: of which rule, after which words, and which of its productions."""

    rule: str
    context: tuple[str, ...]
    production: int


Counts = dict[tuple[str, tuple[str, ...]], list[float]]


class Probabilities:
    """Probabilities of a grammar's alternatives, after any words.

    Parameters
    ----------
    grammar : Grammar
    counts : mapping of (rule, context) to counts of each alternative
        Contexts of every length from none to the rule's own; what is missing has not been seen.
    """

    def __init__(
        self, grammar: Grammar, counts: Mapping[tuple[str, tuple[str, ...]], Sequence[float]]
    ) -> None:
        self.grammar = grammar
        self._counts = {key: tuple(values) for key, values in counts.items()}
        self._known: dict[tuple[str, tuple[str, ...]], tuple[float, ...]] = {}

    def of(self, rule: str, words: Sequence[str]) -> tuple[float, ...]:
        """Return the probabilities of a rule's alternatives after these words; their sum is 1."""
        return self.after(rule, find_context(self.grammar, rule, words))

    def after(self, rule: str, context: tuple[str, ...]) -> tuple[float, ...]:
        """Return the same for a context of the rule's length."""
        key = rule, context
        if key not in self._known:
            self._known[key] = self._interpolate(rule, context)
        return self._known[key]

    def _interpolate(self, rule: str, context: tuple[str, ...]) -> tuple[float, ...]:
        size = len(self.grammar.rules[rule].productions)
        likely = [1.0 / size] * size
        for length in range(len(context) + 1):
            counts = self._counts.get((rule, context[len(context) - length :]))
            if counts is None:
                break
            total, kinds = sum(counts), sum(count > 0 for count in counts)
            likely = [
                (count + kinds * shorter) / (total + kinds)
                for count, shorter in zip(counts, likely, strict=True)
            ]
        return tuple(likely)

    def encode(self) -> str:
        """Return the counts as JSON, to be read by :func:`decode_probabilities`."""
        rows: dict[str, dict[str, list[float]]] = defaultdict(dict)
        for (rule, context), counts in sorted(self._counts.items()):
            rows[rule][" ".join(context)] = [round(count, 3) for count in counts]
        return json.dumps(rows, indent=0, ensure_ascii=False)


def find_context(grammar: Grammar, rule: str, words: Sequence[str]) -> tuple[str, ...]:
    """Return the words that a rule's choice hangs on, beginnings where there are too few."""
    length = grammar.rules[rule].context
    last = tuple(words[max(len(words) - length, 0) :]) if length else ()
    return (BEGINNING,) * (length - len(last)) + last


def count_choices(grammar: Grammar, choices: Iterable[Choice]) -> Counts:
    """Count alternatives after contexts of every length."""
    counts: Counts = {}
    for rule, context, production in choices:
        size = len(grammar.rules[rule].productions)
        for length in range(len(context) + 1):
            key = rule, context[len(context) - length :]
            counts.setdefault(key, [0.0] * size)[production] += 1.0
    return counts


def learn_probabilities(grammar: Grammar, choices: Iterable[Choice]) -> Probabilities:
    """Return the probabilities of what was chosen."""
    return Probabilities(grammar, count_choices(grammar, choices))


def decode_probabilities(grammar: Grammar, text: str) -> Probabilities:
    """Read what :meth:`Probabilities.encode` wrote.

    Raises
    ------
    ValueError
        If it belongs to another grammar.
    """
    counts: Counts = {}
    for rule, rows in json.loads(text).items():
        known = grammar.rules.get(rule)
        for context, row in rows.items():
            if known is None or len(row) != len(known.productions):
                raise ValueError(f"the probabilities of {rule} are of another grammar")
            counts[rule, tuple(context.split())] = row
    return Probabilities(grammar, counts)

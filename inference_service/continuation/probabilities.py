"""Probabilities of the alternatives of rules, learnt by counting.

The counts in each context are interpolated with those in the next shorter context, down to no
context and then to a uniform distribution, after Kneser and Ney ("Improved backing-off for m-gram
language modeling", ICASSP 1995). Every count is reduced by a discount, and the probability freed is
distributed as in the shorter context. In a shorter context, the count of an alternative is the
number of different longer contexts in which it occurs (:func:`count_contexts`).

Counts added later, those of a piece, are too small to be discounted. They are smoothed after Witten
and Bell ("The zero-frequency problem", IEEE Transactions on Information Theory 1991): the shorter
context gets a weight equal to the number of different alternatives.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from inference_service.continuation.grammar import Grammar, is_sign

BEGINNING: Final = "^"
"""Padding for the context at the beginning of a sentence."""

DISCOUNTS: Final = (0.5, 0.5, 0.5)
"""Default discounts by length of the context. Each style has its own in its file, chosen on its
development songs."""


class Choice(NamedTuple):
    """A choice in a derivation: rule, words that it is conditioned on, index of the production."""

    rule: str
    context: tuple[str, ...]
    production: int


Counts = dict[tuple[str, tuple[str, ...]], list[float]]
Rows = dict[str, dict[str, list[float]]]


class Probabilities:
    """Probabilities of a grammar's alternatives, conditioned on the preceding words.

    Parameters
    ----------
    grammar : Grammar
    counts : mapping of (rule, context) to counts of each alternative
        Contexts of every length up to the rule's own. Missing contexts have not been seen.
    discounts : tuple of float
        Discount by length of the context; smaller counts become zero.
    own : mapping of (rule, context) to counts, optional
        Counts of a piece, added later.
    excluded : mapping of rule to indices, optional
        Alternatives with probability zero; every rule must keep others.
    """

    def __init__(
        self,
        grammar: Grammar,
        counts: Mapping[tuple[str, tuple[str, ...]], Sequence[float]],
        discounts: tuple[float, ...] = DISCOUNTS,
        own: Mapping[tuple[str, tuple[str, ...]], Sequence[float]] | None = None,
        excluded: Mapping[str, frozenset[int]] | None = None,
    ) -> None:
        self.grammar = grammar
        self.discounts = discounts
        self.excluded = excluded or {}
        self._counts = {key: tuple(values) for key, values in counts.items()}
        self._own = {key: tuple(values) for key, values in (own or {}).items()}
        self._known: dict[tuple[str, tuple[str, ...]], tuple[float, ...]] = {}

    def of(self, rule: str, words: Sequence[str]) -> tuple[float, ...]:
        """Return the probabilities of a rule's alternatives after these words; they sum to 1."""
        return self.after(rule, find_context(self.grammar, rule, words))

    def after(self, rule: str, context: tuple[str, ...]) -> tuple[float, ...]:
        """Return the probabilities of a rule's alternatives in a context of the rule's length."""
        key = rule, context
        if key not in self._known:
            self._known[key] = self._interpolate(rule, context)
        return self._known[key]

    def _interpolate(self, rule: str, context: tuple[str, ...]) -> tuple[float, ...]:
        size = len(self.grammar.rules[rule].productions)
        smoothed = [1.0 / size] * size
        for length in range(len(context) + 1):
            key = rule, context[len(context) - length :]
            if key not in self._counts and key not in self._own:
                break
            counts = self._counts.get(key, (0.0,) * size)
            added = self._own.get(key, (0.0,) * size)
            kinds = sum(count > 0 for count in added)
            kept = [
                max(count - self.discounts[length], 0.0) + own
                for count, own in zip(counts, added, strict=True)
            ]
            total = sum(counts) + sum(added) + kinds
            freed = total - sum(kept)
            smoothed = [
                (own + freed * shorter) / total for own, shorter in zip(kept, smoothed, strict=True)
            ]
        return self._without_excluded(rule, smoothed)

    def _without_excluded(self, rule: str, values: Sequence[float]) -> tuple[float, ...]:
        if rule not in self.excluded:
            return tuple(values)
        left = [0.0 if i in self.excluded[rule] else value for i, value in enumerate(values)]
        total = sum(left)
        return tuple(value / total for value in left)

    def plus(self, counts: Counts, weight: float) -> Probabilities:
        """Return probabilities with the counts of a piece added, multiplied by a weight."""
        own = {key: list(values) for key, values in self._own.items()}
        for key, values in counts.items():
            held = own.setdefault(key, [0.0] * len(values))
            own[key] = [a + weight * b for a, b in zip(held, values, strict=True)]
        return Probabilities(self.grammar, self._counts, self.discounts, own, self.excluded)

    def discounted(self, discounts: tuple[float, ...]) -> Probabilities:
        """Return probabilities from the same counts with other discounts."""
        return Probabilities(self.grammar, self._counts, discounts, self._own, self.excluded)

    def within(self, grammar: Grammar) -> Probabilities:
        """Return the same probabilities for a grammar made of some of the rules."""
        return Probabilities(grammar, self._counts, self.discounts, self._own, self.excluded)

    def without(self, excluded: Mapping[str, frozenset[int]]) -> Probabilities:
        """Return probabilities with some alternatives, by rule and index, excluded."""
        return Probabilities(self.grammar, self._counts, self.discounts, self._own, excluded)

    def encode(self) -> Rows:
        """Return the counts as plain values for :func:`decode_probabilities`."""
        rows: Rows = defaultdict(dict)
        for (rule, context), counts in sorted(self._counts.items()):
            rows[rule][" ".join(context)] = [round(count, 3) for count in counts]
        return dict(rows)


class Tempered:
    """Probabilities at a temperature: raised to the power ``1 / temperature`` and renormalised.

    Parameters
    ----------
    given : Probabilities
    temperature : float
        Temperature; above 1, rare alternatives become more probable.
    """

    def __init__(self, given: Probabilities, temperature: float) -> None:
        self.grammar = given.grammar
        self._given = given
        self._power = 1.0 / temperature
        self._known: dict[tuple[str, tuple[str, ...]], tuple[float, ...]] = {}

    def after(self, rule: str, context: tuple[str, ...]) -> tuple[float, ...]:
        """Return the probabilities of a rule's alternatives; they sum to 1."""
        key = rule, context
        if key not in self._known:
            powers = [share**self._power for share in self._given.after(rule, context)]
            total = sum(powers)
            self._known[key] = tuple(power / total for power in powers)
        return self._known[key]


def find_context(grammar: Grammar, rule: str, words: Sequence[str]) -> tuple[str, ...]:
    """Return the words that a rule is conditioned on, padded with ``BEGINNING``."""
    length = grammar.rules[rule].context
    if not length:
        return ()
    last: list[str] = []
    for word in reversed(words):
        if len(last) == length:
            break
        if not is_sign(word):
            last.append(word)
    return (BEGINNING,) * (length - len(last)) + tuple(reversed(last))


def count_choices(grammar: Grammar, choices: Iterable[Choice]) -> Counts:
    """Count the alternatives in contexts of every length."""
    counts: Counts = {}
    for rule, context, production in choices:
        size = len(grammar.rules[rule].productions)
        for length in range(len(context) + 1):
            key = rule, context[len(context) - length :]
            counts.setdefault(key, [0.0] * size)[production] += 1.0
    return counts


def count_contexts(grammar: Grammar, counts: Counts) -> Counts:
    """Return Kneser-Ney counts: in shorter contexts, the number of distinct longer contexts."""
    found: Counts = {}
    for (rule, context), row in counts.items():
        if len(context) == grammar.rules[rule].context:
            found[rule, context] = row
        if context:
            kinds = found.setdefault((rule, context[1:]), [0.0] * len(row))
            for production, count in enumerate(row):
                kinds[production] += count > 0
    return found


def learn_probabilities(grammar: Grammar, choices: Iterable[Choice]) -> Probabilities:
    """Estimate probabilities from choices."""
    return Probabilities(grammar, count_contexts(grammar, count_choices(grammar, choices)))


def decode_probabilities(
    grammar: Grammar,
    rows: Mapping[str, Mapping[str, Sequence[float]]],
    discounts: tuple[float, ...],
) -> Probabilities:
    """Parse the output of :meth:`Probabilities.encode`.

    Raises
    ------
    ValueError
        If it does not fit the grammar.
    """
    counts: Counts = {}
    for rule, contexts in rows.items():
        known = grammar.rules.get(rule)
        for context, row in contexts.items():
            if known is None or len(row) != len(known.productions):
                raise ValueError(f"the probabilities of {rule} are of another grammar")
            counts[rule, tuple(context.split())] = list(row)
    return Probabilities(grammar, counts, discounts)

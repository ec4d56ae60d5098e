"""How likely each alternative of a rule is, learnt by counting.

After each context of so many words, the counts are smoothed by those after a shorter one, down to
none, and these by all alternatives being alike: interpolation after Kneser and Ney ("Improved
backing-off for m-gram language modeling", ICASSP 1995), in which every count gives up a discount,
which is shared out as the shorter context has it. What is counted after a shorter context is after
how many different longer ones an alternative has come (:func:`count_contexts`).

Counts that are added later, a piece's own, are of too few words to give up any. They leave the
shorter context as much as they are kinds, after Witten and Bell ("The zero-frequency problem", IEEE
Transactions on Information Theory 1991).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from inference_service.continuation.grammar import Grammar, is_sign

BEGINNING: Final = "^"
"""Stands for the words before a sentence."""

DISCOUNTS: Final = (0.5, 0.5, 0.5)
"""What every count gives up, by the length of the context, where nobody chose better."""


class Choice(NamedTuple):
    """An alternative taken: of which rule, after which words, and which of its productions."""

    rule: str
    context: tuple[str, ...]
    production: int


Counts = dict[tuple[str, tuple[str, ...]], list[float]]
Rows = dict[str, dict[str, list[float]]]


class Probabilities:
    """Probabilities of a grammar's alternatives, after any words.

    Parameters
    ----------
    grammar : Grammar
    counts : mapping of (rule, context) to counts of each alternative
        Contexts of every length from none to the rule's own; what is missing has not been seen.
    discounts : tuple of float
        What every count gives up, by the length of the context; what is less is given up whole.
    own : mapping of (rule, context) to counts, optional
        Those added later.
    excluded : mapping of rule to indices, optional
        Alternatives that are never taken; a rule has others.
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
            shared = total - sum(kept)
            likely = [
                (own + shared * shorter) / total for own, shorter in zip(kept, likely, strict=True)
            ]
        return self._without_excluded(rule, likely)

    def _without_excluded(self, rule: str, likely: Sequence[float]) -> tuple[float, ...]:
        if rule not in self.excluded:
            return tuple(likely)
        left = [0.0 if i in self.excluded[rule] else value for i, value in enumerate(likely)]
        total = sum(left)
        return tuple(value / total for value in left)

    def plus(self, counts: Counts, weight: float) -> Probabilities:
        """Return the probabilities with a piece's own counts added, each worth so many."""
        own = {key: list(values) for key, values in self._own.items()}
        for key, values in counts.items():
            held = own.setdefault(key, [0.0] * len(values))
            own[key] = [a + weight * b for a, b in zip(held, values, strict=True)]
        return Probabilities(self.grammar, self._counts, self.discounts, own, self.excluded)

    def discounted(self, discounts: tuple[float, ...]) -> Probabilities:
        """Return what the same counts make with other discounts."""
        return Probabilities(self.grammar, self._counts, discounts, self._own, self.excluded)

    def within(self, grammar: Grammar) -> Probabilities:
        """Return the same for a grammar made of some of the rules."""
        return Probabilities(grammar, self._counts, self.discounts, self._own, self.excluded)

    def without(self, excluded: Mapping[str, frozenset[int]]) -> Probabilities:
        """Return the same where some alternatives, by rule and index, are never taken."""
        return Probabilities(self.grammar, self._counts, self.discounts, self._own, excluded)

    def encode(self) -> Rows:
        """Return the counts as plain values, to be read by :func:`decode_probabilities`."""
        rows: Rows = defaultdict(dict)
        for (rule, context), counts in sorted(self._counts.items()):
            rows[rule][" ".join(context)] = [round(count, 3) for count in counts]
        return dict(rows)


class Heated:
    """Probabilities made more even, or less: to the power of ``1 / heat``.

    Parameters
    ----------
    given : Probabilities
    heat : float
        Over 1, what is rare comes oftener.
    """

    def __init__(self, given: Probabilities, heat: float) -> None:
        self.grammar = given.grammar
        self._given = given
        self._power = 1.0 / heat
        self._known: dict[tuple[str, tuple[str, ...]], tuple[float, ...]] = {}

    def after(self, rule: str, context: tuple[str, ...]) -> tuple[float, ...]:
        """Return the probabilities of a rule's alternatives; their sum is 1."""
        key = rule, context
        if key not in self._known:
            powers = [likely**self._power for likely in self._given.after(rule, context)]
            total = sum(powers)
            self._known[key] = tuple(power / total for power in powers)
        return self._known[key]


def find_context(grammar: Grammar, rule: str, words: Sequence[str]) -> tuple[str, ...]:
    """Return the words that a rule's choice hangs on, beginnings where there are too few."""
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
    """Count alternatives after contexts of every length."""
    counts: Counts = {}
    for rule, context, production in choices:
        size = len(grammar.rules[rule].productions)
        for length in range(len(context) + 1):
            key = rule, context[len(context) - length :]
            counts.setdefault(key, [0.0] * size)[production] += 1.0
    return counts


def count_contexts(grammar: Grammar, counts: Counts) -> Counts:
    """Return counts whose shorter contexts tell after how many longer ones alternatives came."""
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
    """Return the probabilities of what was chosen."""
    return Probabilities(grammar, count_contexts(grammar, count_choices(grammar, choices)))


def decode_probabilities(
    grammar: Grammar,
    rows: Mapping[str, Mapping[str, Sequence[float]]],
    discounts: tuple[float, ...],
) -> Probabilities:
    """Read what :meth:`Probabilities.encode` wrote.

    Raises
    ------
    ValueError
        If it belongs to another grammar.
    """
    counts: Counts = {}
    for rule, contexts in rows.items():
        known = grammar.rules.get(rule)
        for context, row in contexts.items():
            if known is None or len(row) != len(known.productions):
                raise ValueError(f"the probabilities of {rule} are of another grammar")
            counts[rule, tuple(context.split())] = list(row)
    return Probabilities(grammar, counts, discounts)

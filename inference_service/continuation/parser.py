"""What a grammar with probabilities thinks of a sentence.

Earley's parser with Stolcke's forward and inner probabilities ("An efficient probabilistic
context-free parsing algorithm that computes prefix probabilities", Computational Linguistics 1995):
one pass from left to right tells how likely each word is after those before it, all parses
together, and which single parse is the likeliest. That rules neither begin with themselves nor
stand for nothing spares the matrices of the general case. A rule's probabilities hang on the words
before the place where it begins, and these are known when it is predicted.

Probabilities are scaled at every word, so that sentences may be of any length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf, log2
from typing import NamedTuple

from inference_service.continuation.grammar import Grammar, Symbol
from inference_service.continuation.probabilities import Choice, Probabilities, find_context


class _State(NamedTuple):
    """So much of a production has been seen, from a word on."""

    rule: str
    production: int
    seen: int
    start: int


@dataclass(slots=True)
class _Value:
    """Scaled probabilities of a state, and its likeliest history: the state before, and the state
    that was completed for it."""

    forward: float = 0.0
    inner: float = 0.0
    best: float = -inf
    before: _State | None = None
    child: _State | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence as a grammar reads it.

    Attributes
    ----------
    surprise_bits : tuple of float
        Of each word after those before it, and of the sentence's end.
    choices : tuple of Choice
        The likeliest parse, in the order of a leftmost derivation; empty for what is no sentence.
    """

    surprise_bits: tuple[float, ...]
    choices: tuple[Choice, ...]

    @property
    def is_sentence(self) -> bool:
        """Whether the language holds it."""
        return self.surprise_bits[-1] < inf


class Parser:
    """Reads sentences of one grammar.

    Parameters
    ----------
    probabilities : Probabilities
    """

    def __init__(self, probabilities: Probabilities) -> None:
        self._probabilities = probabilities
        self._grammar = probabilities.grammar

    def read(self, words: Sequence[str], before: Sequence[str] = ()) -> Reading:
        """Read words; from the first that cannot follow, all surprise is infinite.

        ``before`` are words that the sentence follows: its first rules hang on them.
        """
        chart = _Chart(self._grammar, self._probabilities, words, before)
        surprise_bits = [inf] * (len(words) + 1)
        for place in range(len(words)):
            likely = chart.scan(place)
            if likely <= 0.0:
                return Reading(tuple(surprise_bits), ())
            surprise_bits[place] = -log2(likely)
        ends = chart.find_ends()
        likely = sum(chart.columns[-1].states[end].forward for end in ends)
        if likely <= 0.0:
            return Reading(tuple(surprise_bits), ())
        surprise_bits[-1] = -log2(min(likely, 1.0))
        best = max(ends, key=lambda end: chart.columns[-1].states[end].best)
        return Reading(tuple(surprise_bits), tuple(chart.trace(best)))


@dataclass(slots=True)
class _Column:
    """The states after so many words, and those of them that wait for a rule."""

    states: dict[_State, _Value] = field(default_factory=dict)
    waiting: dict[str, list[_State]] = field(default_factory=dict)


class _Chart:
    def __init__(
        self,
        grammar: Grammar,
        probabilities: Probabilities,
        words: Sequence[str],
        before: Sequence[str],
    ) -> None:
        self._grammar = grammar
        self._probabilities = probabilities
        self._words = words
        self._before = tuple(before)
        self.columns = [_Column()]
        self._predict(0, {grammar.start: 1.0})

    @cached_property
    def _order(self) -> dict[str, int]:
        """Rules' places in an order in which none stands before one that begins with it."""
        order: dict[str, int] = {}

        def visit(name: str) -> None:
            if name in order:
                return
            for production in self._grammar.rules[name].productions:
                if not production[0].is_word:
                    visit(production[0].name)
            order[name] = -len(order)

        for name in self._grammar.rules:
            visit(name)
        return order

    def scan(self, place: int) -> float:
        """Take the word at this place; return how likely it was."""
        column, word = self.columns[place], self._words[place]
        taken = [
            (state, value)
            for state, value in column.states.items()
            if (symbol := self._next(state)) is not None and symbol.is_word and symbol.name == word
        ]
        likely = sum(value.forward for _, value in taken)
        following = _Column()
        self.columns.append(following)
        if likely <= 0.0:
            return 0.0
        for state, value in taken:
            ahead = state._replace(seen=state.seen + 1)
            following.states[ahead] = _Value(
                value.forward / likely, value.inner / likely, value.best, state
            )
        self._complete(place + 1)
        self._predict(place + 1, {})
        return likely

    def _complete(self, place: int) -> None:
        """Take every finished state for the word that others wait for: the latest begun first."""
        column = self.columns[place]
        finished = [state for state in column.states if self._next(state) is None]
        done: set[_State] = set()
        while finished:
            finished.sort(key=lambda s: (s.start, self._order[s.rule]))
            child = finished.pop()
            if child in done:
                continue
            done.add(child)
            value = column.states[child]
            origin = self.columns[child.start]
            for parent in origin.waiting.get(child.rule, ()):
                held = origin.states[parent]
                ahead = parent._replace(seen=parent.seen + 1)
                known = column.states.get(ahead)
                if known is None:
                    known = column.states[ahead] = _Value()
                    if self._next(ahead) is None:
                        finished.append(ahead)
                known.forward += held.forward * value.inner
                known.inner += held.inner * value.inner
                best = held.best + value.best
                if best > known.best:
                    known.best, known.before, known.child = best, parent, child

    def _predict(self, place: int, expected: dict[str, float]) -> None:
        """Begin what states wait for; rules are begun once, with all that lead to them."""
        column = self.columns[place]
        for state, value in column.states.items():
            self._expect(column, state, value, expected)
        words = (*self._before, *self._words[:place])
        while expected:
            rule = min(expected, key=lambda name: self._order[name])
            forward = expected.pop(rule)
            for production, likely in enumerate(self._probabilities.of(rule, words)):
                if likely <= 0.0:
                    continue
                state = _State(rule, production, 0, place)
                value = _Value(forward * likely, likely, _log(likely))
                column.states[state] = value
                self._expect(column, state, value, expected)

    def _expect(
        self, column: _Column, state: _State, value: _Value, expected: dict[str, float]
    ) -> None:
        symbol = self._next(state)
        if symbol is not None and not symbol.is_word:
            column.waiting.setdefault(symbol.name, []).append(state)
            expected[symbol.name] = expected.get(symbol.name, 0.0) + value.forward

    def find_ends(self) -> list[_State]:
        """Return the states in which the whole is a sentence."""
        return [
            state
            for state in self.columns[-1].states
            if state.rule == self._grammar.start and state.start == 0 and self._next(state) is None
        ]

    def trace(self, end: _State) -> list[Choice]:
        """Return the choices of the likeliest parse that ends with a state."""
        choices: list[Choice] = []
        waiting = [(end, len(self.columns) - 1)]
        while waiting:
            state, place = waiting.pop()
            words = (*self._before, *self._words[: state.start])
            context = find_context(self._grammar, state.rule, words)
            choices.append(Choice(state.rule, context, state.production))
            while state.seen > 0:
                value = self.columns[place].states[state]
                assert value.before is not None
                if value.child is None:
                    place -= 1
                else:  # the last child comes first, and so is read last
                    waiting.append((value.child, place))
                    place = value.child.start
                state = value.before
        return choices

    def _next(self, state: _State) -> Symbol | None:
        production = self._grammar.rules[state.rule].productions[state.production]
        return production[state.seen] if state.seen < len(production) else None


def _log(likely: float) -> float:
    return log2(likely) if likely > 0.0 else -inf

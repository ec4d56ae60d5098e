"""Parse sentences of a probabilistic grammar.

This is Earley's parser with Stolcke's forward and inner probabilities ("An efficient probabilistic
context-free parsing algorithm that computes prefix probabilities", Computational Linguistics 1995).
One pass from left to right yields the probability of each word given the words before it, over all
parses, and the most probable parse. Grammars have no left recursion and no empty rules, so the
matrices of the general case are not needed. The probabilities of a rule are conditioned on the
words before the position where it begins, which are known when it is predicted.

Probabilities are rescaled at every word, so that long sentences do not underflow.
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
    """An Earley item: a production of which ``seen`` symbols are parsed, beginning at a word."""

    rule: str
    production: int
    seen: int
    start: int


@dataclass(slots=True)
class _Value:
    """Scaled probabilities of a state and its Viterbi path.

    The path is the previous state, and the completed state if it was reached by completion.
    """

    forward: float = 0.0
    inner: float = 0.0
    best: float = -inf
    before: _State | None = None
    child: _State | None = None


@dataclass(frozen=True, slots=True)
class Parse:
    """The parse of a sequence of words.

    Attributes
    ----------
    surprise_bits : tuple of float
        Surprise in bits of each word given those before it, and of the end of the sentence.
    choices : tuple of Choice
        The most probable parse, in the order of a leftmost derivation; empty if the words are not a
        sentence.
    """

    surprise_bits: tuple[float, ...]
    choices: tuple[Choice, ...]


class Parser:
    """Parser for the sentences of one grammar.

    Parameters
    ----------
    probabilities : Probabilities
    """

    def __init__(self, probabilities: Probabilities) -> None:
        self._probabilities = probabilities
        self._grammar = probabilities.grammar

    def read(self, words: Sequence[str], before: Sequence[str] = ()) -> Parse:
        """Parse words; from the first word that cannot follow, the surprise is infinite.

        ``before`` are words that the sentence follows, as context of its first rules.
        """
        chart = _Chart(self._grammar, self._probabilities, words, before)
        surprise_bits = [inf] * (len(words) + 1)
        for place in range(len(words)):
            probability = chart.scan(place)
            if probability <= 0.0:
                return Parse(tuple(surprise_bits), ())
            surprise_bits[place] = -log2(probability)
        ends = chart.find_ends()
        probability = sum(chart.columns[-1].states[end].forward for end in ends)
        if probability <= 0.0:
            return Parse(tuple(surprise_bits), ())
        surprise_bits[-1] = -log2(min(probability, 1.0))
        best = max(ends, key=lambda end: chart.columns[-1].states[end].best)
        return Parse(tuple(surprise_bits), tuple(chart.trace(best)))


@dataclass(slots=True)
class _Column:
    """The states after a number of words, and those that wait for each rule."""

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
        """Rank of each rule, such that a rule comes after all rules that may begin with it."""
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
        """Consume the word at this position and return its probability."""
        column, word = self.columns[place], self._words[place]
        taken = [
            (state, value)
            for state, value in column.states.items()
            if (symbol := self._next(state)) is not None and symbol.is_word and symbol.name == word
        ]
        probability = sum(value.forward for _, value in taken)
        following = _Column()
        self.columns.append(following)
        if probability <= 0.0:
            return 0.0
        for state, value in taken:
            ahead = state._replace(seen=state.seen + 1)
            following.states[ahead] = _Value(
                value.forward / probability, value.inner / probability, value.best, state
            )
        self._complete(place + 1)
        self._predict(place + 1, {})
        return probability

    def _complete(self, place: int) -> None:
        """Advance the states that wait for each completed state, the latest begun first."""
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
        """Predict the rules that states wait for, each once, with its total probability."""
        column = self.columns[place]
        for state, value in column.states.items():
            self._expect(column, state, value, expected)
        words = (*self._before, *self._words[:place])
        while expected:
            rule = min(expected, key=lambda name: self._order[name])
            forward = expected.pop(rule)
            for production, probability in enumerate(self._probabilities.of(rule, words)):
                if probability <= 0.0:
                    continue
                state = _State(rule, production, 0, place)
                value = _Value(forward * probability, probability, _log(probability))
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
        """Return the states in which all words are a complete sentence."""
        return [
            state
            for state in self.columns[-1].states
            if state.rule == self._grammar.start and state.start == 0 and self._next(state) is None
        ]

    def trace(self, end: _State) -> list[Choice]:
        """Return the choices of the most probable parse that ends in a state."""
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
                else:  # children are pushed from the last, so that the first is popped first
                    waiting.append((value.child, place))
                    place = value.child.start
                state = value.before
        return choices

    def _next(self, state: _State) -> Symbol | None:
        production = self._grammar.rules[state.rule].productions[state.production]
        return production[state.seen] if state.seen < len(production) else None


def _log(probability: float) -> float:
    return log2(probability) if probability > 0.0 else -inf

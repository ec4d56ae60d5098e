"""Grammars in a text format: data types, parser and checks.

A file holds rules; sentences begin with the first one::

    # Phrases follow each other.
    piece  = phrase { phrase } ;
    phrase = opening [ middle ] cadence ;
    chord / 2 = "I" | "IV" | "V" ;

The notation follows EBNF (ISO 14977): ``|`` separates alternatives, ``[ ]`` encloses an option,
``{ }`` a repetition (zero or more times), and ``( )`` a group. Names refer to rules, quoted words
are terminals, and ``#`` begins a comment.

``name / 2`` means that the choice of alternative is conditioned on the two preceding words: the
rule has separate probabilities for each pair. Words that consist of punctuation (``"|"``, ``"."``)
are signs and are skipped in the context. The effect of a chord depends on those before it; this
turns the context-free grammar into a history-based one (Black and others, "Towards history-based
grammars", ACL 1993) with the same sentences.

Brackets are expanded into plain alternatives. No rule may be empty or left-recursive, so that
parsing terminates without special cases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Final

_TOKEN: Final = re.compile(r'\s+|#[^\n]*|"([^"\s]+)"|([a-z][a-z0-9_]*)|(\d+)|([=|;/\[\]{}()])')
MAX_CONTEXT: Final = 4
"""Largest number of words that a choice may be conditioned on."""

_CLOSING: Final = {"[": "]", "{": "}", "(": ")"}


@dataclass(frozen=True, slots=True)
class Symbol:
    """A terminal word, or the name of a rule."""

    name: str
    is_word: bool


Production = tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a grammar.

    Attributes
    ----------
    name : str
    productions : tuple of Production
        Alternatives, not empty, without duplicates.
    context : int
        Number of preceding words that the choice is conditioned on.
    """

    name: str
    productions: tuple[Production, ...]
    context: int = 0


@dataclass(frozen=True, slots=True)
class Grammar:
    """Rules by name; sentences begin with ``start``."""

    start: str
    rules: Mapping[str, Rule]

    @property
    def words(self) -> tuple[str, ...]:
        """All terminal words, sorted."""
        found = {
            symbol.name
            for rule in self.rules.values()
            for production in rule.productions
            for symbol in production
            if symbol.is_word
        }
        return tuple(sorted(found))


@cache
def is_sign(word: str) -> bool:
    """Whether a word consists of punctuation, such as a bar line."""
    return not any(character.isalnum() for character in word)


def start_at(grammar: Grammar, names: Sequence[str], start: str = "sentence") -> Grammar:
    """Return the grammar whose sentences are a sequence of the named rules.

    Unreachable rules are dropped. The others are unchanged, so that their probabilities remain
    valid.

    Raises
    ------
    GrammarError
        If a rule does not exist, or ``names`` is empty.
    """
    if not names:
        raise GrammarError("a sentence has no part")
    production = tuple(Symbol(name, is_word=False) for name in names)
    kept: dict[str, Rule] = {start: Rule(start, (production,))}
    waiting = list(reversed(names))
    while waiting:
        name = waiting.pop()
        if name in kept:
            continue
        if name not in grammar.rules:
            raise GrammarError(f"there is no rule for {name}")
        kept[name] = grammar.rules[name]
        waiting += [
            symbol.name for p in kept[name].productions for symbol in p if not symbol.is_word
        ]
    return Grammar(start, kept)


class GrammarError(ValueError):
    """The text of a grammar is invalid."""


def decode_grammar(text: str) -> Grammar:
    """Parse a grammar.

    Raises
    ------
    GrammarError
        If the text cannot be parsed; if a rule is missing, unused or defined twice; or if a rule
        may be empty, is left-recursive or never terminates.
    """
    reader = _Reader(text)
    rules = reader.read()
    if not rules:
        raise GrammarError("there is no rule")
    grammar = Grammar(next(iter(rules)), rules)
    _check_names(grammar)
    _check_beginnings(grammar)
    _check_ends(grammar)
    return grammar


class _Reader:
    """Recursive-descent parser; a repetition becomes a rule named after the enclosing one."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokenise(text))
        self._place = 0
        self._rules: dict[str, Rule] = {}
        self._name = ""
        self._made = 0

    def read(self) -> dict[str, Rule]:
        while self._place < len(self._tokens):
            self._read_rule()
        return self._rules

    def _read_rule(self) -> None:
        name, context = self._take("name"), 0
        if self._at("/"):
            self._take("/")
            context = int(self._take("number"))
            if context > MAX_CONTEXT:
                raise GrammarError(f"{name} is conditioned on more than {MAX_CONTEXT} words")
        if name in self._rules:
            raise GrammarError(f"{name} is defined twice")
        self._take("=")
        self._name, self._made = name, 0
        self._rules[name] = Rule(name, ())  # placeholder that keeps the order of the text
        productions = self._read_alternatives()
        self._take(";")
        if () in productions:
            raise GrammarError(f"{name} may stand for nothing")
        self._rules[name] = Rule(name, tuple(dict.fromkeys(productions)), context)

    def _read_alternatives(self) -> list[Production]:
        productions = self._read_sequence()
        while self._at("|"):
            self._take("|")
            productions += self._read_sequence()
        return productions

    def _read_sequence(self) -> list[Production]:
        """Return the expansions of a sequence, with and without its optional items."""
        parts: list[list[Production]] = []
        while self._place < len(self._tokens) and not self._at_any("|;])}"):
            parts.append(self._read_item())
        if not parts:
            raise GrammarError(f"{self._name} has an empty alternative")
        return [tuple(symbol for part in chosen for symbol in part) for chosen in product(*parts)]

    def _read_item(self) -> list[Production]:
        kind, text = self._tokens[self._place]
        self._place += 1
        if kind in ("word", "name"):
            return [(Symbol(text, kind == "word"),)]
        if text not in _CLOSING:
            raise GrammarError(f"{self._name}: {text!r} is out of place")
        inner = self._read_alternatives()
        self._take(_CLOSING[text])
        if text == "(":
            return inner
        if text == "[":
            return [(), *inner]
        return [(), (self._repeat(inner),)]

    def _repeat(self, inner: list[Production]) -> Symbol:
        """Add a rule for one or more repetitions, and return its symbol."""
        if () in inner:
            raise GrammarError(f"{self._name} repeats what may be nothing")
        self._made += 1
        again = Symbol(f"{self._name}.{self._made}", is_word=False)
        productions = [p for one in inner for p in (one, (*one, again))]
        self._rules[again.name] = Rule(again.name, tuple(dict.fromkeys(productions)))
        return again

    def _at(self, text: str) -> bool:
        return self._place < len(self._tokens) and self._tokens[self._place] == ("sign", text)

    def _at_any(self, signs: str) -> bool:
        return any(self._at(sign) for sign in signs)

    def _take(self, wanted: str) -> str:
        """Consume the next token, which must be of a given kind or a given sign."""
        if self._place >= len(self._tokens):
            raise GrammarError(f"the text ends where {wanted!r} is due")
        kind, text = self._tokens[self._place]
        if wanted not in (kind, text):
            raise GrammarError(f"{self._name or text}: {text!r} stands where {wanted!r} is due")
        self._place += 1
        return text


def _tokenise(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            line = text.count("\n", 0, place) + 1
            raise GrammarError(f"line {line}: {text[place]!r} is not part of the notation")
        place = match.end()
        for kind, found in zip(("word", "name", "number", "sign"), match.groups(), strict=True):
            if found is not None:
                yield kind, found


def _check_names(grammar: Grammar) -> None:
    used = {grammar.start}
    for rule in grammar.rules.values():
        for production in rule.productions:
            used |= {symbol.name for symbol in production if not symbol.is_word}
    if missing := used - set(grammar.rules):
        raise GrammarError(f"there is no rule for {', '.join(sorted(missing))}")
    if idle := set(grammar.rules) - used:
        raise GrammarError(f"no rule leads to {', '.join(sorted(idle))}")


def _check_beginnings(grammar: Grammar) -> None:
    """Check that no rule is left-recursive, directly or indirectly."""
    first = {
        name: {p[0].name for p in rule.productions if not p[0].is_word}
        for name, rule in grammar.rules.items()
    }
    for name in grammar.rules:
        reached: set[str] = set()
        waiting = set(first[name])
        while waiting:
            reached |= waiting
            waiting = set().union(*(first[other] for other in waiting)) - reached
        if name in reached:
            raise GrammarError(f"{name} begins with itself")


def _check_ends(grammar: Grammar) -> None:
    """Check that every rule has finite sentences."""
    ending: set[str] = set()
    while True:
        found = {
            name
            for name, rule in grammar.rules.items()
            if any(all(s.is_word or s.name in ending for s in p) for p in rule.productions)
        }
        if found == ending:
            break
        ending = found
    if endless := set(grammar.rules) - ending:
        raise GrammarError(f"{', '.join(sorted(endless))} never comes to an end")

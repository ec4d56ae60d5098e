"""Grammars as readable text, to be written, read and checked.

A file holds rules, the first of which is where a sentence begins::

    # Phrases follow each other.
    piece  = phrase { phrase } ;
    phrase = opening [ middle ] cadence ;
    chord / 2 = "I" | "IV" | "V" ;

In the manner of EBNF (ISO 14977) ``|`` separates alternatives, ``[ ]`` holds what may be left out,
``{ }`` what may stand any number of times, none included, ``( )`` a group; names stand for rules,
quoted words for themselves, ``#`` begins a comment. ``name / 2`` says that which alternative is
taken hangs on the two words before it: such a rule has probabilities of its own after each pair.
Words of punctuation alone (``"|"``, ``"."``) are signs, which are passed over in that.
That is what musicians hear in a chord, and it makes a history-based grammar of the context-free one
(Black and others, "Towards history-based grammars", ACL 1993); its sentences are the same.

Brackets are unfolded into plain alternatives: no rule stands for nothing, and none begins with
itself, so that a parser's work is finite without further care.
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
"""The most words that a choice may hang on."""

_CLOSING: Final = {"[": "]", "{": "}", "(": ")"}


@dataclass(frozen=True, slots=True)
class Symbol:
    """A word of the language, or the name of a rule."""

    name: str
    is_word: bool


Production = tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a name stands for.

    Attributes
    ----------
    name : str
    productions : tuple of Production
        Its alternatives, none empty, none twice.
    context : int
        How many of the words before it the choice hangs on.
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
        """Every word, sorted."""
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
    """Return whether a word is punctuation alone, such as a bar line."""
    return not any(character.isalnum() for character in word)


def start_at(grammar: Grammar, names: Sequence[str], start: str = "sentence") -> Grammar:
    """Return the grammar whose sentences are those of some rules, one after another.

    Rules that are not reached from there are left out; the others are as they were, so that their
    probabilities hold.

    Raises
    ------
    GrammarError
        If there is no such rule, or no name.
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
    """A grammar's text says something that it may not."""


def decode_grammar(text: str) -> Grammar:
    """Read a grammar.

    Raises
    ------
    GrammarError
        For text that is no grammar, rules that are missing, never used or defined twice, and for
        rules that stand for nothing, begin with themselves, or never come to an end.
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
    """Recursive descent; brackets become rules of their own, named after the one they stand in."""

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
                raise GrammarError(f"{name} hangs on more than {MAX_CONTEXT} words")
        if name in self._rules:
            raise GrammarError(f"{name} is defined twice")
        self._take("=")
        self._name, self._made = name, 0
        self._rules[name] = Rule(name, ())  # rules keep the order of the text
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
        """Return what a sequence may be, with and without what may be left out."""
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
        """Make a rule of one or more of what stands in braces."""
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
        """Take the next token, which is of this kind, or this sign."""
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
            raise GrammarError(f"line {line}: {text[place]!r} means nothing")
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
    """See that no rule begins with itself, at whatever remove."""
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
    """See that every rule has sentences."""
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

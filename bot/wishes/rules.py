"""Rules of the grammar, and the numbers in them.

Patterns match normalised text (:mod:`bot.wishes.text`): lower case, words separated by one space.
They may span lines; line breaks and indentation do not count. ``<name:number>`` stands for a number
in digits or words of either language, ``<name:several>`` for one from two, and ``<name:ordinal>``
for one such as "5th" or "пятого", too; :func:`number` reads the group ``name``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from bot.wishes.values import Wish

T = TypeVar("T")

_WORDS: Final[Mapping[int, str]] = {
    1: "one|a|an|один|одну|одна|одной|одного|одно",
    2: "two|два|две|двух|пару|a couple of",
    3: "three|три|трех",
    4: "four|четыре|четырех",
    5: "five|пять|пяти",
    6: "six|шесть|шести",
    7: "seven|семь|семи",
    8: "eight|восемь|восьми",
    9: "nine|девять|девяти",
    10: "ten|десять|десяти",
    11: "eleven|одиннадцать|одиннадцати",
    12: "twelve|двенадцать|двенадцати",
    16: "sixteen|шестнадцать|шестнадцати",
}
_ORDINALS: Final[Mapping[int, str]] = {
    1: r"first|перв\w+",
    2: r"second|втор\w+",
    3: r"third|треть\w+|третий",
    4: r"fourth|четверт\w+",
    5: r"fifth|пят(?:ый|ого|ому|ом|ая|ой)",
    6: r"sixth|шест(?:ой|ого|ому|ом|ая)",
    7: r"seventh|седьм\w+",
    8: r"eighth|восьм(?:ой|ого|ому|ом|ая)",
    9: r"ninth|девят(?:ый|ого|ому|ом|ая)",
    10: r"tenth|десят(?:ый|ого|ому|ом|ая)",
    11: r"eleventh|одиннадцат(?:ый|ого|ому|ом)",
    12: r"twelfth|двенадцат(?:ый|ого|ому|ом)",
    16: r"sixteenth|шестнадцат(?:ый|ого|ому|ом)",
}
_DIGITS: Final = r"\d{1,4}"
_NUMBERS: Final = {
    "number": "|".join([_DIGITS, *_WORDS.values()]),
    "several": "|".join([r"[2-9]|\d{2,4}", *list(_WORDS.values())[1:]]),
    "ordinal": "|".join(
        [_DIGITS + r"(?:го|й|ый|ой|му|м|th|st|nd|rd)?", *_ORDINALS.values(), *_WORDS.values()]
    ),
}
_VALUES: Final = [
    (re.compile(pattern), value)
    for table in (_WORDS, _ORDINALS)
    for value, pattern in table.items()
]

Build = Callable[[re.Match[str]], Wish | tuple[Wish, ...] | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern, and what its match means.

    Parameters
    ----------
    pattern : re.Pattern
        Matches whole words.
    build : callable
        From a match to the wish, or several; None if the words are known but ask for nothing.
    """

    pattern: re.Pattern[str]
    build: Build


def rule(pattern: str, build: Build | Wish | None) -> Rule:
    """Build a rule; ``build`` may be the wish itself, or None for none."""
    pattern = re.sub(r"\n\s*", "", pattern)
    pattern = re.sub(r"<(\w+):(\w+)>", lambda name: f"(?P<{name[1]}>{_NUMBERS[name[2]]})", pattern)
    compiled = re.compile(rf"(?:{pattern})(?= |$)")
    return Rule(compiled, build if callable(build) else lambda match: build)


def number(words: str | None, default: int = 1) -> int:
    """The value of a number in a match; ``default`` if the group did not take part."""
    if words is None:
        return default
    if digits := re.match(_DIGITS, words):
        return int(digits[0])
    return next(value for pattern, value in _VALUES if pattern.fullmatch(words))


def ordinal(value: int) -> str:
    """A pattern for the words of an ordinal, such as "second" or "второй"."""
    return f"(?:{_ORDINALS[value]})"


def any_of(table: Sequence[tuple[T, str]]) -> str:
    """A pattern that matches any word of a table of values and the words for them."""
    return "|".join(words for _, words in table)


def value_of(table: Sequence[tuple[T, str]], words: str) -> T:
    """The first value of a table whose pattern matches ``words``; one must."""
    return next(value for value, pattern in table if re.fullmatch(pattern, words))

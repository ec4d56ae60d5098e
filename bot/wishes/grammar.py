"""Understand a message: the longest rule at each word, until no word is left."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Final

from bot.wishes import pages, parts, pitch, rhythm
from bot.wishes.rules import Rule, rule
from bot.wishes.spelling import list_corrected
from bot.wishes.text import MAX_CHARS, normalise
from bot.wishes.values import Wish

_ACCOMPANYING: Final = r"""
please|pls|plz|thanks|thank you|thx|hi|hey|hello|ok|okay|no|nope|sorry|hmm|and|but|also|then|now
so|well|with|actually|rather|maybe|perhaps|probably|really|of course|clearly|definitely|obviously
i think|i believe|i guess|i would say|id say|i hear|i hear it|i mean|i meant|it seems|sounds like
it sounds like|could be|might be|should|should be|should have|should have been|shouldve been|must be
needs to be|be|could you|can you|would you|will you|can i have|could i have|may i have|lets|let us
lets have|make|set|change|put|write|written|try|do|use|have|get|leave|give me|want|i want|i need
id like|i would like|show|show me|play|correct|fix|wrong|incorrect|mistaken|around|about
approximately|it|its|is|this|this one|that|thats|the|a|an|to|in|for|instead|only|just|metre|meter
time signature|signature|time|tempo|key|notes?|pitches|piece|song|score|clef|part|jazz
пожалуйста|плиз|спасибо|привет|здравствуй(?:те)?|ой|нет|да|ну|ведь|и|а|но|еще|также|потом|теперь
тут|здесь|там|с|на|же|бы|на самом деле|вообще|вообще то|все таки|так|не так|по моему|мне кажется
кажется|думаю|наверное|вроде|скорее|скорее всего|точно|конечно|явно|примерно|около|где то
имею в виду|долж\w+ быть|можно|можешь|может|можете|давай(?:те)?|пусть|пусть будет|сделай(?:те)?
сделать|поставь(?:те)?|поменяй(?:те)?|измени(?:те)?|исправь(?:те)?|запиши(?:те)?|напиши(?:те)?
перепиши(?:те)?|попробуй(?:те)?|хочу|нужно|надо|нужен|нужна|покажи(?:те)?|дай(?:те)?|мне
неправильн\w+|неверн\w+|ошиб\w+|это|этот|эта|просто|только|было|будет|был|была|размер|метр
в размере|темп|тональность|ноты|пьеса|песня|ключ|партия|джаз
"""
"""Words that accompany a wish, and ask for nothing. None holds another alternative in a group."""

_FILLERS: Final = rule(
    "|".join(sorted(_ACCOMPANYING.strip().replace("\n", "|").split("|"), key=len, reverse=True)),
    None,
)

_QUESTIONS: Final = rule(
    r"""why|what|which|who|when|where|how|is it|is this|are you|do you|does it|did you|почему|зачем
    |что|какой|какая|какие|кто|когда|где|как (?:это|ты|дела|тебя)|разве|сколько|откуда""",
    None,
)
_RULES: Final[tuple[Rule, ...]] = (
    *rhythm.RULES,
    *pitch.RULES,
    *pages.RULES,  # before the parts: "only piano" is a view
    *parts.RULES,
    _FILLERS,
)
_COMMA: Final = ","
_MAX_READINGS: Final = 64
"""Ways to correct the spelling that are tried."""


@dataclass(frozen=True, slots=True)
class Understanding:
    """The wishes of a message, in order, and the words that no rule knows."""

    wishes: tuple[Wish, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the message asks for something, and every word of it is known."""
        return bool(self.wishes) and not self.unknown


def understand(text: str) -> Understanding:
    """Find the wishes in a message; long messages and questions have none.

    A message that is not understood as it stands is read with its spelling corrected, if there is
    one meaning that makes sense of all of it.
    """
    if len(text) > MAX_CHARS:
        return Understanding()
    words = normalise(text)
    if match := _QUESTIONS.pattern.match(words):
        return Understanding(unknown=(match[0],))
    understood = _read(words)
    if understood.is_complete:
        return understood
    corrected = map(_read, islice(list_corrected(words), _MAX_READINGS))
    meanings = {reading.wishes: reading for reading in corrected if reading.is_complete}
    return meanings.popitem()[1] if len(meanings) == 1 else understood


def _read(words: str) -> Understanding:
    """Find the wishes in a normalised message."""
    wishes: list[Wish] = []
    unknown: list[str] = []
    start = 0
    while start < len(words):
        if words[start] in f" {_COMMA}":
            start += 1
            continue
        stop, found = _longest(words, start)
        if stop == start:
            stop = start + len(words[start:].split(" ", 1)[0])
            unknown.append(words[start:stop])
        wishes += found
        start = stop
    return Understanding(tuple(wishes), tuple(unknown))


def _longest(words: str, start: int) -> tuple[int, tuple[Wish, ...]]:
    """The end of the longest match at ``start``, and its wishes; ``start`` if no rule matches."""
    stop, found = start, None
    for candidate in _RULES:
        match = candidate.pattern.match(words, start)
        if match is not None and match.end() > stop:
            stop, found = match.end(), candidate.build(match)
    if found is None:
        return stop, ()
    return stop, found if isinstance(found, tuple) else (found,)

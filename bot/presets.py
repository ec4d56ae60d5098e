"""Words for what a recording holds, in English and Russian: "piano", "это гитара", "one voice".

A word names a preset of the service. Several kinds with a voice make a song, without one an
ensemble.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from bot.client.types import Preset
from bot.wishes.spelling import list_corrected
from bot.wishes.text import normalise

_WORDS: Final = {
    Preset.VOICE: re.compile(
        r"voice|vocals?|sing(?:ing|er|s)?|sung|humm?(?:ing|ed)?|whistl(?:e|ing)"
        r"|голос\w*|вокал\w*|пени[еяю]|пою|поет|певец|певица|напев\w*|мычани\w+|свист\w*"
    ),
    Preset.SOLO: re.compile(
        r"solo|melody|flute|violin|fiddle|viola|cello|trumpet|trombone|sax(?:ophone)?|clarinet|oboe"
        r"|bassoon|horn|recorder|instrument"
        r"|соло|мелоди\w+|флейт\w+|скрипк\w+|альт|виолончел\w+|труб[аыу]|тромбон\w*"
        r"|саксофон\w*|кларнет\w*|гобо[йя]|фагот\w*|валторн\w*|инструмент"
    ),
    Preset.PIANO: re.compile(
        r"piano|keyboards?|keys|pianoforte"
        r"|фортепиан\w+|пианин\w+|роял\w+|клавиш\w*|фоно|ф но"
    ),
    Preset.GUITAR: re.compile(r"guitars?|ukulele|гитар\w*|укулеле"),
    Preset.ENSEMBLE: re.compile(
        r"ensemble|orchestra|quartet|trio|duo|instruments|instrumental|drums|string|accordion|strings"
        r"|ансамбл\w*|оркестр\w*|квартет\w*|трио|дуэт\w*|инструмент(?:ы|ов|ами)|ударны[ехм]\w*"
        r"|минус\w*|аккордеон\w*|баян\w*|инструментал\w*"
    ),
    Preset.SONG: re.compile(r"song|band|choir|mix|песн\w+|групп\w+|хор\w*"),
}
_MARKS: Final = re.compile(
    r"(?:heard?|hear it|listen|its|it is|this is|thats|that is|это|там|тут|здесь|слушай"
    r"|услышь|расслышь|играет|звучит)\b"
)
"""Words that say what sounds, rather than what to write."""

_FILLERS: Final = re.compile(
    r"a|an|the|one|only|just|and|with|of|for|is|it|its|as|like|actually|please|hear|heard|listen"
    r"|this|that|thats|several|many|some|no|not|to|at|on|alone|by|playing"
    r"|один|одна|одно|только|просто|и|с|со|как|же|ведь|на|под|в|это|там|тут|здесь|слушай|услышь"
    r"|расслышь|играет|звучит|несколько|много|сольн\w+|пожалуйста|нет|а|у|меня|вообще то|,"
)
_NOT: Final = re.compile(r"\b(?:not|isnt|не) (?:a |an |the |один |одно )?[^\W\d]+")

PRESETS: Final = tuple(_WORDS)
"""The presets in the order in which they are offered, unless the service has heard which are
likelier."""


def read_preset(text: str) -> Preset | None:
    """Return what a text says a recording holds; None if it says anything else, or nothing.

    Slips of the pen are corrected. Several kinds together are a song, "voice and piano", or an
    ensemble, "flute and guitar".
    """
    words = re.sub(r"\bф но\b", "фоно", _NOT.sub("", normalise(text)))
    exact = _read(words)
    if exact is not None:
        return exact
    readings = {_read(corrected) for corrected in list_corrected(words)} - {None}
    return readings.pop() if len(readings) == 1 else None


def _read(words: str) -> Preset | None:
    found = set()
    for word in words.split():
        presets = [preset for preset, pattern in _WORDS.items() if pattern.fullmatch(word)]
        if presets:
            found.update(presets)
        elif _FILLERS.fullmatch(word) is None:
            return None
    if len(found) < 2:
        return next(iter(found), None)
    return Preset.SONG if found & {Preset.VOICE, Preset.SONG} else Preset.ENSEMBLE


def order_presets(likely: Sequence[Preset]) -> list[Preset]:
    """Return all presets, those that the service finds likely first."""
    return [*likely, *(preset for preset in PRESETS if preset not in likely)]


def says_what_sounds(text: str) -> bool:
    """Whether a text speaks of the recording, "it's a piano", and not of the page, "piano"."""
    return _MARKS.match(normalise(text)) is not None

"""Slips of the pen: terms of music that are one edit away from how they are spelt.

Only terms that are hardly ever near to an ordinary word are corrected, and never words that are
words in their own right: "mayor" is not "major". What is corrected counts only if the whole message
is then understood, and in one way (:func:`bot.wishes.grammar.understand`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import Final

MIN_CHARS: Final = 5
"""Shorter words have too many others beside them."""

MAX_SLIPS: Final = 2
"""Words that are corrected in a message."""

_TERMS_TEXT: Final = """
signature quarter quarters eighth eighths sixteenth sixteenths quaver quavers crotchet crotchets
triplet triplets waltz tempo twice double twelve measure measures major minor sharp transpose
original octave octaves semitone semitones fourth fifth swing swung straight clef chords melody
piano guitar violin viola cello flute clarinet trumpet trombone saxophone accordion drums
percussion vocals voice treble tenor without instead earlier slower faster
размер размере четверти четвертей четвертных четвертные восьмых восьмые восьмую восьмыми
шестнадцатых шестнадцатые шестнадцатую шестнадцатыми триолей триоли триолями вальс темп вдвое
втрое медленнее быстрее раньше позже тактов такты такта мажор мажоре минор миноре бемоль
тональность тональности транспонируй транспонировать октаву полутон полутона полтона терцию
кварту квинту свинг свинга аккорды аккордами аккордов мелодия мелодию мелодией фортепиано
пианино гитара гитары гитарой гитару скрипка скрипки скрипку виолончель виолончели флейта флейты
флейту кларнет кларнета тромбон тромбона саксофон саксофона аккордеон аккордеона ударных ударные
барабанов барабаны басовый басовом скрипичный скрипичном ключе партитура партитуру исходная
пожалуйста
"""
_ORDINARY_TEXT: Final = """
aster bello blower caster cells celso chore chores chorus cleft coords cords crochet crotches
crotchety crumpet doable doble doubly drams drugs easter eighty ewing falter fasted fasten
fatter fester fifty filth firth flower fluke flume forth foster glute hello jello locals lower
manor master mayor mejor mello menor miner minos nello noice octane owing plano quaker quakers
quartet quartets quiver quivers raster rouble sawing scarp senor sewing shard share shari shark
sharpe shower sling slung sower sowing sting stung suing swine taster tello temps tempt tenon
tensor tiempo tremble trice triple tripled triplex trumped twine villa voila voile waster yello
актов базовый балабанов болтона быстрое быстрые вдвоем вдове второе втроем карту майор медленное
медленные оттаву пакта плутон полотна полтора полутора расовый свинка свинца скрепка скрепки
скрепку стинг стинга таков тракта триполи тромбов тромбоз турцию удачные удачных факта фактов
факты часовом четверки четвертой четвертый
"""
"""Words that are near to a term, by the frequencies of English and Russian words of ``wordfreq`` 3;
forms of the terms themselves are left out, as they mean the same."""

_TERMS: Final = frozenset(_TERMS_TEXT.split())
_ORDINARY: Final = frozenset(_ORDINARY_TEXT.split())


def is_one_edit(word: str, other: str) -> bool:
    """Whether a letter more, less or other, or two neighbours swapped, make one word of another."""
    if word == other or abs(len(word) - len(other)) > 1:
        return False
    start = next((k for k, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), None)
    if start is None:
        return True
    rest, other_rest = word[start:], other[start:]
    return (
        rest[1:] == other_rest[1:]
        or rest[1:] == other_rest
        or rest == other_rest[1:]
        or (rest[1::-1] == other_rest[:2] and rest[2:] == other_rest[2:])
    )


def list_corrected(words: str) -> Iterator[str]:
    """Yield the ways to correct a normalised message, those that change fewer words first."""
    spelt = words.split(" ")
    near = {
        place: sorted(term for term in _TERMS if is_one_edit(word, term))
        for place, word in enumerate(spelt)
        if len(word) >= MIN_CHARS and word not in _TERMS and word not in _ORDINARY
    }
    slips = [place for place, terms in near.items() if terms]
    for count in range(1, MAX_SLIPS + 1):
        for places in combinations(slips, count):
            for terms in product(*(near[place] for place in places)):
                corrected = dict(enumerate(spelt)) | dict(zip(places, terms, strict=True))
                yield " ".join(corrected.values())

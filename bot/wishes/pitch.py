"""Wishes about pitch: the key, transposition, pitches as sung or as meant.

"It is in G" corrects the key and moves no note; "play it in G" transposes. A key without a verb, or
with a form of "to be", is a correction. A key with a verb of doing, such as "transpose", "sing",
"make it" or "I want", is a transposition.
"""

from __future__ import annotations

import re
from typing import Final

from bot.client.types import Mode, Pitches
from bot.wishes.rules import Rule, any_of, number, rule, value_of
from bot.wishes.values import KeyIs, PitchesAre, Transpose, TransposeTo, Untransposed

_NOTES: Final = {"до": "C", "ре": "D", "ми": "E", "фа": "F", "соль": "G", "ля": "A", "си": "B"}
_SIGNS: Final = {"диез": "#", "бемоль": "b", "": ""}
_RUSSIAN: Final = r"(?:до|ре|ми|фа|соль|ля|си)(?: (?:диез|бемоль)|#|b)?"
_GERMAN: Final = r"[a-h]|cis|dis|eis|fis|gis|ais|his|ces|des|es|fes|ges|as"
_MODE: Final = r"(?:major|maj|minor|min|мажор\w*|минор\w*)"

_FULL_KEY: Final = (
    rf"(?:(?P<key>[a-g][#b]?|{_RUSSIAN}) (?P<mode>{_MODE})"
    rf"|(?P<german>{_GERMAN}) (?P<german_mode>dur|moll)|(?P<short>[a-g][#b]?)m(?:in)?)"
)
# "a" is an article, too: a tonic only where nothing follows. "h" is the German B natural.
_ANY_KEY: Final = rf"(?:{_FULL_KEY}|(?P<tonic>[b-h][#b]?|a[#b]|a(?= ,|$)|{_RUSSIAN}))"
_STATED: Final = r"""(?:(?:the )?(?:key|tonality|тональность)(?: is| of| signature is| should be
    | это| ,)*(?: in)?|in(?: the key of)?|its(?: in)?|it is(?: in)?|(?:should|must) be(?: in)?
    |это(?: в)?|в(?: тональности)?)"""
_DO: Final = r"""(?:(?:transpose|transposed|move|shift|change|put|bring|take|play|sing|perform|make
    |write|rewrite|i want|i need|i would like|id like|we need|give me|want|need|(?:can|could) i have
    |транспонируй(?:те)?|транспонировать|перенеси(?:те)?|переведи(?:те)?|перепиши(?:те)?
    |переделай(?:те)?|сыграть|сыграй(?:те)?|играть|спеть|спой|петь|хочу|хотим|хотелось бы|нужно|надо
    |нужна|дай(?:те)?|сделай(?:те)?|сделать|мне|запиши(?:те)?|напиши(?:те)?|поменяй(?:те)?|подними
    |опусти)(?: (?:it|this|that|the|piece|song|score|everything|me|to|be|key|now|us|sing|play|его|ее
    |это|эту|песню|все|ноты|мелодию|тональность|мне|нужно|надо|сыграть|спеть|петь|играть))*)"""
_DONE: Final = r"""(?:(?:, )?(?:чтобы )?(?:сыграть|сыграй|играть|спеть|спой|петь|хочу|нужно|надо
    |транспонируй|instead))"""
_TO: Final = r"(?:to|into|in|in the key of|to the key of|в|во|на|в тональности|в тональность)"

_INTERVALS: Final = (
    (1, r"semi ?tones?|half ?(?:tones?|steps?)|полутон\w*|полтон\w*|пол тона|мал\w+ секунд\w+"),
    (2, r"(?:whole )?(?:tones?|steps?)|тон|тона|тонов|тоном|большую секунду|большой секундой"),
    (3, r"minor thirds?|полтора тона|малую терцию|малой терцией"),
    (4, r"(?:major )?thirds?|(?:больш\w+ )?терци\w+"),
    (5, r"(?:perfect )?fourths?|(?:чист\w+ )?кварт\w+"),
    (7, r"(?:perfect )?fifths?|(?:чист\w+ )?квинт\w+"),
    (8, r"minor sixths?|мал\w+ секст\w+"),
    (9, r"(?:major )?sixths?|(?:больш\w+ )?секст\w+"),
    (12, r"octaves?|октав\w*"),
)
_UP: Final = r"(?:up|higher|above|upwards?|выше|вверх|повыше)"
_DOWN: Final = r"(?:down|lower|below|downwards?|ниже|вниз|пониже)"
_RAISE: Final = r"(?:raise|подними|поднять|поднимите|повысь|повысить)"
_LOWER: Final = r"(?:lower|drop|опусти|опустить|опустите|понизь|понизить)"
_IT: Final = r"(?: (?:it|everything|this|the key|все|его|ее|тональность|мелодию))?"
_A_BIT: Final = r"(?:a (?:bit|little) |slightly |чуть |чуть чуть |немного |немножко )?"


def _step(name: str) -> str:
    """A number of intervals, in the groups ``name`` and ``name_count``."""
    return rf"(?:by |на |an? )?(?:<{name}_count:number> )?(?P<{name}>{any_of(_INTERVALS)})"


def _latin(tonic: str) -> str:
    """A tonic as keys are written: "bb" and "си бемоль" as "Bb"."""
    if tonic[0] in "abcdefgh":
        return _german(tonic[0])[0] + tonic[1:] if tonic[0] == "h" else tonic[0].upper() + tonic[1:]
    name, _, sign = tonic.partition(" ")
    note = name.rstrip("#b")
    return _NOTES[note] + name[len(note) :] + _SIGNS[sign]


def _german(tonic: str) -> str:
    """A German tonic as keys are written: "b" as "Bb", "h" as "B", "fis" as "F#"."""
    if tonic in {"b", "h"}:
        return {"b": "Bb", "h": "B"}[tonic]
    return tonic[0].upper() + {"": "", "is": "#", "es": "b", "s": "b"}[tonic[1:]]


def _key(match: re.Match[str]) -> tuple[str, Mode | None]:
    """The tonic and, if it is named, the mode."""
    groups = match.groupdict()
    if groups["german"]:
        return _german(groups["german"]), "major" if groups["german_mode"] == "dur" else "minor"
    if groups["short"]:
        return _latin(groups["short"]), "minor"
    if groups["key"]:
        return _latin(groups["key"]), _mode(groups["mode"])
    return _latin(groups["tonic"]), None


def _mode(words: str) -> Mode:
    return "minor" if re.search("min|мин", words) else "major"


def _interval(match: re.Match[str]) -> Transpose:
    groups = match.groupdict()
    name = next(name for name in "abc" if groups[name])
    semitones = value_of(_INTERVALS, groups[name]) * number(groups[f"{name}_count"])
    return Transpose(-semitones if re.search(rf"\b(?:{_DOWN}|{_LOWER})\b", match[0]) else semitones)


def _signed(match: re.Match[str]) -> Transpose | None:
    semitones = int(match["shift"])
    return Transpose(semitones) if semitones and abs(semitones) <= 24 else None


_KEY_RULES: Final = (
    rule(_FULL_KEY, lambda match: KeyIs(*_key(match))),
    rule(r"(?P<note>[b-g][#b]|a[#b])", lambda match: KeyIs(_latin(match["note"]))),
    rule(rf"{_STATED} {_ANY_KEY}", lambda match: KeyIs(*_key(match))),
    rule(
        rf"""(?:its |it is |this is |это |in (?:a )?|в )?(?:параллельн\w+ |relative |одноименн\w+ )?
        (?P<mode>{_MODE})(?: key)?""",
        lambda match: KeyIs(mode=_mode(match["mode"])),
    ),
    rule(  # beside what it is instead
        rf"(?:not|but not|isnt|and not|и не|а не|не) (?:in |в )?(?:{_ANY_KEY}|{_MODE})", None
    ),
)
_TRANSPOSITION_RULES: Final = (
    rule(rf"{_DO} (?:{_TO} )?{_FULL_KEY}", lambda match: TransposeTo(*_key(match))),
    rule(rf"{_DO} {_TO} {_ANY_KEY}", lambda match: TransposeTo(*_key(match))),
    rule(rf"{_TO} {_ANY_KEY} {_DONE}", lambda match: TransposeTo(*_key(match))),
    rule(rf"to {_ANY_KEY}", lambda match: TransposeTo(*_key(match))),
    rule(
        rf"""(?:(?:transpose|transposed|move|shift|транспонируй|транспонировать|перенеси|сдвинь)
        {_IT} )?(?:{_step("a")} (?:{_UP}|{_DOWN})|(?:{_UP}|{_DOWN}) {_step("b")}
        |(?:{_RAISE}|{_LOWER}){_IT} {_step("c")})""",
        _interval,
    ),
    rule(rf"{_A_BIT}{_UP}", Transpose(1)),
    rule(rf"{_A_BIT}{_DOWN}", Transpose(-1)),
    rule(
        r"""(?:transpose |transpose by |транспонируй (?:на )?)?(?P<shift>[+-]\d{1,2})
        (?: semitones?| полутон\w*| half ?steps?)?""",
        _signed,
    ),
    rule(
        r"""(?:in |back to |to )?(?:the )?original key|untransposed|(?:do not|dont) transpose
        |(?:no|without) transposition|as recorded|(?:верни |в |вернуть )?(?:исходн\w+|родн\w+
        |оригинальн\w+|первоначальн\w+) тональност\w+|(?:тональность )?как в записи
        |без транспони\w+|без транспозиции|не транспонируй""",
        Untransposed(),
    ),
)
_SINGING_RULES: Final = (
    rule(
        r"""(?:exactly |just |leave it |the way |write |what )*
        (?:as )?(?:i |we |he |she |they )?(?:sung|sang)(?: it)?
        |(?:ровно |точно |именно |так ,? ?|ноты |оставь |запиши )*(?:как|то ,? ?что)
        [ ](?:я |мы |он |она )?
        (?:спето|спел|спела|спели|напето|напел|напела|напели|пою|поется|пел|пела)
        |(?:with|keep) (?:all )?(?:the |my )?(?:wrong|false|off) (?:notes|pitches)|с фальшью""",
        PitchesAre(Pitches.SUNG),
    ),
    rule(
        r"""as (?:it was |i |it |was )*(?:meant|intended)|как (?:я )?(?:задумано|задумал|задумала
        |надо|надо петь|надо было спеть|имелось в виду)|(?:fix|correct|clean up|tidy) (?:the |my )?
        (?:pitch|pitches|intonation|tuning|singing)|(?:исправь|поправь|убери|почисти) (?:фальшь
        |интонаци\w+)|без фальши""",
        PitchesAre(Pitches.MEANT),
    ),
)

RULES: Final[tuple[Rule, ...]] = (*_KEY_RULES, *_TRANSPOSITION_RULES, *_SINGING_RULES)

"""Wishes about rhythm: metre, tempo, where bars begin, finest values, triplets, swing."""

from __future__ import annotations

import re
from typing import Final

from bot.wishes.rules import Rule, any_of, number, rule, value_of
from bot.wishes.values import (
    FeelIs,
    FinestIs,
    Metre,
    NoteValue,
    Rescale,
    ShiftBars,
    ShiftFrom,
    Tempo,
    TripletsAre,
    Unit,
)

_DIGITS_METRE: Final = r"(?P<beats>[2-9]|1\d|2[0-4])/(?P<unit>2|4|8|16)"
_METRE_UNITS: Final = (
    (2, r"2|twos?|half|halves|вторых|вторые"),
    (4, r"4|fours?|fourths?|quarters?|четыре|четверт\w+"),
    (8, r"8|eights?|eighths?|восемь|восьм\w+"),
    (16, r"16|sixteens?|sixteenths?|шестнадцать|шестнадцат\w+"),
)
_METRE_NAMES: Final = (
    (
        "3/4",
        r"""(?:a |the )?waltz(?: time| metre| meter| rhythm)?|triple (?:time|metre|meter)
        |вальс\w*|трехдольн\w+|на раз два три|(?:по )?три доли(?: в такте)?
        |three beats (?:in|to|per) (?:a |the )?bar|(?:in|на) (?:three|три|3)""",
    ),
    (
        "4/4",
        r"""common (?:time|metre|meter)|четырехдольн\w+|(?:по )?(?:четыре|4) доли(?: в такте)?
        |(?:four|4) beats (?:in|to|per) (?:a |the )?bar|(?:in|на) (?:four|четыре|4)""",
    ),
    (
        "2/4",
        r"""(?:a |the )?polka|полька|двухдольн\w+|(?:по )?две доли в такте
        |(?:two|2) beats (?:in|to|per) (?:a |the )?bar|(?:in|на) (?:two|два|2)""",
    ),
    ("2/2", r"cut (?:time|common)|alla breve|алла бреве"),
    ("6/8", r"(?:a |the )?jig|жига|(?:in|на) (?:six|шесть|6)"),
    ("5/4", r"пятидольн\w+|(?:in|на) (?:five|пять|5)"),
    ("9/8", r"(?:in|на) (?:nine|девять|9)"),
    ("12/8", r"(?:in|на) (?:twelve|двенадцать|12)"),
)

_VALUES: Final[tuple[tuple[NoteValue, str], ...]] = (
    ("quarter", r"quarters?(?: notes?)?|crotchets?|четверт\w+(?: нот\w*)?"),
    ("eighth", r"eighths?(?: notes?)?|8ths?|quavers?|восьм\w+(?: нот\w*)?|8х"),
    (
        "sixteenth",
        r"sixteenths?(?: notes?)?|16ths?(?: notes?)?|semiquavers?|шестнадцат\w+(?: нот\w*)?|16х",
    ),
)
_TOO_FINE: Final[tuple[tuple[NoteValue, str], ...]] = (
    ("quarter", _VALUES[1][1]),
    ("eighth", _VALUES[2][1]),
    (
        "sixteenth",
        r"thirty (?:seconds?|2nds?)(?: notes?)?|32nds?(?: notes?)?|demisemiquavers?"
        r"|тридцать ?вторых|32х",
    ),
)
_LENGTHS: Final = (
    (-1, r"half(?: notes?)?|halves|minims?|половин\w+"),
    *((rank, words) for rank, (_, words) in enumerate(_VALUES)),
)
"""Powers of two by which a quarter is divided."""

_FAST: Final = "fast|faster|quicker|быстро|быстрее|быстрей|скорее|живее"
_SLOW: Final = "slow|slower|медленно|медленнее|медленней|помедленнее"
_TIMES: Final = (
    (2.0, r"twice|two times|2 times|2x|x2|by half|вдвое|в (?:два|2) раза"),
    (3.0, r"three times|3 times|3x|thrice|втрое|в (?:три|3) раза"),
    (1.5, r"one and a half times|в полтора раза"),
)
_AS: Final = r"(?: as| the| тем)*"
_TEMPO_WORDS: Final = r"(?:as |at |a |the |tempo |темп |make |играть )*"
_BPM: Final = r"(?P<{}>\d{{2,3}}(?:\.\d+)?)"
_PER_MINUTE: Final = r" ?(?:bpm|beats (?:a|per) minute|удар\w*(?: в минуту)?|уд/мин|в минуту)"

_LATER: Final = (
    "later|forwards?|to the right|right|further|ahead|after"
    "|позже|позднее|попозже|вперед|вправо|правее|дальше"
)
_EARLIER: Final = (
    "earlier|sooner|backwards?|back|to the left|left|before|раньше|пораньше|назад|влево|левее"
)
_LONGER: Final = "longer|длиннее|больше"
_SHORTER: Final = "shorter|короче|меньше"
_UNITS: Final[tuple[tuple[Unit, str], ...]] = (
    ("half beat", r"half (?:a |of a )?beats?|полдоли|пол доли|половину доли"),
    ("beat", r"beats?|дол\w+"),
    ("quarter", r"quarters?(?: notes?)?|crotchets?|четверт\w+"),
    ("eighth", r"eighths?(?: notes?)?|quavers?|восьм\w+"),
)
_SHIFT: Final = r"(?:shift|move|сдвинь|сдвинуть|сдвиньте|передвинь|передвинуть)"
_BARS: Final = r"""(?:(?:shift|move|push|pull|starts?|begins?|bar ?lines?|bars?|1|one|measures?|the
    |first|beat|downbeats?|everything|all|it|should|is|are|be|сдвинь|сдвинуть|сдвиньте|сдвиг|передвинь
    |передвинуть|перенеси|начни|начинай|начинается|начинаются|начало|такт\w*|черт\w+
    |перв\w+|сильн\w+|дол[яю]|все|должен|должна|начинаться|на) )*?"""
_BY: Final = r"(?:by |на )?"
_FROM_BAR: Final = r"""(?:beginning |starting )?(?:from|at|with|since|с|со|начиная с|начиная со|от)
[ ](?:the )?(?:(?:bar|measure|такта) <from_a:ordinal>|<from_b:ordinal> (?:bar|measure|такта))
(?: on| onwards| forwards?| и дальше| и далее| и до конца)?"""

_WITHOUT: Final = (
    r"(?:without|no|no more|with no|remove|drop|avoid|get rid of|dont use|dont write"
    r"|не надо|не нужны|не нужно|не пиши|никаких|без|убери|убрать)"
)
_SWING: Final = r"(?:swing|swung|shuffle|свинг\w*|шаффл\w*)"


def _step(name: str) -> str:
    """A number of units, in the groups ``name_count`` and ``name_unit``."""
    return rf"(?:<{name}_count:number> )?(?P<{name}_unit>{any_of(_UNITS)})"


def _metre(match: re.Match[str]) -> Metre:
    unit = match["unit"]
    lower = int(unit) if unit.isdigit() else value_of(_METRE_UNITS, unit)
    return Metre(f"{number(match['beats'])}/{lower}")


def _rescale(match: re.Match[str]) -> Rescale:
    times = value_of(_TIMES, match["times"])
    is_slower = re.search(rf"\b(?:{_SLOW})\b", match[0]) is not None
    is_complaint = re.search(r"\b(?:too|слишком)\b", match[0]) is not None
    return Rescale(1 / times if is_slower is not is_complaint else times)


def _rewritten(match: re.Match[str]) -> Rescale | None:
    steps = value_of(_LENGTHS, match["old"]) - value_of(_LENGTHS, match["new"])
    return Rescale(2.0**steps) if steps else None


def _tempo(match: re.Match[str]) -> Tempo | None:
    bpm = float(match["a"] or match["b"])
    return Tempo(bpm) if 10 <= bpm <= 500 else None


def _shift(match: re.Match[str]) -> ShiftBars:
    groups = match.groupdict()
    name = "a" if groups["a_unit"] else "b"
    is_earlier = re.fullmatch(rf"{_EARLIER}|{_SHORTER}", groups.get(f"{name}_way") or "")
    count = number(groups[f"{name}_count"])
    return ShiftBars(-count if is_earlier else count, value_of(_UNITS, groups[f"{name}_unit"]))


def _shift_from(match: re.Match[str]) -> ShiftFrom | None:
    bar = number(match["from_a"] or match["from_b"])
    shift = _shift(match)
    return ShiftFrom(bar, shift.count, shift.unit) if bar and shift.count else None


def _misplaced(match: re.Match[str]) -> ShiftBars:
    """Bars that begin too early are to begin later."""
    name, sign = ("a", 1) if match["a_unit"] else ("b", -1)
    count = number(match[f"{name}_count"])
    return ShiftBars(sign * count, value_of(_UNITS, match[f"{name}_unit"]))


def _finest(match: re.Match[str]) -> FinestIs:
    return FinestIs(value_of(_VALUES, match["value"]))


_METRE_RULES: Final = (
    rule(rf"(?:in |на )?{_DIGITS_METRE}(?: time)?", _metre),
    rule(
        rf"""(?:in |на )?<beats:several>(?: (?:over |by |на )?|/)(?P<unit>{any_of(_METRE_UNITS)})
        (?: time)?""",
        _metre,
    ),
    *(rule(rf"(?:{names})(?: размер\w*| метр\w*)?", Metre(metre)) for metre, names in _METRE_NAMES),
    rule(  # beside what it is instead
        rf"""(?:but not|not|isnt|and not|rather than|than|instead of|а не|не|чем|вместо)
        [ ](?:in |на )?
        (?:a |the )?(?:\d{{1,2}}/\d{{1,2}}|{any_of(_METRE_NAMES)})""",
        None,
    ),
)
_TEMPO_RULES: Final = (
    rule(rf"(?:but not|not|and not|а не|не) \d{{2,3}}(?:{_PER_MINUTE})?", None),
    rule(
        rf"""(?:play |играть |play it )?(?:at )?
        (?:tempo|bpm|темп\w*|метроном|metronome|speed|скорость)
        (?: is| of| to| ,| should be| must be| должен быть| примерно| около| about| around| =)*
        [ ]?=?{_BPM.format("a")}(?:{_PER_MINUTE})?
        |(?:play it |play )?(?:at )?{_BPM.format("b")}{_PER_MINUTE}""",
        _tempo,
    ),
    rule(
        rf"{_TEMPO_WORDS}(?P<times>{any_of(_TIMES)}){_AS} (?:too |слишком )?(?:{_FAST}|{_SLOW})",
        _rescale,
    ),
    rule(
        rf"{_TEMPO_WORDS}(?:too |слишком )?(?:{_FAST}|{_SLOW}) (?P<times>{any_of(_TIMES)})",
        _rescale,
    ),
    rule(
        r"""(?:as )?(?:twice|double) (?:the )?(?:speed|tempo|time)|double the (?:speed|tempo)
        |speed it up (?:twice|by two)|(?:you|it) halved the tempo
        |удвой(?:те)? темп|темп (?:вдвое|в два раза|в 2 раза) (?:выше|больше)
        |темп (?:(?:вдвое|в два раза) занижен|занижен (?:вдвое|в два раза))""",
        Rescale(2.0),
    ),
    rule(
        r"""(?:at )?half (?:as fast|(?:the )?(?:speed|tempo|time))|halftime
        |halve the (?:speed|tempo)|темп (?:вдвое|в два раза|в 2 раза) (?:ниже|меньше)
        |(?:в )?половинн\w+ темп\w*
        |halve it|slow it down (?:by half|twice|by two)|(?:you|it) doubled the tempo
        |tempo is (?:double|twice) what it should be
        |темп (?:(?:вдвое|в два раза) завышен|завышен (?:вдвое|в два раза))""",
        Rescale(0.5),
    ),
    rule(
        r"""(?:(?:notes?|values?|ноты|длительности) )?(?:twice as long|two times longer
        |(?:вдвое|в (?:два|2) раза) (?:длиннее|дольше|крупнее))(?: (?:notes|values|ноты))?
        |double the (?:note )?(?:values|lengths)""",
        Rescale(2.0),
    ),
    rule(
        r"""(?:(?:notes?|values?|ноты|длительности) )?(?:half as long|twice as short
        |two times shorter|(?:вдвое|в (?:два|2) раза) (?:короче|мельче))(?: (?:notes|values|ноты))?
        |halve the (?:note )?(?:values|lengths)""",
        Rescale(0.5),
    ),
    rule(
        rf"""(?:in )?(?P<new>{any_of(_LENGTHS)})(?: ,)?
        [ ](?:instead of|not|rather than|вместо|а не) (?P<old>{any_of(_LENGTHS)})""",
        _rewritten,
    ),
)
_BAR_LINE_RULES: Final = (
    rule(
        rf"""{_BARS}{_BY}(?:{_step("a")} (?P<a_way>{_LATER}|{_EARLIER})
        |(?P<b_way>{_LATER}|{_EARLIER}) {_BY}{_step("b")})(?: (?:такт\w*|bars?|bar ?lines?))?""",
        _shift,
    ),
    rule(
        rf"""{_FROM_BAR}(?: ,| все| all)? {_BARS}{_BY}(?:{_step("a")} (?P<a_way>{_LATER}|{_EARLIER})
        |(?P<b_way>{_LATER}|{_EARLIER}) {_BY}{_step("b")})(?: (?:такт\w*|bars?|bar ?lines?))?""",
        _shift_from,
    ),
    rule(
        rf"""{_BARS}{_BY}(?:{_step("a")} (?P<a_way>{_LATER}|{_EARLIER})
        |(?P<b_way>{_LATER}|{_EARLIER}) {_BY}{_step("b")})(?: ,)? {_FROM_BAR}""",
        _shift_from,
    ),
    rule(
        rf"{_SHIFT} {_BARS}{_BY}{_step('a')}"
        rf"|(?:bar ?lines|bars|такты) (?:are )?(?:off|shifted|сдвинуты|съехали) {_BY}{_step('b')}",
        _shift,
    ),
    rule(
        rf"""{_BARS}{_BY}(?:{_step("a")} (?:too early|слишком рано|раньше(?: ,)? чем (?:надо|нужно))
        |{_step("b")} (?:too late|слишком поздно|позже(?: ,)? чем (?:надо|нужно)))""",
        _misplaced,
    ),
    rule(
        rf"{_SHIFT} {_BARS}(?:(?P<later>{_LATER})|(?P<earlier>{_EARLIER}))",
        lambda match: ShiftBars(1 if match["later"] else -1, "beat"),
    ),
    rule(
        r"""(?:the )?(?:bar (?:one|1)|first bar|music|piece|такт|первый такт)
        [ ](?:begins|starts|begin|start|начинается)
        [ ](?:on|at|with|со|с) (?:the )?(?:(?:second|2nd) beat|beat (?:2|two)|второй доли)
        |(?:begin|start) (?:on|with) (?:(?:the )?(?:second|2nd) beat|beat (?:2|two))""",
        ShiftBars(1, "beat"),
    ),
    rule(
        rf"""(?:the )?(?:pickup|upbeat|anacrusis|затакт)(?: is| на)*
        [ ](?:{_step("a")} (?P<a_way>{_LONGER}|{_SHORTER})
        |(?P<b_way>{_LONGER}|{_SHORTER}) {_BY}{_step("b")})""",
        _shift,
    ),
)
_VALUE_RULES: Final = (
    *(rule(f"{_WITHOUT} (?:the |any )?(?:{words})", FinestIs(value)) for value, words in _TOO_FINE),
    *(
        rule(f"(?:{words}) (?:off|out|не надо|не нужны|убери|убрать)", FinestIs(value))
        for value, words in _TOO_FINE
    ),
    rule(
        rf"""(?:only|just|(?:nothing|no|not|no notes) (?:shorter|finer|smaller) than(?: an?)?
        |at most|up to|round(?:ed)? to|quanti[sz]e to|только|одними|одни|лишь|не мельче|не короче
        |ничего мельче|не пиши ноты (?:мельче|короче)
        |до|округли до|с точностью до|максимум
        |сам\w+ мелк\w+(?: ,)?|(?:smallest|shortest)(?: is| are)?)
        [ ](?P<value>{any_of(_VALUES)})""",
        _finest,
    ),
    rule(rf"(?P<value>{any_of(_VALUES)}) (?:only|at most)", _finest),
    rule(
        rf"{_WITHOUT} (?:the |any )?(?:triplets?|триол\w+)"
        r"|(?:triplets?|триол\w+) (?:off|out|не надо|не нужны|убери|убрать)",
        TripletsAre(False),
    ),
    rule(
        r"(?:(?:with|allow|use|с|со|разреши|нужны|верни) )?(?:the )?(?:triplets?|триол\w+)(?: on)?",
        TripletsAre(True),
    ),
    rule(
        rf"(?:a |the |with |with a |со? |это )?{_SWING}(?: feel| rhythm| eighths| восьмые)?",
        FeelIs(True),
    ),
    rule(
        rf"""(?:play it |play )?(?:straight|even|ровн\w+|прям\w+)
        (?: eighths?| eighth notes| rhythm| feel| quavers?| восьмы\w+| ритм\w*)?
        |(?:{_WITHOUT}|not|isnt|не|это не) (?:a |the )?{_SWING}""",
        FeelIs(False),
    ),
)

RULES: Final[tuple[Rule, ...]] = (
    *_METRE_RULES,
    *_TEMPO_RULES,
    *_BAR_LINE_RULES,
    *_VALUE_RULES,
)

"""Wishes about parts: left out or put back, clefs, instruments."""

from __future__ import annotations

import re
from typing import Final

from bot.wishes.rules import Rule, any_of, ordinal, rule, value_of
from bot.wishes.values import (
    ClefIs,
    ClefName,
    InstrumentIs,
    Numbered,
    PartIs,
    PartName,
    PlayedBy,
)

_CLEFS: Final[tuple[tuple[ClefName, str], ...]] = (
    (
        "treble_8vb",
        r"treble (?:clef )?(?:8vb|8|octave (?:down|lower))(?: clef)?|octave treble clef|guitar clef"
        r"|скрипичн\w+(?: ключ\w*)? (?:октавой ниже|с восьмеркой|на октаву ниже)",
    ),
    ("treble", r"(?:treble|violin|g|скрипичн\w+) (?:clef|ключ\w*)|ключ\w* соль"),
    ("bass_8vb", r"bass (?:8vb|8) clef"),
    ("bass", r"(?:bass|f|басов\w+) (?:clef|ключ\w*)|ключ\w* фа"),
    ("alto", r"(?:alto|viola|альтов\w+) (?:clef|ключ\w*)"),
    ("tenor", r"(?:tenor|теноров\w+) (?:clef|ключ\w*)"),
)
_CLEF: Final = (
    r"(?:(?:in|with|use|to|written in|в|во|на) )?(?:the |a |an )?"
    rf"(?P<clef>{any_of(_CLEFS)})"
)

INSTRUMENTS: Final = {
    "piano": 0,
    "harpsichord": 6,
    "glockenspiel": 9,
    "vibraphone": 11,
    "marimba": 12,
    "xylophone": 13,
    "organ": 19,
    "accordion": 21,
    "harmonica": 22,
    "guitar": 24,
    "electric_guitar": 27,
    "bass_guitar": 33,
    "violin": 40,
    "viola": 41,
    "cello": 42,
    "double_bass": 43,
    "harp": 46,
    "choir": 52,
    "trumpet": 56,
    "trombone": 57,
    "tuba": 58,
    "horn": 60,
    "soprano_sax": 64,
    "sax": 65,
    "tenor_sax": 66,
    "oboe": 68,
    "bassoon": 70,
    "clarinet": 71,
    "flute": 73,
    "recorder": 74,
}
"""Programs of General MIDI, from 0, by the name that texts call them by."""

_INSTRUMENTS: Final = (
    (INSTRUMENTS["piano"], r"piano|фортепиано|пианино|роял\w*"),
    (INSTRUMENTS["harpsichord"], r"harpsichord|клавесин\w*"),
    (INSTRUMENTS["glockenspiel"], r"glockenspiel|колокольчик\w*"),
    (INSTRUMENTS["vibraphone"], r"vibraphone|вибрафон\w*"),
    (INSTRUMENTS["marimba"], r"marimba|маримб\w+"),
    (INSTRUMENTS["xylophone"], r"xylophone|ксилофон\w*"),
    (INSTRUMENTS["organ"], r"organ|орган|органа|органе"),
    (INSTRUMENTS["accordion"], r"accordion|аккордеон\w*|баян\w*"),
    (INSTRUMENTS["harmonica"], r"harmonica|губн\w+ гармо\w+"),
    (
        INSTRUMENTS["guitar"],
        r"(?:classical |acoustic )?guitar|(?:акустическ\w+ )?гитар\w+|ukulele|укулеле",
    ),
    (INSTRUMENTS["electric_guitar"], r"electric guitar|электрогитар\w+"),
    (INSTRUMENTS["bass_guitar"], r"bass guitar|electric bass|бас гитар\w+"),
    (INSTRUMENTS["violin"], r"violin|fiddle|скрипк\w+"),
    (INSTRUMENTS["viola"], r"viola|альт|альта|альте"),
    (INSTRUMENTS["cello"], r"cello|виолончел\w+"),
    (INSTRUMENTS["double_bass"], r"double bass|contrabass|upright bass|контрабас\w*"),
    (INSTRUMENTS["harp"], r"harp|арф\w+"),
    (INSTRUMENTS["choir"], r"choir|хор|хора"),
    (INSTRUMENTS["trumpet"], r"trumpet|труб[аеуы]"),
    (INSTRUMENTS["trombone"], r"trombone|тромбон\w*"),
    (INSTRUMENTS["tuba"], r"tuba|туб[аеуы]"),
    (INSTRUMENTS["horn"], r"(?:french )?horn|валторн\w+"),
    (INSTRUMENTS["soprano_sax"], r"soprano sax(?:ophone)?|сопрано саксофон\w*"),
    (INSTRUMENTS["sax"], r"(?:alto )?sax(?:ophone)?|(?:альт )?саксофон\w*"),
    (INSTRUMENTS["tenor_sax"], r"tenor sax(?:ophone)?|тенор саксофон\w*"),
    (INSTRUMENTS["oboe"], r"oboe|гобо[йяею]"),
    (INSTRUMENTS["bassoon"], r"bassoon|фагот\w*"),
    (INSTRUMENTS["clarinet"], r"clarinet|кларнет\w*"),
    (INSTRUMENTS["flute"], r"flute|флейт\w+"),
    (INSTRUMENTS["recorder"], r"recorder|блокфлейт\w+"),
)

_STAFF: Final = r"part|staff|voice|парти[яиюей]+|стро[кч]\w+|голос\w*"
_PARTS: Final[tuple[tuple[PartName, str], ...]] = (
    *(
        (Numbered(number), rf"(?:{_STAFF}) {number}|{ordinal(number)} (?:{_STAFF})")
        for number in range(1, 10)
    ),
    ("drums", r"drums?(?: part| kit)?|percussion|ударн\w+|барабан\w*|перкусси\w+"),
    ("bass", r"bass(?: line| part| guitar)?|bassline|бас|баса|басом|басу|бас гитар\w+"),
    ("guitar", r"guitars?(?: part)?|гитар\w*"),
    ("piano", r"piano(?: part)?|keyboards?|keys|фортепиано|ф но|пианино|роял\w+|клавиш\w*"),
    (
        "vocals",
        r"vocals?(?: part)?|voice|singing|singer|вокал\w*|голос\w*|пени[еяю]|певц\w+|певиц\w+",
    ),
    ("other", r"other instruments|the rest|остальн\w+(?: инструмент\w*)?"),
)
"""Any part by its number, first since "voice 2" is not the voice; those of a song by their id."""

_SEVERAL: Final = (
    *_PARTS,
    *((PlayedBy(program), words) for program, words in _INSTRUMENTS),
)
"""The same, and parts by their instruments."""


def _list_of(name: str) -> str:
    return rf"""(?P<parts>(?:the )?(?:{name})
    (?: (?:,|and|or|nor|и|или|,? ?(?:without|no|без|ни)) (?:the |no )?(?:{name}))*)"""


_PART: Final = rf"(?:the |a )?(?P<part>{any_of(_PARTS)})"
_PARTS_LIST: Final = _list_of(any_of(_PARTS))
_PLAYERS_LIST: Final = _list_of(any_of(_SEVERAL))

_INSTRUMENT: Final = rf"(?:a |an |the |my )?(?P<instrument>{any_of(_INSTRUMENTS)})"
_PRESETS: Final = {INSTRUMENTS["piano"], INSTRUMENTS["guitar"]}
"""Programs whose bare names say what the recording is, not what the page should show."""

_WITHOUT: Final = r"""(?:without(?: any)?|no|minus|remove|drop|hide|mute|leave out|cut|delete
    |take out|(?:i )?dont (?:need|want)|get rid of|никаких|без партии|без
    |убери(?:те)?|убрать|спрячь|скрой|удали|выкинь|исключи
    |не (?:надо|нужны|нужно|нужен)|минус)"""
_WITH: Final = r"""(?:with|add|put|show|plus|include|с|со|добавь(?:те)?|покажи(?:те)?|плюс
    |включи)"""
_BACK: Final = r"(?:bring back|put back|restore|return|верни(?:те)?|вернуть)"
_AGAIN: Final = r"(?: back| again| обратно| снова| назад| на место)?"
_ONLY: Final = r"""(?:only|just|solo|leave only|keep only|nothing but|только|лишь|один|одни|одна
    |оставь(?: только)?|соло)"""


def _listed(match: re.Match[str], *, left_out: bool) -> tuple[PartIs, ...]:
    names = re.finditer(rf"\b(?:{any_of(_SEVERAL)})(?= |$)", match["parts"])
    return tuple(PartIs(value_of(_SEVERAL, name[0]), left_out) for name in names)


def _left_out(match: re.Match[str]) -> tuple[PartIs, ...]:
    return _listed(match, left_out=True)


def _put_back(match: re.Match[str]) -> tuple[PartIs, ...]:
    return _listed(match, left_out=False)


def _alone(match: re.Match[str]) -> tuple[PartIs, ...]:
    first, *more = _listed(match, left_out=False)
    return (PartIs(first.part, left_out=True, others=True), *more)


def _part(match: re.Match[str]) -> PartName | None:
    words = match.groupdict().get("part")
    return None if words is None else value_of(_PARTS, words)


def _clef(match: re.Match[str]) -> ClefIs:
    return ClefIs(value_of(_CLEFS, match["clef"]), _part(match))


def _instrument(match: re.Match[str]) -> InstrumentIs:
    return InstrumentIs(value_of(_INSTRUMENTS, match["instrument"]), _part(match))


RULES: Final[tuple[Rule, ...]] = (
    rule(f"{_WITHOUT} {_PLAYERS_LIST}", _left_out),
    rule(f"{_BACK} {_PLAYERS_LIST}{_AGAIN}", _put_back),
    rule(f"{_PARTS_LIST} (?:out|off|убери|убрать|удали|не (?:надо|нужны|нужен|нужно))", _left_out),
    rule(f"{_WITH} {_PARTS_LIST}{_AGAIN}", _put_back),
    rule(f"{_PARTS_LIST} (?:back|in|on|again|верни|обратно|снова)", _put_back),
    rule(f"{_ONLY} {_PARTS_LIST}", _alone),
    rule(f"{_PARTS_LIST} (?:only|alone|solo|соло)", _alone),
    rule(_CLEF, _clef),
    rule(f"{_CLEF} (?:for|in|у|для|в) {_PART}", _clef),
    rule(f"{_PART} {_CLEF}", _clef),
    rule(
        rf"""(?:for|on|as|its|it is|this is|(?:i )?play(?:ed)?(?: on)?|instrument(?: is)?|для|на|это
        |инструмент|пусть (?:будет|играет)|играет|играю на) {_INSTRUMENT}""",
        _instrument,
    ),
    rule(f"{_INSTRUMENT} (?:instead of|not|for|вместо|а не) {_PART}", _instrument),
    rule(f"{_PART} (?:is|as|becomes|to|это|как|на|,) {_INSTRUMENT}", _instrument),
    *(
        rule(f"(?:a |an |the )?(?:{names})", InstrumentIs(program))
        for program, names in _INSTRUMENTS
        if program not in _PRESETS
    ),
)

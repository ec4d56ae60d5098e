"""Wishes about pages: bars, views, chords, files, and taking corrections back."""

from __future__ import annotations

import re
from typing import Final

from bot.client.types import View
from bot.wishes.rules import Rule, number, rule
from bot.wishes.values import (
    AllBars,
    AsHeard,
    BarsAre,
    ChordsAre,
    Files,
    LastBars,
    Undo,
    ViewIs,
)

_BAR: Final = r"(?:bars?|measures?|такт\w*)"
_TO: Final = r" ?(?:-|to|through|till|until|по|до) ?"
_ONLY: Final = r"(?:(?:only|just|show|give me|leave|the|только|лишь|покажи|дай|оставь) )*"
_SHOW: Final = r"""(?:(?:as|show|me|give|want|i|need|just|only|the|a|in|to|make|it|switch|back|как|в
    |виде|покажи|дай|хочу|нужна|нужны|нужен|только|лишь|одна|одну|одни|просто|вся|всю) )*"""

_VIEWS: Final = (
    (
        View.LEAD_SHEET,
        r"""lead ?sheet|melody (?:and|with|\+) chords?|chords? (?:and|with|\+) (?:the )?melody
        |with chords?|add chords?|fake book|мелоди\w+ (?:и|с|\+) аккорд\w*
        |аккорд\w* (?:и|с|\+) мелоди\w+|с аккордами|добавь аккорды|лид ?шит
        |цифровк\w+ с мелодией""",
    ),
    (
        View.MELODY,
        r"""melody(?: only| line)?|tune|top line|(?:without|no|remove) (?:the )?chords?
        |(?:без|убери) аккорд\w+|мелоди[юяи]|одноголос\w+|мотив""",
    ),
    (
        View.CHORDS,
        r"""chord (?:sheet|chart|grid)|chords?(?: only)?|аккорд[ыа]?(?: по тактам)?
        |аккорды без нот|цифровк\w+|гармони[юя]""",
    ),
    (
        View.PIANO,
        r"""(?:for|on) (?:the )?piano|piano (?:score|view|arrangement|version|reduction|solo|only)
        |(?:only|just) (?:the )?piano|two (?:staves|hands)
        |(?:для|на) (?:фортепиано|ф но|пианино|рояля|рояле)
        |(?:только|одно) (?:фортепиано|пианино|ф но)|клавир\w*
        |(?:в|на|для) (?:две|двух|двумя) рук\w*
        |фортепианн\w+(?: верси\w+| переложени\w+| вид)?|на двух строчках
        |(?:the )?piano|фортепиано|пианино""",
    ),
    (
        View.FULL,
        r"""(?:full|whole|complete) score|everything|all (?:the )?(?:parts|instruments|staves)
        |full view|(?:полн\w+ )?партитур\w+|все (?:партии|инструменты|голоса)|покажи все""",
    ),
)


def _bars(match: re.Match[str]) -> BarsAre | None:
    """A range between two numbers, or from the beginning; None if it holds no bar."""
    groups = match.groupdict()
    first, last = number(groups.get("first")), number(groups["last"])
    return BarsAre(first, last) if 1 <= first <= last else None


def _onwards(match: re.Match[str]) -> BarsAre | None:
    first = number(match["first"])
    return BarsAre(first, None) if first else None


def _last(match: re.Match[str]) -> LastBars | None:
    count = number(match["count"])
    return LastBars(count) if count else None


def _single(match: re.Match[str]) -> BarsAre | None:
    only = number(match["only"])
    return BarsAre(only, only) if only else None


_BAR_RULES: Final = (
    rule(rf"{_ONLY}(?:from )?{_BAR} (?:с )?<first:ordinal>{_TO}(?:bar )?<last:ordinal>", _bars),
    rule(rf"{_ONLY}(?:с |со |from )?<first:ordinal>(?: такта)?{_TO}<last:ordinal> ?{_BAR}", _bars),
    rule(
        rf"""{_ONLY}(?:с|from|between) {_BAR} <first:ordinal>(?:{_TO}| and | и )
        (?:{_BAR} )?<last:ordinal>""",
        _bars,
    ),
    rule(rf"{_ONLY}(?:с|со) <first:ordinal> такта{_TO}<last:ordinal>", _bars),
    rule(rf"{_ONLY}(?:first|opening|перв\w+|начальн\w+) <last:number> {_BAR}", _bars),
    rule(rf"{_ONLY}(?:last|final|closing|последн\w+) <count:number> {_BAR}", _last),
    rule(rf"{_ONLY}(?:up to|until|till|to|до|по) {_BAR} <last:ordinal>", _bars),
    rule(rf"{_ONLY}(?:до|по) <last:ordinal> такта", _bars),
    rule(
        rf"""{_ONLY}(?:from|starting (?:at|from|with)|начиная с|с|со) {_BAR} <first:ordinal>
        (?: on| onwards| и дальше| и до конца)?""",
        _onwards,
    ),
    rule(r"(?:начиная )?(?:с|со) <first:ordinal> такта(?: и дальше| и до конца)?", _onwards),
    rule(rf"(?:only |just |только |лишь )?{_BAR} <only:ordinal>", _single),
    rule(rf"(?:only |just |только |лишь )<only:ordinal> {_BAR}", _single),
    rule(
        rf"""(?:show |покажи |верни )?(?:all (?:the )?{_BAR}|every bar|все такты|целиком|полностью
        |(?:the )?whole (?:thing|piece|song)|all of it|от начала до конца|всю песню|всю пьесу)""",
        AllBars(),
    ),
)
_VIEW_RULES: Final = (
    *(rule(rf"{_SHOW}(?:{names})(?: view)?", ViewIs(view)) for view, names in _VIEWS),
    rule(
        r"""(?:with |use )?(?:simple|simpler|easy|easier|basic) chords|simplify (?:the )?chords
        |(?:с )?(?:просты\w+|попроще) аккорд\w+|аккорды (?:попроще|проще)|упрости аккорды""",
        ChordsAre(simple=True),
    ),
    rule(
        r"""(?:with |use )?(?:full|all|exact|detailed) chords|(?:полны\w+|точны\w+|подробны\w+)
        [ ]аккорд\w+|аккорды (?:полностью|полные|точнее|подробнее)""",
        ChordsAre(simple=False),
    ),
)
_ACTION_RULES: Final = (
    rule(
        r"""(?:send |get |give |download |the |me |as |пришли |скинь |отправь |дай |скачать |мне )*
        (?:files?|pdf|midi|music ?xml|xml|файлы|файл|пдф|миди)""",
        Files(),
    ),
    rule(
        r"""(?:undo|revert|cancel)(?: the)? last (?:change|correction|step|one)|undo|revert
        |(?:go |step )?back|take (?:it|that) back|cancel(?: that| it)?|previous
        |restore|as it was|верни(?:те|сь)?(?: как было| обратно| назад)?|вернуть|отмена|отменить
        |отмени(?:те)?(?: это| последнее(?: изменение| исправление)?)?
        |(?:шаг )?назад|как было|откати?""",
        Undo(),
    ),
    rule(
        r"""reset(?: all| everything)?|start (?:over|again)|as (?:you )?heard(?: it)?|all as heard
        |(?:undo|revert) (?:all|everything)|like at first
        |отмени(?:те)? все(?: изменения| исправления)?|сбрось(?:те)?(?: все)?
        |сбросить|верни(?:те)? все(?: как было)?|как расслышал|все сначала|исходн\w+ вариант
        |как было сначала|как в начале""",
        AsHeard(),
    ),
)

RULES: Final[tuple[Rule, ...]] = (*_BAR_RULES, *_VIEW_RULES, *_ACTION_RULES)

"""Words for corrections: what another reading would change, and what has been set."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from bot.client.types import BarShift, BarUnit, Corrections, LocalShift, Offer, Result
from bot.i18n import Translator
from bot.key_names import key_name
from bot.wishes.parts import INSTRUMENTS

FACTORS: Final = ((0.5, "slower"), (2.0, "faster"), (1 / 3, "third"), (3.0, "thrice"))
"""Factors of written values that have words of their own."""
SHIFTS: Final = {
    BarShift(1, BarUnit.BEAT): "later.beat",
    BarShift(-1, BarUnit.BEAT): "earlier.beat",
    BarShift(2, BarUnit.BEAT): "later.two",
    BarShift(-2, BarUnit.BEAT): "earlier.two",
    BarShift(1, BarUnit.HALF_BEAT): "later.half",
    BarShift(-1, BarUnit.HALF_BEAT): "earlier.half",
    BarShift(1, BarUnit.EIGHTH): "later.eighth",
    BarShift(-1, BarUnit.EIGHTH): "earlier.eighth",
    BarShift(2, BarUnit.EIGHTH): "later.eighths",
    BarShift(-2, BarUnit.EIGHTH): "earlier.eighths",
}
"""Moves of bar lines that have words of their own."""
LOCAL_SHIFTS: Final = {
    shift: name
    for shift, name in SHIFTS.items()
    if shift.unit is BarUnit.BEAT or (abs(shift.count) == 1 and shift.unit is BarUnit.EIGHTH)
}
"""The same, from one bar on."""

_NEAR: Final = 0.02


def local_words(local: LocalShift, t: Translator) -> str:
    """Say how bar lines move from a bar on: "From bar 9: a beat later"; empty without words."""
    name = LOCAL_SHIFTS.get(local.shift)
    return "" if name is None else t(f"fix.from.{name}", bar=local.from_bar)


def reading_words(other: Offer, t: Translator) -> str:
    """Say how another reading differs from the page: "3/4", "twice as fast, E minor"."""
    words = _rhythm_words(other, t)
    if other.key is not None:
        words.append(key_name(other.key, t))
    return ", ".join(words)


def _rhythm_words(other: Offer, t: Translator) -> list[str]:
    tempo = round(other.tempo_bpm)
    if other.time_signature:
        named = [name for known, name in FACTORS[:2] if abs(other.rescale / known - 1) < _NEAR]
        return [other.time_signature, *(t(f"fix.{name}", tempo=tempo) for name in named)]
    if abs(other.rescale - 1) >= _NEAR:
        named = [name for known, name in FACTORS if abs(other.rescale / known - 1) < _NEAR]
        return [t(f"fix.{named[0]}", tempo=tempo) if named else t("set.tempo", tempo=tempo)]
    if other.bar_shift is None:
        return []
    named_shift = SHIFTS.get(other.bar_shift)
    return [t("fix.bar_lines") if named_shift is None else t(f"fix.{named_shift}")]


def set_words(result: Result, t: Translator) -> str:
    """Say what has been corrected: "metre 3/4, without Drums"; empty if nothing has."""
    set_now, heard = result.corrections, result.alternatives[:1]
    words: list[str] = []
    is_scaled = abs(result.beat_scale - 1.0) >= _NEAR
    if is_scaled and (set_now.tempo_bpm or set_now.beat_scale):
        words.append(t("set.tempo", tempo=round(result.tempo_bpm)))
    is_moved = set_now.first_beat not in {0.0, *(reading.first_beat for reading in heard)}
    if is_moved or set_now.bar_moves:
        words.append(t("set.bar_lines"))
    is_heard_metre = set_now.time_signature in {reading.time_signature for reading in heard}
    if set_now.time_signature and not (is_heard_metre and words):  # another reading in this metre
        words.insert(0, t("set.metre", metre=set_now.time_signature))
    if set_now.key is not None:
        words.append(key_name(result.rendered_key, t))
    if set_now.finest_value is not None:
        words.append(t(f"set.finest.{set_now.finest_value}"))
    if set_now.triplets is not None:
        words.append(t(f"set.triplets.{set_now.triplets}"))
    if set_now.feel is not None:
        words.append(t(f"set.feel.{set_now.feel}"))
    words += _part_words(result, t)
    if set_now.bars is not None:
        words.append(t("set.bars", first=set_now.bars.first, last=set_now.bars.last))
    return ", ".join(words)


def _instrument(program: int, t: Translator) -> str:
    known = [name for name, number in INSTRUMENTS.items() if number == program]
    return t(f"instrument.{known[0]}") if known else t("set.instrument")


def name_instruments(edit: Corrections, t: Translator) -> Corrections:
    """Return corrections in which a part with another instrument has its name, too."""
    parts = tuple(
        part
        if part.program is None or part.name
        else replace(part, name=capitalised(_instrument(part.program, t)))
        for part in edit.parts
    )
    return replace(edit, parts=parts)


def capitalised(words: str) -> str:
    """The words with a capital at the beginning; the others stay."""
    return words[:1].upper() + words[1:]


def _part_words(result: Result, t: Translator) -> list[str]:
    names = {part.id: part.name or part.id for part in result.parts}
    words = []
    left_out = [names.get(part.id, part.id) for part in result.corrections.parts if part.left_out]
    if left_out:
        words.append(t("set.without", parts=", ".join(left_out)))
    for part in result.corrections.parts:
        if part.program is not None:
            words.append(_instrument(part.program, t))
        if part.clef is not None:
            whose = f" ({names.get(part.id, part.id)})" if len(names) > 1 else ""
            words.append(t(f"set.clef.{part.clef}") + whose)
    return words

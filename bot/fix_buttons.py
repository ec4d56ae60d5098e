"""The data of buttons that put a page right.

Such a button holds what a :class:`~bot.buttons.RenderButton` holds, the choices that are open, and
the correction that a press adds. An earlier state of the page has a result id of its own in the
service, so that undoing it needs no more than that id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Annotated, Any, Final

from aiogram.filters.callback_data import MAX_CALLBACK_LENGTH
from pydantic import Field, field_validator

from bot.buttons import RenderButton
from bot.client.types import (
    Adjustments,
    BarRange,
    BarShift,
    BarUnit,
    Clef,
    Correctable,
    Corrections,
    Feel,
    FinestValue,
    Key,
    LocalShift,
    Mode,
    NamedKey,
    PartCorrection,
    Triplets,
)

_END: Final = ";"


class Topic(StrEnum):
    """Which choices are open under a page."""

    NONE = "-"
    """The usual buttons of a result."""
    ROOT = "r"
    METRE = "m"
    TEMPO = "t"
    BARS = "b"
    FROM_BAR = "f"
    """Bars to choose from, beginning with the one that is open."""
    AT_BAR = "g"
    """Bar lines moved from the bar that is open on."""
    MAJOR = "k"
    MINOR = "l"
    NOTES = "n"
    PARTS = "p"
    INSTRUMENT = "i"


def topic_code(topic: Topic, page: int = 1, bar: int = 0) -> str:
    """The letter of a topic, the number of the page above it if that is not the first, and after a
    point the bar that is open, if one is.
    """
    return topic + (str(page) if page > 1 else "") + (f".{bar}" if bar else "")


class FixButton(RenderButton, prefix="w"):
    """Open the choices of a topic, or close them; the page stays."""

    topic_code: Annotated[
        str, Field(pattern=rf"^[{''.join(Topic)}][1-9]?[0-9]?(\.[1-9][0-9]{{0,3}})?$")
    ] = Topic.ROOT

    @property
    def topic(self) -> Topic:
        """The choices to open; :attr:`Topic.NONE` closes them."""
        return Topic(self.topic_code[0])

    @property
    def page_number(self) -> int:
        """The page that is shown, from 1."""
        return int(self.topic_code[1:].partition(".")[0] or 1)

    @property
    def bar(self) -> int:
        """The bar that is open, from 1; 0 for none."""
        return int(self.topic_code.partition(".")[2] or 0)


class CorrectButton(FixButton, prefix="y"):
    """Show the page with a correction more, and the choices of a topic."""

    edit: str = ""

    @field_validator("edit")
    @classmethod
    def _is_edit(cls, text: str) -> str:
        decode_edit(text)
        return text


class UndoButton(FixButton, prefix="z"):
    """Show an earlier state of the page, and the choices of a topic."""


def fits(button: RenderButton) -> bool:
    """Whether the data is within Telegram's limit, with no separator in a value."""
    try:
        return len(button.pack().encode()) <= MAX_CALLBACK_LENGTH
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Edit:
    """What a button corrects: in terms of the uncorrected result, or of the page above it."""

    corrections: Corrections = field(default_factory=Corrections)
    adjustments: Adjustments = field(default_factory=Adjustments)


def encode_edit(edit: Edit) -> str:
    """Write an edit as the text of a button: ``"m3/4;f2.5"``.

    One part at most, with one field, and one bar from which lines move; names are not for buttons.
    """
    items = [letter + write(edit.corrections) for letter, (write, _) in _FIELDS.items()]
    items += [letter + write(edit.adjustments) for letter, (write, _) in _ADJUSTED.items()]
    return _END.join(item for item in items if len(item) > 1)


def decode_edit(text: str) -> Edit:
    """Read what :func:`encode_edit` wrote.

    Raises
    ------
    ValueError
        If it is none of its texts.
    """
    edit = Edit()
    for item in filter(None, text.split(_END)):
        letter, value = item[0], item[1:]
        if value and letter in _FIELDS:
            corrections = replace(edit.corrections, **_FIELDS[letter][1](value))
            edit = replace(edit, corrections=corrections)
        elif value and letter in _ADJUSTED:
            adjustments = replace(edit.adjustments, **_ADJUSTED[letter][1](value))
            edit = replace(edit, adjustments=adjustments)
        else:
            raise ValueError(f"no correction begins with {letter!r}")
    return edit


def _number(value: float) -> str:
    return f"{value:.6g}" if value else ""


def _write_key(edit: Corrections) -> str:
    key = edit.key
    return "" if key is None else key.tonic + _MODES[key.mode]


def _read_key(text: str) -> dict[str, Any]:
    match = re.fullmatch(r"([A-G][#b]?)(m?)", text)
    if match is None:
        raise ValueError(f"{text!r} is no key")
    return {"key": Key(match[1], "minor" if match[2] else "major")}


def _write_named_key(edit: Adjustments) -> str:
    key = edit.key
    return "" if key is None or key.mode is None else key.tonic + _MODES[key.mode]


def _read_named_key(text: str) -> dict[str, Any]:
    key = _read_key(text)["key"]
    return {"key": NamedKey(key.tonic, key.mode)}


def _write_shift(edit: Adjustments) -> str:
    shift = edit.bar_shift
    return "" if shift is None else f"{shift.count}{_UNITS[shift.unit]}"


def _read_shift(text: str) -> dict[str, Any]:
    return {"bar_shift": _read_units(text)}


def _read_units(text: str) -> BarShift:
    match = re.fullmatch(rf"(-?\d{{1,3}})([{''.join(_UNITS.values())}])", text)
    if match is None:
        raise ValueError(f"{text!r} moves no bar lines")
    units = {letter: unit for unit, letter in _UNITS.items()}
    return BarShift(int(match[1]), units[match[2]])


def _write_local_shift(edit: Adjustments) -> str:
    for local in edit.local_shifts[:1]:
        return f"{local.from_bar}/{local.shift.count}{_UNITS[local.shift.unit]}"
    return ""


def _read_local_shift(text: str) -> dict[str, Any]:
    bar, slash, shift = text.partition("/")
    if not slash or re.fullmatch(r"[1-9]\d{0,5}", bar) is None:
        raise ValueError(f"{text!r} moves no bar lines from a bar on")
    return {"local_shifts": (LocalShift(int(bar), _read_units(shift)),)}


def _write_bars(edit: Corrections) -> str:
    return "" if edit.bars is None else f"{edit.bars.first}-{edit.bars.last}"


def _read_bars(text: str) -> dict[str, Any]:
    first, last = text.split("-")
    return {"bars": BarRange(int(first), int(last))}


def _write_part(edit: Corrections) -> str:
    for part in edit.parts:
        if part.left_out is not None:
            return f"{'-' if part.left_out else '+'}{part.id}"
        if part.clef is not None:
            return f"{_CLEFS[part.clef]}{part.id}"
        if part.program is not None:
            return f"{part.program} {part.id}"
    return ""


def _read_part(text: str) -> dict[str, Any]:
    if text[:1] in {"-", "+"}:
        part = PartCorrection(text[1:], left_out=text[0] == "-")
    elif match := re.fullmatch(r"(\d{1,3}) (.+)", text):
        part = PartCorrection(match[2], program=int(match[1]))
    else:
        clefs = {letter: clef for clef, letter in _CLEFS.items()}
        if text[:1] not in clefs:
            raise ValueError("no correction of a part")
        part = PartCorrection(text[1:], clef=clefs[text[0]])
    return {"parts": (part,)}


def _write_as_heard(edit: Corrections) -> str:
    return "".join(_CORRECTABLE[wrong] for wrong in edit.as_heard)


def _read_as_heard(text: str) -> dict[str, Any]:
    fields = {letter: wrong for wrong, letter in _CORRECTABLE.items()}
    return {"as_heard": tuple(fields[letter] for letter in text if letter in fields)}


_CLEFS: Final = {
    Clef.TREBLE: "t",
    Clef.TREBLE_8VB: "g",
    Clef.ALTO: "a",
    Clef.TENOR: "n",
    Clef.BASS: "b",
    Clef.BASS_8VB: "c",
}
_MODES: Final[Mapping[Mode, str]] = {"major": "", "minor": "m"}
_UNITS: Final = dict(zip(BarUnit, "bhqes", strict=True))
_CORRECTABLE: Final = dict(zip(Correctable, "mbfkvtwprex", strict=True))
_FIELDS: Final[
    Mapping[str, tuple[Callable[[Corrections], str], Callable[[str], dict[str, Any]]]]
] = {
    "m": (lambda edit: edit.time_signature, lambda text: {"time_signature": text}),
    "b": (lambda edit: _number(edit.beat_scale), lambda text: {"beat_scale": float(text)}),
    "q": (lambda edit: _number(edit.tempo_bpm), lambda text: {"tempo_bpm": float(text)}),
    "f": (lambda edit: _number(edit.first_beat), lambda text: {"first_beat": float(text)}),
    "k": (_write_key, _read_key),
    "v": (lambda edit: edit.finest_value or "", lambda t: {"finest_value": FinestValue(t)}),
    "t": (lambda edit: edit.triplets or "", lambda text: {"triplets": Triplets(text)}),
    "w": (lambda edit: edit.feel or "", lambda text: {"feel": Feel(text)}),
    "p": (_write_part, _read_part),
    "r": (_write_bars, _read_bars),
    "h": (_write_as_heard, _read_as_heard),
}
"""By its first letter, how each correction is written and read."""

_ADJUSTED: Final[
    Mapping[str, tuple[Callable[[Adjustments], str], Callable[[str], dict[str, Any]]]]
] = {
    "B": (lambda edit: _number(edit.rescale), lambda text: {"rescale": float(text)}),
    "F": (_write_shift, _read_shift),
    "K": (_write_named_key, _read_named_key),
    "L": (_write_local_shift, _read_local_shift),
}
"""The same for each adjustment."""

"""The buttons that put a page right: other readings first, then everything else by topic.

Every button is made from a wish, as if it had been written (:mod:`bot.corrections`), so that
buttons and words do the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from bot.buttons import ShownButton, view_code
from bot.client.types import (
    Adjustments,
    Correctable,
    Corrections,
    Feel,
    Mode,
    Pitches,
    RenderOptions,
    Result,
    Triplets,
)
from bot.corrections import (
    WishError,
    fulfil,
    leading_part,
    shown_as,
)
from bot.fix_buttons import (
    CorrectButton,
    Edit,
    FixButton,
    Topic,
    UndoButton,
    encode_edit,
    fits,
    topic_code,
)
from bot.fix_words import FACTORS, capitalised, local_words, reading_words
from bot.i18n import Translator
from bot.key_names import tonic_name
from bot.wishes.parts import INSTRUMENTS
from bot.wishes.values import (
    AllBars,
    BarsAre,
    ClefIs,
    ClefName,
    FeelIs,
    FinestIs,
    InstrumentIs,
    KeyIs,
    Metre,
    NoteValue,
    PartIs,
    PitchesAre,
    Rescale,
    ShiftBars,
    ShiftFrom,
    TripletsAre,
    Unit,
    Wish,
)

MAX_READINGS: Final = 3
METRES: Final = (("2/4", "3/4", "4/4"), ("6/8", "9/8", "12/8"), ("3/8", "2/2", "5/4"))
MOVED_UNITS: Final[tuple[Unit, ...]] = ("beat", "eighth")
"""What bar lines move by; more can be written."""
FINEST: Final[tuple[NoteValue, ...]] = ("quarter", "eighth", "sixteenth")
CLEFS: Final[tuple[ClefName, ...]] = ("treble", "bass", "alto", "tenor")
KEYS: Final[dict[Mode, tuple[str, ...]]] = {
    "major": ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
    "minor": ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
}
"""Tonics that have a button; others can be written."""
BUTTONS: Final = ("piano", "guitar", "violin", "cello", "flute", "clarinet", "trumpet", "sax")
"""Instruments that have a button; others can be written."""

_MAX_PARTS: Final = 10
_MAX_NAME_CHARS: Final = 16
_PHRASE_BARS: Final = 8
_LISTED_BARS: Final = 30
_ROW_BARS: Final = 6
_MAX_BAR: Final = 9999
_SCALES: Final = (1 / 12, 12.0)
_TOPICS: Final = (
    (Topic.METRE, Topic.TEMPO),
    (Topic.BARS, Topic.MAJOR),
    (Topic.NOTES, Topic.PARTS),
)

_ABOVE: Final = {Topic.FROM_BAR: Topic.BARS, Topic.AT_BAR: Topic.BARS}
"""Where "Back" leads, if not to all topics."""

_Row = list[InlineKeyboardButton]


def fix_keyboard(
    result: Result,
    topic: Topic,
    t: Translator,
    before: UndoButton | None = None,
    page: int = 1,
    bar: int = 0,
) -> InlineKeyboardMarkup:
    """The choices of a topic.

    Parameters
    ----------
    result : Result
        Describes the page.
    topic : Topic
        Not :attr:`Topic.NONE`, whose buttons are those of a result.
    t : Translator
    before : UndoButton or None
        The state to which "Undo" returns, if it is not the one before the latest correction.
    page : int
        The number of the page that is shown, on which all choices stay.
    bar : int
        The bar that is open in the choices; 0 for none.
    """
    menu = _Menu(result, topic, t, page, bar)
    rows = {
        Topic.METRE: menu.metres,
        Topic.TEMPO: menu.tempos,
        Topic.BARS: menu.bars,
        Topic.FROM_BAR: menu.choose_bar,
        Topic.AT_BAR: menu.from_bar,
        Topic.MAJOR: menu.keys,
        Topic.MINOR: menu.keys,
        Topic.NOTES: menu.notes,
        Topic.PARTS: menu.parts,
        Topic.INSTRUMENT: menu.instruments,
    }.get(topic, menu.readings_and_topics)()
    keep = _button(t("button.keep"), _open(result, Topic.NONE, page))
    last = [*_undo(result, topic, t, before, page, bar), keep]
    if topic is not Topic.ROOT:
        above = _ABOVE.get(topic, Topic.ROOT)
        last.insert(0, _button(t("button.back"), _open(result, above, page)))
    return InlineKeyboardMarkup(inline_keyboard=[row for row in [*rows, last] if row])


def doubt_rows(result: Result, t: Translator, page: int = 1) -> list[_Row]:
    """The likeliest other reading, as a row, if the metre or the key of the page is in doubt."""
    if not (result.metre_is_doubtful or result.key_is_doubtful):
        return []
    return _Menu(result, Topic.ROOT, t, page).readings()[:1]


def fix_row(result: Result, t: Translator, before: UndoButton | None = None, page: int = 1) -> _Row:
    """The buttons that open the choices and that undo, for the keyboard of a result."""
    fix = _button(t("button.fix"), _open(result, Topic.ROOT, page))
    return [fix, *_undo(result, Topic.NONE, t, before, page)]


def undo_to(
    result_id: str, shown: RenderOptions, topic: Topic, page: int = 1, bar: int = 0
) -> UndoButton:
    """A button that shows a state of a page again."""
    code = view_code(shown.view, simple_chords=shown.simple_chords, pitches=shown.pitches)
    return UndoButton(
        result_id=result_id,
        view_code=code,
        transpose_semitones=shown.transpose_semitones,
        topic_code=topic_code(topic, page, bar),
    )


def _undo(
    result: Result, topic: Topic, t: Translator, before: UndoButton | None, page: int, bar: int = 0
) -> _Row:
    if before is None and result.previous_id:
        before = undo_to(result.previous_id, shown_as(result), topic, page, bar)
    return [] if before is None else [_button(t("button.undo"), before)]


class _Menu:
    """Builds the rows of one topic."""

    def __init__(
        self, result: Result, topic: Topic, t: Translator, page: int, bar: int = 0
    ) -> None:
        self.result = result
        self.topic = topic
        self.t = t
        self.page = page
        self.bar = bar

    def readings_and_topics(self) -> list[_Row]:
        """Other readings, in words, and the topics."""
        is_minor = self.result.key.mode == "minor"
        rows = self.readings()[:MAX_READINGS]
        for topics in _TOPICS:
            opened = [Topic.MINOR if x is Topic.MAJOR and is_minor else x for x in topics]
            rows.append([self._topic(topic) for topic in opened])
        return rows

    def readings(self) -> list[_Row]:
        """A row for each other reading, the likeliest first; those that read alike once."""
        rows: dict[str, _Row] = {}
        for other in self.result.offers:
            words = reading_words(other, self.t)
            if words and words not in rows:
                label = self.t("fix.reading", words=capitalised(words))
                rows[words] = list(self._correct(label, other.corrections))
        return [row for row in rows.values() if row]

    def metres(self) -> list[_Row]:
        """The common metres."""
        shown = self.result.time_signature
        rows = [
            [button for metre in row for button in self._wish(metre, Metre(metre), metre == shown)]
            for row in METRES
        ]
        fields = (Correctable.METRE, Correctable.BEAT_SCALE, Correctable.FIRST_BEAT)
        return [*rows, self._as_heard(*fields)]

    def tempos(self) -> list[_Row]:
        """Other values of the beat, with the tempo that each makes."""
        rows = []
        for factor, name in FACTORS:
            if _SCALES[0] * 0.99 < self.result.beat_scale * factor < _SCALES[1] * 1.01:
                label = self.t(f"fix.{name}", tempo=round(self.result.tempo_bpm * factor))
                rows.append(list(self._wish(capitalised(label), Rescale(factor))))
        return [*rows, self._as_heard(Correctable.BEAT_SCALE)]

    def bars(self) -> list[_Row]:
        """Bar lines moved, first where they may have slipped, and a range of bars."""
        rows = [
            [
                button
                for count, way in ((-1, "earlier"), (1, "later"))
                for button in self._wish(self.t(f"fix.move.{way}.{unit}"), ShiftBars(count, unit))
            ]
            for unit in MOVED_UNITS
        ]
        ranges: _Row = []
        shown = self.result.corrections.bars
        if self.result.bar_count > _PHRASE_BARS and shown is None:
            label = self.t("fix.first_bars", bars=_PHRASE_BARS)
            ranges += self._wish(label, BarsAre(1, _PHRASE_BARS))
        if shown is not None:
            ranges += self._wish(self.t("fix.all_bars"), AllBars())
        slips = [
            list(self._adjust(self.t("fix.reading", words=words), Adjustments(local_shifts=(one,))))
            for one in self.result.local_offers[:MAX_READINGS]
            if (words := local_words(one, self.t))
        ]
        later: _Row = [self._topic(Topic.FROM_BAR)] if self.result.bar_count > 1 else []
        return [
            *slips,
            *rows,
            later,
            ranges,
            self._as_heard(Correctable.FIRST_BEAT, Correctable.BAR_MOVES),
        ]

    def choose_bar(self) -> list[_Row]:
        """Numbers of bars from which bar lines may move."""
        first = max(self.bar, 2)
        stop = min(first + _LISTED_BARS, self.result.bar_count + 1, _MAX_BAR + 1)
        bars = [
            _button(str(bar), _open(self.result, Topic.AT_BAR, self.page, bar))
            for bar in range(first, stop)
        ]
        turns = [("‹", first - _LISTED_BARS)] if first > 2 else []
        turns += [("›", stop)] if stop <= min(self.result.bar_count, _MAX_BAR) else []
        return [
            *(bars[number : number + _ROW_BARS] for number in range(0, len(bars), _ROW_BARS)),
            [
                _button(arrow, _open(self.result, Topic.FROM_BAR, self.page, max(bar, 2)))
                for arrow, bar in turns
            ],
        ]

    def from_bar(self) -> list[_Row]:
        """Bar lines moved from a bar on."""
        rows = [
            list(
                self._wish(
                    self.t(f"fix.from.{way}.{unit}", bar=self.bar),
                    ShiftFrom(self.bar, count, unit),
                )
            )
            for unit in MOVED_UNITS
            for count, way in ((-1, "earlier"), (1, "later"))
        ]
        other = _open(self.result, Topic.FROM_BAR, self.page, _first_listed(self.bar))
        listed = [_button(self.t("fix.another_bar"), other)]
        return [*rows, listed, self._as_heard(Correctable.BAR_MOVES)]

    def keys(self) -> list[_Row]:
        """The twelve keys of one mode, as they are on the page, and a way to the other mode."""
        mode: Mode = "minor" if self.topic is Topic.MINOR else "major"
        shown = self.result.rendered_key
        names = list(KEYS[mode])
        if shown.mode == mode and shown.tonic not in names:
            names.insert(0, shown.tonic)
        buttons = [
            button
            for tonic in names
            for button in self._wish(
                tonic_name(tonic, self.t),
                KeyIs(tonic, mode),
                (tonic, mode) == (shown.tonic, shown.mode),
            )
        ]
        other = Topic.MAJOR if mode == "minor" else Topic.MINOR
        label = self.t("fix.major") if mode == "minor" else self.t("fix.minor")
        rows = [buttons[first : first + 3] for first in range(0, len(buttons), 3)]
        return [
            [_button(label, _open(self.result, other, self.page))],
            *rows,
            self._as_heard(Correctable.KEY),
        ]

    def notes(self) -> list[_Row]:
        """The finest value, triplets, swing, and the pitches of singers."""
        set_now = self.result.corrections
        finest: _Row = []
        for value in FINEST:
            label = self.t(f"fix.finest.{value}")
            finest += self._toggle(
                label, FinestIs(value), set_now.finest_value == value, Correctable.FINEST_VALUE
            )
        triplets = [
            *self._toggle(
                self.t("fix.no_triplets"),
                TripletsAre(False),
                set_now.triplets is Triplets.NOT_ALLOWED,
                Correctable.TRIPLETS,
            ),
            *self._toggle(
                self.t("fix.triplets"),
                TripletsAre(True),
                set_now.triplets is Triplets.ALLOWED,
                Correctable.TRIPLETS,
            ),
        ]
        feel = [
            *self._toggle(
                self.t("fix.straight"),
                FeelIs(False),
                set_now.feel is Feel.STRAIGHT,
                Correctable.FEEL,
            ),
            *self._toggle(
                self.t("fix.swing"), FeelIs(True), set_now.feel is Feel.SWING, Correctable.FEEL
            ),
        ]
        pitches: _Row = []
        if self.result.sung_differs:
            for label, kind in (("button.meant", Pitches.MEANT), ("button.sung", Pitches.SUNG)):
                is_shown = self.result.pitches is kind
                pitches += self._wish(self.t(label), PitchesAre(kind), is_shown)
        return [*_pairs(finest), triplets, feel, pitches]

    def parts(self) -> list[_Row]:
        """Parts left out or put back, the clef of the leading part, and a way to instruments."""
        parts = self.result.parts[:_MAX_PARTS] if len(self.result.parts) > 1 else ()
        toggles: _Row = []
        for part in parts:
            mark = "✗" if part.left_out else "✓"
            name = (part.name or part.id)[:_MAX_NAME_CHARS]
            edit = fulfil([PartIs(part.id, left_out=not part.left_out)], self.result).corrections
            toggles += self._correct(f"{mark} {name}", edit)
        clefs = [
            button
            for clef in CLEFS
            for button in self._wish(self.t(f"fix.clef.{clef}"), ClefIs(clef), self._has(clef))
        ]
        rows = [*_pairs(toggles), *_pairs(clefs)]
        if leading_part(self.result) is not None:
            rows.append([self._topic(Topic.INSTRUMENT)])
        return [*rows, self._as_heard(Correctable.PARTS)]

    def instruments(self) -> list[_Row]:
        """Instruments for the leading part."""
        part = leading_part(self.result)
        shown = None if part is None else part.program
        return _pairs(
            button
            for name in BUTTONS
            for button in self._wish(
                capitalised(self.t(f"instrument.{name}")),
                InstrumentIs(INSTRUMENTS[name]),
                INSTRUMENTS[name] == shown,
            )
        )

    def _has(self, clef: ClefName) -> bool:
        part = leading_part(self.result)
        set_now = self.result.corrections.parts
        return part is not None and any(c.id == part.id and c.clef == clef for c in set_now)

    def _topic(self, topic: Topic) -> InlineKeyboardButton:
        name = Topic.MAJOR if topic is Topic.MINOR else topic
        return _button(
            self.t(f"fix.topic.{name.name.lower()}"), _open(self.result, topic, self.page)
        )

    def _wish(
        self, label: str, wish: Wish, is_shown: bool = False
    ) -> Iterator[InlineKeyboardButton]:
        """A button for a wish, marked if it is fulfilled; none if it cannot be."""
        if is_shown:
            yield _button(f"• {label}", ShownButton(what=self.topic))
            return
        try:
            wanted = fulfil([wish], self.result)
        except WishError:
            return
        yield from self._show(label, wanted)

    def _toggle(
        self, label: str, wish: Wish, is_set: bool, field: Correctable
    ) -> Iterator[InlineKeyboardButton]:
        """A button for a wish; where it is set, the button puts the field back to as heard."""
        if is_set:
            yield from self._correct(f"• {label}", Corrections(as_heard=(field,)))
        else:
            yield from self._wish(label, wish)

    def _as_heard(self, *fields: Correctable) -> _Row:
        """A button that takes back the corrections of some fields, if there are any."""
        set_now = self.result.corrections
        values = {
            Correctable.METRE: set_now.time_signature,
            Correctable.BEAT_SCALE: set_now.beat_scale or set_now.tempo_bpm,
            Correctable.FIRST_BEAT: set_now.first_beat,
            Correctable.BAR_MOVES: set_now.bar_moves,
            Correctable.KEY: set_now.key,
            Correctable.PARTS: set_now.parts,
        }
        wrong = tuple(field for field in fields if values[field])
        if not wrong:
            return []
        return list(self._correct(self.t("fix.as_heard"), Corrections(as_heard=wrong)))

    def _correct(self, label: str, edit: Corrections) -> Iterator[InlineKeyboardButton]:
        yield from self._show(label, replace(shown_as(self.result), corrections=edit))

    def _adjust(self, label: str, edit: Adjustments) -> Iterator[InlineKeyboardButton]:
        yield from self._show(label, replace(shown_as(self.result), adjustments=edit))

    def _show(self, label: str, wanted: RenderOptions) -> Iterator[InlineKeyboardButton]:
        """A button that renders as wanted; none if its data does not fit."""
        state = _state(self.result)
        state["view_code"] = view_code(
            wanted.view, simple_chords=wanted.simple_chords, pitches=wanted.pitches
        )
        state["transpose_semitones"] = wanted.transpose_semitones
        edit = encode_edit(Edit(wanted.corrections, wanted.adjustments))
        try:
            code = topic_code(self.topic, self.page, self.bar)
            button = CorrectButton(**state, topic_code=code, edit=edit)
        except ValueError:  # a part's id has a separator in it
            return
        if fits(button):
            yield _button(label, button)


def _state(result: Result) -> dict[str, Any]:
    """Fields of a button that shows the page as it is."""
    code = view_code(result.view, simple_chords=result.simple_chords, pitches=result.pitches)
    return {
        "result_id": result.result_id,
        "view_code": code,
        "transpose_semitones": result.transpose_semitones,
    }


def _open(result: Result, topic: Topic, page: int, bar: int = 0) -> FixButton:
    return FixButton(**_state(result), topic_code=topic_code(topic, page, bar))


def _first_listed(bar: int) -> int:
    """The first of the bars that are listed together with one."""
    return 2 + (max(bar, 2) - 2) // _LISTED_BARS * _LISTED_BARS


def _button(text: str, data: CallbackData) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=text, callback_data=data.pack())


def _pairs(buttons: Iterable[InlineKeyboardButton]) -> list[_Row]:
    row = list(buttons)
    return [row[first : first + 2] for first in range(0, len(row), 2)]

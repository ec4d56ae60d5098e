"""Buttons, and what they carry.

The bot is stateless, so a button holds everything that its press needs: the result's id, the view
and the transposition that it asks for; a view's letter is a capital where chords are to be simple.
``callback_data`` has at most 64 bytes, which leaves 47 for the result's id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from aiogram.filters.callback_data import MAX_CALLBACK_LENGTH, CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from bot.client.types import Model, ModelState, Preset, Result, View
from bot.i18n import LANGUAGES, Translator
from bot.views import key_name

MAX_TRANSPOSITION: Final = 24
FOLLOW_TELEGRAM: Final = "auto"
MEASURES: Final = 8
MAX_MEASURES: Final = 32
MAX_SEED: Final = 99
BOLDNESS_STEPS: Final = 2
"""From the usual to the calmest, and to the boldest."""

_VIEW_CODES: Final = {
    View.FULL: "f", View.MELODY: "m", View.LEAD_SHEET: "l", View.PIANO: "p", View.CHORDS: "c",
}  # fmt: skip
_NO_CHORDS: Final = frozenset({"N", "X", ""})
_LANGUAGE_NAMES: Final = {"ru": "Русский", "en": "English"}


class CancelButton(CallbackData, prefix="x"):
    """Stop a running job."""

    job_id: str


class RenderButton(CallbackData, prefix="r"):
    """Show a result in another view or transposition."""

    result_id: str
    view_code: str
    transpose_semitones: int

    @property
    def view(self) -> View | None:
        """The view; None if the button is not one of ours."""
        return {code: view for view, code in _VIEW_CODES.items()}.get(self.view_code.lower())

    @property
    def simple_chords(self) -> bool:
        """Whether chords are reduced to triads and sevenths."""
        return self.view_code.isupper()


class RollButton(RenderButton, prefix="o"):
    """Draw a result's piano roll."""


class ListenButton(RenderButton, prefix="p"):
    """Play what is shown."""


class StemsButton(RenderButton, prefix="k"):
    """Send what a song was separated into."""


class ContinueButton(RenderButton, prefix="g"):
    """Write how a result could go on, as it is shown; ``boldness`` in :data:`BOLDNESS_STEPS`."""

    seed: int = 0
    boldness: int = 0
    measures: int = MEASURES

    @property
    def is_sound(self) -> bool:
        """Whether the numbers are ones that a button of ours has."""
        return (
            abs(self.transpose_semitones) <= MAX_TRANSPOSITION
            and 0 <= self.seed <= MAX_SEED
            and abs(self.boldness) <= BOLDNESS_STEPS
            and 1 <= self.measures <= MAX_MEASURES
        )


class ChordsButton(CallbackData, prefix="c"):
    """Write a result's chords as text."""

    result_id: str
    transpose_semitones: int


class SimpleChordsButton(ChordsButton, prefix="d"):
    """Write a result's chords as text, reduced to triads and sevenths."""


class ShownButton(CallbackData, prefix="s"):
    """What is shown already."""

    what: str


class LanguageButton(CallbackData, prefix="l"):
    """Choose a language, or :data:`FOLLOW_TELEGRAM`."""

    language: str


class UseButton(CallbackData, prefix="u"):
    """Make a model serve a task; for administrators."""

    task: str
    model: str


def cancel_keyboard(job_id: str, t: Translator) -> InlineKeyboardMarkup:
    """Under the status message of a running job."""
    return _rows([[_button(t("button.cancel"), CancelButton(job_id=job_id))]])


def result_keyboard(result: Result, t: Translator) -> InlineKeyboardMarkup:
    """Under a result: views, chords, transposition, sound and picture; what is shown has a mark.

    Where no chord was heard, nothing is offered about chords; stems are a song's alone.
    """

    def view(view: View) -> InlineKeyboardButton:
        label = t(f"view.{view}")
        if view is result.view:
            return _button(f"• {label}", ShownButton(what=_VIEW_CODES[view]))
        return _button(label, _change(result, RenderButton, view=view))

    def shift(label: str, semitones: int) -> InlineKeyboardButton:
        return _button(label, _change(result, RenderButton, transpose_semitones=semitones))

    shown = result.transpose_semitones
    moves = []
    if shown > -MAX_TRANSPOSITION:
        moves.append(shift(t("button.lower"), shown - 1))
    if shown < MAX_TRANSPOSITION:
        moves.append(shift(t("button.higher"), shown + 1))
    rows = [[view(View.MELODY), view(View.LEAD_SHEET)], [view(View.PIANO), view(View.FULL)]]
    has_chords = any(chord.label not in _NO_CHORDS for chord in result.chords)
    if has_chords:
        wanted = not result.simple_chords
        label = t("button.simple_chords") if wanted else t("button.full_chords")
        toggle = _button(label, _change(result, RenderButton, simple_chords=wanted))
        rows.append([view(View.CHORDS), toggle])
    rows.append(moves)
    if shown:
        rows.append([shift(t("button.original", key=key_name(result.key, t)), 0)])
    rows.append(
        [
            _button(t("button.listen"), _change(result, ListenButton)),
            _button(t("button.roll"), _change(result, RollButton)),
        ]
    )
    if result.preset is Preset.SONG:
        rows.append([_button(t("button.stems"), _change(result, StemsButton))])
    last = [_button(t("button.continue"), _change(result, ContinueButton))]
    rows.append(last)
    if has_chords:
        text = SimpleChordsButton if result.simple_chords else ChordsButton
        data = text(result_id=result.result_id, transpose_semitones=shown)
        last.append(_button(t("button.chords"), data))
    return _rows(rows)


def continuation_keyboard(shown: ContinueButton, t: Translator) -> InlineKeyboardMarkup:
    """Under a continuation: other ones of the same result."""

    def other(label: str, **changes: int) -> InlineKeyboardButton:
        return _button(label, shown.model_copy(update=changes))

    seed, boldness = (shown.seed + 1) % (MAX_SEED + 1), shown.boldness
    rows = [[other(t("button.another"), seed=seed)], []]
    if boldness > -BOLDNESS_STEPS:
        rows[1].append(other(t("button.calmer"), boldness=boldness - 1))
    if boldness < BOLDNESS_STEPS:
        rows[1].append(other(t("button.bolder"), boldness=boldness + 1))
    if shown.measures < MAX_MEASURES:
        rows.append([other(t("button.longer"), measures=min(2 * shown.measures, MAX_MEASURES))])
    return _rows(rows)


def language_keyboard(t: Translator) -> InlineKeyboardMarkup:
    """Each language by its own name, and the way back."""
    languages = [
        _button(_LANGUAGE_NAMES[language], LanguageButton(language=language))
        for language in LANGUAGES
    ]
    follow = _button(t("button.follow_telegram"), LanguageButton(language=FOLLOW_TELEGRAM))
    return _rows([languages, [follow]])


def models_keyboard(models: Iterable[Model], t: Translator) -> InlineKeyboardMarkup | None:
    """A button for every model that could be switched to; None if there is none.

    A name too long for a button is left to ``/use``.
    """
    rows = []
    for model in models:
        data = f"{UseButton.__prefix__}:{model.task}:{model.name}"
        switchable = model.state in {ModelState.AVAILABLE, ModelState.NOT_FETCHED}
        if switchable and ":" not in model.name and len(data.encode()) <= MAX_CALLBACK_LENGTH:
            label = t("button.use", task=model.task, model=model.name)
            rows.append([_button(label, UseButton(task=model.task, model=model.name))])
    return _rows(rows) if rows else None


def _change(
    result: Result,
    kind: type[RenderButton],
    *,
    view: View | None = None,
    transpose_semitones: int | None = None,
    simple_chords: bool | None = None,
) -> RenderButton:
    """Return a button's data for the result as it is shown, but for what is given."""
    code = _VIEW_CODES[result.view if view is None else view]
    is_simple = result.simple_chords if simple_chords is None else simple_chords
    shift = result.transpose_semitones if transpose_semitones is None else transpose_semitones
    return kind(
        result_id=result.result_id,
        view_code=code.upper() if is_simple else code,
        transpose_semitones=shift,
    )


def _button(text: str, data: CallbackData) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=text, callback_data=data.pack())


def _rows(rows: list[list[InlineKeyboardButton]]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[row for row in rows if row])

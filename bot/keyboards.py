"""The buttons under the bot's messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from aiogram.filters.callback_data import MAX_CALLBACK_LENGTH, CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from bot.buttons import (
    BOLDNESS_STEPS,
    EXTRAS,
    FOLLOW_TELEGRAM,
    MAX_MEASURES,
    MAX_SEED,
    MAX_TRANSPOSITION,
    CancelButton,
    ChordsButton,
    ContinuationFilesButton,
    ContinuationPageButton,
    ContinueButton,
    FiguresButton,
    FilesButton,
    ForgetButton,
    HearButton,
    HeardButton,
    LanguageButton,
    ListenButton,
    MoreButton,
    PageButton,
    RenderButton,
    SampleButton,
    ShownButton,
    SimpleChordsButton,
    UseButton,
    view_code,
)
from bot.client.types import Model, ModelState, Pitches, Preset, Result, View
from bot.fix_buttons import UndoButton
from bot.fix_keyboards import doubt_rows, fix_row
from bot.i18n import LANGUAGES, Translator
from bot.key_names import key_name
from bot.presets import order_presets

_LANGUAGE_NAMES: Final = {"ru": "Русский", "en": "English"}


def cancel_keyboard(job_id: str, t: Translator) -> InlineKeyboardMarkup:
    """The keyboard of a running job's status message."""
    return _rows([[_button(t("button.cancel"), CancelButton(job_id=job_id))]])


def result_keyboard(
    result: Result,
    t: Translator,
    *,
    page: int = 1,
    is_complete: bool = True,
    before: UndoButton | None = None,
    practise: InlineKeyboardButton | None = None,
) -> InlineKeyboardMarkup:
    """The keyboard of a result: another reading if this one is in doubt, pages, views, keys, the
    practice page, corrections, files, sound, and what it was heard as; the shown view is marked.

    It leaves room for the page on a phone's screen; :func:`more_keyboard` has the rest.

    If the page was not delivered, the shown view can be requested again. ``before`` is the state to
    which "Undo" returns, if it is not the one before the latest correction. ``practise`` opens the
    practice page, if there is one.
    """

    def view(view: View) -> InlineKeyboardButton:
        return _view_button(result, view, t, is_marked=is_complete)

    def shift(label: str, semitones: int) -> InlineKeyboardButton:
        return _button(
            label, _turn(_change(result, RenderButton, transpose_semitones=semitones), page)
        )

    shown = result.transpose_semitones
    state = _change(result, RenderButton).model_dump()
    moves = []
    if shown > -MAX_TRANSPOSITION:
        moves.append(shift(t("button.lower"), shown - 1))
    if shown < MAX_TRANSPOSITION:
        moves.append(shift(t("button.higher"), shown + 1))
    tools = [
        *fix_row(result, t, before, page),
        *(_extra_button(kind, result, t) for kind in (FilesButton, ListenButton)),
        _button(t("button.more"), MoreButton(**state, page=page)),
    ]
    rows = [
        *doubt_rows(result, t, page),
        _pager(result.pages, page, lambda other: _turn(_change(result, RenderButton), other)),
        [view(View.MELODY), view(View.LEAD_SHEET)],
        [view(View.PIANO), view(View.FULL)],
        moves,
        [shift(t("button.original", key=key_name(result.key, t)), 0)] if shown else [],
        [practise] if practise is not None else [],
        *_pairs(tools),
    ]
    if result.preset is not Preset.AUTO:
        heard = HeardButton(**state, page=page, preset=result.preset)
        rows.append([_button(t(f"button.heard.{result.preset}"), heard)])
    return _rows(rows)


def more_keyboard(result: Result, t: Translator, *, page: int = 1) -> InlineKeyboardMarkup:
    """The keyboard of what else a result offers: chords, pictures, stems, a continuation.

    Buttons about chords are left out if there are none, the one about pitches if it would change no
    note.
    """

    def same_page(label: str, **changes: Any) -> InlineKeyboardButton:
        return _button(label, _turn(_change(result, RenderButton, **changes), page))

    buttons = []
    has_chords = any(chord.text for chord in result.chords)
    if has_chords:
        wanted = not result.simple_chords
        label = t("button.simple_chords") if wanted else t("button.full_chords")
        text = SimpleChordsButton if result.simple_chords else ChordsButton
        data = text(result_id=result.result_id, transpose_semitones=result.transpose_semitones)
        buttons += [
            _view_button(result, View.CHORDS, t),
            same_page(label, simple_chords=wanted),
            _button(t("button.chords"), data),
        ]
    if result.sung_differs:
        is_sung = result.pitches is Pitches.SUNG
        label = t("button.meant") if is_sung else t("button.sung")
        buttons.append(same_page(label, pitches=Pitches.MEANT if is_sung else Pitches.SUNG))
    buttons += [
        _extra_button(kind, result, t)
        for kind, extra in EXTRAS.items()
        if kind not in (FilesButton, ListenButton) and extra.is_offered(result)
    ]
    buttons.append(_button(t("button.continue"), _change(result, ContinueButton)))
    return _rows([*_pairs(buttons), [same_page(t("button.back"))]])


def heard_keyboard(
    heard: HeardButton, t: Translator, likely: Sequence[Preset] = ()
) -> InlineKeyboardMarkup:
    """The keyboard that offers to hear a recording as something else, or to go back.

    ``likely`` are the kinds of recordings that come first.
    """
    state = heard.model_dump()
    rows = [
        [_button(t(f"button.hear.{other}"), HearButton(**{**state, "preset": other}))]
        for other in order_presets(likely)
        if other is not heard.preset
    ]
    shown = {name: state[name] for name in RenderButton.model_fields}
    rows.append([_button(t("button.back"), _turn(RenderButton(**shown), heard.page))])
    return _rows(rows)


def _view_button(
    result: Result, view: View, t: Translator, *, is_marked: bool = True
) -> InlineKeyboardButton:
    """The button of a view; the shown view is marked, and its button does nothing."""
    label = t(f"view.{view}")
    if view is result.view and is_marked:
        return _button(f"• {label}", ShownButton(what=_change(result, RenderButton).view_code))
    return _button(label, _change(result, RenderButton, view=view))


def _extra_button(kind: type[RenderButton], result: Result, t: Translator) -> InlineKeyboardButton:
    return _button(t(EXTRAS[kind].label), _change(result, kind))


def again_keyboard(result: Result, t: Translator) -> InlineKeyboardMarkup:
    """A single button that sends the result as it is shown once more."""
    return _rows([[_button(t(f"view.{result.view}"), _change(result, RenderButton))]])


def continuation_keyboard(
    shown: ContinueButton, t: Translator, *, page: int = 1, pages: int = 0
) -> InlineKeyboardMarkup:
    """The keyboard of a continuation: its pages and files, and other continuations."""
    same = {name: getattr(shown, name) for name in ContinueButton.model_fields}

    def other(label: str, **changes: int) -> InlineKeyboardButton:
        return _button(label, ContinueButton(**{**same, **changes}))

    seed, boldness = (shown.seed + 1) % (MAX_SEED + 1), shown.boldness
    rows = [
        _pager(pages, page, lambda number: ContinuationPageButton(**same, page=number)),
        [
            _button(t("button.files"), ContinuationFilesButton(**same)),
            other(t("button.another"), seed=seed),
        ],
        [],
    ]
    if boldness > -BOLDNESS_STEPS:
        rows[-1].append(other(t("button.calmer"), boldness=boldness - 1))
    if boldness < BOLDNESS_STEPS:
        rows[-1].append(other(t("button.bolder"), boldness=boldness + 1))
    if shown.measures < MAX_MEASURES:
        rows.append([other(t("button.longer"), measures=min(2 * shown.measures, MAX_MEASURES))])
    return _rows(rows)


def start_keyboard(t: Translator) -> InlineKeyboardMarkup:
    """The keyboard of the greeting: a try without a recording of one's own."""
    return _rows([[_button(t("button.sample"), SampleButton())]])


def privacy_keyboard(t: Translator) -> InlineKeyboardMarkup:
    """The keyboard under what is kept: a way to have it forgotten."""
    return _rows([[_button(t("button.forget"), ForgetButton())]])


def language_keyboard(t: Translator) -> InlineKeyboardMarkup:
    """Each language by its own name, and a button to follow Telegram's language."""
    languages = [
        _button(_LANGUAGE_NAMES[language], LanguageButton(language=language))
        for language in LANGUAGES
    ]
    follow = _button(t("button.follow_telegram"), LanguageButton(language=FOLLOW_TELEGRAM))
    return _rows([languages, [follow]])


def models_keyboard(models: Iterable[Model], t: Translator) -> InlineKeyboardMarkup:
    """A button for the models' figures, and one for each model that can be activated.

    Models whose names are too long for a button can be activated with ``/use``.
    """
    rows = [[_button(t("button.figures"), FiguresButton())]]
    for model in models:
        data = f"{UseButton.__prefix__}:{model.task}:{model.name}"
        switchable = model.state in {ModelState.AVAILABLE, ModelState.NOT_FETCHED}
        if switchable and ":" not in model.name and len(data.encode()) <= MAX_CALLBACK_LENGTH:
            label = t("button.use", task=model.task, model=model.name)
            rows.append([_button(label, UseButton(task=model.task, model=model.name))])
    return _rows(rows)


def _change(
    result: Result,
    kind: type[RenderButton],
    *,
    view: View | None = None,
    transpose_semitones: int | None = None,
    simple_chords: bool | None = None,
    pitches: Pitches | None = None,
) -> RenderButton:
    """Return data of a button that shows the result as it is, except for the arguments given."""
    is_simple = result.simple_chords if simple_chords is None else simple_chords
    shift = result.transpose_semitones if transpose_semitones is None else transpose_semitones
    return kind(
        result_id=result.result_id,
        view_code=view_code(
            result.view if view is None else view,
            simple_chords=is_simple,
            pitches=result.pitches if pitches is None else pitches,
        ),
        transpose_semitones=shift,
    )


def _turn(button: RenderButton, page: int) -> RenderButton:
    """Return a button that shows the same on another page."""
    return button if page == 1 else PageButton(**button.model_dump(), page=page)


def _pager(
    pages: int, page: int, turn: Callable[[int], CallbackData]
) -> list[InlineKeyboardButton]:
    """Return buttons for the page before and the page after, in a circle; none for one page."""
    if pages < 2:
        return []
    return [
        _button("‹", turn((page - 2) % pages + 1)),
        _button(f"{page} / {pages}", ShownButton(what="page")),
        _button("›", turn(page % pages + 1)),
    ]


def _pairs(buttons: list[InlineKeyboardButton]) -> list[list[InlineKeyboardButton]]:
    return [buttons[first : first + 2] for first in range(0, len(buttons), 2)]


def _button(text: str, data: CallbackData) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=text, callback_data=data.pack())


def _rows(rows: list[list[InlineKeyboardButton]]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[row for row in rows if row])

"""Buttons fit Telegram's limits and come back as what they were."""

from __future__ import annotations

import dataclasses

import pytest
from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton

from bot import buttons, fix_buttons
from bot.buttons import (
    ChordsButton,
    ContinueButton,
    HeardButton,
    ListenButton,
    RenderButton,
    RollButton,
    SimpleChordsButton,
    callback_data,
    find_shown,
)
from bot.client.types import ChordSegment, Model, ModelState, Pitches, Preset, Result, View
from bot.i18n import Translator
from bot.keyboards import (
    cancel_keyboard,
    continuation_keyboard,
    heard_keyboard,
    language_keyboard,
    models_keyboard,
    more_keyboard,
    result_keyboard,
)
from tests.bot.test_views import RESULT

HEARD = HeardButton(
    result_id="f" * 43, view_code="Cs", transpose_semitones=-24, page=98, preset=Preset.PIANO
)


@pytest.fixture(params=[-24, -1, 0, 1, 24])
def result(request: pytest.FixtureRequest) -> Result:
    """A result with the longest id that buttons have room for."""
    return dataclasses.replace(
        RESULT,
        result_id="f" * 43,
        transpose_semitones=request.param,
        pitches=Pitches.SUNG,
        sung_differs=True,
        pages=99,
    )


def every_button(result: Result, t: Translator) -> list[InlineKeyboardButton]:
    """The buttons under a result, and those that "More…" offers."""
    keyboards = result_keyboard(result, t), more_keyboard(result, t)
    return [b for keyboard in keyboards for row in keyboard.inline_keyboard for b in row]


BOLD = ContinueButton(
    result_id="f" * 43,
    view_code="Cs",
    transpose_semitones=-24,
    seed=98,
    boldness=-1,
    measures=31,
)


def test_callback_data_is_within_64_bytes(result: Result, t: Translator) -> None:
    keyboards = [
        result_keyboard(result, t),
        result_keyboard(result, t, page=98),
        more_keyboard(result, t, page=98),
        heard_keyboard(HEARD, t),
        language_keyboard(t),
        cancel_keyboard("0123456789abcdef", t),
        continuation_keyboard(BOLD, t, page=98, pages=99),
    ]
    for keyboard in keyboards:
        for row in keyboard.inline_keyboard:
            for button in row:
                assert 1 <= len((button.callback_data or "").encode()) <= 64


def test_buttons_come_back(result: Result, t: Translator) -> None:
    data = [button.callback_data or "" for button in every_button(result, t)]
    renders = [RenderButton.unpack(item) for item in data if item.startswith("r:")]
    assert {render.result_id for render in renders} == {result.result_id}
    others = {render.view for render in renders if render.view is not View.FULL}
    assert others == set(View) - {View.FULL}
    assert {render.simple_chords for render in renders} == {False, True}
    assert [render.pitches for render in renders].count(Pitches.MEANT) == 1
    [listen] = [ListenButton.unpack(item) for item in data if item.startswith("p:")]
    [roll] = [RollButton.unpack(item) for item in data if item.startswith("o:")]
    for button in (listen, roll):
        assert button.view is View.FULL
        assert button.transpose_semitones == result.transpose_semitones
        assert button.pitches is Pitches.SUNG
    [going_on] = [ContinueButton.unpack(item) for item in data if item.startswith("g:")]
    assert (going_on.view, going_on.measures) == (View.FULL, 8)
    assert going_on.pitches is Pitches.SUNG
    assert going_on.transpose_semitones == result.transpose_semitones
    assert all(abs(render.transpose_semitones) <= 24 for render in renders)
    [chords] = [ChordsButton.unpack(item) for item in data if item.startswith("c:")]
    assert chords.transpose_semitones == result.transpose_semitones


@pytest.mark.parametrize("view", list(View))
def test_simple_chords_stay_until_taken_back(view: View, english: Translator) -> None:
    simple = dataclasses.replace(RESULT, view=view, simple_chords=True)
    labels = {b.text: b.callback_data or "" for b in every_button(simple, english)}
    assert not RenderButton.unpack(labels.pop("Full chords")).simple_chords
    assert ListenButton.unpack(labels["▶ Listen"]).simple_chords
    assert SimpleChordsButton.unpack(labels["Chords as text"]).result_id == RESULT.result_id
    renders = [RenderButton.unpack(data) for data in labels.values() if data.startswith("r:")]
    assert renders
    assert all(render.simple_chords and render.view is not None for render in renders)


@pytest.mark.parametrize("view", list(View))
@pytest.mark.parametrize("simple_chords", [False, True])
def test_sung_pitches_stay_until_taken_back(
    view: View, simple_chords: bool, english: Translator
) -> None:
    meant = dataclasses.replace(RESULT, view=view, simple_chords=simple_chords, sung_differs=True)
    sung = dataclasses.replace(meant, pitches=Pitches.SUNG)
    for shown, label, other in ((meant, "As sung", sung), (sung, "As meant", meant)):
        labels = {b.text: b.callback_data or "" for b in every_button(shown, english)}
        labels.pop("‹ Back")
        assert ListenButton.unpack(labels["▶ Listen"]).pitches is shown.pitches
        switch = RenderButton.unpack(labels.pop(label))
        assert switch.pitches is other.pitches
        assert (switch.view, switch.simple_chords) == (view, simple_chords)
        renders = [RenderButton.unpack(data) for data in labels.values() if data.startswith("r:")]
        assert {render.pitches for render in renders} == {shown.pitches}


def test_no_pitches_to_choose_where_they_are_the_same(t: Translator) -> None:
    labels = [b.text for b in every_button(RESULT, t)]
    assert not {t("button.sung"), t("button.meant")} & set(labels)


def test_nothing_about_chords_where_none_were_heard(t: Translator) -> None:
    for chords in ((), (ChordSegment(0.0, 9.0, ""),)):
        silent = dataclasses.replace(RESULT, chords=chords)
        labels = [b.text for b in every_button(silent, t)]
        about = ["view.chords", "button.simple_chords", "button.full_chords", "button.chords"]
        assert not {t(name) for name in about} & set(labels)
        assert t("view.lead_sheet") in labels


@pytest.mark.parametrize("preset", [Preset.VOICE, Preset.SONG])
def test_a_keyboard_is_tidy(result: Result, t: Translator, preset: Preset) -> None:
    for pitches in Pitches:
        shown = dataclasses.replace(result, preset=preset, pitches=pitches)
        rows = result_keyboard(shown, t).inline_keyboard
        assert len(rows) <= 8, "with a pager and the way back to the original key"
        rows += more_keyboard(shown, t).inline_keyboard
        assert all(sum(len(button.text) for button in row) <= 36 for row in rows)


def test_models_with_long_names_have_no_button(english: Translator) -> None:
    model = Model("piano", "m" * 80, "1", "MIT", ModelState.AVAILABLE, {}, 0)
    active = dataclasses.replace(model, name="m", state=ModelState.ACTIVE)
    [[figures]] = models_keyboard([model, active], english).inline_keyboard
    assert figures.callback_data == "m"


def test_no_two_kinds_of_buttons_have_the_same_prefix() -> None:
    kinds = [
        kind
        for module in (buttons, fix_buttons)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, CallbackData) and hasattr(kind, "__prefix__")
    ]
    prefixes = {kind.__prefix__ for kind in kinds}
    assert len(prefixes) == len(set(kinds)) > 20


def test_every_keyboard_under_a_page_says_what_is_shown(t: Translator) -> None:
    keyboards = result_keyboard(RESULT, t), more_keyboard(RESULT, t), heard_keyboard(HEARD, t)
    for keyboard, result_id in zip(keyboards, ("1", "1", HEARD.result_id), strict=True):
        shown = find_shown(callback_data(keyboard))
        assert shown is not None
        assert shown.result_id == result_id

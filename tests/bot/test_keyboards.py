"""Buttons fit Telegram's limits and come back as what they were."""

from __future__ import annotations

import dataclasses

import pytest

from bot.buttons import (
    ChordsButton,
    ContinueButton,
    ListenButton,
    RenderButton,
    RollButton,
    SimpleChordsButton,
)
from bot.client.types import ChordSegment, Model, ModelState, Pitches, Preset, Result, View
from bot.i18n import Translator
from bot.keyboards import (
    cancel_keyboard,
    continuation_keyboard,
    language_keyboard,
    models_keyboard,
    result_keyboard,
)
from tests.bot.test_views import RESULT


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
        language_keyboard(t),
        cancel_keyboard("0123456789abcdef", t),
        continuation_keyboard(BOLD, t, page=98, pages=99),
    ]
    for keyboard in keyboards:
        for row in keyboard.inline_keyboard:
            for button in row:
                assert 1 <= len((button.callback_data or "").encode()) <= 64


def test_buttons_come_back(result: Result, t: Translator) -> None:
    data = [
        button.callback_data or ""
        for row in result_keyboard(result, t).inline_keyboard
        for button in row
    ]
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
    labels = {
        button.text: button.callback_data or ""
        for row in result_keyboard(simple, english).inline_keyboard
        for button in row
    }
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
        labels = {
            button.text: button.callback_data or ""
            for row in result_keyboard(shown, english).inline_keyboard
            for button in row
        }
        assert ListenButton.unpack(labels["▶ Listen"]).pitches is shown.pitches
        switch = RenderButton.unpack(labels.pop(label))
        assert switch.pitches is other.pitches
        assert (switch.view, switch.simple_chords) == (view, simple_chords)
        renders = [RenderButton.unpack(data) for data in labels.values() if data.startswith("r:")]
        assert {render.pitches for render in renders} == {shown.pitches}


def test_no_pitches_to_choose_where_they_are_the_same(t: Translator) -> None:
    labels = [b.text for row in result_keyboard(RESULT, t).inline_keyboard for b in row]
    assert not {t("button.sung"), t("button.meant")} & set(labels)


def test_nothing_about_chords_where_none_were_heard(t: Translator) -> None:
    for chords in ((), (ChordSegment(0.0, 9.0, ""),)):
        silent = dataclasses.replace(RESULT, chords=chords)
        labels = [b.text for row in result_keyboard(silent, t).inline_keyboard for b in row]
        about = ["view.chords", "button.simple_chords", "button.full_chords", "button.chords"]
        assert not {t(name) for name in about} & set(labels)
        assert t("view.lead_sheet") in labels


@pytest.mark.parametrize(("preset", "most_rows"), [(Preset.VOICE, 11), (Preset.SONG, 11)])
def test_a_keyboard_is_tidy(result: Result, t: Translator, preset: Preset, most_rows: int) -> None:
    for pitches in Pitches:
        shown = dataclasses.replace(result, preset=preset, pitches=pitches)
        rows = result_keyboard(shown, t).inline_keyboard
        assert len(rows) <= most_rows
        assert all(sum(len(button.text) for button in row) <= 36 for row in rows)


def test_models_with_long_names_have_no_button(english: Translator) -> None:
    model = Model("piano", "m" * 80, "1", "MIT", ModelState.AVAILABLE, {}, 0)
    active = dataclasses.replace(model, name="m", state=ModelState.ACTIVE)
    [[figures]] = models_keyboard([model, active], english).inline_keyboard
    assert figures.callback_data == "m"

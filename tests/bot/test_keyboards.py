"""Buttons fit Telegram's limits and come back as what they were."""

from __future__ import annotations

import dataclasses

import pytest

from bot.client import Model, ModelState, Result, View
from bot.i18n import Translator
from bot.keyboards import (
    ChordsButton,
    RenderButton,
    cancel_keyboard,
    language_keyboard,
    models_keyboard,
    result_keyboard,
)
from tests.bot.test_views import RESULT


@pytest.fixture(params=[-24, -1, 0, 1, 24])
def result(request: pytest.FixtureRequest) -> Result:
    """A result with the longest id that buttons have room for."""
    return dataclasses.replace(RESULT, result_id="f" * 54, transpose_semitones=request.param)


def test_callback_data_is_within_64_bytes(result: Result, t: Translator) -> None:
    keyboards = [
        result_keyboard(result, t),
        language_keyboard(t),
        cancel_keyboard("0123456789abcdef", t),
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
    assert others == {View.MELODY, View.LEAD_SHEET, View.PIANO}
    assert all(abs(render.transpose_semitones) <= 24 for render in renders)
    [chords] = [ChordsButton.unpack(item) for item in data if item.startswith("c:")]
    assert chords.transpose_semitones == result.transpose_semitones


def test_models_with_long_names_have_no_button(english: Translator) -> None:
    model = Model("piano", "m" * 80, "1", "MIT", ModelState.AVAILABLE, {}, 0)
    active = dataclasses.replace(model, name="m", state=ModelState.ACTIVE)
    assert models_keyboard([model, active], english) is None

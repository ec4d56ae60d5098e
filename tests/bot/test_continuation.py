"""Music that goes on in the chat."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiogram.exceptions import TelegramBadRequest
from aiogram.methods import (
    AnswerCallbackQuery,
    DeleteMessage,
    EditMessageMedia,
    EditMessageReplyMarkup,
    EditMessageText,
    SendMediaGroup,
    SendMessage,
    SendPhoto,
    SendVoice,
)
from notabot.v1 import transcription_pb2 as pb

from bot.buttons import ContinuationFilesButton, ContinueButton
from bot.keyboards import continuation_keyboard
from tests.bot.conftest import Harness
from tests.bot.service import Events, RefusalError, artifact, go_on, progress, result
from tests.bot.telegram import (
    Person,
    buttons,
    caption_of,
    every_button,
    file_of,
    picture_of,
    received,
    replied_to,
    text_of,
)

RESULT_ID = "0123456789abcdef0123456789abcdef"


Controls = SendPhoto | EditMessageMedia


async def _continue(harness: Harness, **about: Any) -> tuple[Person, Controls]:
    """Someone who let a fresh result go on, and the message with the new buttons."""
    person = harness.person(**about)
    await person.say_voice()
    controls = harness.session.sheets()[-1]
    offered = await every_button(harness.session, person, controls)
    going_on = next(data for label, data in offered.items() if label.startswith("✎"))
    harness.session.requests.clear()
    await person.press(going_on, received(controls, person))
    return person, (harness.session.sheets() or [controls])[-1]


async def test_a_result_goes_on_as_sound_and_a_page_with_buttons(harness: Harness) -> None:
    _, controls = await _continue(harness)
    [request] = harness.service.continuations
    assert (request.result_id, request.measures, request.seed) == (RESULT_ID, 8, 0)
    assert set(request.render.formats) == {pb.FORMAT_PNG, pb.FORMAT_PREVIEW}
    [sound] = harness.session.sent(SendVoice)
    assert file_of(sound.voice).filename == "continuation.ogg"
    [page] = harness.session.sent(SendPhoto)
    assert page is controls
    assert caption_of(page).endswith("Continuation: 8 measures")
    assert set(buttons(page)) == {"Files", "Another one", "Calmer", "Bolder", "Longer"}
    assert harness.session.requests[-1][1] is not sound, "the page comes last"


async def test_its_files_are_those_of_any_score(harness: Harness) -> None:
    person, controls = await _continue(harness, language="ru")
    await person.press(buttons(controls)["Файлы"], received(controls, person))

    first, second = harness.service.continuations
    assert set(second.render.formats) == {pb.FORMAT_PDF, pb.FORMAT_MIDI, pb.FORMAT_MUSICXML}
    assert (second.seed, second.measures) == (first.seed, first.measures)
    [album] = harness.session.sent(SendMediaGroup)
    assert [file_of(item.media).filename for item in album.media] == [
        f"Запись – продолжение.{suffix}" for suffix in ("pdf", "mid", "musicxml")
    ]


async def test_a_second_tap_on_its_files_points_to_them(harness: Harness) -> None:
    person, controls = await _continue(harness, language="ru")
    for _ in range(2):
        await person.press(buttons(controls)["Файлы"], received(controls, person))
    assert len(harness.session.sent(SendMediaGroup)) == 1
    assert len(harness.service.continuations) == 2
    assert harness.session.texts()[-1] == "Это уже отправлено — вот оно."


async def test_its_pages_are_turned_in_place(harness: Harness) -> None:
    async def long(request: pb.ContinueRequest) -> Events:
        for event in artifact(f"continuation-{request.render.page}.png", b"page"):
            yield event
        yield pb.TranscribeEvent(result=result(request.render, pages=2))

    harness.service.go_on = long
    person, controls = await _continue(harness)
    for label, page in (("›", 2), ("›", 1)):
        await person.press(buttons(controls)[label], received(controls, person))
        controls = harness.session.sheets()[-1]
        assert harness.service.continuations[-1].render.page == page
        assert f"{page} / 2" in buttons(controls)
        assert picture_of(controls).filename == f"continuation-{page}.png"
    assert len(harness.session.sent(SendPhoto)) == 1
    await person.press(buttons(controls)["Another one"], received(controls, person))
    assert harness.service.continuations[-1].seed == 1


@pytest.mark.parametrize(
    ("label", "seed", "boldness", "measures"),
    [
        ("Another one", 1, 0.0, 8),
        ("Calmer", 0, -0.5, 8),
        ("Bolder", 0, 0.5, 8),
        ("Longer", 0, 0.0, 16),
    ],
)
async def test_it_can_go_on_otherwise(
    harness: Harness, label: str, seed: int, boldness: float, measures: int
) -> None:
    person, controls = await _continue(harness)
    await person.press(buttons(controls)[label], received(controls, person))
    request = harness.service.continuations[-1]
    assert (request.seed, request.boldness, request.measures) == (seed, boldness, measures)
    mood = {0.5: "bolder than before", -0.5: "calmer than before"}.get(boldness, "")
    assert mood in caption_of(harness.session.sheets()[-1])


async def test_what_is_shown_goes_on(harness: Harness) -> None:
    async def off_key(request: pb.RenderRequest) -> Events:
        for event in artifact("score-1.png", b"page"):
            yield event
        yield pb.TranscribeEvent(result=result(request.render, sung_differs=True))

    harness.service.render = off_key
    harness.service.corrected.heard = pb.Result(sung_differs=True)
    person = harness.person()
    await person.say_voice()
    for label in ("↑ Semitone up", "Lead sheet", "Simple chords", "As sung"):
        controls = harness.session.sheets()[-1]
        await person.press(
            (await every_button(harness.session, person, controls))[label],
            received(controls, person),
        )
    for label in ("✎ Continue", "Another one"):
        controls = harness.session.sheets()[-1]
        await person.press(
            (await every_button(harness.session, person, controls))[label],
            received(controls, person),
        )
    for request in harness.service.continuations:
        assert request.render.transpose_semitones == 1
        assert request.render.view == pb.VIEW_LEAD_SHEET
        assert request.render.simple_chords
        assert request.render.pitches == pb.PITCHES_SUNG


async def test_a_message_says_how_far_it_is_until_it_is_done(harness: Harness) -> None:
    go_ahead = asyncio.Event()

    async def slowly(request: pb.ContinueRequest) -> Events:
        yield progress(pb.STAGE_CONTINUATION, 0.5)
        await go_ahead.wait()
        async for event in go_on(request):
            yield event

    harness.service.go_on = slowly
    person = harness.person()
    original = await person.say_voice()
    controls = harness.session.sheets()[-1]
    shown = received(controls, person, original)
    going_on = (await every_button(harness.session, person, controls))["✎ Continue"]
    harness.session.requests.clear()
    pressed = asyncio.create_task(person.press(going_on, shown))
    edited = await harness.session.wait_for(EditMessageText, "Composing")
    assert "50%" in text_of(edited)
    [status] = harness.session.sent(SendMessage)
    assert replied_to(status) == original.message_id
    await person.press(going_on, shown)
    assert "Already working on it" in harness.session.texts()[-1]
    go_ahead.set()
    await asyncio.wait_for(pressed, 5)
    assert len(harness.service.continuations) == 1
    assert harness.session.sent(DeleteMessage)


async def test_it_can_be_cancelled(harness: Harness) -> None:
    async def endless(request: pb.ContinueRequest) -> Events:
        yield progress(pb.STAGE_CONTINUATION, 0.1)
        await asyncio.Event().wait()

    harness.service.go_on = endless
    person = harness.person()
    await person.say_voice()
    controls = harness.session.sheets()[-1]
    pressed = asyncio.create_task(
        person.press(
            (await every_button(harness.session, person, controls))["✎ Continue"],
            received(controls, person),
        )
    )
    status = await harness.session.wait_for(EditMessageText, "10%")
    await person.press(buttons(status)["Cancel"])
    await asyncio.wait_for(pressed, 5)
    await asyncio.wait_for(harness.service.cancelled.wait(), 5)
    assert harness.session.texts()[-1] == "Cancelled."
    assert len(harness.session.sent(SendPhoto)) == 1, "that of the result"


async def test_a_person_has_a_limited_number_at_once(build_harness: Callable[..., Harness]) -> None:
    harness = build_harness(per_user_jobs=1)
    go_ahead = asyncio.Event()

    async def slowly(request: pb.ContinueRequest) -> Events:
        await go_ahead.wait()
        async for event in go_on(request):
            yield event

    harness.service.go_on = slowly
    person = harness.person()
    await person.say_voice()
    controls = harness.session.sheets()[-1]
    data = (await every_button(harness.session, person, controls))["✎ Continue"]
    pressed = asyncio.create_task(person.press(data, received(controls, person)))
    await harness.session.wait_for(SendMessage, "Composing")
    await person.press(data.replace(":0:0:8", ":1:0:8"))
    assert "already busy" in harness.session.texts()[-1]
    go_ahead.set()
    await asyncio.wait_for(pressed, 5)


async def test_in_russian(harness: Harness) -> None:
    person = harness.person(language="ru")
    await person.say_voice()
    said = []
    for label in ("✎ Продолжить", "Смелее", "Смелее", "Длиннее", "Спокойнее"):
        controls = harness.session.sheets()[-1]
        shown = received(controls, person)
        shown = shown.model_copy(update={"reply_markup": controls.reply_markup})
        await person.press((await every_button(harness.session, person, controls))[label], shown)
        said.append(caption_of(harness.session.sheets()[-1]).splitlines()[-1])
    assert said == [
        "Продолжение: 8 тактов",
        "Продолжение: 8 тактов, смелее прежнего",
        "Продолжение: 8 тактов, смелее прежнего",
        "Продолжение: 16 тактов",
        "Продолжение: 16 тактов, спокойнее прежнего",
    ]


async def test_a_turned_page_keeps_its_caption(harness: Harness) -> None:
    async def long(request: pb.ContinueRequest) -> Events:
        for event in artifact(f"continuation-{request.render.page}.png", b"page"):
            yield event
        yield pb.TranscribeEvent(result=result(request.render, pages=2))

    harness.service.go_on = long
    person, controls = await _continue(harness)
    for label in ("Bolder", "›"):
        await person.press(buttons(controls)[label], received(controls, person))
        controls = harness.session.sheets()[-1]
    assert caption_of(controls) == "<b>Recording</b>\nContinuation: 8 measures, bolder than before"


async def test_a_page_that_telegram_refuses_leaves_the_rest(harness: Harness) -> None:
    person = harness.person()
    await person.say_voice()
    controls = harness.session.sheets()[-1]
    refused = TelegramBadRequest(SendPhoto(chat_id=7, photo="x"), "Bad Request: PHOTO_INVALID")
    harness.session.failures[SendPhoto].append(refused)
    await person.press(
        (await every_button(harness.session, person, controls))["✎ Continue"],
        received(controls, person),
    )
    assert harness.session.sent(SendVoice)
    assert "Files" in buttons(harness.session.sent(SendMessage)[-1])


async def test_the_title_goes_along(harness: Harness) -> None:
    person, controls = await _continue(harness)
    await person.press(buttons(controls)["Another one"], received(controls, person))
    first, second = harness.service.continuations
    assert first.render.title
    assert second.render.title == first.render.title


def test_buttons_end_where_the_ranges_do(english: object) -> None:
    def labels(**values: int) -> set[str]:
        shown = ContinueButton(
            **{"result_id": "x", "view_code": "f", "transpose_semitones": 0, "seed": 99, **values}
        )
        rows = continuation_keyboard(shown, english).inline_keyboard  # type: ignore[arg-type]
        data = [b.callback_data or "" for row in rows for b in row]
        kinds = {"g": ContinueButton, "e": ContinuationFilesButton}
        assert all(kinds[item[0]].unpack(item) for item in data)
        return {b.text for row in rows for b in row}

    assert "Calmer" not in labels(boldness=-2)
    assert "Bolder" not in labels(boldness=2)
    assert "Longer" not in labels(measures=32)


async def test_a_service_that_cannot_play_writes_all_the_same(harness: Harness) -> None:
    async def mute(request: pb.ContinueRequest) -> Events:
        if pb.FORMAT_PREVIEW in request.render.formats:
            raise RefusalError(9, "PREVIEW_UNAVAILABLE")
        async for event in go_on(request):
            yield event

    harness.service.go_on = mute
    await _continue(harness)
    assert harness.session.sent(SendPhoto)
    assert not harness.session.sent(SendVoice)


async def test_too_little_music_is_reported(harness: Harness) -> None:
    async def refuse(request: pb.ContinueRequest) -> Events:
        raise RefusalError(9, "NOTHING_TO_CONTINUE")
        yield

    harness.service.go_on = refuse
    await _continue(harness)
    assert "too little music" in harness.session.texts()[-1]
    assert not harness.session.sent(EditMessageReplyMarkup), "the other buttons still work"


async def test_an_expired_result_is_reported(harness: Harness) -> None:
    async def refuse(request: pb.ContinueRequest) -> Events:
        raise RefusalError(5, "RESULT_EXPIRED")
        yield

    harness.service.go_on = refuse
    await _continue(harness)
    assert "forgotten" in harness.session.texts()[-1]
    assert harness.session.sent(EditMessageReplyMarkup)


@pytest.mark.parametrize(
    "data",
    [
        "g:x:f:0:0:9:8", "g:x:f:0:-1:0:8", "g:x:f:0:0:0:999", "g:x:f:0:0:0:0", "g:x:z:0:0:0:8",
        "g:x:f:25:0:0:8", "g:x:0:0:8", "h:x:f:0:0:0:8:0", "h:x:f:0:0:0:8", "e:x:f:0:0:9:8",
    ],
)  # fmt: skip
async def test_strange_numbers_are_answered(harness: Harness, data: str) -> None:
    person, controls = await _continue(harness)
    await person.press(data, received(controls, person))
    assert len(harness.service.continuations) == 1
    assert "no longer works" in text_of(harness.session.sent(AnswerCallbackQuery)[-1])

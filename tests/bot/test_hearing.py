"""What a recording is: said in a caption, in a reply, with a button; and heard again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiogram.methods import (
    AnswerCallbackQuery,
    EditMessageMedia,
    EditMessageReplyMarkup,
    SendMessage,
    SendPhoto,
)
from aiogram.types import ExternalReplyInfo, Message, MessageOriginUser, User
from notabot.v1 import transcription_pb2 as pb

from bot.client.types import Preset
from bot.presets import read_preset, says_what_sounds
from bot.recordings import SqliteRecordings
from bot.sources import AudioSource
from tests.bot.conftest import Harness
from tests.bot.service import Events, files, result, succeed
from tests.bot.telegram import NOW, Person, audio, buttons, received, replied_to, text_of, voice

GROUP_ID = -100123


@pytest.mark.parametrize(
    ("words", "preset"),
    [
        ("piano", Preset.PIANO),
        ("It's a piano!", Preset.PIANO),
        ("Ф-но", Preset.PIANO),
        ("это пианино", Preset.PIANO),
        ("рояль", Preset.PIANO),
        ("voice", Preset.VOICE),
        ("one voice", Preset.VOICE),
        ("Голос", Preset.VOICE),
        ("скрипка", Preset.SOLO),
        ("a flute solo", Preset.SOLO),
        ("не пианино, а голос", Preset.VOICE),
        ("гитара", Preset.GUITAR),
        ("not a piano, a guitar", Preset.GUITAR),
        ("string quartet", Preset.ENSEMBLE),
        ("флейта и гитара", Preset.ENSEMBLE),
        ("voice and piano", Preset.SONG),
        ("голос и гитара", Preset.SONG),
        ("несколько инструментов", Preset.ENSEMBLE),
        ("vilolin", Preset.SOLO),
        ("a gitar", Preset.GUITAR),
        ("kazoo", None),
        ("my new song demo", None),
        ("3/4", None),
        ("соль мажор", None),
        ("", None),
    ],
)
def test_words_for_what_sounds(words: str, preset: Preset | None) -> None:
    assert read_preset(words) is preset


def test_a_word_speaks_of_the_page_unless_it_says_otherwise() -> None:
    assert says_what_sounds("это гитара")
    assert says_what_sounds("It's a piano")
    assert not says_what_sounds("piano")


def _preset(harness: Harness) -> pb.Preset:
    return harness.service.transcriptions[-1][0].preset


async def _sing(options: pb.TranscribeOptions, audio: bytes) -> Events:
    """A song, whatever was asked for."""
    for event in files(options.render):
        yield event
    yield pb.TranscribeEvent(result=result(options.render, preset=pb.PRESET_SONG))


@pytest.mark.parametrize(
    ("caption", "preset"),
    [
        ("piano", pb.PRESET_PIANO),
        ("Гитара", pb.PRESET_GUITAR),
        ("voice", pb.PRESET_VOICE),
        ("/score piano", pb.PRESET_PIANO),
        ("my demo", pb.PRESET_AUTO),
        (None, pb.PRESET_AUTO),
    ],
)
async def test_a_caption_says_what_it_is(
    harness: Harness, caption: str | None, preset: pb.Preset
) -> None:
    await harness.person().say_voice(caption=caption)
    assert _preset(harness) == preset


@pytest.mark.parametrize("words", ["piano", "/score piano", "это фортепиано"])
async def test_a_reply_to_the_recording_hears_it_again(harness: Harness, words: str) -> None:
    person = harness.person()
    recording = await person.say_voice()
    await person.say(words, reply_to_message=recording)

    assert _preset(harness) == pb.PRESET_PIANO
    assert len(harness.session.sheets()) == 2


@pytest.mark.parametrize("words", ["это песня", "it's a song", "/score song", "band"])
async def test_a_reply_to_the_page_hears_its_recording_again(harness: Harness, words: str) -> None:
    person, page = await _page(harness)
    await person.say(words, reply_to_message=page)

    assert [audio for _, audio in harness.service.transcriptions].count(b"") == 0
    assert len(harness.service.transcriptions) == 2
    assert _preset(harness) == pb.PRESET_SONG


@pytest.mark.parametrize(
    ("words", "preset"),
    [
        ("Это гитара", pb.PRESET_GUITAR),
        ("it's a guitar!", pb.PRESET_GUITAR),
        ("это флейта", pb.PRESET_SOLO),
        ("тут фортепиано и голос", pb.PRESET_SONG),
    ],
)
async def test_words_after_the_page_hear_its_recording_again(
    harness: Harness, words: str, preset: pb.Preset
) -> None:
    person, _ = await _page(harness)
    said = await person.say(words)
    assert _preset(harness) == preset
    assert len(harness.service.transcriptions) == 2
    assert replied_to(harness.session.sent(SendPhoto)[-1]) == said.message_id


async def test_words_find_the_recording_of_a_corrected_page(harness: Harness) -> None:
    person, _ = await _page(harness)
    await person.say("3/4")
    again = harness.restarted()
    await again.person().say("это фортепиано")
    assert again.session.texts()[-1].startswith("I no longer find the recording")
    await person.say("это фортепиано")
    assert _preset(harness) == pb.PRESET_PIANO


@pytest.mark.parametrize("words", ["для гитары", "instrument guitar", "это флейта", "for piano"])
async def test_words_for_the_page_hear_nothing_again(harness: Harness, words: str) -> None:
    heard = pb.Result(preset=pb.PRESET_SOLO, parts=[pb.Part(id="vocals", program=52)])
    harness.service.corrected.heard = heard
    person, page = await _page(harness)
    for reply in ({}, {"reply_to_message": page}):
        count = len(harness.service.renders)
        await person.say(words, **reply)
        assert len(harness.service.renders) == count + 1
    assert len(harness.service.transcriptions) == 1


async def test_what_a_page_is_before_there_is_one_is_no_wish(harness: Harness) -> None:
    await harness.person().say("это гитара")
    assert harness.session.texts()[-1].startswith("Send me a recording")


async def _page(harness: Harness, **content: Any) -> tuple[Person, Message]:
    """Someone with a page of a recording, as a reply to it shows it: without the recording."""
    person = harness.person()
    await person.say(**(content or {"voice": voice()}))
    return person, _with_buttons(harness, person)


def _with_buttons(harness: Harness, person: Person, reply_to: Message | None = None) -> Message:
    sheet = harness.session.sheets()[-1]
    shown = received(sheet, person, reply_to)
    return shown.model_copy(update={"reply_markup": sheet.reply_markup})


async def test_a_reply_to_one_s_own_command_hears_its_recording_again(harness: Harness) -> None:
    person = harness.person()
    recording = person.message(voice=voice())
    command = await person.say("/score", reply_to_message=recording)
    await person.say(
        "voice", reply_to_message=command.model_copy(update={"reply_to_message": None})
    )

    assert len(harness.service.transcriptions) == 2
    assert _preset(harness) == pb.PRESET_VOICE


async def test_an_unknown_word_is_refused_with_those_that_are_known(harness: Harness) -> None:
    person = harness.person()
    recording = person.message(voice=voice())
    await person.say("/score kazoo", reply_to_message=recording)
    await person.say("kazoo", reply_to_message=recording)

    for text in harness.session.texts():
        assert "“kazoo”" in text
        for word in ("voice", "piano", "song", "guitar"):
            assert word in text
    assert len(harness.session.texts()) == 2
    assert harness.service.calls == 0


async def test_in_a_group_only_what_speaks_to_the_bot_is_taken(harness: Harness) -> None:
    person = harness.person(chat_id=GROUP_ID)
    recording = person.message(voice=voice())
    await person.say("piano", reply_to_message=recording)
    assert not harness.session.requests

    await person.say("/score", reply_to_message=recording)
    page = _with_buttons(harness, person)
    await person.say("это фортепиано", reply_to_message=page)
    assert _preset(harness) == pb.PRESET_PIANO


async def test_the_page_replies_to_the_recording_and_not_to_the_command(harness: Harness) -> None:
    person = harness.person(chat_id=GROUP_ID)
    recording = person.message(voice=voice())
    await person.say("/score", reply_to_message=recording)
    [page] = harness.session.sent(SendPhoto)
    assert replied_to(page) == recording.message_id


async def test_a_button_offers_what_else_it_may_be(harness: Harness) -> None:
    person, page = await _page(harness)
    sheet = harness.session.sheets()[-1]
    await person.press(buttons(sheet)["Heard as one voice. Wrong?"], page)

    [offered] = harness.session.sent(EditMessageReplyMarkup)
    choices = buttons(offered)
    assert list(choices) == [
        "One melodic instrument",
        "A piano alone",
        "A guitar alone",
        "Instruments without a voice",
        "A song with a voice",
        "‹ Back",
    ]
    assert not harness.service.renders
    await person.press(choices["‹ Back"], page)
    assert "Files" in buttons(harness.session.sheets()[-1])


async def test_what_the_service_finds_likely_is_offered_first(harness: Harness) -> None:
    likely = [pb.PRESET_VOICE, pb.PRESET_ENSEMBLE, pb.PRESET_SONG]
    harness.service.corrected.heard.heard_as.extend(
        pb.PresetProbability(preset=preset, probability=0.6 / rank)
        for rank, preset in enumerate(likely, start=1)
    )
    person, page = await _page(harness)
    await person.press(buttons(harness.session.sheets()[-1])["Heard as one voice. Wrong?"], page)

    [offered] = harness.session.sent(EditMessageReplyMarkup)
    first = list(buttons(offered))[:2]
    assert first == ["Instruments without a voice", "A song with a voice"]


async def test_a_button_hears_it_again(harness: Harness) -> None:
    person = harness.person()
    recording = await person.say(audio=audio(title="Romance"))
    page = _with_buttons(harness, person, recording)
    harness.service.transcribe = _sing
    await person.press("j:unknown:f:0:1:song", page)

    [_, (options, _)] = harness.service.transcriptions
    assert options.preset == pb.PRESET_SONG
    [restored] = harness.session.sent(EditMessageMedia)
    assert "Files" in buttons(restored), "the old page gets its buttons back"
    assert options.render.title == "Romance"
    new = harness.session.sent(SendPhoto)[-1]
    assert replied_to(new) == recording.message_id
    assert "Heard as a song. Wrong?" in buttons(new)


async def test_a_button_finds_a_recording_that_the_page_does_not_reply_to(
    harness: Harness,
) -> None:
    person, page = await _page(harness, audio=audio(title="Romance"))
    heard = result().result_id
    await person.press(f"j:{heard}:f:0:1:piano", page)
    assert _preset(harness) == pb.PRESET_PIANO
    assert harness.service.transcriptions[-1][0].render.title == "Romance"


async def test_a_recording_of_another_chat_is_heard_again(harness: Harness) -> None:
    person = harness.person()
    origin = MessageOriginUser(date=NOW, sender_user=User(id=8, is_bot=False, first_name="B"))
    outside = ExternalReplyInfo(origin=origin, voice=voice())
    command = await person.say("/score", external_reply=outside)
    page = _with_buttons(harness, person, command)
    await person.press("j:unknown:f:0:1:song", page)
    assert _preset(harness) == pb.PRESET_SONG


async def test_a_recording_that_is_gone_is_asked_for(harness: Harness) -> None:
    person = harness.person()
    await person.press("j:unknown:f:0:1:song")
    assert "Send it again" in text_of(harness.session.sent(SendMessage)[-1])


async def test_two_presses_hear_it_once(harness: Harness) -> None:
    person, page = await _page(harness)
    go_on = asyncio.Event()

    async def slowly(options: pb.TranscribeOptions, audio: bytes) -> Events:
        await go_on.wait()
        async for event in succeed(options, audio):
            yield event

    harness.service.transcribe = slowly
    data = f"j:{result().result_id}:f:0:1:song"
    first = asyncio.create_task(person.press(data, page))
    await harness.service.wait_for_transcriptions(2)
    await person.press(data, page)
    assert "Already working on it" in text_of(harness.session.sent(AnswerCallbackQuery)[-1])
    go_on.set()
    await asyncio.wait_for(first, 5)
    assert len(harness.service.transcriptions) == 2


async def test_the_same_button_works_again_later(harness: Harness) -> None:
    person, page = await _page(harness)
    for _ in range(2):
        await person.press(f"j:{result().result_id}:f:0:1:song", page)
    assert len(harness.service.transcriptions) == 3


@pytest.mark.parametrize(
    "data", ["j:1:f:0:1:auto", "j:1:f:0:1:opera", "v:1:f:0:0:piano", "v:1:f:0:1:auto", "b:1:f:0"]
)
async def test_strange_buttons_are_answered(harness: Harness, data: str) -> None:
    await harness.person().press(data)
    assert harness.session.texts() == ["This button no longer works."]


async def test_recordings_survive_a_restart_and_the_oldest_go_first(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "state.sqlite3"
    first, second = (AudioSource(f"file {k}", "Title", 5, None) for k in (1, 2))
    with SqliteRecordings(path, max_recordings=2) as store:
        await store.note("a", first)
        await store.note("b", second)
        await store.note("a", second)
    with SqliteRecordings(path, max_recordings=2) as store:
        assert await store.find("a") == await store.find("b") == second
        await store.note("c", first)
        assert await store.find("b") is None
        assert await store.find("c") == first

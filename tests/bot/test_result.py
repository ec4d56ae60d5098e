"""The buttons under a result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiogram.exceptions import TelegramBadRequest
from aiogram.methods import (
    AnswerCallbackQuery,
    DeleteMessage,
    EditMessageMedia,
    EditMessageReplyMarkup,
    SendAudio,
    SendDocument,
    SendMediaGroup,
    SendMessage,
    SendPhoto,
    SendVoice,
)
from aiogram.types import InaccessibleMessage
from notabot.v1 import transcription_pb2 as pb

from bot import delivery
from bot.sent import SentFiles
from tests.bot.conftest import ADMIN_ID, Harness
from tests.bot.service import OGG, Events, RefusalError, artifact, files, render_again, result
from tests.bot.telegram import (
    Person,
    audio,
    buttons,
    caption_of,
    every_button,
    file_of,
    picture_of,
    received,
    replied_to,
    tracks_of,
    voice,
)

RESULT_ID = "0123456789abcdef0123456789abcdef"


async def _controls(harness: Harness) -> tuple[Person, SendPhoto | EditMessageMedia]:
    """Someone with a fresh result, and the message with its page and buttons."""
    person = harness.person()
    await person.say_voice()
    return person, harness.session.sheets()[-1]


async def test_a_view_takes_the_place_of_another(harness: Harness) -> None:
    person, controls = await _controls(harness)
    original = person.message(voice=voice())
    shown = received(controls, person, original)
    harness.session.requests.clear()

    await person.press(buttons(controls)["Lead sheet"], shown)

    [request] = harness.service.renders
    assert request.result_id == RESULT_ID
    assert request.render.view == pb.VIEW_LEAD_SHEET
    assert list(request.render.formats) == [pb.FORMAT_PNG]
    assert request.render.page == 1
    [renewed] = harness.session.sent(EditMessageMedia)
    assert renewed.message_id == shown.message_id
    assert picture_of(renewed).filename == "score-1.png"
    assert "• Lead sheet" in buttons(renewed)
    assert "Full score" in buttons(renewed)
    assert not _sent_anew(harness), "a tap sends no message"


def _sent_anew(harness: Harness) -> list[object]:
    """Messages that were sent or deleted."""
    kinds = (SendMessage, SendPhoto, SendMediaGroup, SendDocument, DeleteMessage)
    return [method for kind in kinds for method in harness.session.sent(kind)]


async def test_transposition_adds_up_and_goes_back(harness: Harness) -> None:
    person, controls = await _controls(harness)
    assert not any("Original" in label for label in buttons(controls))
    for _ in range(2):
        await person.press(buttons(controls)["↑ Semitone up"], received(controls, person))
        controls = harness.session.sheets()[-1]

    assert harness.service.renders[-1].render.transpose_semitones == 2
    caption = caption_of(controls)
    assert "Key: B minor (recorded in A minor, transposed by +2)" in caption
    assert "Bm · G · D · A/C♯" in caption
    await person.press(buttons(controls)["Original key: A minor"], received(controls, person))
    assert harness.service.renders[-1].render.transpose_semitones == 0


async def _many_pages(request: pb.RenderRequest) -> Events:
    """The course of a rendering of five pages."""
    for event in files(request.render, pages=5):
        yield event
    yield pb.TranscribeEvent(result=result(request.render, pages=5))


async def _five_pages(harness: Harness) -> tuple[Person, SendPhoto | EditMessageMedia]:
    async def long(options: pb.TranscribeOptions, audio: bytes) -> Events:
        async for event in _many_pages(pb.RenderRequest(render=options.render)):
            yield event

    harness.service.transcribe, harness.service.render = long, _many_pages
    return await _controls(harness)


async def test_one_page_has_no_pager(harness: Harness) -> None:
    _, controls = await _controls(harness)
    assert not {"‹", "›"} & set(buttons(controls))


async def test_pages_are_turned_in_place(harness: Harness) -> None:
    person, controls = await _five_pages(harness)
    assert harness.service.transcriptions[0][0].render.page == 1, "one page is all that is drawn"
    for label, number in (("›", 2), ("›", 3), ("‹", 2), ("‹", 1), ("‹", 5), ("›", 1)):
        await person.press(
            (await every_button(harness.session, person, controls))[label],
            received(controls, person),
        )
        controls = harness.session.sheets()[-1]
        assert f"{number} / 5" in buttons(controls)
        assert picture_of(controls).filename == f"score-{number}.png"
    assert len(harness.session.sent(SendPhoto)) == 1
    assert len(harness.session.sent(EditMessageMedia)) == 6


async def test_the_page_stays_when_the_key_changes_and_not_when_the_view_does(
    harness: Harness,
) -> None:
    person, controls = await _five_pages(harness)
    for label, page in (("‹", 5), ("↑ Semitone up", 5), ("Simple chords", 5), ("Melody", 1)):
        await person.press(
            (await every_button(harness.session, person, controls))[label],
            received(controls, person),
        )
        controls = harness.session.sheets()[-1]
        assert harness.service.renders[-1].render.page == page


async def test_a_page_past_the_end_is_the_last(harness: Harness) -> None:
    person, controls = await _controls(harness)
    await person.press(f"n:{RESULT_ID}:f:0:9", received(controls, person))
    assert picture_of(harness.session.sheets()[-1]).filename == "score-1.png"
    assert not {"‹", "›"} & set(buttons(harness.session.sheets()[-1]))


async def test_files_come_with_one_press_under_names_that_say_what_they_are(
    harness: Harness,
) -> None:
    person = harness.person()
    await person.say(audio=audio(title="Auld Lang Syne: 1/2"))
    controls = harness.session.sheets()[-1]
    await person.press(buttons(controls)["Lead sheet"], received(controls, person))
    controls = harness.session.sheets()[-1]
    harness.session.requests.clear()
    await person.press(buttons(controls)["Files"], received(controls, person))

    request = harness.service.renders[-1].render
    assert set(request.formats) == {pb.FORMAT_PDF, pb.FORMAT_MIDI, pb.FORMAT_MUSICXML}
    assert request.view == pb.VIEW_LEAD_SHEET
    [album] = harness.session.sent(SendMediaGroup)
    assert [file_of(item.media).filename for item in album.media] == [
        "Auld Lang Syne_ 1_2 – lead sheet.pdf",
        "Auld Lang Syne_ 1_2 – lead sheet.mid",
        "Auld Lang Syne_ 1_2 – as played.mid",
        "Auld Lang Syne_ 1_2 – lead sheet.musicxml",
    ]
    assert not harness.session.sheets(), "the page stays as it is"


async def test_files_of_another_key_say_so_in_the_reader_s_language(harness: Harness) -> None:
    person = harness.person(language="ru")
    await person.say_voice()
    controls = harness.session.sheets()[-1]
    for label in ("↑ Полтона выше", "Мелодия и аккорды"):
        await person.press(
            (await every_button(harness.session, person, controls))[label],
            received(controls, person),
        )
        controls = harness.session.sheets()[-1]
    await person.press(buttons(controls)["Файлы"], received(controls, person))

    [album] = harness.session.sent(SendMediaGroup)
    names = [file_of(item.media).filename for item in album.media]
    assert names[0] == "Запись – мелодия и аккорды, си-бемоль минор.pdf"
    assert "Запись – как сыграно.mid" in names, "the performance is not transposed"


async def test_buttons_of_earlier_versions_are_answered(harness: Harness) -> None:
    """Their message shows no page: it makes room for one that does."""
    person, controls = await _controls(harness)
    old = received(SendMessage(chat_id=7, text="<b>Song</b>\nShown: Full score"), person)
    harness.session.requests.clear()
    await person.press(buttons(controls)["Lead sheet"], old)

    [sent] = harness.session.sent(SendPhoto)
    assert harness.service.renders[-1].render.title == "Song"
    assert "• Lead sheet" in buttons(sent)
    [deleted] = harness.session.sent(DeleteMessage)
    assert deleted.message_id == old.message_id


async def test_a_page_that_cannot_be_edited_is_sent(harness: Harness) -> None:
    person, controls = await _controls(harness)
    harness.session.requests.clear()
    refused = TelegramBadRequest(SendMessage(chat_id=7, text="x"), "message can't be edited")
    harness.session.failures[EditMessageMedia].append(refused)
    await person.press(buttons(controls)["Melody"], received(controls, person))

    [sent] = harness.session.sent(SendPhoto)
    assert "• Melody" in buttons(sent)
    assert harness.session.sent(DeleteMessage)


async def test_a_page_that_is_shown_already_stays(harness: Harness) -> None:
    person, controls = await _controls(harness)
    harness.session.requests.clear()
    same = TelegramBadRequest(SendMessage(chat_id=7, text="x"), "message is not modified")
    harness.session.failures[EditMessageMedia].append(same)
    await person.press(buttons(controls)["Melody"], received(controls, person))
    assert not _sent_anew(harness)


async def test_only_administrators_see_the_models(harness: Harness) -> None:
    for user_id, chat_id, is_told in ((7, 7, False), (ADMIN_ID, ADMIN_ID, True)):
        person = harness.person(user_id, chat_id=chat_id)
        await person.say_voice()
        controls = harness.session.sheets()[-1]
        assert ("swift-f0 0.3.0" in caption_of(controls)) is is_told
        await person.press(buttons(controls)["Melody"], received(controls, person))
        assert ("swift-f0 0.3.0" in caption_of(harness.session.sheets()[-1])) is is_told
    await harness.person(ADMIN_ID, chat_id=-5).say(voice=voice(), caption="/score")
    assert "swift-f0" not in caption_of(harness.session.sheets()[-1]), "a group sees none"


async def test_chords_as_text(harness: Harness) -> None:
    person, controls = await _controls(harness)
    await person.press(
        (await every_button(harness.session, person, controls))["Chords as text"],
        received(controls, person),
    )

    assert list(harness.service.renders[-1].render.formats) == [pb.FORMAT_JSON]
    text = harness.session.sent(SendMessage)[-1].text
    assert "<pre>0:00 |Am |F  |C  |G/B|</pre>" in text
    assert "Chords, A minor" in text


async def test_chords_where_there_are_none(harness: Harness) -> None:
    async def no_chords(request: pb.RenderRequest) -> Events:
        yield pb.TranscribeEvent(result=result(request.render, chords=[]))

    person, controls = await _controls(harness)
    harness.service.render = no_chords
    await person.press(
        (await every_button(harness.session, person, controls))["Chords as text"],
        received(controls, person),
    )

    assert harness.session.texts()[-1] == "I heard no chords in this recording."


async def test_simple_chords_are_a_rendering_of_their_own(harness: Harness) -> None:
    person, controls = await _controls(harness)
    await person.press(
        (await every_button(harness.session, person, controls))["Simple chords"],
        received(controls, person),
    )

    assert harness.service.renders[-1].render.simple_chords
    simple = harness.session.sheets()[-1]
    assert "Full chords" in await every_button(harness.session, person, simple)
    await person.press(
        (await every_button(harness.session, person, simple))["Chords as text"],
        received(simple, person),
    )
    assert harness.service.renders[-1].render.simple_chords
    await person.press(
        (await every_button(harness.session, person, simple))["Chord sheet"],
        received(simple, person),
    )
    assert harness.service.renders[-1].render.simple_chords
    assert harness.service.renders[-1].render.view == pb.VIEW_CHORDS


async def test_pages_as_sung_are_a_rendering_of_their_own(harness: Harness) -> None:
    async def off_key(options: pb.TranscribeOptions, audio: bytes) -> Events:
        for event in artifact("score-1.png", b"page"):
            yield event
        yield pb.TranscribeEvent(result=result(options.render, sung_differs=True))

    async def again(request: pb.RenderRequest) -> Events:
        for event in artifact("score-1.png", b"page"):
            yield event
        yield pb.TranscribeEvent(result=result(request.render, sung_differs=True))

    harness.service.transcribe, harness.service.render = off_key, again
    harness.service.corrected.heard = pb.Result(sung_differs=True)
    person, controls = await _controls(harness)
    assert "as sung" not in caption_of(controls)
    for label in ("As sung", "↑ Semitone up", "Melody", "Simple chords"):
        await person.press(
            (await every_button(harness.session, person, controls))[label],
            received(controls, person),
        )
        controls = harness.session.sheets()[-1]
        assert harness.service.renders[-1].render.pitches == pb.PITCHES_SUNG
        assert "Pitches: as sung" in caption_of(controls)
    await person.press(buttons(controls)["▶ Listen"], received(controls, person))
    assert harness.service.renders[-1].render.pitches == pb.PITCHES_SUNG
    await person.press(
        (await every_button(harness.session, person, controls))["As meant"],
        received(controls, person),
    )
    request = harness.service.renders[-1].render
    assert request.pitches == pb.PITCHES_MEANT
    assert (request.view, request.transpose_semitones) == (pb.VIEW_MELODY, 1)
    assert request.simple_chords
    assert "as sung" not in caption_of(harness.session.sheets()[-1])


async def test_nothing_to_switch_where_singing_was_right(harness: Harness) -> None:
    person, controls = await _controls(harness)
    assert not {"As sung", "As meant"} & set(await every_button(harness.session, person, controls))


async def test_a_second_tap_on_files_points_to_them(harness: Harness) -> None:
    person, controls = await _controls(harness)
    shown, files = received(controls, person), buttons(controls)["Files"]
    await person.press(files, shown)
    renders = len(harness.service.renders)
    await person.press(files, shown)

    answer = harness.session.sent(SendMessage)[-1]
    assert answer.text == "This has been sent already: here it is."
    assert replied_to(answer) > 1000, "it replies to the bot's own message"
    assert answer.reply_parameters is not None
    assert answer.reply_parameters.allow_sending_without_reply is False
    assert len(harness.session.sent(SendMediaGroup)) == 1
    assert len(harness.service.renders) == renders

    await person.press(files.replace(":f:", ":l:"), shown)  # those of another view are others
    assert len(harness.session.sent(SendMediaGroup)) == 2


@pytest.mark.parametrize("label", ["▶ Listen", "Piano roll", "♪ Karaoke and voice"])
async def test_a_second_tap_on_a_sound_or_a_picture_points_to_it(
    harness: Harness, label: str
) -> None:
    harness.service.transcribe = sing
    harness.service.corrected.heard = pb.Result(preset=pb.PRESET_SONG)
    person, controls = await _controls(harness)
    shown = received(controls, person)
    button = (await every_button(harness.session, person, controls))[label]
    for _ in range(2):
        await person.press(button, shown)
    answer = harness.session.sent(SendMessage)[-1]
    assert answer.text == "This has been sent already: here it is."
    assert answer.reply_parameters is not None
    sent = [harness.session.sent(kind) for kind in (SendVoice, SendAudio, SendMediaGroup)]
    pictures = harness.session.sent(SendPhoto)
    assert sum(map(len, sent)) + len(pictures) == 1 + 1, "the page, and what was asked for"


async def test_files_are_sent_again_to_a_person_who_was_forgotten(harness: Harness) -> None:
    person, controls = await _controls(harness)
    shown, files = received(controls, person), buttons(controls)["Files"]
    sent: SentFiles = harness.dispatcher["forgetting"].sent
    await person.press(files, shown)
    sent.forget(person.chat.id)
    await person.press(files, shown)
    assert len(harness.session.sent(SendMediaGroup)) == 2


async def test_files_that_were_deleted_are_sent_again(harness: Harness) -> None:
    person, controls = await _controls(harness)
    shown, files = received(controls, person), buttons(controls)["Files"]
    await person.press(files, shown)
    gone = TelegramBadRequest(
        SendMessage(chat_id=1, text=""), "Bad Request: message to be replied not found"
    )
    harness.session.failures[SendMessage] = [gone]
    await person.press(files, shown)
    assert len(harness.session.sent(SendMediaGroup)) == 2


async def test_a_file_of_a_new_kind_comes_after_those_known(harness: Harness) -> None:
    async def newer(request: pb.RenderRequest) -> Events:
        for name in ("score.tab", "score.mid", "score.pdf"):
            for event in artifact(name, b"data"):
                yield event
        yield pb.TranscribeEvent(result=result(request.render))

    person, controls = await _controls(harness)
    harness.service.render = newer
    await person.press(buttons(controls)["Files"], received(controls, person))

    files = harness.session.sent(SendMediaGroup)[-1]
    assert [file_of(item.media).filename for item in files.media] == [
        "Recording – full score.pdf",
        "Recording – full score.mid",
        "Recording – full score.tab",
    ]


async def test_the_roll_comes_as_a_photo(harness: Harness) -> None:
    person, controls = await _controls(harness)
    original = person.message(voice=voice())
    shown = received(controls, person, original)
    harness.session.requests.clear()
    await person.press((await every_button(harness.session, person, controls))["Piano roll"], shown)

    assert list(harness.service.renders[-1].render.formats) == [pb.FORMAT_ROLL]
    [photo] = harness.session.sent(SendPhoto)
    assert "A minor" in caption_of(photo)
    assert replied_to(photo) == original.message_id
    assert not harness.session.sent(SendMessage), "the buttons stay where they are"
    assert not harness.session.sent(DeleteMessage)


async def test_the_score_is_played_as_a_voice_message(harness: Harness) -> None:
    person, controls = await _controls(harness)
    await person.press(buttons(controls)["Piano"], received(controls, person))
    controls = harness.session.sheets()[-1]
    await person.press(buttons(controls)["▶ Listen"], received(controls, person))

    request = harness.service.renders[-1].render
    assert list(request.formats) == [pb.FORMAT_PREVIEW]
    assert request.view == pb.VIEW_PIANO
    [sound] = harness.session.sent(SendVoice)
    assert sound.duration == 12
    assert file_of(sound.voice).filename == "preview.ogg"
    assert "Piano, A minor" in caption_of(sound)


async def sing(options: pb.TranscribeOptions, audio: bytes) -> Events:
    """The course of a song."""
    for event in files(options.render):
        yield event
    yield pb.TranscribeEvent(result=result(options.render, preset=pb.PRESET_SONG))


async def test_a_song_comes_apart(harness: Harness) -> None:
    harness.service.transcribe = sing
    harness.service.corrected.heard = pb.Result(preset=pb.PRESET_SONG)
    person = harness.person()
    original = person.message(voice=voice())
    await person.say_voice()
    controls = harness.session.sheets()[-1]
    harness.session.requests.clear()
    await person.press(
        (await every_button(harness.session, person, controls))["♪ Karaoke and voice"],
        received(controls, person, original),
    )

    assert list(harness.service.renders[-1].render.formats) == [pb.FORMAT_STEMS]
    [album] = harness.session.sent(SendMediaGroup)
    titles = [track.title for track in tracks_of(album)]
    # What has no name in the language keeps its own.
    assert titles == [f"Recording ({name})" for name in ("karaoke", "a cappella", "theremin")]
    assert [file_of(track.media).filename for track in album.media] == [
        f"{name}.mp3" for name in titles
    ]
    assert {track.duration for track in tracks_of(album)} == {8}
    assert replied_to(album) == original.message_id
    assert not harness.session.sent(DeleteMessage), "the buttons stay where they are"


async def test_long_stems_go_in_several_messages(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MAX_ALBUM_BYTES", 2 * len(OGG))
    harness.service.transcribe = sing
    harness.service.corrected.heard = pb.Result(preset=pb.PRESET_SONG)
    person, controls = await _controls(harness)
    shown = received(controls, person)
    harness.session.requests.clear()
    await person.press(
        (await every_button(harness.session, person, controls))["♪ Karaoke and voice"], shown
    )

    [album] = harness.session.sent(SendMediaGroup)
    [last] = harness.session.sent(SendAudio)
    assert len(album.media) == 2
    assert "theremin" in (last.title or "")
    assert last.duration == 8


async def test_a_title_that_is_no_file_name(harness: Harness) -> None:
    harness.service.transcribe = sing
    harness.service.corrected.heard = pb.Result(preset=pb.PRESET_SONG)
    person = harness.person()
    await person.say(audio=audio(title='AC/DC: "T.N.T."'))
    controls = harness.session.sheets()[-1]
    shown = received(controls, person)
    harness.session.requests.clear()
    await person.press(
        (await every_button(harness.session, person, controls))["♪ Karaoke and voice"], shown
    )

    [album] = harness.session.sent(SendMediaGroup)
    assert tracks_of(album)[0].title == 'AC/DC: "T.N.T." (karaoke)'
    assert file_of(album.media[0].media).filename == "AC_DC_ _T.N.T._ (karaoke).mp3"


async def test_a_lone_voice_has_nothing_to_take_apart(harness: Harness) -> None:
    person, controls = await _controls(harness)
    offered = await every_button(harness.session, person, controls)
    assert "♪ Karaoke and voice" not in offered


async def test_stems_that_are_gone(harness: Harness) -> None:
    async def late(request: pb.RenderRequest) -> Events:
        raise RefusalError(5, "STEMS_UNAVAILABLE")
        yield

    harness.service.transcribe, harness.service.render = sing, late
    harness.service.corrected.heard = pb.Result(preset=pb.PRESET_SONG)
    person, controls = await _controls(harness)
    await person.press(
        (await every_button(harness.session, person, controls))["♪ Karaoke and voice"],
        received(controls, person),
    )
    assert "no longer kept" in harness.session.sent(SendMessage)[-1].text
    assert not harness.session.sent(EditMessageReplyMarkup), "the other buttons still work"


async def test_who_takes_no_voice_messages_gets_a_file(harness: Harness) -> None:
    person, controls = await _controls(harness)
    shown = received(controls, person)
    for label, kind in (("▶ Listen", SendVoice), ("Piano roll", SendPhoto)):
        anything = SendMessage(chat_id=1, text="x")
        refusal = TelegramBadRequest(method=anything, message="VOICE_MESSAGES_FORBIDDEN")
        harness.session.failures[kind].append(refusal)
        await person.press((await every_button(harness.session, person, controls))[label], shown)
    preview, roll = harness.session.sent(SendDocument)
    assert (file_of(preview.document).filename, file_of(roll.document).filename) == (
        "preview.ogg",
        "roll.png",
    )


async def test_a_service_that_cannot_play_says_so(harness: Harness) -> None:
    async def mute(request: pb.RenderRequest) -> Events:
        raise RefusalError(9, "PREVIEW_UNAVAILABLE")
        yield

    person, controls = await _controls(harness)
    harness.service.render = mute
    await person.press(buttons(controls)["▶ Listen"], received(controls, person))

    assert "no synthesiser" in harness.session.texts()[-1]
    assert not harness.session.sent(EditMessageReplyMarkup), "the other buttons still work"


async def test_pdfs_are_for_the_paper_that_is_set(build_harness: Callable[..., Harness]) -> None:
    harness = build_harness(paper="letter")
    person, controls = await _controls(harness)
    await person.press(buttons(controls)["Melody"], received(controls, person))

    [(options, _)] = harness.service.transcriptions
    assert options.render.paper == pb.PAPER_LETTER
    assert harness.service.renders[-1].render.paper == pb.PAPER_LETTER


async def test_the_marked_button_does_nothing(harness: Harness) -> None:
    person, controls = await _controls(harness)
    await person.press(buttons(controls)["• Full score"], received(controls, person))

    assert harness.session.texts()[-1] == "This is already shown."
    assert not harness.service.renders


async def test_buttons_outlive_a_restart(harness: Harness) -> None:
    person, controls = await _controls(harness)
    again = harness.restarted()
    await again.person().press(buttons(controls)["Melody"], received(controls, person))

    [renewed] = again.session.sent(EditMessageMedia)
    assert "• Melody" in buttons(renewed)


async def test_an_expired_result_is_reported_and_loses_its_buttons(harness: Harness) -> None:
    async def expired(request: pb.RenderRequest) -> Events:
        raise RefusalError(5, "RESULT_EXPIRED")
        yield

    person, controls = await _controls(harness)
    harness.service.render = expired
    await person.press(buttons(controls)["Melody"], received(controls, person))

    assert "has forgotten this score" in harness.session.texts()[-1]
    [edited] = harness.session.sent(EditMessageReplyMarkup)
    assert edited.reply_markup is None
    assert len(harness.session.sent(DeleteMessage)) == 1, "only the status message has gone"


async def test_a_second_press_waits_for_the_first(harness: Harness) -> None:
    go_on = asyncio.Event()

    async def slowly(request: pb.RenderRequest) -> Events:
        await go_on.wait()
        async for event in render_again(request):
            yield event

    person, controls = await _controls(harness)
    harness.service.render = slowly
    shown = received(controls, person)
    first = asyncio.create_task(person.press(buttons(controls)["Melody"], shown))
    await harness.session.wait_for(AnswerCallbackQuery, "Writing")
    await person.press(buttons(controls)["Melody"], shown)

    assert "Already working on it" in harness.session.texts()[-1]
    go_on.set()
    await asyncio.wait_for(first, 5)
    assert len(harness.service.renders) == 1


async def test_buttons_of_an_old_message(harness: Harness) -> None:
    person, controls = await _controls(harness)
    harness.session.requests.clear()
    gone = InaccessibleMessage(chat=person.chat, message_id=3)
    await person.press(buttons(controls)["Melody"], gone)

    [page] = harness.session.sent(SendPhoto)
    assert page.chat_id == person.chat.id


@pytest.mark.parametrize(
    "data",
    [
        *(
            "r:1:z:0",
            "r:1:fm:0",
            "r:1:s:0",
            "r:1:fS:0",
            "r:1:fss:0",
            "r:1::0",
            "r:1:f:99",
            "r:1:f:much",
            "r",
            "zzz",
            "l:xx",
        ),
        *("o:1:f:-25", "c:1:25", "d:1:-25", "n:1:f:0", "n:1:f:0:0", "n:1:f:0:100", "f:1:z:0"),
    ],
)
async def test_strange_buttons_are_answered(harness: Harness, data: str) -> None:
    await harness.person().press(data)

    assert harness.session.texts() == ["This button no longer works."]
    assert harness.service.calls == 0

"""A recording comes in; a page with buttons goes out; or a message says why not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError, TelegramNetworkError
from aiogram.methods import (
    AnswerCallbackQuery,
    DeleteMessage,
    EditMessageText,
    GetFile,
    SendMediaGroup,
    SendMessage,
    SendPhoto,
)
from aiogram.types import (
    Audio,
    Document,
    ExternalReplyInfo,
    Message,
    MessageOriginUser,
    PhotoSize,
    User,
    Video,
    VideoNote,
)
from notabot.v1 import transcription_pb2 as pb

from tests.bot.conftest import Harness
from tests.bot.service import (
    Events,
    RefusalError,
    files,
    progress,
    queue_full,
    queued,
    result,
    serve,
    service_process,
    start_and_stay,
)
from tests.bot.telegram import AUDIO, NOW, buttons, caption_of, picture_of, received, text_of, voice

GROUP_ID = -100123


def _file(kind: type[Any], **more: Any) -> Any:
    return kind(file_id="f", file_unique_id="u", file_size=len(AUDIO), **more)


SOURCES = {
    "voice": {"voice": voice()},
    "audio": {"audio": _file(Audio, duration=60, performer="Clara", title="Romance")},
    "video": {"video": _file(Video, duration=9, width=1, height=1, file_name="my_song.mp4")},
    "video note": {"video_note": _file(VideoNote, duration=9, length=1)},
    "document by type": {"document": _file(Document, mime_type="audio/flac", file_name="x")},
    "document by name": {"document": _file(Document, file_name="take 1.WAV")},
    "forwarded": {
        "voice": voice(),
        "forward_origin": MessageOriginUser(
            date=NOW, sender_user=User(id=8, is_bot=False, first_name="Bob")
        ),
    },
}


@pytest.mark.parametrize("content", SOURCES.values(), ids=SOURCES.keys())
async def test_every_kind_of_recording_becomes_a_score(
    harness: Harness, content: dict[str, Any]
) -> None:
    await harness.person().say(**content)

    assert [audio for _, audio in harness.service.transcriptions] == [AUDIO]
    [page] = harness.session.sent(SendPhoto)
    assert picture_of(page).filename == "score-1.png"
    assert picture_of(page).data == b"score-1.png" * 3
    for part in ["A minor", "120", "4/4", "Am · F · C · G/B"]:
        assert part in caption_of(page)
    assert "• Full score" in buttons(page)
    assert not harness.session.sent(SendMediaGroup), "files come on request"
    [status] = harness.session.sent(SendMessage)
    assert list(buttons(status)) == ["Cancel"]
    assert harness.session.sent(DeleteMessage), "the status message goes when the score is there"


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (SOURCES["audio"], "Clara – Romance"),
        (SOURCES["video"], "my song"),
        (SOURCES["voice"], "Recording"),
    ],
)
async def test_the_score_is_titled_after_the_file(
    harness: Harness, content: dict[str, Any], title: str
) -> None:
    await harness.person().say(**content)

    [(options, _)] = harness.service.transcriptions
    assert options.render.title == title
    assert title in caption_of(harness.session.sent(SendPhoto)[0])


async def test_titles_are_escaped(harness: Harness) -> None:
    await harness.person().say(audio=_file(Audio, duration=5, title="<b>Tom & Jerry"))

    caption = caption_of(harness.session.sent(SendPhoto)[0])
    assert "&lt;b&gt;Tom &amp; Jerry" in caption


async def test_score_in_reply_to_a_recording(harness: Harness) -> None:
    person = harness.person(chat_id=GROUP_ID)
    recording = person.message(voice=voice())

    await person.say("/score piano", reply_to_message=recording)

    [(options, audio)] = harness.service.transcriptions
    assert audio == AUDIO
    assert options.preset == pb.PRESET_PIANO


async def test_score_in_reply_to_a_recording_of_another_chat(harness: Harness) -> None:
    origin = MessageOriginUser(date=NOW, sender_user=User(id=8, is_bot=False, first_name="B"))

    await harness.person().say(
        "/score", external_reply=ExternalReplyInfo(origin=origin, voice=voice())
    )

    assert len(harness.service.transcriptions) == 1


async def test_score_as_a_caption_in_a_group(harness: Harness) -> None:
    await harness.person(chat_id=GROUP_ID).say(voice=voice(), caption="/score")

    assert len(harness.service.transcriptions) == 1


async def test_score_without_a_recording_says_how(harness: Harness) -> None:
    await harness.person().say("/score")

    [text] = harness.session.texts()
    assert text.startswith("Reply with /score to a message with a recording.")


async def test_in_a_group_nothing_is_taken_unasked(harness: Harness) -> None:
    person = harness.person(chat_id=GROUP_ID)
    await person.say_voice()
    await person.say("hello")
    await person.say("/xyzzy")

    assert harness.session.requests == []


async def test_too_large_is_said_before_downloading(harness: Harness) -> None:
    await harness.person().say(voice=voice(size_bytes=35_000_000))

    [text] = harness.session.texts()
    assert "20 MB" in text
    assert "35 MB" in text
    assert not harness.session.sent(GetFile)
    assert harness.service.calls == 0


async def test_an_empty_file_is_said_to_be_empty(harness: Harness) -> None:
    await harness.person().say(
        document=Document(
            file_id="f",
            file_unique_id="u",
            file_name="song.mp3",
            mime_type="audio/mpeg",
            file_size=0,
        )
    )

    assert "The file is empty" in harness.session.texts()[-1]
    assert harness.service.calls == 0


async def test_too_long_is_said_before_downloading(harness: Harness) -> None:
    await harness.person(language="ru").say(voice=voice(duration_s=3661))

    [text] = harness.session.texts()
    assert "15 минут" in text
    assert "61:01" in text
    assert not harness.session.sent(GetFile)


async def test_a_local_server_lifts_the_download_limit(
    build_harness: Callable[..., Harness],
) -> None:
    harness = build_harness(api_server="http://localhost:8081", api_is_local=True)
    await harness.person().say(voice=voice(size_bytes=35_000_000))

    assert harness.session.sent(GetFile), "nothing was refused"


async def test_a_file_larger_than_announced_is_not_swallowed(
    build_harness: Callable[..., Harness],
) -> None:
    harness = build_harness(max_audio_bytes=1000)
    unknown = Document(file_id="f", file_unique_id="u", mime_type="audio/ogg")
    await harness.person().say(document=unknown)

    assert "too large" in harness.session.texts()[-1]
    assert AUDIO not in [audio for _, audio in harness.service.transcriptions]


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (TelegramBadRequest(None, "Bad Request: file is too big"), "too large"),  # type: ignore[arg-type]
        (TelegramBadRequest(None, "Bad Request: wrong file_id"), "did not hand over"),  # type: ignore[arg-type]
        (TelegramNetworkError(None, "timeout"), "did not hand over"),  # type: ignore[arg-type]
    ],
)
async def test_a_failed_download_is_reported(
    harness: Harness, failure: Exception, words: str
) -> None:
    harness.session.failures[GetFile].append(failure)
    await harness.person().say_voice()

    assert words in text_of(harness.session.sent(EditMessageText)[-1])
    assert harness.session.sent(EditMessageText)[-1].reply_markup is None


async def test_other_files_are_refused_kindly(harness: Harness) -> None:
    person = harness.person()
    await person.say(document=_file(Document, mime_type="application/zip", file_name="a.zip"))
    await person.say(document=_file(Document, mime_type="audio/midi", file_name="a.mid"))
    await person.say(photo=[PhotoSize(file_id="f", file_unique_id="u", width=1, height=1)])

    texts = harness.session.texts()
    assert "does not look like a recording" in texts[0]
    assert "does not look like a recording" in texts[1]
    assert "Send me a recording" in texts[2]
    assert harness.service.calls == 0


async def test_the_status_message_tells_the_stages(harness: Harness) -> None:
    steps = [asyncio.Event() for _ in range(3)]

    async def slowly(options: pb.TranscribeOptions, audio: bytes) -> Events:
        yield queued(2)
        await steps[0].wait()
        yield progress(pb.STAGE_SEPARATION, 0.25)
        await steps[1].wait()
        yield progress(pb.STAGE_ENGRAVING, 0.9)
        await steps[2].wait()
        for event in files(options.render):
            yield event
        yield pb.TranscribeEvent(result=result())

    harness.service.transcribe = slowly
    job = asyncio.create_task(harness.person(language="ru").say_voice())
    await harness.session.wait_for(EditMessageText, "Перед вами в очереди 2 записи", 3)
    steps[0].set()
    edit = await harness.session.wait_for(EditMessageText, "Разделяю голос и инструменты")
    assert "25 %" in text_of(edit)
    assert list(buttons(edit)) == ["Отменить"]
    steps[1].set()
    await harness.session.wait_for(EditMessageText, "90 %")
    steps[2].set()
    await job


async def test_edits_are_coalesced(build_harness: Callable[..., Harness]) -> None:
    harness = build_harness(chat_interval_s=0.3)

    async def chatter(options: pb.TranscribeOptions, audio: bytes) -> Events:
        for step in range(100):
            yield progress(pb.STAGE_TAGGING, step / 100)
            await asyncio.sleep(0.01)  # the time between edits is what is tested
        for event in files(options.render):
            yield event
        yield pb.TranscribeEvent(result=result())

    harness.service.transcribe = chatter
    await harness.person().say_voice()

    written_s = [
        at_s
        for at_s, method in harness.session.requests
        if isinstance(method, SendMessage | EditMessageText | SendPhoto | SendMediaGroup)
    ]
    intervals = (written_s[-1] - written_s[0]) / 0.3
    assert 2 <= len(written_s) <= intervals + 2, "100 reports, one edit in each interval"


async def test_a_song_is_shown_in_the_view_that_the_service_chose(harness: Harness) -> None:
    async def sing(options: pb.TranscribeOptions, audio: bytes) -> Events:
        assert options.render.choose_view
        for event in files(options.render):
            yield event
        render = pb.RenderOptions(view=pb.VIEW_LEAD_SHEET)
        yield pb.TranscribeEvent(result=result(render, preset=pb.PRESET_SONG))

    harness.service.transcribe = sing
    await harness.person().say_voice()

    [page] = harness.session.sent(SendPhoto)
    assert "• Lead sheet" in buttons(page)


async def test_a_page_that_telegram_refuses_does_not_lose_the_buttons(harness: Harness) -> None:
    harness.session.failures[SendPhoto].append(
        TelegramBadRequest(None, "Bad Request: PHOTO_INVALID_DIMENSIONS")  # type: ignore[arg-type]
    )
    await harness.person().say_voice()

    controls = harness.session.sent(SendMessage)[-1]
    assert "A minor" in text_of(controls)
    assert "Press “Full score” to get it again" in text_of(controls)
    assert {"Full score", "Files"} <= set(buttons(controls))


ERRORS = [
    (RefusalError(3, "AUDIO_SILENT"), ["silent"]),
    (RefusalError(3, "NOTHING_HEARD"), ["heard no notes", "Come closer"]),
    (RefusalError(3, "AUDIO_TOO_LONG", limit_s="900"), ["15 minutes"]),
    (
        RefusalError(3, "AUDIO_TOO_LARGE", limit_bytes="5000000", size_bytes="7000000"),
        ["5 MB", "7 MB"],
    ),
    (RefusalError(13, "INTERNAL"), ["Something broke"]),
    (RefusalError(13, "SOMETHING_OF_THE_FUTURE"), ["Something broke"]),
]


@pytest.mark.parametrize(("refusal", "words"), ERRORS, ids=lambda value: str(value))
async def test_errors_of_the_service_are_reported(
    harness: Harness, refusal: RefusalError, words: list[str]
) -> None:
    async def refuse(options: pb.TranscribeOptions, audio: bytes) -> Events:
        raise refusal
        yield

    harness.service.transcribe = refuse
    await harness.person().say_voice()

    last = harness.session.sent(EditMessageText)[-1]
    for word in words:
        assert word in text_of(last)
    assert last.reply_markup is None
    assert len(harness.service.transcriptions) == 1


async def test_a_full_queue_is_said_without_a_status_message(harness: Harness) -> None:
    async def refuse(context: Any) -> None:
        await harness.service.end(queue_full(), context)

    harness.service.admit = refuse
    await harness.person().say_voice()

    [text] = harness.session.texts()
    assert "2 minutes" in text
    assert not harness.session.sent(GetFile), "a place first, then the download"


async def test_an_error_is_reported_even_if_the_status_message_is_gone(harness: Harness) -> None:
    async def refuse(options: pb.TranscribeOptions, audio: bytes) -> Events:
        harness.session.failures[EditMessageText] += [
            TelegramBadRequest(None, "Bad Request: message to edit not found")  # type: ignore[arg-type]
        ] * 5
        raise RefusalError(3, "AUDIO_SILENT")
        yield

    harness.service.transcribe = refuse
    await harness.person().say_voice()

    assert "silent" in harness.session.sent(SendMessage)[-1].text


async def test_out_of_time(build_harness: Callable[..., Harness]) -> None:
    harness = build_harness(deadline_s=0.3)
    harness.service.transcribe = start_and_stay
    await harness.person().say_voice()

    assert "Time ran out" in text_of(harness.session.sent(EditMessageText)[-1])
    await asyncio.wait_for(harness.service.cancelled.wait(), 5)


async def _running(harness: Harness, **about: Any) -> tuple[asyncio.Task[Message], str]:
    """A job that never ends, and the data of its cancel button."""
    harness.service.transcribe = start_and_stay
    person = harness.person(**about)
    content: dict[str, Any] = {"voice": voice()}
    if person.chat.type != "private":
        content["caption"] = "/score"
    job = asyncio.create_task(person.say(**content))
    edit = await harness.session.wait_for(EditMessageText, "Separating")
    return job, buttons(edit)["Cancel"]


async def test_cancel_stops_the_work_on_the_other_side(harness: Harness) -> None:
    job, data = await _running(harness)
    await harness.person().press(data)
    await asyncio.wait_for(job, 5)

    assert harness.session.sent(AnswerCallbackQuery)[-1].text == "Stopping"
    assert harness.session.sent(EditMessageText)[-1].text == "Cancelled."
    assert harness.session.sent(EditMessageText)[-1].reply_markup is None
    await asyncio.wait_for(harness.service.cancelled.wait(), 5)


async def test_only_the_requester_cancels_in_a_group(harness: Harness) -> None:
    job, data = await _running(harness, chat_id=GROUP_ID)
    await harness.person(8, chat_id=GROUP_ID).press(data)

    answer = harness.session.sent(AnswerCallbackQuery)[-1]
    assert "Only the person who sent" in (answer.text or "")
    assert answer.show_alert
    assert not job.done()
    await harness.person(7, chat_id=GROUP_ID).press(data)
    await asyncio.wait_for(job, 5)


async def test_cancel_of_a_job_that_is_over(harness: Harness) -> None:
    await harness.person().press("x:0123456789abcdef")

    assert "no longer running" in harness.session.texts()[-1]


async def test_further_recordings_of_one_person_wait_their_turn(
    build_harness: Callable[..., Harness],
) -> None:
    harness = build_harness(per_user_jobs=1, per_user_waiting=1)
    job, data = await _running(harness)
    again = asyncio.create_task(harness.person().say_voice())
    await harness.session.wait_for(EditMessageText, "1 recording is ahead of yours")
    assert len(harness.service.jobs) == 2, "it is written down"
    assert len(harness.service.transcriptions) == 1, "but not sent"

    await harness.person().say_voice()
    assert "already busy" in harness.session.texts()[-1], "the line is full"

    other = asyncio.create_task(harness.person(8).say_voice())
    await harness.service.wait_for_transcriptions(2)
    other.cancel()

    await harness.person().press(data)
    await asyncio.wait_for(job, 5)
    await harness.service.wait_for_transcriptions(3)
    again.cancel()


async def test_a_recording_that_waits_can_be_cancelled(
    build_harness: Callable[..., Harness],
) -> None:
    harness = build_harness(per_user_jobs=1)
    job, data = await _running(harness)
    again = asyncio.create_task(harness.person().say_voice())
    await harness.session.wait_for(EditMessageText, "1 recording is ahead of yours")
    status = harness.session.sent(SendMessage)[-1]
    await harness.person().press(buttons(status)["Cancel"])
    await asyncio.wait_for(again, 5)
    assert len(harness.service.transcriptions) == 1
    assert not job.done()
    await harness.person().press(data)
    await asyncio.wait_for(job, 5)


async def test_someone_who_blocked_the_bot_does_no_harm(harness: Harness) -> None:
    harness.session.failures[SendMessage].append(
        TelegramForbiddenError(None, "Forbidden: bot was blocked by the user")  # type: ignore[arg-type]
    )
    await harness.person().say_voice()

    [job] = harness.service.jobs.values()
    assert job.closed.is_set()


async def test_an_unforeseen_failure_is_reported_with_a_code(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("bot.transcriber.deliver", broken)
    await harness.person().say_voice()

    assert harness.service.metadata["x-request-id"] in text_of(
        harness.session.sent(EditMessageText)[-1]
    )


async def test_no_service_is_reported_soon(build_harness: Callable[..., Harness]) -> None:
    harness = build_harness(address="127.0.0.1:1", service_patience_s=0)
    started_s = time.monotonic()
    await harness.person().say_voice()

    assert time.monotonic() - started_s < 5
    assert "is not answering" in harness.session.sent(SendMessage)[-1].text


async def test_the_controls_title_comes_back_with_a_press(harness: Harness) -> None:
    person = harness.person()
    await person.say(audio=_file(Audio, duration=5, title="A <B> & C"))
    controls = harness.session.sheets()[-1]
    await person.press(buttons(controls)["Piano"], received(controls, person))

    [request] = harness.service.renders
    assert request.render.title == "A <B> & C"
    assert request.render.view == pb.VIEW_PIANO


async def test_a_service_killed_in_mid_job_is_said_within_5_s_and_gets_the_job_again(
    build_harness: Callable[..., Harness],
) -> None:
    async with service_process() as (process, address):
        harness = build_harness(address=address, chat_interval_s=1.1)
        job = asyncio.create_task(harness.person().say_voice())
        await harness.session.wait_for(EditMessageText, "Separating")
        process.kill()
        killed_s = time.monotonic()
        edit = await harness.session.wait_for(EditMessageText, "Your recording is safe")
        assert time.monotonic() - killed_s < 5
        assert list(buttons(edit)) == ["Cancel"]
        await process.wait()

        async with serve(harness.service, address):
            await asyncio.wait_for(job, 20)
    assert [audio for _, audio in harness.service.transcriptions] == [AUDIO]
    assert len(harness.session.sent(SendPhoto)) == 1
    assert harness.session.sent(DeleteMessage)

"""Putting a page right in the chat: by buttons, and by writing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiogram.methods import (
    AnswerCallbackQuery,
    EditMessageCaption,
    EditMessageMedia,
    EditMessageReplyMarkup,
    SendMessage,
    SendPhoto,
)
from aiogram.types import InaccessibleMessage, InlineKeyboardMarkup, Message
from google.rpc import code_pb2
from notabot.v1 import transcription_pb2 as pb

from bot.fix_buttons import FixButton
from tests.bot.conftest import Harness
from tests.bot.phrases import REFUSED
from tests.bot.service import Events, RefusalError, files, render_again, result
from tests.bot.telegram import Person, buttons, caption_of, received

RESULT_ID = "0123456789abcdef0123456789abcdef"
Sheet = SendPhoto | EditMessageMedia | EditMessageCaption


def _minor(tonic: str) -> pb.Key:
    return pb.Key(tonic=tonic, mode=pb.MODE_MINOR)


def _slow(**more: Any) -> pb.Corrections:
    return pb.Corrections(time_signature="4/4", beat_scale=0.5, first_beat=1.0, **more)


C_MAJOR = pb.Key(tonic="C", mode=pb.MODE_MAJOR)
HEARD = pb.Alternative(time_signature="4/4", beat_scale=1.0, first_beat=1.0, key=_minor("A"))
OFFERS = [
    pb.Offer(
        corrections=pb.Corrections(time_signature="3/4"),
        time_signature="3/4",
        rescale=1.0,
        tempo_bpm=120.0,
    ),
    pb.Offer(corrections=_slow(), rescale=0.5, tempo_bpm=60.0),
    pb.Offer(
        corrections=pb.Corrections(time_signature="4/4", beat_scale=1.0, first_beat=2.0),
        rescale=1.0,
        tempo_bpm=120.0,
        bar_shift=pb.BarShift(count=1),
    ),
    pb.Offer(corrections=pb.Corrections(key=C_MAJOR), rescale=1.0, tempo_bpm=120.0, key=C_MAJOR),
]
DOUBTFUL = pb.Result(
    alternatives=[HEARD],
    offers=OFFERS,
    metre_is_doubtful=True,
    parts=[
        pb.Part(id="vocals", name="Vocals", program=52),
        pb.Part(id="drums", name="Drums", is_drum=True),
        pb.Part(id="bass", name="Bass", program=33),
    ],
    bar_count=24,
)
"""What the service says where it is not sure of the metre."""


@pytest.fixture
def doubtful(harness: Harness) -> Harness:
    """A harness whose service doubts its metre."""
    harness.service.corrected.heard = DOUBTFUL
    return harness


async def _page(harness: Harness, **about: Any) -> tuple[Person, Sheet]:
    """Someone with a fresh result, and the message with its page."""
    person = harness.person(**about)
    await person.say_voice()
    return person, _latest(harness)


def _latest(harness: Harness) -> Sheet:
    """The page that was last sent or edited."""
    pages = [
        method
        for _, method in harness.session.requests
        if isinstance(method, Sheet) and method.reply_markup
    ]
    return pages[-1]


def _caption(sheet: Sheet) -> str:
    return sheet.caption or "" if isinstance(sheet, EditMessageCaption) else caption_of(sheet)


def _message(sheet: Sheet, person: Person) -> Message:
    """The message with a page, as it comes back with a press or a reply."""
    sent = sheet
    if isinstance(sheet, EditMessageCaption):
        sent = SendPhoto(chat_id=person.chat.id, photo="id", caption=sheet.caption)
    assert not isinstance(sent, EditMessageCaption)
    assert isinstance(sheet.reply_markup, InlineKeyboardMarkup)
    return received(sent, person).model_copy(update={"reply_markup": sheet.reply_markup})


async def _tap(harness: Harness, person: Person, label: str) -> Sheet:
    """Press the button under the latest page whose text is this, or begins so."""
    sheet = _latest(harness)
    await person.press(buttons(sheet)[_full(sheet, label)], _message(sheet, person))
    return _latest(harness)


async def test_doubt_is_shown_and_its_likeliest_alternative_is_one_tap_away(
    doubtful: Harness,
) -> None:
    person, page = await _page(doubtful)
    assert "Metre: 4/4?" in _caption(page)
    assert "A minor?" not in _caption(page)
    assert next(iter(buttons(page))) == "3/4?"

    corrected = await _tap(doubtful, person, "3/4?")

    edit = doubtful.service.renders[-1].render.corrections
    assert edit == pb.Corrections(time_signature="3/4")
    assert isinstance(corrected, EditMessageMedia), "the page changes in place"
    assert "Metre: 3/4\n" in _caption(corrected)
    assert "Corrected: metre 3/4" in _caption(corrected)


@pytest.mark.parametrize(
    ("label", "words"),
    [("Twice as slow (60)?", "tempo 60"), ("Bars a beat later?", "bars moved")],
)
async def test_another_reading_in_the_metre_that_was_heard_corrects_no_metre(
    doubtful: Harness, label: str, words: str
) -> None:
    person, _ = await _page(doubtful)
    await _tap(doubtful, person, "Fix")
    corrected = await _tap(doubtful, person, label)
    assert f"Corrected: {words}\n" in _caption(corrected)


async def test_a_sure_reading_has_no_question_mark(harness: Harness) -> None:
    harness.service.corrected.heard = pb.Result(alternatives=[HEARD], offers=OFFERS)
    _, page = await _page(harness)
    assert "?" not in _caption(page)
    assert "3/4?" not in buttons(page)


async def test_choices_are_ordered_by_doubt(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    menu = await _tap(doubtful, person, "Fix")
    assert isinstance(menu, EditMessageCaption), "the page stays"
    labels = list(buttons(menu))
    assert labels[:3] == ["3/4?", "Twice as slow (60)?", "Bars a beat later?"]
    assert labels[3:] == ["Metre", "Tempo", "Bars", "Key", "Notes", "Instruments", "✓ Keep"]
    assert "You can also write it" in _caption(menu)


@pytest.mark.parametrize(
    ("offer", "label"),
    [
        (pb.Offer(bar_shift=pb.BarShift(count=1, unit=pb.BAR_UNIT_EIGHTH)), "Bars an eighth later"),
        (
            pb.Offer(bar_shift=pb.BarShift(count=-2, unit=pb.BAR_UNIT_EIGHTH)),
            "Bars two eighths earlier",
        ),
        (pb.Offer(bar_shift=pb.BarShift(count=-1)), "Bars a beat earlier"),
        (pb.Offer(bar_shift=pb.BarShift(count=3, unit=pb.BAR_UNIT_SIXTEENTH)), "Move the bars"),
        (pb.Offer(rescale=3.0, tempo_bpm=300.0), "Three times as fast (300)"),
        (pb.Offer(rescale=1.5, tempo_bpm=180.0), "Tempo 180"),
        (pb.Offer(time_signature="6/8", rescale=2.0, tempo_bpm=80), "6/8, twice as fast (80)"),
        (pb.Offer(time_signature="6/8", rescale=1.5, key=C_MAJOR), "6/8, C major"),
    ],
)
async def test_readings_are_named_by_what_they_change(
    harness: Harness, offer: pb.Offer, label: str
) -> None:
    offer.rescale = offer.rescale or 1.0
    offer.corrections.time_signature = "4/4"
    harness.service.corrected.heard = pb.Result(offers=[offer])
    person, _ = await _page(harness)
    menu = await _tap(harness, person, "Fix")
    assert next(iter(buttons(menu))) == f"{label}?"


async def test_a_tempo_that_the_page_has_already_is_not_said_to_be_corrected(
    doubtful: Harness,
) -> None:
    person, _ = await _page(doubtful)
    await person.say("bpm 120")
    assert doubtful.service.renders[-1].render.corrections == pb.Corrections(tempo_bpm=120.0)
    assert "Tempo: 120" in _caption(_latest(doubtful))
    assert "Corrected" not in _caption(_latest(doubtful))


async def test_a_metre_in_two_taps_and_undone(doubtful: Harness) -> None:
    person, _ = await _page(doubtful, language="ru")
    await _tap(doubtful, person, "Исправить")
    corrected = await _tap(doubtful, person, "3/4?")
    assert "Размер: 3/4\n" in _caption(corrected)
    assert "Исправлено: размер 3/4" in _caption(corrected)

    undone = await _tap(doubtful, person, "↶ Отменить")

    assert doubtful.service.renders[-1].result_id == RESULT_ID
    assert "Размер: 4/4?" in _caption(undone)
    assert "Исправлено" not in _caption(undone)
    kept = await _tap(doubtful, person, "✓ Готово")
    assert "Исправить" in buttons(kept)
    assert "↶ Отменить" not in buttons(kept)


async def test_choices_stay_on_the_page_under_which_they_open(doubtful: Harness) -> None:
    async def three_pages(request: pb.RenderRequest) -> Events:
        for event in files(request.render, pages=3):
            yield event
        yield pb.TranscribeEvent(
            result=result(request.render, result_id=request.result_id, pages=3)
        )

    doubtful.service.render = three_pages
    person, page = await _page(doubtful)
    await person.press(f"n:{RESULT_ID}:f:0:3", _message(page, person))
    assert "3 / 3" in buttons(_latest(doubtful))
    await _tap(doubtful, person, "Fix")
    await _tap(doubtful, person, "Metre")
    await _tap(doubtful, person, "6/8")
    assert doubtful.service.renders[-1].render.page == 3
    await _tap(doubtful, person, "‹ Back")
    kept = await _tap(doubtful, person, "✓ Keep")
    assert "3 / 3" in buttons(kept)
    assert doubtful.service.renders[-1].render.page == 3
    undone = await _tap(doubtful, person, "↶ Undo")
    assert "3 / 3" in buttons(undone)
    assert "Corrected" not in _caption(undone)


@pytest.mark.parametrize(
    ("label", "shown"), [("Key", "G♯"), ("✓ Keep", "Fix"), ("Metre", "Instruments")]
)
async def test_a_tap_before_a_slow_one_ends_is_not_lost(
    doubtful: Harness, label: str, shown: str
) -> None:
    go_on = asyncio.Event()

    async def slowly(request: pb.RenderRequest) -> Events:
        await go_on.wait()
        async for event in render_again(request):
            yield event

    person, _ = await _page(doubtful)
    menu = await _tap(doubtful, person, "Fix")
    doubtful.service.render = slowly
    data = buttons(menu)
    first = asyncio.create_task(person.press(data["3/4?"], _message(menu, person)))
    await doubtful.session.wait_for(AnswerCallbackQuery, "Writing")
    await person.press(data[label], _message(menu, person))
    if label == "Metre":  # the last tap counts
        await person.press(data["Instruments"].replace(":p", ":r"), _message(menu, person))
    go_on.set()
    await asyncio.wait_for(first, 5)

    page = _latest(doubtful)
    assert shown in buttons(page)
    assert "Metre: 3/4\n" in _caption(page)
    assert len(doubtful.service.renders) == 1
    await person.press(buttons(page)["↶ Undo"], _message(page, person))
    assert shown in buttons(_latest(doubtful)), "its topic is that of the last tap"


async def test_choices_that_are_closed_before_they_are_open_do_not_open(doubtful: Harness) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go_on.wait()

    person, page = await _page(doubtful)
    menu = await _tap(doubtful, person, "Fix")
    doubtful.service.before_description = wait
    first = asyncio.create_task(person.press(buttons(menu)["Key"], _message(menu, person)))
    await asyncio.wait_for(begun.wait(), 5)
    await person.press(buttons(menu)["✓ Keep"], _message(menu, person))
    go_on.set()
    await asyncio.wait_for(first, 5)
    assert buttons(_latest(doubtful)) == buttons(page)


async def test_every_choice_can_be_pressed(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    for topic in ("Metre", "Tempo", "Bars", "Key", "Notes", "Instruments"):
        await _tap(doubtful, person, "Fix")
        menu = await _tap(doubtful, person, topic)
        for label, data in buttons(menu).items():
            count = len(doubtful.service.renders)
            await person.press(data, _message(menu, person))
            if data.startswith("y:"):
                assert len(doubtful.service.renders) == count + 1, label
                assert buttons(_latest(doubtful)).keys() & {"↶ Undo"}, label
        await person.press(buttons(menu)["✓ Keep"], _message(menu, person))
    assert "INTERNAL" not in "".join(doubtful.session.texts())


@pytest.mark.parametrize(
    ("topic", "label", "wanted"),
    [
        ("Metre", "6/8", pb.Corrections(time_signature="6/8")),
        ("Tempo", "Twice as slow", pb.Adjustments(rescale=0.5)),
        ("Bars", "by a beat →", pb.Adjustments(bar_shift=pb.BarShift(count=1))),
        (
            "Bars",
            "← by an eighth",
            pb.Adjustments(bar_shift=pb.BarShift(count=-1, unit=pb.BAR_UNIT_EIGHTH)),
        ),
        ("Bars", "Only bars 1–8", pb.Corrections(bars=pb.BarRange(first=1, last=8))),
        ("Key", "E", pb.Adjustments(key=pb.NamedKey(tonic="E", mode=pb.MODE_MINOR))),
        ("Notes", "To eighths", pb.Corrections(finest_value=pb.FINEST_VALUE_EIGHTH)),
        ("Notes", "No triplets", pb.Corrections(triplets=pb.TRIPLETS_NOT_ALLOWED)),
        ("Notes", "Swing", pb.Corrections(feel=pb.FEEL_SWING)),
        (
            "Instruments",
            "✓ Drums",
            pb.Corrections(parts=[pb.PartCorrection(id="drums", left_out=True)]),
        ),
        (
            "Instruments",
            "Bass clef",
            pb.Corrections(parts=[pb.PartCorrection(id="vocals", clef=pb.CLEF_BASS)]),
        ),
    ],
)
async def test_choices_by_topic(
    doubtful: Harness, topic: str, label: str, wanted: pb.Corrections | pb.Adjustments
) -> None:
    person, _ = await _page(doubtful)
    await _tap(doubtful, person, "Fix")
    menu = await _tap(doubtful, person, topic)
    await person.press(buttons(menu)[_full(menu, label)], _message(menu, person))
    render = doubtful.service.renders[-1].render
    is_absolute = isinstance(wanted, pb.Corrections)
    assert render.corrections == (wanted if is_absolute else pb.Corrections())
    assert render.adjustments == (pb.Adjustments() if is_absolute else wanted)
    assert "↶ Undo" in buttons(_latest(doubtful))


async def test_bar_lines_are_moved_from_a_chosen_bar_on(doubtful: Harness) -> None:
    person, _ = await _page(doubtful, language="ru")
    for label in ("Исправить", "Такты", "Начиная с такта…", "9"):
        menu = await _tap(doubtful, person, label)
    assert isinstance(menu, EditMessageCaption), "the page stays"

    moved = await _tap(doubtful, person, "С 9-го такта: на долю позже")

    asked = doubtful.service.renders[-1].render.adjustments
    assert asked == pb.Adjustments(
        local_shifts=[pb.LocalShift(from_bar=9, shift=pb.BarShift(count=1))]
    )
    assert "Исправлено: такты сдвинуты" in _caption(moved)
    await _tap(doubtful, person, "С 9-го такта: на долю позже")
    undone = await _tap(doubtful, person, "↶ Отменить")
    assert "С 9-го такта: на долю позже" in buttons(undone), "the bar stays open"
    heard = await _tap(doubtful, person, "Как расслышано")
    assert "Исправлено" not in _caption(heard)
    menu = await _tap(doubtful, person, "С другого такта…")
    assert "С какого такта" in _caption(menu)


@pytest.mark.parametrize(
    ("language", "label"),
    [("en", "From bar 9: a beat later?"), ("ru", "С 9-го такта: на долю позже?")],
)
async def test_a_likely_slip_is_one_tap(harness: Harness, language: str, label: str) -> None:
    slip = pb.LocalShift(from_bar=9, shift=pb.BarShift(count=1))
    odd = pb.LocalShift(from_bar=5, shift=pb.BarShift(count=5, unit=pb.BAR_UNIT_SIXTEENTH))
    harness.service.corrected.heard = pb.Result(
        local_offers=[pb.LocalOffer(shift=slip), pb.LocalOffer(shift=odd)], bar_count=24
    )
    person, _ = await _page(harness, language=language)
    await _tap(harness, person, "Исправить" if language == "ru" else "Fix")
    menu = await _tap(harness, person, "Такты" if language == "ru" else "Bars")
    labels = list(buttons(menu))
    assert labels[0] == label, "slips come first"
    assert labels[1].startswith("←"), "what has no words has no button"
    await person.press(buttons(menu)[label], _message(menu, person))
    asked = harness.service.renders[-1].render.adjustments
    assert asked == pb.Adjustments(local_shifts=[slip])


async def test_bar_lines_are_moved_from_a_bar_on_by_writing(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    await person.say("3/4, from bar 9 an eighth earlier")
    assert doubtful.service.renders[-1].render.adjustments.local_shifts == [
        pb.LocalShift(from_bar=9, shift=pb.BarShift(count=-1, unit=pb.BAR_UNIT_EIGHTH))
    ]
    assert "Corrected: metre 3/4, bars moved" in _caption(_latest(doubtful))
    await person.say("from bar 90 one beat later")
    assert "the piece has 24" in doubtful.session.texts()[-1]


def _full(menu: Sheet, label: str) -> str:
    return (
        label if label in buttons(menu) else next(x for x in buttons(menu) if x.startswith(label))
    )


async def test_corrections_add_up_and_survive_a_restart(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    await _tap(doubtful, person, "Fix")
    page = await _tap(doubtful, person, "3/4?")

    again = doubtful.restarted()
    person = again.person()
    await person.press(buttons(page)["Instruments"], _message(page, person))
    await _tap(again, person, "✓ Drums")

    assert "metre 3/4" in _caption(_latest(again))
    assert "without Drums" in _caption(_latest(again))
    undone = await _tap(again, person, "↶ Undo")
    assert "Corrected: metre 3/4\n" in _caption(undone)


@pytest.mark.parametrize("words", ["3/4", "это 3/4", "Three four, please!"])
async def test_a_message_after_the_page_corrects_it(doubtful: Harness, words: str) -> None:
    person, _ = await _page(doubtful)
    said = await person.say(words)

    page = _latest(doubtful)
    assert isinstance(page, SendPhoto)
    assert page.reply_parameters is not None
    assert page.reply_parameters.message_id == said.message_id
    assert "Metre: 3/4\n" in _caption(page)
    assert "↶ Undo" in buttons(page)


async def test_several_wishes_in_one_message(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    await person.say("3/4, in G, without drums, up a tone, lead sheet")

    edit = doubtful.service.descriptions[-1].render
    assert (edit.corrections.time_signature, edit.adjustments.key.tonic) == ("3/4", "G")
    assert [(part.id, part.left_out) for part in edit.corrections.parts] == [("drums", True)]
    render = doubtful.service.renders[-1].render
    assert (render.transpose_semitones, render.view) == (2, pb.VIEW_LEAD_SHEET)
    assert "metre 3/4" in _caption(_latest(doubtful))
    assert "without Drums" in _caption(_latest(doubtful))


async def test_a_relative_wish_starts_from_the_wish_before_it(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    await person.say("twice as fast, twice as fast, one beat later")
    first, second = doubtful.service.descriptions[-2:]
    assert first.render.adjustments == second.render.adjustments == pb.Adjustments(rescale=2.0)
    last = doubtful.service.renders[-1]
    assert last.result_id not in {RESULT_ID, first.result_id, second.result_id}
    assert last.render.adjustments == pb.Adjustments(bar_shift=pb.BarShift(count=1))
    assert "tempo 481" in _caption(_latest(doubtful))


async def test_words_refer_to_the_latest_page_even_after_a_restart(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    await person.say("3/4")
    again = doubtful.restarted()
    person = again.person()
    await person.say("без ударных")

    assert "metre 3/4" in _caption(_latest(again))
    assert "without Drums" in _caption(_latest(again))
    await person.say("undo")
    assert "without" not in _caption(_latest(again))
    assert "metre 3/4" in _caption(_latest(again))
    await person.say("отмени")
    assert "Corrected" not in _caption(_latest(again))
    await person.say("undo")
    assert again.session.texts()[-1].startswith("There is nothing to undo")


async def test_undo_takes_back_a_transposition_that_was_written(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    await person.say("up a tone")
    assert "transposed by +2" in _caption(_latest(doubtful))
    await person.say("undo")
    assert "transposed" not in _caption(_latest(doubtful))


async def test_a_key_that_the_page_is_in_is_answered_in_words(doubtful: Harness) -> None:
    person, page = await _page(doubtful)
    await person.say("transpose to A minor")
    assert doubtful.session.texts()[-1] == "The page is in A minor already."
    await person.say("transpose to C major")
    answer = doubtful.session.texts()[-1]
    assert answer.startswith("The page is in A minor already, the relative of C major")
    assert "“it is in C major”" in answer
    assert _latest(doubtful) is page


async def test_a_key_of_the_other_mode_stands_for_its_relative(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    await person.say("transpose to D major")
    page = _latest(doubtful)
    assert "transposed by +2" in _caption(page)
    assert _caption(page).endswith(
        "B minor is the relative of D major: transposing does not turn major into minor, "
        "or minor into major."
    )
    await _tap(doubtful, person, "Fix")
    assert "relative" not in _caption(_latest(doubtful)), "it is said once"


async def test_as_heard_takes_everything_back(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    await person.say("3/4, up a tone")
    await person.say("without drums")
    await person.say("reset")
    assert doubtful.service.renders[-1].result_id == RESULT_ID
    assert "Corrected" not in _caption(_latest(doubtful))
    assert "transposed" not in _caption(_latest(doubtful))


async def test_a_reply_refers_to_the_page_that_it_answers(doubtful: Harness) -> None:
    person, first = await _page(doubtful)
    await person.say("3/4")
    await person.say("6/8", reply_to_message=_message(first, person))
    assert doubtful.service.renders[-1].result_id == RESULT_ID
    assert "Metre: 6/8\n" in _caption(_latest(doubtful))


async def test_another_instrument_has_its_name_on_the_page(doubtful: Harness) -> None:
    person, _ = await _page(doubtful, language="ru")
    await person.say("для флейты")
    wanted = pb.PartCorrection(id="vocals", program=73, name="Флейта")
    assert list(doubtful.service.renders[-1].render.corrections.parts) == [wanted]
    await _tap(doubtful, person, "Исправить")
    await _tap(doubtful, person, "Инструменты")
    await _tap(doubtful, person, "Другой инструмент")
    page = await _tap(doubtful, person, "Скрипка")
    wanted = pb.PartCorrection(id="vocals", program=40, name="Скрипка")
    assert list(doubtful.service.renders[-1].render.corrections.parts) == [wanted]
    assert "Исправлено: скрипка" in _caption(page)


async def test_a_clef_is_named_with_its_part(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    await person.say("the bass in the treble clef")
    assert "Corrected: treble clef (Bass)" in _caption(_latest(doubtful))


async def test_files_are_sent_when_asked_for(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    before = len(doubtful.service.renders)
    await person.say("files")
    [render] = doubtful.service.renders[before:]
    assert pb.FORMAT_PDF in render.render.formats


async def test_what_is_not_understood_is_answered_by_what_can_be_said(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    before = len(doubtful.service.renders)
    await person.say("make it sound blue")
    await person.say("3/4, but only on Sundays")

    first, second = doubtful.session.texts()[-2:]
    assert first.startswith("I did not understand that.")
    assert "waltz" in first
    assert second.startswith("I did not understand “on sundays”, so I changed nothing.")
    assert doubtful.service.renders[before:] == []


async def test_everything_else_is_refused_politely(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    before = len(doubtful.service.renders)
    for words in REFUSED:
        count = len(doubtful.session.sent(SendMessage))
        await person.say(words)
        [answer] = doubtful.session.sent(SendMessage)[count:]
        assert answer.text.startswith("I did not understand"), words
        assert "waltz" in answer.text, words
    assert doubtful.service.renders[before:] == []


async def test_without_a_page_words_are_answered_as_before(harness: Harness) -> None:
    person = harness.person()
    await person.say("3/4")
    assert harness.session.texts()[-1].startswith("Send me a recording")


async def test_a_part_that_is_not_there(doubtful: Harness) -> None:
    person, _ = await _page(doubtful)
    await person.say("without guitar")
    assert doubtful.session.texts()[-1] == (
        "There is no such part on this page. It has: Vocals, Drums, Bass."
    )
    await person.say("bars 30-40")
    assert doubtful.session.texts()[-1] == "There are no such bars: the piece has 24."


async def test_a_refused_correction_leaves_the_page(doubtful: Harness) -> None:
    async def refuse(request: pb.RenderRequest) -> Events:
        raise RefusalError(code_pb2.INVALID_ARGUMENT, "INVALID_CORRECTIONS")
        yield

    person, page = await _page(doubtful)
    doubtful.service.render = refuse
    await person.say("3/4")
    assert "does not fit" in doubtful.session.sent(SendMessage)[-1].text
    assert _latest(doubtful) is page


async def test_two_people_in_a_group_do_not_disturb_each_other(doubtful: Harness) -> None:
    person = doubtful.person(chat_id=-100)
    await person.say_voice(caption="/score")
    first = _latest(doubtful)
    ann, ben = doubtful.person(7, chat_id=-100), doubtful.person(8, chat_id=-100)
    shown = _message(first, ann)

    await ann.say("3/4", reply_to_message=shown)
    await ben.say("without drums", reply_to_message=shown)

    assert "Metre: 4/4?" in _caption(_latest(doubtful))
    assert "Corrected: without Drums" in _caption(_latest(doubtful))
    count = len(doubtful.session.requests)
    await ann.say("bring back the drums")
    assert len(doubtful.session.requests) == count, "in groups, only replies are for the bot"


@pytest.mark.parametrize("data", ["y:1:f:0:r:@@", "y:1:f:0:r:m", "w:1:f:0:?", "y:1:f:0:r:b1e"])
async def test_forged_buttons_are_refused(harness: Harness, data: str) -> None:
    person = harness.person()
    await person.press(data)
    assert harness.service.renders == []


async def test_buttons_of_earlier_versions_still_answer(
    build_harness: Callable[..., Harness],
) -> None:
    harness = build_harness()
    person = harness.person()
    await person.press(f"r:{RESULT_ID}:l:0")
    assert harness.service.renders[-1].render.view == pb.VIEW_LEAD_SHEET
    assert "Fix" in buttons(_latest(harness))


async def test_choices_open_under_a_message_that_telegram_no_longer_shows(
    doubtful: Harness,
) -> None:
    person, page = await _page(doubtful)
    old = InaccessibleMessage(chat=person.chat, message_id=600, date=0)
    await person.press(buttons(page)["Fix"], old)
    [opened] = doubtful.session.sent(EditMessageReplyMarkup)
    assert opened.message_id == 600
    assert "Metre" in buttons(opened)


async def test_a_page_sent_before_this_version_can_be_replied_to(doubtful: Harness) -> None:
    person, page = await _page(doubtful)
    message = _message(page, person)
    assert isinstance(message.reply_markup, InlineKeyboardMarkup)
    rows = [
        [button for button in row if not (button.callback_data or "").startswith(("w:", "y:"))]
        for row in message.reply_markup.inline_keyboard
    ]
    old = message.model_copy(update={"reply_markup": InlineKeyboardMarkup(inline_keyboard=rows)})
    await person.say("3/4", reply_to_message=old)
    assert "Metre: 3/4\n" in _caption(_latest(doubtful))


def test_the_data_of_a_button_is_a_state() -> None:
    button = FixButton(result_id="a" * 12, view_code="Cs", transpose_semitones=-24)
    assert FixButton.unpack(button.pack()) == button

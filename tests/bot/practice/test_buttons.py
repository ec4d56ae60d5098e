"""The button that opens the practice page, and what becomes of its links."""

from __future__ import annotations

import re
from dataclasses import replace

from aiogram.methods import EditMessageText, SendMessage, SendPhoto

from bot.buttons import callback_data, find_shown
from bot.client.types import Pitches, View
from bot.i18n import Translator
from bot.keyboards import result_keyboard
from bot.practice.built import Built
from bot.views import MAX_MESSAGE_CHARS
from tests.bot.practice.conftest import ANN, BOB, GROUP, House, build_house, opening, token_of
from tests.bot.service import FakeService, RefusalError
from tests.bot.telegram import buttons, received, text_of, voice
from tests.bot.test_views import RESULT


async def test_every_result_has_the_button(house: House) -> None:
    person = house.person(ANN, language="ru")
    await person.say_voice()
    page = await house.session.wait_for(SendPhoto)
    [button] = opening(page)
    assert button.text == "Играть"
    assert button.web_app is not None
    token = token_of(button)
    status, score = await house.get("score", token, house.init_data(ANN))
    assert (status, score["language"], score["title"]) == (200, "ru", "Запись")
    assert (await house.get("score", token))[0] == 401, "it is a Mini App's"


async def test_the_button_shows_what_the_page_shows(house: House, english: Translator) -> None:
    assert house.practice.invitations is not None
    shown = replace(
        RESULT,
        view=View.PIANO,
        transpose_semitones=-5,
        simple_chords=True,
        pitches=Pitches.SUNG,
    )
    button = house.practice.invitations.button(
        shown, "Song", person_id=ANN, chat_id=GROUP, thread_id=3, t=english
    )
    assert button.url is not None, "groups have no Mini Apps"
    link = house.practice.invitations.signer.read(token_of(button))
    assert (link.shown.view, link.shown.transpose_semitones) == (View.PIANO, -5)
    assert link.shown.simple_chords
    assert link.shown.pitches is Pitches.SUNG
    assert (link.chat_id, link.thread_id, link.in_telegram) == (GROUP, 3, False)

    keyboard = result_keyboard(shown, english, practise=button)
    assert sum(button in row for row in keyboard.inline_keyboard) == 1
    assert find_shown(callback_data(keyboard)) is not None, "words still find the page"


async def test_without_https_everything_is_a_plain_link(
    service: tuple[FakeService, str], built: Built
) -> None:
    async with build_house(service, built, in_mini_app=False) as house:
        await house.person(ANN).say_voice()
        page = await house.session.wait_for(SendPhoto)
        [button] = opening(page)
        assert button.web_app is None
        assert (await house.get("score", token_of(button)))[0] == 200


async def test_a_turned_page_has_the_button_too(house: House) -> None:
    person = house.person(ANN)
    await person.say_voice()
    page = await house.session.wait_for(SendPhoto)
    await person.press(buttons(page)["Piano"], received(page, person))
    [button] = opening(house.session.requests[-1][1])
    assert button.web_app is not None
    token = token_of(button)
    assert (await house.get("score", token, house.init_data(ANN)))[1]["view"] == "piano"


async def test_help_tells_of_the_page_where_there_is_one(house: House) -> None:
    await house.person(ANN, language="en").say("/help")
    [told] = house.session.texts()
    assert "• Practise: a page that plays the score" in told
    assert len(re.sub(r"<[^>]+>", "", told)) <= MAX_MESSAGE_CHARS
    await house.person(BOB, language="ru").say("/help")
    assert "• Играть — страница" in house.session.texts()[-1]


async def test_forgetting_voids_links_and_deletes_what_is_kept(house: House) -> None:
    ann, bob = house.person(ANN, language="en"), house.person(BOB, language="en")
    for person in (ann, bob):
        await person.say(voice=voice().model_copy(update={"file_id": f"of {person.user.id}"}))
        await house.languages.choose(person.user.id, "ru")
    tokens = [house.token(person_id=who, chat_id=who) for who in (ANN, BOB)]
    for token in tokens:
        body = {"revision": "0123456789ab", "corrections": {"beat_scale": 2}}
        assert (await house.post("edits", body, token))[0] == 200
    notes = {
        str(row[0]) for row in house.recordings._database.execute("SELECT key FROM recordings")
    }
    assert {key.partition(".")[0] for key in notes} >= {str(ANN), str(BOB)}

    await ann.say("/privacy")
    [kept] = [m for m in house.session.sent(SendMessage) if "Забыть меня" in buttons(m)]
    await ann.press(buttons(kept)["Забыть меня"])
    edited = house.session.sent(EditMessageText)[-1]
    assert text_of(edited).startswith("<b>Забыто.</b>")

    assert (await house.get("score", tokens[0]))[0] == 401
    assert (await house.get("score", tokens[1]))[0] == 200, "only those of who asked"
    assert await house.languages.get(ANN) is None
    assert await house.languages.get(BOB) == "ru"
    assert await house.pages.find(ANN) is None
    assert await house.pages.find(BOB) is not None
    left = {str(row[0]) for row in house.recordings._database.execute("SELECT key FROM recordings")}
    assert not any(key.startswith(f"{ANN}.") for key in left)
    new = house.token()
    status, score = await house.get("score", new)
    assert (status, score["revision"]) == (200, "0123456789ab"), "a new link works, without edits"


async def test_forgetting_deletes_scores_of_the_private_chat_on_the_service(house: House) -> None:
    ann, in_group = house.person(ANN), house.person(BOB, chat_id=GROUP)
    await in_group.say(voice=voice(), caption="/score")
    await house.session.wait_for(SendPhoto)
    await ann.say("/privacy")
    button = buttons(house.session.sent(SendMessage)[-1])["Forget me"]
    await ann.press(button)
    assert house.service.forgotten == [], "what a group asked for is the group's"
    await ann.say(voice=voice())
    house.service.refusal = RefusalError(14, "QUEUE_FULL")
    await ann.press(button)
    told = house.session.sent(EditMessageText)[-1]
    assert text_of(told).startswith("<b>Forgotten, but for the service.</b>")
    assert house.service.forgotten == []
    house.service.refusal = None
    await ann.press(buttons(told)["Forget me"])
    assert text_of(house.session.sent(EditMessageText)[-1]).startswith("<b>Forgotten.</b>")
    assert len(house.service.forgotten) == 1
    await ann.press(button)
    assert len(house.service.forgotten) == 1, "and nothing is left to forget"

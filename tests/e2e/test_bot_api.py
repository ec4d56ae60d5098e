"""Every Bot API method of the local chat, called through aiogram's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
import pytest_asyncio
from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BotCommand,
    BotCommandScopeChat,
    BufferedInputFile,
    InputMediaAudio,
    InputMediaDocument,
    InputMediaPhoto,
    ReactionTypeEmoji,
    ReplyParameters,
)
from aiohttp import ClientSession, FormData, web

from bot.localchat.flood import FloodLimit
from bot.localchat.methods import METHODS
from bot.localchat.server import LocalChat, serve_localchat
from bot.localchat.updates import UpdateQueue
from tests.e2e.scripted_bot import build_bot, build_png, keyboard

PERSON = 1


class PageClient:
    """The requests of the chat page, sent without a browser."""

    def __init__(self, chat: LocalChat, http: ClientSession) -> None:
        self.chat = chat
        self.http = http
        self.key = ""

    async def open(self) -> None:
        async with self.http.get(f"{self.chat.page_url}api/session") as response:
            self.key = (await response.json())["key"]

    async def act(self, name: str, **values: Any) -> Any:
        body = {"person": PERSON, **values}
        headers = {"X-Localchat-Key": self.key}
        url = f"{self.chat.page_url}api/{name}"
        async with self.http.post(url, json=body, headers=headers) as response:
            answer = await response.json()
        assert answer["ok"], answer
        return answer["result"]

    async def upload(self, data: bytes, name: str, media_type: str, **values: Any) -> Any:
        form = FormData({"person": str(PERSON), **{k: str(v) for k, v in values.items()}})
        form.add_field("file", data, filename=name, content_type=media_type)
        headers = {"X-Localchat-Key": self.key}
        url = f"{self.chat.page_url}api/upload"
        async with self.http.post(url, data=form, headers=headers) as response:
            answer = await response.json()
        assert answer["ok"], answer
        return answer["result"]


@pytest_asyncio.fixture
async def chat() -> AsyncIterator[LocalChat]:
    async with serve_localchat(port=0, flood_limit=None) as chat:
        yield chat


@pytest_asyncio.fixture
async def bot(chat: LocalChat) -> AsyncIterator[Bot]:
    bot = build_bot(chat)
    yield bot
    await bot.session.close()


@pytest_asyncio.fixture
async def page(chat: LocalChat) -> AsyncIterator[PageClient]:
    async with ClientSession() as http:
        client = PageClient(chat, http)
        await client.open()
        yield client


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> asyncio.Semaphore:
    """Released by every ``getUpdates`` that reaches the server."""
    arrived = asyncio.Semaphore(0)
    poll = UpdateQueue.poll

    async def observe(queue: UpdateQueue, **given: int) -> list[dict[str, Any]]:
        arrived.release()
        return await poll(queue, **given)

    monkeypatch.setattr(UpdateQueue, "poll", observe)
    return arrived


async def refused(call: Awaitable[Any]) -> str:
    """The description in the local Bot API's refusal of a call."""
    with pytest.raises(TelegramBadRequest) as caught:
        await call
    return caught.value.message


async def test_who_the_bot_is(bot: Bot, chat: LocalChat) -> None:
    me = await bot.get_me()
    assert me.is_bot
    assert me.id == bot.id == int(chat.token.split(":")[0])
    assert await bot.log_out()


async def test_a_wrong_token_and_a_wrong_method(bot: Bot, chat: LocalChat) -> None:
    stranger = Bot("123456:ABCDEF", session=bot.session)
    with pytest.raises(TelegramUnauthorizedError):
        await stranger.get_me()
    with pytest.raises(TelegramNotFound):
        await bot.get_available_gifts()


async def test_a_message_with_markup_and_keyboard(bot: Bot) -> None:
    sent = await bot.send_message(
        PERSON,
        "  <b>Ля минор</b> &amp; <i>120</i>",
        parse_mode="HTML",
        reply_markup=keyboard([("A", "a"), ("B", "b")], [("C", "c")]),
    )
    assert sent.text == "Ля минор & 120"
    assert sent.html_text == "<b>Ля минор</b> &amp; <i>120</i>"
    assert sent.reply_markup is not None
    assert [len(row) for row in sent.reply_markup.inline_keyboard] == [2, 1]
    assert sent.chat.id == PERSON
    assert sent.from_user is not None
    assert sent.from_user.id == bot.id


@pytest.mark.parametrize(
    ("chat_id", "text", "reason"),
    [
        (PERSON, "", "message text is empty"),
        (PERSON, " \n", "message text is empty"),
        (PERSON, "𝄞" * 2049, "message is too long"),
        (PERSON, "<b>x", "can't parse entities: Can't find end tag"),
        (99, "x", "chat not found"),
    ],
)
async def test_messages_that_telegram_refuses(
    bot: Bot, chat_id: int, text: str, reason: str
) -> None:
    assert reason in await refused(bot.send_message(chat_id, text, parse_mode="HTML"))


async def test_the_longest_message_passes(bot: Bot) -> None:
    assert (
        len((await bot.send_message(PERSON, f"<b>{'x' * 4096}</b>", parse_mode="HTML")).text or "")
        == 4096
    )


async def test_replies(bot: Bot) -> None:
    first = await bot.send_message(PERSON, "first")
    reply = await first.reply("second")
    assert reply.reply_to_message is not None
    assert reply.reply_to_message.text == "first"
    third = await reply.reply("third")
    assert third.reply_to_message is not None
    assert third.reply_to_message.reply_to_message is None
    gone = ReplyParameters(message_id=999)
    assert "message to be replied not found" in await refused(
        bot.send_message(PERSON, "x", reply_parameters=gone)
    )
    lenient = ReplyParameters(message_id=999, allow_sending_without_reply=True)
    assert (await bot.send_message(PERSON, "x", reply_parameters=lenient)).reply_to_message is None


async def test_files_of_every_kind_come_back_as_they_were(bot: Bot) -> None:
    png = build_png(600, 800)
    photo = await bot.send_photo(
        PERSON, BufferedInputFile(png, "p.png"), caption="<i>c</i>", parse_mode="HTML"
    )
    assert photo.photo is not None
    assert (photo.photo[-1].width, photo.photo[-1].height) == (600, 800)
    assert photo.html_text == "<i>c</i>"
    document = await bot.send_document(PERSON, BufferedInputFile(b"%PDF", "нота.pdf"))
    assert document.document is not None
    assert document.document.file_name == "нота.pdf"
    audio = await bot.send_audio(
        PERSON, BufferedInputFile(b"mp3", "a.mp3"), duration=7, title="T", performer="P"
    )
    assert audio.audio is not None
    assert (audio.audio.duration, audio.audio.title, audio.audio.performer) == (7, "T", "P")
    voice = await bot.send_voice(PERSON, BufferedInputFile(b"ogg", "v.ogg"), duration=3)
    assert voice.voice is not None
    video = await bot.send_video(PERSON, BufferedInputFile(b"mp4", "v.mp4"), width=4, height=3)
    assert video.video is not None
    assert (video.video.width, video.video.height) == (4, 3)
    for file, data in (
        (photo.photo[-1], png),
        (document.document, b"%PDF"),
        (audio.audio, b"mp3"),
        (voice.voice, b"ogg"),
        (video.video, b"mp4"),
    ):
        downloaded = await bot.download(file)
        assert downloaded is not None
        assert downloaded.read() == data
    again = await bot.send_document(PERSON, document.document.file_id)
    assert again.document is not None
    assert again.document.file_unique_id == document.document.file_unique_id
    assert "can't use file of type Document as Photo" in await refused(
        bot.send_photo(PERSON, document.document.file_id)
    )


async def test_files_that_telegram_refuses(bot: Bot, page: PageClient) -> None:
    png = BufferedInputFile(build_png(2, 2), "p.png")
    assert "caption is too long" in await refused(bot.send_photo(PERSON, png, caption="x" * 1025))
    wide = BufferedInputFile(build_png(210, 10), "p.png")
    assert "PHOTO_INVALID_DIMENSIONS" in await refused(bot.send_photo(PERSON, wide))
    assert "IMAGE_PROCESS_FAILED" in await refused(
        bot.send_photo(PERSON, BufferedInputFile(b"x", "p.png"))
    )
    assert "non-empty" in await refused(bot.send_document(PERSON, BufferedInputFile(b"", "x")))
    assert "wrong file_id" in await refused(bot.send_document(PERSON, "unknown"))
    assert "HTTP URL" in await refused(bot.send_document(PERSON, "https://example.org/a.pdf"))
    with pytest.raises(TelegramEntityTooLarge):
        await bot.send_document(PERSON, BufferedInputFile(bytes(50 * 1024 * 1024 + 1), "big"))
    large = await page.upload(bytes(20 * 1024 * 1024 + 1), "a.wav", "audio/wav", kind="audio")
    assert "file is too big" in await refused(bot.get_file(large["audio"]["file_id"]))


async def test_albums(bot: Bot) -> None:
    def pages(count: int) -> list[Any]:
        data = [BufferedInputFile(build_png(9, 9 + i), f"{i}.png") for i in range(count)]
        return [InputMediaPhoto(media=file, caption=f"page {i}") for i, file in enumerate(data)]

    album = await bot.send_media_group(PERSON, pages(10))
    assert len({message.media_group_id for message in album}) == 1
    assert [message.caption for message in album] == [f"page {i}" for i in range(10)]
    assert album[3].photo is not None
    assert album[3].photo[-1].height == 12
    assert "too few" in await refused(bot.send_media_group(PERSON, pages(1)))
    assert "too many" in await refused(bot.send_media_group(PERSON, pages(11)))
    midi = InputMediaDocument(media=BufferedInputFile(b"m", "a.mid"))
    assert "can't be mixed" in await refused(bot.send_media_group(PERSON, [*pages(1), midi]))
    song = InputMediaAudio(media=BufferedInputFile(b"m", "a.mp3"), title="T")
    songs = await bot.send_media_group(PERSON, [song, song])
    assert songs[0].audio is not None
    assert songs[0].audio.title == "T"


async def test_edits(bot: Bot) -> None:
    sent = await bot.send_message(PERSON, "old", reply_markup=keyboard([("A", "a")]))
    same = bot.edit_message_text(
        "old", None, PERSON, sent.message_id, reply_markup=keyboard([("A", "a")])
    )
    assert "message is not modified" in await refused(same)
    edited = await sent.edit_text("<b>new</b>", parse_mode="HTML")
    assert not isinstance(edited, bool)
    assert edited.html_text == "<b>new</b>"
    assert edited.edit_date is not None
    assert edited.reply_markup is None
    keyed = await sent.edit_reply_markup(reply_markup=keyboard([("B", "b")]))
    assert not isinstance(keyed, bool)
    assert keyed.reply_markup is not None
    assert keyed.text == "new"
    assert "no caption" in await refused(sent.edit_caption(caption="x"))
    photo = await bot.send_photo(PERSON, BufferedInputFile(build_png(5, 5), "p.png"), caption="one")
    captioned = await photo.edit_caption(caption="two")
    assert not isinstance(captioned, bool)
    assert captioned.caption == "two"
    assert captioned.photo
    replaced = await photo.edit_media(
        InputMediaPhoto(media=BufferedInputFile(build_png(6, 7), "q.png"), caption="three")
    )
    assert not isinstance(replaced, bool)
    assert replaced.photo is not None
    assert (replaced.photo[-1].width, replaced.caption) == (6, "three")
    assert "no text" in await refused(photo.edit_text("x"))


async def test_what_cannot_be_edited(bot: Bot, page: PageClient) -> None:
    theirs = await page.act("text", text="hello")
    edit = bot.edit_message_text("x", None, PERSON, theirs["message_id"])
    assert "message can't be edited" in await refused(edit)
    assert "message to edit not found" in await refused(
        bot.edit_message_text("x", None, PERSON, 999)
    )


async def test_deletions(bot: Bot, page: PageClient) -> None:
    ids = [(await bot.send_message(PERSON, str(i))).message_id for i in range(3)]
    theirs = await page.act("text", text="hello")
    assert await bot.delete_message(PERSON, theirs["message_id"])
    assert await bot.delete_message(PERSON, ids[0])
    assert "message to delete not found" in await refused(bot.delete_message(PERSON, ids[0]))
    assert await bot.delete_messages(PERSON, [*ids, 999])
    assert "message to edit not found" in await refused(
        bot.edit_message_text("x", None, PERSON, ids[2])
    )


async def test_actions_and_reactions(bot: Bot, page: PageClient) -> None:
    assert await bot.send_chat_action(PERSON, "typing")
    assert "wrong parameter action" in await refused(bot.send_chat_action(PERSON, "dancing"))
    theirs = await page.act("text", text="hello")
    thumb = ReactionTypeEmoji(emoji="👍")
    assert await bot.set_message_reaction(PERSON, theirs["message_id"], [thumb])
    assert await bot.set_message_reaction(PERSON, theirs["message_id"], [])


async def test_commands_and_descriptions(bot: Bot) -> None:
    commands = [BotCommand(command="help", description="Help")]
    scope = BotCommandScopeChat(chat_id=PERSON)
    assert await bot.set_my_commands(commands, scope=scope, language_code="ru")
    (stored,) = await bot.get_my_commands(scope=scope, language_code="ru")
    assert (stored.command, stored.description) == ("help", "Help")
    assert await bot.get_my_commands() == []
    assert await bot.delete_my_commands(scope=scope, language_code="ru")
    assert await bot.get_my_commands(scope=scope, language_code="ru") == []
    assert await bot.set_my_name("Other")
    assert (await bot.get_my_name()).name == "Other"
    assert await bot.set_my_description("Long")
    assert await bot.set_my_short_description("Short")
    assert (await bot.get_my_description()).description == "Long"
    assert (await bot.get_my_short_description()).short_description == "Short"


async def test_updates_wait_until_they_are_confirmed(
    bot: Bot, page: PageClient, polls: asyncio.Semaphore
) -> None:
    assert await bot.get_updates() == []
    await polls.acquire()
    waiting = asyncio.create_task(bot.get_updates(timeout=10))
    await polls.acquire()
    await page.act("text", text="/start now")
    first = (await asyncio.wait_for(waiting, 2))[0]
    assert first.message is not None
    assert first.message.entities is not None
    assert first.message.entities[0].type == "bot_command"
    await page.act("text", text="two")
    assert len(await bot.get_updates()) == 2
    assert len(await bot.get_updates(limit=1)) == 1
    rest = await bot.get_updates(offset=first.update_id + 1)
    assert [update.message and update.message.text for update in rest] == ["two"]
    assert await bot.get_updates(offset=-1) == rest
    assert await bot.get_updates(offset=rest[0].update_id + 1) == []


async def test_the_newest_poller_wins(bot: Bot, polls: asyncio.Semaphore) -> None:
    older = asyncio.create_task(bot.get_updates(timeout=10))
    await polls.acquire()
    newer = asyncio.create_task(bot.get_updates(timeout=1))
    with pytest.raises(TelegramConflictError):
        await older
    assert await newer == []


async def test_unwanted_updates_are_not_kept(bot: Bot, page: PageClient) -> None:
    await bot.get_updates(allowed_updates=["callback_query"])
    await page.act("text", text="unheard")
    assert await bot.get_updates() == []
    await bot.get_updates(allowed_updates=[])
    await page.act("text", text="heard")
    assert len(await bot.get_updates()) == 1


async def test_what_a_person_sends(bot: Bot, page: PageClient) -> None:
    await page.act("language", language="ru")
    voice = await page.upload(
        b"ogg", "v.ogg", "audio/ogg", kind="voice", duration=2.6, caption="/score"
    )
    await page.act("text", text="/score", reply_to=voice["message_id"])
    await page.act("forward", message_id=voice["message_id"])
    sent, reply, forwarded = [update.message for update in await bot.get_updates()]
    assert sent
    assert sent.voice
    assert sent.from_user
    assert (sent.voice.duration, sent.voice.mime_type, sent.caption) == (3, "audio/ogg", "/score")
    assert (sent.from_user.id, sent.from_user.language_code) == (PERSON, "ru")
    assert reply
    assert reply.reply_to_message
    assert reply.reply_to_message.voice
    assert forwarded
    assert forwarded.voice
    assert forwarded.forward_origin
    assert forwarded.forward_origin.type == "user"


async def test_buttons(bot: Bot, page: PageClient) -> None:
    sent = await bot.send_message(PERSON, "choose", reply_markup=keyboard([("A", "a")]))
    pressed = await page.act("press", message_id=sent.message_id, data="a")
    query = (await bot.get_updates())[0].callback_query
    assert query is not None
    assert (query.id, query.data) == (pressed["query_id"], "a")
    assert query.message is not None
    assert query.message.message_id == sent.message_id
    assert await bot.answer_callback_query(query.id, "yes", show_alert=True)
    assert "MESSAGE_TOO_LONG" in await refused(bot.answer_callback_query(query.id, "x" * 201))
    assert "query is too old" in await refused(bot.answer_callback_query("1"))
    with pytest.raises(AssertionError, match="no such button"):
        await page.act("press", message_id=sent.message_id, data="forged")


async def test_flood_control() -> None:
    async with serve_localchat(port=0, flood_limit=FloodLimit(1.0, burst=2)) as chat:
        bot = build_bot(chat)
        for number in range(2):
            await bot.send_message(PERSON, str(number))
        with pytest.raises(TelegramRetryAfter) as caught:
            await bot.send_message(PERSON, "more")
        assert caught.value.retry_after == 1
        await bot.session.close()


async def test_webhook(bot: Bot, page: PageClient) -> None:
    received: asyncio.Queue[tuple[str | None, Any]] = asyncio.Queue()
    statuses = iter([500, 200, 200])

    async def receive(request: web.Request) -> web.Response:
        secret = request.headers.get("X-Telegram-Bot-Api-Secret-Token")
        await received.put((secret, await request.json()))
        return web.Response(status=next(statuses))

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        assert await bot.set_webhook(url, secret_token="s3cret", allowed_updates=["message"])
        assert (await bot.get_webhook_info()).url == url
        with pytest.raises(TelegramConflictError):
            await bot.get_updates()
        await page.act("text", text="hello")
        secret, refused_update = await asyncio.wait_for(received.get(), 3)
        assert secret == "s3cret"
        _, update = await asyncio.wait_for(received.get(), 3)
        assert update == refused_update
        assert update["message"]["text"] == "hello"
        info = await bot.get_webhook_info()
        assert (
            info.last_error_message == "Wrong response from the webhook: 500 Internal Server Error"
        )
        assert await bot.delete_webhook(drop_pending_updates=True)
        assert (await bot.get_webhook_info()).url == ""
        assert await bot.get_updates() == []
    finally:
        await runner.cleanup()
    assert "this machine only" in await refused(bot.set_webhook("https://example.org/hook"))


@pytest.mark.parametrize("encoding", ["query", "form", "json", "multipart"])
async def test_every_way_to_send_parameters(chat: LocalChat, encoding: str) -> None:
    url = f"{chat.api_base_url}/bot{chat.token}/SENDmessage"
    markup = {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]}
    flat = {"chat_id": str(PERSON), "text": "hi", "reply_markup": json.dumps(markup)}
    form = FormData(flat)
    form.add_field("unused", b"x", filename="x.bin")
    ways: dict[str, dict[str, Any]] = {
        "query": {"params": flat},
        "form": {"data": flat},
        "json": {"json": {"chat_id": PERSON, "text": "hi", "reply_markup": markup}},
        "multipart": {"data": form},
    }
    async with ClientSession() as http, http.post(url, **ways[encoding]) as response:
        answer = await response.json()
    assert answer["ok"], answer
    assert answer["result"]["reply_markup"] == markup


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b'{"chat_id": 1, "text": "x", "reply_markup": "{"}'),
        ("application/json", b'{"chat_id": {}, "text": []}'),
        ("multipart/form-data; boundary=x", b"no boundary"),
        ("multipart/form-data", b"x"),
        ("application/x-www-form-urlencoded", b"%ff=%ff"),
    ],
)
async def test_broken_requests_are_bad_requests(
    chat: LocalChat, content_type: str, body: bytes
) -> None:
    url = f"{chat.api_base_url}/bot{chat.token}/sendMessage"
    headers = {"Content-Type": content_type}
    async with ClientSession() as http, http.post(url, data=body, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["ok"] is False


NASTY: tuple[Any, ...] = (
    *("", "x", "[", "{}", "[]", "[[]]", "[{}]", "[1]", '{"a": 1}', "null", "-1", "1e999", "\x00"),
    *(None, True, -1, 10**30, [], {}, [None], [[]], [{}], [{"type": []}], {"type": {}}),
    *({"message_id": "x"}, {"inline_keyboard": [[{"text": "a", "copy_text": 1}]]}),
    [{"type": "photo", "media": {}, "caption_entities": 1}, {"type": "photo"}],
)
NAMES = (
    *("message_id", "message_ids", "text", "caption", "parse_mode", "entities", "media", "photo"),
    *("caption_entities", "reply_markup", "reply_parameters", "reaction", "action", "file_id"),
    *("commands", "scope", "language_code", "callback_query_id", "offset", "limit", "url"),
    *("allowed_updates", "description", "name", "duration", "reply_to_message_id"),
)


@pytest.mark.parametrize("method", sorted(METHODS | {"getUpdates": None, "setWebhook": None}))
async def test_no_parameter_breaks_a_method(chat: LocalChat, bot: Bot, method: str) -> None:
    sent = await bot.send_message(PERSON, "x")
    usual = {"chat_id": PERSON, "message_id": sent.message_id, "text": "y", "action": "typing"}
    url = f"{chat.api_base_url}/bot{chat.token}/{method}"
    async with ClientSession() as http:
        for name in NAMES:
            for value in NASTY:
                async with http.post(url, json=usual | {name: value}) as response:
                    answer = await response.json()
                    assert response.status in {200, 400}, (name, value, answer)
                    assert answer["ok"] is (response.status == 200)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
async def test_other_sites_are_refused(chat: LocalChat, headers: dict[str, str]) -> None:
    async with ClientSession() as http:
        for path in ("", "api/session", f"bot{chat.token}/getMe"):
            async with http.get(chat.page_url + path, headers=headers) as response:
                assert response.status == 403
                assert "key" not in await response.text()


async def test_a_link_may_lead_to_the_page_and_nowhere_else(chat: LocalChat) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with ClientSession() as http:
        for path, status in (("", 200), ("api/session", 403)):
            async with http.get(chat.page_url + path, headers=headers) as response:
                assert response.status == status
                assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


async def test_the_page_needs_its_key(chat: LocalChat, bot: Bot) -> None:
    sent = await bot.send_document(PERSON, BufferedInputFile(b"x", "x.mid"))
    assert sent.document is not None
    async with ClientSession() as http:
        for path in ("api/events?person=1", f"api/file/{sent.document.file_id}"):
            async with http.get(chat.page_url + path) as response:
                assert response.status == 403
        body = {"person": PERSON, "text": "x"}
        async with http.post(f"{chat.page_url}api/text", json=body) as response:
            assert response.status == 403


async def test_files_are_served_in_ranges_and_never_as_pages(page: PageClient) -> None:
    sound = await page.upload(b"0123456789", "a.mp3", "audio/mpeg", kind="audio")
    markup = await page.upload(b"<script>", "a.html", "text/html", kind="document")
    headers = {"X-Localchat-Key": page.key}
    url = f"{page.chat.page_url}api/file/"
    part = {**headers, "Range": "bytes=2-4"}
    async with page.http.get(url + sound["audio"]["file_id"], headers=part) as response:
        assert (response.status, await response.read()) == (206, b"234")
        assert response.headers["Content-Range"] == "bytes 2-4/10"
    beyond = {**headers, "Range": "bytes=20-"}
    async with page.http.get(url + sound["audio"]["file_id"], headers=beyond) as response:
        assert response.status == 416
    async with page.http.get(url + markup["document"]["file_id"], headers=headers) as response:
        assert response.content_type == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_server_stops_at_once_while_a_bot_polls(polls: asyncio.Semaphore) -> None:
    async with serve_localchat(port=0) as chat:
        bot = build_bot(chat)
        polling = asyncio.create_task(bot.get_updates(timeout=30))
        await polls.acquire()
        started_s = asyncio.get_running_loop().time()
    assert await polling == []
    assert asyncio.get_running_loop().time() - started_s < 1.0
    await bot.session.close()


async def test_people_and_language_are_checked() -> None:
    with pytest.raises(ValueError, match="different"):
        async with serve_localchat(port=0, admin_user_id=2):
            pass
    with pytest.raises(ValueError, match="language"):
        async with serve_localchat(port=0, language="tlh"):
            pass

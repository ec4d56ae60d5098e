"""Telegram as a test double: a session that records what the bot asks of it and answers."""

from __future__ import annotations

import asyncio
import datetime
import html
import itertools
import re
from collections import defaultdict
from collections.abc import AsyncGenerator
from typing import Any, TypeVar

from aiogram import Bot, Dispatcher
from aiogram.client.session.base import BaseSession
from aiogram.methods import (
    AnswerCallbackQuery,
    EditMessageMedia,
    EditMessageReplyMarkup,
    EditMessageText,
    GetFile,
    GetMe,
    GetUpdates,
    SendAudio,
    SendDocument,
    SendMediaGroup,
    SendMessage,
    SendPhoto,
    SendVoice,
    TelegramMethod,
)
from aiogram.types import (
    Audio,
    BufferedInputFile,
    CallbackQuery,
    Chat,
    File,
    InlineKeyboardMarkup,
    InputFile,
    InputMediaAudio,
    MaybeInaccessibleMessageUnion,
    MediaUnion,
    Message,
    MessageEntity,
    PhotoSize,
    Update,
    User,
    Voice,
)

TOKEN = "424242:TEST-token-that-is-never-to-be-logged"
BOT_USER = User(id=42, is_bot=True, first_name="Notabot", username="notabot")
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
AUDIO = b"OggS" + bytes(200_000)
PHOTO = PhotoSize(file_id="page", file_unique_id="p", width=700, height=990)

_IDS = itertools.count(2)
"""Of messages, presses and updates: none comes twice unless a test sends it twice."""

M = TypeVar("M", bound=TelegramMethod[Any])


class RecordingSession(BaseSession):
    """Answers every method as Telegram would, and remembers it.

    ``requests`` holds every method with the loop's time; ``failures`` what to raise for the next
    requests of a type; ``files`` the downloadable bytes by file id.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[float, TelegramMethod[Any]]] = []
        self.failures: defaultdict[type[TelegramMethod[Any]], list[Exception]] = defaultdict(list)
        self.files: dict[str, bytes] = {}
        self.updates: asyncio.Queue[Update] = asyncio.Queue()
        self.closed = False
        self._message_id = 1000
        self._changed = asyncio.Event()

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[Any],
        timeout: int | None = None,  # noqa: ASYNC109
    ) -> Any:
        """Record the request; fail if configured so, else answer."""
        assert not self.closed, f"{method.__api_method__} after the session was closed"
        self.requests.append((asyncio.get_running_loop().time(), method))
        self._changed.set()
        if self.failures[type(method)]:
            raise self.failures[type(method)].pop(0)
        match method:
            case GetMe():
                return BOT_USER
            case GetFile():
                data = self.files.get(method.file_id, AUDIO)
                return File(
                    file_id=method.file_id,
                    file_unique_id="u",
                    file_size=len(data),
                    file_path=f"files/{method.file_id}",
                )
            case GetUpdates():
                return [await self.updates.get()]
            case SendMessage():
                return self._message(bot, method.chat_id, text=method.text)
            case SendAudio():
                sent = audio(method.title or "")
                return self._message(bot, method.chat_id, audio=sent)
            case SendPhoto() | SendDocument() | SendVoice():
                return self._message(bot, method.chat_id, text="media")
            case EditMessageText():
                return self._message(bot, method.chat_id, text=method.text)
            case EditMessageMedia():
                return self._message(bot, method.chat_id, text="media")
            case SendMediaGroup():
                return [self._message(bot, method.chat_id, text="media") for _ in method.media]
        return True

    def _message(self, bot: Bot, chat_id: Any, **content: Any) -> Message:
        self._message_id += 1
        return Message(
            message_id=self._message_id,
            date=NOW,
            chat=Chat(id=int(chat_id), type="private" if int(chat_id) > 0 else "supergroup"),
            from_user=BOT_USER,
            **content,
        ).as_(bot)

    async def stream_content(
        self,
        url: str,
        headers: dict[str, Any] | None = None,
        timeout: int = 30,  # noqa: ASYNC109
        chunk_size: int = 65536,
        raise_for_status: bool = True,
    ) -> AsyncGenerator[bytes, None]:
        """Yield the file that was registered, or :data:`AUDIO`."""
        data = self.files.get(url.rsplit("/", 1)[-1], AUDIO)
        for start in range(0, len(data), chunk_size):
            yield data[start : start + chunk_size]

    def form(self, bot: Bot, method: TelegramMethod[Any]) -> dict[str, Any]:
        """What would cross the wire."""
        return {
            key: self.prepare_value(value, bot=bot, files={})
            for key, value in method.model_dump(warnings=False).items()
        }

    async def close(self) -> None:
        """Refuse everything from now on."""
        self.closed = True

    def sent(self, kind: type[M]) -> list[M]:
        """Every recorded request of a kind, in order."""
        return [method for _, method in self.requests if isinstance(method, kind)]

    async def wait_for(self, kind: type[M], containing: str = "", timeout_s: float = 10.0) -> M:
        """The first request of a kind whose text contains something, waiting until it comes."""

        async def wait() -> M:
            while True:
                for method in self.sent(kind):
                    if containing in (getattr(method, "text", None) or ""):
                        return method
                self._changed.clear()
                await self._changed.wait()

        return await asyncio.wait_for(wait(), timeout_s)

    def sheets(self) -> list[SendPhoto | EditMessageMedia]:
        """Every page with buttons, sent or put in the place of another."""
        return [
            method
            for _, method in self.requests
            if isinstance(method, SendPhoto | EditMessageMedia) and method.reply_markup
        ]

    def texts(self) -> list[str]:
        """Everything said so far: messages, edits, answers to buttons."""
        return [
            method.text or ""
            for _, method in self.requests
            if isinstance(method, SendMessage | EditMessageText | AnswerCallbackQuery)
        ]


def text_of(method: SendMessage | EditMessageText | AnswerCallbackQuery) -> str:
    """What is said; there must be something."""
    assert method.text is not None
    return method.text


def caption_of(sent: SendPhoto | EditMessageMedia | SendVoice | MediaUnion) -> str:
    """What is written below a picture, a sound or a file; there must be something."""
    captioned: Any = sent.media if isinstance(sent, EditMessageMedia) else sent
    assert captioned.caption is not None
    return str(captioned.caption)


def picture_of(sent: SendPhoto | EditMessageMedia) -> BufferedInputFile:
    """The page that is shown."""
    return file_of(sent.photo if isinstance(sent, SendPhoto) else sent.media.media)


def file_of(media: InputFile | str) -> BufferedInputFile:
    """The uploaded file, where Telegram would also take an id or an address."""
    assert isinstance(media, BufferedInputFile)
    return media


def tracks_of(album: SendMediaGroup) -> list[InputMediaAudio]:
    """The members of an album of sounds."""
    tracks = [track for track in album.media if isinstance(track, InputMediaAudio)]
    assert len(tracks) == len(album.media)
    return tracks


def replied_to(method: SendMessage | SendPhoto | SendMediaGroup) -> int:
    """The id of the message that this one answers; there must be one."""
    assert method.reply_parameters is not None
    assert method.reply_parameters.message_id is not None
    return method.reply_parameters.message_id


class Person:
    """Someone who writes to the bot and presses its buttons."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        bot: Bot,
        user_id: int = 7,
        *,
        language: str | None = "en",
        chat_id: int | None = None,
    ) -> None:
        self.user = User(id=user_id, is_bot=False, first_name="Ann <&>", language_code=language)
        chat_id = user_id if chat_id is None else chat_id
        self.chat = Chat(id=chat_id, type="private" if chat_id > 0 else "supergroup", title="chat")
        self._dispatcher = dispatcher
        self._bot = bot

    def message(self, **content: Any) -> Message:
        """A message of this person; ``content`` as in the Bot API."""
        return Message(
            message_id=next(_IDS), date=NOW, chat=self.chat, from_user=self.user, **content
        )

    async def say(self, text: str = "", **content: Any) -> Message:
        """Send a message and wait until the bot has handled it."""
        if text:
            content["text"] = text
        message = self.message(**content)
        update = Update(update_id=next(_IDS), message=message)
        await self._dispatcher.feed_update(self._bot, update)
        return message

    async def say_voice(self, **content: Any) -> Message:
        """Send a voice message of some seconds."""
        return await self.say(voice=voice(), **content)

    async def press(
        self, data: str, message: MaybeInaccessibleMessageUnion | None = None, **changes: Any
    ) -> CallbackQuery:
        """Press a button with this data, under ``message`` if that matters."""
        shown = message or Message(
            message_id=500, date=NOW, chat=self.chat, from_user=BOT_USER, text="buttons", **changes
        )
        query = CallbackQuery(
            id=str(next(_IDS)),
            from_user=self.user,
            chat_instance="1",
            message=shown,
            data=data,
        )
        update = Update(update_id=next(_IDS), callback_query=query)
        await self._dispatcher.feed_update(self._bot, update)
        return query


def voice(size_bytes: int = len(AUDIO), duration_s: int = 5) -> Voice:
    """A voice message's file."""
    return Voice(
        file_id="voice",
        file_unique_id="v",
        duration=duration_s,
        mime_type="audio/ogg",
        file_size=size_bytes,
    )


def audio(title: str) -> Audio:
    """A piece of music with a title."""
    return Audio(file_id="music", file_unique_id="u", duration=5, title=title)


def received(
    method: SendMessage | SendPhoto | EditMessageMedia,
    person: Person,
    reply_to: Message | None = None,
) -> Message:
    """What the bot sent, as it comes back with a press on one of its buttons."""
    is_text = isinstance(method, SendMessage)
    written = method.text if isinstance(method, SendMessage) else caption_of(method)
    match = re.match(r"<b>(.*?)</b>", written)
    plain = html.unescape(re.sub(r"<[^>]+>", "", written))
    bold_chars = len(html.unescape(match[1])) if match else 0
    entities = [MessageEntity(type="bold", offset=0, length=bold_chars)] if match else None
    content: dict[str, Any] = (
        {"text": plain, "entities": entities}
        if is_text
        else {"photo": [PHOTO], "caption": plain, "caption_entities": entities}
    )
    return Message(
        message_id=600,
        date=NOW,
        chat=person.chat,
        from_user=BOT_USER,
        reply_to_message=reply_to,
        **content,
    )


def buttons(method: Any) -> dict[str, str]:
    """The inline buttons under a message: text to callback data."""
    markup = method.reply_markup
    assert isinstance(markup, InlineKeyboardMarkup)
    return {
        button.text: button.callback_data or "" for row in markup.inline_keyboard for button in row
    }


async def every_button(
    session: RecordingSession, person: Person, sheet: SendPhoto | EditMessageMedia
) -> dict[str, str]:
    """The buttons under a page, and those that "More…" offers in their place, if it has that."""
    shown = buttons(sheet)
    more = [data for data in shown.values() if data.startswith("b:")]
    if not more:
        return shown
    await person.press(more[0], received(sheet, person))
    [offered] = session.sent(EditMessageReplyMarkup)[-1:]
    session.requests = [(at, method) for at, method in session.requests if method is not offered]
    return {**shown, **buttons(offered)}

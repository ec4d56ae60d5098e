"""A result into a chat: the pages as albums, the files, and a message with the buttons.

Limits of the Bot API kept here: an album has 2 to 10 items, so a lone page goes as a photo, and a
request has 50 MB at most, so long songs' stems go in several; albums cannot carry buttons, so these
have a message of their own. Beyond :data:`MAX_PAGES` the chat would drown: the PDF has all pages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import (
    BufferedInputFile,
    CallbackQuery,
    InputMediaAudio,
    InputMediaDocument,
    InputMediaPhoto,
    Message,
    ReplyParameters,
)

from bot.client.types import Artifact, Result
from bot.i18n import Translator
from bot.keyboards import ContinueButton, continuation_keyboard, result_keyboard
from bot.sources import find_source
from bot.views import (
    caption,
    continuation_controls_text,
    continuation_text,
    controls_text,
    pages_note,
    shown_caption,
    stem_title,
)

MAX_ALBUM_ITEMS: Final = 10
MAX_ALBUM_BYTES: Final = 49_000_000
UPLOAD_TIMEOUT_S: Final = 300
"""For an album of music, which is larger than all else that is sent."""

MAX_PAGES: Final = 20
FILE_NAMES: Final = (
    "score.pdf", "score.mid", "performance.mid", "score.musicxml", "continuation.mid",
)  # fmt: skip
"""What goes out as files, in this order."""

CONTINUATION_SOUND: Final = "continuation.ogg"

_PAGE_NAME = re.compile(r"(?:score|continuation)-(\d+)\.png")
_NOT_IN_FILE_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a result goes: a chat, its topic, and the message that it answers."""

    chat_id: int
    thread_id: int | None = None
    reply_to_id: int | None = None

    @classmethod
    def reply(cls, message: Message) -> Target:
        """In reply to ``message``."""
        return cls(message.chat.id, _thread_id(message), message.message_id)

    @classmethod
    def beside(cls, callback: CallbackQuery) -> Target:
        """Where the pressed button's message is, in reply to what that one replied to."""
        message = callback.message
        if not isinstance(message, Message):
            return cls(message.chat.id if message is not None else callback.from_user.id)
        original = message.reply_to_message
        reply_to_id = None if original is None else original.message_id
        return cls(message.chat.id, _thread_id(message), reply_to_id)

    @property
    def reply_parameters(self) -> ReplyParameters | None:
        """For a sending method; a deleted original is no reason not to send."""
        if self.reply_to_id is None:
            return None
        return ReplyParameters(message_id=self.reply_to_id, allow_sending_without_reply=True)


def _thread_id(message: Message) -> int | None:
    return message.message_thread_id if message.is_topic_message else None


def shown_title(message: Message) -> str:
    """The title of the result whose buttons ``message`` carries, for rendering it again.

    It stands in bold on the message's first line; if it does not, the audio that the message
    answers has it.
    """
    for entity in message.entities or ():
        if entity.type == "bold" and entity.offset == 0 and message.text:
            return entity.extract_from(message.text)
    source = find_source(message.reply_to_message) if message.reply_to_message else None
    return source.title if source is not None else ""


async def deliver(
    bot: Bot,
    target: Target,
    result: Result,
    artifacts: Sequence[Artifact],
    title: str,
    t: Translator,
) -> None:
    """Send the pages, the files, and the buttons.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram refuses; pages that it refuses as photos are left to the PDF.
    """
    pages = _pages(artifacts)
    text = caption(result, title, t)
    if len(pages) > MAX_PAGES:
        text += f"\n{pages_note(MAX_PAGES, len(pages), t)}"
    await _send_pages(bot, target, pages[:MAX_PAGES], text)
    await _send_files(bot, target, artifacts)
    await bot.send_message(
        target.chat_id,
        controls_text(result, title, t),
        message_thread_id=target.thread_id,
        reply_parameters=target.reply_parameters,
        reply_markup=result_keyboard(result, t),
    )


async def send_roll(
    bot: Bot,
    target: Target,
    result: Result,
    artifacts: Sequence[Artifact],
    title: str,
    t: Translator,
) -> None:
    """Send the piano roll, as a file where Telegram refuses it as a photo."""
    text = shown_caption(result, title, t, with_view=False)
    for roll in artifacts:
        try:
            await bot.send_photo(
                target.chat_id,
                _input_file(roll),
                caption=text,
                message_thread_id=target.thread_id,
                reply_parameters=target.reply_parameters,
            )
        except TelegramBadRequest as error:
            logger.warning("roll refused", error=error.message)
            await _send_document(bot, target, roll, text)


async def send_preview(
    bot: Bot,
    target: Target,
    result: Result,
    artifacts: Sequence[Artifact],
    title: str,
    t: Translator,
) -> None:
    """Send the score's sound as a voice message; as a file to who takes no voice messages."""
    for preview in artifacts:
        await _send_voice(bot, target, preview, shown_caption(result, title, t))


async def _send_voice(bot: Bot, target: Target, sound: Artifact, text: str | None) -> None:
    try:
        await bot.send_voice(
            target.chat_id,
            _input_file(sound),
            caption=text,
            duration=round(ogg_duration_s(sound.data)),
            message_thread_id=target.thread_id,
            reply_parameters=target.reply_parameters,
        )
    except TelegramBadRequest as error:
        logger.info("voice message refused", error=error.message)
        await _send_document(bot, target, sound, text)


async def send_stems(
    bot: Bot,
    target: Target,
    result: Result,
    artifacts: Sequence[Artifact],
    title: str,
    t: Translator,
) -> None:
    """Send what a song was separated into, as music with titles; karaoke comes first."""
    duration_s = round(result.duration_s)
    for album in _albums(artifacts):
        titles = [stem_title(stem.name.removesuffix(".mp3"), title, t) for stem in album]
        files = [
            BufferedInputFile(stem.data, filename=f"{_file_name(name)}.mp3")
            for stem, name in zip(album, titles, strict=True)
        ]
        if len(album) == 1:
            await bot.send_audio(
                target.chat_id,
                files[0],
                title=titles[0],
                duration=duration_s,
                message_thread_id=target.thread_id,
                reply_parameters=target.reply_parameters,
                request_timeout=UPLOAD_TIMEOUT_S,
            )
            continue
        await bot.send_media_group(
            target.chat_id,
            [
                InputMediaAudio(media=file, title=name, duration=duration_s)
                for file, name in zip(files, titles, strict=True)
            ],
            message_thread_id=target.thread_id,
            reply_parameters=target.reply_parameters,
            request_timeout=UPLOAD_TIMEOUT_S,
        )


async def send_continuation(
    bot: Bot,
    target: Target,
    shown: ContinueButton,
    artifacts: Sequence[Artifact],
    title: str,
    t: Translator,
) -> None:
    """Send the pages of a continuation, its MIDI, its sound if there is one, and the buttons.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram refuses.
    """
    text = continuation_text(shown.measures, shown.boldness, title, t)
    await _send_pages(bot, target, _pages(artifacts)[:MAX_PAGES], text)
    await _send_files(bot, target, artifacts)
    for sound in artifacts:
        if sound.name == CONTINUATION_SOUND:
            await _send_voice(bot, target, sound, None)
    await bot.send_message(
        target.chat_id,
        continuation_controls_text(shown.measures, shown.boldness, title, t),
        message_thread_id=target.thread_id,
        reply_parameters=target.reply_parameters,
        reply_markup=continuation_keyboard(shown, t),
    )


def _albums(artifacts: Sequence[Artifact]) -> list[list[Artifact]]:
    """Files in their order, together as far as an album's limits allow."""
    albums: list[list[Artifact]] = []
    for artifact in artifacts:
        fits = (
            albums
            and len(albums[-1]) < MAX_ALBUM_ITEMS
            and sum(len(file.data) for file in [*albums[-1], artifact]) <= MAX_ALBUM_BYTES
        )
        if fits:
            albums[-1].append(artifact)
        else:
            albums.append([artifact])
    return albums


def _file_name(title: str) -> str:
    """A title without what file systems refuse."""
    return _NOT_IN_FILE_NAMES.sub("_", title)


def ogg_duration_s(data: bytes) -> float:
    """Length of Opus in Ogg: the last page's granule position, in 48 kHz samples (RFC 7845)."""
    page = data.rfind(b"OggS")
    if page < 0 or len(data) < page + 14:
        return 0.0
    return max(int.from_bytes(data[page + 6 : page + 14], "little", signed=True), 0) / 48_000


def _pages(artifacts: Sequence[Artifact]) -> list[Artifact]:
    """The pages in their order."""
    numbered = [
        (int(match[1]), artifact)
        for artifact in artifacts
        if (match := _PAGE_NAME.fullmatch(artifact.name))
    ]
    return [page for _, page in sorted(numbered, key=lambda item: item[0])]


async def _send_pages(bot: Bot, target: Target, pages: Sequence[Artifact], text: str) -> None:
    """Send pages; of those that Telegram refuses, what there is to say."""
    try:
        await _send_albums(bot, target, pages, text)
    except TelegramBadRequest as error:
        logger.warning("pages refused", pages=len(pages), error=error.message)
        await _send_text(bot, target, text)


async def _send_albums(bot: Bot, target: Target, pages: Sequence[Artifact], text: str) -> None:
    if not pages:
        await _send_text(bot, target, text)
    for first in range(0, len(pages), MAX_ALBUM_ITEMS):
        album = pages[first : first + MAX_ALBUM_ITEMS]
        album_text = text if first == 0 else None
        if len(album) == 1:
            await bot.send_photo(
                target.chat_id,
                _input_file(album[0]),
                caption=album_text,
                message_thread_id=target.thread_id,
                reply_parameters=target.reply_parameters,
            )
            continue
        await bot.send_media_group(
            target.chat_id,
            [
                InputMediaPhoto(media=_input_file(page), caption=album_text if index == 0 else None)
                for index, page in enumerate(album)
            ],
            message_thread_id=target.thread_id,
            reply_parameters=target.reply_parameters,
        )


async def _send_files(bot: Bot, target: Target, artifacts: Sequence[Artifact]) -> None:
    by_name = {artifact.name: artifact for artifact in artifacts}
    files = [by_name[name] for name in FILE_NAMES if name in by_name]
    if len(files) == 1:
        await bot.send_document(
            target.chat_id,
            _input_file(files[0]),
            message_thread_id=target.thread_id,
        )
    elif files:
        await bot.send_media_group(
            target.chat_id,
            [InputMediaDocument(media=_input_file(file)) for file in files],
            message_thread_id=target.thread_id,
        )


async def _send_document(bot: Bot, target: Target, file: Artifact, text: str | None) -> None:
    await bot.send_document(
        target.chat_id,
        _input_file(file),
        caption=text,
        message_thread_id=target.thread_id,
        reply_parameters=target.reply_parameters,
    )


async def _send_text(bot: Bot, target: Target, text: str) -> None:
    await bot.send_message(
        target.chat_id,
        text,
        message_thread_id=target.thread_id,
        reply_parameters=target.reply_parameters,
    )


def _input_file(artifact: Artifact) -> BufferedInputFile:
    return BufferedInputFile(artifact.data, filename=artifact.name)

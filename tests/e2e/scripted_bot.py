"""A small aiogram bot that produces, on command, everything the chat page must show."""

from __future__ import annotations

import asyncio
import hashlib
import io
import math
import struct
import wave
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiogram import Bot, Dispatcher, F, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ContentType
from aiogram.filters import Command
from aiogram.types import (
    BotCommand,
    BotCommandScopeChat,
    BufferedInputFile,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaAudio,
    InputMediaDocument,
    InputMediaPhoto,
    Message,
    ReactionTypeEmoji,
    ReplyParameters,
)

from bot.localchat.server import LocalChat

go_on = asyncio.Event()
"""Set by a test once it has seen the intermediate state of ``/vanish`` or the button "Slow"."""

HOSTILE = "<img src=x onerror=\"document.title='stolen'\"><script>document.title='stolen'</script>"


def build_png(width_px: int, height_px: int, shade: int = 255) -> bytes:
    """A grey PNG with groups of five dark lines, like an empty page of music."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(
        b"\0" + bytes([0 if y % 60 in {10, 18, 26, 34, 42} else shade]) * width_px
        for y in range(height_px)
    )
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def build_sound(duration_s: float) -> bytes:
    """A WAV file: a beep of one pitch."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        samples = (
            round(8000 * math.sin(2 * math.pi * 440 * i / 8000))
            for i in range(round(8000 * duration_s))
        )
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return target.getvalue()


def build_bot(chat: LocalChat) -> Bot:
    """aiogram's own client, pointed at the local chat."""
    server = TelegramAPIServer.from_base(chat.api_base_url)
    return Bot(chat.token, session=AiohttpSession(api=server))


def keyboard(*rows: list[tuple[str, str]]) -> InlineKeyboardMarkup:
    """An inline keyboard of (text, callback data)."""
    return InlineKeyboardMarkup(
        inline_keyboard=[
            [InlineKeyboardButton(text=text, callback_data=data) for text, data in row]
            for row in rows
        ]
    )


router = Router()


@router.message(Command("start"))
async def start(message: Message) -> None:
    await message.answer(
        "<b>Bold</b>, <i>italic</i>, <code>code</code> and a "
        '<a href="https://example.org/">link</a>. Try /album.\n'
        "<blockquote>quoted</blockquote><pre>C   | F   | G7  | C</pre>",
        parse_mode="HTML",
        reply_markup=keyboard(
            [("Toast", "toast"), ("Alert", "alert")],
            [("Edit", "edit"), ("Slow", "slow"), ("Drop keys", "drop")],
        ),
    )


@router.message(Command("album"))
async def album(message: Message, bot: Bot) -> None:
    pages = [
        InputMediaPhoto(
            media=BufferedInputFile(build_png(600, 800, 255 - 12 * i), f"score-{i}.png"),
            caption="Three pages" if i == 0 else None,
        )
        for i in range(3)
    ]
    await bot.send_media_group(message.chat.id, pages)  # type: ignore[arg-type]
    names = ("score.pdf", "нота.mid", "score.musicxml")
    files = [InputMediaDocument(media=BufferedInputFile(b"0" * 2048, name)) for name in names]
    await bot.send_media_group(message.chat.id, files)  # type: ignore[arg-type]


@router.message(Command("tracks"))
async def tracks(message: Message, bot: Bot) -> None:
    names = ("Песня (karaoke)", "Песня (a cappella)")
    music = [
        InputMediaAudio(
            media=BufferedInputFile(build_sound(2.0), f"{name}.wav"), title=name, duration=2
        )
        for name in names
    ]
    await bot.send_media_group(message.chat.id, music)  # type: ignore[arg-type]


@router.message(Command("progress"))
async def progress(message: Message, bot: Bot) -> None:
    await bot.send_chat_action(message.chat.id, "typing")
    status = await message.answer("0 %")
    for percent in (50, 100):
        await status.edit_text(f"{percent} %")


@router.message(Command("hostile"))
async def hostile(message: Message) -> None:
    await message.answer(HOSTILE, reply_markup=keyboard([(HOSTILE[:60], "toast")]))
    await message.answer_document(BufferedInputFile(HOSTILE.encode(), "<b>page</b>.html"))
    await message.answer('<a href="javascript:alert(1)">press me</a>', parse_mode="HTML")


@router.message(Command("vanish"))
async def vanish(message: Message) -> None:
    reply = await message.answer("for a moment")
    await go_on.wait()
    await reply.delete()
    await message.react([ReactionTypeEmoji(emoji="👌")])


@router.message(Command("who"))
async def who(message: Message) -> None:
    assert message.from_user is not None
    await message.answer(f"user {message.from_user.id}, {message.from_user.language_code}")


@router.message(Command("score"))
async def score(message: Message) -> None:
    original = message.reply_to_message
    await message.answer(
        f"asked about {ContentType(original.content_type).name if original else 'nothing'}"
    )


@router.message(F.voice | F.audio | F.video | F.video_note | F.document | F.photo)
async def media(message: Message, bot: Bot) -> None:
    file = (
        message.voice
        or message.audio
        or message.video
        or message.video_note
        or message.document
        or (message.photo[-1] if message.photo else None)
    )
    assert file is not None
    if (file.file_size or 0) > 20 * 1024 * 1024:
        await message.reply("too large")
        return
    data = await bot.download(file)
    assert data is not None
    digest = hashlib.sha256(data.read()).hexdigest()[:12]
    forwarded = " forwarded" if message.forward_origin else ""
    duration = getattr(file, "duration", None)
    caption = f" “{message.caption}”" if message.caption else ""
    kind = ContentType(message.content_type).name
    await message.reply(
        f"{kind}{forwarded} of {file.file_size} bytes, {duration} s, {digest}{caption}"
    )


@router.message(F.text)
async def echo(message: Message) -> None:
    await message.answer(
        f"you said: {message.text}",
        reply_parameters=ReplyParameters(message_id=message.message_id),
    )


@router.callback_query()
async def press(query: CallbackQuery) -> None:
    message = query.message
    assert isinstance(message, Message)
    match query.data:
        case "toast":
            await query.answer("a toast")
        case "alert":
            await query.answer("an alert", show_alert=True)
        case "edit":
            await query.answer()
            await message.edit_text("edited", reply_markup=keyboard([("Toast", "toast")]))
        case "slow":
            await go_on.wait()
            await query.answer("at last")
        case "drop":
            await query.answer()
            await message.edit_reply_markup()


@asynccontextmanager
async def run_scripted_bot(chat: LocalChat) -> AsyncIterator[Bot]:
    """Poll with the scripted bot until the context ends."""
    go_on.clear()
    bot = build_bot(chat)
    dispatcher = Dispatcher()
    # A router has one parent at a time, and every test builds a dispatcher of its own.
    router._parent_router = None
    dispatcher.include_router(router)
    for language, words in (("", ("Start", "Pages")), ("ru", ("Начать", "Страницы"))):
        await bot.set_my_commands(
            [
                BotCommand(command=name, description=description)
                for name, description in zip(("start", "album"), words, strict=True)
            ],
            language_code=language or None,
        )
    await bot.set_my_commands(
        [
            BotCommand(command="start", description="Start"),
            BotCommand(command="album", description="Pages"),
            BotCommand(command="models", description="Models"),
        ],
        scope=BotCommandScopeChat(chat_id=chat.admin_user_id),
    )
    await bot.set_my_description("Sends what it is asked for.")
    polling = asyncio.create_task(
        dispatcher.start_polling(bot, handle_signals=False, polling_timeout=5)
    )
    try:
        yield bot
    finally:
        await dispatcher.stop_polling()
        await polling

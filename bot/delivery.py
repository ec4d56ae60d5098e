"""Sending results to a chat: pages as albums, files, and a message with buttons.

Limits of the Bot API that shape this module:

- An album has 2 to 10 items, so a single page is sent as a photo.
- An upload is limited to 50 MB, so the stems of long songs are split into several albums.
- Albums cannot carry buttons, so the buttons have a message of their own.

At most :data:`MAX_PAGES` pages are sent as pictures; the PDF has all of them.

What Telegram does not take does not hold up the rest: the buttons always follow, and then ask for
the missing part with one press.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import structlog
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
)
from aiogram.types import (
    BufferedInputFile,
    InputMediaAudio,
    InputMediaDocument,
    InputMediaPhoto,
)

from bot.buttons import ContinueButton, Extra, Medium
from bot.client.types import Artifact, Result
from bot.keyboards import again_keyboard, continuation_keyboard, result_keyboard
from bot.ledger import UNRECORDED, Ledger
from bot.request import Request
from bot.session import AnswerLostError
from bot.status import StatusMessage
from bot.views import (
    caption,
    continuation_controls_text,
    continuation_text,
    controls_text,
    interrupted_text,
    pages_note,
    shown_caption,
    stem_title,
)

MAX_ALBUM_ITEMS: Final = 10
MAX_ALBUM_BYTES: Final = 49_000_000
UPLOAD_TIMEOUT_S: Final = 300
"""For albums of music, the largest uploads."""

MAX_PAGES: Final = 20
FILE_ORDER: Final = ("score.pdf", "score.mid", "performance.mid", "score.musicxml")
"""The order of files; others follow."""

CONTINUATION_SOUND: Final = "continuation.ogg"

_PAGE_NAME = re.compile(r"(?:score|continuation)-(\d+)\.png")
_NOT_IN_FILE_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')

logger = structlog.get_logger(__name__)


async def deliver(
    request: Request,
    result: Result,
    artifacts: Sequence[Artifact],
    title: str,
    ledger: Ledger = UNRECORDED,
    status: StatusMessage | None = None,
) -> None:
    """Send the pages, the files, and the buttons.

    Parameters
    ----------
    request : Request
    result : Result
    artifacts : sequence of Artifact
    title : str
    ledger : Ledger
        Which parts an earlier run of the bot has begun; these are not sent again.
    status : StatusMessage or None
        Offers the result once more if an earlier run may or may not have sent the buttons: an edit
        can be repeated.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram does not take the buttons, or the person has blocked the bot.
    """
    t = request.t
    pages = _pages(artifacts)
    text = caption(result, title, t)
    if len(pages) > MAX_PAGES:
        text += f"\n{pages_note(MAX_PAGES, len(pages), t)}"
    is_complete = await _attempt(
        ledger, "pages", lambda: _send_pages(request, pages[:MAX_PAGES], text)
    )
    is_complete &= await _attempt(ledger, "files", lambda: _send_files(request, artifacts))
    keyboard = result_keyboard(result, t, is_complete=is_complete)
    words = controls_text(result, title, t, is_complete=is_complete)
    if await ledger.begin("buttons"):
        try:
            await request.say(words, keyboard)
        except TelegramAPIError as error:
            if not isinstance(error, TelegramNetworkError):
                await ledger.take_back("buttons")
            raise
        await ledger.end("buttons")
    elif status is not None and not ledger.is_delivered("buttons"):
        await status.become(interrupted_text(result, title, t), again_keyboard(result, t))


async def _attempt(ledger: Ledger, part: str, send: Callable[[], Awaitable[None]]) -> bool:
    """Send one part of a result, unless it was begun before; whether it is known to have arrived.

    Raises
    ------
    aiogram.exceptions.TelegramForbiddenError
        If the bot may not write to this chat.
    """
    if not await ledger.begin(part):
        return ledger.is_delivered(part)
    try:
        await send()
    except TelegramForbiddenError:
        raise
    except TelegramAPIError as error:
        logger.warning("not delivered", part=part, error=type(error).__name__)
        if not isinstance(error, TelegramNetworkError):
            await ledger.take_back(part)
        return False
    await ledger.end(part)
    return True


async def send_extra(
    request: Request, extra: Extra, result: Result, artifacts: Sequence[Artifact], title: str
) -> None:
    """Send the files of an extra button, with a caption or titles.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram refuses a message; refused photos and voice messages are sent as files.
    """
    if extra.medium is Medium.MUSIC:
        await _send_music(request, result, artifacts, title)
        return
    text = shown_caption(result, title, request.t, with_view=not extra.in_every_view)
    for artifact in artifacts:
        await _send_as(request, extra.medium, artifact, text)


async def send_continuation(
    request: Request, shown: ContinueButton, artifacts: Sequence[Artifact], title: str
) -> None:
    """Send a continuation: pages, MIDI, sound if there is any, and the buttons.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram does not take the buttons, or the person has blocked the bot.
    """
    t = request.t
    text = continuation_text(shown.measures, shown.boldness, title, t)
    pages = _pages(artifacts)[:MAX_PAGES]
    sounds = [file for file in artifacts if file.name == CONTINUATION_SOUND]
    await _attempt(UNRECORDED, "pages", lambda: _send_pages(request, pages, text))
    await _attempt(UNRECORDED, "files", lambda: _send_files(request, artifacts))
    for sound in sounds:
        await _attempt(UNRECORDED, "sound", partial(_send_as, request, Medium.VOICE, sound, None))
    await request.say(
        continuation_controls_text(shown.measures, shown.boldness, title, t),
        continuation_keyboard(shown, t),
    )


async def _send_as(request: Request, medium: Medium, file: Artifact, text: str | None) -> None:
    """Send a photo or a voice message, or a plain file if Telegram refuses it.

    It refuses voice messages to people who do not accept them, and very long or wide photos.
    """
    bot, address = request.bot, request.destination.address
    try:
        with suppress(AnswerLostError):
            if medium is Medium.VOICE:
                duration_s = round(ogg_duration_s(file.data))
                await bot.send_voice(
                    voice=_input_file(file), caption=text, duration=duration_s, **address
                )
            else:
                await bot.send_photo(photo=_input_file(file), caption=text, **address)
    except TelegramBadRequest as error:
        logger.warning("sent as a file", medium=medium.name.lower(), error=error.message)
        with suppress(AnswerLostError):
            await bot.send_document(document=_input_file(file), caption=text, **address)


async def _send_music(
    request: Request, result: Result, artifacts: Sequence[Artifact], title: str
) -> None:
    """Send stems as music with titles, in the order given."""
    duration_s = round(result.duration_s)
    address = {**request.destination.address, "request_timeout": UPLOAD_TIMEOUT_S}
    for album in _albums(artifacts):
        titles = [stem_title(stem.name.removesuffix(".mp3"), title, request.t) for stem in album]
        files = [
            BufferedInputFile(stem.data, filename=f"{_file_name(name)}.mp3")
            for stem, name in zip(album, titles, strict=True)
        ]
        with suppress(AnswerLostError):
            if len(album) == 1:
                await request.bot.send_audio(
                    audio=files[0], title=titles[0], duration=duration_s, **address
                )
                continue
            await request.bot.send_media_group(
                media=[
                    InputMediaAudio(media=file, title=name, duration=duration_s)
                    for file, name in zip(files, titles, strict=True)
                ],
                **address,
            )


def _albums(artifacts: Sequence[Artifact]) -> list[list[Artifact]]:
    """Split files into albums within Telegram's limits, in the order given."""
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
    """Replace characters that file systems refuse."""
    return _NOT_IN_FILE_NAMES.sub("_", title)


def ogg_duration_s(data: bytes) -> float:
    """Duration of Opus in Ogg: the last page's granule position, in 48 kHz samples (RFC 7845)."""
    page = data.rfind(b"OggS")
    if page < 0 or len(data) < page + 14:
        return 0.0
    return max(int.from_bytes(data[page + 6 : page + 14], "little", signed=True), 0) / 48_000


def _pages(artifacts: Sequence[Artifact]) -> list[Artifact]:
    """The pages, by number."""
    numbered = [
        (int(match[1]), artifact)
        for artifact in artifacts
        if (match := _PAGE_NAME.fullmatch(artifact.name))
    ]
    return [page for _, page in sorted(numbered, key=lambda item: item[0])]


async def _send_pages(request: Request, pages: Sequence[Artifact], text: str) -> None:
    """Send pages with a caption; the caption alone if there are none or Telegram refuses them."""
    if not pages:
        await request.say(text)
        return
    try:
        await _send_page_albums(request, pages, text)
    except TelegramBadRequest as error:
        logger.warning("pages refused", pages=len(pages), error=error.message)
        await request.say(text)


async def _send_page_albums(request: Request, pages: Sequence[Artifact], text: str) -> None:
    bot, address = request.bot, request.destination.address
    for first in range(0, len(pages), MAX_ALBUM_ITEMS):
        album = pages[first : first + MAX_ALBUM_ITEMS]
        album_text = text if first == 0 else None
        with suppress(AnswerLostError):
            if len(album) == 1:
                await bot.send_photo(photo=_input_file(album[0]), caption=album_text, **address)
                continue
            captions = [album_text, *[None] * (len(album) - 1)]
            await bot.send_media_group(
                media=[
                    InputMediaPhoto(media=_input_file(page), caption=words)
                    for page, words in zip(album, captions, strict=True)
                ],
                **address,
            )


async def _send_files(request: Request, artifacts: Sequence[Artifact]) -> None:
    """Send everything except pages and sound as files, in :data:`FILE_ORDER`."""
    files = sorted(
        (file for file in artifacts if not _is_page_or_sound(file.name)),
        key=lambda file: (*FILE_ORDER, file.name).index(file.name),
    )
    place = request.destination.place
    with suppress(AnswerLostError):
        if len(files) == 1:
            await request.bot.send_document(document=_input_file(files[0]), **place)
        elif files:
            await request.bot.send_media_group(
                media=[InputMediaDocument(media=_input_file(file)) for file in files], **place
            )


def _is_page_or_sound(name: str) -> bool:
    return _PAGE_NAME.fullmatch(name) is not None or name == CONTINUATION_SOUND


def _input_file(artifact: Artifact) -> BufferedInputFile:
    return BufferedInputFile(artifact.data, filename=artifact.name)

"""Sending results to a chat: a page with its buttons, and what the buttons ask for.

Limits of the Bot API that shape this module:

- An album carries no buttons, so one page is shown at a time (:mod:`bot.sheet`).
- An album has 2 to 10 items, so a single file is sent on its own.
- An upload is limited to 50 MB, so the stems of long songs are split into several albums.

A page that Telegram does not take does not hold up the buttons: they come without it, and one press
asks for it again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath
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
)

from bot.buttons import ContinueButton, Extra, Medium
from bot.client.types import Artifact, Result
from bot.file_names import PERFORMANCE, continuation_file_name, safe_name, score_file_name
from bot.fix_buttons import Topic, UndoButton
from bot.fix_keyboards import fix_keyboard
from bot.i18n import Translator
from bot.keyboards import again_keyboard, continuation_keyboard, result_keyboard
from bot.ledger import UNRECORDED, Ledger
from bot.request import Press, Request
from bot.session import AnswerLostError
from bot.sheet import Sheet, as_upload, find_page, send_sheet, turn_into
from bot.status import StatusMessage
from bot.views import (
    caption,
    interrupted_text,
    shown_caption,
    stem_title,
)

MAX_ALBUM_ITEMS: Final = 10
MAX_ALBUM_BYTES: Final = 49_000_000
UPLOAD_TIMEOUT_S: Final = 300
"""For albums of music, the largest uploads."""

FILE_ORDER: Final = (".pdf", ".mid", ".musicxml")
"""The order of files, by their suffixes; others follow."""

CONTINUATION_SOUND: Final = "continuation.ogg"

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A result as the chat shows it.

    Parameters
    ----------
    result : Result
    artifacts : sequence of Artifact
        Files of the result, with the page to show among them.
    title : str
    page : int
        The number of that page.
    with_models : bool
        Whether the caption names the models, which administrators want to know.
    topic : Topic
        Which choices of corrections are open.
    before : UndoButton or None
        The state to which "Undo" returns, if it is not the one before the latest correction.
    note : str
        What is said once under the caption.
    bar : int
        The bar that is open in the choices; 0 for none.
    """

    result: Result
    artifacts: Sequence[Artifact]
    title: str
    page: int = 1
    with_models: bool = False
    topic: Topic = Topic.NONE
    before: UndoButton | None = None
    note: str = ""
    bar: int = 0

    def sheet(self, request: Request, *, is_complete: bool = True) -> Sheet:
        """The page with its caption and buttons; without the page if it could not be sent."""
        t, result = request.t, self.result
        page = min(self.page, result.pages or self.page)  # none is counted where none was drawn
        picture = find_page(self.artifacts, page) if is_complete else None
        text = caption(result, self.title, t, with_models=self.with_models, is_complete=is_complete)
        if self.note:
            text += "\n\n" + self.note
        if self.topic is not Topic.NONE:
            keyboard = fix_keyboard(result, self.topic, t, self.before, page, self.bar)
            hint = t("fix.hint.bar") if self.topic is Topic.FROM_BAR else t("fix.hint")
            return Sheet(picture, text + "\n\n" + hint, keyboard)
        keyboard = result_keyboard(
            result,
            t,
            page=page,
            is_complete=is_complete,
            before=self.before,
            practise=request.practise_button(result, self.title),
        )
        return Sheet(picture, text, keyboard)


async def deliver(
    request: Request,
    shown: Shown,
    ledger: Ledger = UNRECORDED,
    status: StatusMessage | None = None,
) -> None:
    """Send the page with its buttons, or the buttons alone if Telegram does not take the page.

    Parameters
    ----------
    request : Request
    shown : Shown
    ledger : Ledger
        Which parts an earlier run of the bot has begun; these are not sent again.
    status : StatusMessage or None
        Offers the result once more if an earlier run may or may not have sent it: an edit can be
        repeated.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram does not take the buttons, or the person has blocked the bot.
    """
    t = request.t
    if ledger.is_delivered("page") or ledger.is_delivered("buttons"):
        return
    if await ledger.begin("page"):
        if await _attempt(ledger, lambda: send_sheet(request, shown.sheet(request))):
            return
        if await ledger.begin("buttons"):
            await _send_buttons(request, shown, ledger)
            return
    if status is not None:
        result = shown.result
        await status.become(interrupted_text(result, shown.title, t), again_keyboard(result, t))


async def show_in_place(press: Press, shown: Shown) -> None:
    """Let the message with the pressed button show a result another way.

    Where that cannot be, a new message takes its place.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram takes neither.
    """
    if not await turn_into(press, shown.sheet(press)):
        await deliver(press, shown)
        await press.delete_message()


async def _attempt(ledger: Ledger, send: Callable[[], Awaitable[None]]) -> bool:
    """Send the page; whether it is known to have arrived.

    Raises
    ------
    aiogram.exceptions.TelegramForbiddenError
        If the bot may not write to this chat.
    """
    try:
        await send()
    except TelegramForbiddenError:
        raise
    except TelegramAPIError as error:
        logger.warning("page not delivered", error=type(error).__name__)
        if not isinstance(error, TelegramNetworkError):
            await ledger.take_back("page")
        return False
    await ledger.end("page")
    return True


async def _send_buttons(request: Request, shown: Shown, ledger: Ledger) -> None:
    """Send the buttons without the page, which one of them asks for again."""
    try:
        await send_sheet(request, shown.sheet(request, is_complete=False))
    except TelegramAPIError as error:
        if not isinstance(error, TelegramNetworkError):
            await ledger.take_back("buttons")
        raise
    await ledger.end("buttons")


async def send_extra(
    request: Request, extra: Extra, result: Result, artifacts: Sequence[Artifact], title: str
) -> int | None:
    """Send the files of an extra button, with a caption or titles.

    Returns
    -------
    int or None
        The id of the first message; None if it is not known.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram refuses a message; refused photos and voice messages are sent as files.
    """
    if extra.medium is Medium.MUSIC:
        return await _send_music(request, result, artifacts, title)
    if extra.medium is Medium.FILES:
        return await _send_files(
            request, artifacts, lambda name: score_file_name(name, result, title, request.t)
        )
    text = shown_caption(result, title, request.t, with_view=not extra.in_every_view)
    sent = [await _send_as(request, extra.medium, artifact, text) for artifact in artifacts]
    return sent[0] if sent else None


async def send_continuation(
    request: Request,
    shown: ContinueButton,
    result: Result,
    artifacts: Sequence[Artifact],
    text: str,
) -> None:
    """Send a continuation: sound if there is any, then a page with the buttons.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram does not take the buttons, or the person has blocked the bot.
    """
    for sound in artifacts:
        if sound.name == CONTINUATION_SOUND:
            try:
                await _send_as(request, Medium.VOICE, sound, None)
            except TelegramForbiddenError:
                raise
            except TelegramAPIError as error:
                logger.warning("sound not delivered", error=type(error).__name__)
    sheet = continuation_sheet(shown, result, artifacts, text, request.t)
    try:
        await send_sheet(request, sheet)
    except TelegramBadRequest as error:
        logger.warning("page refused", error=error.message)
        await request.say(sheet.caption, sheet.keyboard)


def continuation_sheet(
    shown: ContinueButton,
    result: Result,
    artifacts: Sequence[Artifact],
    text: str,
    t: Translator,
    page: int = 1,
) -> Sheet:
    """A page of a continuation with its caption and buttons."""
    page = min(page, max(result.pages, 1))
    return Sheet(
        find_page(artifacts, page),
        text,
        continuation_keyboard(shown, t, page=page, pages=result.pages),
    )


async def send_continuation_files(
    request: Request, artifacts: Sequence[Artifact], title: str
) -> int | None:
    """Send the files of a continuation; return the message's id, None if it is not known.

    Raises
    ------
    aiogram.exceptions.TelegramAPIError
        If Telegram does not take them.
    """
    return await _send_files(
        request, artifacts, lambda name: continuation_file_name(name, title, request.t)
    )


async def _send_as(
    request: Request, medium: Medium, file: Artifact, text: str | None
) -> int | None:
    """Send a photo or a voice message, or a plain file if Telegram refuses it.

    It refuses voice messages to people who do not accept them, and very long or wide photos.
    Returns the message's id; None if it is not known.
    """
    bot, address = request.bot, request.destination.address
    try:
        with suppress(AnswerLostError):
            if medium is Medium.VOICE:
                duration_s = round(ogg_duration_s(file.data))
                sent = await bot.send_voice(
                    voice=as_upload(file), caption=text, duration=duration_s, **address
                )
            else:
                sent = await bot.send_photo(photo=as_upload(file), caption=text, **address)
            return sent.message_id
    except TelegramBadRequest as error:
        logger.warning("sent as a file", medium=medium.name.lower(), error=error.message)
        with suppress(AnswerLostError):
            document = as_upload(file)
            return (await bot.send_document(document=document, caption=text, **address)).message_id
    return None


async def _send_music(
    request: Request, result: Result, artifacts: Sequence[Artifact], title: str
) -> int | None:
    """Send stems as music with titles, in the order given; return the first message's id."""
    first_id = None
    duration_s = round(result.duration_s)
    address = {**request.destination.address, "request_timeout": UPLOAD_TIMEOUT_S}
    for album in _albums(artifacts):
        titles = [stem_title(stem.name.removesuffix(".mp3"), title, request.t) for stem in album]
        files = [
            BufferedInputFile(stem.data, filename=f"{safe_name(name)}.mp3")
            for stem, name in zip(album, titles, strict=True)
        ]
        with suppress(AnswerLostError):
            if len(album) == 1:
                sent = [
                    await request.bot.send_audio(
                        audio=files[0], title=titles[0], duration=duration_s, **address
                    )
                ]
            else:
                sent = await request.bot.send_media_group(
                    media=[
                        InputMediaAudio(media=file, title=name, duration=duration_s)
                        for file, name in zip(files, titles, strict=True)
                    ],
                    **address,
                )
            first_id = first_id or (sent[0].message_id if sent else None)
    return first_id


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


def ogg_duration_s(data: bytes) -> float:
    """Duration of Opus in Ogg: the last page's granule position, in 48 kHz samples (RFC 7845)."""
    page = data.rfind(b"OggS")
    if page < 0 or len(data) < page + 14:
        return 0.0
    return max(int.from_bytes(data[page + 6 : page + 14], "little", signed=True), 0) / 48_000


async def _send_files(
    request: Request, artifacts: Sequence[Artifact], name: Callable[[str], str]
) -> int | None:
    """Send files in :data:`FILE_ORDER` as one album, under names that people recognise.

    Returns the id of the first message; None if it is not known.
    """
    files = sorted(artifacts, key=lambda file: _rank(file.name))
    uploads = [as_upload(file, name(file.name)) for file in files]
    address = request.destination.address
    with suppress(AnswerLostError):
        if len(uploads) == 1:
            return (await request.bot.send_document(document=uploads[0], **address)).message_id
        if uploads:
            album = await request.bot.send_media_group(
                media=[InputMediaDocument(media=upload) for upload in uploads], **address
            )
            return album[0].message_id if album else None
    return None


def _rank(name: str) -> tuple[int, bool]:
    """The place of a file among others; of MIDI files, the performance follows the score."""
    path = PurePath(name)
    rank = (*FILE_ORDER, path.suffix).index(path.suffix)
    return rank, path.stem == PERFORMANCE

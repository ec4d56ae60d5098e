"""What the practice page can have done: the score shown, edited, and sent to the chat.

Edits build on each other by revision: the id of a corrected result. The newest revision of a link's
result is noted; an edit that builds on an older one is refused, so that two browsers lose nothing
of each other's.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Final

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramForbiddenError
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from bot.buttons import EXTRAS, FilesButton
from bot.client.calls import ServiceClient, collect
from bot.client.sheets import Screen, Sheet, Sound, SoundEncoding
from bot.client.types import FILE_FORMATS, Format, RenderOptions
from bot.delivery import Shown, deliver, send_extra
from bot.errors import BotError, BotErrorCode, ServiceError, ServiceErrorCode
from bot.frames import forget_frames
from bot.i18n import Translator
from bot.jobs import Jobs, RunningUpdates
from bot.practice.invitation import Invitations
from bot.practice.limits import Places, PlacesByKey
from bot.practice.links import Link
from bot.practice.store import Head, HeadStore
from bot.request import Destination, Request
from bot.room import Room
from bot.settings import BotSettings

MAX_ENGRAVING: Final = 4
MAX_WAITING: Final = 24
MAX_WAITING_OF_LINK: Final = 4

logger = structlog.get_logger(__name__)


class ConflictError(BotError):
    """An edit builds on a revision that is not the newest."""

    def __init__(self, newest: str) -> None:
        super().__init__(BotErrorCode.EDIT_CONFLICT)
        self.newest = newest


@dataclass(frozen=True, slots=True)
class Opened:
    """A score, and how far its edits have come."""

    sheet: Sheet
    head: Head

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier revision."""
        return bool(self.sheet.result.previous_id)

    @property
    def can_redo(self) -> bool:
        """Whether a revision was undone since the last edit."""
        return bool(self.head.undone)


@dataclass(frozen=True, slots=True)
class View:
    """How a score is wanted.

    Parameters
    ----------
    options : RenderOptions
    screen : Screen
    request_id : str
    """

    options: RenderOptions
    screen: Screen
    request_id: str


@dataclass(frozen=True, slots=True)
class Desk:
    """Works for those who were let in."""

    settings: BotSettings
    client: ServiceClient
    bot: Bot
    heads: HeadStore
    invitations: Invitations
    jobs: Jobs
    running: RunningUpdates
    deliveries: Room
    _turns: PlacesByKey = field(default_factory=lambda: PlacesByKey(1, MAX_WAITING_OF_LINK))
    _engraving: Places = field(default_factory=lambda: Places(MAX_ENGRAVING, MAX_WAITING))
    _sending: set[asyncio.Task[None]] = field(default_factory=set)

    async def open(self, link: Link, view: View) -> Opened:
        """Return the newest revision; that of the link if the service has lost the newest.

        Raises
        ------
        BotError, BusyError
        """
        async with self._turns.place(link.key):
            head = await self.heads.find(link)
            try:
                return Opened(await self._engrave(head.revision, view), head)
            except ServiceError as error:
                is_lost = error.code == ServiceErrorCode.RESULT_EXPIRED
                if not is_lost or head.revision == link.shown.result_id:
                    raise
                forget_frames(error)
            sheet = await self._engrave(link.shown.result_id, view)
            await self.heads.drop(link)
            return Opened(sheet, await self.heads.find(link))

    async def edit(self, link: Link, revision: str, view: View) -> Opened:
        """Add the corrections of a view to the newest revision.

        Raises
        ------
        ConflictError
            If ``revision`` is not the newest.
        BotError, BusyError
        """
        async with self._turns.place(link.key):
            head = await self._require_newest(link, revision)
            sheet = await self._engrave(head.revision, view)
            if sheet.result.result_id != head.revision:
                head = Head(sheet.result.result_id)
                await self.heads.note(link, head)
            return Opened(sheet, head)

    async def undo(self, link: Link, revision: str, view: View) -> Opened:
        """Return to the revision before the newest.

        Raises
        ------
        ConflictError
            If ``revision`` is not the newest.
        BotError, BusyError
        """
        async with self._turns.place(link.key):
            head = await self._require_newest(link, revision)
            newest = await self.client.describe(
                head.revision, view.options, request_id=view.request_id
            )
            if not newest.previous_id:
                raise BotError(BotErrorCode.INVALID_REQUEST)
            earlier = Head(newest.previous_id, (*head.undone, head.revision))
            return await self._go_to(link, earlier, view)

    async def redo(self, link: Link, revision: str, view: View) -> Opened:
        """Return to the revision that was undone last.

        Raises
        ------
        ConflictError
            If ``revision`` is not the newest.
        BotError, BusyError
        """
        async with self._turns.place(link.key):
            head = await self._require_newest(link, revision)
            if not head.undone:
                raise BotError(BotErrorCode.INVALID_REQUEST)
            return await self._go_to(link, Head(head.undone[-1], head.undone[:-1]), view)

    async def send(self, link: Link, revision: str, options: RenderOptions, t: Translator) -> None:
        """Begin to send the newest revision to the chat: the page with its buttons, and the files.

        Raises
        ------
        ConflictError
            If ``revision`` is not the newest.
        BotError
            ``TOO_MANY_JOBS`` if the last one is still under way.
        """
        await self._require_newest(link, revision)
        async with AsyncExitStack() as stack:
            if not await stack.enter_async_context(self.jobs.slot(("practice", link.key), 1)):
                raise BotError(BotErrorCode.TOO_MANY_JOBS)
            request = self._request(link, t)
            work = self._send(request, link, revision, options, stack.pop_all())
        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def write_address(self, link: Link, t: Translator) -> None:
        """Write into the chat where the page is found with any browser.

        Raises
        ------
        BotError
            ``DELIVERY_FAILED``.
        """
        url = self.invitations.for_any_browser(link)
        button = InlineKeyboardButton(text=t("button.practise"), url=url)
        keyboard = InlineKeyboardMarkup(inline_keyboard=[[button]])
        title = link.title or t("title.recording")
        try:
            await self._request(link, t).say(t("practice.address", title=title), keyboard)
        except TelegramAPIError as error:
            logger.warning("address not sent", error=type(error).__name__)
            raise BotError(BotErrorCode.DELIVERY_FAILED) from None

    def fetch_sound(
        self, link: Link, name: str, encoding: SoundEncoding, request_id: str
    ) -> AsyncGenerator[Sound | bytes]:
        """Yield what a sound of the link's result is, then its bytes.

        Raises
        ------
        ServiceError
        """
        return self.client.practice.fetch_sound(
            link.shown.result_id, name, encoding=encoding, request_id=request_id
        )

    async def _require_newest(self, link: Link, revision: str) -> Head:
        head = await self.heads.find(link)
        if head.revision != revision:
            raise ConflictError(head.revision)
        return head

    async def _go_to(self, link: Link, head: Head, view: View) -> Opened:
        sheet = await self._engrave(head.revision, view)
        await self.heads.note(link, head)
        return Opened(sheet, head)

    async def _engrave(self, revision: str, view: View) -> Sheet:
        async with self._engraving.place():
            return await self.client.practice.engrave(
                revision, view.options, view.screen, request_id=view.request_id
            )

    def _request(self, link: Link, t: Translator) -> Request:
        return Request(
            self.bot,
            Destination(link.chat_id, link.thread_id),
            link.person_id,
            uuid.uuid4().hex[:16],
            t,
            lambda: None,
            invitations=self.invitations,
        )

    async def _send(
        self,
        request: Request,
        link: Link,
        revision: str,
        options: RenderOptions,
        held: AsyncExitStack,
    ) -> None:
        async with held:
            await self._deliver_all(request, link, revision, options)

    async def _deliver_all(
        self, request: Request, link: Link, revision: str, options: RenderOptions
    ) -> None:
        with (
            structlog.contextvars.bound_contextvars(request_id=request.id),
            self.running.track(),
        ):
            try:
                await self._send_page(request, link, revision, options)
                await self._send_files(request, link, revision, options)
                logger.info("practised score sent")
            except ServiceError as error:
                forget_frames(error)
                await _say(request, error)
            except TelegramForbiddenError:
                logger.info("practised score not sent", reason="blocked")
            except TelegramAPIError as error:
                logger.warning("practised score not sent", error=type(error).__name__)
                forget_frames(error)
                await _say(request, BotError(BotErrorCode.DELIVERY_FAILED))

    async def _send_page(
        self, request: Request, link: Link, revision: str, options: RenderOptions
    ) -> None:
        wanted = replace(options, formats=(Format.PNG,), paper=self.settings.paper, page=1)
        with_models = request.is_private_with(self.settings.admin_ids)
        async with self.deliveries.place() as place:
            events = self.client.render(revision, wanted, request_id=request.id)
            made = await collect(events, lambda event: None, place)
            await deliver(request, Shown(*made, link.title, with_models=with_models))

    async def _send_files(
        self, request: Request, link: Link, revision: str, options: RenderOptions
    ) -> None:
        wanted = replace(options, formats=FILE_FORMATS, paper=self.settings.paper)
        async with self.deliveries.place() as place:
            events = self.client.render(revision, wanted, request_id=request.id)
            result, files = await collect(events, lambda event: None, place)
            await send_extra(request, EXTRAS[FilesButton], result, files, link.title)


async def _say(request: Request, error: BotError) -> None:
    """Explain in the chat why nothing came, if Telegram takes that."""
    try:
        await request.say(request.explain(error))
    except TelegramAPIError as failure:
        logger.info("error not explained", error=type(failure).__name__)

"""Put a page right: the work behind the buttons of fixing, and behind what people write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from aiogram.enums import ChatAction
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest, TelegramForbiddenError
from aiogram.types import Message
from aiogram.utils.chat_action import ChatActionSender

from bot.buttons import EXTRAS, FilesButton, RenderButton
from bot.client.calls import ServiceClient, collect
from bot.client.types import (
    FILE_FORMATS,
    Artifact,
    Pitches,
    RenderOptions,
    Result,
)
from bot.corrections import (
    WishError,
    check_tempo,
    check_transposition,
    find_relative,
    fulfil,
    in_steps,
    shown_as,
)
from bot.delivery import Shown, deliver, send_extra, show_in_place
from bot.errors import BotError, BotErrorCode, ServiceError
from bot.fix_buttons import CorrectButton, Edit, FixButton, Topic, UndoButton, decode_edit
from bot.fix_keyboards import undo_to
from bot.fix_words import name_instruments
from bot.frames import forget_frames
from bot.key_names import say_of_keys
from bot.latest import LatestPage
from bot.presses import Presses
from bot.request import Press, Request
from bot.room import Place
from bot.settings import BotSettings
from bot.views import not_understood_text
from bot.wishes.grammar import understand
from bot.wishes.values import AsHeard, Files, Undo, Wish

_Made = tuple[Result, list[Artifact]]

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fixer:
    """Shows corrected pages: in place for a press, as a new message for a written wish.

    While a press is worked on, ``topics`` holds which choices its message is to show afterwards,
    and the bar that is open in them: those of the latest press.
    """

    settings: BotSettings
    client: ServiceClient
    presses: Presses
    topics: dict[Hashable, tuple[Topic, int]] = field(default_factory=dict)

    async def open(self, press: Press, button: FixButton) -> None:
        """Open the choices of a topic under the page, which stays as it is, or close them."""
        if press.buttons in self.topics:
            self.topics[press.buttons] = button.topic, button.bar
            await press.acknowledge()
            return

        async def make(place: Place) -> _Made:
            return await self._describe(press, button.result_id, _options(button)), []

        await self._change(press, button, None, ChatAction.TYPING, make)

    async def correct(self, press: Press, button: CorrectButton | UndoButton) -> None:
        """Show the page with a correction more, or in an earlier state, in place."""
        edit = decode_edit(button.edit) if isinstance(button, CorrectButton) else Edit()
        options = replace(
            _options(button), corrections=edit.corrections, adjustments=edit.adjustments
        )

        async def make(place: Place) -> _Made:
            return await self._draw(press, button, options, place)

        words = press.t("result.rendering")
        await self._change(press, button, words, ChatAction.UPLOAD_PHOTO, make)

    async def _change(
        self,
        press: Press,
        button: FixButton,
        words: str | None,
        action: ChatAction,
        make: Callable[[Place], Awaitable[_Made]],
    ) -> None:
        """Answer a press with the choices of its topic, or of one that is pressed meanwhile."""
        key, topics = press.buttons, self.topics

        async def work(place: Place) -> None:
            topics[key] = button.topic, button.bar
            try:
                result, files = await make(place)
                shown: tuple[Topic, int] | None = None
                while shown != topics[key]:
                    shown = topics[key]
                    if shown[0] is Topic.NONE and not files:  # drawing counts the pages to turn
                        result, files = await self._draw(press, button, _options(button), place)
                    page = button.page_number
                    await _show(press, self._shown(press, result, files, press.title, *shown, page))
            finally:
                del topics[key]

        await self.presses.work(press, words, action, work)

    async def _draw(
        self, press: Press, button: FixButton, options: RenderOptions, place: Place
    ) -> _Made:
        """Request the page under which a button is."""
        page = button.page_number
        return await self._render(press, button.result_id, options, press.title, place, page)

    async def answer(self, request: Request, page: LatestPage, text: str) -> None:
        """Answer what a person wrote about a page, with the page as wished in a new message."""
        understood = understand(text)
        if not understood.is_complete:
            await request.say(not_understood_text(understood, request.t))
            return
        action = ChatActionSender(
            bot=request.bot, action=ChatAction.UPLOAD_PHOTO, **request.destination.place
        )
        try:
            async with action, self.presses.deliveries.place() as place:
                await self._fulfil(request, page, understood.wishes, place)
        except WishError as error:
            await request.say(say_of_keys(error.text, request.t, error.values))
        except ServiceError as error:
            forget_frames(error)
            await request.say(request.explain(error))
        except TelegramForbiddenError:
            raise
        except TelegramAPIError as error:
            logger.warning("not delivered", error=type(error).__name__)
            forget_frames(error)
            await request.say(request.explain(BotError(BotErrorCode.DELIVERY_FAILED)))

    async def _fulfil(
        self, request: Request, page: LatestPage, wishes: Sequence[Wish], place: Place
    ) -> None:
        state = page.shown
        if Undo() in wishes:
            if page.undo is None:
                raise WishError("wish.nothing_to_undo")
            state = page.undo
        result = start = await self._describe(request, state.result_id, _options(state))
        if AsHeard() in wishes:
            shown = replace(_options(state), transpose_semitones=0, pitches=Pitches.MEANT)
            result = await self._describe(request, result.uncorrected_id, shown)
        *earlier, last = in_steps(wishes)
        for step in earlier:
            result = await self._describe(request, result.result_id, fulfil(step, result))
        wanted = fulfil(last, result)
        if set(wishes) != {Files()}:
            made = await self._render(request, result.result_id, wanted, page.title, place)
            check_tempo(last, made[0])
            check_transposition(wishes, start, made[0])
            answer = self._shown(request, *made, page.title)
            if Undo() not in wishes:
                before = undo_to(state.result_id, _options(state), Topic.NONE)
                answer = replace(answer, before=before)
            if (named := find_relative(last, made[0])) is not None:
                keys = {"key": made[0].rendered_key, "named": named}
                answer = replace(answer, note=say_of_keys("wish.to_relative", request.t, keys))
            await deliver(request, answer)
            result = made[0]
            wanted = shown_as(result)
        if Files() in wishes:
            await self._send_files(request, result.result_id, wanted, page.title, place)

    async def _send_files(
        self, request: Request, result_id: str, shown: RenderOptions, title: str, place: Place
    ) -> None:
        wanted = replace(shown, formats=FILE_FORMATS)
        result, files = await self._render(request, result_id, wanted, title, place)
        await send_extra(request, EXTRAS[FilesButton], result, files, title)

    async def _describe(self, request: Request, result_id: str, options: RenderOptions) -> Result:
        options = _in_language(options, request)
        return await self.client.describe(result_id, options, request_id=request.id)

    async def _render(
        self,
        request: Request,
        result_id: str,
        options: RenderOptions,
        title: str,
        place: Place,
        page: int = 1,
    ) -> _Made:
        """Request files; of pages, one."""
        options = replace(
            _in_language(options, request), title=title, paper=self.settings.paper, page=page
        )
        events = self.client.render(result_id, options, request_id=request.id)
        return await collect(events, lambda event: None, place)

    def _shown(
        self,
        request: Request,
        result: Result,
        files: Sequence[Artifact],
        title: str,
        topic: Topic = Topic.NONE,
        bar: int = 0,
        page: int = 1,
    ) -> Shown:
        with_models = request.is_private_with(self.settings.admin_ids)
        return Shown(result, files, title, page, with_models, topic, bar=bar)


def _options(state: RenderButton) -> RenderOptions:
    """How a button shows its result."""
    return RenderOptions(
        view=state.view,
        transpose_semitones=state.transpose_semitones,
        simple_chords=state.simple_chords,
        pitches=state.pitches,
    )


def _in_language(options: RenderOptions, request: Request) -> RenderOptions:
    """The options with names of parts in the person's language."""
    corrections = name_instruments(options.corrections, request.t)
    return replace(options, corrections=corrections, language=request.t.language)


async def _show(press: Press, shown: Shown) -> None:
    """Show a page in place; without its picture, only what is around it."""
    if shown.artifacts:
        await show_in_place(press, shown)
    else:
        await _edit_buttons(press, shown)


async def _edit_buttons(press: Press, shown: Shown) -> None:
    """Change the buttons under a page and, where there is a picture, the words above them."""
    message = press.callback.message
    if message is None:
        return
    sheet = shown.sheet(press)
    edit: dict[str, Any] = {
        "chat_id": message.chat.id,
        "message_id": message.message_id,
        "reply_markup": sheet.keyboard,
    }
    try:
        if not isinstance(message, Message):  # too old for Telegram to say what it holds
            await press.bot.edit_message_reply_markup(**edit)
        elif message.photo:
            await press.bot.edit_message_caption(caption=sheet.caption, **edit)
        else:
            await press.bot.edit_message_text(text=sheet.caption, **edit)
    except TelegramBadRequest as error:
        if "not modified" not in error.message:
            raise

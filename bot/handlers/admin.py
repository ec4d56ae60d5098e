"""Models, status and statistics, for administrators in their private chats.

For anyone else no handler here matches, and the update is answered like any unknown command or
button.
"""

from __future__ import annotations

from aiogram import Router
from aiogram.enums import ChatType
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

from bot.buttons import FiguresButton, UseButton
from bot.client.calls import ServiceClient
from bot.errors import ServiceError
from bot.jobs import Jobs
from bot.keyboards import models_keyboard
from bot.request import Press, Request
from bot.settings import BotSettings
from bot.views import models_texts, stats_text, status_text


async def _is_admin(event: Message | CallbackQuery, settings: BotSettings) -> bool:
    """Filter for an administrator's private chat with the bot."""
    message = event if isinstance(event, Message) else event.message
    user = event.from_user
    return (
        user is not None
        and user.id in settings.admin_ids
        and message is not None
        and message.chat.type == ChatType.PRIVATE
    )


async def on_models(message: Message, request: Request, client: ServiceClient) -> None:
    """``/models``: every model, and buttons for their figures and to activate one."""
    try:
        models = await client.list_models(request_id=request.id)
    except ServiceError as error:
        await message.answer(request.explain(error))
        return
    *first, last = models_texts(models, request.t)
    for text in first:
        await message.answer(text)
    await message.answer(last, reply_markup=models_keyboard(models, request.t))


async def on_figures(callback: CallbackQuery, press: Press, client: ServiceClient) -> None:
    """A button of ``/models``: licences, sizes and figures."""
    await press.acknowledge()
    try:
        models = await client.list_models(request_id=press.id)
    except ServiceError as error:
        await press.report(error)
        return
    for text in models_texts(models, press.t, with_figures=True):
        await press.say(text)


async def on_use(
    message: Message, command: CommandObject, request: Request, client: ServiceClient
) -> None:
    """``/use TASK MODEL``: activate a model."""
    words = (command.args or "").split()
    if len(words) != 2:
        await message.answer(request.t("admin.use.how"))
        return
    await _activate(message, UseButton(task=words[0], model=words[1]), request, client)


async def on_use_button(
    callback: CallbackQuery, callback_data: UseButton, press: Press, client: ServiceClient
) -> None:
    """A button of ``/models``: activate a model."""
    await press.acknowledge()
    if isinstance(callback.message, Message):
        await _activate(callback.message, callback_data, press, client)


async def on_status(message: Message, request: Request, client: ServiceClient) -> None:
    """``/status``: device, memory, queue, versions."""
    try:
        status = await client.status(request_id=request.id)
    except ServiceError as error:
        await message.answer(request.explain(error))
        return
    await message.answer(status_text(status, request.t))


async def on_stats(message: Message, request: Request, client: ServiceClient, jobs: Jobs) -> None:
    """``/stats``: numbers of requests since the start."""
    try:
        status = await client.status(request_id=request.id)
    except ServiceError as error:
        await message.answer(request.explain(error))
        return
    await message.answer(stats_text(status, len(jobs), jobs.outcomes, request.t))


async def _activate(
    message: Message, wanted: UseButton, request: Request, client: ServiceClient
) -> None:
    """Activate a model; edit one message from "loading" to the outcome."""
    t, task, model = request.t, wanted.task, wanted.model
    notice = await message.answer(t("admin.use.loading", task=task, model=model))
    try:
        active, previous = await client.activate(task, model, request_id=request.id)
    except ServiceError as error:
        text = request.explain(error)
    else:
        name = f"{active.name} {active.version}".strip()
        text = t("admin.use.done", task=active.task, model=name, previous=previous)
    await notice.edit_text(text)


def build_router() -> Router:
    """The router of this module's handlers."""
    router = Router(name="admin")
    router.message.filter(_is_admin)
    router.callback_query.filter(_is_admin)
    router.message.register(on_models, Command("models"))
    router.message.register(on_use, Command("use"))
    router.message.register(on_status, Command("status"))
    router.message.register(on_stats, Command("stats"))
    router.callback_query.register(on_figures, FiguresButton.filter())
    router.callback_query.register(on_use_button, UseButton.filter())
    return router

"""The Bot API over HTTP: ``/bot<token>/<method>`` and ``/file/bot<token>/<path>``.

Method names are case-insensitive, GET and POST are equivalent, and every answer is
``{"ok": true, "result": ...}`` or an error object: https://core.telegram.org/bots/api.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiohttp import web

from bot.localchat import account, editing, sending
from bot.localchat.errors import BotApiError
from bot.localchat.hub import Hub
from bot.localchat.params import Params, read_params
from bot.localchat.webhook import Webhook

Method = Callable[[Hub, Params], Awaitable[Any]]

METHODS: dict[str, Method] = {
    "getMe": account.get_me,
    "logOut": account.log_out,
    "close": account.log_out,
    "answerCallbackQuery": account.answer_callback_query,
    "getFile": account.get_file,
    "setMyCommands": account.set_my_commands,
    "getMyCommands": account.get_my_commands,
    "deleteMyCommands": account.delete_my_commands,
    "setMyName": partial(account.set_about, what="name"),
    "getMyName": partial(account.get_about, what="name"),
    "setMyDescription": partial(account.set_about, what="description"),
    "getMyDescription": partial(account.get_about, what="description"),
    "setMyShortDescription": partial(account.set_about, what="short_description"),
    "getMyShortDescription": partial(account.get_about, what="short_description"),
    "sendMessage": sending.send_message,
    "sendPhoto": partial(sending.send_file, kind="photo"),
    "sendDocument": partial(sending.send_file, kind="document"),
    "sendAudio": partial(sending.send_file, kind="audio"),
    "sendVoice": partial(sending.send_file, kind="voice"),
    "sendVideo": partial(sending.send_file, kind="video"),
    "sendMediaGroup": sending.send_media_group,
    "sendChatAction": sending.send_chat_action,
    "editMessageText": editing.edit_message_text,
    "editMessageCaption": editing.edit_message_caption,
    "editMessageMedia": editing.edit_message_media,
    "editMessageReplyMarkup": editing.edit_message_reply_markup,
    "deleteMessage": editing.delete_message,
    "deleteMessages": editing.delete_messages,
    "setMessageReaction": editing.set_message_reaction,
}


class BotApi:
    """The routes of the Bot API.

    Parameters
    ----------
    hub : Hub
        The state that the methods work on.
    webhook : Webhook
        Where updates go instead of ``getUpdates``, once the bot asks for it.
    """

    def __init__(self, hub: Hub, webhook: Webhook) -> None:
        self._hub = hub
        self._webhook = webhook
        methods = METHODS | {
            "getUpdates": self._get_updates,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "getWebhookInfo": self._get_webhook_info,
        }
        self._methods = {name.lower(): method for name, method in methods.items()}

    def routes(self) -> list[web.RouteDef]:
        """Return the routes for :meth:`aiohttp.web.UrlDispatcher.add_routes`."""
        return [
            web.route("*", "/bot{token}/{method}", self._call),
            web.get("/file/bot{token}/{path:.+}", self._download),
        ]

    async def _call(self, request: web.Request) -> web.Response:
        try:
            self._hub.check_token(request.match_info["token"])
            method = self._methods.get(request.match_info["method"].lower())
            if method is None:
                raise BotApiError(404, "Not Found: method not found")
            result = await method(self._hub, await read_params(request))
        except BotApiError as error:
            return web.json_response(error.to_json(), status=error.error_code)
        return web.json_response({"ok": True, "result": result})

    async def _download(self, request: web.Request) -> web.Response:
        try:
            self._hub.check_token(request.match_info["token"])
            file = self._hub.files.find_path(request.match_info["path"])
            if file is None or len(file.data) > account.DOWNLOAD_LIMIT_BYTES:
                raise BotApiError(404, "Not Found")
        except BotApiError as error:
            return web.json_response(error.to_json(), status=error.error_code)
        return web.Response(body=file.data, content_type="application/octet-stream")

    async def _get_updates(self, hub: Hub, params: Params) -> list[dict[str, Any]]:
        self._webhook.refuse_polling()
        hub.updates.allow(params.sequence("allowed_updates"))
        limit = params.integer("limit")
        return await hub.updates.poll(
            offset=params.integer("offset") or 0,
            limit=100 if limit is None else limit,
            timeout_s=params.integer("timeout") or 0,
        )

    async def _set_webhook(self, hub: Hub, params: Params) -> bool:
        return await self._webhook.set(params)

    async def _delete_webhook(self, hub: Hub, params: Params) -> bool:
        return await self._webhook.delete(params)

    async def _get_webhook_info(self, hub: Hub, params: Params) -> dict[str, Any]:
        return self._webhook.info()

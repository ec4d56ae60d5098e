"""Delivery of updates to a webhook: https://core.telegram.org/bots/api#setwebhook.

Updates are delivered one at a time, in order. Each is repeated until the bot answers with a 2xx
status, with pauses that double up to half a minute. As with a Bot API server in local mode, plain
HTTP is allowed; only addresses of this machine are.

Deviation: a method call in the bot's answer is not executed.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

from bot.localchat.errors import BotApiError, bad_request
from bot.localchat.hub import Hub
from bot.localchat.params import Params

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_TIMEOUT_S = 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0


class Webhook:
    """The bot's webhook, and the task that delivers updates to it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._url = ""
        self._secret = ""
        self._task: asyncio.Task[None] | None = None
        self._last_error: dict[str, Any] = {}

    async def set(self, params: Params) -> bool:
        """``setWebhook``; an empty URL removes it.

        Raises
        ------
        BotApiError
            400, if the address is not on this machine or the secret is malformed.
        """
        url, secret = params.text("url") or "", params.text("secret_token") or ""
        if url:
            try:
                target = URL(url)
            except ValueError:
                raise bad_request("bad webhook: invalid URL specified") from None
            if target.scheme not in {"http", "https"} or target.host not in _LOCAL_HOSTS:
                raise bad_request("bad webhook: the local chat calls this machine only")
        if secret and not _SECRET.fullmatch(secret):
            raise bad_request("secret token contains unallowed characters")
        await self.close()
        self._url, self._secret, self._last_error = url, secret, {}
        self._hub.updates.allow(params.sequence("allowed_updates"))
        if params.flag("drop_pending_updates"):
            self._hub.updates.clear()
        if url:
            self._task = asyncio.create_task(self._deliver())
        return True

    async def delete(self, params: Params) -> bool:
        """``deleteWebhook``."""
        await self.close()
        self._url = ""
        if params.flag("drop_pending_updates"):
            self._hub.updates.clear()
        return True

    def info(self) -> dict[str, Any]:
        """``getWebhookInfo``."""
        info: dict[str, Any] = {
            "url": self._url,
            "has_custom_certificate": False,
            "pending_update_count": len(self._hub.updates),
        }
        if self._hub.updates.allowed is not None:
            info["allowed_updates"] = self._hub.updates.allowed
        return info | self._last_error

    def refuse_polling(self) -> None:
        """Refuse ``getUpdates`` while a webhook is active.

        Raises
        ------
        BotApiError
            409, if a webhook is active.
        """
        if self._url:
            raise BotApiError(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )

    async def close(self) -> None:
        """Stop delivering."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _deliver(self) -> None:
        pause_s = _FIRST_PAUSE_S
        headers = {SECRET_HEADER: self._secret} if self._secret else {}
        async with ClientSession(timeout=ClientTimeout(total=_TIMEOUT_S)) as session:
            while (update := await self._hub.updates.wait()) is not None:
                fault = await self._post(session, headers, update)
                if fault is None:
                    self._hub.updates.confirm(update["update_id"] + 1)
                    pause_s = _FIRST_PAUSE_S
                else:
                    self._last_error = {
                        "last_error_date": int(time.time()),
                        "last_error_message": fault,
                    }
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _post(
        self, session: ClientSession, headers: dict[str, str], update: dict[str, Any]
    ) -> str | None:
        """Deliver one update; return what went wrong, or ``None``."""
        try:
            async with session.post(self._url, json=update, headers=headers) as response:
                if response.ok:
                    return None
                return f"Wrong response from the webhook: {response.status} {response.reason}"
        except TimeoutError:
            return "Read timeout expired"
        except ClientError:
            return "Connection refused"

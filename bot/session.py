"""The HTTP session with the Bot API; it tells apart the ways in which a request can fail.

aiogram reports every broken answer as an error of decoding or of the network. Whether a message may
be sent again depends on more: a proxy's "502 Bad Gateway" page means that Telegram never saw the
request, while a cut answer with status 200 means that it did what was asked.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Any, Final, cast

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramNetworkError,
    TelegramServerError,
)
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiohttp import ClientError, ClientTimeout

SILENCE_S: Final = 30.0
"""A download from which no byte arrives for this long is broken off."""


class AnswerLostError(TelegramNetworkError):
    """Telegram did what was asked, but its answer did not arrive whole."""


class BotSession(AiohttpSession):
    """aiogram's session with exact errors."""

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,  # noqa: ASYNC109
    ) -> TelegramType:
        """Call a method.

        Raises
        ------
        AnswerLostError
            If the status says success and the rest of the answer is missing.
        TelegramNetworkError
            If there was no answer.
        TelegramServerError
            If the server, or a proxy before it, could not handle the request.
        TelegramAPIError
            If Telegram refused it.
        """
        session = await self.create_session()
        url = self.api.api_url(token=bot.token, method=method.__api_method__)
        form = self.build_form_data(bot=bot, method=method)
        limit = ClientTimeout(total=self.timeout if timeout is None else timeout)
        status = 0
        try:
            async with session.post(url, data=form, timeout=limit) as answer:
                status = answer.status
                content = await answer.text()
        except (TimeoutError, ClientError, OSError) as error:
            # The cause is dropped because its text may contain the bot's token.
            raise _lost(method, status, type(error).__name__) from None
        checked = self.check_response(bot, method, status, content)
        return cast(TelegramType, checked.result)

    def check_response(
        self, bot: Bot, method: TelegramMethod[TelegramType], status_code: int, content: str
    ) -> Response[TelegramType]:
        """Decode an answer; raises like :meth:`make_request`."""
        try:
            return super().check_response(bot, method, status_code, content)
        except ClientDecodeError:
            raise _lost(method, status_code, "undecodable answer") from None

    async def stream_content(
        self,
        url: str,
        headers: dict[str, Any] | None = None,
        timeout: int = 30,  # noqa: ASYNC109
        chunk_size: int = 65536,
        raise_for_status: bool = True,
    ) -> AsyncGenerator[bytes, None]:
        """Yield a file in pieces, as aiogram does, but never wait long for the next one."""
        session = await self.create_session()
        limit = ClientTimeout(total=timeout, sock_read=SILENCE_S)
        async with session.get(
            url, headers=headers, timeout=limit, raise_for_status=raise_for_status
        ) as answer:
            async for chunk in answer.content.iter_chunked(chunk_size):
                yield chunk


def _lost(method: TelegramMethod[Any], status: int, what: str) -> TelegramAPIError:
    """The error for an answer that is missing or broken, by the status that had arrived."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TelegramServerError(method=method, message=f"HTTP {status}")
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return AnswerLostError(method=method, message=what)
    return TelegramNetworkError(method=method, message=what if not status else f"HTTP {status}")

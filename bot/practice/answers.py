"""Answers of the practice page: security headers, errors in words, writing with a time limit."""

from __future__ import annotations

import asyncio
import html
import math
import re
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from bot.errors import BotError, BotErrorCode, ServiceErrorCode
from bot.i18n import Translator
from bot.views import error_text

WRITE_STALL_S: Final = 60.0
"""A piece of an answer that is not read for this long ends it."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
        "style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "font-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
        # Telegram in the browser shows Mini Apps in a frame.
        "frame-ancestors 'self' https://web.telegram.org https://*.telegram.org"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}

_STATUS: Final = {
    BotErrorCode.LINK_INVALID: HTTPStatus.UNAUTHORIZED,
    BotErrorCode.LINK_NOT_YOURS: HTTPStatus.FORBIDDEN,
    BotErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    BotErrorCode.EDIT_CONFLICT: HTTPStatus.CONFLICT,
    BotErrorCode.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    BotErrorCode.INVALID_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    BotErrorCode.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
    BotErrorCode.TOO_MANY_JOBS: HTTPStatus.TOO_MANY_REQUESTS,
    BotErrorCode.PAGE_BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    BotErrorCode.SERVICE_UNREACHABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    BotErrorCode.SERVICE_LOST: HTTPStatus.SERVICE_UNAVAILABLE,
    BotErrorCode.BOT_STOPPING: HTTPStatus.SERVICE_UNAVAILABLE,
    BotErrorCode.DELIVERY_FAILED: HTTPStatus.BAD_GATEWAY,
    ServiceErrorCode.RESULT_EXPIRED: HTTPStatus.GONE,
    ServiceErrorCode.QUEUE_FULL: HTTPStatus.SERVICE_UNAVAILABLE,
    ServiceErrorCode.NOT_READY: HTTPStatus.SERVICE_UNAVAILABLE,
    ServiceErrorCode.SHUTTING_DOWN: HTTPStatus.SERVICE_UNAVAILABLE,
    ServiceErrorCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    "INVALID_CORRECTIONS": HTTPStatus.UNPROCESSABLE_ENTITY,
    "INVALID_OPTIONS": HTTPStatus.UNPROCESSABLE_ENTITY,
    "SOUND_UNAVAILABLE": HTTPStatus.NOT_FOUND,
}
_TAG: Final = re.compile(r"<[^>]+>")


def protect(response: web.StreamResponse) -> None:
    """Add security headers to an answer."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


async def protect_late(request: web.Request, response: web.StreamResponse) -> None:
    """Add security headers to an answer that a call sends by itself."""
    protect(response)
    response.headers.pop("Server", None)  # which versions answer is nobody's business


def error_answer(error: BotError, t: Translator, request_id: str, **more: Any) -> web.Response:
    """An error as JSON: its code, and words for people."""
    status = _STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    if error.code == "INVALID_CORRECTIONS" and error.params.get("correction") == "edits":
        words = t("practice.edit_refused")  # what the chat says is about metre and bars
    else:
        words = html.unescape(_TAG.sub("", error_text(error, t, request_id)))
    answer = web.json_response({"error": error.code, "text": words, **more}, status=status)
    if error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return answer


async def send_whole(request: web.Request, answer: web.Response) -> web.Response:
    """Send an answer before its place is given to the next; end one that is not read."""
    answer.enable_compression()
    try:
        async with asyncio.timeout(WRITE_STALL_S):
            await answer.prepare(request)
            await answer.write_eof()
    except TimeoutError:
        hang_up(request)
    return answer


async def send_piece(request: web.Request, answer: web.StreamResponse, piece: bytes) -> None:
    """Send a piece of a long answer.

    Raises
    ------
    ConnectionResetError
        If nobody reads it.
    """
    try:
        async with asyncio.timeout(WRITE_STALL_S):
            await answer.write(piece)
    except TimeoutError:
        hang_up(request)
        raise ConnectionResetError from None


def hang_up(request: web.Request) -> None:
    """Close the connection without the rest of the answer, so that nobody takes it for whole."""
    transport = request.transport
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()

"""The calls of the practice page, under ``/practice/api``."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog
from aiohttp import web

from bot.client.sheets import Sound, SoundEncoding
from bot.errors import BotError, BotErrorCode
from bot.fix_words import name_instruments
from bot.i18n import LANGUAGES, TextCatalogues, Translator
from bot.practice.answers import error_answer, hang_up, send_piece, send_whole
from bot.practice.desk import ConflictError, Desk, Opened, View
from bot.practice.door import Door
from bot.practice.limits import BusyError, Places, PlacesByKey, Rate, TokenBuckets
from bot.practice.links import Link
from bot.practice.saving import OfflinePage
from bot.practice.wire import (
    NAME,
    Display,
    read_display,
    read_edit,
    read_listening,
    read_revision,
    read_take,
    write_score,
)

MAX_BODY_BYTES: Final = 256 * 1024
BODY_S: Final = 10.0
LINK_RATE: Final = Rate(burst=40, per_s=4)
SENDING_RATE: Final = Rate(burst=3, per_s=0.1)
"""Of messages that a link brings into its chat."""
FORGERY_RATE: Final = Rate(burst=20, per_s=0.2)
"""Of requests from one address without a valid link."""
BUSY_WAIT_S: Final = 5.0

logger = structlog.get_logger(__name__)

Answer = Callable[["Visit"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who was let in."""

    request: web.Request
    link: Link
    t: Translator
    request_id: str

    def view(self, display: Display) -> View:
        """How the score is wanted."""
        options = display.options(self.link, self.t.language)
        return View(options, display.screen, self.request_id)


@dataclass(frozen=True, slots=True)
class Api:
    """Answers the calls.

    Parameters
    ----------
    door : Door
    desk : Desk
    catalogues : TextCatalogues
    offline : OfflinePage
    """

    door: Door
    desk: Desk
    catalogues: TextCatalogues
    offline: OfflinePage
    _links: TokenBuckets = field(default_factory=lambda: TokenBuckets(LINK_RATE))
    _messages: TokenBuckets = field(default_factory=lambda: TokenBuckets(SENDING_RATE))
    _forgeries: TokenBuckets = field(default_factory=lambda: TokenBuckets(FORGERY_RATE))
    _answers: Places = field(default_factory=lambda: Places(16, 48))
    _sounds: Places = field(default_factory=lambda: Places(24, 72))
    _sounds_of_link: PlacesByKey = field(default_factory=lambda: PlacesByKey(6, 12))
    _conversions_of_link: PlacesByKey = field(default_factory=lambda: PlacesByKey(1, 12))
    _files: Places = field(default_factory=lambda: Places(4, 8))
    _files_of_link: PlacesByKey = field(default_factory=lambda: PlacesByKey(1, 1))

    async def answer(self, request: web.Request, caller: str) -> web.StreamResponse:
        """Answer a call, or say why not.

        Raises
        ------
        aiohttp.web.HTTPException
            If there is no such call.
        """
        request_id = uuid.uuid4().hex[:16]
        started_s = time.monotonic()
        t = self._translator(request, None)
        name = request.match_info["call"]
        outcome = "answered"
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                act = self._find(request.method, name)
                link = await self._admit(request, caller)
                t = self._translator(request, link)
                return await act(Visit(request, link, t, request_id))
            except ConflictError as error:
                outcome = error.code
                return error_answer(error, t, request_id, revision=error.newest)
            except BotError as error:
                outcome = error.code
                return error_answer(error, t, request_id)
            except BusyError:
                outcome = BotErrorCode.PAGE_BUSY
                return error_answer(BotError(outcome, retry_after_s=BUSY_WAIT_S), t, request_id)
            except ConnectionResetError:
                outcome = "left"
                hang_up(request)
                return web.Response()
            finally:
                seconds = round(time.monotonic() - started_s, 3)
                logger.info("practice", call=name, outcome=outcome, seconds=seconds)

    def _find(self, method: str, name: str) -> Answer:
        calls: dict[tuple[str, str], Answer] = {
            ("GET", "score"): self._score,
            ("POST", "edits"): self._edit,
            ("POST", "undo"): self._undo,
            ("POST", "redo"): self._redo,
            ("POST", "send"): self._send,
            ("GET", "link"): self._link,
            ("POST", "link"): self._write_link,
            ("GET", "save"): self._save,
        }
        if method == "GET" and re.fullmatch(f"sounds/{NAME.strip('^$')}", name):
            return self._sound
        try:
            return calls[method, name]
        except KeyError:
            raise BotError(BotErrorCode.NOT_FOUND) from None

    async def _admit(self, request: web.Request, caller: str) -> Link:
        try:
            link = await self.door.admit(request.headers)
        except BotError:
            _require(self._forgeries, caller)
            raise
        _require(self._links, link.key)
        return link

    def _translator(self, request: web.Request, link: Link | None) -> Translator:
        """Texts in the language that the page names, or else that of the link or the browser."""
        accepted = request.headers.get("Accept-Language", "")[:2].lower()
        wanted = (request.query.get("language"), link.language if link else accepted)
        language = next((name for name in wanted if name in LANGUAGES), "en")
        return Translator(self.catalogues, str(language))

    def _speak(self, visit: Visit, display: Display) -> Visit:
        """The visit in the language that the page asks for, if it does."""
        if display.language is None:
            return visit
        return replace(visit, t=Translator(self.catalogues, display.language))

    async def _score(self, visit: Visit) -> web.StreamResponse:
        display = read_display(visit.request.query)
        visit = self._speak(visit, display)
        async with self._answers.place():
            opened = await self.desk.open(visit.link, visit.view(display))
            return await self._send_score(visit, opened)

    async def _edit(self, visit: Visit) -> web.StreamResponse:
        body = read_edit(await _body(visit.request))
        visit = self._speak(visit, body)
        view = visit.view(body)
        edit = name_instruments(body.corrections, visit.t)
        options = replace(view.options, corrections=edit, adjustments=body.adjustments)
        async with self._answers.place():
            view = replace(view, options=options)
            opened = await self.desk.edit(visit.link, body.revision, view)
            return await self._send_score(visit, opened)

    async def _undo(self, visit: Visit) -> web.StreamResponse:
        body = read_revision(await _body(visit.request))
        visit = self._speak(visit, body)
        async with self._answers.place():
            opened = await self.desk.undo(visit.link, body.revision, visit.view(body))
            return await self._send_score(visit, opened)

    async def _redo(self, visit: Visit) -> web.StreamResponse:
        body = read_revision(await _body(visit.request))
        visit = self._speak(visit, body)
        async with self._answers.place():
            opened = await self.desk.redo(visit.link, body.revision, visit.view(body))
            return await self._send_score(visit, opened)

    async def _send(self, visit: Visit) -> web.StreamResponse:
        body = read_revision(await _body(visit.request))
        visit = self._speak(visit, body)
        _require(self._messages, visit.link.key)
        view = visit.view(body)
        await self.desk.send(visit.link, body.revision, view.options, visit.t)
        return web.json_response({}, status=202)

    async def _link(self, visit: Visit) -> web.StreamResponse:
        url = self.desk.invitations.for_any_browser(visit.link)
        return web.json_response({"link": url})

    async def _write_link(self, visit: Visit) -> web.StreamResponse:
        _require(self._messages, visit.link.key)
        await self.desk.write_address(visit.link, visit.t)
        return web.json_response({}, status=202)

    async def _sound(self, visit: Visit) -> web.StreamResponse:
        name = visit.request.match_info["call"].partition("/")[2]
        encoding = read_listening(visit.request.query).encoding
        # The service has one thread to convert sounds and to play previews.
        is_kept = encoding is SoundEncoding.OPUS
        places = self._sounds_of_link if is_kept else self._conversions_of_link
        async with (
            places.place(visit.link.key),
            self._sounds.place(),
            aclosing(self.desk.fetch_sound(visit.link, name, encoding, visit.request_id)) as pieces,
        ):
            sound = await anext(pieces, None)
            if not isinstance(sound, Sound):
                raise BotError("SOUND_UNAVAILABLE")
            answer = web.StreamResponse(
                headers={
                    "Content-Type": _audio_type(sound.media_type),
                    # The address is the same for every link, hence Vary.
                    "Cache-Control": "private, max-age=86400",
                    "Vary": "Authorization",
                }
            )
            answer.content_length = sound.size_bytes
            await answer.prepare(visit.request)
            async with _whole_or_nothing(visit.request):
                async for piece in pieces:
                    assert isinstance(piece, bytes)
                    await send_piece(visit.request, answer, piece)
                await answer.write_eof()
            return answer

    async def _save(self, visit: Visit) -> web.StreamResponse:
        take = read_take(visit.request.query)
        visit = self._speak(visit, take)
        async with self._files_of_link.place(visit.link.key), self._files.place():
            opened = await self.desk.open(visit.link, visit.view(take))

            def fetch(name: str) -> AsyncGenerator[Sound | bytes]:
                return self.desk.fetch_sound(visit.link, name, take.encoding, visit.request_id)

            async with aclosing(
                self.offline.write(self._write(visit, opened), take, fetch)
            ) as pieces:
                head = await anext(pieces)
                answer = web.StreamResponse(headers=self.offline.headers(visit.link.title, visit.t))
                await answer.prepare(visit.request)
                async with _whole_or_nothing(visit.request):
                    await send_piece(visit.request, answer, head)
                    async for piece in pieces:
                        await send_piece(visit.request, answer, piece)
                    await answer.write_eof()
            return answer

    async def _send_score(self, visit: Visit, opened: Opened) -> web.StreamResponse:
        return await send_whole(visit.request, web.json_response(self._write(visit, opened)))

    def _write(self, visit: Visit, opened: Opened) -> dict[str, Any]:
        return write_score(
            visit.link,
            opened.sheet,
            visit.t,
            can_undo=opened.can_undo,
            can_redo=opened.can_redo,
        )


def _require(buckets: TokenBuckets, holder: str) -> None:
    """Take a token.

    Raises
    ------
    BotError
        ``TOO_MANY_REQUESTS``.
    """
    if wait_s := buckets.take(holder):
        raise BotError(BotErrorCode.TOO_MANY_REQUESTS, retry_after_s=wait_s)


@asynccontextmanager
async def _whole_or_nothing(request: web.Request) -> AsyncIterator[None]:
    """Close the connection if an answer that has begun cannot be finished."""
    try:
        yield
    except BaseException:
        hang_up(request)
        raise


async def _body(request: web.Request) -> bytes:
    """Read a request's body, which is JSON of at most :data:`MAX_BODY_BYTES`.

    Raises
    ------
    BotError
        ``BODY_TOO_LARGE``, or ``INVALID_REQUEST`` if it is something else or comes too slowly.
    """
    too_large = BotError(BotErrorCode.BODY_TOO_LARGE, {"limit_bytes": MAX_BODY_BYTES})
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise too_large
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        raise BotError(BotErrorCode.INVALID_REQUEST)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_chunked(64 * 1024):
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise too_large
    except TimeoutError:
        raise BotError(BotErrorCode.INVALID_REQUEST) from None
    return bytes(body)


def _audio_type(media_type: str) -> str:
    """The type of a sound; anything else would be for the browser to interpret."""
    is_audio = re.fullmatch(r"audio/[a-z0-9.+-]+(; ?codecs=[a-z0-9.]+)?", media_type)
    return media_type if is_audio else "application/octet-stream"

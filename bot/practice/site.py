"""Serves the practice page, under ``/practice`` of whichever server the bot has.

Nothing but the page's own files and the calls of :mod:`bot.practice.api` is reached here. Each
address has a rate, all together have a number of requests at once, and what is beyond is refused
before anything is looked at. There is no access log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiohttp import web

from bot.errors import BotError, BotErrorCode, ServiceErrorCode
from bot.i18n import DEFAULT_LANGUAGE, LANGUAGES, TextCatalogues, Translator
from bot.practice.answers import error_answer, protect, protect_late
from bot.practice.api import Api
from bot.practice.built import PAGE, Built, caching, media_type
from bot.practice.limits import Rate, TokenBuckets, caller_of
from bot.settings import split_address

PREFIX: Final = "/practice"
MAX_REQUESTS: Final = 128
"""At once, from everyone."""
ADDRESS_RATE: Final = Rate(burst=120, per_s=20)
BUSY_WAIT_S: Final = 5.0
KEEPALIVE_S: Final = 75.0
SHUTDOWN_S: Final = 2.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

logger = structlog.get_logger(__name__)


class PracticeSite:
    """The routes.

    Parameters
    ----------
    catalogues : TextCatalogues
    built : Built
    proxies : int
        Number of proxies in front.
    """

    def __init__(self, catalogues: TextCatalogues, built: Built, proxies: int = 0) -> None:
        self.built = built
        self._catalogues = catalogues
        self._proxies = proxies
        self._addresses = TokenBuckets(ADDRESS_RATE)
        self._requests = 0
        self._api: Api | None = None
        self._application = web.Application(middlewares=[self._guard])
        self._application.on_response_prepare.append(protect_late)
        self._application.router.add_get("/", self._page)
        self._application.router.add_route("*", "/api/{call:.+}", self._call)
        self._application.router.add_get("/{name:(assets|soundbank)/.+}", self._file)

    def open(self, api: Api) -> None:
        """Answer calls from now on; before that, the page is told to wait."""
        self._api = api

    def close(self) -> None:
        """Answer no more calls."""
        self._api = None

    def mount(self, application: web.Application) -> None:
        """Serve under :data:`PREFIX` of an application that has not been started."""
        application.router.add_get(PREFIX, self._add_slash)
        application.add_subapp(PREFIX, self._application)

    @asynccontextmanager
    async def serve(self, address: str) -> AsyncIterator[str]:
        """Serve on an address of its own; yields it with the port that was taken.

        Raises
        ------
        OSError
            If the port is taken.
        """
        application = web.Application()
        self.mount(application)
        runner = web.AppRunner(
            application,
            access_log=None,
            handler_cancellation=True,
            auto_decompress=False,
            keepalive_timeout=KEEPALIVE_S,
            shutdown_timeout=SHUTDOWN_S,
        )
        await runner.setup()
        try:
            host, port = split_address(address)
            await web.TCPSite(runner, host, port).start()
            logger.info("practice page", address=address)
            yield f"{host}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what is too much, and turn every failure into an answer that tells nothing."""
        answer = await self._answer(request, handler)
        if not answer.prepared:
            protect(answer)  # before another server's middleware adds headers of its own
        return answer

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if wait_s := self._addresses.take(caller_of(request, self._proxies)):
            return self._refuse(request, BotErrorCode.TOO_MANY_REQUESTS, wait_s)
        if self._requests >= MAX_REQUESTS:
            return self._refuse(request, BotErrorCode.PAGE_BUSY, BUSY_WAIT_S)
        self._requests += 1
        try:
            return await handler(request)
        except web.HTTPException as error:
            is_missing = error.status == web.HTTPNotFound.status_code
            code = BotErrorCode.NOT_FOUND if is_missing else BotErrorCode.INVALID_REQUEST
            return self._refuse(request, code)
        except Exception:
            logger.exception("practice page failed")
            return self._refuse(request, ServiceErrorCode.INTERNAL)
        finally:
            self._requests -= 1

    def _refuse(
        self, request: web.Request, code: str, retry_after_s: float | None = None
    ) -> web.Response:
        accepted = request.headers.get("Accept-Language", "")[:2].lower()
        language = accepted if accepted in LANGUAGES else DEFAULT_LANGUAGE
        t = Translator(self._catalogues, language)
        return error_answer(BotError(code, retry_after_s=retry_after_s), t, "")

    async def _add_slash(self, request: web.Request) -> web.Response:
        """Lead to the page; a browser keeps the fragment with the link."""
        return web.Response(status=308, headers={"Location": f"{PREFIX[1:]}/"})

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return self._serve(PAGE)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return self._serve(request.match_info["name"])

    def _serve(self, name: str) -> web.StreamResponse:
        path = self.built.find(name)
        if path is None:
            raise web.HTTPNotFound
        return web.FileResponse(
            path, headers={"Content-Type": media_type(name), "Cache-Control": caching(name)}
        )

    async def _call(self, request: web.Request) -> web.StreamResponse:
        if self._api is None:
            return self._refuse(request, ServiceErrorCode.NOT_READY, BUSY_WAIT_S)
        return await self._api.answer(request, caller_of(request, self._proxies))

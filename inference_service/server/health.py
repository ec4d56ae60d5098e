"""The standard health service.

Transcription is SERVING from when its models are loaded until the service drains, except while
there is a problem for which no request can be served. The overall status (the empty name) is that
of Transcription. Models is SERVING from the start, so that
administrators can find out why Transcription is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
from grpc_health.v1 import health, health_pb2
from notabot.v1 import jobs_pb2, models_pb2, practice_pb2, transcription_pb2

TRANSCRIPTION: Final = transcription_pb2.DESCRIPTOR.services_by_name["Transcription"].full_name
JOBS: Final = jobs_pb2.DESCRIPTOR.services_by_name["Jobs"].full_name
PRACTICE: Final = practice_pb2.DESCRIPTOR.services_by_name["Practice"].full_name
MODELS: Final = models_pb2.DESCRIPTOR.services_by_name["Models"].full_name

_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING

_INTERVAL_S: Final = 1.0

_log = structlog.get_logger()


class Health:
    """The status of each service.

    Parameters
    ----------
    find_problem : callable
        Returns why no request can be served, or an empty text.
    """

    def __init__(self, find_problem: Callable[[], Awaitable[str]]) -> None:
        self.servicer = health.aio.HealthServicer()
        self._find_problem = find_problem
        self._watching: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Report that the service is up and its models are loading."""
        await self.servicer.set("", _NOT_SERVING)
        await self.servicer.set(TRANSCRIPTION, _NOT_SERVING)
        await self.servicer.set(MODELS, _SERVING)

    async def serve(self) -> None:
        """Report from now on whether requests can be served."""
        problem = await self._find_problem()
        await self._report(problem)
        self._watching = asyncio.create_task(self._watch(problem))

    async def drain(self) -> None:
        """Report, for good, that no new request is accepted."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        await self.servicer.enter_graceful_shutdown()

    async def _watch(self, known: str) -> None:
        while True:
            await asyncio.sleep(_INTERVAL_S)
            try:
                problem = await self._find_problem()
            except Exception as error:
                _log.exception("health_check_broke")
                problem = f"the check failed: {error}"
            if problem != known:
                await self._report(problem)
                known = problem

    async def _report(self, problem: str) -> None:
        if problem:
            _log.error("not_serving", reason=problem)
        else:
            _log.info("serving")
        status = _NOT_SERVING if problem else _SERVING
        await self.servicer.set("", status)
        await self.servicer.set(TRANSCRIPTION, status)

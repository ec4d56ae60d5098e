"""A request that takes a while: a message that says how far it is, a way to cancel, a last word."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from bot.client.types import Progress, Queued
from bot.errors import BotError, ServiceErrorCode
from bot.flood import FloodControl
from bot.i18n import Translator
from bot.jobs import Jobs, JobStoppedError
from bot.keyboards import cancel_keyboard
from bot.request import Request
from bot.status import StatusMessage
from bot.views import progress_text, queued_text, stopped_text

T = TypeVar("T")
Watch = Callable[[Queued | Progress], None]
"""Told how far the service is."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attendant:
    """Sees requests through; whatever happens, the person is told."""

    jobs: Jobs
    flood: FloodControl

    async def serve(
        self,
        request: Request,
        first_words: str,
        work: Callable[[StatusMessage], Coroutine[Any, Any, T]],
        deliver: Callable[[T], Awaitable[None]],
    ) -> str:
        """Answer a request.

        Parameters
        ----------
        request : Request
        first_words : str
            Of the status message.
        work : callable
            Makes what was asked for; the person may cancel it. The status message is its own to
            change, by :func:`report` for instance.
        deliver : callable
            Sends it.

        Returns
        -------
        str
            How it ended: ``done``, ``requester`` or ``shutdown`` who stopped it, or an error code.
        """
        t = request.t
        status = await StatusMessage.send(
            request,
            first_words,
            cancel_keyboard(request.id, t),
            self.flood.interval_s(request.target.chat_id),
        )
        started_s = time.monotonic()
        outcome = "done"
        try:
            made = await self.jobs.run(request.id, request.person_id, work(status))
            status.show(t("status.delivering"))
            await deliver(made)
        except JobStoppedError as stop:
            outcome = stop.reason.name.lower()
            await status.finish(stopped_text(stop.reason, t))
        except BotError as error:
            outcome = error.code
            await status.finish(request.explain(error))
        except Exception:
            outcome = ServiceErrorCode.INTERNAL
            logger.exception("job failed")
            await status.finish(request.explain(BotError(ServiceErrorCode.INTERNAL)))
        else:
            await status.remove()
        finally:
            await status.close()
            self.jobs.outcomes[outcome] += 1
            logger.info("job", outcome=outcome, seconds=round(time.monotonic() - started_s, 3))
        return outcome


def report(status: StatusMessage, t: Translator) -> Watch:
    """Return what lets a status message say how far the service is."""

    def watch(event: Queued | Progress) -> None:
        text = queued_text(event, t) if isinstance(event, Queued) else progress_text(event, t)
        status.show(text)

    return watch

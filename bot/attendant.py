"""Long requests: a status message with progress and a cancel button, and how each one ended."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from aiogram.exceptions import TelegramAPIError, TelegramForbiddenError

from bot.client.types import Progress, Queued
from bot.errors import BotError, BotErrorCode, ServiceErrorCode
from bot.flood import FloodControl
from bot.frames import forget_frames
from bot.i18n import Translator
from bot.jobs import Jobs, JobStoppedError
from bot.keyboards import cancel_keyboard
from bot.request import Request
from bot.room import Place, Room
from bot.status import StatusMessage
from bot.views import progress_text, queued_text, stopped_text

T = TypeVar("T")
Watch = Callable[[Queued | Progress], None]
"""Receives the service's progress."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attendant:
    """Runs long requests, and reports their outcome in the chat."""

    jobs: Jobs
    flood: FloodControl
    deliveries: Room

    async def announce(self, request: Request, words: str, job_id: str) -> StatusMessage:
        """Send a status message with a cancel button."""
        return await StatusMessage.send(
            request, words, cancel_keyboard(job_id, request.t), self._interval_s(request)
        )

    async def notify(self, request: Request, words: str) -> StatusMessage:
        """Send a status message of what cannot be cancelled."""
        return await StatusMessage.send(request, words, None, self._interval_s(request))

    def take_over(
        self, request: Request, message_id: int, words: str, job_id: str
    ) -> StatusMessage:
        """Go on with the status message of an earlier run of the bot."""
        keyboard = cancel_keyboard(job_id, request.t)
        return StatusMessage.adopt(request, message_id, words, keyboard, self._interval_s(request))

    async def serve(
        self,
        request: Request,
        status: StatusMessage,
        job_id: str,
        work: Callable[[Place], Coroutine[Any, Any, T]],
        deliver: Callable[[T], Awaitable[None]],
        *,
        survives: bool = False,
    ) -> str:
        """Run a request under a status message; report success, failure and cancellation.

        Parameters
        ----------
        request : Request
        status : StatusMessage
        job_id : str
            What its cancel button carries.
        work : callable
            Returns the coroutine that does the work, which the person may cancel. It takes the
            place before it holds files; the place is given back when they are delivered.
        deliver : callable
            Sends what the work returned.
        survives : bool
            Whether the work goes on after a restart of the bot, and the delivery is tried again.

        Returns
        -------
        str
            ``done``, ``blocked``, an error code, or ``requester`` or ``shutdown`` if it was
            stopped.
        """
        t = request.t
        started_s = time.monotonic()
        outcome = "done"
        try:
            async with self.deliveries.place() as place:
                made = await self.jobs.run(job_id, request.person_id, work(place))
                status.show(t("status.delivering"), cancellable=False)
                await deliver(made)
        except JobStoppedError as stop:
            outcome = stop.reason.name.lower()
            forget_frames(stop)
            await status.finish(stopped_text(stop.reason, t, survives=survives))
        except BotError as error:
            outcome = error.code
            forget_frames(error)
            await status.finish(request.explain(error))
        except TelegramForbiddenError as error:
            outcome = "blocked"
            forget_frames(error)
            logger.info("the person has blocked the bot")
        except TelegramAPIError as error:
            outcome = BotErrorCode.DELIVERY_FAILED
            logger.warning("not delivered", error=type(error).__name__)
            forget_frames(error)
            failure = BotError(BotErrorCode.DELIVERY_FAILED)
            await status.finish(t("status.kept") if survives else request.explain(failure))
        except Exception as error:
            outcome = ServiceErrorCode.INTERNAL
            logger.exception("job failed")
            forget_frames(error)
            await status.finish(request.explain(BotError(ServiceErrorCode.INTERNAL)))
        else:
            await status.remove()
        finally:
            await status.close()
            self.jobs.outcomes[outcome] += 1
            logger.info("job", outcome=outcome, seconds=round(time.monotonic() - started_s, 3))
        return outcome

    def _interval_s(self, request: Request) -> float:
        return self.flood.interval_s(request.destination.chat_id)


def report(status: StatusMessage, t: Translator) -> Watch:
    """Return a function that shows the service's progress in a status message."""

    def watch(event: Queued | Progress) -> None:
        text = queued_text(event, t) if isinstance(event, Queued) else progress_text(event, t)
        status.show(text)

    return watch

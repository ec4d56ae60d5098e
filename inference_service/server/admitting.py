"""Places in a queue for calls, with a deadline for each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inference_service.engine.queue import Admission, Place
from inference_service.errors import DeadlineExceeded
from inference_service.server.caller import find_caller
from inference_service.server.sending import Context


@asynccontextmanager
async def admit(
    queue: Admission, context: Context, limit_s: float
) -> AsyncIterator[tuple[Place, float]]:
    """Hold a place in a queue; yield it and the call's deadline, on the monotonic clock.

    The deadline is the caller's, or ``limit_s`` from now if that is earlier.

    Raises
    ------
    DeadlineExceeded
        If the block runs longer than that.
    """
    remaining_s = context.time_remaining()
    deadline_s = time.monotonic() + (limit_s if remaining_s is None else min(remaining_s, limit_s))
    with queue.admit(find_caller(context.peer())) as place:
        await context.send_initial_metadata(())
        timeout = asyncio.timeout_at(deadline_s)
        try:
            async with timeout:
                yield place, deadline_s
        except TimeoutError:
            if not timeout.expired():
                raise
            raise DeadlineExceeded("the request ran out of its time") from None

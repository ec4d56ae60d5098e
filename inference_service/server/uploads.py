"""The messages of an upload, whose place in the queue is held only by bytes that keep coming."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator

from notabot.v1 import transcription_pb2

from inference_service.server.waiting import Wait

Requests = AsyncIterator[transcription_pb2.TranscribeRequest]


class Pace:
    """The least pace of an upload.

    Waiting uses up an allowance, which starts full. Each byte restores the time that it would take
    at the least rate. So a short silence does no harm, and a byte now and then does not hold a
    place.

    Parameters
    ----------
    stall_s : float
        The full allowance: the longest silence, and the longest wait for the first byte.
    min_rate : float
        Bytes per second.
    limit_s : float
        Longest time for the whole upload.
    """

    def __init__(self, stall_s: float, min_rate: float, limit_s: float) -> None:
        self._stall_s = stall_s
        self._min_rate = min_rate
        self._allowance_s = stall_s
        self._end_s = time.monotonic() + limit_s
        self._wait = Wait()

    @property
    def late_s(self) -> float:
        """The part of the allowance that is used up; 0 while no byte is being waited for."""
        if not self._wait.is_on:
            return 0.0
        return self._stall_s - self._allowance_s + self._wait.lasted_s

    def give_way(self) -> None:
        """End the upload."""
        self._wait.give_way()

    async def keep(self, requests: Requests) -> AsyncGenerator[transcription_pb2.TranscribeRequest]:
        """Yield the messages while they keep the pace.

        Raises
        ------
        DeadlineExceeded
            When they do not, or have to give way.
        """
        messages = aiter(requests)
        while True:
            limit_s = min(self._allowance_s, self._end_s - time.monotonic())
            try:
                async with self._wait.limited(limit_s, "the audio did not arrive in time"):
                    message = await anext(messages)
            except StopAsyncIteration:
                return
            earned_s = len(message.audio_chunk) / self._min_rate
            left_s = self._allowance_s - self._wait.lasted_s
            self._allowance_s = min(self._stall_s, left_s + earned_s)
            yield message

"""Sends the events of a request over its call, at the pace at which the caller reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message
from notabot.v1 import transcription_pb2

from inference_service.engine.queue import Admission, Place
from inference_service.engine.service import Rendered
from inference_service.engine.worker import Update
from inference_service.server.convert.events import encode_artifact, encode_result, encode_update
from inference_service.server.waiting import Wait

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class Reading:
    """The reading of an answer by its caller.

    Parameters
    ----------
    context : Context
    limit_s : float
        Longest time that a message may stay unread.
    """

    def __init__(self, context: Context, limit_s: float) -> None:
        self._context = context
        self._limit_s = limit_s
        self._wait = Wait()

    @property
    def late_s(self) -> float:
        """How long the message has been unread; 0 if none is."""
        return self._wait.lasted_s if self._wait.is_on else 0.0

    def give_way(self) -> None:
        """End the answer."""
        self._wait.give_way()

    async def write(self, message: Message) -> None:
        """Send a message once the caller has room for it.

        Raises
        ------
        DeadlineExceeded
            If the caller does not read.
        """
        async with self._wait.limited(self._limit_s, "the answer was not read in time"):
            await self._context.write(message)


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends events.

    Parameters
    ----------
    deliveries : Admission
        Answers whose files are held until they are read.
    limit_s : float
        Longest time that a caller may leave a message unread.
    """

    deliveries: Admission
    limit_s: float

    def reading(self, context: Context) -> Reading:
        """Return the reading of an answer over a call."""
        return Reading(context, self.limit_s)

    async def send(
        self, events: AsyncIterator[Update | Rendered], context: Context, place: Place | None = None
    ) -> None:
        """Send updates as they come, then the files in chunks and the result.

        Parameters
        ----------
        events : AsyncIterator of Update and Rendered
        context : Context
        place : Place, optional
            Held by the request while it is worked on, and released once there are files.

        Raises
        ------
        DeadlineExceeded
            If the caller does not read.
        """
        reading = self.reading(context)
        async with aclosing(events):  # type: ignore[type-var]
            with nullcontext() if place is None else place.held_by(reading):
                rendered = await self._send_updates(events, reading)
            with self.delivering(reading, place):
                await _send_files(rendered, reading)

    @contextmanager
    def delivering(self, reading: Reading, place: Place | None = None) -> Iterator[None]:
        """Hold a place among the deliveries, instead of ``place``, while an answer is read."""
        if place is not None:
            place.release()
        self.deliveries.relieve()
        with self.deliveries.admit(beyond_limit=True) as delivery, delivery.held_by(reading):
            yield

    async def _send_updates(
        self, events: AsyncIterator[Update | Rendered], reading: Reading
    ) -> Rendered:
        async for event in events:
            if isinstance(event, Rendered):
                return event
            await reading.write(encode_update(event))
        raise AssertionError("unreachable: a request ends with its files or an error")


async def _send_files(rendered: Rendered, reading: Reading) -> None:
    for artifact in rendered.artifacts:
        for chunk in encode_artifact(artifact):
            await reading.write(chunk)
    result = transcription_pb2.TranscribeEvent(result=encode_result(rendered))
    await reading.write(result)

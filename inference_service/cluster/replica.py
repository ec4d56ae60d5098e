"""The end of a call at which the work is done: an object in a replica of Ray Serve.

A method runs in a thread, so that the replica's event loop can be told to stop it. What it reports
is streamed back, and so is its outcome.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import ray

from inference_service.cluster.messages import Alive, Callback, Called, Message, Raised, Returned
from inference_service.errors import Cancelled, NotabotError

MESSAGE_INTERVAL_S: Final = 0.1
"""Calls of one function within this time are sent as one, the latest."""


class Replica:
    """Calls the methods of an object.

    Parameters
    ----------
    build : callable
        Returns the object; called once.
    concurrency : int
        Number of calls at once.
    """

    def __init__(self, build: Callable[[], object], concurrency: int) -> None:
        self._target = build()
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="replica")

    async def call(self, method: str, packed: list[Any]) -> AsyncIterator[Message]:
        """Call a method; yields what it reports, then its outcome.

        Parameters
        ----------
        method : str
        packed : list of one ray.ObjectRef
            The arguments; :class:`Callback` stands for functions. A reference inside a list is
            passed as it is, so that only the replica fetches what it refers to.
        """
        (reference,) = packed
        calls = _Calls()
        work = self._threads.submit(partial(self._run, method, reference, calls))
        try:
            while True:
                done = work.done()  # before what it left is taken
                for message in calls.take():
                    yield message
                if done:
                    break
                yield Alive()
                await asyncio.wait([asyncio.wrap_future(work)], timeout=MESSAGE_INTERVAL_S)
            yield _get_outcome(work)
        finally:
            calls.stop()

    def _run(self, method: str, reference: ray.ObjectRef[Any], calls: _Calls) -> Message:
        arguments = [
            partial(calls.add, argument.place) if isinstance(argument, Callback) else argument
            for argument in ray.get(reference)
        ]
        return Returned([ray.put(getattr(self._target, method)(*arguments))])


class _Calls:
    """The latest call of each of a caller's functions, until it is sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[object, Called] = {}
        self._is_stopped = False

    def add(self, place: int, *arguments: object) -> None:
        """Note a call; calls that differ in more than their last argument are all kept."""
        with self._lock:
            if self._is_stopped:
                raise Cancelled("the caller went away")
            self._latest[place, *arguments[:-1]] = Called(place, arguments)

    def take(self) -> list[Called]:
        """Return the calls noted since the last time, in their order."""
        with self._lock:
            calls = list(self._latest.values())
            self._latest.clear()
        return calls

    def stop(self) -> None:
        """Let the next call raise ``Cancelled``."""
        with self._lock:
            self._is_stopped = True


def _get_outcome(work: Future[Message]) -> Message:
    try:
        return work.result()
    except NotabotError as error:
        return Raised(error.code, error.cause, dict(error.params))

"""The same recording is not heard twice: by what it is known, and who hears it for the others.

A recording is known by a key: a hash of its bytes, of the models and the preset by which it is
heard, and of the service's code and settings. The key never leaves the service and its store.

Of several requests for one recording, one leads: it hears, and the others follow its progress. When
it has stored a result, each of them is given a result of its own. If it was cancelled or ran out of
its time, another one takes the lead. :class:`LocalHearings` knows the requests of this process,
:class:`~inference_service.engine.shared_hearings.SharedHearings` those of several services.
Services that share results and no state find what another has heard meanwhile, at the latest when
it is their turn.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from copy import copy
from dataclasses import replace
from types import TracebackType
from typing import Final, Protocol, Self, TypeAlias, TypeVar

import structlog

from inference_service.engine.progress_meter import StageUpdate
from inference_service.engine.results import Heard, ResultStore
from inference_service.engine.worker import Position, Update
from inference_service.errors import DeadlineExceeded, ErrorKind, NotabotError, QueueFull
from inference_service.pipeline.options import Preset

_EVERYBODYS: Final = frozenset({ErrorKind.INVALID_INPUT, ErrorKind.NOT_SERVING})
"""Errors of a request that all others for the same recording would meet, too."""

T = TypeVar("T")
Events: TypeAlias = AsyncGenerator[Update | T, None]
"""Updates of a request, then its result."""

_log = structlog.get_logger()


class Lead(Protocol):
    """The lead of those who wait for a recording; a context manager that gives it back."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def post(self, update: Update) -> None:
        """Show the followers an update; of several unread ones, the latest counts."""
        ...

    def end(self) -> None:
        """Give the lead back: what was heard is stored, or is not to be heard by this request."""
        ...


class Hearings(Protocol):
    """Who hears which recording."""

    async def lead(self, key: str) -> Lead | None:
        """Take the lead, or return None if another request has it."""
        ...

    def follow(self, key: str, deadline_s: float) -> AsyncGenerator[Update, None]:
        """Yield updates of the request that leads, until it gives the lead back.

        ``deadline_s`` is that of the request that follows, on ``time.monotonic``'s clock.

        Raises
        ------
        NotabotError
            If the leading request failed in a way that concerns all.
        DeadlineExceeded
            If the deadline has passed.
        """
        ...


class LocalHearings:
    """The hearings of this process. Everything here runs on the event loop."""

    def __init__(self) -> None:
        self._leads: dict[str, _LocalLead] = {}

    async def lead(self, key: str) -> _LocalLead | None:
        """Take the lead, or return None if another request has it."""
        if key in self._leads:
            return None
        lead = self._leads[key] = _LocalLead(self._leads, key)
        return lead

    def is_led(self, key: str) -> bool:
        """Whether a request of this process has the lead."""
        return key in self._leads

    async def follow(self, key: str, deadline_s: float) -> AsyncGenerator[Update, None]:
        """Yield updates of the request that leads, until it gives the lead back."""
        if key in self._leads:
            async for update in self._leads[key].follow(deadline_s):
                yield update


class _LocalLead:
    def __init__(self, leads: dict[str, _LocalLead], key: str) -> None:
        self._leads = leads
        self._key = key
        self._latest: Update | None = None
        self._error: NotabotError | None = None
        self._is_over = False
        self._changed = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, NotabotError) and error.kind in _EVERYBODYS:
            self._error = copy(error)
            self._error.__traceback__ = None
        self.end()

    def post(self, update: Update) -> None:
        self._latest = update
        self._changed.set()

    def end(self) -> None:
        if not self._is_over:
            self._is_over = True
            del self._leads[self._key]
            self._changed.set()

    async def follow(self, deadline_s: float) -> AsyncGenerator[Update, None]:
        shown: Update | None = None
        while not self._is_over:
            self._changed.clear()
            if self._latest is not None and self._latest is not shown:
                shown = self._latest
                yield shown
                continue
            try:
                left_s = max(0.0, deadline_s - time.monotonic())
                await asyncio.wait_for(self._changed.wait(), left_s)
            except TimeoutError:
                raise DeadlineExceeded("the request ran out of its time") from None
        if self._error is not None:
            raise copy(self._error)


class Reuse:
    """Lets requests share what is heard of a recording.

    Parameters
    ----------
    results : ResultStore
    recipe : str
        Identifies how this service hears, apart from its models.
    models : callable
        Returns ``name@version`` of the models in use, by task.
    hearings : Hearings
    """

    def __init__(
        self,
        results: ResultStore,
        recipe: str,
        models: Callable[[], Mapping[str, str]],
        hearings: Hearings,
    ) -> None:
        self._results = results
        self._recipe = recipe
        self._models = models
        self._hearings = hearings

    def build_key(self, recording: str, preset: Preset, models: Mapping[str, str]) -> str:
        """Return the key of what is heard of a recording, in hexadecimal.

        Parameters
        ----------
        recording : str
            The hash of its file.
        preset : Preset
            As it was asked for, not as it was recognised.
        models : mapping of str to str
            ``name@version`` by task.
        """
        parts = [self._recipe, recording, preset.value]
        parts += [f"{task}={model}" for task, model in sorted(models.items())]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def find(self, key: str) -> Heard | None:
        """Return what was heard before; None also if the store does not answer."""
        try:
            return self._results.find_heard(key)
        except QueueFull:
            return None

    async def share(
        self,
        data: bytes,
        preset: Preset,
        deadline_s: float,
        hear: Callable[[bytes, str], Events[T]],
        write: Callable[[Heard, str], Events[T]],
    ) -> Events[T]:
        """Yield the events of a request, which hears a recording only if nobody else does.

        Parameters
        ----------
        data : bytes
            The recording's file.
        preset : Preset
        deadline_s : float
            On ``time.monotonic``'s clock.
        hear : callable
            Hears the recording, given its hash, and stores a result under the key.
        write : callable
            Stores a result of what was heard, under the key.

        Raises
        ------
        NotabotError
        """
        recording = (await asyncio.to_thread(hashlib.sha256, data)).hexdigest()
        done = 0.0
        while True:
            key = self.build_key(recording, preset, self._models())
            lead = await self._hearings.lead(key)
            if lead is not None:
                break
            async with aclosing(self._hearings.follow(key, deadline_s)) as updates:
                async for update in updates:
                    if isinstance(update, StageUpdate):
                        done = max(done, update.overall_fraction)
                    yield update
        with lead:
            heard = await asyncio.to_thread(self.find, key)
            if heard is None:
                events = hear(data, recording)
            else:
                lead.end()
                events = write(heard, key)
            del data
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Position | StageUpdate):
                        update = _continue(done, event)
                        lead.post(update)
                        yield update
                    else:
                        lead.end()
                        yield event


def _continue(done: float, update: Update) -> Update:
    """Return an update whose progress continues from the part of the whole that was done."""
    if isinstance(update, Position):
        return update
    overall = done + (1.0 - done) * update.overall_fraction
    return replace(update, overall_fraction=overall)

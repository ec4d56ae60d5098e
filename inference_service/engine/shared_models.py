"""The choice of models that several services make together.

What is chosen with ``Activate`` at one gateway is kept in Valkey or Redis, a model's name for each
task, under a version that every choice raises. Every gateway looks twice a second and loads what
it does not have; a request keeps the models that it began with, as everywhere
(:mod:`inference_service.engine.registry`). A gateway that starts begins with what is chosen.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog

from inference_service.engine.registry import ModelRegistry, ModelStatus
from inference_service.engine.shared_state import PREFIX, SharedState
from inference_service.errors import ModelError, NotReady
from inference_service.pipeline.stages import Task

INTERVAL_S: Final = 0.5
RETRY_S: Final = 30.0
"""Until a gateway tries again to load what it could not load."""

_MODELS: Final = f"{PREFIX}models"
_VERSION: Final = f"{PREFIX}models:version"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Choice:
    """The name of the chosen model for each task that one was chosen for."""

    version: int
    models: dict[Task, str]


class SharedRegistry(ModelRegistry):
    """The models in use at one of several gateways.

    Parameters
    ----------
    state : SharedState
        Closed with the registry.
    *parts, **options
        Of a :class:`~inference_service.engine.registry.ModelRegistry`.
    """

    def __init__(self, state: SharedState, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        self._shared = state
        self._refused: dict[Task, tuple[int, float]] = {}
        self._watching: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Load the first set, with what is chosen where that loads, and watch for choices.

        Raises
        ------
        ModelError
            If none of a task's models loads.
        """
        with suppress(NotReady):  # the profile's models serve until the choice is known
            for task, name in (await self._read()).models.items():
                with suppress(ModelError):
                    self.prefer(task, name)
        await super().load()
        self._watching = asyncio.create_task(self._watch())

    async def activate(self, task: str, model: str) -> tuple[ModelStatus, str]:
        """Change a task's model here, then have every gateway change it.

        Raises
        ------
        ModelUnknown, ModelNotFetched, ModelRejected
            The current model stays in use at every gateway.
        NotReady
            Before the first set is loaded, or if the choice cannot be stored.
        """
        await self._read()
        status, previous = await super().activate(task, model)
        try:
            await self._write(status.task, status.entry.name)
        except NotReady:
            with suppress(ModelError):
                await super().activate(task, previous.partition("@")[0])
            raise
        return status, previous

    def close(self) -> bool:
        """Stop watching and loading. Returns whether the loader's thread is idle."""
        if self._watching is not None:
            self._watching.cancel()
        return super().close()

    async def _watch(self) -> None:
        try:
            while True:
                await asyncio.sleep(INTERVAL_S)
                try:
                    await self._follow(await self._read())
                except NotReady:
                    continue
                except Exception:
                    _log.exception("choice_not_followed")
        finally:
            await self._shared.close()

    async def _follow(self, choice: Choice) -> None:
        """Load what is chosen and not in use here."""
        now_s = asyncio.get_running_loop().time()
        for task, name in choice.models.items():
            if self.active[task].partition("@")[0] == name:
                continue
            version, again_s = self._refused.get(task, (-1, 0.0))
            if version == choice.version and now_s < again_s:
                continue
            try:
                await super().activate(task, name)
            except ModelError as error:
                _log.error("choice_not_loaded", task=task, model=name, reason=error.cause)
                self._refused[task] = (choice.version, now_s + RETRY_S)

    async def _read(self) -> Choice:
        pipeline = self._shared.client.pipeline(transaction=True)
        pipeline.get(_VERSION)
        pipeline.hgetall(_MODELS)
        version, models = await self._shared.ask(pipeline.execute())
        known = {task.value for task in Task}
        names = {task.decode(): name.decode() for task, name in models.items()}
        return Choice(
            int(version or 0), {Task(task): name for task, name in names.items() if task in known}
        )

    async def _write(self, task: Task, name: str) -> None:
        pipeline = self._shared.client.pipeline(transaction=True)
        pipeline.hset(_MODELS, task.value, name)
        pipeline.incr(_VERSION)
        await self._shared.ask(pipeline.execute())

"""The models in use, and how one is replaced while requests run.

Models are loaded in a separate thread. A request keeps the :class:`StageSet` that was current when
it began; a replacement creates a new set, so that no request sees a mixture of two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import structlog

from inference_service.engine.catalog import Catalog, ModelEntry
from inference_service.engine.choice import Fetch, Substitution, choose, require_fetched
from inference_service.errors import ModelError, ModelRejected, NotabotError, NotReady
from inference_service.pipeline.stages import Component, Router, Separator, StageSet, Task

Loader = Callable[[Task, ModelEntry], Component]
"""Builds a stage from a model. Runs in a loader's thread; may take long and may raise."""

T = TypeVar("T")

_log = structlog.get_logger()
_RETRY_AFTER_S = 5.0


class ModelState(StrEnum):
    """State of a model for one task."""

    NOT_FETCHED = "not fetched"
    AVAILABLE = "available"
    LOADING = "loading"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model and its state for one task."""

    task: Task
    entry: ModelEntry
    state: ModelState


class ModelRegistry:
    """The models in use, one for each task.

    Parameters
    ----------
    catalog : Catalog
        All models.
    candidates : mapping of Task to tuple of ModelEntry
        Models to start with, the preferred one of each task first. One that does not load or fails
        on the built-in signal is replaced by the next.
    fetch : Fetch
        Fetches preferred models that are not on this machine; runs in a loader's thread.
    loader : Loader
    build_router : callable
        Builds the router; runs in a loader's thread.
    weights : Path
        Folder of the fetched weights.
    loads_at_once : int
        Models of the first set that are loaded at the same time, in threads of their own.
    """

    def __init__(
        self,
        catalog: Catalog,
        candidates: Mapping[Task, tuple[ModelEntry, ...]],
        fetch: Fetch,
        loader: Loader,
        build_router: Callable[[], Router],
        weights: Path,
        loads_at_once: int = 1,
    ) -> None:
        self._catalog = catalog
        self._candidates = dict(candidates)
        self._fetch = fetch
        self._loader = loader
        self._build_router = build_router
        self._weights = weights
        self._loads_at_once = loads_at_once
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader")
        self._changing = asyncio.Lock()
        self._loading: set[tuple[Task, str]] = set()
        self._stages: StageSet | None = None

    @property
    def ready(self) -> bool:
        """Whether the first set is loaded."""
        return self._stages is not None

    @property
    def stages(self) -> StageSet:
        """The current set.

        Raises
        ------
        NotReady
            Before the first set is loaded.
        """
        if self._stages is None:
            raise NotReady("models are still loading", retry_after_s=_RETRY_AFTER_S)
        return self._stages

    @property
    def active(self) -> Mapping[str, str]:
        """``name@version`` by task; empty before the first set is loaded."""
        return {} if self._stages is None else self._stages.models

    async def load(self) -> None:
        """Load the first set, fetching preferred models that are not on this machine.

        Raises
        ------
        ModelError
            If the router, or the last candidate of a task, is missing, does not load, or fails on
            the built-in signal.
        """
        async with self._changing:
            self._stages = await self._in_loader(self._load_all)
        _log.info("models_loaded", **self._stages.models)

    def prefer(self, task: Task, model: str) -> None:
        """Let the first set have a model before those that it would have.

        Raises
        ------
        ModelUnknown
        """
        entry = self._catalog.entry(task, model)
        others = (other for other in self._candidates[task] if other is not entry)
        self._candidates[task] = (entry, *others)

    async def activate(self, task: str, model: str) -> tuple[ModelStatus, str]:
        """Load a model beside the current one, check it, then replace the current one.

        Returns
        -------
        status : ModelStatus
            That of the model, now active.
        previous : str
            ``name@version`` of the model that it replaced.

        Raises
        ------
        ModelUnknown, ModelNotFetched, ModelRejected
            The current model stays in use.
        NotReady
            Before the first set is loaded.
        """
        entry = self._catalog.entry(task, model)
        wanted = Task(task)
        before = self.stages.models[wanted]
        require_fetched(wanted, entry, self._weights)
        async with self._changing:
            self._loading.add((wanted, entry.name))
            try:
                stage = await self._in_loader(lambda: self._load_checked(wanted, entry))
            finally:
                self._loading.discard((wanted, entry.name))
            current = self.stages
            before = current.models[wanted]
            models = {**current.models, wanted: entry.id}
            exchanged: dict[str, Any] = {wanted.value: stage}
            self._stages = replace(current, models=models, **exchanged)
        _log.info("model_activated", task=wanted, model=entry.id, previous=before)
        return ModelStatus(wanted, entry, ModelState.ACTIVE), before

    def list_models(self) -> list[ModelStatus]:
        """Return all models of all tasks, within a task in the order of the manifest."""
        return [
            ModelStatus(task, entry, self._state(task, entry))
            for task in Task
            for entry in self._catalog.models
            if task in entry.tasks
        ]

    def close(self) -> bool:
        """Stop loading. Returns whether the loader's thread is idle."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        return not self._changing.locked()

    def _state(self, task: Task, entry: ModelEntry) -> ModelState:
        first_load = self._stages is None and self._candidates[task][0] is entry
        if first_load or (task, entry.name) in self._loading:
            return ModelState.LOADING
        if self.active.get(task) == entry.id:
            return ModelState.ACTIVE
        fetched = entry.is_fetched(self._weights)
        return ModelState.AVAILABLE if fetched else ModelState.NOT_FETCHED

    async def _in_loader(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _load_all(self) -> StageSet:
        for task, candidates in self._candidates.items():
            require_fetched(task, candidates[-1], self._weights)
        stages: dict[str, Any] = {}
        models: dict[str, str] = {}
        with ThreadPoolExecutor(self._loads_at_once, thread_name_prefix="loader") as pool:
            # The first error ends the loop, which cancels what has not begun.
            loaded = pool.map(self._load_best, self._candidates, self._candidates.values())
            for task, (stage, entry) in zip(self._candidates, loaded, strict=True):
                stages[task.value], models[task.value] = stage, entry.id
        router = self._load_router(stages[Task.SEPARATION.value])
        return StageSet(**stages, router=router, models=models)

    def _load_best(
        self, task: Task, candidates: tuple[ModelEntry, ...]
    ) -> tuple[Component, ModelEntry]:
        """Load the first candidate that can be fetched, loads, and passes the check."""
        choice, substitutions = choose({task: candidates}, self._weights, self._fetch_preferred)
        for substitution in substitutions:
            _log.warning("model_substituted", reason=str(substitution))
        entry = choice[task]
        others = candidates[candidates.index(entry) + 1 :]
        try:
            return self._load_checked(task, entry), entry
        except ModelError as error:
            if not others:
                raise
            substitution = Substitution(task, entry, others[0], error.cause)
            _log.warning("model_substituted", reason=str(substitution))
        return self._load_best(task, others)

    def _load_router(self, separator: Separator) -> Router:
        from inference_service.engine.selfcheck import check_router  # brings numpy

        try:
            router = self._build_router()
            check_router(router, separator)
        except Exception as error:
            _log.warning("model_check_failed", task="routing", exc_info=True)
            raise ModelRejected(
                f"the router failed on the built-in signal: {error}", task="routing", model="router"
            ) from error
        return router

    def _fetch_preferred(self, entry: ModelEntry) -> None:
        _log.info("fetching_model", model=entry.id, size_bytes=entry.size_bytes)
        self._fetch(entry)

    def _load_one(self, task: Task, entry: ModelEntry) -> Component:
        try:
            return self._loader(task, entry)
        except NotabotError:
            raise
        except Exception as error:
            _log.warning("model_load_failed", task=task, model=entry.id, exc_info=True)
            raise ModelRejected(
                f"{entry.id} did not load: {error}", task=task, model=entry.name
            ) from error

    def _load_checked(self, task: Task, entry: ModelEntry) -> Component:
        from inference_service.engine.selfcheck import check_component  # brings numpy

        stage = self._load_one(task, entry)
        try:
            check_component(task, stage)
        except Exception as error:
            _log.warning("model_check_failed", task=task, model=entry.id, exc_info=True)
            raise ModelRejected(
                f"{entry.id} failed on the built-in signal: {error}", task=task, model=entry.name
            ) from error
        return stage

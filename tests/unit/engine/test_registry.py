"""How many models are loaded at once, and what a model that does not load does to the others."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from inference_service.assembly import TINY, build_catalog, build_loader, build_router
from inference_service.engine.catalog import ModelEntry
from inference_service.engine.registry import Loader, ModelRegistry
from inference_service.errors import ModelRejected
from inference_service.pipeline.stages import Component, Task
from inference_service.settings import ModelSettings

SETTINGS = ModelSettings.model_validate({"profile": TINY})
load = build_loader(SETTINGS)


def build_registry(folder: Path, loader: Loader, loads_at_once: int) -> ModelRegistry:
    catalog = build_catalog(TINY)
    return ModelRegistry(
        catalog,
        catalog.candidates(TINY, {}),
        lambda entry: None,
        loader,
        lambda: build_router(SETTINGS),
        folder,
        loads_at_once,
    )


async def test_models_load_side_by_side(tmp_path: Path) -> None:
    all_begun = threading.Barrier(len(Task))

    def load_with_others(task: Task, entry: ModelEntry) -> Component:
        all_begun.wait(30.0)
        return load(task, entry)

    registry = build_registry(tmp_path, load_with_others, len(Task))
    await registry.load()
    assert set(registry.active) == set(Task)


async def test_or_one_after_the_other(tmp_path: Path) -> None:
    loading, loaded = threading.Lock(), []

    def load_alone(task: Task, entry: ModelEntry) -> Component:
        assert loading.acquire(blocking=False)
        loaded.append(task)
        stage = load(task, entry)
        loading.release()
        return stage

    await build_registry(tmp_path, load_alone, 1).load()
    assert loaded == list(build_catalog(TINY).candidates(TINY, {}))


async def test_after_one_that_does_not_load_no_other_begins(tmp_path: Path) -> None:
    begun: list[Task] = []

    def fail(task: Task, entry: ModelEntry) -> Component:
        begun.append(task)
        raise ModelRejected("broken", task=task, model=entry.name)

    with pytest.raises(ModelRejected, match="broken"):
        await build_registry(tmp_path, fail, 1).load()
    assert len(begun) <= 2  # one more may begin before the first error is seen

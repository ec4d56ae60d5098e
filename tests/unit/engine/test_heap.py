"""Returning freed memory to the system."""

from __future__ import annotations

import asyncio

import pytest

from inference_service.engine import heap
from inference_service.engine.heap import Heap
from tests.service.running import wait_until


async def test_the_heap_is_trimmed_once_after_many_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trimmed: list[int] = []
    monkeypatch.setattr(heap, "_DELAY_S", 0.02)
    monkeypatch.setattr(heap, "_find", lambda name: trimmed.append)
    trimming = Heap()
    for _ in range(10):
        trimming.trim_soon()
    await wait_until(lambda: bool(trimmed))
    await asyncio.sleep(0.05)
    assert trimmed == [0]
    trimming.trim_soon()
    await wait_until(lambda: len(trimmed) == 2)


async def test_systems_that_cannot_trim_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_DELAY_S", 0.0)
    monkeypatch.setattr(heap, "_find", lambda name: None)
    heap.use_one_heap()
    Heap().trim_soon()
    await asyncio.sleep(0.05)


def test_one_heap_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []
    monkeypatch.setattr(heap, "_find", lambda name: lambda *values: asked.append(values))
    heap.use_one_heap()
    assert asked == [(-8, 1)]

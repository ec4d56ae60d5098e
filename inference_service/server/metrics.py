"""Prometheus metrics: requests, stages, queue, models in use, room on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_STAGE_BUCKETS_S: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
_CALL_BUCKETS_S: Final = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 1800)


class Metrics:
    """The service's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Counter(
            "notabot_requests",
            "Finished calls by method and outcome: OK or the error's code.",
            ["method", "code"],
            registry=self.registry,
        )
        self._call_seconds = Histogram(
            "notabot_request_seconds",
            "Seconds from a call's arrival to its end.",
            ["method"],
            buckets=_CALL_BUCKETS_S,
            registry=self.registry,
        )
        self._stage_seconds = Histogram(
            "notabot_stage_seconds",
            "Seconds that a stage took.",
            ["stage"],
            buckets=_STAGE_BUCKETS_S,
            registry=self.registry,
        )

        self._reused = Counter(
            "notabot_results_reused",
            "Recordings that were not heard again, since a result was kept.",
            registry=self.registry,
        )

    def count_reused(self) -> None:
        """Count a recording that was not heard again."""
        self._reused.inc()

    def count_call(self, method: str, code: str, seconds: float) -> None:
        """Count a finished call."""
        self._calls.labels(method, code).inc()
        self._call_seconds.labels(method).observe(seconds)

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Count a finished stage."""
        self._stage_seconds.labels(stage).observe(seconds)

    def watch_queue(self, length: Callable[[], int], busy: Callable[[], bool]) -> None:
        """Read the queue's state at every scrape."""
        waiting = Gauge("notabot_queue_length", "Transcriptions that wait.", registry=self.registry)
        waiting.set_function(length)
        running = Gauge("notabot_busy", "1 while the device is at work.", registry=self.registry)
        running.set_function(busy)

    def watch_disk(self, folders: Mapping[str, Path]) -> None:
        """Read the free room of folders, by what they hold, at every scrape."""
        self.registry.register(_FreeRoom(folders))

    def watch_models(self, active: Callable[[], Mapping[str, str]]) -> None:
        """Read the models in use at every scrape."""
        self.registry.register(_ActiveModels(active))


class _ActiveModels(Collector):
    """``notabot_model_info{task, model} 1`` for each task."""

    def __init__(self, active: Callable[[], Mapping[str, str]]) -> None:
        self._active = active

    def collect(self) -> list[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "notabot_model_info", "The model that serves a task.", labels=["task", "model"]
        )
        for task, model in self._active().items():
            family.add_metric([task, model], 1)
        return [family]


class _FreeRoom(Collector):
    """``notabot_disk_free_bytes{folder}`` for each folder that is there."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders

    def collect(self) -> list[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "notabot_disk_free_bytes",
            "Room that is left for what a folder holds.",
            labels=["folder"],
        )
        for name, folder in self._folders.items():
            with suppress(OSError):
                family.add_metric([name], shutil.disk_usage(folder).free)
        return [family]

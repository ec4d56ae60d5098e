"""How long a recording keeps which replica busy, from measured stage times.

The time of a stage is a line over the length of a recording, fitted to the measurements of
``measurements.json`` with relative errors, as :mod:`inference_service.engine.durations` does. On a
GPU, separation runs htdemucs at an assumed real-time factor, and the other networks run an assumed
number of times faster than on one core.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from deploy.planning.demand import Recording
from deploy.planning.queues import Job
from inference_service.pipeline.routing import EXCERPT_S, EXCERPTS
from inference_service.progress import Stage

_ROUTED_S: Final = EXCERPT_S * EXCERPTS
"""Longest part of a recording that the router hears."""

MEASUREMENTS: Final = Path(__file__).with_name("measurements.json")

TRANSFER: Final = "bots"
DECODING: Final = "decoding"
DEVICE: Final = "device"
ANALYSIS: Final = "analysis"
WRITING: Final = "writing"

Line = tuple[float, float]
"""Seconds, and seconds for each second of a recording."""

Layout = Mapping[Stage, str]
"""The pool of each stage."""

ONE_PROCESS: Final[Layout] = {
    **dict.fromkeys(Stage, DEVICE),
    Stage.DECODE: DECODING,
    Stage.NOTATION: WRITING,
    Stage.ENGRAVING: WRITING,
}
"""Today's service: one thread hears, another one writes."""

APART: Final[Layout] = {
    **dict.fromkeys(Stage, ANALYSIS),
    Stage.DECODE: DECODING,
    Stage.TUNING: DECODING,
    Stage.ROUTING: DEVICE,
    Stage.SEPARATION: DEVICE,
    Stage.TAGGING: DEVICE,
    Stage.NOTATION: WRITING,
    Stage.ENGRAVING: WRITING,
}
"""Stages that gain from a GPU apart from those that do not."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """What a GPU is assumed to do; none has been measured.

    Attributes
    ----------
    separation_speed : float
        Seconds of a song that htdemucs separates in a second.
    speedup : float
        Of other networks, over one core.
    launch_s : float
        Constant seconds of each stage.
    """

    separation_speed: float = 60.0
    speedup: float = 15.0
    launch_s: float = 0.1


class StageTimes:
    """Seconds of one core, by stage, for recordings of each kind.

    Parameters
    ----------
    measurements : mapping
        The content of ``measurements.json``.
    """

    def __init__(self, measurements: Mapping[str, Any]) -> None:
        self._lines: dict[str, dict[Stage, Line]] = {}
        self._bytes: dict[str, Line] = {}
        for kind in {row["sample"] for row in measurements["recordings"]}:
            rows = [row for row in measurements["recordings"] if row["sample"] == kind]
            self._lines[kind] = {
                Stage(stage): _fit([(_heard_s(stage, row), row["cpu_s"][stage]) for row in rows])
                for stage in rows[0]["cpu_s"]
            }
            self._bytes[kind] = _fit([(row["length_s"], row["kept_bytes"]) for row in rows])

    @classmethod
    def load(cls, path: Path = MEASUREMENTS) -> StageTimes:
        """Read the measurements that come with the project."""
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def seconds(self, kind: str, length_s: float, gpu: Gpu | None = None) -> dict[Stage, float]:
        """Return the seconds of each stage; with a GPU, of those that it runs."""
        times: dict[Stage, float] = {}
        for stage, (constant, slope) in self._lines[kind].items():
            at = min(length_s, _ROUTED_S) if stage is Stage.ROUTING else length_s
            seconds = constant + slope * at
            if gpu is not None and APART[stage] == DEVICE:
                fast_s = seconds / gpu.speedup
                if stage is Stage.SEPARATION:
                    fast_s = length_s / gpu.separation_speed
                seconds = gpu.launch_s + fast_s
            times[stage] = seconds
        return times

    def kept_bytes(self, kind: str, length_s: float) -> float:
        """Return the size of what is kept of a recording: result, sound and stems."""
        constant, slope = self._bytes[kind]
        return constant + slope * length_s


@dataclass(frozen=True, slots=True)
class Transfer:
    """How a bot passes a recording on from Telegram; assumed.

    Attributes
    ----------
    constant_s : float
        Calls before the first byte.
    bytes_per_s : float
    """

    constant_s: float = 0.5
    bytes_per_s: float = 4e6

    def seconds(self, size_bytes: float) -> float:
        """Return how long a file takes."""
        return self.constant_s + size_bytes / self.bytes_per_s


def build_job(
    recording: Recording,
    times: StageTimes,
    layout: Layout,
    gpu: Gpu | None = None,
    transfer: Transfer | None = None,
) -> Job:
    """Return a recording's way through a fleet.

    Parameters
    ----------
    recording : Recording
    times : StageTimes
    layout : Layout
    gpu : Gpu, optional
        None: everything runs on CPU cores.
    transfer : Transfer, optional
        None: the recording is there already.
    """
    work_s: dict[str, float] = {}
    if transfer is not None:
        size_bytes = recording.kind.bytes_per_s * recording.length_s
        work_s[TRANSFER] = transfer.seconds(size_bytes)
    for stage, seconds in times.seconds(recording.kind.name, recording.length_s, gpu).items():
        pool = layout[stage]
        work_s[pool] = work_s.get(pool, 0.0) + seconds
    return Job(recording.arrival_s, tuple(work_s.items()))


def _heard_s(stage: str, row: Mapping[str, Any]) -> float:
    """Return how much of a recording a stage hears."""
    length_s = float(row["length_s"])
    return min(length_s, _ROUTED_S) if stage == Stage.ROUTING else length_s


def _fit(points: list[tuple[float, float]]) -> Line:
    """Fit a line by least squares of relative errors; neither coefficient is negative."""
    x, y = np.array(points, dtype=float).T
    weights = 1.0 / np.maximum(y, 1e-3)
    slope, constant = np.polyfit(x, y, 1, w=weights)
    if slope < 0:
        return float(np.average(y, weights=weights**2)), 0.0
    if constant < 0:
        return 0.0, float((weights**2 * x * y).sum() / (weights**2 * x * x).sum())
    return float(constant), float(slope)

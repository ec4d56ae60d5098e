"""Whether the simulator of ``deploy/planning`` foretells the waits of a real service.

A real service, called over gRPC, is given recordings at random times. Its stages sleep as long as
they were measured to take, :data:`FASTER` times faster. The simulator is given the same recordings
at the same times, and today's process: a thread that hears, a thread that writes, 16 places.

The service first gets some recordings of each kind, one after the other: it takes short work first,
by what it has learned of durations, and at first expects those of a machine of the usual speed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import grpc
import numpy as np
from notabot.v1 import transcription_pb2 as pb
from structlog.testing import capture_logs

from deploy.planning.demand import CHATS, HOUR_S, KINDS, Recording, draw_recordings
from deploy.planning.queues import Fleet, Job, Pool, simulate
from deploy.planning.work import DECODING, DEVICE, ONE_PROCESS, WRITING, StageTimes
from inference_service.assembly import Pipeline, build_loader, build_router
from inference_service.audio.waveform import Waveform
from inference_service.engine.memory import Claim
from inference_service.music.events import Transcription
from inference_service.pipeline.options import Preset, RenderOptions
from inference_service.pipeline.render import Rendering, describe
from inference_service.pipeline.stages import StageSet
from inference_service.pipeline.transcribe import OnPreset
from inference_service.progress import Progress, Stage
from inference_service.settings import EngineSettings, Settings
from tests.bench.table import Row
from tests.service.running import (
    build_settings,
    build_transcription,
    drain,
    messages,
    run_service,
)

TITLE = "Waits of one process, against those of the simulator"
FASTER: Final = 20.0
TARGET: Final = 0.1
"""Largest deviation of real waits from simulated ones."""

_EXACT_S: Final = 0.05
"""Waits below this are those for calls and threads on a busy machine."""

_LOADS: Final = (0.6, 0.9, 2.0)
_RECORDINGS: Final = 60
_PRESETS: Final = {
    "voice": pb.PRESET_VOICE,
    "piano": pb.PRESET_PIANO,
    "song": pb.PRESET_SONG,
}
_PLACES: Final = EngineSettings().queue_size
_LEARNED: Final = [
    Recording(0.0, kind, length_s)
    for length_s in (20.0, 60.0, 200.0)
    for kind in KINDS
    for _ in range(3)
]
_SEED: Final = 11


Sleep = Callable[[Mapping[Stage, float], Progress], None]
"""Sleeps for the seconds of some stages, and reports their progress."""


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure at loads below and above what one process can do."""
    for load in _LOADS:
        yield from measure(load, _RECORDINGS, FASTER, TARGET)


def smoke() -> Iterator[Row]:
    """Measure a few recordings, so fast that sleeps are no longer exact: no target."""
    yield from measure(0.6, 5, 1000.0, None)


def sleep(stages_s: Mapping[Stage, float], progress: Progress) -> None:
    """Sleep in this thread."""
    for stage, seconds in stages_s.items():
        progress(stage, 0.0)
        time.sleep(seconds)
        progress(stage, 1.0)


def measure(
    load: float,
    count: int,
    faster: float,
    target: float | None,
    hear: Sleep = sleep,
    replicas: int = 1,
) -> Iterator[Row]:
    """Compare a service with its simulation.

    Parameters
    ----------
    load : float
        Share of the time for which recordings keep what hears busy.
    count : int
        Expected number of recordings.
    faster : float
        Stages sleep so many times shorter than they were measured to take.
    target : float or None
        Largest deviation.
    hear : callable
        Sleeps for the stages that hear.
    replicas : int
        Number of recordings that are heard at once. With more than one, the service believes that
        it has a cluster.
    """
    times = StageTimes.load()
    recordings = _draw(load * replicas, count, times)
    jobs = [
        Job(each.arrival_s / faster, tuple(_by_thread(_stages(each, times, faster)).items()))
        for each in recordings
    ]
    pools = {DECODING: Pool(_PLACES), DEVICE: Pool(replicas), WRITING: Pool(1)}
    simulated = simulate(Fleet(pools, _PLACES), jobs, warm_up=0.0)
    answers_s = asyncio.run(_serve(recordings, jobs, times, faster, hear, replicas))
    works_s = np.array([sum(seconds for _, seconds in job.work_s) for job in jobs])
    served = ~np.isnan(answers_s)
    waits_s = (answers_s - works_s)[served]
    yield Row(f"load {load:g}: refused, real", float((~served).mean()))
    yield Row("  simulated", simulated.refused)
    figures = {
        "median wait": (np.median(waits_s), np.median(simulated.waits_s)),
        "mean wait": (waits_s.mean(), simulated.waits_s.mean()),
        "p95 of the waits": (np.percentile(waits_s, 95), np.percentile(simulated.waits_s, 95)),
        "mean answer": (answers_s[served].mean(), simulated.answers_s.mean()),
    }
    for name, (real, expected) in figures.items():
        yield Row(f"  {name}, real, s", float(real))
        yield Row("    simulated, s", float(expected))
        if expected < _EXACT_S:  # fewer than half have to wait
            continue
        ratio = float(real) / float(expected)
        yield Row("    real / simulated", ratio)
        if target is not None:
            yield Row("    deviation", abs(ratio - 1), target, at_most=True)


def _stages(recording: Recording, times: StageTimes, faster: float = 1.0) -> dict[Stage, float]:
    """Return the seconds of the stages of a recording whose preset the caller names."""
    seconds = times.seconds(recording.kind.name, recording.length_s)
    return {stage: s / faster for stage, s in seconds.items() if stage is not Stage.ROUTING}


def _by_thread(stages: Mapping[Stage, float]) -> dict[str, float]:
    """Return the seconds of what decodes, hears and writes in one process, in order."""
    totals = dict.fromkeys((DECODING, DEVICE, WRITING), 0.0)
    for stage, seconds in stages.items():
        totals[ONE_PROCESS[stage]] += seconds
    return totals


def _draw(load: float, count: int, times: StageTimes) -> list[Recording]:
    """Draw recordings that keep the thread that hears busy for a share of the time."""
    rng = np.random.default_rng(_SEED)
    many = draw_recordings([1000], HOUR_S, CHATS, rng)
    busy_s = np.mean([_by_thread(_stages(each, times))[DEVICE] for each in many])
    return draw_recordings([count], count * float(busy_s) / load, CHATS, rng)


class _SleepingPipeline(Pipeline):
    """Use cases whose stages sleep; a recording's data is its number.

    The service learns the durations of stages over the length of recordings, which is the real one.
    """

    def __init__(
        self,
        settings: Settings,
        recordings: Sequence[Recording],
        stages_s: Sequence[Mapping[Stage, float]],
        hear: Sleep,
    ) -> None:
        super().__init__(settings.audio, keeps_recordings=False)
        self._hear = hear
        self._recordings = recordings
        self._stages_s = stages_s

    def decode(self, data: bytes, progress: Progress, claim: Claim | None = None) -> Waveform:
        number = int(data)
        self._sleep(number, DECODING, progress)
        seconds = max(1, round(self._recordings[number].length_s))
        return Waveform(np.full((1, seconds), number, np.float32), 1)

    def transcribe(
        self,
        waveform: Waveform,
        preset: Preset,
        stages: StageSet,
        progress: Progress,
        kept: MutableMapping[str, bytes],
        on_preset: OnPreset | None = None,
    ) -> Transcription:
        number = int(waveform.samples[0, 0])
        self._sleep(number, DEVICE, progress)
        kept["number"] = str(number).encode()
        heard = build_transcription(dict(stages.models))
        return replace(heard, preset=preset, duration_s=waveform.duration_s)

    def render(
        self,
        transcription: Transcription,
        options: RenderOptions,
        progress: Progress,
        kept: Mapping[str, bytes],
    ) -> Rendering:
        self._sleep(int(kept["number"]), WRITING, progress)
        return describe(transcription, options)

    def _sleep(self, number: int, pool: str, progress: Progress) -> None:
        stages_s = {
            stage: seconds
            for stage, seconds in self._stages_s[number].items()
            if ONE_PROCESS[stage] == pool
        }
        (self._hear if pool == DEVICE else sleep)(stages_s, progress)


async def _serve(
    recordings: Sequence[Recording],
    jobs: Sequence[Job],
    times: StageTimes,
    faster: float,
    hear: Sleep,
    replicas: int,
) -> np.ndarray:
    """Return the seconds from each arrival to the answer; NaN if it was refused."""
    sent = [*recordings, *_LEARNED]
    stages_s = [_stages(each, times, faster) for each in sent]
    with TemporaryDirectory() as folder, capture_logs():
        cluster = {"address": "auto", "width": replicas} if replicas > 1 else {}
        settings = build_settings(Path(folder), engine={"caller_share": 1.0}, cluster=cluster)
        overrides: dict[str, Any] = {
            "use_cases": _SleepingPipeline(settings, sent, stages_s, hear),
            "loader": build_loader(settings.models),
            "load_router": partial(build_router, settings.models),
        }
        async with run_service(settings, **overrides) as running:

            async def ask(number: int) -> bool:
                preset = _PRESETS[sent[number].kind.name]
                data = messages(str(number).encode(), preset)
                try:
                    await drain(running.transcription.Transcribe(iter(data)))
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                        raise
                    return False
                return True

            for number in range(len(recordings), len(sent), replicas):
                await asyncio.gather(*map(ask, range(number, min(number + replicas, len(sent)))))
            begun_s = time.monotonic()

            async def answer_s(number: int) -> float:
                due_s = begun_s + jobs[number].arrival_s
                await asyncio.sleep(due_s - time.monotonic())
                return time.monotonic() - due_s if await ask(number) else float("nan")

            return np.array(await asyncio.gather(*map(answer_s, range(len(jobs)))))

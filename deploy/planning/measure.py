"""Measures the CPU time of every stage with the default models, and what is kept of a result.

The samples of ``docs/samples`` are cut or repeated to several lengths; songs are in stereo. One
thread works, and CPU time is measured, so that other work on the machine hardly matters: a time is
the seconds of one core. The preset is ``auto``, as in the chat, and only the first page is written,
as the bot asks for it. Decoding runs in a process of its own and is measured by the clock: the
shortest of three times.
"""

from __future__ import annotations

import io
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import soundfile
import torch

from inference_service.assembly import Pipeline, build_stages
from inference_service.engine.cache import ResultCache
from inference_service.engine.results import CachedResult
from inference_service.pipeline.options import Format, Preset, RenderOptions
from inference_service.progress import Stage
from inference_service.settings import CacheSettings, Settings

ROOT: Final = Path(__file__).resolve().parents[2]
LENGTHS_S: Final[Mapping[str, Sequence[float]]] = {
    "voice": (10, 30, 120),
    "piano": (10, 30, 90),
    "song": (15, 60, 180),
}
IN_STEREO: Final = ("song",)
_DECODINGS: Final = 3
_OPTIONS: Final = RenderOptions(formats=frozenset({Format.PNG}), page=1, choose_view=True)


class CpuClock:
    """Adds up the CPU seconds of this process between the first reports of the stages.

    It is called as a :data:`~inference_service.progress.Progress` is.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage: Stage | None = None
        self._since_s = 0.0

    def __call__(self, stage: Stage, fraction: float) -> None:
        """Begin a stage if another one was running."""
        if stage is not self._stage:
            self.stop()
            self._stage, self._since_s = stage, time.process_time()

    def stop(self) -> None:
        """End the running stage."""
        if self._stage is not None:
            spent_s = time.process_time() - self._since_s
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + spent_s
            self._stage = None


def measure() -> dict[str, Any]:
    """Return the measurements and where they were made, as JSON values."""
    torch.set_num_threads(1)
    return {
        "measured": datetime.now(UTC).date().isoformat(),
        "command": "python -m deploy.planning measure",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "recordings": list(_measure_all()),
    }


def _measure_all() -> Iterator[dict[str, Any]]:
    settings = Settings(_env_file=None)
    pipeline, stages = Pipeline(settings.audio), build_stages(settings.models)
    _measure_one(pipeline, stages, cut("song", 5.0))  # loads the models
    for name, lengths_s in LENGTHS_S.items():
        _measure_one(pipeline, stages, cut(name, 5.0))
        for length_s in lengths_s:
            yield {
                "sample": name,
                "length_s": length_s,
                **_measure_one(pipeline, stages, cut(name, length_s)),
            }


def _measure_one(pipeline: Pipeline, stages: Any, data: bytes) -> dict[str, Any]:
    clock = CpuClock()
    kept: dict[str, bytes] = {}
    decodings_s = []
    for _ in range(_DECODINGS):
        start_s = time.perf_counter()
        waveform = pipeline.decode(data, lambda stage, fraction: None)
        decodings_s.append(time.perf_counter() - start_s)
    pipeline.keep_recording(waveform, clock, kept)
    heard = pipeline.transcribe(waveform, Preset.AUTO, stages, clock, kept)
    pipeline.render(heard, _OPTIONS, clock, kept)
    clock.stop()
    clock.seconds[Stage.DECODE] += min(decodings_s)
    return {
        "preset": str(heard.preset),
        "cpu_s": {stage: round(seconds, 4) for stage, seconds in clock.seconds.items()},
        "kept_bytes": _kept_bytes(CachedResult(heard, ""), kept),
    }


def _kept_bytes(result: CachedResult, sounds: Mapping[str, bytes]) -> int:
    """Return the size of a result with its sounds on disk."""
    limits = CacheSettings()
    with TemporaryDirectory() as folder:
        cache = ResultCache(Path(folder), limits.max_entries, limits.max_bytes, limits.max_age_s)
        cache.put(result, sounds)
        return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def cut(name: str, length_s: float) -> bytes:
    """Return the first seconds of a sample as FLAC; one that is too short is repeated."""
    samples, rate_hz = soundfile.read(ROOT / f"docs/samples/{name}.ogg")
    encoded = io.BytesIO()
    samples = np.resize(samples, round(length_s * rate_hz))
    if name in IN_STEREO:
        samples = np.stack([samples, 0.9 * samples], axis=1)
    soundfile.write(encoded, samples, rate_hz, format="FLAC")
    return encoded.getvalue()


def _cpu() -> str:
    """Return the name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()

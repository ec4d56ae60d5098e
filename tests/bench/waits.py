"""Whether the time shown as left is right.

A service with the default models transcribes the samples in ``docs/samples``, cut or repeated to
thirty recordings of mixed lengths, in random order, without being told what they hold. Songs are
sent in stereo, as people have them. What the service says is left is compared with the truth when
half of the time has passed.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from notabot.v1 import transcription_pb2 as pb
from structlog.testing import capture_logs

from deploy.planning.measure import cut
from inference_service.settings import ModelSettings
from tests.bench.table import Row
from tests.service.running import build_settings, messages, run_service

TITLE = "Time shown as left, when half of it has passed"
TARGET: Final = 0.8
TOLERANCE: Final = 0.3
LENGTHS_S: Final[Mapping[str, Sequence[float]]] = {
    "voice": (5, 5, 10, 10, 20, 20, 40, 60, 60, 120, 120, 240),
    "song": (5, 10, 10, 20, 20, 40, 40, 60, 60, 120, 120),
    "piano": (5, 5, 10, 10, 15, 20, 30),
}
_SEED: Final = 1


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure with the default models."""
    yield from _measure("cpu", LENGTHS_S, TARGET)


def smoke() -> Iterator[Row]:
    """Measure with the smallest models, whose milliseconds nobody can foretell: no target."""
    yield from _measure("tiny", {"voice": (5, 10)}, None)


def _measure(
    profile: str, lengths_s: Mapping[str, Sequence[float]], target: float | None
) -> Iterator[Row]:
    recordings = [
        (name, length_s, cut(name, length_s))
        for name, all_s in lengths_s.items()
        for length_s in all_s
    ]
    random.Random(_SEED).shuffle(recordings)
    ratios = asyncio.run(_transcribe(profile, [data for _, _, data in recordings]))
    good = [abs(ratio - 1) <= TOLERANCE for ratio in ratios]
    yield Row(f"share within {TOLERANCE:.0%} of the truth", float(np.mean(good)), target)
    for name, length_s in sorted({(name, length_s) for name, length_s, _ in recordings}):
        shown = [
            ratio
            for (*about, _), ratio in zip(recordings, ratios, strict=True)
            if about == [name, length_s]
        ]
        yield Row(f"  {name}, {length_s:g} s: shown / true", float(np.median(shown)))


async def _transcribe(profile: str, recordings: Sequence[bytes]) -> list[float]:
    """Return the ratio of the time shown at half-way to the true one, for each recording."""
    with TemporaryDirectory() as folder, capture_logs():
        models = {"profile": profile, "weights": ModelSettings().weights}
        settings = build_settings(Path(folder), models=models)
        async with run_service(settings) as running:
            return [await _ratio(running.transcription, data) for data in recordings]


async def _ratio(stub: Any, data: bytes) -> float:
    shown: list[tuple[float, float]] = []
    formats = [pb.FORMAT_PNG, pb.FORMAT_PDF, pb.FORMAT_MIDI, pb.FORMAT_MUSICXML]
    start_s = time.monotonic()
    call = stub.Transcribe(iter(messages(data, pb.PRESET_AUTO, formats=formats)))
    async for event in call:
        update = event.queued if event.HasField("queued") else event.progress
        if event.HasField("queued") or event.HasField("progress"):
            shown.append((time.monotonic() - start_s, update.remaining_s))
    total_s = time.monotonic() - start_s
    _, left_s = max(((at_s, left_s) for at_s, left_s in shown if at_s <= total_s / 2))
    return left_s / (total_s / 2)

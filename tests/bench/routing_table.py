"""Accuracy of the preset chosen from the sound alone, by kind of recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from inference_service.pipeline.options import Preset
from tests.bench.routing import build_router, measure_confusion
from tests.bench.table import Row
from tests.factories import build_scale, sing

TITLE = "Routing: share of presets that the sound alone gives"


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure on the reported half; ``python -m tests.bench.routing`` prints the confusions."""
    right = total = 0
    for kind, counts in measure_confusion(data).items():
        true = kind.rpartition("(")[2].rstrip(")")
        right, total = right + counts[true], total + counts.total()
        yield Row(kind, counts[true] / counts.total())
    yield Row("all", right / total)


def smoke() -> Iterator[Row]:
    """Measure on a synthetic singer."""
    melody = sing(build_scale())
    presets = build_router().classify(melody)
    is_voice = max(presets, key=presets.__getitem__) is Preset.VOICE
    yield Row("melody", float(is_voice), 1.0)

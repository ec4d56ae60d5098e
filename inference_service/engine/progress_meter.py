"""Overall progress of a request, and the duration of each stage.

The overall fraction weighs the stages by their typical duration for a minute of audio on two CPU
cores. The weights affect the progress bar alone, so rough values are enough.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from inference_service.pipeline.options import Preset
from inference_service.progress import Stage

_COMMON_S: Final = {
    Stage.DECODE: 0.3,
    Stage.TUNING: 0.3,
    Stage.CHORDS: 1.0,
    Stage.BEATS: 0.7,
    Stage.KEY: 0.1,
    Stage.NOTATION: 0.7,
    Stage.ENGRAVING: 1.2,
}
_VOICE_S: Final = _COMMON_S | {Stage.TAGGING: 1.0}
_PIANO_S: Final = _COMMON_S | {Stage.TAGGING: 60.0}
_SONG_S: Final = _COMMON_S | {Stage.SEPARATION: 15.0, Stage.TAGGING: 2.5}
_AUTO_S: Final = _SONG_S | {Stage.ROUTING: 1.0}
_RENDER_S: Final = {stage: _COMMON_S[stage] for stage in (Stage.NOTATION, Stage.ENGRAVING)}

_CONTINUE_S: Final = _RENDER_S | {Stage.CONTINUATION: 3.0}

WEIGHTS_S: Final[Mapping[Preset, Mapping[Stage, float]]] = {
    Preset.AUTO: _AUTO_S,
    Preset.VOICE: _VOICE_S,
    Preset.PIANO: _PIANO_S,
    Preset.SONG: _SONG_S,
}
"""Typical duration of each stage by preset."""


@dataclass(frozen=True, slots=True)
class StageUpdate:
    """Progress of a stage and of the whole request."""

    stage: Stage
    fraction: float
    overall_fraction: float


class ProgressMeter:
    """Turns the reports of stages into updates whose overall fraction never decreases.

    Parameters
    ----------
    weights_s : mapping of Stage to float
        Typical duration of the expected stages; other stages have weight 0.
    """

    def __init__(self, weights_s: Mapping[Stage, float]) -> None:
        self._weights_s = weights_s
        self._total_s = sum(weights_s.values())
        self._overall = 0.0
        self._stage: Stage | None = None
        self._since_s = 0.0
        self.timings_s: dict[str, float] = {}

    def update(self, stage: Stage, fraction: float) -> StageUpdate:
        """Record the completed fraction of a stage."""
        if stage is not self._stage:
            self.stop()
            self._stage, self._since_s = stage, time.perf_counter()
        fraction = min(max(fraction, 0.0), 1.0)
        before_s = sum(weight for s, weight in self._weights_s.items() if _ORDER[s] < _ORDER[stage])
        done_s = before_s + fraction * self._weights_s.get(stage, 0.0)
        self._overall = max(self._overall, min(done_s / self._total_s, 1.0))
        return StageUpdate(stage, fraction, self._overall)

    def stop(self) -> None:
        """End the timing of the running stage."""
        if self._stage is not None:
            spent_s = time.perf_counter() - self._since_s
            name = self._stage.value
            self.timings_s[name] = self.timings_s.get(name, 0.0) + spent_s
            self._stage = None


_ORDER: Final = {stage: place for place, stage in enumerate(Stage)}


def build_transcription_meter(preset: Preset) -> ProgressMeter:
    """Return the meter of a transcription."""
    return ProgressMeter(WEIGHTS_S[preset])


def build_render_meter() -> ProgressMeter:
    """Return the meter of a rendering of a cached result."""
    return ProgressMeter(_RENDER_S)


def build_continuation_meter() -> ProgressMeter:
    """Return the meter of a continuation."""
    return ProgressMeter(_CONTINUE_S)

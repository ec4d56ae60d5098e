"""Progress of a request in fractions and in seconds, and the duration of each stage.

The overall fraction weighs the stages by their expected seconds. The remaining seconds are those
expected of what is left, corrected by how long the request has taken so far: a machine that is busy
with something else delays the later stages too, and a stage that reports its progress shows its own
pace.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from inference_service.engine.durations import Durations, Kind
from inference_service.pipeline.options import Preset
from inference_service.progress import Stage

_DOUBT: Final = 0.1
"""Share of the expected duration that must have passed before the pace so far counts half."""

_ORDER: Final = {stage: place for place, stage in enumerate(Stage)}


@dataclass(frozen=True, slots=True)
class StageUpdate:
    """Progress of a stage and of the whole request.

    ``remaining_s`` is an estimate of the seconds to the end of the request, waiting not included.
    """

    stage: Stage
    fraction: float
    overall_fraction: float
    remaining_s: float


class ProgressMeter:
    """Turns the reports of stages into updates whose overall fraction never decreases.

    Reports come from one thread at a time; :meth:`remaining_s` may be called in any.

    Parameters
    ----------
    expected_s : mapping of Stage to float
        Expected seconds of the stages; others count as taking no time.
    """

    def __init__(self, expected_s: Mapping[Stage, float]) -> None:
        self._expected_s = dict(expected_s)
        self._overall = 0.0
        self._stage: Stage | None = None
        self._fraction = 0.0
        self._reported_s = self._since_s = 0.0
        self._ended: set[Stage] = set()
        self.timings_s: dict[str, float] = {}

    def expect(self, expected_s: Mapping[Stage, float]) -> None:
        """Replace the expected seconds, once more is known; stages that have begun keep theirs."""
        begun = {*self._ended, *filter(None, [self._stage])}
        kept = {stage: s for stage, s in self._expected_s.items() if stage in begun}
        self._expected_s = {**expected_s, **kept}

    def update(self, stage: Stage, fraction: float) -> StageUpdate:
        """Record the completed fraction of a stage."""
        now_s = time.perf_counter()
        if stage is not self._stage:
            self.stop()
            self._stage, self._since_s = stage, now_s
        self._fraction, self._reported_s = min(max(fraction, 0.0), 1.0), now_s
        done_s = self._done_s(stage) + self._fraction * self._expected_s.get(stage, 0.0)
        total_s = sum(self._expected_s.values())
        self._overall = max(self._overall, min(done_s / total_s, 1.0) if total_s else 0.0)
        return StageUpdate(stage, self._fraction, self._overall, self.remaining_s())

    def stop(self) -> None:
        """End the timing of the running stage."""
        if self._stage is not None:
            spent_s = time.perf_counter() - self._since_s
            name = self._stage.value
            self.timings_s[name] = self.timings_s.get(name, 0.0) + spent_s
            self._ended.add(self._stage)
            self._stage = None

    def remaining_s(self, before: Stage | None = None) -> float:
        """Estimate the seconds of work that are left.

        Parameters
        ----------
        before : Stage, optional
            Count only the stages before this one.
        """
        expected_s, stage = self._expected_s, self._stage
        ended = self._ended.copy()
        last = max((_ORDER[s] for s in (*ended, *filter(None, [stage]))), default=-1)
        limit = len(_ORDER) if before is None else _ORDER[before]
        pace = self._pace(ended)
        later_s = sum(s for at, s in expected_s.items() if last < _ORDER[at] < limit)
        return pace * later_s + (self._rest_of(stage, pace) if stage is not None else 0.0)

    def _rest_of(self, stage: Stage, pace: float) -> float:
        """Estimate the rest of the running stage, by expectation at first and pace at last."""
        left = 1.0 - self._fraction
        spent_s = self._reported_s - self._since_s
        usual_s = pace * self._expected_s.get(stage, 0.0)
        # At 0 and 1 a stage tells nothing: it has just begun, or does what it does not count.
        tells = 0.0 < left < 1.0
        rest_s = left * (left * usual_s + spent_s) if tells else usual_s - spent_s
        return max(0.0, rest_s - (time.perf_counter() - self._reported_s))

    def _pace(self, ended: set[Stage]) -> float:
        """Ratio of the time that the stages so far took to the time that was expected."""
        expected_s = sum(self._expected_s.get(stage, 0.0) for stage in ended)
        spent_s = sum(self.timings_s.get(stage, 0.0) for stage in ended)
        doubt_s = _DOUBT * sum(self._expected_s.values())
        return (spent_s + doubt_s) / (expected_s + doubt_s) if doubt_s else 1.0

    def _done_s(self, stage: Stage) -> float:
        return sum(s for before, s in self._expected_s.items() if _ORDER[before] < _ORDER[stage])


def build_transcription_meter(preset: Preset) -> ProgressMeter:
    """Return the meter of a single transcription of unknown length."""
    return ProgressMeter(Durations().expect_heard(preset))


def build_render_meter() -> ProgressMeter:
    """Return the meter of a single rendering of a result."""
    return ProgressMeter(Durations().expect(Kind.PAGES))


def build_continuation_meter() -> ProgressMeter:
    """Return the meter of a single continuation."""
    return ProgressMeter(Durations().expect(Kind.CONTINUATION, 8.0))

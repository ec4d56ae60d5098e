"""The clock of CPU time, and the recordings that are measured."""

from __future__ import annotations

import io
import time

import pytest
import soundfile

from deploy.planning.measure import CpuClock, cut
from inference_service.progress import Stage


def test_cpu_time_is_that_of_the_stage_until_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([1.0, 3.0, 3.0, 3.5, 4.0, 6.0])
    monkeypatch.setattr(time, "process_time", lambda: next(readings))
    clock = CpuClock()
    clock(Stage.DECODE, 0.0)  # at 1
    clock(Stage.DECODE, 1.0)
    clock(Stage.TAGGING, 0.0)  # ends at 3, begins at 3
    clock.stop()  # at 3.5
    clock(Stage.DECODE, 0.0)  # at 4
    clock.stop()  # at 6
    assert clock.seconds == {Stage.DECODE: 4.0, Stage.TAGGING: 0.5}


@pytest.mark.parametrize(("name", "channels"), [("voice", 1), ("song", 2)])
def test_recordings_are_cut_or_repeated(name: str, channels: int) -> None:
    for length_s in (2.0, 50.0):
        samples, rate_hz = soundfile.read(io.BytesIO(cut(name, length_s)), always_2d=True)
        assert samples.shape == (round(length_s * rate_hz), channels)
        assert samples.std() > 0.0

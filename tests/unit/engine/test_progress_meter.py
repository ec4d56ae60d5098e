"""The overall fraction and the timings of stages."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_service.engine import progress_meter
from inference_service.engine.progress_meter import (
    WEIGHTS_S,
    build_continuation_meter,
    build_render_meter,
    build_transcription_meter,
)
from inference_service.pipeline.options import Preset
from inference_service.progress import Stage

REPORTS = st.lists(st.tuples(st.sampled_from(list(Stage)), st.floats(-1, 2, allow_nan=False)))


@given(st.sampled_from(list(Preset)), REPORTS)
def test_the_overall_fraction_never_falls(
    preset: Preset, reports: list[tuple[Stage, float]]
) -> None:
    meter = build_transcription_meter(preset)
    fractions = [meter.update(stage, fraction).overall_fraction for stage, fraction in reports]
    assert fractions == sorted(fractions)
    assert all(0 <= fraction <= 1 for fraction in fractions)


@pytest.mark.parametrize("preset", list(Preset))
def test_passing_every_stage_reaches_the_whole(preset: Preset) -> None:
    meter = build_transcription_meter(preset)
    last = [meter.update(stage, 1.0) for stage in Stage][-1]
    assert last.overall_fraction == pytest.approx(1.0)


def test_composing_is_most_of_a_continuation() -> None:
    meter = build_continuation_meter()
    assert meter.update(Stage.CONTINUATION, 1.0).overall_fraction > 0.5
    meter.update(Stage.NOTATION, 1.0)
    assert meter.update(Stage.ENGRAVING, 1.0).overall_fraction == pytest.approx(1.0)


def test_a_heavy_stage_moves_the_bar_most() -> None:
    meter = build_transcription_meter(Preset.PIANO)
    before = meter.update(Stage.TAGGING, 0.0).overall_fraction
    after = meter.update(Stage.TAGGING, 1.0).overall_fraction
    assert after - before > 0.8


def test_rendering_alone_has_a_bar_of_its_own() -> None:
    meter = build_render_meter()
    assert meter.update(Stage.NOTATION, 0.0).overall_fraction == 0
    assert meter.update(Stage.ENGRAVING, 1.0).overall_fraction == pytest.approx(1.0)


def test_every_preset_has_its_weights() -> None:
    assert set(WEIGHTS_S) == set(Preset)


def test_timings_add_up_by_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks_s = iter([0.0, 2.0, 2.0, 3.0, 3.0, 7.0])  # each stage reads the clock twice
    clock = SimpleNamespace(perf_counter=lambda: next(ticks_s))
    monkeypatch.setattr(progress_meter, "time", clock)
    meter = build_render_meter()
    meter.update(Stage.NOTATION, 0.0)
    meter.update(Stage.ENGRAVING, 0.0)
    meter.update(Stage.NOTATION, 0.5)
    meter.stop()
    assert meter.timings_s == {"notation": 2.0 + 4.0, "engraving": 1.0}

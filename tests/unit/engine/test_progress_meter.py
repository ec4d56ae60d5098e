"""The overall fraction and the timings of stages."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_service.engine import progress_meter
from inference_service.engine.progress_meter import (
    ProgressMeter,
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


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that stands still until a test moves it."""
    clock = SimpleNamespace(now_s=0.0)
    module = SimpleNamespace(perf_counter=lambda: clock.now_s)
    monkeypatch.setattr(progress_meter, "time", module)
    return clock


def test_timings_add_up_by_stage(clock: SimpleNamespace) -> None:
    meter = build_render_meter()
    for stage, seconds in [(Stage.NOTATION, 2), (Stage.ENGRAVING, 1), (Stage.NOTATION, 4)]:
        meter.update(stage, 0.0)
        clock.now_s += seconds
    meter.stop()
    assert meter.timings_s == {"notation": 2.0 + 4.0, "engraving": 1.0}


def test_what_is_left_is_what_was_expected(clock: SimpleNamespace) -> None:
    meter = ProgressMeter({Stage.TAGGING: 10.0, Stage.KEY: 2.0, Stage.NOTATION: 4.0})
    assert meter.remaining_s() == 16.0
    assert meter.remaining_s(before=Stage.NOTATION) == 12.0
    meter.update(Stage.TAGGING, 0.0)
    clock.now_s += 4.0
    assert meter.remaining_s() == pytest.approx(12.0), "even if the stage tells nothing"
    assert meter.update(Stage.TAGGING, 0.4).remaining_s == pytest.approx(12.0)
    clock.now_s += 6.0
    meter.update(Stage.KEY, 0.0)
    assert meter.remaining_s() == pytest.approx(6.0)
    assert meter.remaining_s(before=Stage.NOTATION) == pytest.approx(2.0)


def test_a_slow_machine_is_slow_in_later_stages_too(clock: SimpleNamespace) -> None:
    meter = ProgressMeter({Stage.TAGGING: 10.0, Stage.KEY: 10.0})
    meter.update(Stage.TAGGING, 0.0)
    clock.now_s += 15.0
    assert meter.update(Stage.TAGGING, 0.5).remaining_s > 15.0
    clock.now_s += 15.0
    assert 15.0 < meter.update(Stage.KEY, 0.0).remaining_s < 30.0


def test_a_stage_that_overruns_does_not_count_backwards(clock: SimpleNamespace) -> None:
    meter = ProgressMeter({Stage.TAGGING: 10.0, Stage.KEY: 2.0})
    meter.update(Stage.TAGGING, 0.0)
    clock.now_s += 100.0
    assert meter.remaining_s() == 2.0


def test_a_new_expectation_counts_at_once(clock: SimpleNamespace) -> None:
    meter = ProgressMeter({Stage.ROUTING: 1.0, Stage.TAGGING: 5.0})
    meter.update(Stage.ROUTING, 1.0)
    meter.expect({Stage.TAGGING: 100.0})
    assert meter.remaining_s() > 90.0

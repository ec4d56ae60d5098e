"""Expected durations, learned from what requests have taken."""

from __future__ import annotations

import random
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from inference_service.engine import progress_meter
from inference_service.engine.durations import Durations, Kind, StageDuration, find_kind
from inference_service.engine.progress_meter import ProgressMeter
from inference_service.pipeline.options import Format, Preset, RenderOptions
from inference_service.progress import Stage


def test_a_constant_and_a_slope_are_found() -> None:
    duration = StageDuration((1.0, 0.1))
    for length_s in (10, 20, 200, 60, 30, 120, 15, 240) * 3:
        duration.learn(length_s, 6.0 + 0.5 * length_s)
    assert duration.expect(10.0) == pytest.approx(11.0, rel=0.15)
    assert duration.expect(120.0) == pytest.approx(66.0, rel=0.15)
    assert duration.expect(600.0) == pytest.approx(306.0, rel=0.2)


def test_one_measurement_tells_how_fast_the_machine_is() -> None:
    duration = StageDuration((1.0, 0.1))
    duration.learn(30.0, 12.0)
    assert duration.expect(30.0) == pytest.approx(12.0, rel=0.05)
    assert duration.expect(300.0) == pytest.approx(93.0, rel=0.1), "in the typical proportion"


def test_a_first_use_that_compiles_a_model_is_soon_forgotten() -> None:
    duration = StageDuration((1.0, 0.1))
    for seconds in (80.0, 4.0, 4.0, 4.0):
        duration.learn(30.0, seconds)
    assert duration.expect(30.0) < 8.0


def test_a_machine_that_becomes_slower_is_noticed() -> None:
    duration = StageDuration((0.0, 1.0))
    for factor in [1.0] * 20 + [3.0] * 10:
        duration.learn(60.0, 60.0 * factor)
    assert duration.expect(60.0) == pytest.approx(180.0, rel=0.3)


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e6])
def test_durations_are_never_negative(seconds: float) -> None:
    duration = StageDuration((0.0, 0.0))
    for length in (0.0, 500.0, 3.0):
        duration.learn(length, seconds)
    assert 0.0 <= duration.expect(0.0) <= 2e6
    assert duration.expect(900.0) >= 0.0


def test_an_unknown_kind_is_expected_to_be_what_most_were() -> None:
    durations = Durations()
    assert Stage.SEPARATION in durations.expect_heard(Preset.AUTO, 60.0, channels=2)
    assert Stage.SEPARATION not in durations.expect_heard(Preset.AUTO, 60.0, channels=1)
    assert Stage.ROUTING not in durations.expect_heard(Preset.VOICE, 60.0)
    timings_s: dict[str, float] = {"routing": 1.0}
    timings_s |= {str(s): seconds for s, seconds in durations.expect(Kind.PIANO, 60.0).items()}
    for _ in range(5):
        durations.learn_heard(Preset.PIANO, 60.0, 2, timings_s)
    expected_s = durations.expect_heard(Preset.AUTO, 60.0, channels=2)
    assert expected_s == pytest.approx(timings_s, rel=0.1)


@pytest.mark.parametrize(
    ("formats", "kind"),
    [
        ({Format.PREVIEW, Format.PNG}, Kind.PREVIEW),
        ({Format.STEMS}, Kind.STEMS),
        ({Format.PNG, Format.MIDI}, Kind.PAGES),
        ({Format.MIDI}, Kind.FILES),
    ],
)
def test_renderings_are_told_apart(formats: set[Format], kind: Kind) -> None:
    assert find_kind(RenderOptions(formats=frozenset(formats))) is kind


@dataclass(frozen=True)
class Machine:
    """Stages whose durations have log-normal noise, on a machine that may be busy."""

    slower: float
    dice: random.Random

    def seconds(self, stage: Stage, preset: Preset, length_s: float, load: float) -> float:
        constant, slope = {
            Stage.DECODE: (0.12, 0.001),
            Stage.TUNING: (0.003, 0.0001),
            Stage.ROUTING: (0.1 + 0.04 * min(length_s, 24.0), 0.0),
            Stage.SEPARATION: (1.0, 0.15),
            Stage.TAGGING: {
                Preset.VOICE: (0.2, 0.01), Preset.PIANO: (3.0, 0.3), Preset.SONG: (0.5, 0.05),
            }[preset],
            Stage.CHORDS: (0.4, 0.05),
            Stage.KEY: (0.002, 0.0),
            Stage.BEATS: (0.2, 0.005),
            Stage.NOTATION: (0.03, 0.004),
            Stage.ENGRAVING: (0.05, 0.01),
        }[stage]  # fmt: skip
        noise = self.dice.lognormvariate(0.0, 0.15)
        return self.slower * load * noise * (constant + slope * length_s)


@dataclass(frozen=True)
class Recording:
    """What somebody sends."""

    preset: Preset
    length_s: float
    channels: int


def record(dice: random.Random) -> Recording:
    """Draw a recording: half are voices, and nine in ten of these in mono."""
    preset = dice.choice([Preset.VOICE, Preset.VOICE, Preset.PIANO, Preset.SONG])
    stereo = {Preset.VOICE: 0.1, Preset.PIANO: 0.5, Preset.SONG: 0.95}[preset]
    channels = 1 + (dice.random() < stereo)
    return Recording(preset, dice.choice([5.0, 10.0, 20.0, 60.0, 180.0, 420.0]), channels)


def run(
    machine: Machine, durations: Durations, clock: SimpleNamespace, recording: Recording
) -> float:
    """Run a request in steps; return the ratio of the time shown at half-way to the truth."""
    preset, length_s, channels = recording.preset, recording.length_s, recording.channels
    skipped = {Stage.CONTINUATION}
    skipped |= set() if preset is Preset.SONG else {Stage.SEPARATION}
    skipped |= {Stage.CHORDS} if preset is Preset.VOICE else set()
    load = machine.dice.lognormvariate(0.0, 0.2)
    stages = [
        (stage, machine.seconds(stage, preset, length_s, load))
        for stage in Stage
        if stage not in skipped
    ]
    total_s = sum(seconds for _, seconds in stages)
    meter = ProgressMeter(durations.expect_heard(Preset.AUTO))
    half_s, shown_s = clock.now_s + total_s / 2, None
    for stage, seconds in stages:
        steps = 4 if stage in {Stage.SEPARATION, Stage.TAGGING} else 3
        for step in range(steps):
            meter.update(stage, step / steps)
            next_s = clock.now_s + seconds / steps
            if shown_s is None and next_s >= half_s:
                clock.now_s = half_s
                shown_s = meter.remaining_s()
            clock.now_s = next_s
        if stage is Stage.DECODE:
            meter.expect(durations.expect_heard(Preset.AUTO, length_s, channels))
        if stage is Stage.ROUTING:
            meter.expect(durations.expect_heard(preset, length_s))
    meter.stop()
    durations.learn_heard(preset, length_s, channels, meter.timings_s)
    assert shown_s is not None
    return shown_s / (total_s / 2)


@pytest.mark.parametrize("slower", [0.2, 1.0, 5.0])
def test_the_time_shown_at_half_way_is_right(
    slower: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within 30 % for 80 % of thirty requests of mixed kinds and lengths, from the first on."""
    clock = SimpleNamespace(now_s=0.0)
    module = SimpleNamespace(perf_counter=lambda: clock.now_s)
    monkeypatch.setattr(progress_meter, "time", module)
    ratios = []
    for seed in range(10):
        dice = random.Random(seed)
        machine, durations = Machine(slower, dice), Durations()
        ratios += [run(machine, durations, clock, record(dice)) for _ in range(30)]
    assert sum(0.7 <= ratio <= 1.3 for ratio in ratios) / len(ratios) >= 0.8

"""The check of models on the built-in signal."""

from __future__ import annotations

import numpy as np
import pytest

from inference_service.assembly import build_loader, build_router
from inference_service.audio.waveform import Waveform
from inference_service.engine.selfcheck import (
    DURATION_S,
    build_signal,
    check_component,
    check_router,
)
from inference_service.music.events import Beat, ChordSegment, Key, KeyEstimate, Rhythm
from inference_service.pipeline.stages import Component, Task
from inference_service.settings import ModelSettings
from inference_service.tiny import MidSideSeparator, NoRhythmReader, build_tiny_catalog


def test_the_signal_is_the_same_each_time_and_audible() -> None:
    first, second = build_signal(), build_signal()
    np.testing.assert_array_equal(first.samples, second.samples)
    assert first.duration_s == DURATION_S
    assert np.abs(first.samples).max() == pytest.approx(0.5)


def test_every_small_stage_passes() -> None:
    catalog, load = build_tiny_catalog(), build_loader(ModelSettings())
    for model in catalog.models:
        for task in model.tasks:
            check_component(task, load(task, model))


def test_a_reader_of_rhythm_need_not_find_one_in_four_notes() -> None:
    check_component(Task.RHYTHM, NoRhythmReader())


@pytest.mark.parametrize("profile", ["tiny", "cpu"])
def test_every_router_passes(profile: str) -> None:
    check_router(build_router(ModelSettings(profile=profile)), MidSideSeparator())


class Odd:
    """Returns a given answer to every call."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def separate(self, *arguments: object) -> object:
        return self.answer

    estimate = separate


SIGNAL = build_signal()
STEMS = {"vocals": SIGNAL, "accompaniment": SIGNAL}


@pytest.mark.parametrize(
    ("task", "answer", "why"),
    [
        (Task.SEPARATION, {"vocals": SIGNAL}, "the stems are"),
        (Task.SEPARATION, STEMS | {"vocals": Waveform(SIGNAL.samples[:1], 44100)}, "shape"),
        (Task.SEPARATION, STEMS | {"vocals": Waveform(SIGNAL.samples, 22050)}, "rate"),
        (Task.SEPARATION, STEMS | {"vocals": Waveform(SIGNAL.samples * np.nan, 44100)}, "finite"),
        (Task.SEPARATION, STEMS | {"vocals": Waveform(SIGNAL.samples * 100, 44100)}, "too loud"),
        (Task.CHORDS, [], "no segments"),
        (Task.CHORDS, [ChordSegment(0.0, 1.0, "H:dur")], "label"),
        (Task.CHORDS, [ChordSegment(1.0, 0.0, "C")], "before it begins"),
        (Task.BEATS, Rhythm((), 120.0, "4/4"), "beats"),
        (Task.BEATS, Rhythm((Beat(1.0, 1), Beat(0.5, 2)), 120.0, "4/4"), "order"),
        (Task.BEATS, Rhythm((Beat(1.0, 1),), 0.0, "4/4"), "tempo"),
        (Task.BEATS, Rhythm((Beat(1.0, 1),), 120.0, "waltz"), "time signature"),
        (Task.RHYTHM, Rhythm((), 120.0, "4/4"), "beats"),
        (Task.RHYTHM, Rhythm((Beat(0.5, 0),), 120.0, "4/4"), "before the bar"),
        (Task.KEY, [], "no key"),
        (Task.KEY, [KeyEstimate(Key("H", "minor"), 1.0)], "tonic"),
        (Task.KEY, [KeyEstimate(Key("D", "minor"), 1.5)], "probability"),
    ],
)
def test_implausible_answers_are_found(task: Task, answer: object, why: str) -> None:
    stage: Component = Odd(answer)  # type: ignore[assignment]
    with pytest.raises(ValueError, match=why):
        check_component(task, stage)

"""Second opinions on beats, by a network that hears sketches of notes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from inference_service.music.events import NoteEvent
from inference_service.rhythm.from_notes import second_opinion
from inference_service.rhythm.from_notes.second_opinion import Opinion, SketchEar
from inference_service.rhythm.from_sound.features import FRAMES_PER_S
from inference_service.rhythm.from_sound.neural_beats import load_estimator
from tests.unit.rhythm.from_notes.readings import accompany

WEIGHTS = Path(str(files("model_zoo") / "weights"))


@pytest.fixture(scope="module")
def ear() -> SketchEar:
    return SketchEar(load_estimator(WEIGHTS / "beats.safetensors", WEIGHTS / "readings.json"))


def test_who_keeps_time_is_heard(ear: SketchEar) -> None:
    rhythm = ear.hear(accompany(16, 0.6), []).rhythm
    assert rhythm is not None
    beats_s = np.array([beat.time_s for beat in rhythm.beats])
    off = np.abs(beats_s / 0.6 - np.round(beats_s / 0.6))
    assert np.median(off) < 0.05


def test_who_plays_freely_is_read(ear: SketchEar) -> None:
    random = np.random.default_rng(4)
    starts_s = np.cumsum(random.uniform(0.15, 1.4, 60))
    notes = [NoteEvent(t, t + 0.3, int(p)) for t in starts_s for p in random.integers(40, 80, 2)]
    assert ear.hear(sorted(notes), []).rhythm is None


def test_music_too_long_to_sketch_is_read(ear: SketchEar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_opinion, "LONGEST_S", 20.0)
    opinion = ear.hear(accompany(16, 0.6), [])
    assert opinion.rhythm is None
    assert opinion.odds_at(np.array([1e6])) == 0.0


def test_odds_are_those_of_the_likeliest_frame_near_by() -> None:
    downbeat = np.full(100, 0.01, np.float32)
    downbeat[50] = 0.9
    odds = Opinion(None, downbeat).odds_at(np.array([50.0, 52.0, 60.0]) / FRAMES_PER_S)
    assert odds[0] == odds[1] > 2.5
    assert odds[2] < -2.0


def test_outside_the_sketch_nothing_is_known() -> None:
    times_s = np.array([-1.0, 0.0, 3.0])
    assert np.array_equal(Opinion(None, np.zeros(0, np.float32)).odds_at(times_s), np.zeros(3))
    assert Opinion(None, np.ones(50, np.float32)).odds_at(times_s)[[0, 2]].tolist() == [0.0, 0.0]

"""Beat This! with random parameters: the package's own predictions, and rhythms of given beats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from beat_this.inference import Audio2Beats, Audio2Frames

from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled, ModelRejected
from inference_service.progress import ignore
from inference_service.rhythm.from_sound.beat_this import (
    SAMPLE_RATE_HZ,
    BeatThisEstimator,
    build_rhythm,
    fill_gaps,
    has_pulse,
    load_estimator,
    number_beats,
)
from tests.factories import build_noise
from tests.unit.rhythm.from_sound.checkpoints import build_beat_this


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.ckpt"
    path.write_bytes(build_beat_this())
    return path


@pytest.fixture(scope="module")
def estimator(path: Path) -> BeatThisEstimator:
    return load_estimator(path)


def test_predictions_are_those_of_the_package(path: Path, estimator: BeatThisEstimator) -> None:
    noise = build_noise(70.0)[: 35 * SAMPLE_RATE_HZ]  # more than a window
    expected = Audio2Frames(str(path))(noise, SAMPLE_RATE_HZ)
    found = estimator.predict(Waveform(noise[None], SAMPLE_RATE_HZ), ignore)
    for theirs, ours in zip(expected, found, strict=True):
        assert theirs.std() > 0.01
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_beats_are_those_of_the_package(path: Path, estimator: BeatThisEstimator) -> None:
    clicks = np.zeros(10 * SAMPLE_RATE_HZ, np.float32)
    for start in range(0, len(clicks), SAMPLE_RATE_HZ // 2):
        clicks[start : start + 400] = np.hanning(400) * np.sin(0.3 * np.arange(400))
    beats_s, _ = Audio2Beats(str(path))(clicks, SAMPLE_RATE_HZ)
    assert len(beats_s) >= 18  # even random parameters answer every click in the same way
    rhythm = estimator.estimate(Waveform(clicks[None], SAMPLE_RATE_HZ), [], [], ignore)
    times_s = np.array([beat.time_s for beat in rhythm.beats])
    assert np.abs(beats_s[:, None] - times_s).min(axis=1).max() <= 0.02 + 1e-9  # smoothed
    assert rhythm.tempo_bpm == pytest.approx(120.0, rel=0.01)


@pytest.mark.parametrize("length", [0, 1, 1000, 44100, 200_000])
def test_any_waveform_gets_a_rhythm(estimator: BeatThisEstimator, length: int) -> None:
    samples = build_noise(5.0)[:length]
    rhythm = estimator.estimate(Waveform(samples[None], 44100), [], [], ignore)
    times_s = [beat.time_s for beat in rhythm.beats]
    assert len(times_s) >= 2
    assert times_s == sorted(set(times_s))
    assert times_s[-1] >= length / 44100 - 1.3 * 60.0 / rhythm.tempo_bpm


def test_cancels_between_windows(estimator: BeatThisEstimator) -> None:
    def stop(fraction: float) -> None:
        if fraction > 0:
            raise Cancelled("gone")

    noise = np.tile(build_noise(5.0), 14)[None]
    with pytest.raises(Cancelled):
        estimator.estimate(Waveform(noise, 44100), [], [], stop)


def test_a_waltz_with_an_upbeat_and_a_missed_beat() -> None:
    beats_s = np.delete(np.arange(1.1, 20.0, 0.5), 11)
    rhythm = build_rhythm(beats_s, beats_s[[1, 4, 7, 10, 12]], duration_s=21.0)
    assert rhythm.time_signature == "3/4"
    assert rhythm.tempo_bpm == pytest.approx(120.0)
    times_s = [beat.time_s for beat in rhythm.beats]
    assert times_s == pytest.approx(np.arange(0.1, 21.0, 0.5))
    assert [beat.position for beat in rhythm.beats] == [(n % 3) + 1 for n in range(len(times_s))]


def test_an_odd_bar_is_kept_and_a_missed_downbeat_filled_in() -> None:
    positions, length = number_beats(19, np.array([1, 5, 9, 11, 15]))
    assert length == 4
    assert positions.tolist() == [4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 1, 2, 3, 4, 1, 2, 3, 4]
    positions, length = number_beats(10, np.array([0, 3, 9]))
    assert (positions.tolist(), length) == ([1, 2, 3, 1, 2, 3, 1, 2, 3, 1], 3)


def test_without_downbeats_bars_have_four_beats() -> None:
    positions, length = number_beats(6, np.zeros(0, np.intp))
    assert (positions.tolist(), length) == ([1, 2, 3, 4, 1, 2], 4)


def test_gaps_are_filled_and_hesitations_kept() -> None:
    filled_s, numbers = fill_gaps(np.array([0.0, 1.0, 2.0, 4.0, 5.0, 6.6, 7.6]))
    assert filled_s.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.6, 7.6]
    assert numbers.tolist() == [0, 1, 2, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("beats_s", "expected"),
    [([], False), ([1.0], False), ([0.0, 0.5], True), ([0.0, 0.1], False), ([0.0, 9.0], False)],
)
def test_pulse(beats_s: list[float], expected: bool) -> None:
    assert has_pulse(np.array(beats_s)) is expected


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.ckpt"
    for content in (
        b"",
        b"no checkpoint",
        build_beat_this(state_dict={}),
        build_beat_this(hyper_parameters={}),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelRejected, match=r"w\.ckpt"):
            load_estimator(path)


def test_an_absent_checkpoint_is_not_looked_for_online(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_estimator(tmp_path / "final0.ckpt")

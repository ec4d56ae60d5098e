"""Chordino: segments that cover the audio, labels in Harte syntax, cancellation."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import pytest

from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled, NotabotError
from inference_service.harmony.chordino import ChordinoEstimator
from inference_service.music.events import NoteEvent
from inference_service.progress import ignore
from tests.factories import build_noise, build_notes

PROGRESSION = {
    "C": (48, 60, 64, 67, 72),
    "A:min": (45, 60, 64, 69, 72),
    "F": (41, 60, 65, 69, 72),
    "G:7": (43, 59, 62, 65, 67),
}


def play(chords: list[tuple[int, ...]], chord_s: float = 2.0) -> Waveform:
    return build_notes(
        [
            NoteEvent(index * chord_s, (index + 1) * chord_s, pitch, 80)
            for index, pitches in enumerate(chords)
            for pitch in pitches
        ]
    )


@pytest.fixture(scope="module")
def estimator() -> ChordinoEstimator:
    return ChordinoEstimator()


def test_names_a_progression(estimator: ChordinoEstimator) -> None:
    waveform = play(list(PROGRESSION.values()))
    segments = estimator.estimate(waveform, ignore)
    middles = {
        label: next(s.label for s in segments if s.start_s <= 2 * index + 1 < s.end_s)
        for index, label in enumerate(PROGRESSION)
    }
    assert middles == {label: label for label in PROGRESSION}


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no files in memory")
def test_a_full_disk_does_no_harm(
    estimator: ChordinoEstimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert estimator.estimate(play([PROGRESSION["C"]]), ignore)[-1].label == "C"


def test_segments_adjoin_and_cover_the_waveform(estimator: ChordinoEstimator) -> None:
    waveform = play(list(PROGRESSION.values()))
    segments = estimator.estimate(waveform, ignore)
    assert segments[0].start_s == 0.0
    assert segments[-1].end_s == waveform.duration_s
    assert all(a.end_s == b.start_s for a, b in pairwise(segments))
    assert all(segment.start_s < segment.end_s for segment in segments)


def test_labels_are_harte_syntax(estimator: ChordinoEstimator) -> None:
    generator = np.random.default_rng(0)
    chords = [tuple(int(p) for p in generator.integers(40, 76, 4)) for _ in range(24)]
    labels = {s.label for s in estimator.estimate(play(chords, 1.0), ignore)}
    assert len(labels) > 8
    for label in labels:
        mir_eval.chord.validate_chord_label(label)


@pytest.mark.parametrize("length", [0, 1, 4410, 44100])
def test_silence_is_no_chord(estimator: ChordinoEstimator, length: int) -> None:
    segments = estimator.estimate(Waveform(np.zeros((1, length), np.float32), 44100), ignore)
    assert [segment.label for segment in segments] == ["N"]
    assert segments[0].end_s == pytest.approx(length / 44100)


def test_stereo_at_another_rate(estimator: ChordinoEstimator) -> None:
    mono = play([PROGRESSION["C"]]).mono()[::2]
    segments = estimator.estimate(Waveform(np.stack([mono, mono]), 22050), ignore)
    assert "C" in {segment.label for segment in segments}


def test_cancelling_kills_the_process(estimator: ChordinoEstimator) -> None:
    calls = 0

    def cancel(fraction: float) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Cancelled("enough")

    start_s = time.perf_counter()
    with pytest.raises(Cancelled):
        estimator.estimate(Waveform(build_noise(120.0)[None], 44100), cancel)
    assert time.perf_counter() - start_s < 3.0


def test_a_plugin_that_fails_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "nnls-chroma.so").write_bytes(b"no plugin")
    with pytest.raises(NotabotError, match="Chordino"):
        ChordinoEstimator(tmp_path).estimate(Waveform(build_noise(1.0)[None], 44100), ignore)


def test_a_missing_plugin_is_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nnls-chroma"):
        ChordinoEstimator(tmp_path)

"""Our Basic Pitch gives the same windows, times and notes as the original package."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile

from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled
from inference_service.music.events import NoteEvent
from inference_service.progress import ignore
from inference_service.tagger.basic_pitch import (
    SAMPLE_RATE_HZ,
    BasicPitchTagger,
    decode_notes,
    default_model_path,
    frame_times_s,
)
from tests.factories import build_noise, build_notes, build_scale

Activations = np.ndarray[tuple[int, int], np.dtype[np.float32]]


@pytest.fixture(scope="module")
def tagger() -> BasicPitchTagger:
    return BasicPitchTagger(threads=1)


@pytest.fixture
def original(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package's own note creation, without the resampler that it imports but does not use."""
    monkeypatch.setitem(sys.modules, "resampy", ModuleType("resampy"))
    return pytest.importorskip("basic_pitch.note_creation")


def build_activations(seed: int, frame_count: int = 400) -> tuple[Activations, Activations]:
    """Random activations with onsets, leakage into neighbours, gaps and noise."""
    generator = np.random.default_rng(seed)
    frames = generator.uniform(0.0, 0.2, (frame_count, 88))
    onsets = generator.uniform(0.0, 0.2, (frame_count, 88))
    for _ in range(60):
        start, bin_ = int(generator.integers(0, frame_count - 40)), int(generator.integers(0, 88))
        length = generator.integers(4, 60)
        level = generator.uniform(0.25, 1.0)
        frames[start : start + length, bin_] = level * generator.uniform(0.8, 1.0)
        frames[start : start + length, min(bin_ + 1, 87)] += level / 3
        if generator.random() < 0.7:
            onsets[start, bin_] = level
    return frames.clip(0, 1).astype(np.float32), onsets.clip(0, 1).astype(np.float32)


@pytest.mark.parametrize("seed", range(8))
def test_decodes_what_the_original_decodes(original: Any, seed: int) -> None:
    frames, onsets = build_activations(seed)
    expected = original.output_to_notes_polyphonic(
        frames.copy(),
        onsets.copy(),
        onset_thresh=0.5,
        frame_thresh=0.3,
        min_note_len=11,
        infer_onsets=True,
        max_freq=None,
        min_freq=None,
    )
    notes = decode_notes(frames, onsets)
    assert len(notes) > 10
    assert [tuple(note[:3]) for note in notes] == [tuple(map(int, e[:3])) for e in expected]
    assert np.allclose([note.amplitude for note in notes], [e[3] for e in expected], atol=1e-5)


@pytest.mark.parametrize("frame_count", [1, 171, 172, 173, 1000])
def test_frames_lie_where_the_original_puts_them(original: Any, frame_count: int) -> None:
    expected = original.model_frames_to_time(frame_count)
    assert np.allclose(frame_times_s(frame_count), expected, rtol=0.0, atol=1e-9)


def test_predicts_what_the_original_predicts(
    original: Any, tagger: BasicPitchTagger, tmp_path: Path
) -> None:
    inference = pytest.importorskip("basic_pitch.inference")
    waveform = build_notes(build_scale(), rate_hz=SAMPLE_RATE_HZ)
    path = tmp_path / "scale.wav"
    soundfile.write(path, waveform.mono(), SAMPLE_RATE_HZ, subtype="FLOAT")
    expected = inference.run_inference(path, default_model_path())
    frames, onsets = tagger.predict(waveform, ignore)
    assert np.allclose(frames, expected["note"], atol=1e-5)
    assert np.allclose(onsets, expected["onset"], atol=1e-5)


def test_finds_a_chord(tagger: BasicPitchTagger) -> None:
    chord = [NoteEvent(0.5, 1.8, pitch, 100) for pitch in (48, 55, 64)]
    notes = tagger.tag(build_notes(chord), 0.0, ignore)
    assert {note.pitch for note in notes} >= {48, 55, 64}
    for pitch in (48, 55, 64):
        onset_s = min(note.onset_s for note in notes if note.pitch == pitch)
        assert onset_s == pytest.approx(0.5, abs=0.05)
    assert notes == sorted(notes)


@pytest.mark.parametrize("length", [0, 1, 100, 22050])
def test_silence_gives_no_notes(tagger: BasicPitchTagger, length: int) -> None:
    assert tagger.tag(Waveform(np.zeros((1, length), np.float32), 44100), 0.0, ignore) == []


def test_noise_gives_valid_notes(tagger: BasicPitchTagger) -> None:
    for note in tagger.tag(Waveform(build_noise(3.0)[None], 44100), 0.0, ignore):
        assert 0.0 <= note.onset_s < note.offset_s
        assert 21 <= note.pitch <= 108
        assert 1 <= note.velocity <= 127


def test_stops_when_cancelled(tagger: BasicPitchTagger) -> None:
    def cancel(fraction: float) -> None:
        if fraction > 0.2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        tagger.tag(Waveform(build_noise(10.0)[None], 44100), 0.0, cancel)


def test_a_wrong_model_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"absent\.onnx"):
        BasicPitchTagger(tmp_path / "absent.onnx")

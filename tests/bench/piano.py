"""Piano taggers on recordings of seven pianos."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from inference_service.audio.waveform import Waveform
from inference_service.pipeline.stages import Tagger
from inference_service.progress import ignore
from inference_service.tagger.basic_pitch import BasicPitchTagger
from inference_service.tagger.notes.tagger import load_tagger
from inference_service.tagger.transkun.tagger import TranskunTagger
from model_zoo.training.evaluate.metrics import as_heard, compare_offsets, compare_pitches
from model_zoo.training.evaluate.systems import TIMBRE
from tests.bench.table import Row
from tests.conftest import ROOT
from tests.factories import build_notes, build_scale

TITLE = "Piano: recordings of seven pianos (piano_dev)"
TRANSKUN_TARGET = 0.98
BASIC_PITCH_TARGET = 0.77
NOTABOT_TARGET = 0.93
WEIGHTS = ROOT / "model_zoo" / "weights" / "tagger.safetensors"


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure all taggers on every clip."""
    paths = sorted((data / "piano_dev").glob("*.flac"))
    yield from _measure("transkun", TranskunTagger(), paths, TRANSKUN_TARGET)
    yield from _measure("basic-pitch", BasicPitchTagger(), paths, BASIC_PITCH_TARGET)
    yield from _measure("notabot-notes", load_tagger(WEIGHTS, TIMBRE), paths, NOTABOT_TARGET)


def smoke() -> Iterator[Row]:
    """Measure on a synthetic scale in octaves."""
    scale = [n for note in build_scale() for n in (note, replace(note, pitch=note.pitch - 12))]
    notes = BasicPitchTagger().tag(build_notes(scale), 0.0, ignore)
    f1 = compare_pitches(as_heard(scale), as_heard(notes)).f1
    yield Row("basic-pitch, onset F1", f1, 0.7)


def _measure(name: str, tagger: Tagger, paths: list[Path], target: float) -> Iterator[Row]:
    onset, offset = [], []
    taken_s = duration_s = 0.0
    for path in paths:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        waveform = Waveform(np.ascontiguousarray(samples.T), rate_hz)
        labels = np.loadtxt(path.with_suffix(".tsv"), ndmin=2)[:, :3]
        start_s = time.perf_counter()
        notes = as_heard(tagger.tag(waveform, 0.0, ignore))
        taken_s += time.perf_counter() - start_s
        duration_s += waveform.duration_s
        onset.append(compare_pitches(labels, notes).f1)
        offset.append(compare_offsets(labels, notes).f1)
    yield Row(f"{name}, onset F1", float(np.mean(onset)), target)
    yield Row("  onset+offset F1", float(np.mean(offset)))
    yield Row("  real-time factor", taken_s / duration_s)

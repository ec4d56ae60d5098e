"""Beats of pop songs played on a piano, read from the notes of twenty performances of POP909.

The songs are those of :mod:`tests.bench.songs`, but nothing is rendered: the reader has the notes
of the MIDI file alone, as it has those of a transcribed recording. It is compared with itself
without its second opinion (:mod:`inference_service.rhythm.from_notes.second_opinion`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from inference_service.assembly import build_stages
from inference_service.midi.reader import decode_performance
from inference_service.music.events import Key, NoteEvent, Rhythm
from inference_service.pipeline.notate import read_performance
from inference_service.pipeline.options import RhythmSource
from inference_service.pipeline.stages import RhythmReader
from inference_service.rhythm.from_notes.stage import NoteRhythmReader
from inference_service.settings import ModelSettings
from tests.bench.notation import beat_f1
from tests.bench.pop909 import REPORTED_SONGS, read_beats, read_midi
from tests.bench.table import Row
from tests.conftest import ROOT
from tests.unit.rhythm.from_notes.readings import FixedEar

TITLE = "Pianists who keep time: 20 pop songs, from their notes (POP909)"
BEATS_TARGET: Final = 0.93
DOWNBEATS_TARGET: Final = 0.85
WEIGHTS = ROOT / "model_zoo" / "weights"


def run(data: Path, cache: Path, numbers: Sequence[int] = REPORTED_SONGS) -> Iterator[Row]:
    """Measure on every reported song."""
    archive = data / "symbolic" / "pop909.zip"
    stages = build_stages(ModelSettings())
    alone = NoteRhythmReader(
        *(WEIGHTS / f"{name}.safetensors" for name in ("rhythm", "bars", "melody_bars")),
        ear=FixedEar(),
    )
    figures: dict[str, list[tuple[float, float]]] = {"": [], "  without a second opinion, ": []}
    for number in numbers:
        name, midi = read_midi(archive, number)
        _, beats_s, downbeats_s = read_beats(archive, name)
        performance = decode_performance(midi)
        for rhythm, found in zip((stages.rhythm, alone), figures.values(), strict=True):
            read = read_performance(performance, RhythmSource.NOTES, rhythm, stages.key)
            times_s = np.array([beat.time_s for beat in read.beats])
            first_s = np.array([beat.time_s for beat in read.beats if beat.position == 1])
            found.append((beat_f1(beats_s, times_s) / 100, beat_f1(downbeats_s, first_s) / 100))
    for label, found in figures.items():
        beats, downbeats = np.mean(found, axis=0).tolist()
        is_ours = not label
        yield Row(f"{label}beats F1", beats, BEATS_TARGET if is_ours else None)
        yield Row(f"{label}downbeats F1", downbeats, DOWNBEATS_TARGET if is_ours else None)


def smoke() -> Iterator[Row]:
    """Measure on chords in quarters over a bass in halves."""
    rhythm = _estimate(build_stages(ModelSettings()).rhythm)
    times_s = np.array([beat.time_s for beat in rhythm.beats])
    yield Row(
        "beats F1, synthetic", beat_f1(np.array([0.6 * k for k in range(64)]), times_s) / 100, 0.9
    )


def _estimate(reader: RhythmReader) -> Rhythm:
    notes = [
        NoteEvent(0.6 * beat, 0.6 * beat + 0.5, pitch, 80)
        for beat in range(64)
        for pitch in ((36, 72) if beat % 2 == 0 else (60, 64, 67))
    ]
    rhythm = reader.estimate(notes, Key("C", "major"))
    assert rhythm is not None
    return rhythm

"""Beats of pop songs played on a piano, read from the notes of twenty performances of POP909.

The songs are those of :mod:`tests.bench.songs`, but nothing is rendered: the reader has the notes
of the MIDI file alone, as it has those of a transcribed recording. It is compared with itself
without its second opinion (:mod:`inference_service.rhythm.from_notes.second_opinion`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np

from inference_service.assembly import build_stages
from inference_service.midi.reader import decode_performance
from inference_service.music.events import Key, Transcription
from inference_service.pipeline.notate import read_performance
from inference_service.pipeline.options import RhythmSource
from inference_service.pipeline.stages import RhythmReader, StageSet
from inference_service.rhythm.from_notes.stage import NoteRhythmReader
from inference_service.settings import ModelSettings
from tests.bench.notation import beat_f1
from tests.bench.pop909 import REPORTED_SONGS, Floats, read_beats, read_midi
from tests.bench.table import Row
from tests.conftest import ROOT
from tests.unit.rhythm.from_notes.readings import FixedEar, accompany

TITLE = "Pianists who keep time: 20 pop songs, from their notes (POP909)"
LENGTHS_S: Final = {"whole songs": 1e9, "the first 30 s": 30.0}
WEIGHTS = ROOT / "model_zoo" / "weights"


def run(data: Path, cache: Path, numbers: Sequence[int] = REPORTED_SONGS) -> Iterator[Row]:
    """Measure on every reported song."""
    archive = data / "symbolic" / "pop909.zip"
    stages = build_stages(ModelSettings())
    alone = NoteRhythmReader(
        *(WEIGHTS / f"{name}.safetensors" for name in ("rhythm", "bars", "melody_bars")),
        ear=FixedEar(),
    )
    readers = {"": stages.rhythm, ", without a second opinion": alone}
    songs = [_load(archive, number) for number in numbers]
    for (length, most_s), (label, reader) in product(LENGTHS_S.items(), readers.items()):
        found = [_compare(song, most_s, reader, stages) for song in songs]
        beats, downbeats = np.mean(found, axis=0).tolist()
        yield Row(f"{length}{label}: beats F1", beats)
        yield Row("  downbeats F1", downbeats)


def _load(archive: Path, number: int) -> tuple[Transcription, Floats, Floats]:
    """Return the performance of a song, and its beats and downbeats in seconds."""
    name, midi = read_midi(archive, number)
    _, beats_s, downbeats_s = read_beats(archive, name)
    return decode_performance(midi), beats_s, downbeats_s


def _compare(
    song: tuple[Transcription, Floats, Floats],
    most_s: float,
    reader: RhythmReader,
    stages: StageSet,
) -> tuple[float, float]:
    """Return the F1 of beats and downbeats of the first seconds of a song."""
    performance, *labels_s = song
    parts = tuple(
        replace(part, notes=tuple(note for note in part.notes if note.onset_s < most_s))
        for part in performance.parts
    )
    read = read_performance(
        replace(performance, parts=parts), RhythmSource.NOTES, reader, stages.key
    )
    found_s = (
        [beat.time_s for beat in read.beats],
        [beat.time_s for beat in read.beats if beat.position == 1],
    )
    beats, downbeats = (
        beat_f1(label_s[label_s < most_s], np.array(times_s)) / 100
        for label_s, times_s in zip(labels_s, found_s, strict=True)
    )
    return beats, downbeats


def smoke() -> Iterator[Row]:
    """Measure on a melody over a bass and chords."""
    rhythm = build_stages(ModelSettings()).rhythm.estimate(accompany(16, 0.6), Key("C", "major"))
    assert rhythm is not None
    times_s = np.array([beat.time_s for beat in rhythm.beats])
    beats = beat_f1(np.array([0.6 * beat for beat in range(64)]), times_s) / 100
    yield Row("beats F1, synthetic", beats, 0.9)

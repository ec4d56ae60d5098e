"""The practice page: does its clock keep the cursor on the note that is heard, and how long does a
score of 12 pages take?

The distance of a note is the time between its onset as heard in a recording and the time that the
clock gives for its written position. It depends on the score: on notes that are written together
but sung or played apart, and on notes that are written in another order than they were heard.
Beats are those that were heard; on songs the metronome's clicks should be near them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.assembly import build_limits, build_stages
from inference_service.audio.decode import decode
from inference_service.music.events import Transcription
from inference_service.pipeline.correct import correct
from inference_service.pipeline.options import Preset, RenderOptions, Screen
from inference_service.pipeline.practice import Sheet, engrave_sheet
from inference_service.pipeline.transcribe import transcribe
from inference_service.progress import Stage, ignore
from inference_service.settings import AudioSettings, ModelSettings
from tests.bench.table import Row
from tests.factories import perform, place

Floats = NDArray[np.float64]

TITLE = "Practice: milliseconds between a note's onset and the clock"
TARGET_MS: Final = 50.0
TARGET_S: Final = 1.5
SETS: Final = {
    "sung": ("voice_dev/*.flac", Preset.VOICE),
    "piano": ("piano_dev/*.flac", Preset.PIANO),
    "songs": ("songs_dev/*.opus", Preset.SONG),
}
MOST_CLIPS: Final = 20
"""Of each set, evenly spaced by name."""

BARS: Final = 140
"""Of the score whose time is taken: 12 pages for a phone."""


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Transcribe clips with the default models, and measure the clock of each."""
    stages = build_stages(ModelSettings())
    limits = build_limits(AudioSettings())
    for name, (pattern, preset) in SETS.items():
        paths = sorted(data.glob(pattern))
        if not paths:
            raise FileNotFoundError(f"no {pattern} in {data}")
        notes_ms, beats_ms = [], []
        for path in paths[:: -(-len(paths) // MOST_CLIPS)]:
            waveform = decode(path.read_bytes(), limits, ignore)
            heard = transcribe(waveform, preset, stages, _ignore)
            sheet = _engrave(heard)
            notes_ms.append(measure_notes(heard, sheet))
            beats_ms.append(measure_beats(heard, sheet))
        yield from _summarize(name, np.concatenate(notes_ms), np.concatenate(beats_ms), TARGET_MS)
    yield _measure_speed(BARS, TARGET_S)


def smoke() -> Iterator[Row]:
    """Measure notes that were played unevenly; no target for the time, since machines differ."""
    heard = place(perform({"vocals": [(k, 1, 60 + k % 12) for k in range(64)]}, jitter_s=0.02), 1)
    sheet = _engrave(heard)
    notes_ms, beats_ms = measure_notes(heard, sheet), measure_beats(heard, sheet)
    yield from _summarize("even notes", notes_ms, beats_ms, TARGET_MS)
    yield _measure_speed(8, None)


def measure_notes(heard: Transcription, sheet: Sheet) -> Floats:
    """Return the distance of each written note but the grace notes, in milliseconds."""
    performed = correct(heard).performance
    onsets_s = {note.id: note.onset_s for part in performed.parts for note in part.notes}
    return np.array(
        [
            1000 * abs(sheet.clock.to_seconds(float(note.start)) - onsets_s[note.note])
            for note in sheet.notes
            if note.duration
        ]
    )


def measure_beats(heard: Transcription, sheet: Sheet) -> Floats:
    """Return the distance of each heard beat from the nearest written one, in milliseconds."""
    first = next(float(measure.start) for measure in sheet.measures if measure.number)
    quarters = np.arange(first % 0.5, sheet.clock.positions[-1], 0.5)
    written_s = np.array([sheet.clock.to_seconds(position) for position in quarters])
    inside = [b.time_s for b in heard.beats if written_s[0] <= b.time_s <= written_s[-1]]
    return np.array([1000 * np.abs(written_s - time_s).min() for time_s in inside])


def _summarize(
    name: str,
    notes_ms: Floats,
    beats_ms: Floats,
    target_ms: float,
) -> Iterator[Row]:
    yield Row(f"{name}, {len(notes_ms)} notes: median", float(np.median(notes_ms)), target_ms, True)
    yield Row(f"{name}: 90 % of notes within", float(np.percentile(notes_ms, 90)))
    yield Row(f"{name}: 99 % of notes within", float(np.percentile(notes_ms, 99)))
    yield Row(f"{name}: 90 % of beats within", float(np.percentile(beats_ms, 90)))


def _measure_speed(bars: int, target_s: float | None) -> Row:
    """Engrave a tune in eighths over chords in quarters."""
    steps = [
        (4 * bar + k / 2, 0.5, 72 + (5 * bar + 3 * k) % 12) for bar in range(bars) for k in range(8)
    ]
    chords = [(4 * bar + k, 1.0, p) for bar in range(bars) for k in range(4) for p in (48, 55)]
    heard = place(perform({"piano": [*steps, *chords]}))
    _engrave(place(perform({"piano": steps[:8]})))  # loads the fonts
    start_s = time.thread_time()
    sheet = _engrave(heard)
    taken_s = time.thread_time() - start_s
    what = f"CPU seconds to engrave {len(sheet.notes)} notes on {len(sheet.pages.pages)} systems"
    return Row(what, taken_s, target_s, at_most=True)


def _engrave(heard: Transcription) -> Sheet:
    return engrave_sheet(heard, RenderOptions(), Screen(), _ignore).sheet


def _ignore(stage: Stage, fraction: float) -> None:
    """Report progress to nobody."""

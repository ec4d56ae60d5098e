"""The voice preset's tagger and its peers on sung melodies.

The costs of notes were chosen on the first half of the clips, by number, which keeps the takes of
one singer together; the second half is also reported separately. Labels are fractional MIDI
numbers, about 0.2 semitones sharp of what pitch trackers hear; the first row compares the pitch as
sung. Rounding to whole semitones adds up to half a semitone of deviation from such labels, which is
no error of a score; the row "whole semitones" therefore compares intervals in the singer's own
tuning.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
from swift_f0 import SwiftF0, segment_notes

from inference_service.assembly import build_stages
from inference_service.audio.tuning import estimate_tuning
from inference_service.audio.waveform import Waveform
from inference_service.music.events import NoteEvent, Part, Rhythm, Transcription
from inference_service.music.pitch import frequency_to_pitch
from inference_service.music.programs import VOICE
from inference_service.notation.arrange import arrange
from inference_service.notation.musicxml import encode_musicxml
from inference_service.notation.quantize import quantize
from inference_service.notation.views import View
from inference_service.pipeline.stages import StageSet
from inference_service.progress import ignore
from inference_service.settings import ModelSettings
from inference_service.tagger.basic_pitch import BasicPitchTagger
from inference_service.tagger.swift_f0 import SwiftF0Tagger
from model_zoo.training.evaluate.metrics import (
    Accuracy,
    NoteArray,
    as_heard,
    compare_offsets,
    compare_onsets,
    compare_pitches,
)
from tests.bench.table import Row
from tests.bench.tidiness import count_bars
from tests.factories import build_scale, sing

TITLE = "Voice: sung melodies (voice_dev)"
TARGET = 0.72
OFFSET_TARGET = 0.62
TIDY_TARGET = 0.90


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure on every clip."""
    folder = data / "voice_dev"
    clips = [
        (read_clip(path), np.loadtxt(path.with_suffix(".txt"), ndmin=2)) for path in _list(folder)
    ]
    stages = build_stages(ModelSettings())
    basic_pitch, detector, rules = BasicPitchTagger(), SwiftF0(threads=2), SwiftF0Tagger()
    tagger = stages.voice
    start_s = time.perf_counter()
    tagged = [tagger.tag(clip, estimate_tuning(clip), ignore) for clip, _ in clips]
    taken_s = time.perf_counter() - start_s
    labels = [truth for _, truth in clips]
    heard = [as_heard(notes) for notes in tagged]

    def mean(compare: Callable[[NoteArray, NoteArray], Accuracy], found: list[NoteArray]) -> float:
        return float(np.mean([compare(a, b).f1 for a, b in zip(labels, found, strict=True)]))

    yield Row("voice preset, onset+pitch F1", mean(compare_pitches, heard), TARGET)
    late = range(len(clips) // 2, len(clips))
    unseen = np.mean([compare_pitches(labels[i], heard[i]).f1 for i in late])
    yield Row("  on clips that no constant was chosen on", float(unseen))
    yield Row("  onset F1", mean(compare_onsets, heard))
    yield Row("  onset+pitch+offset F1", mean(compare_offsets, heard), OFFSET_TARGET)
    written = [as_written(notes) for notes in tagged]
    yield Row("  whole semitones, as intervals", mean(compare_written, written))
    yield Row("  whole semitones, against A440 labels", mean(compare_pitches, written))
    yield Row("  real-time factor", taken_s / sum(clip.duration_s for clip, _ in clips))
    yield from _tidiness(clips, tagged, stages)
    ruled = [as_heard(rules.tag(clip, estimate_tuning(clip), ignore)) for clip, _ in clips]
    yield Row("peer: rules over swift-f0, onset+pitch F1", mean(compare_pitches, ruled))
    raw = [segment(detector, clip) for clip, _ in clips]
    yield Row("peer: swift-f0's own notes, onset+pitch F1", mean(compare_pitches, raw))
    peer = [as_heard(basic_pitch.tag(clip, 0.0, ignore)) for clip, _ in clips]
    yield Row("peer: basic-pitch, onset+pitch F1", mean(compare_pitches, peer))


def as_written(notes: Sequence[NoteEvent]) -> NoteArray:
    """Return the notes with pitches rounded to MIDI numbers."""
    rows = [(n.onset_s, n.offset_s, float(n.pitch)) for n in notes]
    return np.array(rows, dtype=float).reshape(-1, 3)


def compare_written(labels: NoteArray, notes: NoteArray) -> Accuracy:
    """Compare rounded pitches as intervals: labels are rounded in the singer's own tuning (the
    circular mean of their fractions), and the best of the three possible transpositions counts."""
    fractions = np.exp(2j * np.pi * labels[:, 2])
    tuning = float(np.angle((fractions * (labels[:, 1] - labels[:, 0])).sum())) / (2 * np.pi)
    rounded = labels.copy()
    rounded[:, 2] = np.rint(labels[:, 2] - tuning)
    moved = (notes + np.array([0.0, 0.0, semitones]) for semitones in (-1.0, 0.0, 1.0))
    return max((compare_pitches(rounded, candidate) for candidate in moved), key=lambda s: s.f1)


def _tidiness(
    clips: Sequence[tuple[Waveform, NoteArray]],
    tagged: Sequence[list[NoteEvent]],
    stages: StageSet,
) -> Iterator[Row]:
    """Measure how readable the bars of the written melodies are; even clips were tuned on."""
    bars = [
        list(count_bars(write_melody(notes, clip.duration_s, stages)))
        for notes, (clip, _) in zip(tagged, clips, strict=True)
    ]
    for name, chosen in (("all", bars), ("on clips that no constant was chosen on", bars[1::2])):
        counts = [bar for clip in chosen for bar in clip]
        tidy = sum(bar.is_tidy for bar in counts) / len(counts)
        yield Row(f"  tidy bars, {name}", tidy, TIDY_TARGET)
        spotless = sum(bar.is_spotless for bar in counts) / len(counts)
        yield Row(f"  spotless bars, {name}", spotless)


def write_melody(notes: Sequence[NoteEvent], duration_s: float, stages: StageSet) -> bytes:
    """Return MusicXML of a lone voice's notes, as the service writes it."""
    key = stages.key.estimate(notes, [])[0].key
    rhythm = stages.rhythm.estimate(notes, key) or Rhythm((), 120.0, "4/4")
    heard = Transcription(
        duration_s=duration_s,
        tuning_cents=0.0,
        tempo_bpm=rhythm.tempo_bpm,
        time_signature=rhythm.time_signature,
        key=key,
        parts=(Part("vocals", "Vocals", tuple(notes), VOICE),),
        beats=rhythm.beats,
        chords=(),
    )
    return encode_musicxml(arrange(quantize(stages.rhythm.place(heard), ""), View.MELODY))


def smoke() -> Iterator[Row]:
    """Measure on a synthetic singer."""
    scale, stages = build_scale(), build_stages(ModelSettings())
    notes = stages.voice.tag(sing(scale), 0.0, ignore)
    f1 = compare_pitches(as_heard(scale), as_heard(notes)).f1
    yield Row("voice preset, onset+pitch F1", f1, 0.9)
    bars = list(count_bars(write_melody(notes, 10.0, stages)))
    yield Row("  tidy bars", sum(bar.is_tidy for bar in bars) / len(bars), TIDY_TARGET)


def _list(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.flac"))


def read_clip(path: Path) -> Waveform:
    """Decode a recording."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return Waveform(np.ascontiguousarray(samples.T), rate_hz)


def segment(detector: SwiftF0, clip: Waveform) -> NoteArray:
    """Return SwiftF0's own notes, of those over 50 ms; pitches are fractional MIDI numbers."""
    notes = segment_notes(detector.detect(clip.mono(), clip.sample_rate_hz))
    rows = [(n.start, n.end, frequency_to_pitch(n.pitch_hz)) for n in notes]
    return np.array([row for row in rows if row[1] - row[0] > 0.05], dtype=float).reshape(-1, 3)

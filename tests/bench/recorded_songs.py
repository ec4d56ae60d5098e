"""Beats, downbeats and metre of half-minute clips of recorded songs.

Constants are chosen on half of the clips (:func:`is_for_choosing`); targets hold for the others.
Chords are Chordino's.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from inference_service.audio.decode import AudioLimits, decode
from inference_service.harmony.chordino import ChordinoEstimator
from inference_service.music.events import Rhythm
from inference_service.pipeline.stages import BeatEstimator
from inference_service.progress import ignore
from inference_service.rhythm.from_sound.librosa_beats import LibrosaBeatEstimator
from tests.bench.songs import beat_f1, load_beats
from tests.bench.table import Row

TITLE = "Beats of recorded songs (songs_dev)"
TARGETS = {"beats": 0.90, "downbeats": 0.75, "metre": 0.95}
LIMITS = AudioLimits()


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure both halves, ours and librosa with rules."""
    systems: dict[str, BeatEstimator] = {
        "": load_beats(),
        "librosa and rules: ": LibrosaBeatEstimator(),
    }
    chord_estimator = ChordinoEstimator()
    figures: dict[tuple[str, bool], list[dict[str, float]]] = {}
    clips = sorted((data / "songs_dev").glob("*.json"))
    if not clips:
        raise FileNotFoundError(f"no clips in {data / 'songs_dev'}")
    for clip in clips:
        waveform = decode(clip.with_suffix(".opus").read_bytes(), LIMITS, ignore)
        chords = chord_estimator.estimate(waveform, ignore)
        truth = json.loads(clip.read_text())["beats"]
        for name, system in systems.items():
            score = score_beats(truth, system.estimate(waveform, [], chords, ignore))
            figures.setdefault((name, is_for_choosing(clip.stem)), []).append(score)
    for (name, chosen), scores in sorted(figures.items(), key=lambda item: item[0]):
        half = "chosen on" if chosen else "reported"
        for figure, target in TARGETS.items():
            mean = float(np.mean([score[figure] for score in scores]))
            aim = target if not name and not chosen else None
            yield Row(f"{name}{figure}, {len(scores)} clips, {half}", mean, aim)


def smoke() -> Iterator[Row]:
    """Measure the truth against itself."""
    truth = [{"time_s": 6.0 + 0.5 * k, "position": k % 4 + 1} for k in range(40)]
    beats_s = np.array([beat["time_s"] for beat in truth])
    yield Row("beats of the truth", beat_f1(beats_s, beats_s), 1.0)


def is_for_choosing(clip: str) -> bool:
    """Return whether constants may be chosen on a clip."""
    return zlib.crc32(clip.encode()) % 2 == 0


def score_beats(truth: list[dict[str, float]], rhythm: Rhythm) -> dict[str, float]:
    """Return the F1 of beats and downbeats, and whether the bars have the right length."""
    found_s = np.array([beat.time_s for beat in rhythm.beats])
    found_down_s = np.array([beat.time_s for beat in rhythm.beats if beat.position == 1])
    beats_s = np.array([beat["time_s"] for beat in truth])
    downbeats_s = np.array([beat["time_s"] for beat in truth if beat["position"] == 1])
    length = max(int(beat["position"]) for beat in truth)
    return {
        "beats": beat_f1(beats_s, found_s),
        "downbeats": beat_f1(downbeats_s, found_down_s),
        "metre": float(rhythm.time_signature == f"{length}/4"),
    }

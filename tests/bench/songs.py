"""Chords, beats, metre and key of twenty rendered POP909 songs.

The songs are disjoint from those on which constants were chosen (:mod:`tests.bench.pop909`) and
from those that the beat network was trained on. Chords are estimated by the networks that are
served and by Chordino; keys and beats from Chordino's, as in the service. Keys and librosa's
downbeats are estimated from the notes of Basic Pitch, too. A metre is right if its number of beats
in a bar is that of most annotated bars.

    python -m tests.bench.songs 703 708    other songs, by their number in the archive
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import mir_eval
import numpy as np

from inference_service.assembly import build_catalog
from inference_service.harmony.chord_network import load_published
from inference_service.harmony.chordino import ChordinoEstimator
from inference_service.harmony.key import KeyProfileEstimator
from inference_service.harmony.key import load_estimator as load_key_estimator
from inference_service.harmony.neural_chords import NeuralChordEstimator
from inference_service.music.events import ChordSegment, Key, NoteEvent, Rhythm
from inference_service.music.pitch import pitch_class
from inference_service.pipeline.stages import Task
from inference_service.progress import ignore
from inference_service.rhythm.from_sound.librosa_beats import LibrosaBeatEstimator
from inference_service.rhythm.from_sound.neural_beats import NeuralBeatEstimator, load_estimator
from inference_service.tagger.basic_pitch import BasicPitchTagger
from tests.bench.pop909 import REPORTED_SONGS, Song, load_song
from tests.bench.table import Row, format_table
from tests.conftest import DATA, ROOT
from tests.factories import build_notes

TITLE = "Chords, beats and key: 20 rendered songs (POP909)"
MAJMIN_GAIN_TARGET = 0.02
SEVENTHS_GAIN_TARGET = 0.04
"""Gains over Chordino."""
BEATS_TARGET = 0.95
DOWNBEATS_TARGET = 0.85
METRE_TARGET = 0.90
KEY_TARGET = 0.80
CHORD_FIGURES = {
    "root": "roots",
    "majmin": "major/minor",
    "sevenths": "sevenths",
    "majmin_inv": "major/minor and bass",
    "sevenths_inv": "sevenths and bass",
}
"""mir_eval's names, and what they compare."""

WEIGHTS = ROOT / "model_zoo" / "weights"
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def run(data: Path, cache: Path, numbers: Sequence[int] = REPORTED_SONGS) -> Iterator[Row]:
    """Measure on every reported song."""
    chord_estimator, chordino, tagger = load_chords(), ChordinoEstimator(), BasicPitchTagger()
    beat_estimator, key_estimator = (
        load_estimator(WEIGHTS / "beats.safetensors", WEIGHTS / "readings.json"),
        load_keys(),
    )
    peer = LibrosaBeatEstimator()
    figures: defaultdict[str, list[float]] = defaultdict(list)
    for number in numbers:
        song = load_song(data / "symbolic" / "pop909.zip", number, cache / "pop909")
        waveform = song.waveform()
        chords = chord_estimator.estimate(waveform, ignore)
        notes = tagger.tag(waveform, 0.0, ignore)
        progression = chordino.estimate(waveform, ignore)
        key = key_estimator.estimate(notes, progression)[0].key
        measured = score_song_chords(song, chords)
        other_chords = score_song_chords(song, progression)
        measured |= {f"chordino {name}": score for name, score in other_chords.items()}
        measured |= score_rhythm(
            song, beat_estimator.estimate(waveform, notes, progression, ignore)
        )
        other = score_rhythm(song, peer.estimate(waveform, notes, progression, ignore))
        measured |= {f"librosa {name}": score for name, score in other.items()}
        measured |= {"mirex": score_key(song, key), "key": float(score_key(song, key) == 1.0)}
        for name, score in measured.items():
            figures[name].append(score)
    mean = {name: float(np.mean(values)) for name, values in figures.items()}
    for name, what in CHORD_FIGURES.items():
        yield Row(f"chords, {what}, share of the time", mean[name])
        yield Row("  chordino", mean[f"chordino {name}"])
    gains = {name: mean[name] - mean[f"chordino {name}"] for name in CHORD_FIGURES}
    yield Row("gain over chordino, major/minor", gains["majmin"], MAJMIN_GAIN_TARGET)
    yield Row("gain over chordino, sevenths", gains["sevenths"], SEVENTHS_GAIN_TARGET)
    yield Row("beats, F1, tempo as on the recordings", mean["recorded beats"], BEATS_TARGET)
    yield Row("  downbeats, F1, bars likewise", mean["recorded downbeats"], DOWNBEATS_TARGET)
    yield Row("beats, F1, tempo as in the MIDI files", mean["beats"])
    yield Row("  downbeats, F1", mean["downbeats"])
    yield Row("  metre right", mean["metre"], METRE_TARGET)
    yield Row("  tempo within 4 %", mean["tempo"])
    yield Row("  librosa-beats, F1", mean["librosa beats"])
    yield Row("  librosa-beats, downbeats, F1", mean["librosa downbeats"])
    yield Row("key right", mean["key"], KEY_TARGET)
    yield Row("  weighted score (MIREX)", mean["mirex"])


def smoke() -> Iterator[Row]:
    """Measure on a synthetic progression."""
    progression = {"C": (48, 60, 64, 67), "F": (41, 60, 65, 69), "G": (43, 59, 62, 67)}
    notes = [
        NoteEvent(2.0 * index, 2.0 * index + 2.0, pitch)
        for index, pitches in enumerate([*progression.values(), progression["C"]])
        for pitch in pitches
    ]
    waveform = build_notes(notes)
    segments = ChordinoEstimator().estimate(waveform, ignore)
    found = [segment.label for segment in segments if segment.label != "N"]
    yield Row("chordino, chords of a progression", float(found == [*progression, "C"]), 1.0)
    segments = load_chords().estimate(waveform, ignore)
    found = [segment.label for segment in segments if segment.label != "N"]
    expected = [f"{root}:maj" for root in (*progression, "C")]
    yield Row("network, chords of a progression", float(found == expected), 1.0)
    key = load_keys().estimate(notes, segments)[0].key
    yield Row("key of a progression", float(key == Key("C", "major")), 1.0)


def score_song_chords(song: Song, chords: Sequence[ChordSegment]) -> dict[str, float]:
    """Return mir_eval's figures by name."""
    return score_chords(song.chord_intervals_s, song.chord_labels, chords)


def score_chords(
    truth_s: np.ndarray, truth: list[str], chords: Sequence[ChordSegment]
) -> dict[str, float]:
    """Return mir_eval's figures by name, for true chords at intervals of shape (K, 2)."""
    intervals_s = np.array([(chord.start_s, chord.end_s) for chord in chords])
    labels = [chord.label for chord in chords]
    scores: dict[str, float] = mir_eval.chord.evaluate(truth_s, truth, intervals_s, labels)
    return {name: scores[name] for name in CHORD_FIGURES}


def score_key(song: Song, key: Key) -> float:
    """Return MIREX's weighted score: 1 for the right key, less for related ones."""
    found = f"{_NAMES[pitch_class(key.tonic)]} {key.mode}"
    return float(mir_eval.key.weighted_score(f"{_NAMES[song.tonic]} {song.mode}", found))


def score_rhythm(song: Song, rhythm: Rhythm) -> dict[str, float]:
    """Return the F1 of beats and downbeats, and whether metre and tempo are right."""
    beats_s = np.array([beat.time_s for beat in rhythm.beats])
    downbeats_s = np.array([beat.time_s for beat in rhythm.beats if beat.position == 1])
    bars = Counter(np.diff(np.searchsorted(song.beats_s, song.downbeats_s)).tolist())
    truth_bpm = 60.0 / float(np.median(np.diff(song.recorded_beats_s)))
    return {
        "beats": beat_f1(song.beats_s, beats_s),
        "downbeats": beat_f1(song.downbeats_s, downbeats_s),
        "recorded beats": beat_f1(song.recorded_beats_s, beats_s),
        "recorded downbeats": beat_f1(song.recorded_downbeats_s, downbeats_s),
        "metre": float(rhythm.time_signature.split("/")[0] == str(bars.most_common(1)[0][0])),
        "tempo": float(abs(rhythm.tempo_bpm / truth_bpm - 1.0) < 0.04),
    }


def load_chords() -> NeuralChordEstimator:
    """Load the chord estimator that is served."""
    [entry, *_] = build_catalog("cpu").candidates("cpu", {})[Task.CHORDS]
    return NeuralChordEstimator([load_published(path) for path in entry.paths(WEIGHTS)])


def load_keys() -> KeyProfileEstimator:
    """Load the key estimator that is served."""
    return load_key_estimator(WEIGHTS / "melody.safetensors", WEIGHTS / "chords.safetensors")


def load_beats() -> NeuralBeatEstimator:
    """Load the beat estimator that is served."""
    return load_estimator(WEIGHTS / "beats.safetensors", WEIGHTS / "readings.json")


def beat_f1(truth_s: np.ndarray, found_s: np.ndarray) -> float:
    """Return mir_eval's F1 of beats after the first five seconds."""
    trim = mir_eval.beat.trim_beats
    return float(mir_eval.beat.f_measure(trim(truth_s), trim(found_s)))


def main() -> None:
    """Measure songs named by their numbers."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.songs")
    parser.add_argument("numbers", type=int, nargs="+")
    numbers = parser.parse_args().numbers
    title = f"Chords, beats and key: {len(numbers)} rendered songs (POP909)"
    print(format_table(title, run(DATA, ROOT / "var" / "bench", numbers)))


if __name__ == "__main__":
    main()

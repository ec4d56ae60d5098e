"""POP909 as songs: the arrangements quantised to their beats, with chords and keys.

The service's quantiser converts the performances, so that the training data resembles what is
continued later. Beats and chords are those of the MIDI file, but its bars begin a beat or two late
in one song of five. Bar lines are therefore found by dynamic programming: they collect as many as
possible of the recording's downbeats, the file's downbeats and, counted double, the recording's
chord changes; a shortened bar is penalised. (On 130 songs, 63 % of the duration of notes below C3,
weighted by loudness, then begins on a downbeat; 50 % with the file's bars, 60 % with the
recording's.) The key is the archive's label of the recording, and changes at the nearest bar line.
"""

from __future__ import annotations

import zipfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import (
    NO_CHORD,
    Beat,
    ChordSegment,
    Key,
    NoteEvent,
    Part,
    Transcription,
)
from inference_service.music.pitch import build_key, pitch_class
from inference_service.music.programs import PIANO, VOICE
from inference_service.music.score import KeyChange, Score, ScoreChord
from inference_service.notation.quantize import quantize
from model_zoo.training.continuation.song import LEAST_BARS, Song, one_at_a_time
from model_zoo.training.sources.piece import Line, Piece
from model_zoo.training.sources.pop909 import read_song

_NAMES: Final = {"melody": "Melody", "inner": "Bridge", "piano": "Piano"}
# Weights of the evidence for bar lines, and the cost of a short bar. No record of how they were
# chosen; the shares above were measured with them.
_RECORDED: Final = 0.5
_OWN: Final = 0.5
_CHANGE: Final = 1.0
_SHORT_BAR: Final = 3.0


@dataclass(frozen=True, slots=True)
class _Labels:
    """The archive's labels of a song.

    Attributes
    ----------
    downbeat : np.ndarray of bool, shape (B,)
        Whether a beat of the MIDI file is a downbeat.
    recorded_s : np.ndarray
        Times of the recording's downbeats.
    changes_s : np.ndarray
        Times of the recording's chord changes.
    keys : list of (float, Key)
        The time from which each key is in force, and the key.
    """

    downbeat: NDArray[np.bool_]
    recorded_s: NDArray[np.float64]
    changes_s: NDArray[np.float64]
    keys: list[tuple[float, Key]]


def write_pop909(archive: Path, number: int) -> Song | None:
    """Convert a song of POP909 by its 1-based number.

    None if it has fewer than sixteen bars, or no chords or melody.
    """
    piece = read_song(archive, number)
    labels = _read_labels(archive, piece.name.removeprefix("pop909-"))
    beats = 3 if piece.bar_beats % 3 == 0 else 4
    positions = place_bars(piece.beats_s, beats, labels)
    score = _write(piece, positions, beats, labels.keys)
    melody = next((part.notes for part in score.parts if part.id == "melody"), ())
    named = any(chord.label != NO_CHORD for chord in score.chords)
    if len(score.bars()) < LEAST_BARS or not named or not melody:
        return None
    return Song(piece.name, "pop909", score, one_at_a_time(melody))


def _read_labels(archive: Path, name: str) -> _Labels:
    with zipfile.ZipFile(archive) as files:
        tables = {
            table: [line.split() for line in text.splitlines() if line.strip()]
            for table in ("beat_midi", "beat_audio", "chord_audio", "key_audio")
            for text in [files.read(f"{name}/{table}.txt").decode()]
        }
    return _Labels(
        np.array([float(row[2]) > 0 for row in tables["beat_midi"]]),
        np.array([float(row[0]) for row in tables["beat_audio"] if float(row[1]) == 1.0]),
        np.array([float(row[0]) for row in tables["chord_audio"]]),
        [(float(row[0]), read_key(row[2])) for row in tables["key_audio"]],
    )


def read_key(label: str) -> Key:
    """Parse a label such as ``Gb:maj``; the key gets its usual spelling."""
    tonic, mode = label.split(":")
    return build_key(pitch_class(tonic), "minor" if mode.startswith("min") else "major")


def place_bars(beats_s: NDArray[np.float64], bar_beats: int, labels: _Labels) -> NDArray[np.int64]:
    """Return the 1-based position of each beat in its bar, by Viterbi's algorithm."""
    signs = _RECORDED * _count_at(beats_s, labels.recorded_s)
    signs += _CHANGE * _count_at(beats_s, labels.changes_s)
    signs[labels.downbeat] += _OWN
    total = np.zeros(bar_beats)
    total[0] += signs[0]
    came_from = np.zeros((len(signs), bar_beats), np.int64)
    for beat in range(1, len(signs)):
        arriving = np.roll(total, 1)
        came_from[beat] = np.roll(np.arange(bar_beats), 1)
        short = int(total.argmax())
        if total[short] - _SHORT_BAR > arriving[0]:
            arriving[0], came_from[beat, 0] = total[short] - _SHORT_BAR, short
        total = arriving
        total[0] += signs[beat]
    places = [int(total.argmax())]
    for beat in range(len(signs) - 1, 0, -1):
        places.append(int(came_from[beat, places[-1]]))
    return np.array(places[::-1]) + 1


def _count_at(beats_s: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 for each beat that is nearest to one of the times and close to it, else 0."""
    found = np.zeros(len(beats_s))
    if len(times_s):
        gap_s = np.median(np.diff(beats_s))
        distance_s = np.abs(beats_s[:, None] - times_s[None, :])
        nearest = distance_s.argmin(axis=0)
        close = distance_s.min(axis=0) < gap_s / 2
        found[nearest[close]] = 1.0
    return found


def _write(
    piece: Piece, positions: NDArray[np.int64], beats: int, keys: Sequence[tuple[float, Key]]
) -> Score:
    """Quantise; the keys are passed through in the labels of the chords, to be placed on beats."""
    end_s = max(float(line.notes[:, 1].max()) for line in piece.lines)
    beat_s = float(np.median(np.diff(piece.beats_s)))
    return take_keys(
        quantize(
            Transcription(
                duration_s=end_s,
                tuning_cents=0.0,
                tempo_bpm=60.0 / beat_s,
                time_signature=f"{beats}/4",
                key=keys[0][1],
                parts=tuple(_part(line) for line in piece.lines),
                beats=tuple(map(Beat, piece.beats_s.tolist(), positions.tolist())),
                chords=tuple(_mark_keys(piece.chords, keys)),
            ),
            piece.name,
        ),
        [key for _, key in keys],
    )


def _part(line: Line) -> Part:
    sung = line.role == "melody"
    notes = [
        NoteEvent(onset_s, offset_s, int(pitch), int(velocity))
        for onset_s, offset_s, pitch, velocity in line.notes.tolist()
    ]
    return Part(line.role, _NAMES[line.role], tuple(sorted(notes)), VOICE if sung else PIANO)


def _mark_keys(
    chords: Sequence[ChordSegment], keys: Sequence[tuple[float, Key]]
) -> Iterator[ChordSegment]:
    """Yield chords whose labels are prefixed with the index of the key in force."""
    starts_s = [start_s for start_s, _ in keys[1:]]
    for chord in chords:
        inside = [t for t in starts_s if chord.start_s < t < chord.end_s]
        for start_s, stop_s in pairwise([chord.start_s, *inside, chord.end_s]):
            yield replace(
                chord,
                start_s=start_s,
                end_s=stop_s,
                label=f"{bisect_right(starts_s, start_s)} {chord.label}",
            )


def take_keys(score: Score, keys: Sequence[Key]) -> Score:
    """Convert the indices of keys in front of chord labels to a key and its changes."""
    lines = [int(bar.start_beats) for bar in score.bars() if bar.number > 0]
    chords: list[ScoreChord] = []
    in_force: dict[int, Key] = {}
    for chord in score.chords:
        number, label = chord.label.split(" ", 1)
        line = min(lines, key=lambda start: abs(start - chord.start_beats)) if in_force else 0
        if keys[int(number)] not in [*in_force.values()][-1:]:
            in_force[line] = keys[int(number)]
        if not chords or chords[-1].label != label:
            chords.append(replace(chord, label=label))
    return replace(
        score,
        key=in_force.pop(0, keys[0]),
        key_changes=tuple(KeyChange(line, key) for line, key in in_force.items()),
        chords=tuple(chords),
    )

"""Performed piano pieces and their scores: ASAP.

ASAP (Foscarin et al., ISMIR 2020) pairs performances as MIDI with scores as MusicXML, and annotates
beats, downbeats, metre and key in the performances. The data folder has 116 pieces in
``scores_dev.zip``; of each piece, the first performance by name is used.

The true notes are those of ``score.musicxml`` with repeats, da capo and dal segno played out. Its
length then agrees with that of ``midi_score.mid`` to a quarter or two in every piece; the notes
differ where ornaments or tremolos are written. (Part of the file of Schumann's Kreisleriana 1 has
bars of wrong lengths.) Repeats that a performance leaves out are left out of the truth too
(:func:`play_as_performed`).

The pieces of each composer, sorted by name, alternate between :data:`TUNING`, on which constants
may be chosen, and :data:`REPORTED`, on which figures are reported.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from dataclasses import dataclass
from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import Final, Literal

import mido
import numpy as np
from numpy.typing import NDArray

from tests.bench.written import MusicXml, WrittenScore, parse_musicxml

Split = Literal["tuning", "reported", "all"]
TUNING: Final[Split] = "tuning"
REPORTED: Final[Split] = "reported"

_SCORE = "score.musicxml"
_MAX_REPEATS_TRIED = 6
_LEAST_GAIN = 0.05
_BEAT_LABELS = ("b", "db", "bR")


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece and one performance of it.

    Attributes
    ----------
    name : str
        Its folder in the archive, such as ``Bach/Fugue/bwv_846``.
    performance : bytes
        A standard MIDI file; its tempo map is unrelated to the music.
    truth : WrittenScore
        The score with the repeats that are played.
    beats_s, downbeats_s : np.ndarray, shape (B,)
        Times in the performance; downbeats are beats too.
    """

    name: str
    performance: bytes
    truth: WrittenScore
    beats_s: NDArray[np.float64]
    downbeats_s: NDArray[np.float64]


def list_pieces(archive: Path, split: Split = "all") -> list[str]:
    """Return the names of the pieces of a split, in order."""
    with zipfile.ZipFile(archive) as files:
        names = sorted(n.removesuffix(f"/{_SCORE}") for n in files.namelist() if n.endswith(_SCORE))
    if split == "all":
        return names
    by_composer: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        by_composer[name.split("/")[0]].append(name)
    first = 0 if split == TUNING else 1
    # composers alternate in which split comes first, so that single pieces go to both
    return sorted(
        name
        for turn, pieces in enumerate(by_composer.values())
        for name in pieces[(first + turn) % 2 :: 2]
    )


def load_piece(archive: Path, name: str) -> Piece:
    """Read a piece.

    Raises
    ------
    KeyError
        If the archive has no such piece.
    """
    with zipfile.ZipFile(archive) as files:
        score = parse_musicxml(files.read(f"{name}/{_SCORE}"))
        performance = min(
            entry
            for entry in files.namelist()
            if entry.rpartition("/")[0] == name
            and entry.endswith(".mid")
            and not entry.endswith("midi_score.mid")
        )
        annotations = files.read(performance.removesuffix(".mid") + "_annotations.txt").decode()
        rows = [line.split("\t") for line in annotations.splitlines() if line.strip()]
        labels = [(float(row[0]), row[2].split(",")[0]) for row in rows]
        return Piece(
            name=name,
            performance=(data := files.read(performance)),
            truth=play_as_performed(score, data),
            beats_s=np.array([time for time, label in labels if label in _BEAT_LABELS]),
            downbeats_s=np.array([time for time, label in labels if label == "db"]),
        )


def play_as_performed(score: MusicXml, performance: bytes) -> WrittenScore:
    """Return the score without the repeats that a performance leaves out.

    Of all choices of repeats, the one whose counts of pitches are nearest to the performance's is
    taken, if it is nearer than the full score by more than a twentieth of the notes.
    """
    counts = np.bincount(_performed_pitches(performance), minlength=128)

    def difference(played: WrittenScore) -> int:
        return int(np.abs(np.bincount(played.notes.pitches, minlength=128) - counts).sum())

    complete = score.play()
    repeats = score.repeats[-_MAX_REPEATS_TRIED:]
    variants = [
        score.play(skipped)
        for count in range(1, len(repeats) + 1)
        for skipped in combinations(repeats, count)
    ]
    best = min(variants, key=difference, default=complete)
    gain = difference(complete) - difference(best)
    return best if gain > _LEAST_GAIN * len(complete.notes) else complete


def _performed_pitches(performance: bytes) -> list[int]:
    midi = mido.MidiFile(file=BytesIO(performance))
    return [m.note for track in midi.tracks for m in track if m.type == "note_on" and m.velocity]

"""Music with chords and one key, from three corpora, each a style of its own.

- POP909: chords and key are labels; songs with a single key, without those that figures are
  reported or constants chosen on.
- OpenEWLD: lead sheets with a single signature that end on the tonic chord of its major or relative
  minor key, which is then the key.
- OpenScore Lieder: the chords of their Roman numeral analyses; songs that end on the tonic of their
  most frequent local key. Modulations stay in. A measure lasts two seconds.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.harmony.chord_prior import QUALITIES, read_chords
from inference_service.music.events import ChordSegment, Mode
from inference_service.music.pitch import pitch_class
from model_zoo.training.continuation.lieder import list_lieder, name_numeral, parse_analysis
from model_zoo.training.sources.openewld import read_leadsheet
from model_zoo.training.sources.pop909 import count_songs, read_song
from model_zoo.training.sources.scores import parse_score, read_archive
from model_zoo.training.sources.splits import assign_song

STYLES: Final = ("pop", "lead sheets", "lieder")
MEASURE_S: Final = 2.0
FEWEST_CHORDS: Final = 4

_MINOR_TONIC: Final = 9
"""Semitones from the tonic of a major key up to that of its relative."""


@dataclass(frozen=True, slots=True)
class HarmonisedPiece:
    """A piece in one key.

    Attributes
    ----------
    style : int
        Index in :data:`STYLES`.
    tonic : int
        Pitch class.
    mode : {"major", "minor"}
    chords : tuple of ChordSegment
    notes : np.ndarray, shape (N, 3), float64
        Onset and offset in seconds, and pitch; none for Lieder.
    """

    style: int
    tonic: int
    mode: Mode
    chords: tuple[ChordSegment, ...]
    notes: NDArray[np.float64]


def read_pieces(symbolic: Path) -> Iterator[HarmonisedPiece]:
    """Read all pieces of the archives in a folder that have enough chords."""
    for pieces in (
        _read_songs(symbolic / "pop909.zip"),
        _read_leadsheets(symbolic / "openewld.zip"),
        _read_lieder(symbolic / "openscore_lieder.zip"),
    ):
        yield from (piece for piece in pieces if len(read_chords(piece.chords)) >= FEWEST_CHORDS)


def _read_songs(archive: Path) -> Iterator[HarmonisedPiece]:
    with zipfile.ZipFile(archive) as files:
        for number in range(1, count_songs(archive) + 1):
            rows = files.read(f"{number:03d}/key_audio.txt").decode().splitlines()
            keys = {row.split()[2] for row in rows if row.strip()}
            if len(keys) != 1 or assign_song(number) == "held out":
                continue
            tonic, _, mode = keys.pop().partition(":")
            song = read_song(archive, number)
            notes = np.concatenate([line.notes[:, :3] for line in song.lines])
            yield HarmonisedPiece(
                STYLES.index("pop"),
                pitch_class(tonic),
                "minor" if mode.startswith("min") else "major",
                song.chords,
                notes,
            )


def _read_leadsheets(archive: Path) -> Iterator[HarmonisedPiece]:
    for name, text in read_archive(archive):
        try:
            piece, score = read_leadsheet(name, text), parse_score(name, text)
        except ValueError:  # such as a sheet without notes
            continue
        signatures = set(score.bar_fifths.tolist())
        chords = read_chords(piece.chords)
        if len(signatures) != 1 or not chords:
            continue
        major = 7 * signatures.pop() % 12
        last = chords[-1]
        tonics: dict[tuple[int, str], Mode] = {
            (major, "major"): "major",
            (major, "dominant"): "major",
            ((major + _MINOR_TONIC) % 12, "minor"): "minor",
        }
        mode = tonics.get((last.root, QUALITIES[last.quality]))
        if mode is not None:
            notes = np.concatenate([line.notes[:, :3] for line in piece.lines])
            style = STYLES.index("lead sheets")
            yield HarmonisedPiece(style, last.root, mode, piece.chords, notes)


def _read_lieder(archive: Path) -> Iterator[HarmonisedPiece]:
    with zipfile.ZipFile(archive) as files:
        for _, analysis in list_lieder(archive):
            piece = read_analysis(files.read(analysis).decode())
            if piece is not None:
                yield piece


def read_analysis(text: str) -> HarmonisedPiece | None:
    """Read a song's analysis in RomanText; None if the song does not end in its key."""
    numerals = parse_analysis(text)
    if not numerals:
        return None
    starts_s = [
        MEASURE_S * (n.measure + (n.beat - 1) / (n.signature[0] if n.signature else 4))
        for n in numerals
    ]
    labels = [name_numeral(n.figure, n.tonic, n.mode) for n in numerals]
    chords = tuple(
        ChordSegment(start_s, end_s, label)
        for (start_s, end_s), label in zip(
            pairwise([*starts_s, starts_s[-1] + MEASURE_S]), labels, strict=True
        )
        if label is not None and end_s > start_s
    )
    [((tonic, mode), _)] = Counter((n.tonic, n.mode) for n in numerals).most_common(1)
    sounding = read_chords(chords)
    if not sounding or sounding[-1].root != tonic:
        return None
    return HarmonisedPiece(STYLES.index("lieder"), tonic, mode, chords, np.zeros((0, 3)))

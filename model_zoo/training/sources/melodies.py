"""The melodies of scores, each with its key.

The melody of a score is the highest note at each onset of its first part that has one staff, or of
its first part. The lines of a score are the melodies of several staves: voices, single instruments,
and the top of a keyboard's music where it has mostly one note at a time.

The key is that of the last note where it is the tonic of the signature's major or minor key,
otherwise the one of the two whose tonic, fifth and, in minor, raised leading note sound longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_zoo.training.sources.scores import WrittenPiece, parse_score, read_archive

ARCHIVES: Final = ("openewld", "openscore_lieder", "open_hymnal")
MIN_NOTES: Final = 12
LONGEST_QUARTERS: Final = 4.0
"""In finding the key, longer notes count as this long."""

MIN_SINGLE: Final = 0.9
MIN_SINGLE_TOP: Final = 0.7
"""Least share of the onsets of a line, and of the first staff, with one note. Set by hand."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WrittenMelody:
    """N notes of a score, one at a time.

    Attributes
    ----------
    onset_q, duration_q : np.ndarray, shape (N,)
        In quarters; onsets ascend strictly, from the beginning of the score.
    pitch : np.ndarray of int, shape (N,)
        MIDI numbers.
    fifths : int
        The key signature that holds for most bars of the score.
    """

    onset_q: Floats
    duration_q: Floats
    pitch: NDArray[np.int64]
    fifths: int

    def take(self, count: int) -> WrittenMelody:
        """Return the first notes."""
        return WrittenMelody(
            self.onset_q[:count], self.duration_q[:count], self.pitch[:count], self.fifths
        )


def iterate_scores(folder: Path) -> Iterator[WrittenPiece]:
    """Parse the scores of the archives in a folder, which takes a few minutes."""
    for archive in ARCHIVES:
        for name, text in read_archive(folder / f"{archive}.zip"):
            try:
                yield parse_score(name, text)
            except ValueError:
                continue  # a score without notes


def find_melody(piece: WrittenPiece) -> WrittenMelody | None:
    """Return the melody of a score; None if it has fewer than :data:`MIN_NOTES` notes."""
    single = [part for part, staves in enumerate(piece.staves) if staves == 1]
    return _take_highest(piece, piece.part == (single[0] if single else 0))[0]


def find_lines(piece: WrittenPiece) -> list[WrittenMelody]:
    """Return the lines of a score, the first staff's before those of single staves.

    The lower staff of a keyboard and the lower of two parts are no lines.
    """
    lines = []
    single = [part for part, staves in enumerate(piece.staves) if staves == 1]
    if len(single) == len(piece.staves) < 3:
        single = single[:1]
    for part in dict.fromkeys([0, *single]):
        melody, share = _take_highest(piece, (piece.part == part) & (piece.staff == 1))
        if melody and share >= (MIN_SINGLE if part else MIN_SINGLE_TOP):
            lines.append(melody)
    return lines


def _take_highest(
    piece: WrittenPiece, chosen: NDArray[np.bool_]
) -> tuple[WrittenMelody | None, float]:
    """Return the highest of the chosen notes, and the share of their onsets that have one note."""
    chosen = chosen & ~piece.grace
    onset_q, pitch = piece.onset_q[chosen], piece.pitch[chosen]
    order = np.lexsort((-pitch, onset_q))
    _, highest, counts = np.unique(
        np.round(onset_q[order], 4), return_index=True, return_counts=True
    )
    melody = order[highest]
    if len(melody) < MIN_NOTES:
        return None, 0.0
    fifths = int(np.bincount(piece.bar_fifths + 7).argmax()) - 7
    duration_q = piece.duration_q[chosen][melody]
    found = WrittenMelody(onset_q[melody], duration_q, pitch[melody], fifths)
    return found, float(np.mean(counts == 1))


def find_key(melody: WrittenMelody) -> tuple[int, int]:
    """Return the tonic's pitch class, and the mode: 0 for major, 1 for minor."""
    major = melody.fifths * 7 % 12
    minor = (major + 9) % 12
    last = melody.pitch[-1] % 12
    if last in (major, minor):
        return (major, 0) if last == major else (minor, 1)
    duration_q = np.minimum(melody.duration_q, LONGEST_QUARTERS)
    sounding = np.bincount(melody.pitch % 12, weights=duration_q, minlength=12)
    as_major = sounding[major] + sounding[(major + 7) % 12] / 2
    as_minor = sounding[minor] + sounding[(minor + 7) % 12] / 2 + sounding[(minor + 11) % 12]
    return (major, 0) if as_major >= as_minor else (minor, 1)

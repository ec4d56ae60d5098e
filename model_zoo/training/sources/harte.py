"""Builds chord labels in Harte's syntax from the notes of chords.

Harte et al., "Symbolic representation of musical chords", ISMIR 2005.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_ROOTS: Final = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_DEGREES: Final = ("1", "b2", "2", "b3", "3", "4", "b5", "5", "#5", "6", "b7", "7")
_ABOVE: Final = {13: "b9", 14: "9", 15: "#9", 17: "11", 18: "#11", 20: "b13", 21: "13"}
_SHORTHANDS: Final = {
    (4, 7): "maj", (3, 7): "min", (3, 6): "dim", (4, 8): "aug", (2, 7): "sus2", (5, 7): "sus4",
    (4, 7, 10): "7", (4, 7, 11): "maj7", (3, 7, 10): "min7", (3, 7, 11): "minmaj7",
    (3, 6, 10): "hdim7", (3, 6, 9): "dim7", (4, 7, 9): "maj6", (3, 7, 9): "min6",
    (4, 7, 10, 14): "9", (4, 7, 11, 14): "maj9", (3, 7, 10, 14): "min9",
}  # fmt: skip


def name_chord(root: int, tones: Iterable[int], bass: int = 0) -> str:
    """Return a chord's label.

    Parameters
    ----------
    root : int
        Pitch class.
    tones : iterable of int
        Semitones above the root, with or without the root itself.
    bass : int
        The lowest note, in semitones above the root.
    """
    intervals = tuple(sorted({tone for tone in tones if tone % 12}))
    quality = _SHORTHANDS.get(intervals)
    if quality is None:
        degrees = [_ABOVE.get(tone) or _DEGREES[tone % 12] for tone in intervals]
        quality = f"({','.join(['1', *degrees])})"
    inversion = f"/{_DEGREES[bass % 12]}" if bass % 12 else ""
    return f"{_ROOTS[root % 12]}:{quality}{inversion}"

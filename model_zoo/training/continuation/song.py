"""Songs to learn how music goes on from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from inference_service.music.score import Score, ScoreNote

LEAST_BARS: Final = 16
"""What is shorter is left out."""


@dataclass(frozen=True, slots=True)
class Song:
    """A song, written down.

    Attributes
    ----------
    name : str
        In its corpus.
    corpus : str
    score : Score
        With its chords, at beats, and its key with all changes, at bar lines. Its parts are what
        the corpus has; a melody's has the id ``melody``.
    melody : tuple of ScoreNote
        One note at a time, in halves, thirds and quarters of beats; empty where there is none.
    """

    name: str
    corpus: str
    score: Score
    melody: tuple[ScoreNote, ...]


def one_at_a_time(notes: Iterable[ScoreNote]) -> tuple[ScoreNote, ...]:
    """Return the upper ones of notes that begin together, each until the next at most."""
    line: list[ScoreNote] = []
    for note in sorted(notes, key=lambda n: (n.start_beats, n.pitch)):
        if note.duration_beats <= 0:
            continue
        if line:
            before = line.pop()
            gap = note.start_beats - before.start_beats
            if gap:
                line.append(replace(before, duration_beats=min(before.duration_beats, gap)))
        line.append(note)
    return tuple(line)

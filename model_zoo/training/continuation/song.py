"""The songs from which styles are learnt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from inference_service.music.score import Score, ScoreNote

LEAST_BARS: Final = 16
"""Shorter songs are left out."""


@dataclass(frozen=True, slots=True)
class Song:
    """A song as a score.

    Attributes
    ----------
    name : str
        Name in its corpus.
    corpus : str
    score : Score
        Chords change on beats, keys at bar lines. The part with the melody has the id ``melody``.
    melody : tuple of ScoreNote
        A single line, on halves, thirds and quarters of beats; empty if there is none.
    """

    name: str
    corpus: str
    score: Score
    melody: tuple[ScoreNote, ...]


def one_at_a_time(notes: Iterable[ScoreNote]) -> tuple[ScoreNote, ...]:
    """Return the highest of notes that begin together, each cut off where the next one begins."""
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

"""The use case: written music, and how it could go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from inference_service.continuation.options import ContinuationOptions
from inference_service.music.score import Score, ScoreNote
from inference_service.progress import Report, ignore


@dataclass(frozen=True, slots=True)
class Continuation:
    """One way in which the music goes on.

    Attributes
    ----------
    score : Score
        The last bars of the given music, moved to begin at 0 beats, and the new ones after them.
    join_beats : Fraction
        Where the new ones begin.
    degrees : tuple of str
        The new chords.
    terms : mapping of str to float
        What it is worth, by the terms of the fitness.
    """

    score: Score
    join_beats: Fraction
    degrees: tuple[str, ...]
    terms: Mapping[str, float]


def continue_music(
    score: Score,
    melody: Sequence[ScoreNote],
    options: ContinuationOptions,
    report: Report = ignore,
) -> list[Continuation]:
    """Return the best continuation, then alternatives.

    Parameters
    ----------
    score : Score
        All that is given.
    melody : sequence of ScoreNote
        Its melody, in which no two notes overlap; empty for an accompaniment alone.
    options : ContinuationOptions
    report : Report
        Told of every generation; raises to stop.

    Raises
    ------
    NothingToContinue
        If the music says too little: fewer than :data:`MIN_NOTES` notes with a pitch.
    """
    raise NotImplementedError

"""The use case: written music, and how it could go on.

Analysis; a search for the harmony of the new bars, then one for their melody over it, each by a
grammar whose probabilities are the style's and the piece's own; the texture of the given
accompaniment under the new chords; and all of it joined to the last given bars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from inference_service.continuation.analysis import Analysis, analyse
from inference_service.continuation.chords import estimate_chords
from inference_service.continuation.grammar import start_at
from inference_service.continuation.harmony import write_harmony
from inference_service.continuation.joining import join_score
from inference_service.continuation.options import ContinuationOptions, Style
from inference_service.continuation.parser import Parser
from inference_service.continuation.search import search
from inference_service.continuation.styles import LEARNT, Language, load_language
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
        The new bars' chords, as words of the grammar of harmony.
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
        If the music says too little.
    """
    score = replace(score, chords=estimate_chords(score))
    analysis = analyse(score, melody)
    language = choose_language(analysis, options.style)
    return [
        Continuation(
            *join_score(
                score, melody, analysis, found.slots, found.melody, options.context_measures
            ),
            found.words,
            found.terms,
        )
        for found in search(analysis, language, options, report)
    ]


def choose_language(analysis: Analysis, style: Style) -> Language:
    """Return the style that was asked for, or that under which the chords are likeliest."""
    if style is not Style.AUTO:
        return load_language(style)
    words = write_harmony(analysis.slots)

    def measure(language: Language) -> float:
        known = language.harmony.probabilities
        reading = Parser(known.within(start_at(known.grammar, ["rest"]))).read(words)
        return sum(reading.surprise_bits)

    return min((load_language(style) for style in LEARNT), key=measure)

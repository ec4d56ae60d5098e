"""Compose a continuation of written music.

The steps are: analyse the given music; search for the harmony of the new bars; search for a melody
over it; accompany it in the texture of the given music; join the result to the last given bars.
Both searches use a grammar with the probabilities of the style, adapted to the piece.
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
    """A continuation.

    Attributes
    ----------
    score : Score
        The last given bars, moved to begin at 0 beats, followed by the new bars.
    join_beats : Fraction
        Position at which the new bars begin.
    degrees : tuple of str
        Chords of the new bars, as words of the harmony grammar.
    terms : mapping of str to float
        Terms of its fitness.
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
    """Return the best continuation, followed by alternatives.

    Parameters
    ----------
    score : Score
        The given music.
    melody : sequence of ScoreNote
        Its melody, without overlapping notes; empty for a mere accompaniment.
    options : ContinuationOptions
    report : Report
        Called after every generation; may raise to cancel.

    Raises
    ------
    NothingToContinue
        If the music is too short, or in a metre without rules.
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
    """Return the requested style; for ``AUTO``, the one that makes the chords most probable."""
    if style is not Style.AUTO:
        return load_language(style)
    words = write_harmony(analysis.slots)

    def measure(language: Language) -> float:
        known = language.harmony.probabilities
        reading = Parser(known.within(start_at(known.grammar, ["rest"]))).read(words)
        return sum(reading.surprise_bits)

    return min((load_language(style) for style in LEARNT), key=measure)

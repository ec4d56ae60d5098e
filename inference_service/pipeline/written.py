"""Write a corrected performance with the pitches that a page shows."""

from __future__ import annotations

from inference_service.music.events import Transcription
from inference_service.music.intonation import write_as_sung
from inference_service.notation.quantize import WrittenPerformance, write_performance
from inference_service.pipeline.correct import Corrected
from inference_service.pipeline.options import Pitches


def choose_pitches(transcription: Transcription, pitches: Pitches) -> Transcription:
    """Return a transcription, whose pitches are those that were meant, with the pitches to show."""
    return write_as_sung(transcription) if pitches is Pitches.SUNG else transcription


def write_corrected(corrected: Corrected, pitches: Pitches, title: str) -> WrittenPerformance:
    """Return how a performance is written, with the edits of its notes and chords.

    Raises
    ------
    ScoreUnreadable
        If it would have too many measures.
    InvalidCorrections
        If it does not have the bars of a range.
    """
    performed = choose_pitches(corrected.performance, pitches)
    return write_performance(performed, title, corrected.chord_step_beats, corrected.beat_scale)

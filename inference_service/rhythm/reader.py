"""The rhythm stage: performed notes to beats, and notes on beats to written places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from inference_service.music.events import NoteEvent, Rhythm, Transcription
from inference_service.rhythm.bar_network import BarReader
from inference_service.rhythm.placement import place_notes
from inference_service.rhythm.score_beats import estimate_rhythm
from inference_service.rhythm.score_reader import ScoreReader


class NoteRhythmReader:
    """Reads rhythm with a :class:`ScoreReader`, and bars with a :class:`BarReader`.

    Parameters
    ----------
    weights, bar_weights : Path
        The networks' safetensors files.
    """

    def __init__(self, weights: Path, bar_weights: Path) -> None:
        self._reader = ScoreReader(weights)
        self._bar_reader = BarReader(bar_weights)

    def estimate(self, notes: Sequence[NoteEvent]) -> Rhythm | None:
        """Return the rhythm of notes, sorted; None where they make fewer than two attacks."""
        if len(notes) < 2:
            return None
        return estimate_rhythm(notes, self._reader.read(notes), self._bar_reader)

    def place(self, transcription: Transcription) -> Transcription:
        """Return the transcription with each pitched note placed on its beats."""
        placements, swing = place_notes(transcription, self._reader)
        return replace(transcription, placements=placements, swing=swing)

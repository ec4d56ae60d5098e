"""The use case: a performance that is known as notes, made ready to be written down.

A MIDI file's beats say something only where the notes follow them: a recorded performance lies
anyhow on a grid of 120 beats a minute that nobody played to. So its own beats are kept where most
notes begin on even or triplet divisions of them, and read from the notes otherwise; a file that
names no bars (a metre of one beat) gets the bars that are read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from inference_service.music.events import Transcription
from inference_service.music.metre import align, parse_time_signature
from inference_service.pipeline.options import RhythmSource
from inference_service.pipeline.stages import KeyEstimator, RhythmReader

GRID_SHARE: Final = 0.6
"""At chance a quarter of the notes are near a division."""

_NEAR_BEATS: Final = 0.02
_DIVISIONS: Final = (4, 3)


def read_performance(
    performance: Transcription, source: RhythmSource, rhythm: RhythmReader, key: KeyEstimator
) -> Transcription:
    """Return the performance with beats, key and placements."""
    notes = sorted(n for part in performance.parts if not part.is_drum for n in part.notes)
    if source is RhythmSource.NOTES or (
        source is RhythmSource.AUTO and not (follows_beats(performance) and _has_bars(performance))
    ):
        found = rhythm.estimate(notes)
        if found is not None:
            performance = replace(
                performance,
                beats=found.beats,
                tempo_bpm=found.tempo_bpm,
                time_signature=found.time_signature,
                key=key.estimate(notes, performance.chords),
            )
    return rhythm.place(performance)


def follows_beats(performance: Transcription) -> bool:
    """Whether most notes begin on divisions of the beats; true without notes."""
    grid = align(performance).grid
    places = [grid.to_beats(n.onset_s) for part in performance.parts for n in part.notes]
    near = sum(
        any(abs(place * d - round(place * d)) <= _NEAR_BEATS * d for d in _DIVISIONS)
        for place in places
    )
    return near >= GRID_SHARE * len(places)


def _has_bars(performance: Transcription) -> bool:
    return parse_time_signature(performance.time_signature).beats > 1

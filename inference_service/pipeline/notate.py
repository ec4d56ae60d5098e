"""The use case: prepare performed notes, such as those of a MIDI file, for notation.

The beats of a MIDI file are meaningful only if the notes follow them: in a recorded performance,
the notes are unrelated to the default tempo of 120 beats a minute. The file's beats are therefore
kept if most notes begin on even or triplet divisions of them. Otherwise, or if the file has no bars
(a metre of one beat), beats and bars are estimated from the notes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from inference_service.music.alternatives import combine
from inference_service.music.events import Transcription
from inference_service.music.metre import align, parse_time_signature
from inference_service.pipeline.options import RhythmSource
from inference_service.pipeline.stages import KeyEstimator, RhythmReader

GRID_SHARE: Final = 0.6
"""The file's beats are kept if this share of notes is near a division; by chance, 25 % are."""

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
        keys = key.estimate(notes, performance.chords)
        found = rhythm.estimate(notes, keys[0].key, performance.chords)
        if found is not None:
            performance = replace(
                performance,
                beats=found.beats,
                tempo_bpm=found.tempo_bpm,
                time_signature=found.time_signature,
                key=keys[0].key,
                alternatives=combine(found.readings, keys),
                slips=found.slips,
            )
    return rhythm.place(performance)


def follows_beats(performance: Transcription) -> bool:
    """Whether most notes begin on divisions of the beats; true if there are no notes."""
    grid = align(performance).grid
    places = [grid.to_beats(n.onset_s) for part in performance.parts for n in part.notes]
    near = sum(
        any(abs(place * d - round(place * d)) <= _NEAR_BEATS * d for d in _DIVISIONS)
        for place in places
    )
    return near >= GRID_SHARE * len(places)


def _has_bars(performance: Transcription) -> bool:
    return parse_time_signature(performance.time_signature).beats > 1

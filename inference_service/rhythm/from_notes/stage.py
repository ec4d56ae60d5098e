"""The rhythm stage: estimates beats from performed notes, and places notes on given beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from inference_service.model_files import ModelFiles
from inference_service.music.events import (
    ChordSegment,
    Key,
    NoteEvent,
    Part,
    Rhythm,
    Transcription,
)
from inference_service.rhythm.from_notes.bar_network import BarReader
from inference_service.rhythm.from_notes.beats import BarReaders, estimate_rhythm
from inference_service.rhythm.from_notes.melody_bars import MelodyBarReader
from inference_service.rhythm.from_notes.placement import place_notes
from inference_service.rhythm.from_notes.score_reader import Reading, ScoreReader
from inference_service.rhythm.from_notes.second_opinion import SketchEar
from inference_service.rhythm.from_sound.neural_beats import NeuralBeatEstimator, load_estimator
from inference_service.settings import ModelSettings


class NoteRhythmReader:
    """Reads rhythm with a :class:`ScoreReader`, and bars with :class:`BarReaders`.

    Parameters
    ----------
    weights, bar_weights, melody_weights : Path
        The networks' safetensors files.
    beats : NeuralBeatEstimator
        Gives a second opinion.
    """

    def __init__(
        self, weights: Path, bar_weights: Path, melody_weights: Path, beats: NeuralBeatEstimator
    ) -> None:
        # Repeated placement of a part, in other views, needs one reading.
        self._read_once = lru_cache(maxsize=1)(ScoreReader(weights).read)
        self._bar_readers = BarReaders(
            MelodyBarReader(melody_weights), BarReader(bar_weights), SketchEar(beats)
        )
        # numba compiles the searches on their first call: do that now, not within a request.
        notes = tuple(NoteEvent(0.5 * index, 0.5 * index + 0.4, 60) for index in range(4))
        chords = tuple(replace(note, pitch=pitch) for note in notes for pitch in (60, 64))
        key = Key("C", "major")
        self.estimate(chords, key)
        self.estimate(notes, key)
        parts = (Part("piano", "Piano", notes),)
        self.place(Transcription(2.0, 0.0, 120.0, "4/4", key, parts, (), ()))

    def read(self, notes: Sequence[NoteEvent], quarter_s: float | None = None) -> Reading:
        """Return predictions for one or more notes, sorted; the latest result is cached.

        Parameters
        ----------
        notes : sequence of NoteEvent
        quarter_s : float, optional
            The usual length of a quarter.
        """
        return self._read_once(tuple(notes), quarter_s)

    def estimate(
        self, notes: Sequence[NoteEvent], key: Key, chords: Sequence[ChordSegment] = ()
    ) -> Rhythm | None:
        """Return the rhythm of sorted notes in a key; None for fewer than two attacks."""
        if len(notes) < 2:
            return None
        return estimate_rhythm(notes, self.read(notes), key, self._bar_readers, chords)

    def place(self, transcription: Transcription) -> Transcription:
        """Return the transcription with placements for all pitched notes."""
        placements, swing = place_notes(transcription, self)
        return replace(transcription, placements=placements, swing=swing)


def load_reader(
    weights: Path,
    bar_weights: Path,
    melody_weights: Path,
    beat_weights: Path,
    beat_readings: Path,
    device: str = "cpu",
) -> NoteRhythmReader:
    """Build a reader from the files of its networks; the last two are those of notabot-beats.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If one of them holds something else.
    """
    beats = load_estimator(beat_weights, beat_readings, device)
    return NoteRhythmReader(weights, bar_weights, melody_weights, beats)


def build(entry: ModelFiles, settings: ModelSettings) -> NoteRhythmReader:
    """Build the reader, as the manifest declares it."""
    return load_reader(*entry.paths(settings.weights), device=settings.device_name)

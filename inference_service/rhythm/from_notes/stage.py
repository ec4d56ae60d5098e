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
from inference_service.rhythm.from_notes.second_opinion import Ear, SketchEar
from inference_service.rhythm.from_sound.neural_beats import load_estimator
from inference_service.settings import ModelSettings


class NoteRhythmReader:
    """Reads rhythm with a :class:`ScoreReader`, and bars with :class:`BarReaders`.

    Parameters
    ----------
    weights, bar_weights, melody_weights : Path
        The networks' safetensors files.
    ear : Ear
    """

    def __init__(self, weights: Path, bar_weights: Path, melody_weights: Path, *, ear: Ear) -> None:
        # Repeated placement of a part, in other views, needs one reading.
        self._read_once = lru_cache(maxsize=1)(ScoreReader(weights).read)
        self._bar_readers = BarReaders(MelodyBarReader(melody_weights), BarReader(bar_weights), ear)
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


def load_reader(paths: Sequence[Path], device: str = "cpu") -> NoteRhythmReader:
    """Build a reader from files in the order of the manifest.

    Parameters
    ----------
    paths : sequence of Path
        Of the networks for scores, bars and melodies, then of the network and the readings of
        :mod:`~inference_service.rhythm.from_sound.neural_beats`.
    device : str
        Of the network that hears beats.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If one of them holds something else.
    """
    score, bars, melody, beats, readings = paths
    return NoteRhythmReader(
        score, bars, melody, ear=SketchEar(load_estimator(beats, readings, device))
    )


def build(entry: ModelFiles, settings: ModelSettings) -> NoteRhythmReader:
    """Build the reader, as the manifest declares it."""
    return load_reader(entry.paths(settings.weights), settings.device_name)

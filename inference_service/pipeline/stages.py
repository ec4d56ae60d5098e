"""The stages of the pipeline as Protocols.

Implementations depend neither on the pipeline nor on each other; ``assembly`` puts them together.
Every method may raise ``Cancelled`` through its ``report``, and accepts any finite waveform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from inference_service.music.events import (
    ChordSegment,
    Key,
    KeyEstimate,
    NoteEvent,
    Part,
    Rhythm,
    Transcription,
)
from inference_service.pipeline.options import Preset
from inference_service.progress import Report

if TYPE_CHECKING:  # the service answers its first health check before numpy is imported
    from inference_service.audio.waveform import Waveform


class Task(StrEnum):
    """Tasks of the pipeline, each done by a replaceable model; administrators use these names."""

    DENOISING = "denoising"
    SEPARATION = "separation"
    VOICE = "voice"
    PITCH = "pitch"
    PIANO = "piano"
    SONG = "song"
    CHORDS = "chords"
    PROGRESSION = "progression"
    BEATS = "beats"
    RHYTHM = "rhythm"
    KEY = "key"


class Denoiser(Protocol):
    """Removes noise from a recording of a single voice or instrument."""

    def clean(self, waveform: Waveform) -> Waveform:
        """Return a waveform of the same shape and rate."""
        ...


class Separator(Protocol):
    """Splits a mixture into stems."""

    def separate(self, mixture: Waveform, report: Report) -> dict[str, Waveform]:
        """Return stems by name, each with the mixture's length, rate and channel count.

        ``"vocals"`` is always among them; the others ("drums", "bass", "other", "accompaniment",
        ...) together with it sum to the mixture within the separator's own accuracy.
        """
        ...


class Tagger(Protocol):
    """Finds the notes of one stem."""

    def tag(self, waveform: Waveform, tuning_cents: float, report: Report) -> list[NoteEvent]:
        """Return the notes, sorted; ``tuning_cents`` is the recording's deviation from A440."""
        ...


class EnsembleTagger(Protocol):
    """Finds the notes of several instruments and assigns them to parts."""

    def tag_parts(
        self, stems: Mapping[str, Waveform], tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return the parts that have notes, from one or more simultaneous stems.

        A part of singers has the id ``"voice"``.
        """
        ...

    def tag_players(
        self, waveform: Waveform, tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return a part for each player of instruments without singers, drums included."""
        ...


class PitchDecoder(Protocol):
    """Decides which pitches a singer meant."""

    def decode(self, notes: Sequence[NoteEvent], key: Key | None) -> list[NoteEvent]:
        """Return the notes of one voice, sorted, with the pitches to write.

        Times, and the pitches that were heard, stay as they are. Without a ``key`` it is decided
        together with the pitches.
        """
        ...


class ChordEstimator(Protocol):
    """Estimates the chords: those that are shown, or those that are evidence for key and bars."""

    def estimate(self, waveform: Waveform, report: Report) -> list[ChordSegment]:
        """Return adjoining segments that cover the waveform, labels in Harte syntax."""
        ...


class BeatEstimator(Protocol):
    """Estimates beats, downbeats, metre and tempo."""

    def estimate(
        self,
        waveform: Waveform,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        report: Report,
    ) -> Rhythm:
        """Return a rhythm that covers the waveform; a steady one if there is no audible beat."""
        ...


class RhythmReader(Protocol):
    """Estimates rhythm and notated positions from performed notes."""

    def estimate(
        self, notes: Sequence[NoteEvent], key: Key, chords: Sequence[ChordSegment] = ()
    ) -> Rhythm | None:
        """Return the rhythm of sorted notes; None if there are too few of them.

        Chords help to find the bars, if they are known.
        """
        ...

    def place(self, transcription: Transcription) -> Transcription:
        """Return the transcription with placements for its notes, or unchanged."""
        ...


class KeyEstimator(Protocol):
    """Estimates the key."""

    def estimate(
        self,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        waveform: Waveform | None = None,
    ) -> list[KeyEstimate]:
        """Return one or more keys, the likeliest first.

        ``waveform`` is None where there is no recording; then, C major without notes and chords.
        """
        ...


class Router(Protocol):
    """Recognises the kind of a recording."""

    @property
    def taggers(self) -> Mapping[str, Tagger]:
        """The models that it listens with, by name; they are checked before it serves."""
        ...

    def classify(
        self, waveform: Waveform, separator: Separator, report: Report
    ) -> Mapping[Preset, float]:
        """Return the probability of each preset, at least of the likeliest; never ``AUTO``.

        The separator is for recordings in which it is doubtful whether a voice sings.
        """
        ...


Component = (
    Denoiser
    | Separator
    | Tagger
    | EnsembleTagger
    | PitchDecoder
    | ChordEstimator
    | BeatEstimator
    | RhythmReader
    | KeyEstimator
)
"""A stage of any task."""


@dataclass(frozen=True, slots=True)
class StageSet:
    """The stages that a request uses, fixed when it begins.

    ``models`` maps each :class:`Task` to ``name@version``.
    """

    denoising: Denoiser
    separation: Separator
    voice: Tagger
    pitch: PitchDecoder
    piano: Tagger
    song: EnsembleTagger
    chords: ChordEstimator
    progression: ChordEstimator
    beats: BeatEstimator
    rhythm: RhythmReader
    key: KeyEstimator
    router: Router
    models: Mapping[str, str]

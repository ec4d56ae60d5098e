"""What the pipeline needs of its parts, as Protocols.

The parts themselves know neither the pipeline nor each other; ``assembly`` puts them together.
Every method may raise ``Cancelled`` through its ``report``, and works on any finite waveform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from inference_service.music.events import ChordSegment, Key, NoteEvent, Part, Rhythm, Transcription
from inference_service.pipeline.options import Preset
from inference_service.progress import Report

if TYPE_CHECKING:  # the service answers its first health check before numpy is imported
    from inference_service.audio.waveform import Waveform


class Task(StrEnum):
    """The exchangeable parts of the pipeline; the names administrators use."""

    DENOISING = "denoising"
    SEPARATION = "separation"
    VOICE = "voice"
    PIANO = "piano"
    SONG = "song"
    CHORDS = "chords"
    BEATS = "beats"
    RHYTHM = "rhythm"
    KEY = "key"


class Denoiser(Protocol):
    """Takes noise from what somebody recorded alone."""

    def clean(self, waveform: Waveform) -> Waveform:
        """Return a recording of the same shape and rate."""
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
    """Finds who plays what in music for several instruments."""

    def tag_parts(
        self, stems: Mapping[str, Waveform], tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return the parts that have notes, from one stem or more that sound together.

        Singers' part has the id ``"voice"``.
        """
        ...


class ChordEstimator(Protocol):
    """Names the chords."""

    def estimate(self, waveform: Waveform, report: Report) -> list[ChordSegment]:
        """Return adjoining segments that cover the waveform, labels in Harte syntax."""
        ...


class BeatEstimator(Protocol):
    """Finds beats, downbeats, metre and tempo."""

    def estimate(
        self,
        waveform: Waveform,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        report: Report,
    ) -> Rhythm:
        """Return a rhythm that covers the waveform; a steady one where no beat is to be heard."""
        ...


class RhythmReader(Protocol):
    """Reads written rhythm from performed notes."""

    def estimate(self, notes: Sequence[NoteEvent]) -> Rhythm | None:
        """Return the rhythm of notes, sorted; None where they are too few to have one."""
        ...

    def place(self, transcription: Transcription) -> Transcription:
        """Return the transcription with its notes placed on its beats; as it is for no opinion."""
        ...


class KeyEstimator(Protocol):
    """Finds the key."""

    def estimate(self, notes: Sequence[NoteEvent], chords: Sequence[ChordSegment]) -> Key:
        """Return the key of the whole; C major where there is nothing to go by."""
        ...


class Router(Protocol):
    """Tells what kind of recording it is."""

    def classify(self, waveform: Waveform, report: Report) -> Preset:
        """Return the preset that hears the recording best; never ``AUTO``."""
        ...


Component = (
    Denoiser
    | Separator
    | Tagger
    | EnsembleTagger
    | ChordEstimator
    | BeatEstimator
    | RhythmReader
    | KeyEstimator
)
"""Any exchangeable part."""


@dataclass(frozen=True, slots=True)
class StageSet:
    """The models that one request runs on, fixed when it begins.

    ``models`` maps each :class:`Task` to ``name@version``.
    """

    denoising: Denoiser
    separation: Separator
    voice: Tagger
    piano: Tagger
    song: EnsembleTagger
    chords: ChordEstimator
    beats: BeatEstimator
    rhythm: RhythmReader
    key: KeyEstimator
    router: Router
    models: Mapping[str, str]

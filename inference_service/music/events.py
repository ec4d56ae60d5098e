"""What the service hears, as immutable values.

Conventions: times in seconds from the first decoded sample; ``pitch`` is a MIDI number (60 is
middle C, 69 is A4 = 440 Hz); ``velocity`` is MIDI's 1-127; ``program`` is General MIDI, 0-based.
Chord labels follow Harte et al., "Symbolic representation of musical chords" (ISMIR 2005).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from inference_service.music.placement import Placements

SCHEMA = "notabot.transcription/1"

NO_CHORD = "N"

Mode = Literal["major", "minor"]


@dataclass(frozen=True, slots=True, order=True)
class NoteEvent:
    """One sounding note, as performed.

    ``pitch_cents`` is how far, in cents, the heard pitch lies from ``pitch`` at A440, where a
    tagger measures it: singers slide and drift. It takes no part in comparisons.
    """

    onset_s: float
    offset_s: float
    pitch: int
    velocity: int = 80
    pitch_cents: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Part:
    """The notes of one instrument, sorted by onset, then pitch.

    Drum parts name the sounds by General MIDI percussion keys in ``pitch``.
    """

    id: str
    name: str
    notes: tuple[NoteEvent, ...]
    program: int | None = None
    is_drum: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Beat:
    """A beat; ``position`` counts within the bar from 1, the downbeat."""

    time_s: float
    position: int


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Beats with their places in the bar, and the tempo and metre they amount to."""

    beats: tuple[Beat, ...]
    tempo_bpm: float
    time_signature: str


@dataclass(frozen=True, slots=True, order=True)
class ChordSegment:
    """A chord from ``start_s`` to ``end_s``; ``label`` in Harte syntax, ``NO_CHORD`` for none."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, slots=True)
class Key:
    """A key: a tonic such as ``"F#"`` or ``"Bb"``, and a mode."""

    tonic: str
    mode: Mode


@dataclass(frozen=True, slots=True)
class Transcription:
    """The canonical result of one request; ``result.json`` is this, field by field.

    ``tempo_bpm`` and ``time_signature`` describe the whole; ``beats`` carry the tempo's course.
    ``placements`` say how the notes are to be written, part by part and note by note, where that
    was read from the performance; with ``swing``, even eighths stand for long and short ones.
    ``models`` maps a task to ``name@version``; ``timings_s`` a
    stage to the seconds it took.
    """

    duration_s: float
    tuning_cents: float
    tempo_bpm: float
    time_signature: str
    key: Key
    parts: tuple[Part, ...]
    beats: tuple[Beat, ...]
    chords: tuple[ChordSegment, ...]
    placements: Placements = ()
    swing: bool = False
    models: Mapping[str, str] = field(default_factory=dict)
    timings_s: Mapping[str, float] = field(default_factory=dict)
    preset: str = "auto"
    schema: str = SCHEMA

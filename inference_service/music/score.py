"""Written music as values: what quantisation makes, and MIDI and MusicXML are written from.

Positions and durations are exact, in beats (``fractions.Fraction``), from the start of the first
full bar; a pickup has negative positions. A beat is a quarter note, or what the lower number of
the time signature says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from inference_service.music.events import Key
from inference_service.music.pitch import transpose_chord_label, transpose_key


@dataclass(frozen=True, slots=True, order=True)
class ScoreNote:
    """A written note. ``staff`` is 1, or 2 for the lower staff of a two-staff part."""

    start_beats: Fraction
    duration_beats: Fraction
    pitch: int
    velocity: int = 80
    staff: int = 1


@dataclass(frozen=True, slots=True)
class ScorePart:
    """The written notes of one instrument, sorted."""

    id: str
    name: str
    notes: tuple[ScoreNote, ...]
    program: int | None = None
    is_drum: bool = False
    staves: int = 1


@dataclass(frozen=True, slots=True, order=True)
class ScoreChord:
    """A chord symbol, in Harte syntax, that holds until the next."""

    start_beats: Fraction
    label: str


@dataclass(frozen=True, slots=True)
class Score:
    """A written piece. ``pickup_beats`` is the length of the incomplete bar before bar 1."""

    title: str
    tempo_bpm: float
    time_signature: str
    key: Key
    parts: tuple[ScorePart, ...]
    chords: tuple[ScoreChord, ...]
    pickup_beats: Fraction = Fraction(0)

    @property
    def bar_beats(self) -> int:
        """Beats in a bar."""
        return int(self.time_signature.split("/")[0])


def transpose_score(score: Score, semitones: int) -> Score:
    """Move everything pitched by semitones; notes that leave MIDI's range fold back by octaves."""
    if semitones == 0:
        return score
    key = transpose_key(score.key, semitones)
    return replace(
        score,
        key=key,
        parts=tuple(part if part.is_drum else _transpose(part, semitones) for part in score.parts),
        chords=tuple(
            replace(c, label=transpose_chord_label(c.label, semitones, key)) for c in score.chords
        ),
    )


def _transpose(part: ScorePart, semitones: int) -> ScorePart:
    return replace(
        part,
        notes=tuple(replace(n, pitch=fold_pitch(n.pitch + semitones)) for n in part.notes),
    )


def fold_pitch(pitch: int) -> int:
    """Bring a pitch into MIDI's 0-127 by octaves."""
    while pitch > 127:
        pitch -= 12
    while pitch < 0:
        pitch += 12
    return pitch

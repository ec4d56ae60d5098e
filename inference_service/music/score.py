"""Written music as immutable values: made by quantisation, and the source of MIDI and MusicXML.

Positions and durations are exact fractions of beats. Position 0 is the start of the first full
bar; positions in a pickup are negative. A beat is the note value that the lower number of the time
signature names.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from fractions import Fraction

from inference_service.music.corrections import Clef
from inference_service.music.events import Key
from inference_service.music.metre import TimeSignature, parse_time_signature
from inference_service.music.pitch import transpose_chord_label, transpose_key


@dataclass(frozen=True, slots=True, order=True)
class ScoreNote:
    """A written note.

    Attributes
    ----------
    start_beats, duration_beats : Fraction
        Position and length. Grace notes have length 0.
    pitch, velocity : int
        As in MIDI.
    staff : int
        1, or 2 for the lower staff of a two-staff part.
    voice : int
        1, or 2 for the lower voice of a staff.
    grace : int
        0 for an ordinary note. Grace notes before the note at their ``start_beats`` are numbered
        from 1 in playing order; those with the same number are struck together.
    arpeggio : bool
        Whether the chord that begins here is rolled upward. One note of the chord is enough.
    settled : bool
        Whether the duration is final. Others are performed durations moved onto the grid, which
        the notation may still tidy.
    given : bool
        Whether a reader has set the duration. It is written as it is, and ends early only where the
        next note of the voice begins.
    inflection : int
        1 or -1 if a reader wants the note, which is foreign to its key, written as a raised or a
        lowered degree; 0 if its spelling is left to the notation.
    id : str
        That of the performed note; empty for notes that nobody performed. Ignored in comparisons.
    """

    start_beats: Fraction
    duration_beats: Fraction
    pitch: int
    velocity: int = 80
    staff: int = 1
    voice: int = 1
    grace: int = 0
    arpeggio: bool = False
    settled: bool = False
    given: bool = False
    inflection: int = 0
    id: str = field(default="", compare=False)

    @property
    def stop_beats(self) -> Fraction:
        """Where the note ends."""
        return self.start_beats + self.duration_beats


@dataclass(frozen=True, slots=True)
class ScorePart:
    """The written notes of one instrument, sorted; on one staff if its ``clef`` is given.

    ``middle_pitch`` is that by which the clef of one staff is chosen, if not the notes' median.
    """

    id: str
    name: str
    notes: tuple[ScoreNote, ...]
    program: int | None = None
    is_drum: bool = False
    staves: int = 1
    clef: Clef | None = None
    middle_pitch: float | None = None


@dataclass(frozen=True, slots=True, order=True)
class ScoreChord:
    """A chord symbol in Harte syntax, in force until the next."""

    start_beats: Fraction
    label: str


@dataclass(frozen=True, slots=True, order=True)
class TimeChange:
    """A change of time signature at a bar line; the lower number stays that of the score."""

    start_beats: int
    beats: int


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A change of key at a bar line."""

    start_beats: int
    key: Key


@dataclass(frozen=True, slots=True, order=True)
class ScoreMark:
    """A rehearsal mark over a bar line, which becomes a double bar line."""

    start_beats: Fraction
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: its number (0 for a pickup), position, length and time signature."""

    number: int
    start_beats: Fraction
    length_beats: Fraction
    signature: TimeSignature

    @property
    def stop_beats(self) -> Fraction:
        """Position of the bar line at its end."""
        return self.start_beats + self.length_beats


@dataclass(frozen=True, slots=True)
class Score:
    """A written piece.

    Attributes
    ----------
    title : str
    tempo_bpm : float
        Beats per minute.
    time_signature : str
        Time signature at the start.
    key : Key
        Key at the start.
    parts : tuple of ScorePart
    chords : tuple of ScoreChord
    pickup_beats : Fraction
        Length of the incomplete bar before bar 1.
    time_changes : tuple of TimeChange
        Later changes of time signature, in order.
    key_changes : tuple of KeyChange
        Later changes of key, in order.
    swing : bool
        Whether the written even halves of a beat are played as two thirds and one third.
    marks : tuple of ScoreMark
    is_key_given : bool
        Whether the keys are known, so that notation finds no changes of its own.
    first_number : int
        Number of the first full bar, more than 1 in an excerpt.
    origin_beats : Fraction
        Where position 0 is among the beats of the performance that was written. Ignored in
        comparisons.
    """

    title: str
    tempo_bpm: float
    time_signature: str
    key: Key
    parts: tuple[ScorePart, ...]
    chords: tuple[ScoreChord, ...]
    pickup_beats: Fraction = Fraction(0)
    time_changes: tuple[TimeChange, ...] = ()
    key_changes: tuple[KeyChange, ...] = ()
    swing: bool = False
    marks: tuple[ScoreMark, ...] = ()
    is_key_given: bool = False
    first_number: int = 1
    origin_beats: Fraction = field(default=Fraction(0), compare=False)

    def key_at(self, position_beats: Fraction) -> Key:
        """The key in force at a position."""
        index = bisect_right(self.key_changes, position_beats, key=_start_of)
        return self.key_changes[index - 1].key if index else self.key

    @property
    def signature(self) -> TimeSignature:
        """The time signature at the start."""
        return parse_time_signature(self.time_signature)

    @property
    def pulse_bpm(self) -> float:
        """Pulses a minute: beats, or threes of them in compound metres."""
        return self.tempo_bpm / self.signature.pulse_beats

    @property
    def stop_beats(self) -> Fraction:
        """Where the last note ends."""
        return max((n.stop_beats for part in self.parts for n in part.notes), default=Fraction(0))

    def bars(self) -> list[Bar]:
        """Return the bars from the pickup through the last note; at least one full bar."""
        bars = []
        signature = self.signature
        if self.pickup_beats:
            bars.append(Bar(0, -self.pickup_beats, self.pickup_beats, signature))
        changes = {change.start_beats: change.beats for change in self.time_changes}
        stop_beats = self.stop_beats
        start, number = 0, self.first_number
        while start < stop_beats or number == self.first_number:
            signature = replace(signature, beats=changes.get(start, signature.beats))
            bars.append(Bar(number, Fraction(start), Fraction(signature.beats), signature))
            start += signature.beats
            number += 1
        return bars


def _start_of(change: KeyChange) -> Fraction:
    return Fraction(change.start_beats)


def transpose_score(score: Score, semitones: int) -> Score:
    """Transpose all pitched parts, chords and keys.

    Notes that would leave MIDI's range are moved back into it by octaves.
    """
    if semitones == 0:
        return score
    moved = replace(
        score,
        key=transpose_key(score.key, semitones),
        key_changes=tuple(
            KeyChange(c.start_beats, transpose_key(c.key, semitones)) for c in score.key_changes
        ),
    )
    return replace(
        moved,
        parts=tuple(part if part.is_drum else _transpose(part, semitones) for part in score.parts),
        chords=tuple(
            replace(c, label=transpose_chord_label(c.label, semitones, moved.key_at(c.start_beats)))
            for c in score.chords
        ),
    )


def _transpose(part: ScorePart, semitones: int) -> ScorePart:
    middle = part.middle_pitch
    return replace(
        part,
        notes=tuple(replace(n, pitch=fold_pitch(n.pitch + semitones)) for n in part.notes),
        middle_pitch=None if middle is None else middle + semitones,
    )


def fold_pitch(pitch: int) -> int:
    """Move a pitch by octaves into MIDI's range, 0-127."""
    while pitch > 127:
        pitch -= 12
    while pitch < 0:
        pitch += 12
    return pitch

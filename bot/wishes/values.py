"""Wishes about a page, as plain values.

Relative wishes, such as a shift or a change of tempo, refer to the page that is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.client.types import Mode, Pitches, View

NoteValue = Literal["quarter", "eighth", "sixteenth"]
Unit = Literal["beat", "half beat", "quarter", "eighth"]
ClefName = Literal["treble", "treble_8vb", "alto", "tenor", "bass", "bass_8vb"]


@dataclass(frozen=True, slots=True)
class Metre:
    """The time signature is this one."""

    time_signature: str


@dataclass(frozen=True, slots=True)
class Rescale:
    """Written values become ``factor`` times as long, and the tempo as fast."""

    factor: float


@dataclass(frozen=True, slots=True)
class Tempo:
    """The tempo is this one, in beats per minute."""

    bpm: float


@dataclass(frozen=True, slots=True)
class ShiftBars:
    """Bar 1 begins ``count`` units later; earlier if negative."""

    count: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class ShiftFrom:
    """All bars from a bar of the page on begin later by some units; earlier if negative."""

    bar: int
    count: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class KeyIs:
    """The key of what is shown is this one. The mode, or the tonic, may be left open."""

    tonic: str | None = None
    mode: Mode | None = None


@dataclass(frozen=True, slots=True)
class FinestIs:
    """No value is shorter than this one."""

    value: NoteValue


@dataclass(frozen=True, slots=True)
class TripletsAre:
    """Whether triplets may be written."""

    allowed: bool


@dataclass(frozen=True, slots=True)
class FeelIs:
    """Whether eighths are swung."""

    swung: bool


@dataclass(frozen=True, slots=True)
class PitchesAre:
    """Which pitches are written for singers."""

    pitches: Pitches


@dataclass(frozen=True, slots=True)
class Transpose:
    """Transpose what is shown by this interval."""

    semitones: int


@dataclass(frozen=True, slots=True)
class TransposeTo:
    """Transpose what is shown to this key, the shorter way. The mode may be left open."""

    tonic: str
    mode: Mode | None = None


@dataclass(frozen=True, slots=True)
class Untransposed:
    """Back to the key of the recording."""


@dataclass(frozen=True, slots=True)
class PlayedBy:
    """The part of an instrument, a program of General MIDI from 0, or else of its family."""

    program: int


@dataclass(frozen=True, slots=True)
class Numbered:
    """The part with a number, counted from the top of the page, from 1."""

    number: int


PartName = str | PlayedBy | Numbered
"""What a part is called by; a string is its id in the service."""


@dataclass(frozen=True, slots=True)
class PartIs:
    """A part, or the other parts where ``others``, is left out or put back."""

    part: PartName
    left_out: bool
    others: bool = False


@dataclass(frozen=True, slots=True)
class ClefIs:
    """The clef of a part; of the first one if it is not named."""

    clef: ClefName
    part: PartName | None = None


@dataclass(frozen=True, slots=True)
class InstrumentIs:
    """The instrument of a part, a program of General MIDI from 0; of the first if not named."""

    program: int
    part: PartName | None = None


@dataclass(frozen=True, slots=True)
class BarsAre:
    """Only these bars, both included; without ``last``, to the end."""

    first: int
    last: int | None


@dataclass(frozen=True, slots=True)
class LastBars:
    """Only this many bars, at the end."""

    count: int


@dataclass(frozen=True, slots=True)
class AllBars:
    """All bars again."""


@dataclass(frozen=True, slots=True)
class ViewIs:
    """Another view."""

    view: View


@dataclass(frozen=True, slots=True)
class ChordsAre:
    """Chords simplified, or in full."""

    simple: bool


@dataclass(frozen=True, slots=True)
class Files:
    """Send the files."""


@dataclass(frozen=True, slots=True)
class Undo:
    """Take the last correction back."""


@dataclass(frozen=True, slots=True)
class AsHeard:
    """Take all corrections back."""


Wish = (
    Metre
    | Rescale
    | Tempo
    | ShiftBars
    | ShiftFrom
    | KeyIs
    | FinestIs
    | TripletsAre
    | FeelIs
    | PitchesAre
    | Transpose
    | TransposeTo
    | Untransposed
    | PartIs
    | ClefIs
    | InstrumentIs
    | BarsAre
    | LastBars
    | AllBars
    | ViewIs
    | ChordsAre
    | Files
    | Undo
    | AsHeard
)

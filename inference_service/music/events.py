"""The transcription of a recording as immutable values: notes, beats, chords and key.

Times are in seconds from the first decoded sample. ``pitch`` is a MIDI number (60 is middle C, 69
is A4 = 440 Hz), ``velocity`` is MIDI's 1-127, ``program`` is General MIDI's, 0-based.
Chord labels follow Harte et al., "Symbolic representation of musical chords" (ISMIR 2005).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from inference_service.music.corrections import Corrections
from inference_service.music.keys import Key as Key
from inference_service.music.keys import Mode as Mode
from inference_service.music.placement import Placements

SCHEMA = "notabot.transcription/1"

NO_CHORD = "N"


@dataclass(frozen=True, slots=True, order=True)
class NoteEvent:
    """A note as performed.

    Attributes
    ----------
    onset_s, offset_s : float
        Start and end.
    pitch : int
        MIDI number.
    velocity : int
        1 to 127.
    pitch_cents : float
        Deviation of the sounding pitch from ``pitch`` at A440, in cents, as singers slide and
        drift. 0 where the tagger does not measure it. Ignored in comparisons.
    id : str
        Name of the note through all corrections and views; empty until :func:`name_notes` gives
        it. Ignored in comparisons, and not part of ``result.json``.
    """

    onset_s: float
    offset_s: float
    pitch: int
    velocity: int = 80
    pitch_cents: float = field(default=0.0, compare=False)
    id: Annotated[str, Field(exclude=True)] = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Part:
    """The notes of one instrument, sorted by onset, then pitch.

    In a drum part, ``pitch`` is a General MIDI percussion key.
    """

    id: str
    name: str
    notes: tuple[NoteEvent, ...]
    program: int | None = None
    is_drum: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Beat:
    """A beat; ``position`` is its number within the bar, 1 for the downbeat."""

    time_s: float
    position: int


@dataclass(frozen=True, slots=True)
class RhythmReading:
    """One way to write a piece in bars, compared with the beats that were chosen.

    Attributes
    ----------
    time_signature : str
    beat_scale : float
        Factor of the written values: 2 writes quarters as halves.
    first_beat : float
        Where the first full bar begins: a number of a chosen beat, from 1, or between two of them.
    probability : float
        From 0 to 1.
    """

    time_signature: str
    beat_scale: float
    first_beat: float
    probability: float


@dataclass(frozen=True, slots=True)
class Slip:
    """Bar lines that may have slipped from one of them on.

    Attributes
    ----------
    from_beat : float
        Number of the beat at which the first of them is, from 1, or a place between two.
    beats : float
        By how many beats they would come later; negative if earlier.
    weight : float
        How worth while it is to ask about, from 0 to 1: the larger, the likelier, and the more of
        the piece depends on it.
    """

    from_beat: float
    beats: float
    weight: float


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Beats with their positions in the bar, and the overall tempo and metre.

    ``readings`` are the ways to write it that were compared, the chosen one first; empty if none
    were. ``slips`` are where bar lines may have slipped in it, the weightiest first.
    """

    beats: tuple[Beat, ...]
    tempo_bpm: float
    time_signature: str
    readings: tuple[RhythmReading, ...] = ()
    slips: tuple[Slip, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class ChordSegment:
    """A chord from ``start_s`` to ``end_s``.

    ``label`` is in Harte syntax; ``NO_CHORD`` means that no chord sounds. ``text`` is the chord's
    name as the pages write it, ``"E7/G♯"``: empty for no chord, and until notation has decided in
    which key the chord stands.
    """

    start_s: float
    end_s: float
    label: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class KeyEstimate:
    """A key and its probability, from 0 to 1."""

    key: Key
    probability: float


@dataclass(frozen=True, slots=True)
class Alternative:
    """A reading of a piece's rhythm and key; ``probability`` is that of both together.

    The other fields are those of :class:`RhythmReading`.
    """

    time_signature: str
    beat_scale: float
    first_beat: float
    key: Key
    probability: float


@dataclass(frozen=True, slots=True)
class Transcription:
    """The canonical result of a request. ``result.json`` has the same fields.

    Attributes
    ----------
    duration_s : float
        Length of the recording.
    tuning_cents : float
        Tuning of the recording relative to A440.
    tempo_bpm : float
        Overall tempo. ``beats`` carry its variations.
    time_signature : str
        Overall metre, such as ``"4/4"``.
    key : Key
    parts : tuple of Part
    beats : tuple of Beat
    chords : tuple of ChordSegment
    placements : Placements
        How each note is to be written, parallel to ``parts``; empty where no model inferred it.
    swing : bool
        Whether even eighths are to be played long and short.
    alternatives : tuple of Alternative
        The written reading, then others, the likeliest first; empty if none were compared.
    slips : tuple of Slip
        Where bar lines may have slipped, the weightiest first.
    corrections : Corrections
        What a reader has put right. All other fields are as heard.
    models : mapping of str to str
        Task to ``name@version``.
    timings_s : mapping of str to float
        Stage to its running time in seconds.
    preset : str
    presets : mapping of str to float
        Probability of each preset, where the service chose it.
    stray_parts : tuple of str
        Names of parts that had so few notes that they are likely false.
    schema : str
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
    alternatives: tuple[Alternative, ...] = ()
    slips: tuple[Slip, ...] = ()
    corrections: Corrections = field(default_factory=Corrections)
    models: Mapping[str, str] = field(default_factory=dict)
    timings_s: Mapping[str, float] = field(default_factory=dict)
    preset: str = "auto"
    presets: Mapping[str, float] = field(default_factory=dict)
    stray_parts: tuple[str, ...] = ()
    schema: str = SCHEMA


def name_notes(transcription: Transcription) -> Transcription:
    """Return an uncorrected transcription with the ids of its notes: ``"PART:INDEX"``.

    They are the id of the part, and the note's place, from 0, among its notes sorted by onset,
    then pitch.
    """
    parts = tuple(
        replace(
            part,
            notes=tuple(
                replace(note, id=f"{part.id}:{index}")
                for index, note in enumerate(sorted(part.notes))
            ),
        )
        for part in transcription.parts
    )
    return replace(transcription, parts=parts)

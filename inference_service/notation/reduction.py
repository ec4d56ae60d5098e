"""Reduce any number of parts to what one pianist can play.

The melody is the top of the right hand, and the bass the bottom of the left. Of the other notes,
each hand takes those within its span, one per pitch class, the louder first. Unisons and octaves of
the melody are dropped, as are the repetitions with which pads and strummed chords fill the beat.
Harmony above the melody is moved below it by octaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from inference_service.music.score import ScoreNote
from inference_service.notation.hands import part_hands

SPAN_SEMITONES: Final = 14
"""Span of a hand: a major ninth, which most adults reach."""

RIGHT_HAND_NOTES: Final = 4
LEFT_HAND_NOTES: Final = 3

_REPEAT_BEATS: Final = Fraction(1, 2)
_LOWEST_BASS: Final = 33
_TIGHT_PITCH: Final = 48
"""Below this pitch, close chords sound muddy, so no note is less than a fifth above the bass."""


def reduce_to_piano(melody: Sequence[ScoreNote], others: Iterable[ScoreNote]) -> list[ScoreNote]:
    """Return a playable reduction, with ``staff`` 1 for the right hand and 2 for the left.

    Parameters
    ----------
    melody : sequence of ScoreNote
        The top line, without overlaps. All of it is kept.
    others : iterable of ScoreNote
        All other pitched notes.

    Returns
    -------
    list of ScoreNote
        Sorted. The notes that a hand strikes and still holds lie within ``SPAN_SEMITONES`` and
        number at most ``RIGHT_HAND_NOTES`` or ``LEFT_HAND_NOTES``.
    """
    top = [n for n in melody if not n.grace]
    graces = [replace(n, staff=1) for n in melody if n.grace]
    rest = _part(top, [n for n in others if not n.grace])
    right, left = _Hand(RIGHT_HAND_NOTES), _Hand(LEFT_HAND_NOTES)
    attacks: dict[Fraction, tuple[list[ScoreNote], list[ScoreNote]]] = {}
    for note in top:
        attacks.setdefault(note.start_beats, ([], []))[0].append(note)
    for note in rest:
        attacks.setdefault(note.start_beats, ([], []))[1].append(note)
    sung: ScoreNote | None = None
    for start in sorted(attacks):
        tunes, harmony = attacks[start]
        if tunes:
            sung = max(tunes, key=lambda n: n.pitch)
        elif sung is not None and sung.stop_beats <= start:
            sung = None
        left.strike(start, _left_chord(harmony, sung))
        right.strike(start, _right_chord(harmony, sung, start), is_tune=bool(tunes))
    notes = [replace(n, staff=1) for n in right.notes] + [replace(n, staff=2) for n in left.notes]
    return sorted([*notes, *graces])


def _part(melody: Sequence[ScoreNote], others: Sequence[ScoreNote]) -> list[ScoreNote]:
    """Divide the other notes between the hands, dropping those that double the melody.

    The melody takes part in the division.
    """
    own = {(n.start_beats, n.pitch) for n in melody}
    parted = part_hands([*melody, *(n for n in others if (n.start_beats, n.pitch) not in own)])
    return [n for n in parted if (n.start_beats, n.pitch) not in own]


@dataclass
class _Hand:
    """Collects the notes of a hand, shortening those that it cannot keep holding."""

    most: int

    def __post_init__(self) -> None:
        self.notes: list[ScoreNote] = []
        self._held: list[int] = []
        self._last: list[int] = []

    def strike(self, start: Fraction, chord: Sequence[ScoreNote], *, is_tune: bool = False) -> None:
        """Add a chord, unless it merely repeats the previous one and has no melody note."""
        if not chord:
            return
        if not is_tune and self._is_repetition(start, chord):
            self._prolong(chord)
            return
        pitches = [n.pitch for n in chord]
        held = [i for i in self._held if self.notes[i].stop_beats > start]
        self._held = []
        for i in sorted(held, key=lambda i: -self.notes[i].pitch):
            note = self.notes[i]
            around = [*pitches, note.pitch]
            fits = max(around) - min(around) <= SPAN_SEMITONES
            if fits and note.pitch not in pitches and len(pitches) < self.most:
                pitches.append(note.pitch)
                self._held.append(i)
            else:
                self.notes[i] = replace(note, duration_beats=start - note.start_beats)
        self._last = list(range(len(self.notes), len(self.notes) + len(chord)))
        self._held += self._last
        self.notes += chord

    def _is_repetition(self, start: Fraction, chord: Sequence[ScoreNote]) -> bool:
        """Whether an off-beat chord is contained in the one struck up to half a beat earlier."""
        last = [self.notes[i] for i in self._last]
        if not last or start % _REPEAT_BEATS == 0 or start - last[0].start_beats > _REPEAT_BEATS:
            return False
        return {n.pitch for n in chord} <= {n.pitch for n in last}

    def _prolong(self, chord: Sequence[ScoreNote]) -> None:
        """Prolong the last chord through its repetition."""
        stops = {n.pitch: n.stop_beats for n in chord}
        for i in self._last:
            note = self.notes[i]
            stop = max(stops.get(note.pitch, note.stop_beats), note.stop_beats)
            self.notes[i] = replace(note, duration_beats=stop - note.start_beats)


def _left_chord(harmony: Sequence[ScoreNote], sung: ScoreNote | None) -> list[ScoreNote]:
    """Return the bass, and the left hand's notes within reach above it."""
    mine = sorted((n for n in harmony if n.staff == 2), key=lambda n: n.pitch)
    if sung is not None:
        mine = [n for n in mine if n.pitch < sung.pitch]
    if not mine:
        return []
    bass = mine[0]
    while bass.pitch < _LOWEST_BASS:
        bass = replace(bass, pitch=bass.pitch + 12)
    floor = bass.pitch + (7 if bass.pitch < _TIGHT_PITCH else 1)
    above = [n for n in mine[1:] if floor <= n.pitch <= bass.pitch + SPAN_SEMITONES]
    return [bass, *_choose(above, {bass.pitch % 12}, LEFT_HAND_NOTES - 1)]


def _right_chord(
    harmony: Sequence[ScoreNote], sung: ScoreNote | None, start: Fraction
) -> list[ScoreNote]:
    """Return the melody, and the right hand's notes within reach below it."""
    mine = [n for n in harmony if n.staff == 1]
    if sung is None:
        top = max(mine, key=lambda n: n.pitch, default=None)
        if top is None:
            return []
        below = [n for n in mine if top.pitch - SPAN_SEMITONES <= n.pitch < top.pitch]
        return [top, *_choose(below, {top.pitch % 12}, RIGHT_HAND_NOTES - 1)]
    begins = [sung] if sung.start_beats == start else []
    below = []
    for note in mine:
        pitch = note.pitch
        while pitch >= sung.pitch:
            pitch -= 12
        if sung.pitch - pitch <= SPAN_SEMITONES and pitch >= _TIGHT_PITCH:
            below.append(replace(note, pitch=pitch))
    return begins + _choose(below, {sung.pitch % 12}, RIGHT_HAND_NOTES - 1)


def _choose(notes: Sequence[ScoreNote], taken: set[int], most: int) -> list[ScoreNote]:
    """Return at most ``most`` notes, each of a different pitch class, the louder first."""
    chosen: list[ScoreNote] = []
    for note in sorted(notes, key=_by_loudness):
        if note.pitch % 12 not in taken and len(chosen) < most:
            chosen.append(note)
            taken = taken | {note.pitch % 12}
    return chosen


def _by_loudness(note: ScoreNote) -> tuple[int, int]:
    return -note.velocity, -note.pitch

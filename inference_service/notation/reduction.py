"""Any number of parts as something that one pianist can play.

The melody is on top of the right hand, the bass at the bottom of the left; of the rest each hand
takes what lies within its span, the missing tones of the harmony first. Unisons and octaves of the
melody are dropped, and so are the repetitions with which pads and strummed chords fill the beat.
What lies out of reach comes nearer by octaves, where its tone is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from inference_service.music.score import ScoreNote
from inference_service.notation.hands import part_hands

SPAN_SEMITONES: Final = 14
"""A major ninth, which most adult hands reach."""

RIGHT_HAND_NOTES: Final = 4
LEFT_HAND_NOTES: Final = 3

_REPEAT_BEATS: Final = Fraction(1, 2)
_LOWEST_BASS: Final = 33
_TIGHT_PITCH: Final = 48
"""Below this, close chords are mud: nothing stands less than a fifth over the bass."""


def reduce_to_piano(melody: Sequence[ScoreNote], others: Iterable[ScoreNote]) -> list[ScoreNote]:
    """Return a playable reduction, with ``staff`` 1 for the right hand and 2 for the left.

    Parameters
    ----------
    melody : sequence of ScoreNote
        The line that stays on top, no two notes of it at once; kept whole.
    others : iterable of ScoreNote
        Everything else that is pitched.

    Returns
    -------
    list of ScoreNote
        Sorted. In each hand, what is struck together or still held lies within
        ``SPAN_SEMITONES``, and is at most ``RIGHT_HAND_NOTES`` and ``LEFT_HAND_NOTES`` many.
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
    """Give the others their hands, as if the melody were one of them; its doubles are left out."""
    own = {(n.start_beats, n.pitch) for n in melody}
    parted = part_hands([*melody, *(n for n in others if (n.start_beats, n.pitch) not in own)])
    return [n for n in parted if (n.start_beats, n.pitch) not in own]


@dataclass
class _Hand:
    """Collects what a hand plays, and lets go of what it cannot hold on to."""

    most: int

    def __post_init__(self) -> None:
        self.notes: list[ScoreNote] = []
        self._held: list[int] = []
        self._last: list[int] = []

    def strike(self, start: Fraction, chord: Sequence[ScoreNote], *, is_tune: bool = False) -> None:
        """Play a chord; unless it has the tune, not where it only repeats what was just struck."""
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
        """Whether a chord off the half beats is in the one struck within a half beat before."""
        last = [self.notes[i] for i in self._last]
        if not last or start % _REPEAT_BEATS == 0 or start - last[0].start_beats > _REPEAT_BEATS:
            return False
        return {n.pitch for n in chord} <= {n.pitch for n in last}

    def _prolong(self, chord: Sequence[ScoreNote]) -> None:
        """Let what was struck sound through its repetition."""
        stops = {n.pitch: n.stop_beats for n in chord}
        for i in self._last:
            note = self.notes[i]
            stop = max(stops.get(note.pitch, note.stop_beats), note.stop_beats)
            self.notes[i] = replace(note, duration_beats=stop - note.start_beats)


def _left_chord(harmony: Sequence[ScoreNote], sung: ScoreNote | None) -> list[ScoreNote]:
    """The bass, and of the left hand's notes what it reaches above it."""
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
    """The melody, and of the right hand's notes what it reaches below it."""
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
    """Return at most so many notes, each with a pitch class of its own, the louder first."""
    chosen: list[ScoreNote] = []
    for note in sorted(notes, key=_by_loudness):
        if note.pitch % 12 not in taken and len(chosen) < most:
            chosen.append(note)
            taken = taken | {note.pitch % 12}
    return chosen


def _by_loudness(note: ScoreNote) -> tuple[int, int]:
    return -note.velocity, -note.pitch

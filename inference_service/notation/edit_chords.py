"""Edit the chord symbols of a performance."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from inference_service.music.chord_names import read_chord
from inference_service.music.chords import parse_chord
from inference_service.music.clock import Clock
from inference_service.music.edits import DeleteChord, SetChord
from inference_service.music.events import NO_CHORD, ChordSegment
from inference_service.music.metre import TimeSignature
from inference_service.notation.edit_notes import NoEffectError

_STEP_QUARTERS: Final = Fraction(1, 2)
"""New symbols stand at multiples of this, or over notes."""


@dataclass(frozen=True, slots=True)
class PlacedChord:
    """A chord and where it is written, in beats of the performance."""

    place: Fraction
    segment: ChordSegment


class ChordEditor:
    """Makes edits to chord symbols, one after another.

    A symbol is in force until the next one, as on a lead sheet: chords that repeat the one before
    them are one with it.

    Parameters
    ----------
    chords : iterable of PlacedChord
        In order.
    signature : TimeSignature
    clock : Clock
        From beats of the performance to seconds of the recording.
    span : tuple of Fraction
        Where the first bar begins and the last one ends.
    duration_s : float
        Of the recording.
    """

    def __init__(
        self,
        chords: Iterable[PlacedChord],
        signature: TimeSignature,
        clock: Clock,
        span: tuple[Fraction, Fraction],
        duration_s: float,
    ) -> None:
        self._clock = clock
        self._step = _STEP_QUARTERS / signature.beat_quarters
        self._span = span
        self._duration_s = duration_s
        self._chords = _join(chords)

    @property
    def chords(self) -> list[PlacedChord]:
        """The chords as they are now, in order."""
        return list(self._chords)

    def label_at(self, place: Fraction) -> str:
        """Return the label of the chord in force."""
        index = bisect_right(self._chords, place, key=_place_of)
        return self._chords[index - 1].segment.label if index else NO_CHORD

    def set(self, wanted: SetChord, starts: Iterable[Fraction]) -> SetChord:
        """Write a symbol; return what is to be kept of the edit.

        Parameters
        ----------
        wanted : SetChord
        starts : iterable of Fraction
            Where notes begin.

        Raises
        ------
        NoEffectError
            If it can change nothing.
        """
        label = wanted.label or read_chord(wanted.text) or ""
        if label != NO_CHORD and parse_chord(label) is None:
            raise NoEffectError("this is no name of a chord")
        place = self._locate(wanted.time_s, starts)
        before = [chord for chord in self._chords if chord.place < place]
        here = [chord for chord in self._chords if chord.place == place]
        after = [chord for chord in self._chords if chord.place > place]
        in_force = before[-1].segment.label if before else NO_CHORD
        if label == (here[-1].segment.label if here else in_force):
            raise NoEffectError("this chord is in force there already")
        start_s = max(self._clock.to_seconds(float(place)), 0.0)
        replaced = here or before[-1:]
        if after:
            end_s = after[0].segment.start_s
        else:
            end_s = max([self._duration_s, *(chord.segment.end_s for chord in replaced)])
        if before:
            last = before[-1]
            cut = replace(last.segment, end_s=min(last.segment.end_s, start_s))
            before[-1] = PlacedChord(last.place, cut)
        segment = ChordSegment(start_s, max(end_s, start_s), label)
        self._chords = _join([*before, PlacedChord(place, segment), *after])
        return replace(wanted, text="", label=label)

    def delete(self, wanted: DeleteChord, starts: Iterable[Fraction]) -> None:
        """Leave a symbol out; the chord before it lasts on.

        Raises
        ------
        NoEffectError
            If there is none.
        """
        place = self._locate(wanted.time_s, starts)
        visible = [
            index
            for index, chord in enumerate(self._chords)
            if abs(chord.place - place) <= self._step and (index or chord.segment.label != NO_CHORD)
        ]
        if not visible:
            raise NoEffectError("no chord symbol is there")
        index = min(visible, key=lambda index: abs(self._chords[index].place - place))
        gone = self._chords.pop(index)
        if index:
            last = self._chords[index - 1]
            lasting = replace(last.segment, end_s=max(last.segment.end_s, gone.segment.end_s))
            self._chords[index - 1] = PlacedChord(last.place, lasting)
        self._chords = _join(self._chords)

    def _locate(self, time_s: float, starts: Iterable[Fraction]) -> Fraction:
        """Return the place of a symbol: over the nearest note, or on the nearest eighth."""
        heard = self._clock.to_position(time_s)
        candidates = [round(Fraction(heard) / self._step) * self._step, *starts]
        place = min(candidates, key=lambda place: abs(float(place) - heard))
        if not self._span[0] <= place < self._span[1]:
            raise NoEffectError("there is no bar at this time")
        return place


def _place_of(chord: PlacedChord) -> Fraction:
    return chord.place


def _join(chords: Iterable[PlacedChord]) -> list[PlacedChord]:
    """Join chords with those that they repeat; of several in one place, keep the last."""
    joined: list[PlacedChord] = []
    for chord in chords:
        if joined and joined[-1].place == chord.place:
            joined.pop()
        if joined and joined[-1].segment.label == chord.segment.label:
            last = joined[-1]
            end_s = max(last.segment.end_s, chord.segment.end_s)
            joined[-1] = PlacedChord(last.place, replace(last.segment, end_s=end_s))
        else:
            joined.append(chord)
    return joined

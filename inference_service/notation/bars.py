"""Write one voice of a staff as note values, bar by bar.

Chords are cut at bar lines and tied over them, silences become rests, and positions that are not
binary divisions of the beat become triplets. Three notes in the time of two beats are written as
one triplet of the beat's own value, not as tied eighth triplets (Gould, "Behind Bars", 2011,
ch. "Tuplets"). An accidental is shown where the key signature and the earlier notes of the bar do
not imply it, and is not repeated after a tie.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby, pairwise
from math import ceil, floor
from typing import Final

from inference_service.music.metre import TimeSignature
from inference_service.music.pitch import fifths_of
from inference_service.music.score import Bar, ScoreNote
from inference_service.notation.durations import NoteValue, split_span, triplet_beats
from inference_service.notation.spelling import PitchName

Speller = Callable[[Sequence[ScoreNote], Sequence[ScoreNote]], tuple[PitchName, ...]]
"""Function that spells the notes of a chord, given also the notes of the following chord."""

Accidental = tuple[Fraction, int, PitchName]
"""Position in the bar, grace note number (0 for ordinary notes) and pitch name."""

_PICKUP_DIVISIONS: Final = (1, 2, 4)
"""Divisions of a beat with which a pickup may begin."""

_FEWEST_COMPLETED: Final = 2
"""Number of the first bar that may complete a pickup."""

_WIDE: Final = 2
"""Length in beats of a triplet of beats."""


@dataclass(frozen=True, slots=True)
class Event:
    """A written chord, note or rest in a bar.

    Attributes
    ----------
    value : NoteValue
        Written value, positioned in beats from the start of a full bar.
    notes : tuple of ScoreNote
        Empty for a rest.
    names : tuple of PitchName
        Spelling of the notes; empty for drums.
    tie_type : str or None
        MusicXML's ``"start"`` or ``"stop"``, or music21's ``"continue"`` for both.
    triplet : int or None
        Beat on which the enclosing triplet begins; None outside triplets.
    grace : int
        Number of a grace note; 0 for others.
    """

    value: NoteValue
    notes: tuple[ScoreNote, ...]
    names: tuple[PitchName, ...] = ()
    tie_type: str | None = None
    triplet: int | None = None
    grace: int = 0

    @property
    def stop_beats(self) -> Fraction:
        """Position at which the value ends."""
        return self.value.start_beats + self.value.duration_beats


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a chord that lies in one bar.

    Attributes
    ----------
    start, stop : Fraction
        Beats from the start of a full bar.
    notes : tuple of ScoreNote
    names : tuple of PitchName
    is_continued : bool
        Whether the chord began in an earlier bar.
    is_cut : bool
        Whether the chord continues in the next bar.
    graces : tuple
        Grace chords before it, as pairs of notes and names.
    """

    start: Fraction
    stop: Fraction
    notes: tuple[ScoreNote, ...]
    names: tuple[PitchName, ...]
    is_continued: bool
    is_cut: bool
    graces: tuple[tuple[tuple[ScoreNote, ...], tuple[PitchName, ...]], ...] = ()


def missing_beats(bar: Bar) -> Fraction:
    """Number of beats that a pickup lacks at its start; 0 for other bars."""
    return bar.signature.beats - bar.length_beats if bar.number == 0 else Fraction(0)


def pickup_length(start_beats: Fraction) -> Fraction:
    """Return the length of a pickup whose first note is at a negative position.

    The pickup begins with this note, or with its beat if the note is within a triplet.
    """
    within = start_beats.denominator not in _PICKUP_DIVISIONS
    return Fraction(-floor(start_beats)) if within else -start_beats


def complete_pickup(bars: Sequence[Bar], stop_beats: Fraction) -> list[Bar]:
    """Return the bars, the last one shortened such that it completes the pickup.

    It stays whole if a note sounds until after that, up to ``stop_beats``, or if the metre has
    changed.
    """
    first, last = bars[0], bars[-1]
    length = last.length_beats - first.length_beats
    if (
        first.number > 0
        or last.number < _FEWEST_COMPLETED
        or first.signature != last.signature
        or not length > 0
        or stop_beats > last.start_beats + length
    ):
        return list(bars)
    return [*bars[:-1], replace(last, length_beats=length)]


def cut_at_bars(
    notes: Sequence[ScoreNote], bars: Sequence[Bar], spell: Speller
) -> list[list[Span]]:
    """Return the spans in each bar for the notes of one voice.

    Grace notes belong to the chord at their position, or else to the next one. Those after the last
    chord are dropped.
    """
    chords = _group([n for n in notes if not n.grace])
    graces = _lead(notes, [members[0].start_beats for members in chords])
    spans: list[list[Span]] = [[] for _ in bars]
    first_bar = 0
    for i, members in enumerate(chords):
        start = members[0].start_beats
        stop = max(n.stop_beats for n in members)
        following = chords[i + 1] if i + 1 < len(chords) else ()
        names = spell(members, following)
        led = [(small, spell(small, members)) for small in graces[i]]
        while bars[first_bar].stop_beats <= start:
            first_bar += 1
        index = first_bar
        while index < len(bars) and bars[index].start_beats < stop:
            bar = bars[index]
            origin = bar.start_beats - missing_beats(bar)
            spans[index].append(
                Span(
                    max(start, bar.start_beats) - origin,
                    min(stop, bar.stop_beats) - origin,
                    members,
                    names,
                    is_continued=start < bar.start_beats,
                    is_cut=stop > bar.stop_beats,
                    graces=() if start < bar.start_beats else tuple(led),
                )
            )
            index += 1
    return spans


def _group(notes: Iterable[ScoreNote]) -> list[tuple[ScoreNote, ...]]:
    return [tuple(group) for _, group in groupby(notes, lambda n: n.start_beats)]


def _lead(
    notes: Sequence[ScoreNote], starts: Sequence[Fraction]
) -> list[list[tuple[ScoreNote, ...]]]:
    """Return the grace chords before each start, in playing order."""
    led: list[list[tuple[ScoreNote, ...]]] = [[] for _ in starts]
    small = sorted((n for n in notes if n.grace), key=lambda n: (n.start_beats, n.grace, n.pitch))
    for (start, _), group in groupby(small, lambda n: (n.start_beats, n.grace)):
        index = bisect_left(starts, start)
        if index < len(starts):
            led[index].append(tuple(group))
    return led


def fill_bar(spans: Sequence[Span], bar: Bar, other: Sequence[Span] = ()) -> list[Event]:
    """Write one bar of a voice as consecutive events, with rests between them.

    Rests are split where those of another voice begin and end, so that :func:`leave_out_rests`
    drops only the parts during which the other voice sounds.
    """
    signature = bar.signature
    start = missing_beats(bar)
    stop = start + bar.length_beats
    if not spans:
        return [Event(NoteValue(start, stop - start, "whole", 0), ())]
    wide = _wide_triplets(spans, start, signature)
    triplets = triplet_beats(
        p for span in spans for p in (span.start, span.stop) if not _is_inside(p, wide)
    )
    events: list[Event] = []
    here = start
    edges = _find_silence_edges(other, start, stop)
    cuts = [edge for edge in edges if not _is_inside(edge, wide)]

    def write_rests(begin: Fraction, end: Fraction) -> None:
        for a, b in pairwise([begin, *(cut for cut in cuts if begin < cut < end), end]):
            events.extend(_write(a, b, signature, triplets, wide, is_rest=True))

    for span in spans:
        write_rests(here, span.start)
        events.extend(_write_graces(span, signature))
        values = list(_write(span.start, span.stop, signature, triplets, wide))
        for i, event in enumerate(values):
            tie_type = _TIES[span.is_continued or i > 0, span.is_cut or i + 1 < len(values)]
            events.append(replace(event, notes=span.notes, names=span.names, tie_type=tie_type))
        here = span.stop
    write_rests(here, stop)
    return events


def _find_silence_edges(spans: Sequence[Span], start: Fraction, stop: Fraction) -> list[Fraction]:
    """Return where a voice's silences of whole beats begin and end; none if it has no notes."""
    if not spans:
        return []
    silences = zip(
        (start, *(s.stop for s in spans)), (*(s.start for s in spans), stop), strict=True
    )
    whole = [(Fraction(ceil(a)), Fraction(floor(b))) for a, b in silences]
    return sorted({edge for a, b in whole if a < b for edge in (a, b)})


_TIES: Final = {
    (False, False): None,
    (False, True): "start",
    (True, True): "continue",
    (True, False): "stop",
}


def _write(
    start: Fraction,
    stop: Fraction,
    signature: TimeSignature,
    triplets: frozenset[int],
    wide: Sequence[int],
    *,
    is_rest: bool = False,
) -> list[Event]:
    """Write a span as events without notes, cut at the edges of wide triplets."""
    edges = [Fraction(e) for beat in wide for e in (beat, beat + _WIDE) if start < e < stop]
    cuts = sorted({start, *edges, stop})
    events: list[Event] = []
    for a, b in pairwise(cuts):
        beat = next((w for w in wide if w <= a < w + _WIDE), None)
        if beat is not None:
            events.append(Event(_wide_value(a, b, signature), (), triplet=beat))
            continue
        for value in split_span(a, b, signature, triplets, is_rest=is_rest):
            triplet = floor(value.start_beats) if value.is_triplet else None
            events.append(Event(value, (), triplet=triplet))
    return events


def _write_graces(span: Span, signature: TimeSignature) -> list[Event]:
    value = NoteValue(span.start, Fraction(0), "eighth" if len(span.graces) == 1 else "16th", 0)
    return [
        Event(value, notes, names, grace=number)
        for number, (notes, names) in enumerate(span.graces, start=1)
    ]


# Triplets of beats


def _wide_triplets(
    spans: Sequence[Span], start: Fraction, signature: TimeSignature
) -> tuple[int, ...]:
    """Return the beats on which a triplet over two beats begins."""
    if signature.is_compound:
        return ()
    places = {p for span in spans for p in (span.start, span.stop)}
    found: list[int] = []
    for beat in range(signature.beats - 1):
        hides_middle = signature.beats == 4 and beat == 1
        if beat < start or hides_middle or (found and beat < found[-1] + _WIDE):
            continue
        inside = {p - beat for p in places if beat < p < beat + _WIDE}
        if inside and inside <= {Fraction(2, 3), Fraction(4, 3)}:
            found.append(beat)
    return tuple(found)


def _is_inside(position: Fraction, wide: Sequence[int]) -> bool:
    return any(beat < position < beat + _WIDE for beat in wide)


def _wide_value(start: Fraction, stop: Fraction, signature: TimeSignature) -> NoteValue:
    """Write one or two thirds of a wide triplet as the value of one or two beats."""
    beats = (stop - start) * Fraction(3, 2)
    (plain,) = split_span(Fraction(0), beats, TimeSignature(4, signature.unit), frozenset())
    return NoteValue(start, stop - start, plain.type, plain.dots, is_triplet=True)


# Rests and accidentals


def leave_out_rests(line: Sequence[Event], other: Sequence[Span] | None = None) -> list[Event]:
    """Return a voice without the rests during which the other voice sounds.

    Without another voice given, all rests are dropped.
    """
    return [
        event
        for event in line
        if event.notes
        or event.value.is_triplet  # a triplet's bracket must be complete
        or (
            other is not None
            and not any(
                span.start < event.stop_beats and event.value.start_beats < span.stop
                for span in other
            )
        )
    ]


def shown_accidentals(lines: Iterable[Sequence[Event]], fifths: int) -> set[Accidental]:
    """Return the notes that need a visible accidental.

    Parameters
    ----------
    lines : iterable of sequences of Event
        The voices of a staff within one bar.
    fifths : int
        Sharps (positive) or flats (negative) of the key signature in force.
    """
    implied: dict[tuple[str, int], int] = {}
    shown = set()
    events = sorted(
        (e for line in lines for e in line), key=lambda e: (e.value.start_beats, not e.grace)
    )
    for event in events:
        for name in event.names:
            if event.tie_type in ("stop", "continue"):
                continue
            place = (name.step, name.octave)
            if implied.get(place, _signature_alter(name.step, fifths)) != name.alter:
                shown.add((event.value.start_beats, event.grace, name))
            implied[place] = name.alter
    return shown


def _signature_alter(step: str, fifths: int) -> int:
    """Alteration of a letter in a key signature: -1, 0 or 1."""
    place = fifths_of(step)
    return int(fifths > place + 1) - int(fifths < place - 5)

"""Conversion between bars of melody and words of the melody grammar.

Each note is described by the interval from the previous one, in chord tones or in scale steps of
the current chord. What the grammar cannot express is approximated: chromatic notes are moved to the
scale, and wide leaps are reduced by octaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final, NamedTuple

from inference_service.continuation.grammar import Grammar
from inference_service.continuation.harmony import BAR
from inference_service.continuation.scale import Harmony, Ladder
from inference_service.music.score import ScoreNote

TICKS: Final = 24
"""Ticks per beat, enough for 32nds and for triplet 16ths of a quarter note."""

METRES: Final = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12})
"""Numbers of beats per bar for which the grammar has rules."""

HOLD: Final = "hold"
REST: Final = "rest"
TONIC: Final = "tonic"
BACK: Final = {"back1": 1, "back2": 2, "back4": 4, "back8": 8}
MANNERS: Final = ("again", "higher", "lower", "inverted")
_FARTHEST: Final = 4
_ALIKE: Final = 0.75
"""Share of notes in which a bar must agree with a copy to be written as one. Set by hand."""

_LONG: Final = 2 * TICKS
_USUAL_PITCH: Final = 67


class Tone(NamedTuple):
    """A note of a melody, in ticks; it may extend over bar lines."""

    start: int
    duration: int
    pitch: int


class Segment(NamedTuple):
    """A segment of a bar, in ticks from the bar line.

    ``pitch`` is that of a note which begins here, ``HOLD`` if the previous note continues, or
    ``REST``.
    """

    start: int
    stop: int
    pitch: int | str


@dataclass(frozen=True, slots=True)
class MelodyBar:
    """A bar of melody.

    Attributes
    ----------
    beats : int
        Length of the bar.
    segments : tuple of Segment
        Consecutive segments that fill the bar.
    """

    beats: int
    segments: tuple[Segment, ...]

    @property
    def attacks(self) -> tuple[Segment, ...]:
        """The segments at which notes begin."""
        return tuple(segment for segment in self.segments if isinstance(segment.pitch, int))

    @property
    def repose(self) -> float:
        """Share of the bar from the onset of its last note on; 1 if no note begins in it."""
        return 1.0 - self.attacks[-1].start / (self.beats * TICKS) if self.attacks else 1.0


HarmonyAt = Callable[[int, int], Harmony]
"""Function from the number of a bar and a position in it, in ticks, to the chord there."""


@dataclass(slots=True)
class _Walk:
    """A position in a melody, that is, its last pitch."""

    pitch: int

    def go(self, move: str, harmony: Harmony, tonic: int) -> int:
        """Move as a word says, and return the new pitch."""
        if move == TONIC:
            self.pitch = Ladder((tonic,)).nearest(self.pitch)
        elif move == "c0":
            self.pitch = harmony.chord.nearest(self.pitch)
        elif move == "s0":
            self.pitch = harmony.scale.nearest(self.pitch)
        else:
            ladder = harmony.chord if move[0] == "c" else harmony.scale
            self.pitch = ladder.climb(self.pitch, int(move[1:]))
        self.pitch = min(max(self.pitch, 24), 108)
        return self.pitch

    def name(self, pitch: int, harmony: Harmony) -> str:
        """Move to a pitch, and return the word for that."""
        kind, ladder = ("c", harmony.chord) if pitch in harmony.chord else ("s", harmony.scale)
        pitch = ladder.nearest(pitch)
        if pitch == self.pitch or (kind == "c" and pitch == ladder.nearest(self.pitch)):
            rungs = 0
        else:
            rungs = ladder.count(self.pitch, pitch)
        while abs(rungs) > _FARTHEST:  # reduce by an octave, or to the largest word
            nearer = rungs - len(ladder.classes) * (1 if rungs > 0 else -1)
            rungs = nearer if abs(nearer) < abs(rungs) else _FARTHEST
        self.pitch = pitch
        return f"{kind}{rungs:+d}" if rungs else f"{kind}0"


def list_tones(notes: Iterable[ScoreNote], start_beats: Fraction) -> list[Tone]:
    """Return the notes from a bar line on, in ticks from there."""
    return [
        Tone(
            round((note.start_beats - start_beats) * TICKS),
            max(round(note.duration_beats * TICKS), 1),
            note.pitch,
        )
        for note in notes
        if note.start_beats >= start_beats and note.duration_beats > 0
    ]


def cut_bars(notes: Sequence[Tone], lengths: Sequence[int]) -> list[MelodyBar]:
    """Return the bars of a melody.

    Parameters
    ----------
    notes : sequence of Tone
        Notes without overlaps, in ticks from the first bar line.
    lengths : sequence of int
        Lengths of the bars in beats.
    """
    bars = []
    start = 0
    for beats in lengths:
        stop = start + beats * TICKS
        inside = [n for n in notes if n.start < stop and n.start + n.duration > start]
        bars.append(MelodyBar(beats, tuple(_fill(inside, start, stop))))
        start = stop
    return bars


def _fill(notes: Sequence[Tone], start: int, stop: int) -> list[Segment]:
    segments: list[Segment] = []
    place = start
    for note in notes:
        begin, end = max(note.start, place), min(note.start + note.duration, stop)
        if end <= begin:
            continue
        if begin > place:
            segments.append(Segment(place - start, begin - start, REST))
        pitch: int | str = note.pitch if note.start >= start else HOLD
        segments.append(Segment(begin - start, end - start, pitch))
        place = end
    if place < stop:
        segments.append(Segment(place - start, stop - start, REST))
    return segments


def join_bars(bars: Sequence[MelodyBar]) -> list[Tone]:
    """Return the notes of bars, in ticks from the start of the first."""
    notes: list[Tone] = []
    start = 0
    for bar in bars:
        for segment in bar.segments:
            length = segment.stop - segment.start
            if isinstance(segment.pitch, int):
                notes.append(Tone(start + segment.start, length, segment.pitch))
            elif segment.pitch == HOLD and notes:
                notes[-1] = notes[-1]._replace(duration=notes[-1].duration + length)
        start += bar.beats * TICKS
    return notes


# ------------------------------------------------------------------------------------- writing


def write_melody(
    grammar: Grammar, bars: Sequence[MelodyBar], harmony_at: HarmonyAt, first: int = 0
) -> list[list[str]]:
    """Return the words of each bar, from index ``first`` on.

    A bar that closely resembles an earlier one is written as a copy of it.
    """
    tiling = Tiling(grammar)
    before = [p.pitch for bar in bars[:first] for p in bar.attacks if isinstance(p.pitch, int)]
    walk = _Walk(before[-1] if before else _first_pitch(bars[first:]))
    written = []
    for number in range(first, len(bars)):
        copied = _find_copy(bars, number, harmony_at)
        written.append(
            [BAR, *(copied or _write_bar(tiling, bars[number], number, walk, harmony_at))]
        )
        attacks = bars[number].attacks
        if attacks and isinstance(attacks[-1].pitch, int):
            walk.pitch = attacks[-1].pitch
    return written


def _first_pitch(bars: Sequence[MelodyBar]) -> int:
    for bar in bars:
        for segment in bar.attacks:
            if isinstance(segment.pitch, int):
                return segment.pitch
    return _USUAL_PITCH


def _write_bar(
    tiling: Tiling, bar: MelodyBar, number: int, walk: _Walk, harmony_at: HarmonyAt
) -> list[str]:
    words: list[str] = []
    limits = {segment.start for segment in bar.segments}
    for start, word in tiling.divide(bar.beats, limits):
        segment = next(p for p in reversed(bar.segments) if p.start <= start)
        if isinstance(segment.pitch, int):
            new = segment.start == start
            move = walk.name(segment.pitch, harmony_at(number, start)) if new else HOLD
        else:
            move = str(segment.pitch)
        words += [word, move]
    return words


def _find_copy(bars: Sequence[MelodyBar], number: int, harmony_at: HarmonyAt) -> list[str] | None:
    """Return the words that describe a bar as a copy; None if it is not one."""
    bar = bars[number]
    if len(bar.attacks) < 2:
        return None
    for distance, back in BACK.items():
        if number < back or not _same_rhythm(bars[number - back], bar):
            continue
        for manner in MANNERS:
            copy = copy_bar(bars[number - back], manner, number, harmony_at)
            same = sum(p.pitch == q.pitch for p, q in zip(copy.attacks, bar.attacks, strict=True))
            if same >= _ALIKE * len(bar.attacks):
                return [distance, manner]
    return None


def _same_rhythm(one: MelodyBar, other: MelodyBar) -> bool:
    def shape(bar: MelodyBar) -> list[tuple[int, bool]]:
        return [(p.start, isinstance(p.pitch, int)) for p in bar.segments]

    return one.beats == other.beats and shape(one) == shape(other)


# ------------------------------------------------------------------------------------- reading


def read_melody(
    words: Sequence[str],
    before: Sequence[MelodyBar],
    lengths: Sequence[int],
    harmony_at: HarmonyAt,
    tonic: int,
    start_pitch: int = _USUAL_PITCH,
) -> list[MelodyBar]:
    """Return the new bars that a sentence describes.

    Parameters
    ----------
    words : sequence of str
        A sentence of the melody grammar, with one bar for each length.
    before : sequence of MelodyBar
        The given melody. ``harmony_at`` numbers bars from its first one.
    lengths : sequence of int
        Lengths of the new bars in beats.
    harmony_at : callable
    tonic : int
        Pitch class.
    start_pitch : int
        Pitch from which the first interval is taken if ``before`` has no notes.
    """
    bars = list(before)
    pitches = [p.pitch for bar in before for p in bar.attacks if isinstance(p.pitch, int)]
    walk = _Walk(pitches[-1] if pitches else start_pitch)
    for beats, inside in zip(lengths, _split(words), strict=True):
        number = len(bars)
        if inside[0] in BACK:
            back = BACK[inside[0]]
            if back <= number and bars[number - back].beats == beats:
                bar = copy_bar(bars[number - back], inside[1], number, harmony_at)
            else:  # there is no bar to copy
                bar = MelodyBar(beats, (Segment(0, beats * TICKS, REST),))
        else:
            bar = _read_bar(inside, beats, number, walk, harmony_at, tonic)
        bars.append(bar)
        attacks = bar.attacks
        if attacks and isinstance(attacks[-1].pitch, int):
            walk.pitch = attacks[-1].pitch
    return bars[len(before) :]


def _split(words: Sequence[str]) -> list[list[str]]:
    bars: list[list[str]] = []
    for word in words:
        if word == BAR:
            bars.append([])
        else:
            bars[-1].append(word)
    return bars


def _read_bar(
    words: Sequence[str],
    beats: int,
    number: int,
    walk: _Walk,
    harmony_at: HarmonyAt,
    tonic: int,
) -> MelodyBar:
    segments: list[Segment] = []
    place = 0
    for duration, move in zip(words[::2], words[1::2], strict=True):
        stop = place + count_ticks(duration)
        if move in (HOLD, REST):
            if segments and (move == HOLD or segments[-1].pitch == REST):
                segments[-1] = segments[-1]._replace(stop=stop)
            else:
                segments.append(Segment(place, stop, move))
        else:
            segments.append(Segment(place, stop, walk.go(move, harmony_at(number, place), tonic)))
        place = stop
    return MelodyBar(beats, tuple(segments))


def copy_bar(bar: MelodyBar, manner: str, number: int, harmony_at: HarmonyAt) -> MelodyBar:
    """Return a bar repeated, moved by a scale step, or inverted, over other chords.

    Intervals are counted in scale steps. The first note, and notes of two beats or longer, are
    moved to the nearest chord tone.
    """
    segments: list[Segment] = []
    first: int | None = None
    for segment in bar.segments:
        if not isinstance(segment.pitch, int):
            segments.append(segment)
            continue
        harmony = harmony_at(number, segment.start)
        rung = harmony.scale.floor(segment.pitch)
        first = rung if first is None else first
        if manner == "inverted":
            rung = 2 * first - rung
        else:
            rung += {"again": 0, "higher": 1, "lower": -1}[manner]
        pitch = harmony.scale.pitch(rung)
        if pitch not in harmony.chord and (not segments or segment.stop - segment.start >= _LONG):
            pitch = harmony.chord.nearest(pitch)
        segments.append(segment._replace(pitch=pitch))
    return MelodyBar(bar.beats, tuple(segments))


# -------------------------------------------------------------------------------------- tiling


class Tiling:
    """Divides bars into the durations of the melody grammar.

    The division chosen misses the fewest of the given onsets and, among those, has the fewest
    durations.

    Parameters
    ----------
    grammar : Grammar
        The melody grammar.
    """

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._lengths: dict[str, int] = {}

    def divide(self, beats: int, limits: set[int]) -> list[tuple[int, str]]:
        """Return starts, in ticks, and durations, as words, for segments that begin at ``limits``.

        Limits that no division can represent are dropped.
        """
        cuts = frozenset(limit for limit in limits if 0 < limit < beats * TICKS)
        found = self._divide_rule(f"bar_{beats}", 0, cuts)
        assert found is not None
        return found

    def _divide_rule(
        self, rule: str, start: int, cuts: frozenset[int]
    ) -> list[tuple[int, str]] | None:
        best: list[tuple[int, str]] | None = None
        lost = 0
        for production in self._grammar.rules[rule].productions:
            place, found = start, list[tuple[int, str]]()
            for symbol in production:
                if symbol.is_word and symbol.name[0].isdigit():
                    found.append((place, symbol.name))
                    place += count_ticks(symbol.name)
                elif not symbol.is_word and self._length(symbol.name):
                    length = self._length(symbol.name)
                    inside = frozenset(c for c in cuts if place < c < place + length)
                    found += self._divide_rule(symbol.name, place, inside) or []
                    place += length
            if not found:
                continue
            missed = len(cuts - {begin for begin, _ in found})
            if best is None or (missed, len(found)) < (lost, len(best)):
                best, lost = found, missed
        return best

    def _length(self, rule: str) -> int:
        """Return the length in ticks of a rule's sentences; 0 for rules without durations."""
        if rule not in self._lengths:
            production = self._grammar.rules[rule].productions[0]
            self._lengths[rule] = sum(
                self._length(symbol.name) if not symbol.is_word
                else count_ticks(symbol.name) if symbol.name[0].isdigit()
                else 0
                for symbol in production
            )  # fmt: skip
        return self._lengths[rule]


@cache
def count_ticks(duration: str) -> int:
    """Return the ticks of a duration in beats, such as ``"3/2"``."""
    return int(Fraction(duration) * TICKS)

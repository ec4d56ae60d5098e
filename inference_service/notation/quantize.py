"""Quantise a performance to its beats.

Onsets that nearly coincide form one attack. Within a part, every beat has one subdivision. The
subdivisions are the cheapest path through the beats (Viterbi) under these costs: the complexity of
each subdivision; a change between binary and ternary beats; the squared distance of each attack
from the nearest grid position, in standard deviations of human timing; and a large cost where two
attacks would share a position. This is the beat-wise grid search of Cemgil, Desain and Kappen,
"Rhythm quantization for transcription" (Computer Music Journal 24:2, 2000), with a Viterbi search
in place of sampling. A drum part has one feel, binary or ternary, from which a beat departs only at
a cost: one late hit is no triplet. Swung drums are made even first. Given the beats, the search
places 82 % of the notes of 68 performances by pianists (ASAP) where the score has them; the rest
are ornaments, tuplets and rubato within the beat.

Offsets carry little intent. They go to the nearest position of their beat's subdivision, at least
one position after the onset; :mod:`inference_service.notation.voices` makes them readable.

The score begins with the bar of the first note. That bar is a pickup, from its first note, if its
first half is empty or if it is shorter than the metre requires.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.errors import InvalidCorrections, ScoreUnreadable
from inference_service.music.clock import fit_clock
from inference_service.music.corrections import BarRange, Feel
from inference_service.music.edits import ScoreEdit
from inference_service.music.events import (
    NO_CHORD,
    ChordSegment,
    Key,
    NoteEvent,
    Part,
    Transcription,
)
from inference_service.music.excerpt import cut_performance, cut_score
from inference_service.music.metre import BarGrid, align
from inference_service.music.pitch import build_key, key_fifths, pitch_class
from inference_service.music.placement import NotePlacement
from inference_service.music.programs import SINGERS
from inference_service.music.score import Score, ScoreChord, ScoreNote, ScorePart, TimeChange
from inference_service.music.simplify import Grid, choose_grid, simplify
from inference_service.music.swing import find_short, find_swing, straighten
from inference_service.music.time import BeatGrid
from inference_service.notation.bars import pickup_length
from inference_service.notation.edit_chords import PlacedChord
from inference_service.notation.edit_notes import WrittenPart
from inference_service.notation.editing import Frame, make_edits
from inference_service.notation.keys import find_key_changes
from inference_service.notation.releases import end_with_chords, end_with_piece

MAX_MEASURES: Final = 10_000
"""Of all parts together: a symphony's movement, which takes a minute to write."""

ATTACK_S: Final = 0.04
"""Notes that begin no later than this after the first of an attack belong to it. Set by hand."""


@dataclass(frozen=True, slots=True)
class _Touch:
    """The timing accuracy of players or singers.

    Attributes
    ----------
    timing_s : float
        Standard deviation of onsets around the grid, in seconds.
    timing_beats : float
        Its least value in beats, which applies at slow tempi, where deviations grow with the beat.
    finest : int
        Finest subdivision of a beat.
    fine_gaps : int
        Number of successive gaps between attacks without which a beat is not divided finely.
    other_feel_cost : float
        Cost of a beat whose subdivision is binary where those of the part are ternary, or the
        reverse.
    """

    timing_s: float
    timing_beats: float
    finest: int
    fine_gaps: int = 1
    other_feel_cost: float = 0.0


# All set by hand; that of players was adjusted on the 68 performances mentioned above.
_PLAYED: Final = _Touch(0.03, 0.065, 8)
_SUNG: Final = _Touch(0.05, 0.08, 4)
_DRUMMED: Final = _Touch(0.02, 0.045, 8, fine_gaps=2, other_feel_cost=6.0)
MOST_GRACES: Final = 4
GRACE_REACH_S: Final = 0.2
"""A run of n grace notes begins at most n times this before its note. Set by hand; not fitted."""

MIN_PLACE_S: Final = 0.07
"""Finest grid, in seconds. Faster notes are ornaments rather than rhythm. Set by hand."""

_BEFORE_ALL_S: Final = -1e6

_MOST_ACCIDENTALS: Final = 7

# Cost of each subdivision of a beat, in squared standard deviations. These and the costs below were
# set by hand and adjusted on the 68 performances mentioned above.
_COMPLEXITY: Final = {1: 0.0, 2: 0.6, 4: 2.4, 3: 3.6, 8: 8.0, 6: 8.0}
_SUBDIVISIONS: Final = tuple(_COMPLEXITY)
_IS_TERNARY: Final = np.array([s % 3 == 0 for s in _SUBDIVISIONS])
_IS_DIVIDED: Final = np.array([s % 3 > 0 and s > 1 for s in _SUBDIVISIONS])
"""Whether a subdivision is binary."""

_SWITCH_COST: Final = 1.0
_SHARED_PLACE_COST: Final = 3.5
_SCOTCH_SNAP_COST: Final = 1.5
_FORBIDDEN: Final = 1e9
_OFTEN_FINEST: Final = 4
_NEAR_PLACES: Final = 2**0.5
"""Beats are divided into more than ``_OFTEN_FINEST`` only if attacks are nearer to each other than
this number of places."""


@dataclass(frozen=True, slots=True)
class WrittenPerformance:
    """The score of a performance, and where its chords and bars are.

    Attributes
    ----------
    score : Score
    performance : Transcription
        What the score was written from, with a reader's edits of single notes and chords.
    chord_starts_beats : tuple of Fraction
        Position in the score of each chord of the performance. The score itself has only those that
        are long enough to be written.
    bar_lines_s : tuple of float
        When bar 1 of the whole score begins, and each later one, and when the last one ends.
    grid : BeatGrid
        The beats of the performance, on which ``score.origin_beats`` is.
    span_s : tuple of float, optional
        When the score begins and ends, if it has only some of the bars.
    edits : tuple of ScoreEdit
        The edits in absolute terms.
    problems : mapping of int to str
        Why edits had no effect, by their places in the list, from 0.
    repitched : frozenset of str
        Ids of the notes whose pitches are a reader's.
    """

    score: Score
    performance: Transcription
    chord_starts_beats: tuple[Fraction, ...]
    bar_lines_s: tuple[float, ...]
    grid: BeatGrid
    span_s: tuple[float, float] | None = None
    edits: tuple[ScoreEdit, ...] = ()
    problems: Mapping[int, str] = field(default_factory=dict)
    repitched: frozenset[str] = frozenset()

    def cut(self, performance: Transcription) -> Transcription:
        """Return what is in the score of :attr:`performance`, or of one with the same notes."""
        if self.span_s is None:
            return performance
        return cut_performance(performance, *self.span_s)


def quantize(transcription: Transcription, title: str) -> Score:
    """Quantise a transcription and return its score alone; see :func:`write_performance`."""
    return write_performance(transcription, title).score


def write_performance(
    transcription: Transcription,
    title: str,
    chord_step_beats: Fraction = Fraction(1),
    beat_scale: Fraction = Fraction(1),
) -> WrittenPerformance:
    """Quantise a transcription.

    Parameters
    ----------
    transcription : Transcription
        Any number of parts, including none; notes in any order. Parts with placements are written
        by them, others by the search described above.
    title : str
        Shown above the score; may be empty.
    chord_step_beats : Fraction, optional
        Chord changes are written at multiples of this.
    beat_scale : Fraction, optional
        Factor of written values since the uncorrected page, which those of edits are multiplied by.

    Returns
    -------
    WrittenPerformance
        The score has all notes of the performance, each part in one voice. Notes of equal pitch
        that fall on the same position are merged.

    Of its corrections, those that concern only notation are applied here: clefs, the values of
    parts without placements, edits of single notes and chords, and a range of bars.

    Raises
    ------
    ScoreUnreadable
        If the score would have more than :data:`MAX_MEASURES` measures.
    InvalidCorrections
        If the score does not have the bars of a range.
    """
    corrections = transcription.corrections
    bars = align(transcription)
    given = transcription.placements or ((),) * len(transcription.parts)
    parts = [
        _write_part(part, placed, bars, transcription)
        for part, placed in zip(transcription.parts, given, strict=True)
    ]
    chords = _place_chords(transcription.chords, bars, chord_step_beats)
    parts = end_with_chords(end_with_piece(parts, bars), chords, bars)
    starts = [note.start_beats for part in parts for note in part.notes]
    stops = [note.stop_beats for part in parts for note in part.notes]
    layout = _lay_out(
        bars, min(starts, default=Fraction(0)), max(stops, default=Fraction(0)), len(parts)
    )
    score = Score(
        title=title,
        tempo_bpm=bars.tempo_bpm,
        time_signature=str(bars.signature),
        key=_writable(transcription.key),
        parts=tuple(
            replace(part.staff, notes=tuple(sorted(_shift(part.notes, layout.origin_beats))))
            for part in parts
        ),
        chords=_write_chords(chords, layout, max(starts, default=Fraction(0))),
        pickup_beats=layout.pickup_beats,
        time_changes=layout.time_changes,
        swing=transcription.swing,
        is_key_given=corrections.key is not None,
        origin_beats=Fraction(layout.origin_beats),
    )
    written = WrittenPerformance(score, transcription, layout.shift_chords(chords), (), bars.grid)
    if corrections.edits:
        written = _edit(written, parts, chords, bars, layout, beat_scale)
    score = written.score
    lines = [*(bar.start_beats for bar in score.bars() if bar.number), score.bars()[-1].stop_beats]
    written = replace(
        written,
        bar_lines_s=tuple(
            bars.grid.to_seconds(layout.origin_beats + float(line)) for line in lines
        ),
    )
    return written if corrections.bars is None else _cut(written, lines, corrections.bars)


def _write_part(
    part: Part, placed: Sequence[NotePlacement], bars: BarGrid, transcription: Transcription
) -> WrittenPart:
    kept = _write_placed(part, placed) if placed else _quantize_part(part, bars, transcription)
    names = [event.id for event in sorted(part.notes)]
    return WrittenPart(
        part,
        tuple(kept.notes.values()) + kept.graces,
        kept.find_merged(),
        dict(zip(names, placed, strict=True)) if placed else {},
        ScorePart(
            part.id,
            part.name,
            (),
            part.program,
            part.is_drum,
            clef=transcription.corrections.find_part(part.id).clef,
        ),
    )


def _edit(
    written: WrittenPerformance,
    parts: Sequence[WrittenPart],
    chords: Sequence[PlacedChord],
    bars: BarGrid,
    layout: _Layout,
    beat_scale: Fraction,
) -> WrittenPerformance:
    """Make the edits of a performance; bars and keys stay as they are without them."""
    origin = layout.origin_beats
    score = replace(find_key_changes(written.score), is_key_given=True)
    onsets = [
        (place.start_beats, event.onset_s) for part in parts for place, event in part.list_heard()
    ]
    start, stop = Fraction(layout.lines[0]), Fraction(layout.lines[-1])
    clock = fit_clock(onsets, bars.grid, start, stop)
    frame = Frame(bars, layout.lines, beat_scale, clock, lambda place: score.key_at(place - origin))
    edits = written.performance.corrections.edits
    edited = make_edits(edits, written.performance, parts, chords, frame)
    starts = [n.start_beats - origin for notes in edited.notes for n in notes]
    first = min(starts, default=Fraction(0))
    if layout.pickup_beats and first < -layout.pickup_beats:
        layout = replace(layout, pickup_beats=pickup_length(first))
    score = replace(
        score,
        parts=tuple(
            replace(part, notes=tuple(sorted(_shift(notes, origin))), middle_pitch=middle)
            for part, notes, middle in zip(
                score.parts, edited.notes, edited.middle_pitches, strict=True
            )
        ),
        chords=_write_chords(edited.chords, layout, max(starts, default=Fraction(0)) + origin),
        pickup_beats=layout.pickup_beats,
    )
    return replace(
        written,
        score=score,
        performance=edited.performance,
        chord_starts_beats=layout.shift_chords(edited.chords),
        edits=edited.edits,
        problems=edited.problems,
        repitched=edited.repitched,
    )


def _cut(
    written: WrittenPerformance, lines: Sequence[Fraction], bars: BarRange
) -> WrittenPerformance:
    """Return a range of bars; bar 1 brings its pickup along. Keys are those of the whole."""
    count = len(lines) - 1
    last = min(bars.last, count) if written.edits else bars.last  # edits may empty the last bars
    if not bars.first <= last <= count:
        raise InvalidCorrections(f"there are {count} bars", correction="bars", bar_count=count)
    score = find_key_changes(written.score)
    start, stop = lines[bars.first - 1], lines[last]
    begin = -score.pickup_beats if bars.first == 1 else start
    return replace(
        written,
        score=replace(cut_score(score, begin, stop), is_key_given=True, first_number=bars.first),
        chord_starts_beats=tuple(place - start for place in written.chord_starts_beats),
        span_s=(
            _BEFORE_ALL_S if bars.first == 1 else written.bar_lines_s[bars.first - 1],
            written.bar_lines_s[last],
        ),
    )


def _writable(key: Key) -> Key:
    """Return the key, made enharmonic if its signature would need double accidentals."""
    if abs(key_fifths(key)) <= _MOST_ACCIDENTALS:
        return key
    return build_key(pitch_class(key.tonic), key.mode)


# Notes with placements


@dataclass
class _Kept:
    """Notes by position and pitch; of equal pitches at one position, the longest is kept."""

    notes: dict[tuple[Fraction, int], ScoreNote] = field(default_factory=dict)
    graces: tuple[ScoreNote, ...] = ()
    _merged: dict[str, str] = field(default_factory=dict)

    def add(self, note: ScoreNote) -> None:
        place = (note.start_beats, note.pitch)
        known = self.notes.get(place)
        if known is None:
            self.notes[place] = note
            return
        longer, shorter = (
            (note, known) if known.duration_beats < note.duration_beats else (known, note)
        )
        self.notes[place] = longer
        self._merged[shorter.id] = longer.id

    def find_merged(self) -> dict[str, str]:
        """Return the ids of notes that were not kept, and of those that were kept instead."""
        kept = {note.id for note in self.notes.values()}
        return {name: self._find(name) for name in self._merged if name not in kept}

    def _find(self, name: str) -> str:
        while name in self._merged:
            name = self._merged[name]
        return name


def _write_placed(part: Part, placed: Sequence[NotePlacement]) -> _Kept:
    """Write notes by their placements.

    Up to :data:`MOST_GRACES` ornaments before a note become its grace notes. Longer runs (trills)
    and ornaments that lead to no note (slips) are dropped.
    """
    kept = _Kept()
    leading: list[NoteEvent] = []
    runs: list[tuple[ScoreNote, list[NoteEvent]]] = []
    for event, place in zip(sorted(part.notes), placed, strict=True):
        if place.is_ornament:
            leading.append(event)
            continue
        note = ScoreNote(
            place.start_beats,
            place.duration_beats,
            event.pitch,
            event.velocity,
            staff=2 if place.is_lower else 1,
            settled=True,
            id=event.id,
        )
        if leading and _lead(leading, event):
            runs.append((note, leading))
        leading = []
        kept.add(note)
    kept.graces = tuple(
        grace
        for first, run in runs
        for grace in _write_graces(
            run, [n for n in kept.notes.values() if n.start_beats == first.start_beats]
        )
    )
    return kept


def _lead(run: Sequence[NoteEvent], event: NoteEvent) -> bool:
    """Whether ornaments are few enough, and near enough, to be grace notes of ``event``."""
    reach_s = GRACE_REACH_S * len(run)
    return len(run) <= MOST_GRACES and event.onset_s - run[0].onset_s <= reach_s


def _write_graces(run: Sequence[NoteEvent], chord: Sequence[ScoreNote]) -> list[ScoreNote]:
    """Return ornaments as grace notes, led to the chord's note nearest in pitch to the last one.

    A run on that note's own pitch is none: the beginning of the note was heard twice.
    """
    adorned = min(chord, key=lambda note: abs(note.pitch - run[-1].pitch))
    if all(event.pitch == adorned.pitch for event in run):
        return []
    return [
        replace(
            adorned,
            duration_beats=Fraction(0),
            pitch=e.pitch,
            velocity=e.velocity,
            grace=number,
            id=e.id,
        )
        for number, e in enumerate(run, start=1)
    ]


# Attacks and subdivisions


@dataclass(frozen=True, slots=True)
class _Attack:
    """Notes that begin together, at a position in beats of the performance."""

    position_beats: float
    notes: tuple[NoteEvent, ...]


def _quantize_part(part: Part, bars: BarGrid, transcription: Transcription) -> _Kept:
    kept = _Kept()
    attacks = _find_attacks(part.notes, bars)
    if not attacks:
        return kept
    first = floor(attacks[0].position_beats)
    if _is_to_be_even(attacks, transcription):
        attacks = _straighten(attacks)
    touch = _DRUMMED if part.is_drum else _SUNG if part.program in SINGERS else _PLAYED
    subdivisions = _choose_subdivisions(attacks, first, bars, touch)
    for attack in attacks:
        start = _snap(attack.position_beats, first, subdivisions)
        for event in attack.notes:
            stop = _snap(bars.grid.to_beats(event.offset_s), first, subdivisions)
            place = Fraction(1, _subdivision_at(floor(start), first, subdivisions))
            duration = max(stop - start, place)
            kept.add(ScoreNote(start, duration, event.pitch, event.velocity, id=event.id))
    grid = choose_grid(transcription.corrections)
    if grid is not None:
        _simplify(kept, bars, grid)
    return kept


def _simplify(kept: _Kept, bars: BarGrid, grid: Grid) -> None:
    """Write notes in the values of a grid."""
    ordered = sorted(kept.notes.values())
    length = bars.signature.beats
    lines = bars.bar_starts(
        float(ordered[0].start_beats) - length, float(max(n.stop_beats for n in ordered)) + length
    )
    placed = [NotePlacement(note.start_beats, note.duration_beats) for note in ordered]
    kept.notes.clear()
    for note, place in zip(ordered, simplify(placed, lines, bars.signature, grid), strict=True):
        kept.add(replace(note, start_beats=place.start_beats, duration_beats=place.duration_beats))


def _find_attacks(notes: Sequence[NoteEvent], bars: BarGrid) -> list[_Attack]:
    """Group notes into attacks, each at the mean onset of its notes."""
    attacks: list[_Attack] = []
    gathered: list[NoteEvent] = []
    for note in sorted(notes):
        if gathered and note.onset_s - gathered[0].onset_s > ATTACK_S:
            attacks.append(_build_attack(gathered, bars))
            gathered = []
        gathered.append(note)
    if gathered:
        attacks.append(_build_attack(gathered, bars))
    return attacks


def _build_attack(notes: Sequence[NoteEvent], bars: BarGrid) -> _Attack:
    onset_s = sum(note.onset_s for note in notes) / len(notes)
    return _Attack(bars.grid.to_beats(onset_s), tuple(notes))


def _choose_subdivisions(
    attacks: Sequence[_Attack], first: int, bars: BarGrid, touch: _Touch
) -> list[int]:
    """Return the subdivision of each beat, from beat ``first`` to that of the last attack."""
    last = floor(attacks[-1].position_beats)
    positions: list[list[float]] = [[] for _ in range(first, last + 2)]
    for attack in attacks:
        beat = floor(attack.position_beats)
        positions[beat - first].append(attack.position_beats - beat)
    costs = np.array(
        [
            _beat_costs(here, following[:1], bars, first + i, touch)
            for i, (here, following) in enumerate(pairwise(positions))
        ],
        dtype=np.float64,
    )
    # The feel of the part, binary or ternary, is the one that explains it better.
    feels = [
        _cheapest_path(costs + touch.other_feel_cost * other)
        for other in (_IS_TERNARY, _IS_DIVIDED)
    ]
    _, path = min(feels)
    return [_SUBDIVISIONS[i] for i in path]


def _beat_costs(
    positions: Sequence[float],
    following: Sequence[float],
    bars: BarGrid,
    beat: int,
    touch: _Touch,
) -> list[float]:
    """Return the cost of each subdivision for the attacks of one beat.

    Parameters
    ----------
    positions : sequence of float
        Positions of the attacks within the beat, in [0, 1).
    following : sequence of float
        Position of the next beat's first attack, if any. An attack that is rounded up to the next
        beat should not collide with it.
    bars : BarGrid
    beat : int
    touch : _Touch
    """
    period_s = bars.grid.to_seconds(beat + 1) - bars.grid.to_seconds(beat)
    deviation = max(touch.timing_s / period_s, touch.timing_beats)
    costs = []
    for subdivision in _SUBDIVISIONS:
        too_fine = subdivision > touch.finest or (
            subdivision > 1 and period_s / subdivision < MIN_PLACE_S
        )
        if too_fine or (bars.signature.is_compound and subdivision % 3 == 0):
            costs.append(_FORBIDDEN * subdivision)
            continue
        if (
            subdivision > _OFTEN_FINEST
            and _finest_run(positions, following, touch.fine_gaps) > _NEAR_PLACES / subdivision
        ):
            costs.append(_FORBIDDEN)  # finer than anything that was played
            continue
        places = [round(p * subdivision) for p in positions]
        distance = sum(
            ((p - q / subdivision) / deviation) ** 2 for p, q in zip(positions, places, strict=True)
        )
        shared = sum(a == b for a, b in pairwise(places))
        if places and places[-1] == subdivision and any(f < deviation for f in following):
            shared += 1
        snap = subdivision == 4 and 1 in places and 2 not in places
        costs.append(
            _COMPLEXITY[subdivision]
            + distance
            + _SHARED_PLACE_COST * shared
            + _SCOTCH_SNAP_COST * snap
        )
    return costs


def _finest_run(positions: Sequence[float], following: Sequence[float], gaps: int) -> float:
    """Return the largest gap, in beats, in the densest run of a number of gaps between attacks.

    The attacks are those of a beat and the next one; 1 if they are too few.
    """
    every = [*positions, *(1 + f for f in following)]
    steps = [b - a for a, b in pairwise(every)]
    return min((max(steps[i : i + gaps]) for i in range(len(steps) - gaps + 1)), default=1.0)


def _is_to_be_even(attacks: Sequence[_Attack], transcription: Transcription) -> bool:
    """Whether attacks are swung, and to be written in even eighths."""
    if transcription.corrections.feel is Feel.STRAIGHT:
        return find_swing([np.array([attack.position_beats for attack in attacks])]) is not None
    return transcription.swing


def _straighten(attacks: Sequence[_Attack]) -> list[_Attack]:
    """Return swung attacks where even ones would be."""
    places = np.array([attack.position_beats for attack in attacks])
    even = straighten(places, find_short(places)).tolist()
    return [replace(a, position_beats=place) for a, place in zip(attacks, even, strict=True)]


def _cheapest_path(costs: NDArray[np.float64]) -> tuple[float, list[int]]:
    """Return the cost of the best path, and its subdivision index for each beat (Viterbi).

    ``costs`` has shape (beats, subdivisions).
    """
    switch = _SWITCH_COST * (_IS_TERNARY[:, None] != _IS_TERNARY[None, :])
    total = costs[0]
    came_from = np.zeros(costs.shape, dtype=np.intp)
    for beat in range(1, len(costs)):
        arriving = total[:, None] + switch
        came_from[beat] = arriving.argmin(axis=0)
        total = arriving.min(axis=0) + costs[beat]
    path = [int(total.argmin())]
    for beat in range(len(costs) - 1, 0, -1):
        path.append(int(came_from[beat, path[-1]]))
    return float(total.min()), path[::-1]


def _subdivision_at(beat: int, first: int, subdivisions: Sequence[int]) -> int:
    index = beat - first
    return subdivisions[index] if 0 <= index < len(subdivisions) else 1


def _snap(position_beats: float, first: int, subdivisions: Sequence[int]) -> Fraction:
    beat = floor(position_beats)
    subdivision = _subdivision_at(beat, first, subdivisions)
    return beat + Fraction(round((position_beats - beat) * subdivision), subdivision)


# Bars


@dataclass(frozen=True, slots=True)
class _Layout:
    """The bars of the score.

    Attributes
    ----------
    origin_beats : int
        Beat of the performance at which bar 1 begins.
    pickup_beats : Fraction
        Length of the pickup.
    time_changes : tuple of TimeChange
    lines : tuple of int
        Bar lines in beats of the performance, from the one before the first note to the one after
        the last.
    """

    origin_beats: int
    pickup_beats: Fraction
    time_changes: tuple[TimeChange, ...]
    lines: tuple[int, ...]

    def shift_chords(self, chords: Iterable[PlacedChord]) -> tuple[Fraction, ...]:
        """Return the positions of chords in the score.

        A chord that begins before the score is moved to its start.
        """
        return tuple(max(c.place - self.origin_beats, -self.pickup_beats) for c in chords)


def _lay_out(bars: BarGrid, start: Fraction, stop: Fraction, part_count: int) -> _Layout:
    starts = bars.bar_starts(float(start), max(float(stop), float(start) + 1))
    if len(starts) * part_count > MAX_MEASURES:
        raise ScoreUnreadable(f"the music has {len(starts)} bars, for {part_count} parts")
    pickup, lines = Fraction(0), tuple(starts)
    if bars.is_pickup(starts, float(start)):
        pickup = pickup_length(start - starts[1])
        starts = starts[1:]
    origin = starts[0]
    changes = []
    in_force = bars.signature.beats
    for line, following in pairwise(starts):
        if following - line != in_force:
            in_force = following - line
            changes.append(TimeChange(line - origin, in_force))
    return _Layout(origin, pickup, tuple(changes), lines)


def _shift(notes: Sequence[ScoreNote], origin_beats: int) -> list[ScoreNote]:
    return [replace(n, start_beats=n.start_beats - origin_beats) for n in notes]


# Chords


def _place_chords(
    chords: Sequence[ChordSegment], bars: BarGrid, step_beats: Fraction
) -> list[PlacedChord]:
    """Move chord changes to the nearest multiples of a step."""
    heard = (Fraction(bars.grid.to_beats(chord.start_s)) for chord in chords)
    places = (round(place / step_beats) * step_beats for place in heard)
    return [PlacedChord(place, chord) for place, chord in zip(places, chords, strict=True)]


def _write_chords(
    chords: Sequence[PlacedChord], layout: _Layout, last_beats: Fraction
) -> tuple[ScoreChord, ...]:
    """Write each chord where it begins; of several at one place, the last is kept.

    That none sounds is not written after ``last_beats``, the position of the last attack.
    """
    labels: dict[Fraction, str] = {}
    segments = (chord.segment for chord in chords)
    for segment, start in sorted(zip(segments, layout.shift_chords(chords), strict=True)):
        labels[start] = segment.label
    written: list[ScoreChord] = []
    for beat, label in sorted(labels.items()):
        in_force = written[-1].label if written else NO_CHORD
        if label != in_force:
            written.append(ScoreChord(beat, label))
    is_over = bool(written) and written[-1].start_beats > last_beats - layout.origin_beats
    return tuple(written[:-1] if is_over and written[-1].label == NO_CHORD else written)


def chord_at(chords: Sequence[ScoreChord], position_beats: Fraction) -> str:
    """Return the label of the chord in force at a position; ``"N"`` before the first."""
    index = bisect_right(chords, position_beats, key=lambda chord: chord.start_beats) - 1
    return chords[index].label if index >= 0 else NO_CHORD

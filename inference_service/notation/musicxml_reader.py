"""Read a MusicXML file as a :class:`Score`.

The score is written as played: repeats and endings are unfolded, a da capo or dal segno followed.
A bar that is split in two, as around a repeat, becomes one bar. A first bar that is shorter than
its metre is a pickup. Any other bar that is too short or too long becomes a bar of its own number
of beats, rounded up; one of two bars' length or more is cut into bars.

A score has one beat unit. It is that of most of the music, if every bar is a whole number of such
beats (6/8 within 4/4 then becomes 3/4), and else the longest unit for which this holds. Tuplets
other than triplets are rounded to the nearest position that a page can show, in 64ths.

The mode of a key is inferred from the notes where the file gives none or gives major, since some
editors call every key major. Chord symbols become Harte labels, written where they change.

The input is untrusted. Its size, packed and unpacked, and its numbers of elements, notes, measures
and parts are limited; entities are refused; anything invalid raises :class:`ScoreUnreadable`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, zip_longest
from math import ceil
from typing import Final
from xml.etree import ElementTree
from xml.parsers import expat

from inference_service.errors import ScoreUnreadable
from inference_service.music.chords import label_chord
from inference_service.music.events import NO_CHORD, Key
from inference_service.music.part_ids import build_part_id
from inference_service.music.pitch import name_of, pitch_class, transpose_chord_label
from inference_service.music.repeats import Jump, Signs, unfold
from inference_service.music.score import (
    KeyChange,
    Score,
    ScoreChord,
    ScoreMark,
    ScoreNote,
    ScorePart,
    TimeChange,
    fold_pitch,
)
from inference_service.notation.keys import likelier_key
from inference_service.notation.partwise import (
    JoinedNote,
    WrittenMeasure,
    WrittenPart,
    join_ties,
    read_parts,
    unpack,
)

MAX_BYTES: Final = 10_000_000
MAX_UNPACKED_BYTES: Final = 30_000_000
MAX_ELEMENTS: Final = 1_000_000
MAX_NOTES: Final = 50_000
MAX_MEASURES: Final = 40_000
"""Limit for all parts together."""
MAX_PARTS: Final = 64
MAX_BARS: Final = 4_000
"""Limit after repeats are unfolded."""
MAX_BAR_BEATS: Final = 64

MAX_BAR_QUARTERS: Final = 1_000

_ZIP: Final = b"PK"
_MAX_DEPTH: Final = 64
_MAX_TITLE: Final = 200
_MAX_NAME: Final = 60
_MAX_MARK: Final = 40
_MOST_STAVES: Final = 2
_MOST_VOICES: Final = 2
_MOST_FIFTHS: Final = 7
_UNITS: Final = (1, 2, 4, 8, 16, 32)
_DEFAULT_BPM: Final = 120.0
_SLOWEST_BPM: Final = 10.0
_FASTEST_BPM: Final = 1000.0

_LONGEST_Q: Final = Fraction(2)
"""Longest duration that counts as evidence of the key, as the pedal may prolong notes."""

_ROUNDING_Q: Final = Fraction(1, 8)
"""Tolerance for bar lengths that notation editors have rounded."""

_SHORTEST_Q: Final = Fraction(1, 16)
_PLACES: Final = (1, 2, 4, 3, 8, 6, 16, 12, 24)
"""Divisions of a quarter note that a page can show."""
_EVEN_PLACES: Final = (8, 16)
"""Those to which other tuplets are rounded."""
_NEAR_Q: Final = Fraction(1, 200)
"""Tolerance for positions that editors have rounded to whole divisions of a quarter note."""


def decode_musicxml(data: bytes) -> Score:
    """Read a MusicXML file.

    Parameters
    ----------
    data : bytes
        Partwise MusicXML, plain or compressed.

    Returns
    -------
    Score
        As input for :func:`~inference_service.notation.arrange.arrange`.

    Raises
    ------
    ScoreUnreadable
        If the file is not MusicXML, is damaged, or exceeds the limits of this module.
    """
    if len(data) > MAX_BYTES:
        raise ScoreUnreadable(
            f"the MusicXML file has {len(data)} bytes, over the limit of {MAX_BYTES}",
            size_bytes=len(data),
            limit_bytes=MAX_BYTES,
        )
    try:
        text = unpack(data, MAX_UNPACKED_BYTES) if data.startswith(_ZIP) else data
        _check(text)
        root = ElementTree.fromstring(text)
        if root.tag != "score-partwise":
            raise ValueError(f"the file holds no partwise score, but {root.tag[:32]!r}")
        return _build(root)
    except (
        ValueError, LookupError, ArithmeticError, expat.ExpatError, ElementTree.ParseError
    ) as error:  # fmt: skip
        raise ScoreUnreadable(f"this is not readable MusicXML: {error}") from error


def _check(text: bytes) -> None:
    """Raise a ValueError if the file declares entities or exceeds a limit."""
    counts: Counter[str] = Counter()
    limits = {"note": MAX_NOTES, "measure": MAX_MEASURES, "part": MAX_PARTS}
    depth = 0

    def refuse(*_: object) -> None:
        raise ValueError("it declares entities")

    def begin(tag: str, _: object) -> None:
        nonlocal depth
        depth += 1
        counts[""] += 1
        if counts[""] > MAX_ELEMENTS or depth > _MAX_DEPTH:
            raise ValueError(f"over {MAX_ELEMENTS} elements, or {_MAX_DEPTH} within each other")
        if tag in limits:
            counts[tag] += 1
            if counts[tag] > limits[tag]:
                raise ValueError(f"more than {limits[tag]} of {tag}")

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.Parse(text, True)


# Columns: one measure across all parts


@dataclass(frozen=True, slots=True)
class _Column:
    """A measure across all parts.

    Attributes
    ----------
    signs : Signs
        Repeat and jump signs.
    unit : int
        Lower number of the time signature.
    full_q, length_q : Fraction
        Length by the time signature and actual length, in quarter notes.
    fifths : int
        Sounding key signature.
    mode : str
        Mode as given in the file, which may be empty or wrong.
    mark : str
        Rehearsal mark.
    notes : int
        Number of notes.
    """

    signs: Signs
    unit: int
    full_q: Fraction
    length_q: Fraction
    fifths: int
    mode: str
    mark: str
    notes: int


def _gather(parts: Sequence[WrittenPart], index: int) -> _Column:
    across = [(part, part.measures[index]) for part in parts if index < len(part.measures)]
    measures = [measure for _, measure in across]
    keyed = [m for part, m in across if m.fifths is not None and not part.is_drum]
    key = min(keyed, key=lambda m: m.transposition % 12 != 0, default=WrittenMeasure())
    full_q = Fraction(4 * measures[0].beats, measures[0].unit)
    length_q = max(measure.length_q for measure in measures)
    if length_q > MAX_BAR_QUARTERS or full_q > MAX_BAR_QUARTERS:
        raise ValueError(f"a bar of more than {MAX_BAR_QUARTERS} quarter notes")
    if not length_q or abs(length_q - full_q) <= _ROUNDING_Q:
        length_q = full_q
    return _Column(
        signs=_join_signs([measure.signs for measure in measures]),
        unit=measures[0].unit,
        full_q=full_q,
        length_q=length_q,
        fifths=_concert_fifths(key),
        mode=key.mode,
        mark=next((measure.mark[:_MAX_MARK] for measure in measures if measure.mark), ""),
        notes=sum(len(measure.notes) for measure in measures),
    )


def _join_signs(signs: Sequence[Signs]) -> Signs:
    return Signs(
        opens=any(s.opens for s in signs),
        repeats=max(s.repeats for s in signs),
        endings=max(s.endings for s in signs),
        jump=next((s.jump for s in signs if s.jump is not Jump.NONE), Jump.NONE),
        is_segno=any(s.is_segno for s in signs),
        is_coda=any(s.is_coda for s in signs),
        to_coda=any(s.to_coda for s in signs),
        is_fine=any(s.is_fine for s in signs),
    )


def _concert_fifths(measure: WrittenMeasure) -> int:
    """Return the sounding key signature, made enharmonic if it has too many accidentals."""
    fifths = (measure.fifths or 0) + 7 * (measure.transposition % 12)
    if abs(fifths) <= _MOST_FIFTHS:
        return fifths
    return (fifths + 5) % 12 - 5


def _name_keys(parts: Sequence[WrittenPart], columns: Sequence[_Column]) -> list[Key]:
    """Return the key of each column.

    A mode of minor is accepted. A mode of major is overridden if both the notes under the signature
    and the final bass note suggest the relative minor. Without a mode, a final bass on either tonic
    decides, and otherwise the notes.
    """
    sounding: dict[int, list[float]] = defaultdict(lambda: [0.0] * 12)
    ends: dict[int, int] = {}
    pitched = [part for part in parts if not part.is_drum]
    for index, column in enumerate(columns):
        across = [p.measures[index].notes for p in pitched if index < len(p.measures)]
        for note in chain.from_iterable(across):
            length = float(min(note.duration_q, _LONGEST_Q))
            sounding[column.fifths][note.pitch % 12] += length
        lasts = [(-n.start_q - n.duration_q, n.pitch) for n in chain.from_iterable(across)]
        if lasts:
            ends[column.fifths] = min(lasts)[1] % 12
    return [_name_key(c, sounding[c.fifths], ends.get(c.fifths)) for c in columns]


def _name_key(column: _Column, sounding: Sequence[float], end: int | None) -> Key:
    major, minor = Key(name_of(column.fifths), "major"), Key(name_of(column.fifths + 3), "minor")
    likely = likelier_key(sounding, column.fifths)
    ends_minor, ends_major = (end == pitch_class(key.tonic) for key in (minor, major))
    if column.mode == "major":
        is_minor = likely == minor and ends_minor
    else:
        is_minor = ends_minor or (likely == minor and not ends_major)
    return minor if is_minor or column.mode == "minor" else major


# Bars in playing order


@dataclass(slots=True)
class _Bar:
    start_q: Fraction
    length_q: Fraction
    full_q: Fraction


@dataclass(frozen=True, slots=True)
class _Layout:
    """The bars, positioned in quarter notes; ``places_q`` are the starts of the played measures."""

    unit: int
    pickup_q: Fraction
    bars: list[_Bar]
    places_q: list[Fraction]

    def to_beats(self, quarters: Fraction) -> Fraction:
        return quarters * self.unit / 4

    def line_from(self, place_q: Fraction) -> Fraction | None:
        """Return the bar line at a position, or else the next one; None after the last."""
        if place_q < 0:
            return place_q
        index = bisect_left(self.bars, place_q, key=lambda bar: bar.start_q)
        return self.bars[index].start_q if index < len(self.bars) else None


def _lay_out(columns: Sequence[_Column], order: Sequence[int]) -> _Layout:
    unit = _choose_unit([columns[index] for index in order])
    beat_q = Fraction(4, unit)
    pickup_q = Fraction(0)
    bars: list[_Bar] = []
    places_q: list[Fraction] = []
    for index in order:
        column = columns[index]
        length_q = column.length_q
        if not places_q and length_q < column.full_q and len(order) > 1:
            pickup_q = length_q
            places_q.append(-length_q)
            continue
        before = bars[-1] if bars else _Bar(Fraction(0), Fraction(0), Fraction(0))
        if column.full_q == before.full_q >= before.length_q + length_q:
            places_q.append(before.start_q + before.length_q)
            before.length_q += length_q
            continue
        before.length_q = ceil(before.length_q / beat_q) * beat_q
        start_q = before.start_q + before.length_q
        places_q.append(start_q)
        bars.append(_Bar(start_q, length_q, column.full_q))
    bars[-1].length_q = max(ceil(bars[-1].length_q / beat_q) * beat_q, bars[-1].full_q)
    return _Layout(unit, pickup_q, [cut for bar in bars for cut in _cut(bar)], places_q)


def _cut(bar: _Bar) -> Iterator[_Bar]:
    """Divide a long bar into bars of its metre; the last one takes the remainder."""
    count = max(int(bar.length_q / bar.full_q), 1)
    for number in range(count):
        start_q = number * bar.full_q
        length_q = bar.full_q if number + 1 < count else bar.length_q - start_q
        yield _Bar(bar.start_q + start_q, length_q, bar.full_q)


def _choose_unit(columns: Sequence[_Column]) -> int:
    """Return the beat unit: that of most of the music, or else one that fits all metres."""
    tally: Counter[int] = Counter()
    for column in columns:
        tally[column.unit] += int(16 * column.length_q)
    ((usual, _),) = tally.most_common(1)
    lengths_q = {column.full_q for column in columns}
    for unit in (usual, *_UNITS):
        is_whole = all((length_q * unit / 4).denominator == 1 for length_q in lengths_q)
        if unit in _UNITS and is_whole:
            if max(lengths_q) * unit / 4 > MAX_BAR_BEATS:
                raise ValueError(f"a metre of more than {MAX_BAR_BEATS} beats")
            return unit
    raise ValueError("the metres have no note value in common")


# The score


def _build(root: ElementTree.Element) -> Score:
    parts = read_parts(root)
    count = max((len(part.measures) for part in parts), default=0)
    if not 0 < count <= MAX_BARS:
        raise ValueError(f"it has {count} bars; at most {MAX_BARS} are accepted")
    columns = [_gather(parts, index) for index in range(count)]
    order = unfold([column.signs for column in columns], MAX_BARS + 1)
    if len(order) > MAX_BARS:
        raise ValueError(f"more than {MAX_BARS} bars, as they are played")
    if sum(columns[index].notes for index in order) > 2 * MAX_NOTES:
        raise ValueError(f"more than {2 * MAX_NOTES} notes, as they are played")
    layout = _lay_out(columns, order)
    keys = _name_keys(parts, columns)
    first_beats = layout.to_beats(columns[order[0]].full_q)
    return Score(
        title=_read_title(root),
        tempo_bpm=_read_tempo(parts) * layout.unit / 4,
        time_signature=f"{first_beats}/{layout.unit}",
        key=keys[order[0]],
        parts=tuple(_write_parts(parts, order, layout)),
        chords=_write_chords(parts, keys, order, layout),
        pickup_beats=layout.to_beats(layout.pickup_q),
        time_changes=tuple(_write_time_changes(int(first_beats), layout)),
        key_changes=tuple(_write_key_changes(keys, order, layout)),
        swing=any(measure.swings for part in parts for measure in part.measures),
        marks=tuple(_write_marks(columns, order, layout)),
    )


def _read_title(root: ElementTree.Element) -> str:
    for path in ("movement-title", "work/work-title"):
        if title := " ".join((root.findtext(path) or "").split()):
            return title[:_MAX_TITLE]
    return ""


def _read_tempo(parts: Sequence[WrittenPart]) -> float:
    """Return the first tempo in the file, in quarter notes per minute."""
    for column in zip_longest(*(part.measures for part in parts)):
        for measure in column:
            if measure is not None and measure.quarters_per_minute:
                return min(max(float(measure.quarters_per_minute), _SLOWEST_BPM), _FASTEST_BPM)
    return _DEFAULT_BPM


def _write_time_changes(in_force: int, layout: _Layout) -> Iterator[TimeChange]:
    for bar in layout.bars:
        beats = int(layout.to_beats(bar.length_q))
        if beats != in_force:
            yield TimeChange(int(layout.to_beats(bar.start_q)), beats)
            in_force = beats


def _write_key_changes(
    keys: Sequence[Key], order: Sequence[int], layout: _Layout
) -> Iterator[KeyChange]:
    lines: dict[int, Key] = {}
    for index, place_q in zip(order, layout.places_q, strict=True):
        line_q = layout.line_from(place_q)
        if line_q is not None and line_q >= 0:
            lines[int(layout.to_beats(line_q))] = keys[index]
    in_force = keys[order[0]]
    for start_beats, key in lines.items():
        if key != in_force:
            yield KeyChange(start_beats, key)
            in_force = key


def _write_marks(
    columns: Sequence[_Column], order: Sequence[int], layout: _Layout
) -> Iterator[ScoreMark]:
    marks: dict[Fraction, str] = {}
    for index, place_q in zip(order, layout.places_q, strict=True):
        line_q = layout.line_from(place_q)
        if columns[index].mark and line_q is not None:
            marks[layout.to_beats(line_q)] = columns[index].mark
    for start_beats, text in marks.items():
        yield ScoreMark(start_beats, text)


def _write_chords(
    parts: Sequence[WrittenPart], keys: Sequence[Key], order: Sequence[int], layout: _Layout
) -> tuple[ScoreChord, ...]:
    """Write the chord symbols of the first part that has any.

    After a repeat or jump, the chord in force at its target is restated.
    """
    part = next((p for p in parts if any(m.chords for m in p.measures)), None)
    if part is None:
        return ()
    labels = [_read_labels(measure, key) for measure, key in zip(part.measures, keys, strict=False)]
    lasting: list[str] = []
    for named in labels:
        lasting.append(named[-1][1] if named else lasting[-1] if lasting else NO_CHORD)
    placed: dict[Fraction, str] = {}
    expected = 0
    for index, place_q in zip(order, layout.places_q, strict=True):
        if index != expected and 0 < index <= len(lasting):
            placed[layout.to_beats(place_q)] = lasting[index - 1]
        for start_q, label in labels[index] if index < len(labels) else ():
            placed[layout.to_beats(_to_place(place_q + start_q))] = label
        expected = index + 1
    written: list[ScoreChord] = []
    for start_beats, label in sorted(placed.items()):
        if label != (written[-1].label if written else NO_CHORD):
            written.append(ScoreChord(start_beats, label))
    return tuple(written)


def _read_labels(measure: WrittenMeasure, key: Key) -> list[tuple[Fraction, str]]:
    labels = []
    for chord in sorted(measure.chords, key=lambda chord: chord.start_q):
        label = label_chord(chord.root, chord.kind, chord.degrees, chord.bass)
        if label is not None and measure.transposition % 12:
            label = transpose_chord_label(label, measure.transposition, key)
        if label is not None:
            labels.append((chord.start_q, label))
    return labels


def _write_parts(
    parts: Sequence[WrittenPart], order: Sequence[int], layout: _Layout
) -> Iterator[ScorePart]:
    used: set[str] = set()
    for part in parts:
        name = part.name[:_MAX_NAME] or ("Drums" if part.is_drum else "Piano")
        yield ScorePart(
            build_part_id(name, used),
            name,
            tuple(_write_notes(part, order, layout)),
            part.program,
            part.is_drum,
            staves=min(part.staves, _MOST_STAVES),
        )


def _write_notes(part: WrittenPart, order: Sequence[int], layout: _Layout) -> list[ScoreNote]:
    """Write the notes of a part; of equal pitches at one position, the longest is kept."""
    voices = _number_voices(part)
    written: dict[tuple[Fraction, int, int, int], ScoreNote] = {}
    for joined, grace in _number_graces(_play(part, order, layout)):
        start_q = _to_place(joined.start_q)
        stop_q = _to_place(joined.start_q + joined.duration_q)
        length_q = Fraction(0) if grace else max(stop_q - start_q, _SHORTEST_Q)
        staff = min(joined.note.staff, part.staves, _MOST_STAVES)
        note = ScoreNote(
            layout.to_beats(start_q),
            layout.to_beats(length_q),
            fold_pitch(joined.note.pitch),
            staff=staff,
            voice=voices[joined.note.staff, joined.note.voice],
            grace=grace,
            arpeggio="arpeggiate" in joined.note.marks,
            settled=True,
        )
        place = (note.start_beats, note.pitch, staff, grace)
        if place not in written or written[place].duration_beats < note.duration_beats:
            written[place] = note
    return sorted(written.values())


def _play(part: WrittenPart, order: Sequence[int], layout: _Layout) -> list[JoinedNote]:
    """Return the notes in playing order with ties joined; notes without a length are dropped."""
    placed = (
        (place_q, note)
        for index, place_q in zip(order, layout.places_q, strict=True)
        if index < len(part.measures)
        for note in part.measures[index].notes
        if note.duration_q > 0 or note.is_grace
    )
    return join_ties(placed)


def _number_graces(notes: Iterable[JoinedNote]) -> Iterator[tuple[JoinedNote, int]]:
    """Yield the notes with their grace note number, 0 for ordinary notes."""
    counts: Counter[tuple[Fraction, int, str]] = Counter()
    for joined in notes:
        place = (joined.start_q, joined.note.staff, joined.note.voice)
        if joined.note.is_grace and not (joined.note.is_member and counts[place]):
            counts[place] += 1
        yield joined, counts[place] if joined.note.is_grace else 0


def _number_voices(part: WrittenPart) -> dict[tuple[int, str], int]:
    """Number the voices of each staff in the order of their names; a third counts as the second."""
    names = {(n.staff, n.voice) for measure in part.measures for n in measure.notes}
    numbers: dict[tuple[int, str], int] = {}
    counts: Counter[int] = Counter()
    for staff, name in sorted(names, key=lambda pair: (pair[0], len(pair[1]), pair[1])):
        counts[staff] += 1
        numbers[staff, name] = min(counts[staff], _MOST_VOICES)
    return numbers


def _to_place(quarters: Fraction) -> Fraction:
    """Return the nearest position that a page can show, on the coarsest division that fits."""
    for places in _PLACES:
        near = Fraction(round(quarters * places), places)
        if abs(near - quarters) < _NEAR_Q:
            return near
    places = next((n for n in _EVEN_PLACES if n >= quarters.denominator), _EVEN_PLACES[-1])
    return Fraction(round(quarters * places), places)

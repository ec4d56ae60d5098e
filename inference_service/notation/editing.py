"""Make a reader's edits of single notes and chord symbols to a performance that was quantised.

Edits come after everything else that is put right, and before notes are arranged for a view, so
that they hold in all of them. They change the performance along with what is written, so that they
are heard and seen wherever it is. An edit that can change nothing, as its note has been deleted, or
another correction has left out its part, rests: it is no error here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from inference_service.music.clock import Clock
from inference_service.music.edits import (
    AddNote,
    DeleteChord,
    NoteEdit,
    ScoreEdit,
    SetChord,
)
from inference_service.music.events import ChordSegment, Key, Transcription
from inference_service.music.metre import BarGrid
from inference_service.music.score import ScoreNote
from inference_service.notation.edit_chords import ChordEditor, PlacedChord
from inference_service.notation.edit_notes import (
    NoEffectError,
    PartEditor,
    Surroundings,
    WrittenPart,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """The bars that edits are made in.

    Attributes
    ----------
    bars : BarGrid
    lines : sequence of int
        Bar lines in beats of the performance, around all music.
    beat_scale : Fraction
        Factor of written values since the uncorrected page.
    clock : Clock
        From beats of the performance to seconds of the recording.
    key_at : callable
        Key in force at a position.
    """

    bars: BarGrid
    lines: Sequence[int]
    beat_scale: Fraction
    clock: Clock
    key_at: Callable[[Fraction], Key]


@dataclass(frozen=True, slots=True)
class Edited:
    """A performance after all edits.

    Attributes
    ----------
    performance : Transcription
        As it would have been performed.
    notes : tuple of tuples of ScoreNote
        The written notes of each part; positions are in beats of the performance.
    middle_pitches : tuple of float or None
        For each part, that of :class:`~inference_service.music.score.ScorePart`.
    chords : tuple of PlacedChord
        Parallel to the chords of the performance.
    edits : tuple of ScoreEdit
        The edits in absolute terms.
    problems : mapping of int to str
        Why edits had no effect, by their places in the list, from 0.
    repitched : frozenset of str
        Ids of the notes whose pitches were given by a reader.
    """

    performance: Transcription
    notes: tuple[tuple[ScoreNote, ...], ...]
    middle_pitches: tuple[float | None, ...]
    chords: tuple[PlacedChord, ...]
    edits: tuple[ScoreEdit, ...]
    problems: Mapping[int, str]
    repitched: frozenset[str]


def make_edits(
    edits: Sequence[ScoreEdit],
    performance: Transcription,
    parts: Sequence[WrittenPart],
    chords: Iterable[PlacedChord],
    frame: Frame,
) -> Edited:
    """Make edits in order.

    Parameters
    ----------
    edits : sequence of ScoreEdit
    performance : Transcription
        With all other corrections.
    parts : sequence of WrittenPart
        Parallel to the parts of the performance.
    chords : iterable of PlacedChord
        The chords of the performance and where they are written, in order.
    frame : Frame
    """
    span = (Fraction(frame.lines[0]), Fraction(frame.lines[-1]))
    symbols = ChordEditor(chords, frame.bars.signature, frame.clock, span, performance.duration_s)
    around = Surroundings(
        frame.bars.signature,
        frame.lines,
        frame.beat_scale,
        frame.clock,
        frame.key_at,
        symbols.label_at,
    )
    editors = [PartEditor(part, around) for part in parts]
    kept: list[ScoreEdit] = []
    problems: dict[int, str] = {}
    for number, edit in enumerate(edits):
        try:
            kept.append(_make(edit, editors, symbols, frame.clock))
        except NoEffectError as error:
            problems[number] = str(error)
            kept.append(edit)
    return Edited(
        _perform(performance, editors, symbols.chords),
        tuple(tuple(editor.list_written()) for editor in editors),
        tuple(editor.middle_pitch if editor.is_edited else None for editor in editors),
        tuple(symbols.chords),
        tuple(kept),
        problems,
        frozenset(name for editor in editors for name in editor.repitched),
    )


def _make(
    edit: ScoreEdit, editors: Sequence[PartEditor], symbols: ChordEditor, clock: Clock
) -> ScoreEdit:
    """Make one edit; return what is to be kept of it."""
    match edit:
        case SetChord():
            return symbols.set(edit, _list_starts(editors, clock, edit.time_s))
        case DeleteChord():
            symbols.delete(edit, _list_starts(editors, clock, edit.time_s))
            return edit
        case AddNote():
            for editor in editors:
                if editor.source.part.id == edit.part:
                    editor.add(edit)
                    return edit
            raise NoEffectError("no part has this id")
        case _:
            return _find_editor(edit, editors).edit(edit)


def _find_editor(edit: NoteEdit, editors: Sequence[PartEditor]) -> PartEditor:
    for editor in editors:
        if editor.knows(edit.note):
            return editor
    raise NoEffectError("no note has this id")


def _list_starts(editors: Sequence[PartEditor], clock: Clock, time_s: float) -> Iterator[Fraction]:
    place = Fraction(clock.to_position(time_s))
    for editor in editors:
        yield from editor.list_starts(place)


def _perform(
    performance: Transcription, editors: Sequence[PartEditor], chords: Iterable[PlacedChord]
) -> Transcription:
    """Return the performance with the edited notes and chords."""
    parts, placements = [], []
    for editor in editors:
        performed = editor.list_performed()
        part = editor.source.part
        parts.append(replace(part, notes=tuple(event for event, _ in performed)))
        placed = (place for _, place in performed)
        placements.append(tuple(place for place in placed if place is not None))
    segments: tuple[ChordSegment, ...] = tuple(chord.segment for chord in chords)
    return replace(
        performance,
        parts=tuple(parts),
        placements=tuple(placements) if performance.placements else (),
        chords=segments,
    )

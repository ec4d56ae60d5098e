"""Edit single notes of a part after it has been quantised.

What a reader changes is what the full score shows: a note is split, joined and followed by what is
on the page. So the lengths that notation would give to the notes of the unedited part are the ones
that edits begin with (:attr:`PartEditor._shown`), and a note whose length an edit depends on keeps
it from then on. The rules are those of notation programs, except that no note is lost to another:

- In a single line (a singer's part, or one without chords and voices), a note that is lengthened
  takes its time from the next note, which begins later and ends where it did. If nothing would be
  left of it, the longer note ends where the next one begins. Elsewhere, it is held over the next
  notes, in a voice of its own, up to the next one of its pitch.
- A note that is shortened or deleted leaves a rest: the notes before it stay as they are.
- The clef of a staff stays while the notes stay in their register.
- A new note in a single line ends the one that sounds there.
- Ends and beginnings that an edit makes are in places in which the beat can be written
  (``edit_places.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import islice, pairwise
from math import floor
from statistics import median
from typing import Final

from inference_service.music.chords import is_chord_tone
from inference_service.music.clock import Clock
from inference_service.music.edits import (
    AddNote,
    DeleteNote,
    JoinNote,
    MoveNote,
    NoteEdit,
    SetDuration,
    SetPitch,
    Spelling,
    SplitNote,
)
from inference_service.music.events import Key, NoteEvent, Part
from inference_service.music.metre import TimeSignature
from inference_service.music.pitch import pitch_class, scale_of, step_in_key
from inference_service.music.placement import NotePlacement
from inference_service.music.programs import SINGERS
from inference_service.music.score import ScoreNote, ScorePart
from inference_service.notation.arrange import VOCALS_ID, arrange_part
from inference_service.notation.edit_places import Places
from inference_service.notation.note_order import NoteOrder
from inference_service.notation.percussion import may_strike
from inference_service.notation.spelling import spell

_LEAST_QUARTERS: Final = Fraction(1, 4)
"""What must be left of a note from which a longer one takes its time."""

_PLACED_QUARTERS: Final = Fraction(1, 4)
"""New notes begin at multiples of this, or where other notes do."""

_REACH_BEATS: Final = 8
"""How far back notes are sought that end in a beat."""

_REGISTER_SEMITONES: Final = 4
"""How far the median pitch of a part may move until its clef is chosen anew. Set by hand."""

_LEADING_SEMITONES: Final = 11
_HIGHEST: Final = 127
_NOTES_BEFORE: Final = 32
"""Number of notes among which the one before a deleted note is sought."""

_USUAL_VELOCITY: Final = 80

INFLECTIONS: Final = {None: 0, Spelling.RAISED: 1, Spelling.LOWERED: -1}


class NoEffectError(Exception):
    """An edit that can change nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class WrittenPart:
    """A part as it was performed and as it was quantised.

    Attributes
    ----------
    part : Part
        Its clef, name and program do not matter.
    notes : tuple of ScoreNote
        Positions are in beats of the performance.
    merged : mapping of str to str
        Ids of performed notes that were written as one with another, to the id of that one.
    placements : mapping of str to NotePlacement
        By the ids of performed notes; empty if the part was quantised without.
    staff : ScorePart
        The part as notation gets it, without notes.
    """

    part: Part
    notes: tuple[ScoreNote, ...]
    merged: Mapping[str, str]
    placements: Mapping[str, NotePlacement]
    staff: ScorePart

    def list_heard(self) -> Iterator[tuple[ScoreNote, NoteEvent]]:
        """Yield the written notes but grace notes, with how they were performed."""
        events = {event.id: event for event in self.part.notes}
        for note in self.notes:
            if not note.grace:
                yield note, events[note.id]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What edits of notes need to know of the music around.

    Attributes
    ----------
    signature : TimeSignature
    lines : sequence of int
        Bar lines in beats, around all music.
    beat_scale : Fraction
        Factor of written values since the uncorrected page.
    clock : Clock
        From beats of the performance to seconds of the recording.
    key_at : callable
        Key in force at a position.
    label_at : callable
        Label of the chord in force at a position.
    """

    signature: TimeSignature
    lines: Sequence[int]
    beat_scale: Fraction
    clock: Clock
    key_at: Callable[[Fraction], Key]
    label_at: Callable[[Fraction], str]

    def to_beats(self, quarters: Fraction) -> Fraction:
        """Return the length in beats of a value of the uncorrected page."""
        return quarters * self.beat_scale / self.signature.beat_quarters


@dataclass(slots=True)
class _Note:
    """A note: how it was performed, with others that were merged into it, and how it is written."""

    id: str
    events: list[NoteEvent]
    written: ScoreNote | None
    splits: int = 0


@dataclass
class PartEditor:
    """Makes edits to the notes of one part, one after another."""

    source: WrittenPart
    around: Surroundings
    repitched: set[str] = field(default_factory=set)
    _removed: set[str] = field(default_factory=set, init=False)
    is_edited: bool = field(default=False, init=False)
    _added: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        written = {note.id: note for note in self.source.notes}
        merged = self.source.merged
        self._notes: dict[str, _Note] = {}
        for event in self.source.part.notes:
            if event.id not in merged:
                self._notes[event.id] = _Note(event.id, [event], written.get(event.id))
        for event in self.source.part.notes:
            if event.id in merged:
                self._notes[merged[event.id]].events.append(event)
        self._order = NoteOrder(note for note in self.source.notes if not note.grace)
        self._places = Places(self.around.signature, self.around.lines, self._list_places)

    # What is there

    def knows(self, name: str) -> bool:
        """Whether a note of this id is or was in the part."""
        return name in self._notes or name in self._removed or name in self.source.merged

    @cached_property
    def _shown(self) -> dict[str, ScoreNote]:
        """The notes of the unedited part as the full score shows them."""
        return {note.id: note for note in self._arranged.notes if not note.grace}

    @cached_property
    def _arranged(self) -> ScorePart:
        return arrange_part(replace(self.source.staff, notes=tuple(sorted(self.source.notes))))

    @property
    def middle_pitch(self) -> float | None:
        """The pitch by which the clef is chosen; None to choose it by the notes as they are."""
        before = [note.pitch for note in self._arranged.notes]
        now = [note.pitch for note in self.list_written()]
        if not before or not now or abs(median(now) - median(before)) > _REGISTER_SEMITONES:
            return None
        return median(before)

    @cached_property
    def _is_line(self) -> bool:
        """Whether the part is a single line, in which each note ends when the next one begins."""
        part = self.source.part
        if part.is_drum:
            return False
        if part.id == VOCALS_ID or part.program in SINGERS:
            return True
        shown = sorted(self._shown.values())
        return all(
            before.stop_beats <= after.start_beats and before.staff == after.staff
            for before, after in pairwise(shown)
        )

    def list_written(self) -> Iterator[ScoreNote]:
        """Yield the notes as they are written now."""
        for note in self._notes.values():
            if note.written is not None:
                yield note.written

    def list_starts(self, position: Fraction) -> Iterator[Fraction]:
        """Yield where notes near a position begin."""
        for name in self._order.within(position - 1, position + 1):
            yield self._read(name).start_beats

    def _find(self, name: str) -> _Note:
        name = self.source.merged.get(name, name)
        if name not in self._notes:
            raise NoEffectError("the note is no longer there")
        return self._notes[name]

    def _find_written(self, name: str) -> tuple[_Note, ScoreNote]:
        """Return a note that the full score shows, and how it is written."""
        note = self._find(name)
        written = note.written
        is_hidden = self._is_line and note.id not in self._shown
        if written is None or (is_hidden and not written.grace):
            raise NoEffectError("the note is not on the page")
        return note, written

    def _find_long(self, name: str) -> tuple[_Note, ScoreNote]:
        """Return a note that has a length, and how it is written."""
        note, written = self._find_written(name)
        if written.grace:
            raise NoEffectError("a grace note has no value of its own")
        if self.source.part.is_drum:
            raise NoEffectError("a drum stroke has no value of its own")
        return note, written

    # Edits

    def edit(self, wanted: NoteEdit) -> NoteEdit:
        """Make an edit; return what is to be kept of it.

        Raises
        ------
        NoEffectError
            If it can change nothing.
        """
        match wanted:
            case MoveNote():
                return self._move(wanted)
            case SetPitch():
                self._set_pitch(wanted)
            case SetDuration():
                self._set_duration(wanted)
            case DeleteNote():
                self._delete(self._find(wanted.note))
            case SplitNote():
                self._split(wanted)
            case JoinNote():
                self._join(wanted)
        return wanted

    def _move(self, wanted: MoveNote) -> SetPitch:
        _, written = self._find_written(wanted.note)
        if self.source.part.is_drum:
            raise NoEffectError("drums are not moved")
        pitch, place = written.pitch, written.start_beats
        key = self.around.key_at(place)
        spelling = None
        if wanted.steps:
            target = step_in_key(pitch, key, wanted.steps)
        else:
            target = pitch + wanted.semitones
            if wanted.semitones % 12:
                spelling = self._spell_in_direction(target, place, wanted.semitones > 0)
            elif written.inflection:
                spelling = Spelling.RAISED if written.inflection > 0 else Spelling.LOWERED
        if not 0 <= target <= _HIGHEST:
            raise NoEffectError("the pitch would be out of range")
        settled = SetPitch(wanted.note, target, spelling)
        self._set_pitch(settled)
        return settled

    def _spell_in_direction(self, pitch: int, place: Fraction, is_upward: bool) -> Spelling | None:
        """Return how a note that was moved by semitones is spelt; None for the key's own notes.

        A leading note is raised, and a note of the chord is spelt from its root. Other notes follow
        the direction.
        """
        key, label = self.around.key_at(place), self.around.label_at(place)
        if pitch % 12 in scale_of(key):
            return None
        if (pitch - pitch_class(key.tonic)) % 12 == _LEADING_SEMITONES:
            return Spelling.RAISED
        if is_chord_tone(pitch, label):
            name = spell(pitch, key, label)
            is_upward = name == spell(pitch, key, inflection=1)
        return Spelling.RAISED if is_upward else Spelling.LOWERED

    def _set_pitch(self, wanted: SetPitch) -> None:
        note, written = self._find_written(wanted.note)
        pitch, inflection = wanted.pitch, INFLECTIONS[wanted.spelling]
        if self.source.part.is_drum:
            others = self._shown_pitches_at(written.start_beats, but=note.id)
            if not may_strike(pitch, others):
                raise NoEffectError("another stroke is written there")
        note.events = [replace(event, pitch=pitch, pitch_cents=0.0) for event in note.events]
        self.repitched.add(note.id)
        self._put(note, replace(written, pitch=pitch, inflection=inflection))
        self._clear(note)

    def _clear(self, note: _Note) -> None:
        """Keep a note of a single line apart from others.

        The notes before and after it must neither hide it nor be hidden by it, and those that the
        line does not show must not appear instead.
        """
        written = note.written
        if written is None or written.grace or not self._is_line:
            return
        start = written.start_beats
        before, limit = self._neighbour(start, -1), self._limit(note, written)
        if before is not None:
            self._end_by(before, start)
        if limit is not None:
            self._end_by(note, limit)
        self._leave_out_hidden(start, limit)

    def _leave_out_hidden(self, start: Fraction, stop: Fraction | None) -> None:
        """Leave out the notes of a single line that it does not show, so that they never appear."""
        for name in self._order.within(start, stop):
            if name not in self._shown:
                self._put(self._notes[name], None)

    def _set_duration(self, wanted: SetDuration) -> None:
        note, _ = self._find_long(wanted.note)
        written = self._settle(note)
        start = written.start_beats
        ends = start + self.around.to_beats(wanted.quarters)
        self._put(note, replace(written, duration_beats=Fraction(0)))  # its end need not stay
        stop = self._places.fit_after(start, ends)
        self._put(note, written)
        limit = self._limit(note, replace(written, duration_beats=stop - start))
        if limit is not None and stop > limit and not self._delay_next(start, stop):
            stop = limit
            if stop == written.stop_beats:
                raise NoEffectError("the next note begins where this one ends")
        self._put(note, replace(written, duration_beats=stop - start))
        self._clear(note)
        length_s = self._to_seconds(stop) - self._to_seconds(start)
        first = note.events[0]
        note.events[0] = replace(first, offset_s=max(first.onset_s + length_s, first.onset_s))

    def _delay_next(self, start: Fraction, stop: Fraction) -> bool:
        """Let the next note of a single line begin where a longer one ends, if that leaves enough.

        ``start`` is where the longer note begins. Returns whether it was possible.
        """
        following = self._neighbour(start, 1) if self._is_line else None
        if following is None:
            return False
        written = self._settle(following)
        left = written.stop_beats - stop
        if left < _LEAST_QUARTERS / self.around.signature.beat_quarters:
            return False
        self._put(following, replace(written, start_beats=stop, duration_beats=left))
        struck_s = self._to_seconds(stop)
        following.events = [
            replace(event, onset_s=struck_s, offset_s=max(event.offset_s, struck_s))
            for event in following.events
        ]
        return True

    def _delete(self, note: _Note) -> None:
        written = note.written
        if written is not None and not written.grace and not self.source.part.is_drum:
            self._hold_back(note, written)
            if self._is_line and note.id in self._shown:
                self._leave_out_hidden(written.start_beats, self._limit(note, written))
        self._remove(note)

    def _split(self, wanted: SplitNote) -> None:
        note, _ = self._find_long(wanted.note)
        written = self._settle(note)
        start, stop = written.start_beats, written.stop_beats
        if wanted.quarters is None:
            place = self._places.find_middle(start, stop)
        else:
            place = self._places.fit_after(start, start + self.around.to_beats(wanted.quarters))
        if place is None or not start < place < stop:
            raise NoEffectError("the note is too short to be split there")
        note.splits += 1
        later_id = f"{note.id}/{note.splits}"
        first, *merged = note.events
        struck_s = first.onset_s + self._to_seconds(place) - self._to_seconds(start)
        struck_s = max(struck_s, first.onset_s)
        ends_s = struck_s + self._to_seconds(stop) - self._to_seconds(place)
        later = replace(
            first,
            onset_s=struck_s,
            offset_s=first.offset_s if first.offset_s > struck_s else ends_s,
            id=later_id,
        )
        note.events = [replace(first, offset_s=struck_s), *merged]
        self._put(note, replace(written, duration_beats=place - start))
        self._create(
            _Note(later_id, [later], None),
            replace(
                written,
                start_beats=place,
                duration_beats=stop - place,
                id=later_id,
                arpeggio=False,
            ),
            like=note,
        )
        if note.id in self.repitched:
            self.repitched.add(later_id)

    def _join(self, wanted: JoinNote) -> None:
        note, written = self._find_long(wanted.note)
        following = self._find_repetition(note, written)
        if following is None:
            raise NoEffectError("no note of the same pitch follows")
        written, later = self._settle(note), self._settle(following)
        self._put(note, replace(written, duration_beats=later.stop_beats - written.start_beats))
        first = note.events[0]
        offset_s = max(first.offset_s, *(event.offset_s for event in following.events))
        note.events[0] = replace(first, offset_s=offset_s)
        self._remove(following)
        self._clear(note)

    def add(self, wanted: AddNote) -> None:
        """Add a note.

        Raises
        ------
        NoEffectError
            If there is no room for it.
        """
        self._added += 1
        name = f"{self.source.part.id}+{self._added}"
        place = self._locate(wanted.time_s)
        lines = self.around.lines
        if not lines[0] <= place < lines[-1]:
            raise NoEffectError("there is no bar at this time")
        if not self._has_room(wanted.pitch, self._shown_pitches_at(place)):
            raise NoEffectError("a note begins there already")
        is_placed = bool(self.source.placements)
        written = ScoreNote(
            place,
            self._places.fit_after(place, place + self.around.to_beats(wanted.quarters)) - place,
            wanted.pitch,
            self._find_velocity(place),
            staff=(wanted.staff or self._find_staff(place, wanted.pitch)) if is_placed else 1,
            settled=is_placed,
            given=not self.source.part.is_drum,
            inflection=INFLECTIONS[wanted.spelling],
            id=name,
        )
        note = _Note(name, [], None)
        limit = self._limit(note, written)
        if limit is not None and written.stop_beats > limit:
            written = replace(written, duration_beats=limit - place)
        onset_s = max(self._to_seconds(place), 0.0)
        event = NoteEvent(
            onset_s,
            max(self._to_seconds(written.stop_beats), onset_s),
            wanted.pitch,
            written.velocity,
            id=name,
        )
        note.events = [event]
        self._create(note, written, like=None)
        self.repitched.add(name)
        if self._is_line:
            self._clear(note)
        else:
            self._release(note, written)

    # Parts of edits

    def _settle(self, note: _Note) -> ScoreNote:
        """Give a note the length that it has on the page, once and for all."""
        written = note.written
        assert written is not None
        if written.given:
            return written
        shown = self._shown.get(note.id)
        if shown is not None and shown.start_beats == written.start_beats:
            written = replace(written, duration_beats=shown.duration_beats)
        settled = replace(written, given=True)
        limit = self._limit(note, settled)
        if limit is not None and settled.stop_beats > limit:
            settled = replace(settled, duration_beats=limit - settled.start_beats)
        self._put(note, settled)
        return settled

    def _limit(self, note: _Note, written: ScoreNote) -> Fraction | None:
        """Return where a note must end at the latest, if anywhere."""
        if self._is_line:
            following = self._neighbour(written.start_beats, 1)
            if following is None or following.written is None:
                return None
            return following.written.start_beats
        for name in self._order.after(written.start_beats):
            other = self._read(name)
            if other.start_beats >= written.stop_beats:
                return None
            if other.pitch == written.pitch and name != note.id:
                return other.start_beats
        return None

    def _end_by(self, note: _Note, limit: Fraction) -> None:
        """Shorten a note that sounds beyond a place at which another begins."""
        written = note.written
        if written is not None and written.start_beats < limit < written.stop_beats:
            self._put(note, replace(written, duration_beats=limit - written.start_beats))

    def _release(self, note: _Note, written: ScoreNote) -> None:
        """End an earlier note of the same pitch where a new one begins."""
        start = written.start_beats
        for name in self._order.within(start - _REACH_BEATS, start):
            if self._read(name).pitch == written.pitch and name != note.id:
                self._end_by(self._notes[name], start)

    def _hold_back(self, note: _Note, written: ScoreNote) -> None:
        """Keep the notes before one that is to be deleted from being written longer."""
        start = written.start_beats
        shown = self._shown.get(note.id)
        if shown is None:
            return
        place = (shown.staff, shown.voice)
        found: Fraction | None = None
        for name in islice(self._order.before(start), _NOTES_BEFORE):
            begin, before = self._read(name).start_beats, self._shown.get(name)
            if found is not None and begin < found:
                return
            if before is not None and (before.staff, before.voice) == place:
                found = begin
                if before.stop_beats <= start:
                    self._settle(self._notes[name])

    def _find_repetition(self, note: _Note, written: ScoreNote) -> _Note | None:
        """Return the note that a note may be joined with."""
        if self._is_line:
            following = self._neighbour(written.start_beats, 1)
            is_same = (
                following is not None
                and following.written is not None
                and following.written.pitch == written.pitch
            )
            return following if is_same else None
        reach = written.stop_beats + self.around.signature.beats
        for name in self._order.after(written.start_beats):
            other = self._read(name)
            if other.start_beats > reach:
                return None
            if other.pitch == written.pitch and name != note.id:
                return self._notes[name]
        return None

    def _neighbour(self, start: Fraction, direction: int) -> _Note | None:
        """Return the note of a single line that is shown before or after a position."""
        near = self._order.after(start) if direction > 0 else self._order.before(start)
        return next((self._notes[name] for name in near if name in self._shown), None)

    def _has_room(self, pitch: int, others: Sequence[int]) -> bool:
        """Whether a note can be written beside others at its position."""
        if self.source.part.is_drum:
            return may_strike(pitch, others)
        return not others if self._is_line else pitch not in others

    def _shown_pitches_at(self, start: Fraction, but: str = "") -> list[int]:
        """Return the pitches of the notes that begin at a position, without one of them."""
        shown = (name for name in self._order.at(start) if name in self._shown and name != but)
        return [self._read(name).pitch for name in shown]

    def _find_velocity(self, place: Fraction) -> int:
        """Return how loud the notes around a place are."""
        near = [*islice(self._order.before(place), 2), *islice(self._order.after(place), 2)]
        loud = [self._notes[name].events[0].velocity for name in near]
        return sorted(loud)[len(loud) // 2] if loud else _USUAL_VELOCITY

    def _find_staff(self, place: Fraction, pitch: int) -> int:
        """Return the staff of the note that is the nearest in pitch, of those around a place."""
        near = list(self._around(floor(place))) or list(self.list_written())
        return min(near, key=lambda n: abs(n.pitch - pitch)).staff if near else 1

    # Places

    def _locate(self, time_s: float) -> Fraction:
        """Return where a note that is heard at a time is to be written."""
        heard = self.around.clock.to_position(time_s)
        step = _PLACED_QUARTERS / self.around.signature.beat_quarters
        nearest = round(Fraction(heard) / step) * step
        candidates = [*self._list_places(floor(nearest)), nearest]
        return self._places.fit(min(candidates, key=lambda place: abs(float(place) - heard)))

    def _around(self, beat: int) -> Iterator[ScoreNote]:
        """Yield the notes that may begin or end in a beat, with the lengths that are shown."""
        for name in self._order.within(Fraction(beat - _REACH_BEATS), Fraction(beat + 1)):
            written = self._read(name)
            yield written if written.given else self._shown.get(name, written)

    def _list_places(self, beat: int) -> Iterator[Fraction]:
        """Yield where notes around a beat begin and end."""
        for note in self._around(beat):
            yield note.start_beats
            yield note.stop_beats

    def _to_seconds(self, position: Fraction) -> float:
        return self.around.clock.to_seconds(float(position))

    # Bookkeeping

    def _put(self, note: _Note, written: ScoreNote | None) -> None:
        """Write a note in another way, or not at all."""
        self.is_edited = True
        if note.written is not None and not note.written.grace:
            self._order.remove(note.written)
        note.written = written
        if written is not None and not written.grace:
            self._order.add(written)

    def _read(self, name: str) -> ScoreNote:
        """Return how a note that is in order is written."""
        written = self._notes[name].written
        assert written is not None
        return written

    def _create(self, note: _Note, written: ScoreNote, like: _Note | None) -> None:
        """Add a new note, which is shown as another one is."""
        shown = None if like is None else self._shown.get(like.id)
        self._shown[note.id] = (
            written if shown is None else replace(written, staff=shown.staff, voice=shown.voice)
        )
        self._notes[note.id] = note
        self._put(note, written)

    def _remove(self, note: _Note) -> None:
        self._put(note, None)
        del self._notes[note.id]
        self._removed.add(note.id)

    # The outcome

    def list_performed(self) -> list[tuple[NoteEvent, NotePlacement | None]]:
        """Return the performed notes, sorted, with placements if the part had any."""
        performed: list[tuple[NoteEvent, NotePlacement | None]] = []
        for note in self._notes.values():
            for number, event in enumerate(note.events):
                performed.append((event, self._place(note, event, number)))
        return sorted(performed, key=lambda pair: pair[0])

    def _place(self, note: _Note, event: NoteEvent, number: int) -> NotePlacement | None:
        if not self.source.placements:
            return None
        known = self.source.placements.get(event.id)
        written = note.written
        if number or written is None or written.grace:
            return known
        return NotePlacement(written.start_beats, written.duration_beats, written.staff > 1)

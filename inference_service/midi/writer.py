"""Write performances and scores as standard MIDI files, format 1.

Track 0 is the conductor track: tempo, time and key signatures, the written names of chords as
markers, and rehearsal marks as markers in brackets, which distinguish the mark A from the chord.
One track per part follows, with its name and program. Each has a channel of its own as long as
MIDI's fifteen pitched channels last; drums are on channel 10.

A performance keeps its timing to the millisecond and is still aligned with bars. Its tempo map has
one tempo per beat, computed from the time that the map has reached, so that rounding errors do not
accumulate. The time before the first beat becomes whole beats at a tempo of their own, and the
beats before the first downbeat a shorter bar. Ticks are fine enough for 1 ms at any tempo above
30 bpm.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import groupby, pairwise
from math import ceil
from typing import Final

import mido

from inference_service.music.chord_names import NO_CHORD_TEXT, write_label, write_segment
from inference_service.music.events import Key, NoteEvent, Transcription
from inference_service.music.metre import BarGrid, TimeSignature, align
from inference_service.music.pitch import build_key, key_fifths, pitch_class
from inference_service.music.score import Score, ScoreNote

TICKS_PER_QUARTER: Final = 960
GRACE_QUARTERS: Final = Fraction(1, 12)
"""Length at which a grace note is played, in quarter notes."""

DRUM_CHANNEL: Final = 9
_PITCHED_CHANNELS: Final = tuple(c for c in range(16) if c != DRUM_CHANNEL)
_HALF: Final = Fraction(1, 2)
_SLOWEST_US: Final = 0xFFFFFF
_MOST_FIFTHS: Final = 7
_MAJOR_KEYS: Final = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#",
                      "C#")  # fmt: skip
_MINOR_KEYS: Final = ("Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "C#m",
                      "G#m", "D#m", "A#m")  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class _Note:
    """A note in ticks."""

    onset_ticks: int
    offset_ticks: int
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class _Track:
    name: str
    program: int | None
    is_drum: bool
    notes: tuple[_Note, ...]


def encode_performance(transcription: Transcription) -> bytes:
    """Write a transcription with its performed timing.

    Returns
    -------
    bytes
        A MIDI file whose notes begin and end within a tick of the transcription's. A note that is
        struck again before it ends is cut there, as MIDI knows one note per key.
    """
    bars = align(transcription)
    tempo_map = _TempoMap.follow(bars)
    conductor = [
        *tempo_map.messages(),
        *_time_signatures(tempo_map.bar_ticks(bars), bars.signature),
        (0, _key_message(transcription.key)),
        *(
            (
                tempo_map.to_ticks(chord.start_s),
                _chord_message(write_segment(chord, transcription.key)),
            )
            for chord in transcription.chords
        ),
    ]
    tracks = [
        _Track(
            part.name,
            part.program,
            part.is_drum,
            tuple(_time_note(note, tempo_map) for note in part.notes),
        )
        for part in transcription.parts
    ]
    return _encode(conductor, tracks)


def encode_score(score: Score) -> bytes:
    """Write a score as notated, at a steady tempo.

    Swing is played: the second half of a beat begins after two thirds of it. Grace notes last
    ``GRACE_QUARTERS`` each and are played before the note that they lead to. A pickup begins with
    a whole beat, as MIDI's bars consist of beats.
    """
    quarters = score.signature.beat_quarters
    pickup = ceil(score.pickup_beats)

    def ticks(beats: Fraction) -> int:
        played = _swung(beats) if score.swing else beats
        return round((played + pickup) * quarters * TICKS_PER_QUARTER)

    tempo_us = round(60e6 / score.tempo_bpm / float(quarters))
    bars = score.bars()
    bar_ticks = [0, *(ticks(bar.start_beats) for bar in bars[1:]), ticks(bars[-1].stop_beats)]
    conductor = [
        (0, mido.MetaMessage("set_tempo", tempo=min(max(tempo_us, 1), _SLOWEST_US))),
        *_time_signatures(bar_ticks, score.signature),
        (0, _key_message(score.key)),
        *(
            (ticks(Fraction(change.start_beats)), _key_message(change.key))
            for change in score.key_changes
        ),
        *(
            (
                ticks(chord.start_beats),
                _chord_message(write_label(chord.label, score.key_at(chord.start_beats))),
            )
            for chord in score.chords
        ),
        *(
            (ticks(mark.start_beats), mido.MetaMessage("marker", text=f"[{mark.text}]"))
            for mark in score.marks
        ),
    ]  # fmt: skip
    tracks = [
        _Track(
            part.name,
            part.program,
            part.is_drum,
            tuple(
                _Note(ticks(n.start_beats), ticks(n.stop_beats), n.pitch, n.velocity)
                for n in part.notes
                if not n.grace
            )
            + tuple(_grace_notes(part.notes, ticks)),
        )
        for part in score.parts
    ]
    return _encode(conductor, tracks, title=score.title)


def _swung(beats: Fraction) -> Fraction:
    """Return the swung position of a written one.

    The halves of a beat become two thirds and one third; triplets are not changed.
    """
    within = beats % 1
    if within.denominator % 3 == 0:
        return beats
    played = within * Fraction(4, 3) if within < _HALF else 1 - (1 - within) * Fraction(2, 3)
    return beats - within + played


def _grace_notes(notes: Sequence[ScoreNote], ticks: Callable[[Fraction], int]) -> Iterator[_Note]:
    """Yield the grace notes, played one after another so that they end at their main note."""
    length = round(GRACE_QUARTERS * TICKS_PER_QUARTER)
    graces = sorted((n for n in notes if n.grace), key=lambda n: n.start_beats)
    for start, group in groupby(graces, lambda n: n.start_beats):
        members = list(group)
        last = max(n.grace for n in members)
        for note in members:
            onset = max(ticks(start) - (last + 1 - note.grace) * length, 0)
            yield _Note(onset, onset + length, note.pitch, note.velocity)


# Time


@dataclass(frozen=True, slots=True)
class _TempoMap:
    """A piecewise constant tempo.

    Attributes
    ----------
    ticks, times_s : tuple
        Start of each segment, in ticks and in seconds.
    tempos_us : tuple of int
        Tempo of each segment in microseconds per quarter note. The last one has no end.
    lead_beats : int
        Number of beats inserted before the first detected beat.
    beat_ticks : int
        Length of a beat.
    """

    ticks: tuple[int, ...]
    times_s: tuple[float, ...]
    tempos_us: tuple[int, ...]
    lead_beats: int
    beat_ticks: int

    @classmethod
    def follow(cls, bars: BarGrid) -> _TempoMap:
        """Return the tempo map on which every detected beat falls at its time."""
        quarters = float(bars.signature.beat_quarters)
        beat_ticks = round(bars.signature.beat_quarters * TICKS_PER_QUARTER)
        beat_times_s = [beat.time_s for beat in bars.grid.beats]
        first_s = beat_times_s[0]
        lead_beats = 0
        if first_s > 0:
            lead_beats = max(round(first_s / (beat_times_s[1] - first_s)), 1)
        targets_s = [first_s * k / lead_beats for k in range(lead_beats)] + beat_times_s
        ticks, times_s, tempos_us = [], [], []
        reached_s = 0.0
        for index, (_, target_s) in enumerate(pairwise(targets_s)):
            tempo_us = round((target_s - reached_s) * 1e6 / quarters)
            tempo_us = min(max(tempo_us, 1), _SLOWEST_US)
            ticks.append(index * beat_ticks)
            times_s.append(reached_s)
            tempos_us.append(tempo_us)
            reached_s += tempo_us * quarters / 1e6
        return cls(tuple(ticks), tuple(times_s), tuple(tempos_us), lead_beats, beat_ticks)

    def to_ticks(self, time_s: float) -> int:
        """Return the tick nearest to a time, not below 0."""
        piece = max(bisect_right(self.times_s, time_s) - 1, 0)
        passed_us = (time_s - self.times_s[piece]) * 1e6
        return max(
            self.ticks[piece] + round(passed_us / self.tempos_us[piece] * TICKS_PER_QUARTER), 0
        )

    def messages(self) -> Iterator[tuple[int, mido.MetaMessage]]:
        """Yield the tempo changes with their ticks."""
        in_force = 0
        for tick, tempo_us in zip(self.ticks, self.tempos_us, strict=True):
            if tempo_us != in_force:
                yield tick, mido.MetaMessage("set_tempo", tempo=tempo_us)
                in_force = tempo_us

    def bar_ticks(self, bars: BarGrid) -> list[int]:
        """Return the ticks of all bar lines, from 0.

        Before the first downbeat, full bars are counted back from it; the first may be shorter.
        """
        stop = len(bars.grid.beats)
        lines = [
            (line + self.lead_beats) * self.beat_ticks
            for line in bars.bar_starts(-self.lead_beats, stop)
        ]
        return [0, *(line for line in lines if line > 0)]


def _time_signatures(
    bar_ticks: Sequence[int], signature: TimeSignature
) -> Iterator[tuple[int, mido.MetaMessage]]:
    """Yield a time signature at the first bar and wherever the length of the bar changes."""
    beat_ticks = round(signature.beat_quarters * TICKS_PER_QUARTER)
    in_force = 0
    for start, stop in pairwise(bar_ticks):
        beats = max((stop - start) // beat_ticks, 1)
        if beats != in_force:
            yield (
                start,
                mido.MetaMessage(
                    "time_signature", numerator=min(beats, 255), denominator=signature.unit
                ),
            )
            in_force = beats


def _time_note(note: NoteEvent, tempo_map: _TempoMap) -> _Note:
    onset_ticks = tempo_map.to_ticks(note.onset_s)
    offset_ticks = max(tempo_map.to_ticks(note.offset_s), onset_ticks + 1)
    return _Note(onset_ticks, offset_ticks, note.pitch, note.velocity)


# Messages


def _key_message(key: Key) -> mido.MetaMessage:
    fifths = key_fifths(key)
    if abs(fifths) > _MOST_FIFTHS:
        fifths = key_fifths(build_key(pitch_class(key.tonic), key.mode))
    names = _MINOR_KEYS if key.mode == "minor" else _MAJOR_KEYS
    return mido.MetaMessage("key_signature", key=names[fifths + _MOST_FIFTHS])


def _chord_message(name: str) -> mido.MetaMessage:
    return mido.MetaMessage("marker", text=name or NO_CHORD_TEXT)


def _encode(
    conductor: Iterable[tuple[int, mido.MetaMessage]], tracks: Sequence[_Track], title: str = ""
) -> bytes:
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER, charset="utf-8")
    name = mido.MetaMessage("track_name", name=title)
    midi.tracks.append(_to_track([(0, name), *sorted(conductor, key=lambda pair: pair[0])]))
    pitched = 0
    for track in tracks:
        channel = DRUM_CHANNEL
        if not track.is_drum:
            channel = _PITCHED_CHANNELS[pitched % len(_PITCHED_CHANNELS)]
            pitched += 1
        midi.tracks.append(_to_track(_part_messages(track, channel)))
    buffer = BytesIO()
    midi.save(file=buffer)
    return buffer.getvalue()


def _part_messages(
    track: _Track, channel: int
) -> list[tuple[int, mido.Message | mido.MetaMessage]]:
    messages: list[tuple[int, mido.Message | mido.MetaMessage]] = [
        (0, mido.MetaMessage("track_name", name=track.name))
    ]
    if track.program is not None and not track.is_drum:
        messages.append((0, mido.Message("program_change", channel=channel, program=track.program)))
    events: list[tuple[int, int, int, mido.Message]] = []
    for note in _part_keys(track.notes):
        events.append(
            (
                note.onset_ticks,
                1,
                note.pitch,
                mido.Message(
                    "note_on", channel=channel, note=note.pitch, velocity=max(note.velocity, 1)
                ),
            )
        )
        events.append(
            (
                note.offset_ticks,
                0,
                note.pitch,
                mido.Message("note_off", channel=channel, note=note.pitch, velocity=0),
            )
        )
    events.sort(key=lambda event: event[:3])
    return messages + [(tick, message) for tick, _, _, message in events]


def _part_keys(notes: Iterable[_Note]) -> Iterator[_Note]:
    """Yield the notes such that no two overlap on one key.

    A note ends where the next on its key begins. Of two that begin together the longer is kept.
    """
    last: dict[int, _Note] = {}
    for note in sorted(notes):
        before = last.get(note.pitch)
        if before is not None and before.onset_ticks < note.onset_ticks:
            stop = min(before.offset_ticks, note.onset_ticks)
            yield _Note(before.onset_ticks, stop, before.pitch, before.velocity)
        last[note.pitch] = note
    yield from last.values()


def _to_track(
    messages: Iterable[tuple[int, mido.Message | mido.MetaMessage]],
) -> mido.MidiTrack:
    """Convert absolute ticks to MIDI's delta times."""
    track = mido.MidiTrack()
    now = 0
    for tick, message in messages:
        track.append(message.copy(time=tick - now))
        now = tick
    return track

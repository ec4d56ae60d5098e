"""Read a standard MIDI file as a :class:`Transcription`.

Each (track, channel) pair with notes is a part; channel 10 is drums. Beats follow the tempo map and
are counted by the time signatures from the beginning. In a file that was recorded without regard to
its tempo, they are meaningless. The key is that of the first key signature, or C major. Markers
that name chords, as lead sheets do or in Harte syntax, become chords.

The input is untrusted: its size, duration and number of notes are limited, and anything that cannot
be parsed raises :class:`ScoreUnreadable`.
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from typing import Final

import mido
from mido.midifiles.meta import KeySignatureError

from inference_service.errors import ScoreUnreadable
from inference_service.music.chord_names import read_chord
from inference_service.music.events import (
    Beat,
    ChordSegment,
    Key,
    Mode,
    NoteEvent,
    Part,
    Transcription,
)
from inference_service.music.limits import MAX_DURATION_S, MAX_NOTES, MAX_PARTS
from inference_service.music.part_ids import build_part_id
from inference_service.music.time import MIN_BEAT_S

MAX_BYTES: Final = 2_000_000
MAX_QUARTERS: Final = 100_000

_DRUM_CHANNEL: Final = 9
_DEFAULT_TEMPO_US: Final = 500_000
_UNPARSABLE: Final = (
    EOFError, ValueError, OSError, LookupError, TypeError, ArithmeticError, struct.error,
    KeySignatureError,
)  # fmt: skip


def decode_performance(data: bytes) -> Transcription:
    """Read a MIDI file.

    Parameters
    ----------
    data : bytes
        A standard MIDI file of format 0 or 1.

    Returns
    -------
    Transcription
        Without models or timings.

    Raises
    ------
    ScoreUnreadable
        If the file is not MIDI, is damaged, or exceeds the limits of this module.
    """
    if len(data) > MAX_BYTES:
        raise ScoreUnreadable(
            f"the MIDI file has {len(data)} bytes, over the limit of {MAX_BYTES}",
            size_bytes=len(data),
            limit_bytes=MAX_BYTES,
        )
    try:
        midi = mido.MidiFile(file=BytesIO(data), clip=True)
    except _UNPARSABLE as error:
        raise ScoreUnreadable(f"this is not a readable MIDI file: {error}") from error
    if midi.type == 2 or not 0 < midi.ticks_per_beat < 0x8000:
        raise ScoreUnreadable("only MIDI files of format 0 or 1 in ticks a quarter can be read")

    end_ticks = max((sum(m.time for m in track) for track in midi.tracks), default=0)
    if end_ticks > MAX_QUARTERS * midi.ticks_per_beat:
        raise ScoreUnreadable(f"the MIDI file is longer than {MAX_QUARTERS} quarter notes")
    conductor = _Conductor.collect(midi)
    clock = _Clock.build(conductor.tempos, midi.ticks_per_beat)
    duration_s = clock.to_seconds(end_ticks)
    if duration_s > MAX_DURATION_S:
        raise ScoreUnreadable(
            f"the MIDI file lasts {duration_s:.0f} s, over the limit of {MAX_DURATION_S:.0f}",
            limit_s=MAX_DURATION_S,
        )
    parts = _read_parts(midi, clock)
    beats = _lay_beats(conductor.signatures, clock, midi.ticks_per_beat, end_ticks)
    numerator, denominator = conductor.main_signature()
    return Transcription(
        duration_s=duration_s,
        tuning_cents=0.0,
        tempo_bpm=_tempo_bpm(beats),
        time_signature=f"{numerator}/{denominator}",
        key=conductor.key,
        parts=parts,
        beats=beats,
        chords=_read_chords(conductor.markers, clock, duration_s),
    )


# Time


@dataclass
class _Conductor:
    """Tempos, time signatures, markers and key of all tracks, by tick."""

    tempos: list[tuple[int, int]] = field(default_factory=list)
    signatures: list[tuple[int, int, int]] = field(default_factory=list)
    markers: list[tuple[int, str]] = field(default_factory=list)
    key: Key = Key("C", "major")  # noqa: RUF009 - immutable

    @classmethod
    def collect(cls, midi: mido.MidiFile) -> _Conductor:
        conductor = cls()
        keys = []
        for tick, message in (pair for track in midi.tracks for pair in _absolute(track)):
            if message.type == "set_tempo" and message.tempo > 0:
                conductor.tempos.append((tick, message.tempo))
            elif message.type == "time_signature" and message.numerator > 0:
                conductor.signatures.append((tick, message.numerator, message.denominator))
            elif message.type == "key_signature":
                keys.append((tick, message.key))
            elif message.type == "marker":
                conductor.markers.append((tick, message.text))
        conductor.tempos.sort()
        conductor.signatures.sort(key=lambda signature: signature[0])
        conductor.markers.sort()
        if keys:
            conductor.key = _parse_key(min(keys)[1])
        return conductor

    def main_signature(self) -> tuple[int, int]:
        """Return the first time signature, or the second if the first is that of a pickup."""
        if not self.signatures:
            return 4, 4
        _, numerator, denominator = self.signatures[0]
        if len(self.signatures) > 1:
            start, next_numerator, next_denominator = self.signatures[1]
            if next_numerator > numerator and next_denominator == denominator and start > 0:
                return next_numerator, _plain(next_denominator)
        return numerator, _plain(denominator)


def _plain(denominator: int) -> int:
    """Limit a denominator to those of written signatures."""
    return min(max(denominator, 1), 32)


@dataclass(frozen=True, slots=True)
class _Clock:
    """Conversion from ticks to seconds along the tempo map."""

    ticks: tuple[int, ...]
    times_s: tuple[float, ...]
    tick_s: tuple[float, ...]

    @classmethod
    def build(cls, tempos: Sequence[tuple[int, int]], ticks_per_quarter: int) -> _Clock:
        ticks, times_s, tick_s = [0], [0.0], [_DEFAULT_TEMPO_US / 1e6 / ticks_per_quarter]
        for tick, tempo_us in tempos:
            times_s.append(times_s[-1] + (tick - ticks[-1]) * tick_s[-1])
            ticks.append(tick)
            tick_s.append(tempo_us / 1e6 / ticks_per_quarter)
        return cls(tuple(ticks), tuple(times_s), tuple(tick_s))

    def to_seconds(self, tick: int) -> float:
        piece = bisect_right(self.ticks, tick) - 1
        return self.times_s[piece] + (tick - self.ticks[piece]) * self.tick_s[piece]


def _lay_beats(
    signatures: Sequence[tuple[int, int, int]],
    clock: _Clock,
    ticks_per_quarter: int,
    end_ticks: int,
) -> tuple[Beat, ...]:
    """Return the beats to the end of the music, numbered by the time signatures.

    A single shorter bar at the beginning is a pickup: its beats are numbered as the last of a bar.
    """
    first = [] if signatures and signatures[0][0] == 0 else [(0, 4, 4)]
    changes = [*first, *signatures, (end_ticks, 0, 0)]
    beats: list[Beat] = []
    for index, (change, following) in enumerate(pairwise(changes)):
        start, numerator, denominator = change
        beat_ticks = ticks_per_quarter * 4 / _plain(denominator)
        count = math.ceil((following[0] - start) / beat_ticks)
        is_lead = index == 0 and count == numerator < following[1]
        first_position = following[1] - count if is_lead else 0
        for k in range(count):
            time_s = clock.to_seconds(round(start + k * beat_ticks))
            if not beats or time_s - beats[-1].time_s >= MIN_BEAT_S:
                beats.append(Beat(time_s, first_position + k % numerator + 1))
    return tuple(beats)


def _tempo_bpm(beats: Sequence[Beat]) -> float:
    intervals_s = sorted(after.time_s - before.time_s for before, after in pairwise(beats))
    return 60.0 / intervals_s[len(intervals_s) // 2] if intervals_s else 120.0


# Parts


def _read_parts(midi: mido.MidiFile, clock: _Clock) -> tuple[Part, ...]:
    parts: list[Part] = []
    used: set[str] = set()
    count = 0
    for track in midi.tracks:
        for channel, notes, program in _read_track(track, clock):
            count += len(notes)
            if count > MAX_NOTES or len(parts) == MAX_PARTS:
                raise ScoreUnreadable(
                    f"the MIDI file holds more than {MAX_NOTES} notes or {MAX_PARTS} parts"
                )
            is_drum = channel == _DRUM_CHANNEL
            name = _text(track.name).strip() or ("Drums" if is_drum else "Piano")
            parts.append(
                Part(
                    build_part_id(name, used),
                    name,
                    tuple(sorted(notes)),
                    None if is_drum else program,
                    is_drum,
                )
            )
    return tuple(parts)


def _read_track(
    track: mido.MidiTrack, clock: _Clock
) -> Iterator[tuple[int, list[NoteEvent], int | None]]:
    """Yield channel, notes and program for each channel of a track that has notes.

    A note that is struck again ends there. A note without an end lasts to the end of the track.
    """
    notes: dict[int, list[NoteEvent]] = {}
    programs: dict[int, int] = {}
    open_notes: dict[tuple[int, int], tuple[int, int]] = {}
    now = 0  # tick of the last message, also needed after the loop

    def close(key: tuple[int, int], tick: int) -> None:
        struck = open_notes.pop(key, None)
        if struck is None or tick <= struck[0]:
            return
        onset_ticks, velocity = struck
        notes.setdefault(key[0], []).append(
            NoteEvent(clock.to_seconds(onset_ticks), clock.to_seconds(tick), key[1], velocity)
        )

    for now, message in _absolute(track):
        if message.type == "program_change":
            programs.setdefault(message.channel, message.program)
        elif message.type in ("note_on", "note_off"):
            key = (message.channel, message.note)
            close(key, now)
            if message.type == "note_on" and message.velocity > 0:
                open_notes[key] = (now, message.velocity)
    for key in list(open_notes):
        close(key, now)
    for channel in sorted(notes):
        yield channel, notes[channel], programs.get(channel)


def _absolute(track: Iterable[mido.Message]) -> Iterator[tuple[int, mido.Message]]:
    now = 0
    for message in track:
        now += message.time
        yield now, message


def _text(text: str) -> str:
    """Decode text as UTF-8 if possible; mido reads it as Latin-1."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _parse_key(name: str) -> Key:
    mode: Mode = "minor" if name.endswith("m") else "major"
    return Key(name.removesuffix("m"), mode)


def _read_chords(
    markers: Sequence[tuple[int, str]], clock: _Clock, duration_s: float
) -> tuple[ChordSegment, ...]:
    """Return the markers that name chords, each lasting until the next."""
    named = ((tick, read_chord(_text(text))) for tick, text in markers)
    starts = [(clock.to_seconds(tick), label) for tick, label in named if label is not None]
    stops = [*(start_s for start_s, _ in starts[1:]), duration_s][: len(starts)]
    return tuple(
        ChordSegment(start_s, stop_s, label)
        for (start_s, label), stop_s in zip(starts, stops, strict=True)
        if stop_s > start_s
    )

"""Guitar Pro files, versions 3 to 5, read with PyGuitarPro: the format of tablature sites.

A tablature is written rather than played: its notes are exactly on the grid and have few dynamic
levels, so each piece is ``deadpan``. Playing techniques are read where they change which notes
sound, or when:

- repeats and alternative endings are unfolded;
- ties and let-ring lengthen a note, palm muting and staccato shorten it;
- grace notes, trills and tremolos become notes;
- natural harmonics get the pitch that sounds; capos and triplet feel are applied.

Dead notes have no pitch and are dropped. Bends and slides are read at the fretted pitch. Jumps to
segno and coda are not followed: bars are played in written order. A bar has the tempo in force
where it is written, even when it is reached by a repeat. Bars last as long as their time signature
says; notes beyond that are cut off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import Key
from inference_service.music.pitch import build_key
from inference_service.music.repeats import Signs, unfold
from model_zoo.training.sources.extra import load_extra
from model_zoo.training.sources.piece import (
    UNSTATED,
    VELOCITY,
    Licence,
    Line,
    Origin,
    Piece,
    guess_role,
)
from model_zoo.training.sources.splits import name_work, read_title
from model_zoo.training.sources.survey import Entry

SUFFIXES: Final = (".gp3", ".gp4", ".gp5")
TICKS_PER_QUARTER: Final = 960
SHORTENED: Final = 0.5
GHOST, ACCENT, HEAVY_ACCENT = -32, 12, 24

_HARMONICS: Final = {
    2: 36,
    3: 31,
    4: 28,
    5: 24,
    7: 19,
    8: 36,
    9: 28,
    12: 12,
    16: 28,
    19: 19,
    24: 24,
}
"""Semitones of the natural harmonic at each fret above the open string."""


class _Note(NamedTuple):
    """A note as it sounds; times in seconds."""

    onset: float
    offset: float
    pitch: int
    velocity: float
    program: int


def list_guitar_pro(folder: Path, licence: Licence = UNSTATED) -> Iterator[Entry]:
    """List the Guitar Pro files below ``folder``, sorted by name."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            yield Entry(str(path.relative_to(folder)), partial(read_guitar_pro, path, licence))


def read_guitar_pro(path: Path, licence: Licence = UNSTATED) -> Piece:
    """Read a Guitar Pro file.

    Raises
    ------
    MissingExtra
        If PyGuitarPro is not installed.
    ValueError
        If the file is damaged, or has another version.
    """
    library = load_extra("guitarpro")
    try:
        song = library.parse(str(path))
    except Exception as error:  # PyGuitarPro raises anything on a damaged file
        raise ValueError(f"{path.name}: {error}") from error
    headers = song.measureHeaders
    order = unfold(
        [Signs(h.isRepeatOpen, max(h.repeatClose, 0), h.repeatAlternative) for h in headers]
    )
    tempos = _read_tempos(song)
    clock = _Clock.build(headers, order, tempos)
    lines = [
        line
        for track in song.tracks
        if not track.isMute
        for line in _read_track(track, order, clock)
    ]
    beats_s, positions = clock.lay_beats([headers[index] for index in order])
    first = headers[0].timeSignature
    return Piece(
        name=path.name,
        lines=tuple(lines),
        beats_s=beats_s,
        positions=positions,
        bar_beats=int(positions.max()) if len(positions) else first.numerator,
        compound=int(_is_compound(first)),
        key=_read_key(song),
        deadpan=True,
        origin=Origin("guitarpro", name_work(song.title.strip() or read_title(path.stem)), licence),
    )


@dataclass(frozen=True, slots=True)
class _Clock:
    """Maps ticks within played bars to seconds."""

    ticks: list[NDArray[np.float64]]
    seconds: list[NDArray[np.float64]]

    @classmethod
    def build(
        cls, headers: Sequence[Any], order: Sequence[int], tempos: list[list[tuple[int, float]]]
    ) -> _Clock:
        ticks: list[NDArray[np.float64]] = []
        seconds: list[NDArray[np.float64]] = []
        now_s = 0.0
        for index in order:
            changes = tempos[index]
            edges = np.array([*(tick for tick, _ in changes), headers[index].length], float)
            quarters = np.diff(edges) / TICKS_PER_QUARTER
            lengths_s = quarters * 60.0 / np.array([bpm for _, bpm in changes])
            ticks.append(edges)
            seconds.append(now_s + np.concatenate([[0.0], np.cumsum(lengths_s)]))
            now_s = float(seconds[-1][-1])
        return cls(ticks, seconds)

    def at(self, played: int, tick: float) -> float:
        """Return the time of a tick within the bar with index ``played`` in playing order."""
        return float(np.interp(tick, self.ticks[played], self.seconds[played]))

    def lay_beats(self, headers: Sequence[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the times of the beats, and their positions in the bar."""
        beats_s: list[float] = []
        positions: list[int] = []
        for played, header in enumerate(headers):
            signature = header.timeSignature
            parts = 3 if _is_compound(signature) else 1
            step = signature.denominator.time * parts
            for beat in range(signature.numerator // parts):
                beats_s.append(self.at(played, beat * step))
                positions.append(beat + 1)
        return np.array(beats_s, np.float64), np.array(positions, np.int64)


def _is_compound(signature: Any) -> bool:
    return bool(
        signature.numerator > 3 and signature.numerator % 3 == 0 and signature.denominator.value > 4
    )


def _read_tempos(song: Any) -> list[list[tuple[int, float]]]:
    """Return the tempo changes of each written bar: tick within the bar, quarters a minute."""
    tempo = float(max(song.tempo, 1))
    tempos: list[list[tuple[int, float]]] = []
    for index, header in enumerate(song.measureHeaders):
        changes: dict[int, float] = {}
        for track in song.tracks:
            for voice in track.measures[index].voices:
                for beat in voice.beats:
                    change = beat.effect.mixTableChange
                    if change is not None and change.tempo is not None and change.tempo.value > 0:
                        tick = int(np.clip(beat.start - header.start, 0, header.length - 1))
                        changes[tick] = float(change.tempo.value)
        bar = [(0, changes.pop(0, tempo)), *sorted(changes.items())]
        tempo = bar[-1][1]
        tempos.append(bar)
    return tempos


def _read_track(track: Any, order: Sequence[int], clock: _Clock) -> Iterator[Line]:
    """Yield a line for each instrument that the track uses."""
    notes: list[_Note] = []
    sounding: dict[int, int] = {}  # index of the last note on each string
    ringing: set[int] = set()
    programs = _read_programs(track)
    for played, index in enumerate(order):
        measure = track.measures[index]
        for voice in measure.voices:
            for beat in voice.beats:
                onset = min(beat.start - measure.start, measure.length)
                offset = min(onset + beat.duration.time, measure.length)
                for note in beat.notes:
                    times = tuple(
                        clock.at(played, _swing(tick, measure.tripletFeel))
                        for tick in (onset, offset)
                    )
                    _add(note, times, programs[index], notes, sounding, ringing)
        end_s = clock.at(played, measure.length)
        for number in ringing:
            notes[number] = _lengthen(notes[number], end_s)
        ringing.clear()
    for program in sorted({note.program for note in notes}):
        rows = [
            (note.onset, note.offset, note.pitch, note.velocity)
            for note in notes
            if note.program == program and note.offset > note.onset
        ]
        if not rows:
            continue
        array = np.array(sorted(rows), np.float64)
        array[:, VELOCITY] = np.clip(array[:, VELOCITY], 1, 127)
        drums, name = track.isPercussionTrack, track.name.strip()
        yield Line(
            role="drums" if drums else guess_role(program, array, name),
            notes=array,
            pedal=np.zeros((0, 2)),
            program=None if drums else program,
            name=name,
        )


def _read_programs(track: Any) -> list[int]:
    """Return the instrument of each written bar: the last one set before the bar ends."""
    program = int(track.channel.instrument)
    programs = []
    for measure in track.measures:
        for beat in (beat for voice in measure.voices for beat in voice.beats):
            change = beat.effect.mixTableChange
            if change is not None and change.instrument is not None:
                program = int(change.instrument.value)
        programs.append(0 if track.isPercussionTrack else int(np.clip(program, 0, 127)))
    return programs


def _swing(tick: float, feel: Any) -> float:
    """Apply triplet feel: the second half of a quarter (or eighth) starts at two thirds of it."""
    if not feel.value:
        return tick
    span = TICKS_PER_QUARTER / feel.value
    whole, rest = divmod(tick, span)
    half = span / 2
    swung = rest * 4 / 3 if rest < half else span * 2 / 3 + (rest - half) * 2 / 3
    return float(whole * span + swung)


def _add(
    note: Any,
    times: tuple[float, ...],
    program: int,
    notes: list[_Note],
    sounding: dict[int, int],
    ringing: set[int],
) -> None:
    onset, offset = times
    kind, effect = note.type.name, note.effect
    last = sounding.get(note.string)
    if kind == "tie":
        if last is not None:
            notes[last] = _lengthen(notes[last], offset)
            if effect.letRing:
                ringing.add(last)
        return
    if last is not None:
        ringing.discard(last)
        if notes[last].offset > onset:
            notes[last] = notes[last]._replace(offset=max(onset, notes[last].onset))
    if kind != "normal" or offset <= onset:
        sounding.pop(note.string, None)
        return
    velocity = float(note.velocity)
    velocity += GHOST * effect.ghostNote + ACCENT * effect.accentuatedNote
    velocity += HEAVY_ACCENT * effect.heavyAccentuatedNote
    pitch = _read_pitch(note)
    for begun, ended, sounded in _ornament(note, onset, offset, pitch):
        notes.append(_Note(begun, ended, sounded, velocity, program))
    sounding[note.string] = len(notes) - 1
    if effect.letRing and not note.beat.voice.measure.track.isPercussionTrack:
        ringing.add(len(notes) - 1)


def _read_pitch(note: Any) -> int:
    track = note.beat.voice.measure.track
    if track.isPercussionTrack:
        return int(note.value)
    open_string = track.strings[note.string - 1].value + track.offset
    harmonic = note.effect.harmonic
    if harmonic is None:
        return int(open_string + note.value)
    if type(harmonic).__name__ == "NaturalHarmonic":
        return int(open_string + _HARMONICS.get(note.value, note.value + 12))
    return int(open_string + note.value + 12)


def _ornament(
    note: Any, onset: float, offset: float, pitch: int
) -> Iterator[tuple[float, float, int]]:
    """Yield the notes that a written note sounds as: onset and offset in seconds, pitch."""
    effect = note.effect
    length = offset - onset
    if effect.grace is not None and not effect.grace.isDead:
        begun = min(length / 2, 0.08)
        yield onset, onset + begun, pitch + effect.grace.fret - note.value
        onset, length = onset + begun, length - begun
    fast = effect.tremoloPicking or effect.trill
    if fast is not None:
        share = fast.duration.time / max(note.beat.duration.time, 1)
        count = int(np.clip(round(1 / share), 1, 64))
        other = pitch + (effect.trill.fret - note.value if effect.trill else 0)
        edges = np.linspace(onset, offset, count + 1)
        for k in range(count):
            yield float(edges[k]), float(edges[k + 1]), other if k % 2 else pitch
        return
    if effect.palmMute or effect.staccato:
        offset = onset + length * SHORTENED
    yield onset, offset, pitch


def _lengthen(note: _Note, offset: float) -> _Note:
    return note._replace(offset=max(note.offset, offset))


def _read_key(song: Any) -> Key | None:
    """Return the key of the first bar; None for C major, the default of files that state no key."""
    fifths, minor = song.measureHeaders[0].keySignature.value
    if not fifths and not minor:
        return None
    tonic = 7 * fifths + (9 if minor else 0)
    return build_key(tonic % 12, "minor" if minor else "major")

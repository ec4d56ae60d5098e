"""Small archives in the form of the corpora's."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import mido

from tests.unit.model_zoo.training.rhythm.pieces import attributes, note, write

BEAT_S = 0.5
MELODY = (64, 65, 67, 69, 67, 65, 64, 62)


def pack(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write a zip file."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def pop_song(
    name: str = "001",
    *,
    bars: int = 20,
    bar_beats: int = 4,
    late_beats: int = 0,
    chords: Sequence[str] = ("C:maj", "A:min", "F:maj", "G:7"),
    keys: Sequence[tuple[float, str]] = ((0.0, "C:maj"),),
) -> dict[str, str | bytes]:
    """A song of POP909: a melody of eighths from the second bar on, a chord to each bar.

    The file's own bars begin ``late_beats`` after the recording's.
    """
    count = bars * bar_beats
    counted = 4 if bar_beats == 4 else 6
    rows = [
        f"{beat * BEAT_S} {float(beat % 2 == 0)} {float((beat - late_beats) % counted == 0)}"
        for beat in range(count)
    ]
    recorded = [f"{beat * BEAT_S + 0.02}\t{beat % bar_beats + 1.0}" for beat in range(count)]
    labels = [
        f"{bar * bar_beats * BEAT_S}\t{(bar + 1) * bar_beats * BEAT_S}\t{chords[bar % len(chords)]}"
        for bar in range(bars)
        if chords
    ]
    end_s = count * BEAT_S
    melody = [
        (0.5 * beat, 0.5, MELODY[beat % len(MELODY)]) for beat in range(2 * bar_beats, 2 * count)
    ]
    piano = [(float(beat), 1.0, 36) for beat in range(0, count, bar_beats)]
    data = io.BytesIO()
    midi = mido.MidiFile(ticks_per_beat=480)
    midi.tracks += [_track("MELODY", melody), _track("PIANO", piano)]
    midi.save(file=data)
    return {
        f"{name}/{name}.mid": data.getvalue(),
        f"{name}/beat_midi.txt": "\n".join(rows),
        f"{name}/beat_audio.txt": "\n".join(recorded),
        f"{name}/chord_midi.txt": "\n".join(labels),
        f"{name}/chord_audio.txt": "\n".join(labels),
        f"{name}/key_audio.txt": "".join(f"{at_s}\t{end_s}\t{key}\n" for at_s, key in keys),
    }


def _track(name: str, notes: Sequence[tuple[float, float, int]]) -> mido.MidiTrack:
    """Notes as beats of 480 ticks: start, duration, pitch."""
    events = []
    for start, duration, pitch in notes:
        events.append((round(start * 480), 1, pitch))
        events.append((round((start + duration) * 480), 0, pitch))
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    tick = 0
    for at, is_on, pitch in sorted(events):
        kind = "note_on" if is_on else "note_off"
        track.append(mido.Message(kind, note=pitch, velocity=80, time=at - tick))
        tick = at
    return track


def harmony(root: str, kind: str) -> str:
    """A chord symbol in MusicXML; its root such as ``B flat``."""
    alter = "<root-alter>-1</root-alter>" if root.endswith(" flat") else ""
    step = f"<root-step>{root[0]}</root-step>"
    return f"<harmony><root>{step}{alter}</root><kind>{kind}</kind></harmony>"


def meter(beats: int, unit: int, *, fifths: int = 0, staves: int = 1) -> str:
    """Attributes with a time signature."""
    time = f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>"
    return attributes(time, fifths=fifths, staves=staves)


def sheet(
    bars: int = 20, *, fifths: int = 0, pickup: bool = False, last: tuple[str, str] = ("F", "major")
) -> bytes:
    """A tune in F, with a chord to each bar; the last is ``last``."""
    chords = [("F", "major"), ("B flat", "major"), ("C", "dominant"), ("F", "major")]
    tunes = [("F4", "A4"), ("Bb4", "D5"), ("C5", "E4"), ("F4", "C4")]
    measures = [meter(4, 4, fifths=fifths) + note("C4", 2)] if pickup else []
    for number in range(bars):
        chord = last if number == bars - 1 else chords[number % 4]
        first, second = tunes[number % 4]
        measures.append(harmony(*chord) + note(first, 3) + note(second, 1) + note(first, 4))
    if not pickup:
        measures[0] = meter(4, 4, fifths=fifths) + measures[0]
    return write(measures)

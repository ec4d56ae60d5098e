"""Mutopia: pieces for keyboards, guitars and voices as MIDI files that LilyPond wrote, as arrays.

Notes stand where they are written, a staff in a track. LilyPond's MIDI does not know of pickups;
their length is in the archive's index, and moves the bars. Works of composers whose pieces measure
notation (docs/notation.md) are left out.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import mido
import numpy as np

from model_zoo.training.sources.midi import read_line
from model_zoo.training.sources.scores import MARKS, WrittenPiece

MEASURED_ON: Final = (
    "BachJS", "Balakirev", "BalakirevM", "BeethovenLv", "BrahmsJ", "ChopinFF", "DebussyC",
    "GlinkaM", "GlinkaMI", "HaydnFJ", "LisztF", "MozartWA", "ProkofievS", "RachmaninoffS",
    "RachmaninovS", "RavelM", "SchubertF", "SchumannR", "ScriabinA",
)  # fmt: skip

_DRUMS: Final = 9
_FIFTHS: Final = {
    name: fifths
    for fifths, names in enumerate(
        ("Cb Abm", "Gb Ebm", "Db Bbm", "Ab Fm", "Eb Cm", "Bb Gm", "F Dm", "C Am", "G Em", "D Bm",
         "A F#m", "E C#m", "B G#m", "F# D#m", "C# A#m"), start=-7,
    )
    for name in names.split()
}  # fmt: skip


def read_mutopia(path: Path) -> Iterator[WrittenPiece]:
    """Read the pieces of the archive, leaving out malformed files."""
    with zipfile.ZipFile(path) as files:
        rows = list(csv.DictReader(io.StringIO(files.read("index.csv").decode())))
        for row in rows:
            if row["composer"] in MEASURED_ON:
                continue
            for name in row["midi_files"].split(";"):
                data = files.read(f"midi/{name.strip()}")
                try:
                    yield parse_midi_score(name.strip(), data, float(row["pickup_quarters"] or 0))
                except (ValueError, OSError, EOFError):
                    continue


def parse_midi_score(name: str, data: bytes, pickup_q: float) -> WrittenPiece:
    """Read a MIDI file in strict time; its tracks with notes are parts of one staff.

    Parameters
    ----------
    pickup_q : float
        Quarters before the first whole bar.

    Raises
    ------
    ValueError
        If it has no notes, or is malformed.
    """
    midi = mido.MidiFile(file=io.BytesIO(data))
    ticks = np.array([0.0, 1e9])
    tracks = [
        track
        for track in midi.tracks
        if not any(getattr(message, "channel", 0) == _DRUMS for message in track)
    ]
    lines = [read_line(track, (ticks, ticks / midi.ticks_per_beat), "melody") for track in tracks]
    lines = [line for line in lines if len(line.notes)]
    if not lines:
        raise ValueError(f"{name}: no notes")
    notes = np.concatenate([line.notes for line in lines])
    part = np.repeat(np.arange(len(lines)), [len(line.notes) for line in lines])
    order = np.lexsort((notes[:, 2], notes[:, 0]))
    notes, part = notes[order], part[order]
    count = len(notes)
    starts_q, signatures = _lay_bars(midi, pickup_q, float(notes[:, 1].max()))
    return WrittenPiece(
        name=name,
        onset_q=notes[:, 0],
        duration_q=notes[:, 1] - notes[:, 0],
        pitch=notes[:, 2].astype(np.int64),
        part=part,
        staff=np.ones(count, np.int64),
        grace=np.zeros(count, bool),
        marks=np.zeros((count, len(MARKS)), bool),
        bar_start_q=np.array(starts_q),
        bar_beats=np.array([beats for beats, _, _ in signatures]),
        bar_unit=np.array([unit for _, unit, _ in signatures]),
        bar_fifths=np.array([fifths for _, _, fifths in signatures]),
        staves=(1,) * len(lines),
    )


def _lay_bars(
    midi: mido.MidiFile, pickup_q: float, end_q: float
) -> tuple[list[float], list[tuple[int, int, int]]]:
    """Return where bars begin, and their signatures: beats, unit and fifths."""
    changes: list[tuple[float, mido.MetaMessage]] = []
    for track in midi.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type in ("time_signature", "key_signature"):
                changes.append((tick / midi.ticks_per_beat, message))
    changes.sort(key=lambda change: change[0])
    beats, unit, fifths = 4, 4, 0
    starts_q: list[float] = []
    signatures: list[tuple[int, int, int]] = []
    now_q, following = 0.0, 0
    while now_q < end_q - 1e-6:
        while following < len(changes) and changes[following][0] <= now_q + 1e-6:
            message = changes[following][1]
            if message.type == "time_signature":
                beats, unit = message.numerator, message.denominator
            else:
                fifths = _FIFTHS.get(message.key, fifths)
            following += 1
        starts_q.append(now_q)
        signatures.append((beats, unit, fifths))
        now_q += pickup_q if pickup_q and len(starts_q) == 1 else 4 * beats / unit
    return starts_q, signatures

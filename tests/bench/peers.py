"""Other notations of a performance: MuseScore 3's import, and music21's quantise.

Results are cached. Both peers read the same MIDI file as Notabot.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tests.bench.written import WrittenNote, WrittenScore, build_written_score, read_musicxml_notes

_MUSESCORE = ("mscore3", "musescore3")
_TIME_LIMIT_S = 600


def find_musescore() -> str | None:
    """Return the command of MuseScore 3, or None where it is not installed."""
    return next((path for name in _MUSESCORE if (path := shutil.which(name))), None)


def import_by_musescore(performance: bytes, cached: Path) -> bytes:
    """Return MusicXML of a MIDI file, as Debian's ``musescore3`` imports it by default.

    Raises
    ------
    FileNotFoundError
        If MuseScore 3 is not installed.
    subprocess.SubprocessError
        If it fails, or takes more than ten minutes.
    """
    if not cached.exists():
        command = find_musescore()
        if command is None:
            raise FileNotFoundError("no MuseScore 3: install musescore3")
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "performance.mid", Path(folder) / "score.musicxml"
            source.write_bytes(performance)
            subprocess.run(
                [command, "-o", str(target), str(source)],
                check=True,
                capture_output=True,
                timeout=_TIME_LIMIT_S,
                env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
            )
            _write_whole(cached, gzip.compress(target.read_bytes(), 6))
    return gzip.decompress(cached.read_bytes())


def notate_by_musescore(performance: bytes, cached: Path) -> WrittenScore:
    """Read what :func:`import_by_musescore` writes."""
    return read_musicxml_notes(import_by_musescore(performance, cached))


def notate_by_music21(performance: bytes, cached: Path) -> WrittenScore:
    """Read a MIDI file with music21, which quantises to 16ths and triplets of eighths.

    Each part has one staff; metre and key are the file's, which nobody has estimated.
    """
    if not cached.exists():
        score = _parse_with_music21(performance)
        table = np.array(
            [(n.onset, n.offset, n.pitch, n.staff, n.voice, n.spelling) for n in score],
            dtype=[("onset", "f8"), ("offset", "f8"), ("pitch", "i8"), ("staff", "i8"),
                   ("voice", "i8"), ("spelling", "U4")],
        )  # fmt: skip
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=cached.parent, suffix=".npy", delete=False) as file:
            np.save(file, table)
        Path(file.name).replace(cached)
    notes = [WrittenNote(*row) for row in np.load(cached).tolist()]
    return build_written_score(notes, times=[], keys=[], bars=[])


def _parse_with_music21(performance: bytes) -> list[WrittenNote]:
    from music21 import midi

    file = midi.MidiFile()
    file.readstr(performance)
    score = midi.translate.midiFileToStream(file, quantizePost=True, quarterLengthDivisors=(4, 3))
    notes: list[WrittenNote] = []
    for staff, part in enumerate(score.parts, start=1):
        open_notes: dict[int, WrittenNote] = {}
        for element in part.flatten().notes:
            onset = float(element.offset)
            offset = onset + float(element.quarterLength)
            for head in element.notes if element.isChord else [element]:
                number = int(head.pitch.midi)
                tie = head.tie.type if head.tie is not None else ""
                note = open_notes.pop(number, None) if tie in ("stop", "continue") else None
                if note is None:
                    spelling = head.pitch.name.replace("-", "b")
                    note = WrittenNote(onset, offset, number, staff, 1, spelling)
                    notes.append(note)
                note.offset = offset
                if tie in ("start", "continue"):
                    open_notes[number] = note
    return notes


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(data)
    partial.replace(path)

"""Whether swing is found in recorded jazz and shuffles, and in little else.

The Jazz Trio Database has the attacks of piano, bass and drums in 34 recordings, and beats tapped
by hand; Groove MIDI has drummers who play to a click, with the name of a style. Performances are
cut into excerpts of :data:`EXCERPT_BEATS`, about what is sent to the chat. Half of the
performances, by a checksum of their names, were used to fit :mod:`inference_service.music.swing`;
the other half is reported, and pop songs of POP909, none of which were used. Some performances of
styles that are not called swing or shuffle swing too, as do some pop songs.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.midi.reader import decode_performance
from inference_service.music.swing import find_swing
from inference_service.rhythm.from_notes.attacks import find_attacks
from model_zoo.training.sources.groove import read_grooves
from tests.bench.pop909 import read_beats, read_midi
from tests.bench.table import Row

TITLE = "Swing: recorded jazz, drummers of all styles, and pop pianists"
EXCERPT_BEATS: Final = 48
LEAST_BEATS: Final = 24
REPORTED: Final = 1

TRIOS: Final = "jazz trios"
SWUNG_DRUMS: Final = "drums of styles called swing or shuffle"
OTHER_DRUMS: Final = "drums of other styles"
PIANISTS: Final = "pianists, pop songs"
SONGS: Final = range(1, 801, 9)
"""Numbers of the songs of POP909 that are measured."""

Places = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Performance:
    """The attacks of each part, in beats."""

    name: str
    kind: str
    parts: tuple[Places, ...]


def run(data: Path, cache: Path) -> Iterator[Row]:
    """Measure on the reported half.

    Raises
    ------
    FileNotFoundError
        If an archive is missing.
    """
    symbolic = data / "symbolic"
    performances = [
        *read_trios(symbolic / "jazz_trio.zip"),
        *read_drums(symbolic / "groove_midi.zip"),
    ]
    reported = [p for p in performances if zlib.crc32(p.name.encode()) % 2 == REPORTED]
    reported += read_pianists(symbolic / "pop909.zip")
    for kind in (TRIOS, SWUNG_DRUMS, OTHER_DRUMS, PIANISTS):
        excerpts = [cut for p in reported if p.kind == kind for cut in iterate_excerpts(p.parts)]
        share = float(np.mean([find_swing(parts) is not None for parts in excerpts]))
        yield Row(f"{kind}, {len(excerpts)} excerpts: found to swing", share)


def smoke() -> Iterator[Row]:
    """Measure on exact eighths."""
    beats = np.arange(float(EXCERPT_BEATS))
    for name, short, target in (("swung", 0.64, 1.0), ("even", 0.5, 0.0)):
        part = np.sort(np.concatenate([beats, beats + short]))
        found = [find_swing(parts) is not None for parts in iterate_excerpts((part,))]
        share = float(np.mean(found))
        yield Row(f"{name} eighths: found to swing", share, target, at_most=not target)


def read_trios(archive: Path) -> Iterator[Performance]:
    """Read the Jazz Trio Database (MIT; Cheston and others, TISMIR 7:1, 2024)."""
    with zipfile.ZipFile(archive) as files:
        names = sorted(name for name in files.namelist() if name.endswith("_mix.txt"))
        for name in names:
            beats_s = _read_times(files, name)
            parts = []
            for player in ("piano", "bass", "drums"):
                times_s = _read_times(files, name.replace("_mix", f"_{player}"))
                times_s = times_s[(times_s >= beats_s[0]) & (times_s < beats_s[-1])]
                parts.append(np.interp(_merge(times_s), beats_s, np.arange(len(beats_s))))
            yield Performance(Path(name).stem, TRIOS, tuple(parts))


def read_drums(archive: Path) -> Iterator[Performance]:
    """Read the performances in quarters of Groove MIDI."""
    for groove in read_grooves(archive):
        if groove.unit != 4:
            continue
        swings = "swing" in groove.style or "shuffle" in groove.style
        kind = SWUNG_DRUMS if swings else OTHER_DRUMS
        quarter_s = 60.0 / groove.bpm
        places = _merge(groove.hits[:, 0] * quarter_s) / quarter_s
        yield Performance(groove.name, kind, (places,))


def read_pianists(archive: Path) -> Iterator[Performance]:
    """Read melody, bridge and accompaniment of songs of POP909, in their annotated beats."""
    for number in SONGS:
        name, midi = read_midi(archive, number)
        _, beats_s, _ = read_beats(archive, name)
        parts = []
        for part in decode_performance(midi).parts:
            onsets_s = np.array([note.onset_s for note in part.notes])
            times_s = onsets_s[(onsets_s >= beats_s[0]) & (onsets_s < beats_s[-1])]
            if len(times_s):
                parts.append(np.interp(_merge(times_s), beats_s, np.arange(len(beats_s))))
        yield Performance(name, PIANISTS, tuple(parts))


def iterate_excerpts(parts: tuple[Places, ...]) -> Iterator[list[Places]]:
    """Yield the parts cut into excerpts; one at the end that is too short is left out."""
    last = max((float(part[-1]) for part in parts if len(part)), default=0.0)
    for start in np.arange(0.0, max(last - LEAST_BEATS, 1.0), EXCERPT_BEATS):
        yield [part[(part >= start) & (part < start + EXCERPT_BEATS)] for part in parts]


def _read_times(files: zipfile.ZipFile, name: str) -> Places:
    lines = files.read(name).decode().splitlines()
    return np.sort(np.array([float(line.split()[0]) for line in lines if line.strip()]))


def _merge(times_s: Places) -> Places:
    """Return one time for what is struck together."""
    return find_attacks(np.sort(times_s)).onset_s

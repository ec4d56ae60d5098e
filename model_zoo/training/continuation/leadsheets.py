"""OpenEWLD's lead sheets as songs.

All sheets claim a major key, and some lack their key signature. The stated signature is kept unless
another one fits better by more than :data:`DOUBT`. The fit is the share of notes in its scale, plus
the share of chords in it, plus a bonus if the last chord is one of its two tonics. The key is minor
if the last chord is the minor tonic, and major otherwise. Sheets with less than 65 % of the notes
in the scale are left out.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from inference_service.music.pitch import build_key
from inference_service.notation.partwise import unpack
from model_zoo.training.continuation.song import Song
from model_zoo.training.continuation.written import write_down
from model_zoo.training.sources.harte import name_chord
from model_zoo.training.sources.openewld import Chord, read_chords
from model_zoo.training.sources.scores import WrittenPiece, parse_score

DOUBT: Final = 0.25
"""No record of how this and the constants below were chosen."""

_SCALE: Final = (0, 2, 4, 5, 7, 9, 11)
_LEAST_IN_SCALE: Final = 0.65
_ENDS: Final = 0.3


def list_leadsheets(archive: Path) -> list[str]:
    """Return the names of the archive's lead sheets."""
    with zipfile.ZipFile(archive) as files:
        return [name for name in files.namelist() if name.endswith((".mxl", ".xml"))]


def write_leadsheet(archive: Path, name: str) -> Song | None:
    """Convert a lead sheet; None if it cannot be used."""
    with zipfile.ZipFile(archive) as files:
        text = unpack(files.read(name)) if name.endswith(".mxl") else files.read(name)
    try:
        written = parse_score(name, text)
    except ValueError:
        return None
    chords = read_chords(text, written)
    if not chords:
        return None
    tonic = find_tonic(written, chords)
    if share_in_scale(written, tonic) < _LEAST_IN_SCALE:
        return None
    labels = [(start_q, name_chord(root, intervals)) for start_q, root, intervals in chords]
    ends_minor = chords[-1][1] == (tonic - 3) % 12 and chords[-1][2][1] == 3
    key = build_key(tonic - 3, "minor") if ends_minor else build_key(tonic, "major")
    return write_down(name, "openewld", written, labels, [(0.0, key)], melody_part=0)


def find_tonic(written: WrittenPiece, chords: Sequence[Chord]) -> int:
    """Return the tonic of the major key of a sheet's signature, corrected if necessary."""
    given = 7 * int(written.bar_fifths[0]) % 12
    fits = [
        share_in_scale(written, tonic)
        + _share_of_chords(written, chords, tonic)
        + _ENDS * _is_tonic(chords[-1], tonic)
        for tonic in range(12)
    ]
    best = int(np.argmax(fits))
    return best if fits[best] > fits[given] + DOUBT else given


def share_in_scale(written: WrittenPiece, tonic: int) -> float:
    """Return the share of the notes' duration that is in a major scale."""
    inside = np.isin((written.pitch - tonic) % 12, _SCALE)
    return float(written.duration_q[inside].sum() / max(written.duration_q.sum(), 1e-9))


def _share_of_chords(written: WrittenPiece, chords: Sequence[Chord], tonic: int) -> float:
    """Return the share of the chords' duration whose triads are in a major scale."""
    end_q = float((written.onset_q + written.duration_q).max())
    begins_q = [chord[0] for chord in chords]
    lengths_q = np.maximum(np.diff([*begins_q, end_q]), 0.0)
    inside = [
        all((root + interval - tonic) % 12 in _SCALE for interval in intervals[:3])
        for _, root, intervals in chords
    ]
    return float(lengths_q[np.array(inside)].sum() / max(lengths_q.sum(), 1e-9))


def _is_tonic(chord: Chord, tonic: int) -> bool:
    """Whether a chord is the tonic of a major key, or of the minor key of its signature."""
    _, root, intervals = chord
    return ((root - tonic) % 12, intervals[1]) in ((0, 4), (9, 3))

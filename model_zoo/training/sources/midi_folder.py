"""Folders of MIDI files from any author.

This module reads what the files state; :mod:`.filters` deals with their faults. A key signature of
C major is ignored, because sequencers write it by default. Beats and bars are those of the tempo
map, even if nobody played to them: :func:`.filters.drop_unheard_beats` removes such beats.
"""

from __future__ import annotations

import struct
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pretty_midi
from mido.midifiles.meta import KeySignatureError
from numpy.typing import NDArray

from inference_service.music.events import Key
from inference_service.music.pitch import build_key
from model_zoo.training.sources.piece import (
    UNKNOWN,
    UNSTATED,
    Licence,
    Line,
    Origin,
    Piece,
    count_positions,
    guess_role,
)
from model_zoo.training.sources.splits import name_work, read_title
from model_zoo.training.sources.survey import Entry

SUFFIXES: Final = (".mid", ".midi", ".kar")
MAX_BYTES: Final = 2_000_000
MAX_LENGTH_S: Final = 3600.0
MAX_BPM: Final = 1500.0

_UNREADABLE: Final = (
    EOFError, ValueError, OSError, LookupError, TypeError, ArithmeticError, AttributeError,
    struct.error, KeySignatureError,
)  # fmt: skip


def list_midi(folder: Path, licence: Licence = UNSTATED) -> Iterator[Entry]:
    """List the MIDI files below ``folder``, sorted by name.

    The files do not state their licence; the caller passes it as ``licence``.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            yield Entry(str(path.relative_to(folder)), partial(read_midi, path, licence))


def read_midi(path: Path, licence: Licence = UNSTATED) -> Piece:
    """Read a MIDI file.

    Raises
    ------
    ValueError
        If it cannot be parsed, or is larger, longer or faster than the limits above.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name}: over {MAX_BYTES} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about tempos on tracks other than the first
            midi = pretty_midi.PrettyMIDI(str(path))
        end_s, (_, tempos_bpm) = midi.get_end_time(), midi.get_tempo_changes()
        if end_s > MAX_LENGTH_S or tempos_bpm.max() > MAX_BPM:
            raise ValueError(f"lasts {end_s:.0f} s, at up to {tempos_bpm.max():.0f} a minute")
        beats_s, positions, bar_beats = count_beats(midi)
    except _UNREADABLE as error:
        raise ValueError(f"{path.name}: {error}") from error
    return Piece(
        name=path.name,
        lines=tuple(read_instrument(part) for part in midi.instruments if part.notes),
        beats_s=beats_s,
        positions=positions,
        bar_beats=bar_beats,
        compound=_read_compound(midi),
        key=_read_key(midi),
        origin=Origin("midi", name_work(read_title(path.stem)), licence),
    )


def count_beats(
    midi: pretty_midi.PrettyMIDI,
) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """Return the tempo map's beats in seconds, their positions, and the most common bar length."""
    beats_s = np.asarray(midi.get_beats(), np.float64)
    downbeats = np.unique(np.searchsorted(beats_s, midi.get_downbeats() - 1e-3))
    downbeats = downbeats[downbeats < len(beats_s)]
    bars = Counter(np.diff(downbeats).tolist())
    bar_beats = int(bars.most_common(1)[0][0]) if bars else 4
    return beats_s, count_positions(len(beats_s), downbeats, bar_beats), bar_beats


def read_instrument(part: pretty_midi.Instrument) -> Line:
    """Return the notes and pedal of an instrument."""
    rows = [(note.start, note.end, note.pitch, note.velocity) for note in part.notes]
    notes = np.array(sorted(rows), np.float64)
    pedal = [(each.time, each.value) for each in part.control_changes if each.number == 64]
    name = part.name.strip()
    return Line(
        role="drums" if part.is_drum else guess_role(part.program, notes, name),
        notes=notes,
        pedal=np.array(sorted(pedal), np.float64).reshape(-1, 2),
        program=None if part.is_drum else int(part.program),
        name=name,
    )


def _read_compound(midi: pretty_midi.PrettyMIDI) -> int:
    if not midi.time_signature_changes:
        return UNKNOWN
    numerator = midi.time_signature_changes[0].numerator
    return int(numerator > 3 and numerator % 3 == 0)


def _read_key(midi: pretty_midi.PrettyMIDI) -> Key | None:
    if not midi.key_signature_changes or midi.key_signature_changes[0].key_number == 0:
        return None
    number = midi.key_signature_changes[0].key_number
    return build_key(number % 12, "minor" if number >= 12 else "major")

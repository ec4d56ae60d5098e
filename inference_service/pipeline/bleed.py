"""What separation left of the singer among the instruments, and of these in the singer's stem.

Where nobody sings, a separator leaves something still, in which a tagger finds notes. A singer is
mixed to be heard: what is far below the whole, or below the singer's own loud notes, is residue.

An instrument's note that sounds only while the singer holds the same pitch is taken for the
singer's own. To leave out a doubling does less harm than to print the melody twice. An instrument
most of whose notes are the singer's is an echo altogether.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from inference_service.audio.waveform import Waveform
from inference_service.music.events import NoteEvent, Part

EARLY_S: Final = 0.1
LATE_S: Final = 0.2
"""How long before the sung note an echo of it may begin, and after it end."""

RESIDUE_DB: Final = -13.0
"""A sung note is no further below the mixture. Of those that are, of singers 5 dB louder to 5 dB
softer than the band, 1 in 100 was sung."""

FAINT_DB: Final = -20.0
"""A sung note is no further below the singer's loud ones, those of the :data:`LOUD_PERCENTILE`."""

LOUD_PERCENTILE: Final = 80.0
SILENT: Final = 1e-12

MOST: Final = 0.6
"""The share of a part's notes which, being sung, makes all of it an echo."""


def remove_bleed(parts: Sequence[Part], sung: Sequence[NoteEvent]) -> list[Part]:
    """Return the parts without the singer's notes; those with no other ones are left out.

    Parameters
    ----------
    parts : sequence of Part
        Drums stay as they are.
    sung : sequence of NoteEvent
        Sorted, no two of one pitch at once.
    """
    held: defaultdict[int, list[NoteEvent]] = defaultdict(list)
    for note in sung:
        held[note.pitch].append(note)

    def is_sung(note: NoteEvent) -> bool:
        own = held[note.pitch]
        before = bisect_right(own, note.onset_s + EARLY_S, key=lambda n: n.onset_s)
        return before > 0 and note.offset_s <= own[before - 1].offset_s + LATE_S

    def clean(part: Part) -> Part:
        own = tuple(note for note in part.notes if not is_sung(note))
        is_echo = len(own) < (1.0 - MOST) * len(part.notes)
        return replace(part, notes=() if is_echo else own)

    cleaned = [part if part.is_drum else clean(part) for part in parts]
    return [part for part in cleaned if part.notes]


def remove_residue(
    notes: Sequence[NoteEvent], vocals: Waveform, mixture: Waveform
) -> list[NoteEvent]:
    """Return the notes of a singer's stem that are loud enough to be sung.

    Parameters
    ----------
    notes : sequence of NoteEvent
    vocals, mixture : Waveform
        The stem that they are of, and what it was taken from.
    """
    if not notes:
        return []
    stem_db = np.array([_level_db(vocals, note) for note in notes])
    whole_db = np.array([_level_db(mixture, note) for note in notes])
    sung = stem_db - whole_db > RESIDUE_DB
    loud_db = float(np.percentile(stem_db[sung], LOUD_PERCENTILE)) if sung.any() else 0.0
    sung &= stem_db > loud_db + FAINT_DB
    return [note for note, kept in zip(notes, sung.tolist(), strict=True) if kept]


def _level_db(waveform: Waveform, note: NoteEvent) -> float:
    """Return a note's mean power; notes are few and short, so no more than they are is read."""
    start = round(note.onset_s * waveform.sample_rate_hz)
    stop = max(round(note.offset_s * waveform.sample_rate_hz), start + 1)
    sound = waveform.samples[:, start:stop]
    power = float(np.mean(np.square(sound, dtype=np.float64))) if sound.size else 0.0
    return 10.0 * float(np.log10(power + SILENT))

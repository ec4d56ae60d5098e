"""Removal of notes that are due to bleed between separated stems.

Where nobody sings, the vocals stem still has some residue, in which a tagger finds notes. Singers
are mixed to be heard, so a note far below the level of the mixture, or of the singer's own loud
notes, is taken for residue and removed.

A note of an instrument that sounds only while the singer holds the same pitch is taken for bleed of
the vocals: omitting a doubling does less harm than printing the melody twice. A part is removed
altogether if most of its notes are bleed.
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
"""Bleed may begin this long before the sung note, and end this long after it."""

RESIDUE_DB: Final = -13.0
"""Lowest level of a sung note relative to the mixture. With singers between 5 dB louder and 5 dB
softer than the band, 1 in 100 of the notes below it was sung."""

FAINT_DB: Final = -20.0
"""Lowest level of a sung note relative to the :data:`LOUD_PERCENTILE` of the singer's notes. No
record of how this and MOST were chosen."""

LOUD_PERCENTILE: Final = 80.0
SILENT: Final = 1e-12

MOST: Final = 0.6
"""Share of a part's notes above which the whole part is taken for bleed."""


def remove_bleed(parts: Sequence[Part], sung: Sequence[NoteEvent]) -> list[Part]:
    """Return the parts without bleed of the vocals; parts that have no other notes are left out.

    Parameters
    ----------
    parts : sequence of Part
        Drums are not changed.
    sung : sequence of NoteEvent
        The singer's notes, sorted; notes of the same pitch do not overlap.
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
    """Return the notes of the vocals stem that are loud enough to be sung.

    Parameters
    ----------
    notes : sequence of NoteEvent
    vocals, mixture : Waveform
        The stem that holds the notes, and the mixture that it was separated from.
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
    """Return the mean power of the samples of a note in dB."""
    start = round(note.onset_s * waveform.sample_rate_hz)
    stop = max(round(note.offset_s * waveform.sample_rate_hz), start + 1)
    sound = waveform.samples[:, start:stop]
    power = float(np.mean(np.square(sound, dtype=np.float64))) if sound.size else 0.0
    return 10.0 * float(np.log10(power + SILENT))

"""Removal of notes that are due to bleed between separated stems.

Where nobody sings, the vocals stem still has some residue, in which a tagger finds notes. A note is
surely sung if its harmonics are hardly weaker in the stem than in the mixture, since a separator
leaves little in the stem of what is not sung, and if it is not far below the singer's loud notes.
Where a separator fails, much of a voice is missing too: a weaker note is kept only if it adjoins a
note that is kept, as the notes of a phrase do. Levels are compared at the note's harmonics, because
drums and a bass may be much louder than a singer.

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

from inference_service.audio.waveform import Samples, Waveform
from inference_service.music.events import NoteEvent, Part
from inference_service.music.pitch import A4_HZ, A4_PITCH

EARLY_S: Final = 0.1
LATE_S: Final = 0.2
"""Bleed may begin this long before the sung note, and end this long after it."""

SURE_DB: Final = -8.0
WEAKEST_DB: Final = -20.0
"""Lowest level of the harmonics of a sung note in the stem, relative to the mixture: of one that is
surely sung, and of one that adjoins others."""

SURE_LOUDNESS_DB: Final = -12.0
FAINTEST_DB: Final = -20.0
"""Lowest level of such notes relative to the :data:`LOUD_PERCENTILE` of the notes above SURE_DB.

These and the next two were chosen on rendered songs, on singers of voice_dev mixed with excerpts of
MUSDB18, and on such excerpts (model_zoo/experiments/016-song-vocals.md)."""

ADJOINING_S: Final = 0.3
ADJOINING_SEMITONES: Final = 7
"""Longest rest and widest interval to an adjoining note."""

LOUD_PERCENTILE: Final = 80.0
SILENT: Final = 1e-12

HARMONICS: Final = 10
HARMONICS_BELOW_HZ: Final = 5000.0
WINDOW_S: Final = 0.09
HALF_WIDTH: Final = 0.03
"""Half the width of the band of a harmonic, relative to its frequency."""

MOST: Final = 0.6
"""Share of a part's notes above which the whole part is taken for bleed. No record of how it was
chosen."""


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
    own_db = np.array([_harmonics_db(vocals, note) for note in notes])
    share_db = own_db - np.array([_harmonics_db(mixture, note) for note in notes])
    sure = share_db > SURE_DB
    if not sure.any():
        return []
    loudness_db = stem_db - float(np.percentile(stem_db[sure], LOUD_PERCENTILE))
    sure &= loudness_db > SURE_LOUDNESS_DB
    possible = (share_db > WEAKEST_DB) & (loudness_db > FAINTEST_DB)
    kept = _spread(notes, sure.tolist(), possible.tolist())
    return [note for note, is_kept in zip(notes, kept, strict=True) if is_kept]


def _spread(
    notes: Sequence[NoteEvent], sure: Sequence[bool], possible: Sequence[bool]
) -> list[bool]:
    """Return which notes are sure, or possible and linked to a sure one by adjoining notes."""
    kept = list(sure)
    steps = [(k, k + 1) for k in range(len(notes) - 1)]
    for known, other in [*steps, *((b, a) for a, b in reversed(steps))]:
        if kept[known] and possible[other] and not kept[other]:
            kept[other] = _adjoin(*sorted((notes[known], notes[other])))
    return kept


def _adjoin(before: NoteEvent, after: NoteEvent) -> bool:
    rest_s = after.onset_s - before.offset_s
    return rest_s < ADJOINING_S and abs(after.pitch - before.pitch) <= ADJOINING_SEMITONES


def _level_db(waveform: Waveform, note: NoteEvent) -> float:
    """Return the mean power of the samples of a note in dB."""
    sound = _cut(waveform, note)
    power = float(np.mean(np.square(sound, dtype=np.float64))) if sound.size else 0.0
    return _to_db(power)


def _harmonics_db(waveform: Waveform, note: NoteEvent) -> float:
    """Return the mean power of a note's harmonics in dB."""
    rate_hz = waveform.sample_rate_hz
    size = round(WINDOW_S * rate_hz)
    sound = _cut(waveform, note)
    sound = np.pad(sound, ((0, 0), (0, max(size - sound.shape[1], 0))))
    frames = np.lib.stride_tricks.sliding_window_view(sound, size, axis=1)[:, :: size // 2]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(size)))).mean(axis=(0, 1))
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    f0_hz = A4_HZ * 2.0 ** ((note.pitch + note.pitch_cents / 100 - A4_PITCH) / 12)
    total = 0.0
    for harmonic in range(1, HARMONICS + 1):
        centre_hz = harmonic * f0_hz
        if harmonic > 1 and centre_hz > HARMONICS_BELOW_HZ:
            break
        reach_hz = min(max(HALF_WIDTH * centre_hz, 1.5 / WINDOW_S), 0.45 * f0_hz)
        total += float(power[np.abs(hz - centre_hz) < reach_hz].sum())
    return _to_db(total / size**2)


def _cut(waveform: Waveform, note: NoteEvent) -> Samples:
    """Return the samples of a note, shape (C, N)."""
    start = round(note.onset_s * waveform.sample_rate_hz)
    stop = max(round(note.offset_s * waveform.sample_rate_hz), start + 1)
    return waveform.samples[:, start:stop]


def _to_db(power: float) -> float:
    return 10.0 * float(np.log10(power + SILENT))

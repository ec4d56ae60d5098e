"""Sketch the sound of notes: plain decaying tones, enough to hear a beat in.

The network that hears beats in recordings (:mod:`inference_service.rhythm.from_sound`) attends to
attacks, loudness and harmony. In piano music, it hears beats in a sketch as well as in a sampled
piano (model_zoo/experiments/021-second-opinion.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference_service.audio.waveform import Waveform
from inference_service.music.events import NoteEvent

RATE_HZ: Final = 22_050
LONGEST_S: Final = 300.0
"""Music is sketched up to here: listening to as much takes 1.7 s of one core."""

_TONE_LENGTH: Final = 2 * RATE_HZ
_ATTACK_S: Final = 0.002
_RELEASE_S: Final = 0.04
_HARMONICS: Final = 8
_SLOPE: Final = 1.2
"""Harmonic ``h`` has an amplitude of ``h ** -_SLOPE``."""

_DECAY_HZ: Final = 1.5
_HARMONIC_DECAY_HZ: Final = 0.6
_LOUDNESS: Final = 1.5
"""Amplitudes are velocities to this power."""

Samples = NDArray[np.float32]


def sketch(notes: Sequence[NoteEvent]) -> Waveform:
    """Return a sketch of notes, of one channel, from second 0 to the end of the last note.

    Parameters
    ----------
    notes : sequence of NoteEvent
        One or more.
    """
    length_s = min(max(note.offset_s for note in notes), LONGEST_S)
    length = max(round(length_s * RATE_HZ), 1)
    release = np.linspace(1.0, 0.0, round(_RELEASE_S * RATE_HZ), dtype=np.float32)
    sound = np.zeros(length, np.float32)
    for note in notes:
        start = round(note.onset_s * RATE_HZ)
        stop = min(round(note.offset_s * RATE_HZ) + len(release), start + _TONE_LENGTH, length)
        if stop <= start:
            continue
        loudness = np.float32((note.velocity / 127) ** _LOUDNESS)
        tone = loudness * _build_tone(note.pitch)[: stop - start]
        tail = min(len(release), len(tone))
        tone[-tail:] *= release[-tail:]
        sound[start:stop] += tone
    return Waveform(sound[None], RATE_HZ)


@cache
def _build_tone(pitch: int) -> Samples:
    """Return a tone of full length, shape (_TONE_LENGTH,), shorter-lived if higher."""
    fundamental_hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    time_s = np.arange(_TONE_LENGTH) / RATE_HZ
    haste = np.sqrt(fundamental_hz / 440.0)
    tone = np.zeros(_TONE_LENGTH)
    for harmonic in range(1, _HARMONICS + 1):
        frequency_hz = harmonic * fundamental_hz
        if frequency_hz > 0.45 * RATE_HZ:
            break
        decay = np.exp(-time_s * haste * (_DECAY_HZ + _HARMONIC_DECAY_HZ * harmonic))
        # Phases differ, so that the harmonics of a tone do not add up to a click.
        tone += harmonic**-_SLOPE * decay * np.sin(2 * np.pi * frequency_hz * time_s + harmonic)
    return (tone * -np.expm1(-time_s / _ATTACK_S)).astype(np.float32)

"""Humming, whistling and electronic pianos, synthesised without samples.

People hum and whistle to a phone more often than they sing words, and none of the recordings and
sample banks contains it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from inference_service.audio.waveform import Samples
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.tagger.take import OFFSET, ONSET, PITCH, VELOCITY, Labels

Curve = NDArray[np.float64]

VOWELS_HZ: Final = (
    (750, 1150, 2700), (400, 800, 2600), (300, 700, 2400), (280, 2200, 3000), (500, 1800, 2500),
    (250, 600, 1800),
)  # fmt: skip
"""Formants of a, o, u, i, e and of a closed mouth."""

WHISTLED_OCTAVES: Final = 2
TAIL_S: Final = 0.3


def hum(notes: Labels, random: Generator) -> Samples:
    """Return a line sung on one vowel, or with a closed mouth, at ``RATE_HZ``.

    Parameters
    ----------
    notes : np.ndarray, shape (N, 4)
        A single line, sorted by onset.
    random : np.random.Generator
    """
    pitch, level = _follow(notes, random)
    f0_hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE_HZ
    scale = random.uniform(0.85, 1.2)
    formants_hz = [scale * hz for hz in VOWELS_HZ[int(random.integers(len(VOWELS_HZ)))]]
    tilt, width = random.uniform(0.0, 1.4), random.uniform(0.08, 0.2)
    voice = np.zeros(len(pitch))
    for harmonic in range(1, 26):
        partial_hz = harmonic * f0_hz
        gain = sum(
            share / (1 + ((partial_hz - hz) / (width * hz + 30)) ** 2)
            for hz, share in zip(formants_hz, (1.0, 0.6, 0.25), strict=True)
        )
        voice += gain * harmonic**-tilt * np.sin(harmonic * phase) * (partial_hz < RATE_HZ / 2)
    return _breathe(voice, level, random, random.uniform(0.002, 0.03))


def whistle(notes: Labels, random: Generator) -> Samples:
    """Return a whistled line, in the octaves in which people whistle, at ``RATE_HZ``."""
    higher = notes.copy()
    higher[:, PITCH] += 12 * round((84 + random.normal(0, 3) - notes[:, PITCH].mean()) / 12)
    pitch, level = _follow(higher, random)
    phase = 2 * np.pi * np.cumsum(440.0 * 2.0 ** ((pitch - 69) / 12)) / RATE_HZ
    tone = np.sin(phase) + random.uniform(0, 0.1) * np.sin(2 * phase)
    return _breathe(tone, level, random, random.uniform(0.02, 0.15))


def strike(notes: Labels, random: Generator) -> Samples:
    """Return notes struck on an electronic piano, at ``RATE_HZ``: partials that die away."""
    length_s = float(notes[:, OFFSET].max()) + TAIL_S
    sound = np.zeros(round(length_s * RATE_HZ))
    stretch, brightness = random.uniform(0, 4e-4), random.uniform(0.8, 2.0)
    decay_s, knock = random.uniform(0.5, 2.5), random.uniform(0, 0.05)
    for onset_s, offset_s, pitch, velocity in notes[:, [ONSET, OFFSET, PITCH, VELOCITY]]:
        first = round(onset_s * RATE_HZ)
        count = min(round((offset_s - onset_s + TAIL_S) * RATE_HZ), len(sound) - first)
        if count <= 0:
            continue
        time_s = np.arange(count) / RATE_HZ
        f0_hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
        struck = np.zeros(count)
        for partial in range(1, 13):
            partial_hz = partial * f0_hz * np.sqrt(1 + stretch * partial**2)
            if partial_hz > RATE_HZ / 2:
                break
            fading = np.exp(-time_s * partial**0.7 / decay_s * (pitch / 60) ** 2)
            struck += partial**-brightness * fading * np.sin(2 * np.pi * partial_hz * time_s)
        struck += knock * random.standard_normal(count) * np.exp(-time_s / 0.01)
        released = np.clip((offset_s - onset_s + 0.15 - time_s) / 0.15, 0, 1)
        sound[first : first + count] += (
            velocity / 127 * np.minimum(time_s / 0.003, 1) * (struck * released)
        )
    return np.asarray(sound / (np.abs(sound).max() + 1e-9) * 0.5, np.float32)


def _follow(notes: Labels, random: Generator) -> tuple[Curve, Curve]:
    """Return the pitch and the level of a voice, with glides, vibrato and a drifting tuning."""
    length_s = float(notes[-1, OFFSET]) + TAIL_S
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    pitch = np.full(len(time_s), notes[0, PITCH])
    level = np.zeros(len(time_s))
    glide_s, attack_s = random.uniform(0.01, 0.06), random.uniform(0.02, 0.08)
    depth, rate_hz = random.uniform(0, 0.35), random.uniform(4.5, 6.5)
    before = float(notes[0, PITCH])
    for onset_s, offset_s, note in notes[:, [ONSET, OFFSET, PITCH]]:
        here = (time_s >= onset_s) & (time_s < offset_s)
        since_s, left_s = time_s[here] - onset_s, offset_s - time_s[here]
        vibrato = depth * np.minimum(since_s / 0.3, 1) * np.sin(2 * np.pi * rate_hz * since_s)
        meant = note + random.normal(0, 0.15)
        pitch[here] = meant + (before - meant) * np.exp(-since_s / glide_s) + vibrato
        level[here] = np.minimum(since_s / attack_s, 1) * np.minimum(left_s / 0.05, 1)
        before = meant
    return pitch + random.normal(0, 0.3), level


def _breathe(voice: Curve, level: Curve, random: Generator, share: float) -> Samples:
    """Return a voice with its level and the noise of breath."""
    breath = share * np.abs(voice).max() * random.standard_normal(len(voice))
    sound = (voice + breath) * level
    return np.asarray(sound / (np.abs(sound).max() + 1e-9) * 0.5, np.float32)

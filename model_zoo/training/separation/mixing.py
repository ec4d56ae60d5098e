"""Random mixes: the singer of one recording over the band of another.

Few recordings have stems, so each is augmented in many ways: cut anywhere, faster or slower (and so
higher or lower), backwards, louder or softer, equalised, in a room, with left and right exchanged,
in mono; singers over their own band or another one, two at once, or none; instruments of several
bands together (Uhlich and others, "Improving music source separation based on deep
neural networks through data augmentation and network blending", ICASSP 2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import soxr
from numpy.random import Generator
from scipy.signal import fftconvolve

from inference_service.audio.waveform import Samples
from model_zoo.training.separation.recordings import (
    RATE_HZ,
    Recordings,
    Song,
    Stored,
    as_samples,
)

OWN_BAND_SHARE: Final = 0.4
"""Probability that a singer is mixed with the band of the same recording."""

OWN: Final = {"bands": 0.65, "karaoke": 0.2, "rendered": 0.15}
SINGERS: Final = {"bands": 0.5, "karaoke": 0.35, "rendered": 0.15}
PLAYERS: Final = {"bands": 0.65, "karaoke": 0.15, "rendered": 0.2}
"""Probabilities of each collection, for a whole recording, for a singer alone and for a band alone;
``bands`` stands in for a collection that is empty."""

SCATTERED_SHARE: Final = 0.35
"""Probability that each instrument comes from another band."""

NO_SINGER_SHARE: Final = 0.08
NO_BAND_SHARE: Final = 0.04
SECOND_SINGER_SHARE: Final = 0.12
SPEED: Final = 0.12
"""Greatest relative change of speed."""

BALANCE_DB: Final = (-9.0, 6.0)
"""The singer's level relative to the band's, where they are of different recordings."""

ROOM_SHARE: Final = 0.5
EQUALISER_SHARE: Final = 0.5
MONO_SHARE: Final = 0.2
BACKWARDS_SHARE: Final = 0.3
"""Probability that a mix is played backwards, as the separator also hears each window; the
development excerpts' accompaniment gained 0.4 dB from further training with it (experiment 008)."""


@dataclass(frozen=True, slots=True)
class Mix:
    """The two sources of a mixture.

    Attributes
    ----------
    vocals, accompaniment : np.ndarray, shape (2, N), float32
        Their sum is the mixture, whose root mean square is 0.1.
    limit_hz : float
        Frequencies above this are not learnt from.
    """

    vocals: Samples
    accompaniment: Samples
    limit_hz: float


def draw_mix(recordings: Recordings, random: Generator, length_s: float) -> Mix:
    """Draw a mix."""
    size = round(length_s * RATE_HZ)
    limit_hz = RATE_HZ / 2
    if random.random() < OWN_BAND_SHARE:
        song = _draw(recordings, OWN, random)
        limit_hz = song.limit_hz
        vocals, accompaniment = _play_together(song, size, random)
    else:
        singer = _draw(recordings, SINGERS, random)
        limit_hz = singer.limit_hz
        vocals = _colour(_play([singer.vocals], size, random), random)
        if random.random() < SECOND_SINGER_SHARE:
            second = _play([_draw(recordings, SINGERS, random).vocals], size, random)
            vocals = vocals + _level(second, vocals, float(random.uniform(-10, 0)))
        accompaniment = _play_band(recordings, size, random)
        accompaniment = _level(accompaniment, vocals, -float(random.uniform(*BALANCE_DB)))
    drawn = random.random()
    if drawn < NO_SINGER_SHARE:
        vocals = np.zeros_like(vocals)
    elif drawn < NO_SINGER_SHARE + NO_BAND_SHARE:
        accompaniment = accompaniment * np.float32(0.01)
    both = np.stack([vocals, accompaniment])
    if random.random() < 0.5:
        both = both[:, ::-1]
    if random.random() < BACKWARDS_SHARE:
        both = both[..., ::-1]
    if random.random() < MONO_SHARE:
        both = np.broadcast_to(both.mean(1, keepdims=True), both.shape)
    gain = 0.1 / max(_rms(both.sum(0)), 1e-4)
    vocals, accompaniment = np.ascontiguousarray(both * np.float32(gain))
    return Mix(vocals, accompaniment, limit_hz)


def _draw(recordings: Recordings, shares: Mapping[str, float], random: Generator) -> Song:
    kind = str(random.choice(list(shares), p=list(shares.values())))
    songs: Sequence[Song] = getattr(recordings, kind) or recordings.bands
    return songs[int(random.integers(len(songs)))]


def _play_together(song: Song, size: int, random: Generator) -> tuple[Samples, Samples]:
    """Return singer and band of one recording, with their balance changed slightly."""
    speed = _draw_speed(random)
    start = _draw_start(song.vocals, size, speed, random)
    vocals = _cut([song.vocals], start, size, speed)
    gains = 10 ** (random.uniform(-3, 3, len(song.instruments)) / 20)
    parts = [
        _cut([stem], start, size, speed) * np.float32(gain)
        for stem, gain in zip(song.instruments, gains, strict=True)
    ]
    return vocals * np.float32(10 ** (random.uniform(-4, 4) / 20)), np.sum(parts, axis=0)


def _play_band(recordings: Recordings, size: int, random: Generator) -> Samples:
    song = _draw(recordings, PLAYERS, random)
    if len(song.instruments) == 1 or random.random() > SCATTERED_SHARE:
        return _colour(_play(song.instruments, size, random), random)
    parts = []
    for number in range(len(song.instruments)):
        other = recordings.bands[int(random.integers(len(recordings.bands)))]
        gain = np.float32(10 ** (random.uniform(-4, 4) / 20))
        parts.append(_colour(_play([other.instruments[number]], size, random), random) * gain)
    return np.asarray(np.sum(parts, axis=0), np.float32)


def _play(stems: Sequence[Stored], size: int, random: Generator) -> Samples:
    speed = _draw_speed(random)
    return _cut(stems, _draw_start(stems[0], size, speed, random), size, speed)


def _draw_speed(random: Generator) -> float:
    return 1.0 if random.random() < 0.3 else float(random.uniform(1 - SPEED, 1 + SPEED))


def _draw_start(stem: Stored, size: int, speed: float, random: Generator) -> int:
    return int(random.integers(max(stem.shape[-1] - int(size * speed), 1)))


def _cut(stems: Sequence[Stored], start: int, size: int, speed: float) -> Samples:
    """Return ``size`` samples of the sum of stems, played at a speed."""
    wanted = int(size * speed) + 2
    pieces = as_samples([stem[:, start : start + wanted] for stem in stems])
    if speed != 1.0:
        pieces = soxr.resample(pieces.T, RATE_HZ * speed, RATE_HZ, quality="LQ").T
    pieces = pieces[:, :size]
    return np.pad(pieces, ((0, 0), (0, size - pieces.shape[-1])))


def _colour(samples: Samples, random: Generator) -> Samples:
    """Equalise, reverberate, both or neither, at random."""
    if random.random() < EQUALISER_SHARE:
        samples = _equalise(samples, random)
    if random.random() < ROOM_SHARE / 2:
        samples = _reverberate(samples, random)
    return samples


def _equalise(samples: Samples, random: Generator) -> Samples:
    """Apply a random gain curve with 7 knots and a standard deviation of 3 dB."""
    spectra = np.fft.rfft(samples)
    octave = np.log2(np.linspace(0, RATE_HZ / 2, spectra.shape[-1]) + 20)
    knots = np.linspace(octave[0], octave[-1], 7)
    gain_db = np.interp(octave, knots, random.normal(0, 3.0, len(knots)))
    equalised = np.fft.irfft(spectra * 10 ** (gain_db / 20), samples.shape[-1])
    return np.asarray(equalised, np.float32)


def _reverberate(samples: Samples, random: Generator) -> Samples:
    """Convolve with decaying noise, independent on either side, as a diffuse room."""
    decay_s = float(random.uniform(0.2, 1.6))
    time_s = np.arange(int(min(decay_s, 1.0) * RATE_HZ)) / RATE_HZ
    tail = random.standard_normal((2, len(time_s))) * 10 ** (-3 * time_s / decay_s)
    tail /= np.sqrt(np.square(tail).sum(-1, keepdims=True))
    wet = fftconvolve(samples, tail, axes=-1)[:, : samples.shape[-1]]
    return np.asarray(samples + random.uniform(0.1, 0.6) * wet, np.float32)


def _level(samples: Samples, other: Samples, level_db: float) -> Samples:
    """Scale samples to ``level_db`` decibels above others, by a factor of 30 at most."""
    gain = _rms(other) / max(_rms(samples), 1e-5) * 10 ** (level_db / 20)
    return samples * np.float32(min(gain, 30.0))


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))

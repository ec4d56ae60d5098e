"""Degrades sound as recordings do: room, microphone, noise, tape, codec.

Each step is a function of the sound and its parameters; :func:`degrade` draws which steps to apply
and their parameters. Each step has its own random generator, so that omitting a step does not
change the others. No step shifts the sound by more than :data:`MAX_WOW_S`, except :func:`detune`,
which returns the factor for the times of labels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, Literal

import numpy as np
import soxr
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import oaconvolve

from inference_service.audio.waveform import Samples
from model_zoo.training.sound.codec import CodecName, encode
from model_zoo.training.sound.fluidsynth import RATE_HZ

Step = Literal[
    "room",
    "crowd",
    "microphone",
    "noise",
    "hum",
    "wow",
    "compression",
    "overload",
    "equaliser",
    "telephone",
    "codec",
]
PROBABILITIES: Final[dict[Step, float]] = {
    "room": 0.5,
    "crowd": 0.08,
    "microphone": 0.4,
    "noise": 0.5,
    "hum": 0.1,
    "wow": 0.08,
    "compression": 0.35,
    "overload": 0.2,
    "equaliser": 0.4,
    "telephone": 0.04,
    "codec": 0.1,
}
"""Probability of each step, in order of application."""

FILTER_TAPS: Final = 1023
MAX_WOW_S: Final = 0.003
MIN_ROOM_S: Final = 0.1
MAX_ROOM_S: Final = 1.5
MP3_RATES: Final = (32_000, 40_000, 48_000, 64_000)
OPUS_RATES: Final = (8_000, 12_000, 16_000, 24_000, 32_000)

Hertz = NDArray[np.floating]
Curve = Callable[[Hertz], Hertz]
"""Maps frequencies in hertz to gains in decibels."""


def degrade(
    samples: Samples, random: Generator, *, strength: float = 1.0, without: Collection[Step] = ()
) -> Samples:
    """Apply randomly drawn degradations.

    Parameters
    ----------
    samples : np.ndarray, shape (N,), float32, at RATE_HZ
    random : Generator
    strength : float in [0, 1]
        Multiplies the probability of each step.
    without : collection of str
        Steps to omit.

    Returns
    -------
    np.ndarray, shape (N,), float32
        With a peak of 0.8.
    """
    seeds = random.integers(2**63, size=len(PROBABILITIES))
    sound = _normalise(samples, 0.5)
    for (step, probability), seed in zip(PROBABILITIES.items(), seeds, strict=True):
        own = np.random.default_rng(seed)
        if own.random() < probability * strength and step not in without:
            sound = _normalise(_STEPS[step](sound, own), 0.5)
    return _normalise(sound, 0.8)


def detune(samples: Samples, cents: float) -> tuple[Samples, float]:
    """Change speed and pitch by ``cents``; also return the factor for the times of labels."""
    factor = 2.0 ** (-cents / 1200)
    return np.asarray(soxr.resample(samples, RATE_HZ / factor, RATE_HZ), np.float32), factor


def shape(sound: Samples, curve: Curve) -> Samples:
    """Filter sound by a frequency response, with zero phase."""
    frequencies = np.fft.rfftfreq(FILTER_TAPS, 1 / RATE_HZ)
    response = np.fft.irfft(10 ** (np.maximum(curve(frequencies), -80.0) / 20), FILTER_TAPS)
    taps = np.roll(response, FILTER_TAPS // 2) * np.hanning(FILTER_TAPS + 2)[1:-1]
    return np.asarray(oaconvolve(sound, taps.astype(np.float32), mode="same"), np.float32)[
        : len(sound)
    ]


def reverberate(sound: Samples, response: Samples) -> Samples:
    """Convolve sound with a room's impulse response, which begins with the direct sound."""
    return np.asarray(oaconvolve(sound, response), np.float32)[: len(sound)]


def draw_room(random: Generator, decay_s: float, wet: float) -> Samples:
    """Draw a room's impulse response: direct sound, early reflections, reverberant tail.

    Parameters
    ----------
    random : Generator
    decay_s : float
        Time in which the tail decays by 60 dB.
    wet : float
        Amplitude of reflections and tail together, relative to the direct sound.
    """
    count = round((1.2 * decay_s + 0.06) * RATE_HZ)
    time_s = np.arange(count) / RATE_HZ
    begin_s = float(random.uniform(0.002, 0.03))
    tail = random.standard_normal(count) * 10 ** (-3 * np.maximum(time_s - begin_s, 0) / decay_s)
    tail[time_s < begin_s] = 0.0
    tail = uniform_filter1d(tail, int(random.integers(1, 5)))  # air and walls absorb treble
    tail /= np.sqrt(np.sum(tail**2)) + 1e-9
    early = np.zeros(count)
    # image sources: amplitude falls with the length of the path
    paths_s = random.uniform(0.0008, 0.05, int(random.integers(2, 9)))
    strengths = random.uniform(0.3, 1.0, len(paths_s)) * random.choice([-1, 1], len(paths_s))
    np.add.at(early, (paths_s * RATE_HZ).astype(int), strengths * 0.003 / (0.003 + paths_s))
    early /= np.sqrt(np.sum(early**2)) + 1e-9
    balance = float(random.uniform(0.2, 0.8))
    response = wet * (np.sqrt(balance) * early + np.sqrt(1 - balance) * tail)
    response[0] = 1.0
    return np.asarray(response, np.float32)


def compress(sound: Samples, width_s: float, exponent: float) -> Samples:
    """Divide sound by its level over ``width_s``, to a power: 0 keeps it, 1 flattens it."""
    width = max(round(width_s * RATE_HZ), 1)
    level = np.sqrt(np.maximum(uniform_filter1d(np.square(sound), width), 1e-6))
    return np.asarray(sound * (level / level.max()) ** -exponent, np.float32)


def overload(sound: Samples, drive: float, *, hard: bool) -> Samples:
    """Clip sound whose peak is ``drive`` times full scale: hard, or softly like a tape."""
    driven = drive / max(float(np.abs(sound).max()), 1e-4) * sound
    return np.asarray(np.clip(driven, -1.0, 1.0) if hard else np.tanh(driven), np.float32)


def add_noise(sound: Samples, noise: Samples, snr_db: float) -> Samples:
    """Add noise at a signal-to-noise ratio, measured by mean power."""
    ratio = np.sqrt(np.mean(np.square(sound)) / (np.mean(np.square(noise)) + 1e-12))
    return np.asarray(sound + noise * (ratio * 10 ** (-snr_db / 20)), np.float32)


def make_noise(count: int, slope_db: float, random: Generator) -> Samples:
    """Return noise with a spectral slope in dB per octave: 0 is white, -6 brown."""
    white = random.standard_normal(count, dtype=np.float32)
    return shape(white, lambda hz: slope_db * np.log2(np.maximum(hz, 40.0) / 1000.0))


def make_crowd(count: int, random: Generator) -> Samples:
    """Return babble: noise bands in the range of voices, each modulated at a syllable rate."""
    crowd = np.zeros(count, np.float32)
    for _ in range(int(random.integers(3, 7))):
        centre_hz = float(np.exp(random.uniform(np.log(250), np.log(2500))))
        white = random.standard_normal(count, dtype=np.float32)
        band = shape(white, _band(centre_hz))
        rate_hz = float(random.uniform(3, 8))
        points = np.square(random.standard_normal(int(count / RATE_HZ * rate_hz) + 3))
        places = np.linspace(0, len(points) - 1, count)
        crowd += band * np.interp(places, np.arange(len(points)), points).astype(np.float32)
    return crowd


def _band(centre_hz: float) -> Curve:
    return lambda hz: -8.0 * np.square(np.log2(np.maximum(hz, 20.0) / centre_hz))


def make_hum(count: int, mains_hz: float, random: Generator) -> Samples:
    """Return mains hum: the mains frequency and weaker harmonics."""
    phase = 2 * np.pi * mains_hz / RATE_HZ * np.arange(count)
    hum = np.zeros(count)
    for harmonic in range(1, int(random.integers(2, 9))):
        level = float(random.uniform(0.2, 1.0)) / harmonic
        hum += level * np.sin(harmonic * phase + random.uniform(0, 2 * np.pi))
    return hum.astype(np.float32)


def waver(sound: Samples, depth_cents: float, rate_hz: float, phase: float) -> Samples:
    """Apply wow and flutter; the depth is limited so that no sample moves beyond MAX_WOW_S."""
    depth = (2 ** (depth_cents / 1200) - 1) / (2 * np.pi * rate_hz)
    depth = min(depth, MAX_WOW_S)
    time_s = np.arange(len(sound)) / RATE_HZ
    moved_s = time_s + depth * np.sin(2 * np.pi * rate_hz * time_s + phase)
    # at twice the rate, linear interpolation is accurate enough
    doubled = soxr.resample(sound, RATE_HZ, 2 * RATE_HZ, quality="MQ")
    places = moved_s * (2 * RATE_HZ)
    return np.asarray(np.interp(places, np.arange(len(doubled)), doubled), np.float32)


def limit_to_telephone(sound: Samples) -> Samples:
    """Limit sound to the band of a telephone, 300 to 3400 Hz."""

    def curve(hz: Hertz) -> Hertz:
        below = np.maximum(np.log2(300.0 / np.maximum(hz, 1.0)), 0.0)
        above = np.maximum(np.log2(np.maximum(hz, 1.0) / 3400.0), 0.0)
        return -36.0 * below - 60.0 * above

    return shape(sound, curve)


def draw_curve(random: Generator, depth_db: float, points: int) -> Curve:
    """Draw a smooth response: ``points`` gains, equally spaced in octaves from 40 Hz."""
    octaves = np.linspace(0.0, np.log2(RATE_HZ / 2 / 40), points)
    gains = random.uniform(-depth_db, depth_db, points)
    return lambda hz: np.interp(np.log2(np.maximum(hz, 40.0) / 40.0), octaves, gains)


def draw_microphone(random: Generator) -> Curve:
    """Draw the response of a microphone: uneven and band-limited."""
    uneven = draw_curve(random, float(random.uniform(1, 6)), int(random.integers(6, 16)))
    low_hz = float(np.exp(random.uniform(np.log(30), np.log(300))))
    high_hz = float(np.exp(random.uniform(np.log(2500), np.log(11000))))
    steepness = float(random.uniform(6, 24))

    def curve(hz: Hertz) -> Hertz:
        below = np.maximum(np.log2(low_hz / np.maximum(hz, 1.0)), 0.0)
        above = np.maximum(np.log2(np.maximum(hz, 1.0) / high_hz), 0.0)
        return uneven(hz) - steepness * (below + above)

    return curve


def _room(sound: Samples, random: Generator) -> Samples:
    decay_s = float(np.exp(random.uniform(np.log(MIN_ROOM_S), np.log(MAX_ROOM_S))))
    return reverberate(sound, draw_room(random, decay_s, float(random.uniform(0.1, 0.8))))


def _crowd(sound: Samples, random: Generator) -> Samples:
    return add_noise(sound, make_crowd(len(sound), random), float(random.uniform(8, 30)))


def _microphone(sound: Samples, random: Generator) -> Samples:
    return shape(sound, draw_microphone(random))


def _noise(sound: Samples, random: Generator) -> Samples:
    noise = make_noise(len(sound), float(random.uniform(-6, 0)), random)
    return add_noise(sound, noise, float(random.uniform(8, 45)))


def _hum(sound: Samples, random: Generator) -> Samples:
    hum = make_hum(len(sound), float(random.choice([50, 60])), random)
    return add_noise(sound, hum, float(random.uniform(10, 40)))


def _wow(sound: Samples, random: Generator) -> Samples:
    phase = float(random.uniform(0, 2 * np.pi))
    if random.random() < 0.3:
        return waver(sound, float(random.uniform(1, 5)), float(random.uniform(5, 12)), phase)
    return waver(sound, float(random.uniform(2, 15)), float(random.uniform(0.4, 2)), phase)


def _compression(sound: Samples, random: Generator) -> Samples:
    return compress(sound, float(random.uniform(0.005, 0.2)), float(random.uniform(0.2, 0.7)))


def _overload(sound: Samples, random: Generator) -> Samples:
    drive = float(np.exp(random.uniform(np.log(0.7), np.log(4.0))))
    return overload(sound, drive, hard=bool(random.random() < 0.4))


def _equaliser(sound: Samples, random: Generator) -> Samples:
    return shape(sound, draw_curve(random, 10.0, int(random.integers(3, 8))))


def _telephone(sound: Samples, random: Generator) -> Samples:
    return limit_to_telephone(sound)


def _codec(sound: Samples, random: Generator) -> Samples:
    codec: CodecName = "mp3" if random.random() < 0.5 else "opus"
    rates = MP3_RATES if codec == "mp3" else OPUS_RATES
    return encode(sound, codec, int(random.choice(rates)))


_STEPS: Final[dict[Step, Callable[[Samples, Generator], Samples]]] = {
    "room": _room,
    "crowd": _crowd,
    "microphone": _microphone,
    "noise": _noise,
    "hum": _hum,
    "wow": _wow,
    "compression": _compression,
    "overload": _overload,
    "equaliser": _equaliser,
    "telephone": _telephone,
    "codec": _codec,
}


def _normalise(sound: Samples, peak: float) -> Samples:
    return np.asarray(sound * np.float32(peak / max(float(np.abs(sound).max()), 1e-4)), np.float32)

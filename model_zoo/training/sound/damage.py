"""Damage to sound: a room, a microphone, a codec."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Final

import av
import numpy as np
from numpy.random import Generator
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, fftconvolve, sosfilt

from inference_service.audio.waveform import Samples
from model_zoo.training.sound.fluidsynth import RATE_HZ

CODECS: Final = (
    ("mp3", "mp3", "libmp3lame", "s16p", 22_050),
    ("ogg", "ogg", "libopus", "s16", 48_000),
)
MAX_DELAY_S: Final = 0.12


def degrade(samples: Samples, random: Generator) -> Samples:
    """Put sound through a random room, equaliser, compressor, noise and codec."""
    peak = float(np.abs(samples).max())
    # A length of small factors: the Fourier transforms below would be ten times slower.
    sound = np.pad(samples, (0, next_fast_len(len(samples)) - len(samples)))
    sound = sound * np.float32(0.5 / max(peak, 1e-4))
    if random.random() < 0.5:
        sound = _reverberate(sound, random)
    if random.random() < 0.6:
        sound = _equalise(sound, random)
    if random.random() < 0.4:
        sound = _compress(sound, random)
    if random.random() < 0.5:
        sound = sound + _noise(len(sound), random) * np.sqrt(np.mean(sound**2)) * 10 ** (
            -random.uniform(8, 45) / 20
        )
    if random.random() < 0.2:
        drive = random.uniform(1.0, 6.0)
        sound = np.tanh(drive * sound) / drive
    sound = np.asarray(sound / max(float(np.abs(sound).max()), 1e-4) * 0.8, np.float32)
    if random.random() < 0.15:
        sound = _encode(sound, random)
    return np.asarray(sound[: len(samples)], np.float32)


def _reverberate(sound: Samples, random: Generator) -> Samples:
    decay_s = float(np.exp(random.uniform(np.log(0.1), np.log(1.5))))
    time_s = np.arange(int(1.2 * decay_s * RATE_HZ)) / RATE_HZ
    tail = random.standard_normal(len(time_s)) * 10 ** (-3 * time_s / decay_s)
    tail[: int(random.uniform(0.0, 0.02) * RATE_HZ)] = 0.0
    tail *= random.uniform(0.1, 0.8) / (np.sqrt(np.sum(tail**2)) + 1e-9)
    tail[0] = 1.0
    return np.asarray(fftconvolve(sound, tail)[: len(sound)], np.float32)


def _equalise(sound: Samples, random: Generator) -> Samples:
    spectrum = rfft(sound)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(sound), 1 / RATE_HZ), 20.0) / 20.0)
    points = np.linspace(0.0, octaves[-1], int(random.integers(3, 8)))
    curve_db = np.interp(octaves, points, random.uniform(-10, 10, len(points)))
    shaped = irfft(spectrum * 10 ** (curve_db / 20), len(sound))
    if random.random() < 0.25:
        cut_hz = float(np.exp(random.uniform(np.log(2500), np.log(9000))))
        shaped = sosfilt(butter(4, cut_hz, "low", fs=RATE_HZ, output="sos"), shaped)
    if random.random() < 0.25:
        cut_hz = float(random.uniform(60, 350))
        shaped = sosfilt(butter(2, cut_hz, "high", fs=RATE_HZ, output="sos"), shaped)
    return np.asarray(shaped, np.float32)


def _compress(sound: Samples, random: Generator) -> Samples:
    width = int(random.uniform(0.005, 0.2) * RATE_HZ)
    level = np.sqrt(np.maximum(uniform_filter1d(np.square(sound, dtype=np.float64), width), 1e-6))
    exponent = random.uniform(0.2, 0.7)
    return np.asarray(sound * (level / level.max()) ** -exponent, np.float32)


def _noise(count: int, random: Generator) -> Samples:
    """Noise of a random slope, white to brown, of unit power; sometimes with hum."""
    spectrum = rfft(random.standard_normal(count))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / RATE_HZ), 20.0)
    noise = irfft(spectrum * (frequency / 1000) ** -random.uniform(0.0, 1.0), count)
    noise /= noise.std() + 1e-9
    if random.random() < 0.15:
        hum_hz = float(random.choice([50, 60]))
        noise += random.uniform(0.3, 1.0) * np.sin(2 * np.pi * hum_hz * np.arange(count) / RATE_HZ)
    return np.asarray(noise, np.float32)


def _encode(sound: Samples, random: Generator) -> Samples:
    """Put sound through MP3 or Opus at a low rate, and put it back in its place."""
    _, container_name, codec, sample_format, rate_hz = CODECS[int(random.integers(len(CODECS)))]
    bit_rate = int(random.choice([16, 24, 32, 48])) * 1000
    target = io.BytesIO()
    with av.open(target, "w", format=container_name) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = bit_rate
        size = stream.codec_context.frame_size or 1152
        resampler = av.AudioResampler(sample_format, "mono", rate_hz, frame_size=size)
        frame = av.AudioFrame.from_ndarray(sound[None], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        for converted in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    target.seek(0)
    pieces = []
    with av.open(target, "r") as encoded:
        resampler = av.AudioResampler("flt", "mono", RATE_HZ)
        for frame in encoded.decode(audio=0):
            pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
        pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    return _align(np.concatenate(pieces), sound)


def _align(copy: Samples, original: Samples) -> Samples:
    """Undo a codec's delay."""
    size = len(original)
    copy = np.pad(copy, (0, max(size - len(copy), 0)))
    length = next_fast_len(len(copy) + int(MAX_DELAY_S * RATE_HZ))
    spectrum = rfft(copy, length) * np.conj(rfft(original, length))
    correlation = irfft(spectrum)
    reach = int(MAX_DELAY_S * RATE_HZ)
    lags = np.concatenate([correlation[:reach], correlation[-reach:]])
    best = int(lags.argmax())
    delay = best if best < reach else best - 2 * reach
    shifted = np.roll(copy, -delay)
    return np.asarray(shifted[:size], np.float32)

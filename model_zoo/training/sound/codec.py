"""Degrades sound by lossy codecs at low bit rates, without their delay."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Final, Literal

import av
import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from inference_service.audio.waveform import Samples
from model_zoo.training.sound.fluidsynth import RATE_HZ

CodecName = Literal["mp3", "opus"]

_CODECS: Final = {
    "mp3": ("mp3", "libmp3lame", "s16p", 22_050, {"compression_level": "7"}),
    "opus": ("ogg", "libopus", "s16", 48_000, {"compression_level": "3"}),
}
"""Container, encoder, sample format, sample rate, and options for fast encoding."""

MAX_DELAY_S: Final = 0.12
COMPARED_S: Final = 8.0


def encode(sound: Samples, codec: CodecName, bit_rate: int) -> Samples:
    """Encode and decode sound at RATE_HZ; length and alignment do not change."""
    container_name, encoder, sample_format, rate_hz, options = _CODECS[codec]
    target = io.BytesIO()
    with av.open(target, "w", format=container_name) as container:
        stream = container.add_stream(encoder, rate=rate_hz, layout="mono", options=options)
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = bit_rate
        size = stream.codec_context.frame_size or 1152
        resampler = av.AudioResampler(sample_format, "mono", rate_hz, frame_size=size)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None]), "fltp", "mono")
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
    """Remove the codec's delay, measured by correlation around the loudest part of the sound."""
    reach = round(MAX_DELAY_S * RATE_HZ)
    size = len(original)
    copy = np.pad(copy, (0, max(size - len(copy), 0)))
    window = round(COMPARED_S * RATE_HZ)
    start = min(max(int(np.abs(original).argmax()) - window // 2, 0), max(size - window, 0))
    part = original[start : start + window]
    heard = copy[max(start - reach, 0) : start + window + reach]
    before = start - max(start - reach, 0)
    length = next_fast_len(len(heard) + len(part), real=True)
    correlation = irfft(rfft(heard, length) * np.conj(rfft(part, length)), length)
    lags = np.concatenate([correlation[length - reach :], correlation[: 2 * reach + 1]])
    delay = int(lags.argmax()) - reach - before
    moved = copy[delay:] if delay > 0 else np.pad(copy, (-delay, 0))
    return np.asarray(np.pad(moved, (0, max(size - len(moved), 0)))[:size], np.float32)

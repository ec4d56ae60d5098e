"""Encoding of samples as sound files by PyAV, block by block.

=======  ============================  ===================================================
Format   Encoding                      Use
=======  ============================  ===================================================
wav      16-bit PCM                    editors
flac     16 bits, half the size        editors; browsers that do not decode Opus
opus     Opus in Ogg, 48 kHz, 128 k    the cache: encoded 200 times faster than real time
mp3      MP3, 160 kbit/s               users: every player, also Telegram's, plays it as music
=======  ============================  ===================================================

Bit rates are for stereo; mono has half. A long MP3 gets a lower rate to stay below a size limit.
Samples beyond full scale are clipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from io import BytesIO
from typing import IO, Final, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer

from inference_service.audio.waveform import Samples, Waveform
from inference_service.progress import Report, ignore

BLOCK_S: Final = 1.0

COMPACT_RATE_HZ: Final = 32_000
"""Of converted FLAC files, with half of the bytes of 48 kHz."""


class SoundFormat(StrEnum):
    """A format of sound files."""

    WAV = "wav"
    FLAC = "flac"
    OPUS = "opus"
    MP3 = "mp3"


@dataclass(frozen=True, slots=True)
class _Recipe:
    container: str
    codec: str
    rate_hz: int | None = None
    bit_rate: int | None = None
    options: dict[str, str] = field(default_factory=dict)


_RECIPES: Final = {
    SoundFormat.WAV: _Recipe("wav", "pcm_s16le"),
    SoundFormat.FLAC: _Recipe("flac", "flac"),
    SoundFormat.OPUS: _Recipe("ogg", "libopus", 48_000, 128_000, {"compression_level": "3"}),
    SoundFormat.MP3: _Recipe("mp3", "libmp3lame", 44_100, 160_000, {"compression_level": "7"}),
}
MEDIA_TYPES: Final = {
    SoundFormat.WAV: "audio/wav",
    SoundFormat.FLAC: "audio/flac",
    SoundFormat.OPUS: "audio/ogg",
    SoundFormat.MP3: "audio/mpeg",
}
MP3_KBITS: Final = (160, 128, 112, 96, 80, 64, 56, 48, 40, 32)
"""Bit rates of MPEG-1 Layer III (ISO/IEC 11172-3) that are used here."""

SUFFIXES: Final = {**{kind: kind.value for kind in SoundFormat}, SoundFormat.OPUS: "ogg"}


def encode(
    waveform: Waveform,
    kind: SoundFormat,
    report: Report = ignore,
    *,
    bit_rate: int | None = None,
) -> bytes:
    """Return a sound file of one or two channels.

    Parameters
    ----------
    waveform : Waveform
    kind : SoundFormat
    report : Report
        Called for every second of audio; may raise ``Cancelled``.
    bit_rate : int, optional
        In bit/s, of stereo; none: that of the format.
    """
    samples, rate_hz = waveform.samples, waveform.sample_rate_hz
    block = round(BLOCK_S * rate_hz)

    def cut() -> Iterator[av.AudioFrame]:
        for start in range(0, samples.shape[-1], block):
            report(start / samples.shape[-1])
            yield _to_frame(samples[:, start : start + block], rate_hz, start)

    rate = None if bit_rate is None else bit_rate * len(samples) // 2
    target = BytesIO()
    _mux(target, cut(), kind, rate_hz, len(samples), rate)
    return target.getvalue()


def convert_to_mp3(data: bytes, max_bytes: int, report: Report = ignore) -> bytes:
    """Convert a sound file made by :func:`encode` to MP3, a second at a time.

    Parameters
    ----------
    data : bytes
    max_bytes : int
        Size limit, met by a lower bit rate as far as possible.
    report : Report
        Called for every packet; may raise ``Cancelled``.
    """
    target = BytesIO()
    with av.open(BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        bit_rate = choose_mp3_rate(_duration_s(container), stream.channels, max_bytes)
        frames = _read(container, report)
        _mux(target, frames, SoundFormat.MP3, stream.rate, stream.channels, bit_rate)
    return target.getvalue()


def convert_to_flac(data: bytes, target: IO[bytes], report: Report = ignore) -> None:
    """Convert a sound file made by :func:`encode` to FLAC at :data:`COMPACT_RATE_HZ`.

    FLAC keeps each sample where it was. The padding at the beginning of MP3 and AAC, which browsers
    cut off or not, would shift the recording against its score.

    Parameters
    ----------
    data : bytes
    target : file
        Seekable; receives the file a second at a time.
    report : Report
        Called for every packet; may raise ``Cancelled``.
    """
    with av.open(BytesIO(data), "r") as container:
        channels = container.streams.audio[0].channels
        _mux(target, _read(container, report), SoundFormat.FLAC, COMPACT_RATE_HZ, channels)


def _duration_s(container: InputContainer) -> float:
    return float(container.duration or 0) / av.time_base


def _read(container: InputContainer, report: Report) -> Iterator[av.AudioFrame]:
    """Decode a container's sound, counted from its first sample."""
    stream, duration_s = container.streams.audio[0], _duration_s(container)
    done = 0
    for frame in container.decode(stream):
        report(min(done / stream.rate / duration_s, 1.0) if duration_s else 0.0)
        frame.pts, frame.time_base = done, Fraction(1, stream.rate)
        done += frame.samples
        yield frame


def choose_mp3_rate(duration_s: float, channels: int, max_bytes: int) -> int:
    """Return the highest usual bit rate in bit/s at which an MP3 has at most ``max_bytes``.

    Examples
    --------
    >>> choose_mp3_rate(180.0, 2, 48_000_000)
    160000
    >>> choose_mp3_rate(7200.0, 2, 48_000_000)
    48000
    """
    usual = (_RECIPES[SoundFormat.MP3].bit_rate or 0) * channels // 2
    rates = [1000 * kbits for kbits in MP3_KBITS if 1000 * kbits <= usual]
    fitting = (rate for rate in rates if rate * duration_s / 8 <= max_bytes)
    return next(fitting, rates[-1])


def _mux(
    target: IO[bytes],
    frames: Iterable[av.AudioFrame],
    kind: SoundFormat,
    rate_hz: int,
    channels: int,
    bit_rate: int | None = None,
) -> None:
    recipe = _RECIPES[kind]
    layout = "mono" if channels == 1 else "stereo"
    with av.open(target, "w", format=recipe.container) as container:
        asked = {"rate": recipe.rate_hz or rate_hz, "layout": layout}
        track = cast(AudioStream, container.add_stream(recipe.codec, **asked))  # type: ignore[call-overload]
        track.options = dict(recipe.options)
        if recipe.bit_rate:
            track.bit_rate = bit_rate or recipe.bit_rate * channels // 2
        # Frames in the codec's own format and size; the last one may be shorter.
        codec = track.codec_context
        codec.open()
        resampler = av.AudioResampler(
            codec.format.name, layout, codec.sample_rate, frame_size=codec.frame_size or None
        )
        for frame in frames:
            for converted in resampler.resample(frame):
                container.mux(track.encode(converted))
        for converted in resampler.resample(None):
            container.mux(track.encode(converted))
        container.mux(track.encode(None))


def _to_frame(samples: Samples, rate_hz: int, start: int) -> av.AudioFrame:
    within = np.ascontiguousarray(np.clip(samples, -1.0, 1.0), np.float32)
    frame = av.AudioFrame.from_ndarray(within, "fltp", "mono" if len(samples) == 1 else "stereo")
    frame.sample_rate, frame.pts, frame.time_base = rate_hz, start, Fraction(1, rate_hz)
    return frame

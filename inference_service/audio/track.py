"""Reading the audio track of a file with FFmpeg (PyAV), within limits.

The track is resampled to 44.1 kHz float32. Mono stays mono, stereo stays stereo, and more channels
are mixed down to stereo with FFmpeg's matrix. This module runs in the decoder's process
(:mod:`inference_service.audio.decode_worker`) and imports no numpy, so that the process starts
quickly.

Untrusted files
---------------
Headers are not trusted. Limits are checked while packets are decoded, so that neither a header that
claims ten hours nor an hour of silence in a few kilobytes costs more time and memory than the
limits allow. The number of packets is limited by the duration of the sound that they have yielded,
so that neither packets that an edit list discards nor packets of a single sample cost more than
those of a real recording. A truncated file yields what could be decoded; damaged packets are
skipped, up to a maximum number. Only the demuxers and decoders listed here are available, and
FFmpeg may not open other files or addresses (playlists, external references). Images and video
frames are never decoded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, TypeAlias

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from inference_service.audio.ffmpeg import limit_allocations
from inference_service.errors import AudioNoTrack, AudioSampleRate, AudioTooLong, AudioUnreadable
from inference_service.progress import Report

SAMPLE_RATE_HZ: Final = 44100
"""Sample rate of decoded sound."""

MAX_CHANNELS: Final = 16
"""Third-order ambisonics; a header that claims more channels is taken to be damaged."""

MAX_STREAMS: Final = 16
MAX_ALLOCATION_BYTES: Final = 32 * 2**20
"""Far more than any packet, index of 15 minutes of audio, or cover image needs."""

MAX_CORRUPT_PACKETS: Final = 1000
MAX_IDLE_PACKETS: Final = 20_000
"""Packets without sound, such as those before the start of an edit list."""

MAX_PACKETS_PER_S: Final = 1_000
"""Of decoded sound. The shortest packets in use, of ADPCM in QuickTime files, have 64 samples, or
690 packets a second; the shortest of Opus, 400."""

PACKETS_PER_REPORT: Final = 32
FFMPEG_TIMEOUT_S: Final = 10.0
"""For opening and for each read; both are from memory, so only a hanging demuxer exceeds it."""

DEMUXERS: Final = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,"
    "mpeg,mpegts,ogg,tta,w64,wav,wv"
)
DECODERS: Final = (
    "aac,aac_latm,ac3,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,adpcm_swf,adpcm_yamaha,alac,amrnb,amrwb,"
    "ape,eac3,flac,gsm,gsm_ms,mp1float,mp2float,mp3float,mp1,mp2,mp3,nellymoser,opus,pcm_alaw,"
    "pcm_bluray,pcm_dvd,pcm_f32be,pcm_f32le,pcm_f64be,pcm_f64le,pcm_mulaw,pcm_s16be,pcm_s16le,"
    "pcm_s16be_planar,pcm_s16le_planar,pcm_s24be,pcm_s24le,pcm_s32be,pcm_s32le,pcm_s64be,pcm_s64le,"
    "pcm_s8,pcm_u8,speex,tta,vorbis,wavpack,wmalossless,wmapro,wmav1,wmav2,wmavoice"
)

# For these formats, FFmpeg guesses the duration from the bit rate or from unreliable timestamps.
_GUESSED_DURATION: Final = frozenset({"aac", "ac3", "amr", "eac3", "mp3", "mpeg", "mpegts"})

Block: TypeAlias = tuple[memoryview, ...]
"""The float32 samples of each channel, as bytes in native order; valid until the next block."""


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """Limits on accepted files, inclusive.

    ``max_bytes`` is enough for 15 minutes of 16-bit stereo at 48 kHz.
    """

    max_bytes: int = 192 * 2**20
    max_duration_s: float = 900.0
    min_duration_s: float = 0.1
    min_rate_hz: int = 8000
    max_rate_hz: int = 192_000


def decode_track(data: bytes, limits: AudioLimits, report: Report) -> Iterator[Block]:
    """Yield the samples of a file's audio track, with a constant number of channels, 1 or 2.

    Parameters
    ----------
    data : bytes
        The whole file.
    limits : AudioLimits
    report : Report
        Called while decoding with the fraction of the bytes read.

    Raises
    ------
    AudioUnreadable, AudioNoTrack, AudioSampleRate, AudioTooLong
        As their names say.
    """
    source = io.BytesIO(data)
    try:
        with _open(source) as container:
            stream = _select_stream(container, limits)
            yield from _read_blocks(container, stream, source, len(data), limits, report)
    except (av.FFmpegError, ValueError) as error:
        raise AudioUnreadable("the file is in no readable audio format") from error


def _open(source: io.BytesIO) -> InputContainer:
    limit_allocations(MAX_ALLOCATION_BYTES)
    return av.open(
        source,
        "r",
        container_options={
            "format_whitelist": DEMUXERS,
            "codec_whitelist": DECODERS,
            "max_streams": str(MAX_STREAMS),
        },
        metadata_errors="replace",
        timeout=(FFMPEG_TIMEOUT_S, FFMPEG_TIMEOUT_S),
        io_open=_refuse_to_open,
    )


def _refuse_to_open(url: str, flags: int, options: Mapping[str, str]) -> NoReturn:
    raise PermissionError("a file may not refer to another")


def _select_stream(container: InputContainer, limits: AudioLimits) -> AudioStream:
    """Return the best audio track, set to be decoded on one thread."""
    if not container.streams.audio:
        raise AudioNoTrack("the file holds no sound track")
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream) or stream.codec_context is None:
        raise AudioUnreadable("the sound track's codec is unknown")
    if stream.codec_context.name not in DECODERS.split(","):
        raise AudioUnreadable(f"the codec {stream.codec_context.name} is not accepted")
    _check_rate(stream.codec_context.sample_rate, limits)
    if stream.codec_context.channels > MAX_CHANNELS:
        raise AudioUnreadable(f"the sound track claims {stream.codec_context.channels} channels")
    if _GUESSED_DURATION.isdisjoint(container.format.name.split(",")):
        check_duration(_declared_duration_s(container, stream), limits)
    stream.codec_context.thread_count = 1
    return stream


def _declared_duration_s(container: InputContainer, stream: AudioStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def _check_rate(rate_hz: int, limits: AudioLimits) -> None:
    if not limits.min_rate_hz <= rate_hz <= limits.max_rate_hz:
        raise AudioSampleRate(
            f"the sample rate of {rate_hz} Hz is outside {limits.min_rate_hz} to "
            f"{limits.max_rate_hz} Hz",
            rate_hz=rate_hz,
        )


def check_duration(duration_s: float, limits: AudioLimits) -> None:
    """Raise :class:`AudioTooLong` if a duration is over the limit."""
    if duration_s > limits.max_duration_s:
        raise AudioTooLong(
            f"the recording is over the limit of {limits.max_duration_s:g} s",
            limit_s=limits.max_duration_s,
        )


def _read_blocks(
    container: InputContainer,
    stream: AudioStream,
    source: io.BytesIO,
    size_bytes: int,
    limits: AudioLimits,
    report: Report,
) -> Iterator[Block]:
    converter = _Converter()
    duration_s = 0.0
    for number, frames in enumerate(_decode_packets(container, stream)):
        if number > MAX_IDLE_PACKETS + MAX_PACKETS_PER_S * duration_s:
            raise AudioUnreadable(f"{number} packets yield {duration_s:.1f} s of sound")
        if number % PACKETS_PER_REPORT == 0:
            report(min(source.tell() / size_bytes, 1.0))
        for frame in frames:
            _check_rate(frame.sample_rate, limits)
            duration_s += frame.samples / frame.sample_rate
            check_duration(duration_s, limits)
            yield from converter.convert(frame)
    yield from converter.flush()


def _decode_packets(container: InputContainer, stream: AudioStream) -> Iterator[list[AudioFrame]]:
    """Yield each packet's frames, none for a damaged one; end where the container is truncated."""
    packets = container.demux(stream)
    corrupt_packets = 0
    while corrupt_packets < MAX_CORRUPT_PACKETS:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, IndexError):  # PyAV looks up a stream that the damage has added
            return
        if packet is None:
            return
        try:
            yield packet.decode()
        except av.FFmpegError:
            corrupt_packets += 1
            yield []


class _Converter:
    """Converts frames to float32 blocks of constant sample rate and channel count."""

    def __init__(self) -> None:
        self._layout = ""
        self._source: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None

    def convert(self, frame: AudioFrame) -> Iterator[Block]:
        """Yield the converted samples; the format may change between frames."""
        source = (frame.format.name, frame.layout.name, frame.sample_rate)
        if source != self._source:
            yield from self.flush()
            self._layout = self._layout or ("mono" if frame.layout.nb_channels == 1 else "stereo")
            self._resampler = AudioResampler("fltp", self._layout, SAMPLE_RATE_HZ)
            self._source = source
        frame.pts = None  # ignore gaps and jumps in timestamps
        yield from self._push(frame)

    def flush(self) -> Iterator[Block]:
        """Yield the samples still buffered by the resampler."""
        yield from self._push(None)
        self._resampler = None

    def _push(self, frame: AudioFrame | None) -> Iterator[Block]:
        if self._resampler is None:
            return
        for converted in self._resampler.resample(frame):
            if converted is not None and converted.samples:
                size_bytes = 4 * converted.samples
                yield tuple(memoryview(plane)[:size_bytes] for plane in converted.planes)

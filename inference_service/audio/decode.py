"""Decoding of audio and video files to a :class:`Waveform`.

The file is decoded in a process of its own (:mod:`inference_service.audio.decode_worker`), whose
CPU time, memory and duration are limited in proportion to the file.

Conventions
-----------
See :mod:`inference_service.audio.track` for the formats, sample rate and channels. The mean of each
channel is removed. Samples that are not finite become 0; float files of a different scale are
normalised to [-1, 1].
"""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import numpy as np

from inference_service.audio.decode_worker import END, ERROR, MONO, PROGRESS, STEREO
from inference_service.audio.decoder_process import SPARE
from inference_service.audio.track import SAMPLE_RATE_HZ, AudioLimits, check_duration
from inference_service.audio.waveform import Samples, Waveform
from inference_service.errors import (
    ERRORS,
    AudioEmpty,
    AudioError,
    AudioSilent,
    AudioTooLarge,
    AudioTooShort,
    Internal,
    QueueFull,
)
from inference_service.progress import Report

__all__ = ["SAMPLE_RATE_HZ", "AudioLimits", "Reserve", "decode", "prepare", "reserve_nothing"]

SILENCE_PEAK: Final = 1e-4
"""-80 dBFS: a recording whose peak, after removal of the mean, is lower is silent."""

MAX_PEAK: Final = 4.0
"""12 dB above full scale: a float file beyond this is taken to have a different scale."""

_CHANNELS: Final = {MONO: 1, STEREO: 2}

Reserve = Callable[[int, Callable[[], None]], None]
"""Called with the size in bytes of samples before they are kept, and a function to call while
waiting until there is room for them."""


def prepare() -> None:
    """Start the process that will decode the next file, so that the file need not wait for it."""
    with suppress(QueueFull):  # the next file starts it, or reports why it cannot
        SPARE.fill()


def reserve_nothing(size_bytes: int, wait: Callable[[], None]) -> None:
    """A ``Reserve`` without a limit."""


def decode(
    data: bytes, limits: AudioLimits, report: Report, reserve: Reserve = reserve_nothing
) -> Waveform:
    """Decode the audio track of a file.

    Parameters
    ----------
    data : bytes
        The whole file.
    limits : AudioLimits
    report : Report
        Called while decoding with the fraction of the bytes read.
    reserve : Reserve
        Called with the size of samples that were received, before more are read.

    Returns
    -------
    Waveform
        At 44.1 kHz, with one or two channels, finite, not silent.

    Raises
    ------
    AudioEmpty, AudioTooLarge, AudioUnreadable, AudioNoTrack, AudioSampleRate, AudioTooLong, \
AudioTooShort, AudioSilent
        As their names say.
    DeadlineExceeded
        If the machine is too busy to decode the file in time.
    QueueFull
        If the machine can start no process.
    Cancelled
        From ``report``.
    """
    if not data:
        raise AudioEmpty("the file is empty")
    if len(data) > limits.max_bytes:
        raise AudioTooLarge(
            f"the file has {len(data)} bytes, over the limit of {limits.max_bytes}",
            limit_bytes=limits.max_bytes,
            size_bytes=len(data),
        )
    samples = _join(_receive(data, limits, report, reserve))
    duration_s = samples.shape[1] / SAMPLE_RATE_HZ
    if duration_s < limits.min_duration_s:
        raise AudioTooShort(
            f"{duration_s:.3f} s of sound, under the minimum of {limits.min_duration_s:g} s",
            minimum_s=limits.min_duration_s,
            duration_s=round(duration_s, 3),
        )
    _condition(samples)
    if max(samples.max(), -samples.min()) < SILENCE_PEAK:
        raise AudioSilent("the recording is silent")
    report(1.0)
    return Waveform(samples, SAMPLE_RATE_HZ)


def _receive(data: bytes, limits: AudioLimits, report: Report, reserve: Reserve) -> deque[Samples]:
    """Return the decoded blocks, shape (C, N), with constant C."""
    blocks: deque[Samples] = deque()
    total_samples = 0
    fraction = 0.0

    def wait() -> None:
        report(fraction)

    with SPARE.take() as process:
        prepare()
        for kind, content in process.decode(data, limits, wait):
            message = _decode_message(kind, content)
            if message is None:
                return blocks
            if isinstance(message, AudioError):
                raise message
            if isinstance(message, float):
                fraction = message
                continue
            total_samples += message.shape[1]
            check_duration(total_samples / SAMPLE_RATE_HZ, limits)
            reserve(message.nbytes, wait)
            blocks.append(message)
    raise Internal("the decoder ended without a word")


def _decode_message(kind: bytes, content: memoryview) -> AudioError | Samples | float | None:
    """Return an error, samples of shape (C, N), the fraction that was read, or None at the end."""
    try:
        if kind == PROGRESS:
            return float(struct.unpack("<d", content)[0])
        if kind in _CHANNELS:
            return np.frombuffer(content, np.float32).reshape(_CHANNELS[kind], -1)
        if kind == ERROR:
            given = json.loads(bytes(content))
            error = ERRORS[given["code"]](given["cause"], **given["params"])
            if isinstance(error, AudioError):
                return error
    except (LookupError, TypeError, ValueError, struct.error) as error:
        raise Internal("the decoder sent what is no message") from error
    if kind == END:
        return None
    raise Internal("the decoder sent an unknown message")


def _join(blocks: deque[Samples]) -> Samples:
    """Return the blocks as one array, shape (C, N); each is freed when it is copied."""
    if not blocks:
        raise AudioEmpty("the file holds no decodable sound")
    samples = np.empty((len(blocks[0]), sum(block.shape[1] for block in blocks)), np.float32)
    start = 0
    while blocks:
        block = blocks.popleft()
        samples[:, start : start + block.shape[1]] = block
        start += block.shape[1]
    return samples


def _condition(samples: Samples) -> None:
    """Make samples finite, scaled to [-1, 1] and of mean 0, in place."""
    np.nan_to_num(samples, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    for channel in samples:
        peak = max(-float(channel.min()), float(channel.max()))
        if peak > MAX_PEAK:
            # A percentile, because one damaged sample must not make the rest inaudible.
            usual_peak = float(np.percentile(np.abs(channel), 99.9))
            channel /= max(usual_peak, 1.0)
            np.clip(channel, -1.0, 1.0, out=channel)
        channel -= channel.mean(dtype=np.float64)

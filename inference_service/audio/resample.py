"""Sample-rate conversion, torch-free (soxr, high quality: 100 dB of rejection)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from inference_service.audio.waveform import Samples


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Convert the sample rate.

    Parameters
    ----------
    samples : np.ndarray, shape (N,) or (C, N), float32
    from_hz, to_hz : int

    Returns
    -------
    np.ndarray, shape (ceil(N * to_hz / from_hz),) or (C, ...), float32
        The input itself where the rates are equal.
    """
    if from_hz == to_hz:
        return samples
    wanted = -(-samples.shape[-1] * to_hz // from_hz)
    frames = np.ascontiguousarray(samples.T, dtype=np.float32)
    converted = soxr.resample(frames, from_hz, to_hz, quality="HQ").T[..., :wanted]
    missing = wanted - converted.shape[-1]  # soxr rounds the length to the nearest
    if missing > 0:
        converted = np.pad(converted, [(0, 0)] * (converted.ndim - 1) + [(0, missing)])
    return np.ascontiguousarray(converted, dtype=np.float32)


def resample_stream(
    blocks: Iterable[Samples], channels: int, from_hz: int, to_hz: int
) -> Iterator[Samples]:
    """Convert the sample rate of what arrives in blocks, without holding the whole.

    Parameters
    ----------
    blocks : iterable of np.ndarray, shape (channels, n), float32
    channels, from_hz, to_hz : int

    Yields
    ------
    np.ndarray, shape (channels, n), float32
        Together what :func:`resample` makes of the blocks together, but for the last sample,
        which is missing where soxr rounds the length down.
    """
    if from_hz == to_hz:
        yield from blocks
        return
    stream = soxr.ResampleStream(from_hz, to_hz, channels, dtype="float32", quality="HQ")
    for block in blocks:
        yield np.ascontiguousarray(
            stream.resample_chunk(np.ascontiguousarray(block.T, dtype=np.float32)).T
        )
    rest = np.zeros((0, channels), dtype=np.float32)
    yield np.ascontiguousarray(stream.resample_chunk(rest, last=True).T)

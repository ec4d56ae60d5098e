"""Decoded audio."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Waveform:
    """Decoded audio.

    Attributes
    ----------
    samples : np.ndarray, shape (C, N), float32, nominally in [-1, 1], finite
    sample_rate_hz : int
    """

    samples: Samples
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return int(self.samples.shape[-1]) / self.sample_rate_hz

    def mono(self) -> Samples:
        """Return the mean of the channels: np.ndarray, shape (N,), float32."""
        mono: Samples = (
            self.samples[0]
            if len(self.samples) == 1
            else self.samples.mean(axis=0, dtype=np.float32)
        )
        return mono


def mix(waveforms: Iterable[Waveform]) -> Waveform:
    """Return the sum of waveforms of equal shape and rate."""
    first, *others = waveforms
    if not others:
        return first
    samples = sum((other.samples for other in others), start=first.samples)
    return Waveform(samples, first.sample_rate_hz)

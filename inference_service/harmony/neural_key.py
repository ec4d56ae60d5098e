"""Estimation of the key from the sound, by the network of :mod:`.key_network`.

The recording is heard whole, as its authors do. Without a recording, as for a file of notes, the
key is estimated from notes and chords (:mod:`.key`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Waveform
from inference_service.harmony.key import KeyProfileEstimator
from inference_service.harmony.key_network import (
    HOP_SAMPLES,
    MIN_FRAMES,
    SAMPLE_RATE_HZ,
    KeyNetwork,
    load_published,
)
from inference_service.harmony.melodic_prior import MODES
from inference_service.model_files import ModelFiles
from inference_service.music.events import ChordSegment, KeyEstimate, NoteEvent
from inference_service.music.pitch import build_key
from inference_service.settings import ModelSettings

SILENCE: Final = 1e-6
"""A recording with a lower peak has no key in its sound."""


class NeuralKeyEstimator:
    """Estimates a single key for the whole piece.

    Parameters
    ----------
    network : KeyNetwork
        In evaluation mode, on ``device``.
    device : str
    """

    def __init__(self, network: KeyNetwork, device: str = "cpu") -> None:
        self._network = network
        self._device = device
        self._from_notes = KeyProfileEstimator()

    def estimate(
        self,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        waveform: Waveform | None = None,
    ) -> list[KeyEstimate]:
        """Return all keys, the likeliest first; by notes and chords where there is no sound."""
        if waveform is None or np.abs(waveform.samples).max(initial=0.0) < SILENCE:
            return self._from_notes.estimate(notes, chords)
        estimates = [
            KeyEstimate(build_key(tonic, mode), float(probability))
            for mode, row in zip(MODES, self.predict(waveform), strict=True)
            for tonic, probability in enumerate(row)
        ]
        return sorted(estimates, key=lambda estimate: -estimate.probability)

    def predict(self, waveform: Waveform) -> NDArray[np.float32]:
        """Return the probability of each key, by mode and tonic, shape (2, 12)."""
        mono = resample(waveform.mono(), waveform.sample_rate_hz, SAMPLE_RATE_HZ)
        mono = mono / max(float(np.abs(mono).max(initial=0.0)), SILENCE)
        mono = np.pad(mono, (0, max(MIN_FRAMES * HOP_SAMPLES - len(mono), 0)))
        with torch.inference_mode():
            found = self._network(torch.from_numpy(mono)[None].to(self._device))
        probabilities: NDArray[np.float32] = found[0].cpu().numpy()
        return probabilities


def build(entry: ModelFiles, settings: ModelSettings) -> NeuralKeyEstimator:
    """Build the estimator, as the manifest declares it."""
    (checkpoint,) = entry.paths(settings.weights)
    device = settings.device_name
    return NeuralKeyEstimator(load_published(checkpoint, device), device)

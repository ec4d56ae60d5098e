"""Separation of vocals and accompaniment by a Mel-band RoFormer (:mod:`.band_network`).

The recording is processed in windows of the length that the network was trained on, which overlap
by half and are cross-faded; a shorter recording is padded with silence. The accompaniment is what
the vocals leave of the mixture.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

import numpy as np
import torch

from inference_service.audio.chunking import Window, crossfade, iterate_windows
from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.model_files import ModelFiles
from inference_service.progress import Report
from inference_service.separation.band_network import BandRoformer, load_published
from inference_service.settings import ModelSettings

WINDOW_SAMPLES: Final = 352_800
"""8 s at 44.1 kHz."""

OVERLAP: Final = 0.5
"""As in the settings that are published with the network."""


class BandRoformerSeparator:
    """A ``pipeline.stages.Separator`` with the stems "vocals" and "accompaniment".

    The stems sum to the mixture. Deterministic and stateless.

    Parameters
    ----------
    network : BandRoformer
        In evaluation mode, on ``device``.
    device : torch.device or str
    window_samples : int
        Length of a window, at the network's sample rate.
    """

    stems: Final = ("vocals", "accompaniment")

    def __init__(
        self,
        network: BandRoformer,
        device: torch.device | str = "cpu",
        window_samples: int = WINDOW_SAMPLES,
    ) -> None:
        self._network = network
        self._device = torch.device(device)
        self._size = window_samples

    def separate(self, mixture: Waveform, report: Report) -> dict[str, Waveform]:
        """Return the two stems, each with the mixture's length, rate and channel count.

        Raises
        ------
        Cancelled
            From ``report``, which is called for every layer of the network in every window.
        """
        rate_hz, length = mixture.sample_rate_hz, mixture.samples.shape[-1]
        own_hz = self._network.config.sample_rate_hz
        samples = resample(mixture.samples, rate_hz, own_hz, self._device)
        whole = max(samples.shape[-1], self._size)
        heard = crossfade(self._hear(samples, whole, report), whole)[:, : samples.shape[-1]]
        found = resample(heard, own_hz, rate_hz, self._device)[:, :length]
        vocals = np.zeros_like(mixture.samples)
        vocals[:, : found.shape[-1]] = found
        report(1.0)
        return {
            "vocals": Waveform(vocals, rate_hz),
            "accompaniment": Waveform(mixture.samples - vocals, rate_hz),
        }

    def _hear(
        self, samples: Samples, length: int, report: Report
    ) -> Iterator[tuple[Window, Samples]]:
        """Yield the vocals of each window, shape (C, N); the samples are padded with silence."""
        windows = list(iterate_windows(length, self._size, round(OVERLAP * self._size)))
        steps = len(windows) * (2 * self._network.config.depth + 1)
        done = itertools.count()
        for window in windows:
            piece = samples[:, window.start : window.stop]
            piece = np.pad(piece, ((0, 0), (0, self._size - piece.shape[-1])))
            stereo = np.stack([piece[0], piece[min(1, len(piece) - 1)]])
            with torch.inference_mode():
                heard = self._network(
                    torch.from_numpy(stereo)[None].to(self._device),
                    on_layer=lambda: report(next(done) / steps),
                )
            yield window, heard[0].cpu().numpy()[: len(piece)]


def build(entry: ModelFiles, settings: ModelSettings) -> BandRoformerSeparator:
    """Build the separator, as the manifest declares it."""
    (checkpoint,) = entry.paths(settings.weights)
    device = settings.device_name
    return BandRoformerSeparator(load_published(checkpoint, device), device)

"""Separation of vocals and accompaniment by the bundled network :class:`MaskNet`.

The recording is processed in windows without audible seams: the parts of a window that lack context
are discarded, and windows are aligned with the network's stride, so that the result equals that for
the whole recording. Memory in addition to the stems is that of one window.

Each window is processed forwards and backwards in time, and the results are averaged, since their
errors differ (``model_zoo/experiments/008-separator.md``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from inference_service.audio.chunking import Window, crossfade, iterate_windows
from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.batching import Batches
from inference_service.checkpoint import load_network
from inference_service.model_files import ModelFiles
from inference_service.progress import Report
from inference_service.separation.mask_network import MaskNet
from inference_service.settings import ModelSettings

WINDOW_S: Final = 20.0
LEVEL: Final = 0.1
"""RMS level to which recordings are scaled before separation."""

SILENCE: Final = 1e-5
"""A recording with a lower RMS level is treated as silent."""


class MaskingSeparator:
    """A ``pipeline.stages.Separator`` with the stems "vocals" and "accompaniment".

    The stems sum to the mixture. Deterministic and stateless.

    Parameters
    ----------
    network : MaskNet
    device : torch.device or str
    window_s : float
        Length of a window without its overlap.
    batch : int
        Largest number of windows that the network processes at once.
    """

    stems: Final = ("vocals", "accompaniment")

    def __init__(
        self,
        network: MaskNet,
        device: torch.device | str = "cpu",
        window_s: float = WINDOW_S,
        batch: int = 1,
    ) -> None:
        self._network = network.to(device).eval()
        self._device = torch.device(device)
        self._batches = Batches(self._extract_vocals, device, batch)
        config = network.config
        step = config.stride_frames * config.hop_samples
        edge = -(-config.fft_samples // step) * step
        self._margin = config.context_frames * config.hop_samples + edge
        self._size = 2 * self._margin + -(-round(window_s * config.sample_rate_hz) // step) * step
        self._step = step

    @classmethod
    def from_file(
        cls, path: Path, device: torch.device | str = "cpu", batch: int = 1
    ) -> MaskingSeparator:
        """Load the weights.

        Raises
        ------
        FileNotFoundError
            If there are none.
        ModelRejected
            If they are another network's.
        """
        return cls(load_network(path, MaskNet), device, batch=batch)

    def separate(self, mixture: Waveform, report: Report) -> dict[str, Waveform]:
        """Return the two stems, each with the mixture's length, rate and channel count.

        Raises
        ------
        Cancelled
            From ``report``, which is called for every window.
        """
        rate_hz, length = mixture.sample_rate_hz, mixture.samples.shape[-1]
        own_hz = self._network.config.sample_rate_hz
        samples = resample(mixture.samples, rate_hz, own_hz, self._device)
        level = float(np.sqrt(np.mean(np.square(samples), dtype=np.float64))) if length else 0.0
        vocals = np.zeros_like(mixture.samples)
        if level > SILENCE:
            whole = -(-samples.shape[-1] // self._step) * self._step
            heard = crossfade(self._hear(samples, whole, LEVEL / level, report), whole,
                              margin=self._margin)  # fmt: skip
            heard = heard[:, : samples.shape[-1]]
            found = resample(heard, own_hz, rate_hz, self._device)[:, :length]
            vocals[:, : found.shape[-1]] = found
        report(1.0)
        return {
            "vocals": Waveform(vocals, rate_hz),
            "accompaniment": Waveform(mixture.samples - vocals, rate_hz),
        }

    def _hear(
        self, samples: Samples, length: int, gain: float, report: Report
    ) -> Iterator[tuple[Window, Samples]]:
        """Yield the vocals of each window, shape (C, N); the samples are padded with silence."""
        windows = list(iterate_windows(length, self._size, 2 * self._margin))

        def cut() -> Iterator[tuple[Window, list[Samples]]]:
            for number, window in enumerate(windows):
                report(number / len(windows))
                piece = samples[:, window.start : window.stop] * np.float32(gain)
                missing = window.stop - window.start - piece.shape[-1]
                piece = np.pad(piece, ((0, 0), (0, missing)))
                yield window, [np.stack([piece[0], piece[min(1, len(piece) - 1)]])]

        for window, (vocals,) in self._batches.run(cut(), len(windows)):
            heard: Samples = vocals[: len(samples)]
            yield window, heard / np.float32(gain)

    def _extract_vocals(self, forwards: Tensor) -> list[Tensor]:
        """Return the vocals in each channel of samples, shape (B, 2, N)."""
        both = torch.stack([forwards, forwards.flip(-1)], 1).flatten(0, 1)
        spectra = self._network.transform(both)
        masked = self._network(spectra) * spectra
        restored = self._network.restore(masked, forwards.shape[-1])
        heard, backwards = restored[::2], restored[1::2]
        return [(heard + backwards.flip(-1)) / 2]


def build(entry: ModelFiles, settings: ModelSettings) -> MaskingSeparator:
    """Build the separator, as the manifest declares it."""
    (weights,) = entry.paths(settings.weights)
    return MaskingSeparator.from_file(weights, settings.device_name, settings.batch_size)

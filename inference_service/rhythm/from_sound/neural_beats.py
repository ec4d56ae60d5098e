"""Estimate beats, downbeats and metre with our own network and a bar pointer.

:mod:`.network` predicts beat and downbeat activations for every frame, and :mod:`.bar_pointer`
decodes them. Long recordings are processed in windows with overlap, which does not change the
result. Without a clear pulse, beats are a steady grid as in :mod:`.librosa_beats`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from inference_service.audio.chunking import Window, crossfade, iterate_windows
from inference_service.audio.waveform import Waveform
from inference_service.checkpoint import load_network
from inference_service.model_files import ModelFiles
from inference_service.music.events import Beat, ChordSegment, NoteEvent, Rhythm
from inference_service.progress import Report
from inference_service.rhythm.from_sound.bar_pointer import BarPath, decode_bars
from inference_service.rhythm.from_sound.features import (
    BLOCK_FRAMES,
    FRAMES_PER_S,
    Features,
    count_feature_frames,
    iterate_features,
)
from inference_service.rhythm.from_sound.librosa_beats import cover, steady_beats, typical_period_s
from inference_service.rhythm.from_sound.network import BeatNet
from inference_service.settings import ModelSettings

WINDOW_FRAMES: Final = 4096
SMOOTHED_BEATS: Final = 5
"""Number of beats over which a parabola is fitted, to undo the rounding to frames."""

MIN_CLARITY: Final = 0.2
"""Least mean activation at the beats for a pulse. No record of how it was chosen."""
COMPOUND_SHARE: Final = 0.5

Activations = NDArray[np.float32]
"""Probabilities of a beat, a downbeat, and beats that divide into three, shape (3, T)."""


class NeuralBeatEstimator:
    """Estimates the rhythm of a recording with a network.

    Parameters
    ----------
    network : BeatNet
    device : str
        Device of the network.
    """

    def __init__(self, network: BeatNet, device: str = "cpu") -> None:
        self._network = network
        self._device = device
        # numba compiles the decoder on its first call: do that now, not within a request.
        decode_bars(np.full(100, 0.1), np.full(100, 0.05), FRAMES_PER_S)

    def estimate(
        self,
        waveform: Waveform,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        report: Report,
    ) -> Rhythm:
        """Return beats over the whole waveform; a steady grid if there is no clear pulse."""
        activations = self.predict(waveform, report)
        path = decode_bars(
            activations[0].astype(np.float64), activations[1].astype(np.float64), FRAMES_PER_S
        )
        report(1.0)
        if len(path.frames) < 2 or clarity(activations, path) < MIN_CLARITY:
            return _steady(cover(steady_beats(notes), waveform.duration_s))
        beats_s = _smooth(path.frames / FRAMES_PER_S)
        return Rhythm(
            beats=tuple(
                Beat(float(t), int(p)) for t, p in zip(beats_s, path.positions, strict=True)
            ),
            tempo_bpm=60.0 / typical_period_s(beats_s),
            time_signature=name_metre(path, float(activations[2, path.frames].mean())),
        )

    def predict(self, waveform: Waveform, report: Report) -> Activations:
        """Return the activations of a recording."""
        features = self._compute_features(waveform, report)
        length = features.shape[1]
        context = self._network.config.context_frames
        windows = iterate_windows(length, WINDOW_FRAMES, 2 * context)
        return crossfade(self._iterate_outputs(features, windows, report), length, margin=context)

    def _compute_features(self, waveform: Waveform, report: Report) -> Features:
        blocks = []
        total = count_feature_frames(waveform)
        for number, block in enumerate(iterate_features(waveform)):
            report(0.4 * min(number * BLOCK_FRAMES / total, 1.0))
            blocks.append(block)
        return np.concatenate(blocks, axis=1)

    def _iterate_outputs(
        self, features: Features, windows: Iterator[Window], report: Report
    ) -> Iterator[tuple[Window, Activations]]:
        for window in windows:
            report(0.4 + 0.5 * window.start / features.shape[1])
            piece = torch.from_numpy(features[None, :, window.start : window.stop])
            with torch.inference_mode():
                logits = torch.cat(self._network(piece.to(self._device)))
            yield window, torch.sigmoid(logits.float()).cpu().numpy()


def load_estimator(weights: Path, device: str = "cpu") -> NeuralBeatEstimator:
    """Build an estimator from weights.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If it holds another network.
    """
    return NeuralBeatEstimator(load_network(weights, BeatNet, device), device)


def build(entry: ModelFiles, settings: ModelSettings) -> NeuralBeatEstimator:
    """Build the estimator, as the manifest declares it."""
    (weights,) = entry.paths(settings.weights)
    return load_estimator(weights, settings.device_name)


def clarity(activations: Activations, path: BarPath) -> float:
    """Return the mean beat activation at the decoded beats, the largest within one frame."""
    near = np.clip(path.frames[:, None] + np.arange(-1, 2), 0, activations.shape[1] - 1)
    return float(activations[0][near].max(axis=1).mean())


def name_metre(path: BarPath, compound: float) -> str:
    """Return the prevailing time signature; ``compound`` is the probability of a compound metre."""
    length = int(np.bincount(path.lengths).argmax())
    if length == 6:  # the beats are eighths
        return "6/8"
    if compound > COMPOUND_SHARE and length in (2, 3):
        return f"{3 * length}/8"
    return f"{length}/4"


def _smooth(beats_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth the beats, moving each by at most one frame."""
    if len(beats_s) < SMOOTHED_BEATS:
        return beats_s
    fitted = savgol_filter(beats_s, SMOOTHED_BEATS, polyorder=2)
    reach_s = 1.0 / FRAMES_PER_S
    earliest_s = np.maximum(beats_s - reach_s, 0.0)
    smooth: NDArray[np.float64] = np.clip(fitted, earliest_s, beats_s + reach_s)
    return smooth


def _steady(beats_s: NDArray[np.float64]) -> Rhythm:
    """Return a rhythm in common time, with a downbeat at the first beat."""
    beats = tuple(Beat(float(t), index % 4 + 1) for index, t in enumerate(beats_s))
    return Rhythm(beats, 60.0 / typical_period_s(beats_s), "4/4")

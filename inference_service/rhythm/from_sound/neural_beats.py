"""Estimate beats, downbeats and metre with our own network and a comparison of readings.

:mod:`.network` predicts beat and downbeat activations for every frame; :mod:`.readings` compares
whole readings of the recording. Long recordings are processed in windows with overlap, which does
not change the activations. Without a clear pulse, beats are a steady grid as in
:mod:`.librosa_beats`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import savgol_filter
from torch import Tensor

from inference_service.audio.chunking import Window, crossfade, iterate_windows
from inference_service.audio.waveform import Waveform
from inference_service.batching import Batches
from inference_service.checkpoint import load_network
from inference_service.model_files import ModelFiles
from inference_service.music.alternatives import count_steps, number_beat
from inference_service.music.events import Beat, ChordSegment, NoteEvent, Rhythm, RhythmReading
from inference_service.progress import Report
from inference_service.rhythm.from_sound.beat_paths import find_paths
from inference_service.rhythm.from_sound.features import (
    BLOCK_FRAMES,
    FRAMES_PER_S,
    Features,
    count_feature_frames,
    iterate_features,
)
from inference_service.rhythm.from_sound.librosa_beats import cover, steady_beats, typical_period_s
from inference_service.rhythm.from_sound.network import BeatNet
from inference_service.rhythm.from_sound.reading_model import ReadingModel, load_model
from inference_service.rhythm.from_sound.readings import (
    Reading,
    compare,
    find_candidates,
    place_bars,
)
from inference_service.settings import ModelSettings

WINDOW_FRAMES: Final = 4096
SMOOTHED_BEATS: Final = 5
"""Number of beats over which a parabola is fitted, to undo the rounding to frames."""

MIN_CLARITY: Final = 0.2
"""Least mean activation at the beats for a pulse. No record of how it was chosen."""

Activations = NDArray[np.float32]
"""Probabilities of a beat, a downbeat, and beats that divide into three, shape (3, T)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is heard in a recording.

    Attributes
    ----------
    rhythm : Rhythm
        Without readings if there is no clear pulse.
    downbeat : np.ndarray, shape (T,)
        Probability of a downbeat, :data:`FRAMES_PER_S` times a second.
    """

    rhythm: Rhythm
    downbeat: Activations


class NeuralBeatEstimator:
    """Estimates the rhythm of a recording with a network.

    Parameters
    ----------
    network : BeatNet
    model : ReadingModel
        Parameters with which readings are compared.
    device : str
        Device of the network.
    batch : int
        Largest number of windows that the network processes at once.
    """

    def __init__(
        self, network: BeatNet, model: ReadingModel, device: str = "cpu", batch: int = 1
    ) -> None:
        self._network = network
        self._model = model
        self._batches = Batches(self._activate, device, batch)
        # numba compiles the search on its first call: do that now, not within a request.
        find_paths(np.full(300, 0.1), FRAMES_PER_S)

    def estimate(
        self,
        waveform: Waveform,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        report: Report,
    ) -> Rhythm:
        """Return beats over the whole waveform; a steady grid if there is no clear pulse."""
        return self.listen(waveform, notes, chords, report).rhythm

    def listen(
        self,
        waveform: Waveform,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        report: Report,
    ) -> Heard:
        """Return the rhythm of :meth:`estimate`, with the probabilities of downbeats."""
        features = self._compute_features(waveform, report)
        activations = self._predict(features, report)
        candidates = find_candidates(activations, features, chords)
        readings = compare(candidates, self._model, waveform.duration_s)
        report(1.0)
        if not readings or clarity(activations, readings[0].frames) < MIN_CLARITY:
            steady = steady_rhythm(cover(steady_beats(notes), waveform.duration_s))
            return Heard(steady, activations[1])
        best = readings[0]
        beats_s = smooth_beats(best.frames / FRAMES_PER_S)
        candidate = next(c for c in candidates if c.frames is best.frames)
        positions = place_bars(candidate, best, self._model)
        rhythm = Rhythm(
            beats=tuple(Beat(float(t), int(p)) for t, p in zip(beats_s, positions, strict=True)),
            tempo_bpm=60.0 / typical_period_s(beats_s),
            time_signature=best.time_signature,
            readings=describe_readings(readings),
        )
        return Heard(rhythm, activations[1])

    def predict(self, waveform: Waveform, report: Report) -> Activations:
        """Return the activations of a recording."""
        return self._predict(self._compute_features(waveform, report), report)

    def _predict(self, features: Features, report: Report) -> Activations:
        length = features.shape[1]
        context = self._network.config.context_frames
        windows = list(iterate_windows(length, WINDOW_FRAMES, 2 * context))

        def cut() -> Iterator[tuple[Window, list[Features]]]:
            for window in windows:
                report(0.4 + 0.5 * window.start / length)
                yield window, [features[:, window.start : window.stop]]

        outputs = self._batches.run(cut(), len(windows))
        return crossfade(((window, found) for window, (found,) in outputs), length, margin=context)

    def _activate(self, features: Tensor) -> list[Tensor]:
        """Return the activations, shape (B, 3, T), for features of windows."""
        return [torch.sigmoid(torch.stack(self._network(features), 1).float())]

    def _compute_features(self, waveform: Waveform, report: Report) -> Features:
        blocks = []
        total = count_feature_frames(waveform)
        for number, block in enumerate(iterate_features(waveform)):
            report(0.4 * min(number * BLOCK_FRAMES / total, 1.0))
            blocks.append(block)
        return np.concatenate(blocks, axis=1)


def load_estimator(
    weights: Path, readings: Path, device: str = "cpu", batch: int = 1
) -> NeuralBeatEstimator:
    """Build an estimator from the weights of the network and the parameters of the readings.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If one of them holds something else.
    """
    network = load_network(weights, BeatNet, device)
    return NeuralBeatEstimator(network, load_model(readings), device, batch)


def build(entry: ModelFiles, settings: ModelSettings) -> NeuralBeatEstimator:
    """Build the estimator, as the manifest declares it."""
    weights, readings = entry.paths(settings.weights)
    return load_estimator(weights, readings, settings.device_name, settings.batch_size)


def clarity(activations: Activations, frames: NDArray[np.int64]) -> float:
    """Return the mean beat activation at the beats, the largest within one frame."""
    near = np.clip(frames[:, None] + np.arange(-1, 2), 0, activations.shape[1] - 1)
    return float(activations[0][near].max(axis=1).mean())


def describe_readings(readings: Sequence[Reading]) -> tuple[RhythmReading, ...]:
    """Return the readings in terms of the beats of the first, those that agree as one."""
    chosen = readings[0]
    beats_s = (chosen.frames / FRAMES_PER_S).tolist()
    steps = count_steps(chosen.time_signature)
    shares: dict[tuple[str, float, float], float] = {}
    for reading in readings:
        scale = chosen.quarter_frames / reading.quarter_frames
        key = (
            reading.time_signature,
            float(Fraction(scale).limit_denominator(4)),
            number_beat(reading.first_bar_frame / FRAMES_PER_S, beats_s, steps),
        )
        shares[key] = shares.get(key, 0.0) + reading.probability
    return tuple(RhythmReading(*key, share) for key, share in shares.items())


def smooth_beats(beats_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth beats that were found in frames of 20 ms, moving each by at most one frame."""
    if len(beats_s) < SMOOTHED_BEATS:
        return beats_s
    fitted = savgol_filter(beats_s, SMOOTHED_BEATS, polyorder=2)
    reach_s = 1.0 / FRAMES_PER_S
    earliest_s = np.maximum(beats_s - reach_s, 0.0)
    smooth: NDArray[np.float64] = np.clip(fitted, earliest_s, beats_s + reach_s)
    return smooth


def steady_rhythm(beats_s: NDArray[np.float64]) -> Rhythm:
    """Return a rhythm in common time, with a downbeat at the first beat."""
    beats = tuple(Beat(float(t), index % 4 + 1) for index, t in enumerate(beats_s))
    return Rhythm(beats, 60.0 / typical_period_s(beats_s), "4/4")

"""Estimate beats, downbeats and metre with Beat This!, a published network.

Foscarin, Schlüter and Widmer, "Beat this! Accurate beat tracking without DBN postprocessing", ISMIR
2024. The package ``beat-this`` has the network, its spectrogram, its windows of 30 s, and the
post-processing: a beat or a downbeat is a peak of its log odds above 0, and a downbeat moves to the
nearest beat. This module numbers the beats within bars and makes a rhythm of them.

Deviations from the package: sample rates are converted in single precision; where beats are missing
they are filled in evenly (:func:`fill_gaps`), since a score needs beats throughout; and a metre is
named (:func:`number_beats`). Without a clear pulse, beats are a steady grid as in
:mod:`.librosa_beats`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from beat_this.inference import aggregate_prediction, load_model, split_piece
from beat_this.model.beat_tracker import BeatThis
from beat_this.model.postprocessor import Postprocessor
from beat_this.preprocessing import LogMelSpect
from numpy.typing import NDArray
from torch import Tensor

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Waveform
from inference_service.checkpoint import require_finite
from inference_service.errors import ModelRejected
from inference_service.model_files import ModelFiles
from inference_service.music.events import Beat, ChordSegment, NoteEvent, Rhythm
from inference_service.progress import Report
from inference_service.rhythm.from_sound.librosa_beats import cover, steady_beats, typical_period_s
from inference_service.rhythm.from_sound.neural_beats import smooth_beats, steady_rhythm
from inference_service.settings import ModelSettings

MODEL: Final = "beat-this"
SAMPLE_RATE_HZ: Final = 22_050
FRAMES_PER_S: Final = 50
CHUNK_FRAMES: Final = 1500
BORDER_FRAMES: Final = 6
"""As in the package: frames that are discarded at each end of a window."""

MIN_SAMPLES: Final = 1024
"""A window of the spectrogram; shorter recordings are padded with silence."""

LONGEST_BEAT_S: Final = 2.0
SHORTEST_BEAT_S: Final = 0.2
"""Outside of 30 to 300 beats a minute, peaks are no pulse."""

NEIGHBOURS: Final = 8
"""Number of intervals on either side whose median is the local period."""

BAR_LENGTHS: Final = range(2, 13)
USUAL_BAR: Final = 4
"""Beats of a bar if no two downbeats tell."""


class BeatThisEstimator:
    """Estimates the rhythm of a recording with Beat This!.

    Parameters
    ----------
    network : BeatThis
        In evaluation mode, on ``device``.
    device : str
    """

    def __init__(self, network: BeatThis, device: str = "cpu") -> None:
        self._network = network
        self._device = device
        self._spectrogram = LogMelSpect(device=device)
        self._find_peaks = Postprocessor(type="minimal", fps=FRAMES_PER_S)

    def estimate(
        self,
        waveform: Waveform,
        notes: Sequence[NoteEvent],
        chords: Sequence[ChordSegment],
        report: Report,
    ) -> Rhythm:
        """Return beats over the whole waveform; a steady grid if there is no clear pulse."""
        beats_s, downbeats_s = self._find_peaks(*self.predict(waveform, report))
        report(1.0)
        if not has_pulse(beats_s):
            return steady_rhythm(cover(steady_beats(notes), waveform.duration_s))
        return build_rhythm(beats_s, downbeats_s, waveform.duration_s)

    @torch.inference_mode()
    def predict(self, waveform: Waveform, report: Report) -> tuple[Tensor, Tensor]:
        """Return the log odds of a beat and of a downbeat for every frame, each of shape (T,)."""
        report(0.0)
        mono = resample(waveform.mono(), waveform.sample_rate_hz, SAMPLE_RATE_HZ)
        mono = np.pad(mono, (0, max(MIN_SAMPLES - len(mono), 0)))
        spectrogram = self._spectrogram(torch.from_numpy(mono).to(self._device))
        chunks, starts = split_piece(spectrogram, CHUNK_FRAMES, BORDER_FRAMES)
        outputs = []
        for number, chunk in enumerate(chunks):
            report(number / len(chunks))
            output = self._network(chunk[None])
            outputs.append({name: logits[0] for name, logits in output.items()})
        beat, downbeat = aggregate_prediction(
            outputs,
            starts,
            len(spectrogram),
            CHUNK_FRAMES,
            BORDER_FRAMES,
            overlap_mode="keep_first",
            device=self._device,
        )
        return beat.float(), downbeat.float()


def has_pulse(beats_s: NDArray[np.float64]) -> bool:
    """Return whether there are beats at a tempo at which people count."""
    if len(beats_s) < 2:
        return False
    return SHORTEST_BEAT_S <= float(np.median(np.diff(beats_s))) <= LONGEST_BEAT_S


def build_rhythm(
    beats_s: NDArray[np.float64], downbeats_s: NDArray[np.float64], duration_s: float
) -> Rhythm:
    """Return a rhythm over the whole recording, from two or more beats, some of them downbeats."""
    filled_s, numbers = fill_gaps(beats_s)
    smooth_s = smooth_beats(filled_s)
    covered_s = cover(smooth_s, duration_s)
    before = np.searchsorted(covered_s, smooth_s[0])
    downbeats = numbers[np.searchsorted(beats_s, downbeats_s)] + before
    positions, length = number_beats(len(covered_s), downbeats)
    return Rhythm(
        beats=tuple(Beat(float(t), int(p)) for t, p in zip(covered_s, positions, strict=True)),
        tempo_bpm=60.0 / typical_period_s(covered_s),
        time_signature=f"{length}/4",
    )


def fill_gaps(beats_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Divide intervals of several local periods evenly: into ``n`` from ``n - 1/4`` periods on.

    Returns
    -------
    filled_s : np.ndarray, shape (F,)
    numbers : np.ndarray of int, shape (B,)
        Index of each given beat among the filled.
    """
    intervals_s = np.diff(beats_s)
    parts = np.ones(len(intervals_s), np.intp)
    for index, interval_s in enumerate(intervals_s):
        near_s = intervals_s[max(index - NEIGHBOURS, 0) : index + NEIGHBOURS + 1]
        parts[index] = max(1, int(interval_s / float(np.median(near_s)) + 0.25))
    numbers = np.concatenate([[0], np.cumsum(parts)])
    return np.interp(np.arange(numbers[-1] + 1), numbers, beats_s), numbers


def number_beats(count: int, downbeats: NDArray[np.intp]) -> tuple[NDArray[np.intp], int]:
    """Number beats within bars, which begin at the downbeats and after each whole bar.

    Parameters
    ----------
    count : int
        The number of beats.
    downbeats : np.ndarray of int, shape (D,)
        Indices of downbeats, ascending.

    Returns
    -------
    positions : np.ndarray of int, shape (count,)
        1 for the downbeat.
    length : int
        Beats of a whole bar, the commonest distance between downbeats.
    """
    distances = [int(d) for d in np.diff(downbeats) if d in BAR_LENGTHS]
    length = int(np.bincount(distances).argmax()) if distances else USUAL_BAR
    starts = downbeats if len(downbeats) else np.zeros(1, np.intp)
    beats = np.arange(count)
    last = np.maximum(np.searchsorted(starts, beats, side="right") - 1, 0)
    return (beats - starts[last]) % length + 1, length


def load_estimator(path: Path, device: str = "cpu") -> BeatThisEstimator:
    """Build an estimator from a checkpoint that the authors published.

    Only tensors and numbers are read from it, never code.

    Raises
    ------
    FileNotFoundError
        If there is no such file: the package would look for it online.
    ModelRejected
        If the file holds something else, or values that are not finite.
    """
    if not path.is_file():
        raise FileNotFoundError(path)
    try:
        network = load_model(str(path), device)
    except Exception as error:  # unpickling may raise any
        raise ModelRejected(
            f"{path.name} is no checkpoint of Beat This!: {error}", model=MODEL
        ) from error
    require_finite(network, path, MODEL)
    return BeatThisEstimator(network, device)


def build(entry: ModelFiles, settings: ModelSettings) -> BeatThisEstimator:
    """Build the estimator, as the manifest declares it."""
    (checkpoint,) = entry.paths(settings.weights)
    return load_estimator(checkpoint, settings.device_name)

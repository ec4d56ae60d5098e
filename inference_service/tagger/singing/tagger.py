"""The notes of one voice, from SwiftF0's pitch contour and a network of our own.

SwiftF0 tracks the pitch (:mod:`..swift_f0`). From the contour and a spectrogram, which shows vowels
and consonants, :mod:`.network` predicts onsets and sounding frames, and :mod:`.decoding` converts
these to notes. Written pitches, tuning and velocities are computed as in :mod:`..swift_f0`.

Long recordings are processed in windows. Frames closer than
:attr:`~.network.SingingNetConfig.context_frames` to a cut are discarded, so that the result is the
same as for the whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from swift_f0 import PitchResult
from torch import Tensor

from inference_service.audio.chunking import Window, crossfade, iterate_windows
from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.batching import Batches
from inference_service.checkpoint import load_network, read_metadata
from inference_service.model_files import ModelFiles
from inference_service.music.events import NoteEvent
from inference_service.progress import Report
from inference_service.settings import ModelSettings
from inference_service.tagger.singing.decoding import DecodingOptions, Outputs, decode_notes
from inference_service.tagger.singing.features import (
    RATE_HZ,
    compute_columns,
    describe_contour,
    gain_db,
    pitches,
)
from inference_service.tagger.singing.network import Logits, SingingNet
from inference_service.tagger.swift_f0 import SwiftF0Tagger, to_events

DECODING_KEY: Final = "decoding"
WINDOW_FRAMES: Final = 4096
TRACKING_SHARE: Final = 0.7
"""Share of the progress that is reported for pitch tracking."""


class SingingTagger:
    """Finds the notes of a lone voice or monophonic instrument, 47 to 2094 Hz.

    Parameters
    ----------
    network : SingingNet
        In evaluation mode, on ``device``.
    device : str
    options : DecodingOptions, optional
    threads : int
        Number of threads of ONNX Runtime.
    batch : int
        Largest number of windows that the network processes at once.
    """

    def __init__(
        self,
        network: SingingNet,
        device: str = "cpu",
        options: DecodingOptions | None = None,
        threads: int = 2,
        batch: int = 1,
    ) -> None:
        self._network = network
        self._batches = Batches(
            lambda columns, steps: [to_outputs(network(columns, steps))], device, batch
        )
        self._options = options or DecodingOptions()
        self._tracker = SwiftF0Tagger(threads)
        # numba compiles the decoder on its first call: do that now, not within a request.
        silence = Outputs(*np.zeros((len(Outputs._fields), 2)))
        decode_notes(silence, np.zeros(2), np.zeros(2), self._options)

    def tag(self, waveform: Waveform, tuning_cents: float, report: Report) -> list[NoteEvent]:
        """Return the notes, sorted and without overlap."""
        samples = resample(waveform.mono()[None], waveform.sample_rate_hz, RATE_HZ)[0]
        contour = self._tracker.track(
            Waveform(samples[None], RATE_HZ), lambda f: report(TRACKING_SHARE * f)
        )
        outputs = self.predict(
            samples, contour, lambda f: report(TRACKING_SHARE + (1 - TRACKING_SHARE) * f)
        )
        notes = decode_notes(outputs, pitches(contour), contour.confidence, self._options)
        onsets_s, offsets_s, sung = np.array(notes, float).reshape(-1, 3).T
        report(1.0)
        return to_events(onsets_s, offsets_s, sung, contour, tuning_cents, waveform.duration_s)

    def predict(self, samples: Samples, contour: PitchResult, report: Report) -> Outputs:
        """Return the network's outputs for a recording.

        Parameters
        ----------
        samples : np.ndarray, shape (N,), float32, at ``features.RATE_HZ``
        contour : PitchResult
            Contour of the same recording.
        report : Report
        """
        frames = len(contour.timestamps)
        context = self._network.config.context_frames
        windows = list(iterate_windows(frames, WINDOW_FRAMES, 2 * context))
        outputs = self._batches.run(self._cut(samples, contour, windows, report), len(windows))
        found = ((window, activations) for window, (activations,) in outputs)
        rows = crossfade(found, frames, margin=context)
        return Outputs(*rows.astype(np.float64))

    def _cut(
        self, samples: Samples, contour: PitchResult, windows: Sequence[Window], report: Report
    ) -> Iterator[tuple[Window, list[NDArray[np.float32]]]]:
        """Yield the network's inputs for each window, and report that it is next."""
        gain = gain_db(contour)
        described = describe_contour(contour)
        for window in windows:
            report(window.start / described.shape[1])
            columns = compute_columns(samples, gain, window.start, window.stop)
            yield window, [columns, described[:, window.start : window.stop]]


def to_outputs(logits: Logits) -> Tensor:
    """Return the rows of :class:`.decoding.Outputs`, shape (B, 3, T)."""
    return torch.stack([logits.onset.sigmoid(), logits.sounding.sigmoid(), logits.bend], 1).float()


def load_tagger(
    weights: Path, device: str = "cpu", threads: int = 2, batch: int = 1
) -> SingingTagger:
    """Build a tagger from weights, with the costs that were chosen for them.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If it holds another network.
    """
    options = DecodingOptions(**json.loads(read_metadata(weights).get(DECODING_KEY, "{}")))
    network = load_network(weights, SingingNet, device)
    return SingingTagger(network, device, options, threads, batch)


def build(entry: ModelFiles, settings: ModelSettings) -> SingingTagger:
    """Build the tagger, as the manifest declares it."""
    (weights,) = entry.paths(settings.weights)
    return load_tagger(weights, settings.device_name, batch=settings.batch_size)

"""Notes of any instruments and percussion, by the network of our own.

:mod:`.network` tells what begins, sounds and ends in every frame; :mod:`.decoding` makes notes of
that. Recordings of any length go through the network in windows: of each only the frames are kept
that lie :attr:`~.network.NoteNetConfig.context_frames` from its cut ends, on
which nothing outside the window can tell; so the result is the whole's, without seams, in memory
that grows by 3 kB a frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference_service.audio.chunking import Window, iterate_windows
from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform, mix
from inference_service.checkpoint import load_network, read_metadata
from inference_service.model_files import ModelFiles
from inference_service.music.events import NoteEvent, Part
from inference_service.music.families import program_of
from inference_service.progress import Report
from inference_service.settings import ModelSettings
from inference_service.tagger.notes.decoding import (
    DECODING_KEY,
    DecodingOptions,
    Outputs,
    decode_drums,
    decode_notes,
)
from inference_service.tagger.notes.network import Logits, NoteNet

DRUMS_ID: Final = "drums"
WINDOW_S: Final = 20.0
LEVEL_DB: Final = -20.0
"""Recordings are brought to this loudness, the middle of what the network was trained on."""

LEAST_HITS_PER_S: Final = 0.5
"""A stroke here and there is no drummer, but a knock that was taken for one."""

LEAD_FRAMES: Final = 10
"""Of silence before a recording: what sounds from its first sample on begins there."""

_BLOCK_S: Final = 0.5
_LOUD_PERCENTILE: Final = 75.0
_MAX_GAIN: Final = 1e3


class TransformerTagger:
    """Finds the notes of any recording.

    Parameters
    ----------
    network : NoteNet
        Ready to run, on ``device``.
    device : str
    options : DecodingOptions, optional
        Kept as the attribute of this name.
    window_s : float
        Length of a window, without the context about it.
    """

    def __init__(
        self,
        network: NoteNet,
        device: str = "cpu",
        options: DecodingOptions | None = None,
        window_s: float = WINDOW_S,
    ) -> None:
        self._network = network
        self._device = device
        self.options = options or DecodingOptions()
        config = network.config
        # Frames at a window's ends lack sound that their spectrum reaches into.
        reach_frames = -(-network.kernel_samples // 2 // config.spectrogram.hop_samples)
        self._margin = config.context_frames + reach_frames + reach_frames % 2
        self._window_frames = 2 * round(window_s * config.frame_rate_hz / 2) + 2 * self._margin

    def tag(self, waveform: Waveform, tuning_cents: float, report: Report) -> list[NoteEvent]:
        """Return all pitched notes, sorted; the network hears the tuning by itself."""
        found = decode_notes(self.predict(waveform, report), self._frame_rate_hz, self.options)
        return sorted(note for notes in found.values() for note in notes)

    def tag_parts(
        self, stems: Mapping[str, Waveform], tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return a part for each family of instruments that is heard, and one of percussion."""
        outputs = self.predict(mix(stems.values()), report)
        parts = [
            Part(family, family.capitalize(), tuple(notes), program_of(family))
            for family, notes in decode_notes(outputs, self._frame_rate_hz, self.options).items()
        ]
        hits = decode_drums(outputs, self._frame_rate_hz, self.options)
        if hits and len(hits) >= LEAST_HITS_PER_S * len(outputs.frame) / self._frame_rate_hz:
            parts.append(Part(DRUMS_ID, DRUMS_ID.capitalize(), tuple(hits), None, is_drum=True))
        return tuple(parts)

    @property
    def _frame_rate_hz(self) -> float:
        return self._network.config.frame_rate_hz

    def predict(self, waveform: Waveform, report: Report) -> Outputs:
        """Return what the network makes of a recording, as float16."""
        config = self._network.config
        hop = config.spectrogram.hop_samples
        rate_hz = config.sample_rate_hz
        samples = resample(waveform.mono(), waveform.sample_rate_hz, rate_hz, self._device)
        samples = set_level(samples, rate_hz)
        samples = np.pad(samples, (LEAD_FRAMES * hop, 0))
        frames = config.spectrogram.count_frames(len(samples))
        even = frames + frames % 2
        samples = np.pad(samples, (0, max((even - 1) * hop + 1 - len(samples), 0)))
        whole: list[NDArray[np.float16]] = []
        windows = list(iterate_windows(even, self._window_frames, 2 * self._margin))
        for window, outputs in self._run(samples, windows, report):
            first = self._margin if window.start > 0 else 0
            last = window.stop - window.start - (self._margin if window.stop < even else 0)
            whole = whole or [np.zeros((even, *output.shape[1:]), np.float16) for output in outputs]
            for course, output in zip(whole, outputs, strict=True):
                course[window.start + first : window.start + last] = output[first:last]
        report(1.0)
        return Outputs(*(course[LEAD_FRAMES:frames] for course in whole))

    def _run(
        self, samples: Samples, windows: Sequence[Window], report: Report
    ) -> Iterator[tuple[Window, list[NDArray[np.float16]]]]:
        """Yield the network's outputs on each window.

        One by one: a window's outputs are the same to the last bit whatever else there is, which
        they would not be in batches.
        """
        hop = self._network.config.spectrogram.hop_samples
        for number, window in enumerate(windows):
            report(number / len(windows))
            piece = samples[window.start * hop : (window.stop - 1) * hop + 1]
            with torch.inference_mode():
                logits = self._network(torch.from_numpy(piece)[None].to(self._device))
            yield window, to_probabilities(logits)


def to_probabilities(logits: Logits) -> list[NDArray[np.float16]]:
    """Return the first recording's outputs, each ``(T, ...)``, deviations of pitch as they are."""
    return [
        _to_half(values[0] if name == "bend" else torch.sigmoid(values[0]))
        for name, values in logits._asdict().items()
    ]


def _to_half(values: Tensor) -> NDArray[np.float16]:
    half: NDArray[np.float16] = values.half().cpu().numpy()
    return half


def set_level(samples: Samples, sample_rate_hz: int) -> Samples:
    """Bring the louder parts of a recording to :data:`LEVEL_DB`; silence stays silent."""
    block = round(_BLOCK_S * sample_rate_hz)
    count = max(len(samples) // block, 1)
    energy = np.square(samples[: count * block], dtype=np.float64)
    energy = np.pad(energy, (0, max(block * count - len(energy), 0))).reshape(count, -1)
    power = float(np.percentile(energy.mean(axis=1), _LOUD_PERCENTILE))
    power = power or float(energy.mean())
    if power <= 0.0:
        return samples
    gain = min(10 ** (LEVEL_DB / 20) / power**0.5, _MAX_GAIN)
    return np.asarray(samples * np.float32(gain), np.float32)


def load_tagger(weights: Path, device: str = "cpu") -> TransformerTagger:
    """Build a tagger from weights, with the thresholds that were chosen for them.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If it holds another network.
    """
    kept: dict[str, Any] = json.loads(read_metadata(weights).get(DECODING_KEY, "{}"))
    if "drum_onset" in kept:
        kept["drum_onset"] = tuple(kept["drum_onset"])
    options = DecodingOptions(**kept)
    return TransformerTagger(load_network(weights, NoteNet, device), device, options)


def build(entry: ModelFiles, settings: ModelSettings) -> TransformerTagger:
    """Build the tagger, as the manifest declares it."""
    (weights,) = entry.paths(settings.weights)
    return load_tagger(weights, settings.device_name)

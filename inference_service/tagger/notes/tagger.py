"""Notes of any instruments and percussion, with our own network.

:mod:`.network` predicts which notes begin, sound and end in every frame, :mod:`.decoding` converts
this to notes, and :mod:`.timbre` rates the families of instruments that may play each. Long
recordings are processed in windows. Frames closer than
:attr:`~.network.NoteNetConfig.context_frames` to a cut are discarded, so that the result is the
same as for the whole. Memory grows by 3 kB per frame.
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
from inference_service.batching import Batches
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
    find_notes,
    group_by_family,
)
from inference_service.tagger.notes.network import HeadInputs, Logits, NoteNet
from inference_service.tagger.notes.players import divide
from inference_service.tagger.notes.timbre import Levels, TimbreNet, rate_families

DRUMS_ID: Final = "drums"
WINDOW_S: Final = 20.0
LEVEL_DB: Final = -20.0
"""Level to which recordings are normalised, near the middle of the range used in training."""

LEAST_HITS_PER_S: Final = 0.5
"""With fewer drum strokes per second there is no drums part, as single strokes are usually other
knocks. Set by hand; not fitted."""

LEAD_FRAMES: Final = 10
"""Frames of silence put before a recording, so that notes from its first sample on have an onset.
"""

_BLOCK_S: Final = 0.5
_LOUD_PERCENTILE: Final = 75.0
_MAX_GAIN: Final = 1e3


class TransformerTagger:
    """Finds the notes of any recording.

    Parameters
    ----------
    network : NoteNet
    timbre : TimbreNet
        Both in evaluation mode, on ``device``.
    device : str
    options : DecodingOptions, optional
        Also an attribute.
    window_s : float
        Length of a window in seconds, without the context on either side.
    batch : int
        Largest number of windows that the network processes at once. With 1, the outputs of a
        window are bit-identical whatever the rest of the recording, and whoever else is heard.
    """

    def __init__(
        self,
        network: NoteNet,
        timbre: TimbreNet,
        device: str = "cpu",
        options: DecodingOptions | None = None,
        window_s: float = WINDOW_S,
        batch: int = 1,
    ) -> None:
        self._network = network
        self._timbre = timbre
        self._device = device
        self._batches = Batches(lambda samples: to_probabilities(network(samples)), device, batch)
        self.options = options or DecodingOptions()
        config = network.config
        # The spectrum of frames near the ends of a window reaches beyond it.
        reach_frames = -(-network.kernel_samples // 2 // config.spectrogram.hop_samples)
        self._margin = config.context_frames + reach_frames + reach_frames % 2
        self._window_frames = 2 * round(window_s * config.frame_rate_hz / 2) + 2 * self._margin

    def tag(self, waveform: Waveform, tuning_cents: float, report: Report) -> list[NoteEvent]:
        """Return all pitched notes, sorted; ``tuning_cents`` is unused."""
        outputs = self.predict(waveform, report)
        notes, _ = find_notes(outputs, self._frame_rate_hz, self.options)
        return sorted(notes)

    def tag_parts(
        self, stems: Mapping[str, Waveform], tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return a part for each detected family of instruments, and one for percussion.

        Families are those that the note network and the network of timbre rate highest together:
        in bands, the former knows pianos, guitars and basses better, the latter all others.
        """
        mixture = mix(stems.values())
        outputs = self.predict(mixture, report)
        notes, heard = find_notes(outputs, self._frame_rate_hz, self.options)
        rated = self._rate_families(mixture, notes) + heard / (heard.sum(1, keepdims=True) + 1e-6)
        parts = [
            Part(family, family.capitalize(), tuple(own), program_of(family))
            for family, own in group_by_family(notes, rated, self.options.family_share).items()
        ]
        return (*parts, *self._drums(outputs))

    def tag_players(
        self, waveform: Waveform, tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return a part for each player, and one for percussion."""
        outputs = self.predict(waveform, report)
        notes, _ = find_notes(outputs, self._frame_rate_hz, self.options)
        return (*divide(notes, self._rate_families(waveform, notes)), *self._drums(outputs))

    def _rate_families(self, waveform: Waveform, notes: Sequence[NoteEvent]) -> Levels:
        rate_hz = self._timbre.config.sample_rate_hz
        samples = resample(waveform.mono(), waveform.sample_rate_hz, rate_hz, self._device)
        return rate_families(self._timbre, set_level(samples, rate_hz), notes, self._device)

    def _drums(self, outputs: Outputs) -> list[Part]:
        hits = decode_drums(outputs, self._frame_rate_hz, self.options)
        if len(hits) < max(LEAST_HITS_PER_S * len(outputs.frame) / self._frame_rate_hz, 1):
            return []
        return [Part(DRUMS_ID, DRUMS_ID.capitalize(), tuple(hits), None, is_drum=True)]

    @property
    def _frame_rate_hz(self) -> float:
        return self._network.config.frame_rate_hz

    def predict(self, waveform: Waveform, report: Report) -> Outputs:
        """Return the network's outputs for a recording, as float16."""
        config = self._network.config
        hop = config.spectrogram.hop_samples
        samples = self._prepare(waveform)
        frames = config.spectrogram.count_frames(len(samples))
        even = frames + frames % 2
        samples = np.pad(samples, (0, max((even - 1) * hop + 1 - len(samples), 0)))
        whole: list[NDArray[np.float16]] = []
        windows = list(iterate_windows(even, self._window_frames, 2 * self._margin))
        pieces = self._cut(samples, windows, report)
        for window, outputs in self._batches.run(pieces, len(windows)):
            first = self._margin if window.start > 0 else 0
            last = window.stop - window.start - (self._margin if window.stop < even else 0)
            whole = whole or [np.zeros((even, *output.shape[1:]), np.float16) for output in outputs]
            for course, output in zip(whole, outputs, strict=True):
                course[window.start + first : window.start + last] = output[first:last]
        report(1.0)
        return Outputs(*(course[LEAD_FRAMES:frames] for course in whole))

    def listen(self, excerpt: Waveform) -> tuple[HeadInputs, Logits]:
        """Return the inputs and outputs of the network's heads for a short recording."""
        samples = torch.from_numpy(self._prepare(excerpt))[None].to(self._device)
        with torch.inference_mode():
            inputs = self._network.compute_head_inputs(samples)
            return inputs, self._network.apply_heads(inputs)

    def _prepare(self, waveform: Waveform) -> Samples:
        """Return samples at the network's rate, at the usual level, after some silence."""
        config = self._network.config
        rate_hz = config.sample_rate_hz
        samples = resample(waveform.mono(), waveform.sample_rate_hz, rate_hz, self._device)
        samples = set_level(samples, rate_hz)
        return np.pad(samples, (LEAD_FRAMES * config.spectrogram.hop_samples, 0))

    def _cut(
        self, samples: Samples, windows: Sequence[Window], report: Report
    ) -> Iterator[tuple[Window, list[Samples]]]:
        """Yield the samples of each window, and report that it is next."""
        hop = self._network.config.spectrogram.hop_samples
        for number, window in enumerate(windows):
            report(number / len(windows))
            yield window, [samples[window.start * hop : (window.stop - 1) * hop + 1]]


def to_probabilities(logits: Logits) -> list[Tensor]:
    """Return the outputs as probabilities, each ``(B, T, ...)``, as float16.

    ``bend``, in semitones, is kept as it is.
    """
    return [
        (values if name == "bend" else torch.sigmoid(values)).half()
        for name, values in logits._asdict().items()
    ]


def set_level(samples: Samples, sample_rate_hz: int) -> Samples:
    """Scale a recording such that its louder parts are at :data:`LEVEL_DB`; keep silence."""
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


def load_tagger(
    weights: Path, timbre: Path, device: str = "cpu", batch: int = 1
) -> TransformerTagger:
    """Load a tagger, with the thresholds stored with its weights.

    Parameters
    ----------
    weights, timbre : Path
        Of a :class:`NoteNet` and a :class:`TimbreNet`.
    device : str
    batch : int

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
    network = load_network(weights, NoteNet, device)
    rater = load_network(timbre, TimbreNet, device)
    return TransformerTagger(network, rater, device, options, batch=batch)


def build(entry: ModelFiles, settings: ModelSettings) -> TransformerTagger:
    """Build the tagger, as the manifest declares it; other files belong to :mod:`.kinds`."""
    weights, timbre, _ = entry.paths(settings.weights)
    return load_tagger(weights, timbre, settings.device_name, settings.batch_size)

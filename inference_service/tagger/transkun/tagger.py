"""Piano notes through TransKun.

TransKun 2.0.1 (Yan and Duan, "Scoring Time Intervals Using Non-Hierarchical Transformer for
Automatic Piano Transcription", ISMIR 2024; package ``transkun``, MIT, weights in its wheel) scores
every interval between two frames as a note and decodes the best path with a semi-Markov CRF.

One deviation from the package's own command line: segments of 16 s advance by :data:`HOP_S`
instead of 8 s. Decoding passes open notes on to the next segment, so a larger overlap gains little
and doubles the time: on 21 recordings of seven pianos, onset F1 is 0.995 with 8 s, 0.993 with 14 s
and 0.992 with 15 s, in half the time. Segments must not be shorter than in training, so the last
one is padded with silence: on one recording, segments of 13 s missed half of the notes.
"""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any, Final

import moduleconf
import numpy as np
import torch
import transkun
from torch import nn

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Waveform
from inference_service.model_files import ModelFiles
from inference_service.music.events import NoteEvent
from inference_service.progress import Report, ignore
from inference_service.settings import ModelSettings
from inference_service.tagger.transkun.network import FastTransKun

SEGMENT_S: Final = 16.0
HOP_S: Final = 14.0
HIGHEST_PITCH: Final = 108
LOWEST_PITCH: Final = 21
"""Events below this are pedals: TransKun encodes control changes as negative pitches."""


class TranskunTagger:
    """Finds the notes of a piano.

    Parameters
    ----------
    device : str
        A torch device.
    segment_s, hop_s : float
        Length of the segments and their advance, 0 < hop_s < segment_s.
    dtype : torch.dtype, optional
        Type of the encoder's products; by default :func:`choose_dtype`.
    """

    def __init__(
        self,
        device: str = "cpu",
        segment_s: float = SEGMENT_S,
        hop_s: float = HOP_S,
        dtype: torch.dtype | None = None,
    ) -> None:
        folder = Path(transkun.__file__).parent / "pretrained"
        config = moduleconf.parseFromFile(str(folder / "2.0.conf"))["Model"].config
        checkpoint = torch.load(folder / "2.0.pt", map_location=device, weights_only=True)
        model = FastTransKun(conf=config)
        model.load_state_dict(checkpoint["state_dict"])
        self._model = model.to(device).eval().simplify(dtype or choose_dtype(device))
        self._device = device
        self._segment_s = segment_s
        self._hop_s = hop_s
        self._hearing = _Hearing()
        # A segment takes many seconds. Every module that runs is an occasion to cancel, and every
        # encoder layer a step of the progress.
        for layer in self._model.backbone.encoderLayers:
            layer.register_forward_hook(self._count_step)
        for module in self._model.modules():
            module.register_forward_pre_hook(self._report_progress)

    def tag(self, waveform: Waveform, tuning_cents: float, report: Report) -> list[NoteEvent]:
        """Return the notes, sorted; ``tuning_cents`` is unused, as the model predicts keys.

        The longest time between two reports is the decoding of a segment, a single call of up to
        some seconds.
        """
        samples = resample(waveform.samples, waveform.sample_rate_hz, self._model.fs, self._device)
        padding_s = 2 * (self._segment_s - self._hop_s)
        segments = math.ceil((waveform.duration_s + padding_s) / self._hop_s)
        total_steps = segments * len(self._model.backbone.encoderLayers)
        self._hearing.begin(report, total_steps)
        try:
            with torch.inference_mode():
                notes = self._model.transcribe(
                    torch.from_numpy(np.ascontiguousarray(samples.T)).to(self._device),
                    stepInSecond=self._hop_s,
                    segmentSizeInSecond=self._segment_s,
                )
        finally:
            self._hearing.begin(ignore, 1)
        report(1.0)
        return sorted(
            NoteEvent(
                onset_s=float(note.start),
                offset_s=float(min(note.end, waveform.duration_s)),
                pitch=int(note.pitch),
                velocity=min(max(int(note.velocity), 1), 127),
            )
            for note in notes
            if LOWEST_PITCH <= note.pitch <= HIGHEST_PITCH and note.start < waveform.duration_s
        )

    def _count_step(self, layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self._hearing.step += 1

    def _report_progress(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._hearing.tell()


class _Hearing(threading.local):
    """The progress of the recording that a thread hears."""

    def __init__(self) -> None:
        self.begin(ignore, 1)

    def begin(self, report: Report, total_steps: int) -> None:
        """Report to a recording's caller from now on."""
        self.report = report
        self.total_steps = total_steps
        self.step = 0

    def tell(self) -> None:
        """Report the steps that are done."""
        self.report(min(self.step / self.total_steps, 1.0))


def choose_dtype(device: str) -> torch.dtype:
    """Return bfloat16 if the device has instructions for its products, else float32."""
    able = device != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return torch.bfloat16 if able else torch.float32


def build(entry: ModelFiles, settings: ModelSettings) -> TranskunTagger:
    """Build the tagger, as the manifest declares it."""
    return TranskunTagger(settings.device_name)

"""Separation by any Demucs network: v2 to v4 (HTDemucs), single or in a bag.

Checkpoints are loaded, and applied to a song in overlapping segments, by the ``demucs`` package
itself; what is added is the service's own contract: any sample rate and channel count, progress,
and cancelling within about a second.

Source: Rouard, Massa, Défossez, "Hybrid Transformers for Music Source Separation" (ICASSP 2023).

Security
--------
A Demucs checkpoint is a pickle, and loading a pickle runs what is in it. :func:`load_demucs` is
only for files whose sha256 matched the one that the model manifest pins.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from demucs.apply import apply_model
from demucs.repo import AnyModelRepo, BagOnlyRepo, LocalRepo
from torch import Tensor, nn

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.errors import ModelNotFetched, ModelRejected
from inference_service.progress import Report

TASK: Final = "separation"
REPORT_INTERVAL_S: Final = 0.25


def load_demucs(name: str, folder: Path, device: torch.device | str = "cpu") -> nn.Module:
    """Load a trained network through demucs's own repositories.

    Parameters
    ----------
    name : str
        The signature of a checkpoint, which is its file's name up to a dash (``955717e8`` for
        ``955717e8-8726e21a.th``), or the stem of a bag's ``.yaml`` file, which lists signatures.
        What follows the dash is compared with the file's sha256.
    folder : Path
        Where both are. Every ``.th`` file of the manifest's sha256 only: see the module's note.
    device : torch.device or str

    Raises
    ------
    ModelNotFetched
        If the folder holds no such model.
    ModelRejected
        If a file is damaged, is no Demucs model, or separates no vocals.
    """
    if not folder.is_dir():
        raise ModelNotFetched(f"there is no model {name}", task=TASK, model=name)
    try:
        checkpoints = LocalRepo(folder)
        repository = AnyModelRepo(checkpoints, BagOnlyRepo(folder, checkpoints))
        known = repository.has_model(name)
        model = repository.get_model(name) if known else None
    except Exception as error:  # unpickling may raise anything
        raise ModelRejected(f"{name} cannot be loaded: {error}", task=TASK, model=name) from error
    if model is None:
        raise ModelNotFetched(f"there is no model {name}", task=TASK, model=name)
    if "vocals" not in model.sources:
        raise ModelRejected(f"{name} separates no vocals", task=TASK, model=name)
    loaded: nn.Module = model.to(device).eval()
    return loaded


class DemucsSeparator:
    """Satisfies ``pipeline.stages.Separator`` with a Demucs network.

    Parameters
    ----------
    model : demucs.demucs.Demucs, HDemucs, HTDemucs or demucs.apply.BagOfModels
        Separates "vocals" among others; its ``sources`` name the stems.
    device : torch.device or str
        Where the network runs; the song and its stems stay in main memory.
    shifts : int
        Average over so many random shifts in time: slower, a little better, not repeatable.
    overlap : float
        The part of a segment that its neighbour shares, in [0, 1).
    segment_s : float or None
        The network's own where None; a transformer takes none longer than that.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device | str = "cpu",
        *,
        shifts: int = 0,
        overlap: float = 0.25,
        segment_s: float | None = None,
    ) -> None:
        self._model: Any = model
        self._device = torch.device(device)
        self._shifts = shifts
        self._overlap = overlap
        self._segment_s = segment_s

    @property
    def stems(self) -> tuple[str, ...]:
        """The names of what it separates."""
        return tuple(self._model.sources)

    def separate(self, mixture: Waveform, report: Report) -> dict[str, Waveform]:
        """Return the stems by name, each with the mixture's length, rate and channel count.

        Raises
        ------
        Cancelled
            From ``report``, which is called at least once a layer of the network.
        """
        model = self._model
        samples = resample(mixture.samples, mixture.sample_rate_hz, model.samplerate)
        mix = torch.from_numpy(_match_channels(samples, model.audio_channels))
        # As demucs.api does: the networks were trained on mixtures of mean 0 and deviation 1.
        reference = mix.mean(dim=0)
        mean = reference.mean()
        deviation = reference.std(correction=0) + 1e-8
        stems = self._apply((mix - mean) / deviation, report) * deviation + mean
        report(1.0)
        return {
            name: _restore(stem.numpy(), model.samplerate, mixture)
            for name, stem in zip(model.sources, stems, strict=True)
        }

    def _apply(self, mix: Tensor, report: Report) -> Tensor:
        """Normalised mixture, shape (C, N), to stems, shape (S, C, N)."""
        progress = _Progress(report, mix.shape[-1], self._shifts)
        with progress.called_by(self._model):
            stems: Tensor = apply_model(
                self._model,
                mix[None],
                shifts=self._shifts,
                overlap=self._overlap,
                segment=self._segment_s,
                device=self._device,
                callback=progress.update,
            )
        return stems[0]


class _Progress:
    """Turns what ``apply_model`` tells at segments, and what modules tell within, to reports."""

    def __init__(self, report: Report, length_samples: int, shifts: int) -> None:
        self._report = report
        self._length_samples = length_samples
        self._shifts = max(1, shifts)
        self._fraction = 0.0
        self._last_s = -float("inf")

    def update(self, state: dict[str, Any]) -> None:
        """Take ``apply_model``'s account of the segment that begins or ends."""
        shift = state["shift_idx"] + state["segment_offset"] / self._length_samples
        model = state["model_idx_in_bag"] + min(shift / self._shifts, 1.0)
        self._fraction = max(self._fraction, model / state["models"])
        self._report(self._fraction)

    def _tick(self, *_: object) -> None:
        now_s = time.monotonic()
        if now_s - self._last_s >= REPORT_INTERVAL_S:
            self._last_s = now_s
            self._report(self._fraction)

    @contextmanager
    def called_by(self, model: nn.Module) -> Iterator[None]:
        """Let every module report before it runs: a segment takes many seconds on a CPU."""
        handles = [m.register_forward_pre_hook(self._tick) for m in model.modules()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _match_channels(samples: Samples, channels: int) -> Samples:
    """Return float32 of shape (channels, N): the mean, or copies of it, where counts differ."""
    if len(samples) != channels:
        samples = np.repeat(samples.mean(axis=0, keepdims=True, dtype=np.float32), channels, axis=0)
    return np.ascontiguousarray(samples, dtype=np.float32)


def _restore(stem: Samples, rate_hz: int, mixture: Waveform) -> Waveform:
    """Give a stem the mixture's rate, length and channel count."""
    channels, length = mixture.samples.shape
    restored = resample(stem, rate_hz, mixture.sample_rate_hz)[..., :length]
    missing = length - restored.shape[-1]
    restored = np.pad(restored, ((0, 0), (0, missing))) if missing else restored
    return Waveform(_match_channels(restored, channels), mixture.sample_rate_hz)

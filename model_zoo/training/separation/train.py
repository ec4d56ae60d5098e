"""Learns masks: a time budget, one process, from where the last run stopped.

What is learnt from is the error of the voice's spectra, which is that of the accompaniment's, too:
their sum is the mixture's. Its energy counts by its logarithm, song by song, as the
signal-to-distortion ratio does; its mean magnitude besides, so that what is soft counts, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from inference_service.checkpoint import save_network
from inference_service.separation.mask_network import MaskNet, MaskNetConfig
from model_zoo.training.run import Run, plateau
from model_zoo.training.separation.mixing import Mix, draw_mix
from model_zoo.training.separation.recordings import Recordings, Song, as_samples
from model_zoo.training.tagger.dev import in_bfloat16

MEAN_DECAY: Final = 0.998
WARM_UP_STEPS: Final = 50
SETTLING_BATCHES: Final = 25
FLOOR: Final = 1e-3
"""Errors of 30 dB below the mixture are small enough."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How to train.

    Attributes
    ----------
    minutes : float
        Of this and all earlier runs that this one goes on from.
    batch : int
    length_s : float
        Of a mix.
    learning_rate, weight_decay : float
    seed : int
    device : str
    report_every_s : float
    """

    minutes: float
    batch: int = 4
    length_s: float = 6.0
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    seed: int = 0
    device: str = "cpu"
    report_every_s: float = 300.0


def train(
    recordings: Recordings,
    folder: Path,
    options: TrainOptions,
    say: Callable[[str], None],
    network: MaskNet | None = None,
) -> MaskNet:
    """Train for the minutes that are left; return the exponential mean of the networks.

    Writes ``checkpoint.safetensors``, ``state.json``, ``log.jsonl`` and ``separator.safetensors``
    into the folder.
    """
    torch.manual_seed(options.seed)
    device = torch.device(options.device)
    network = (network or MaskNet(MaskNetConfig())).to(device)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(
        network.parameters(), options.learning_rate, (0.9, 0.98), weight_decay=options.weight_decay
    )
    exported = folder / "separator.safetensors"
    run = Run(folder, network, optimiser, exported)
    progress = run.progress
    random = np.random.default_rng((options.seed, progress.runs))
    running: list[float] = []

    def keep() -> None:
        settle(run.mean, recordings, options)
        heard_h = round(progress.heard_s / 3600, 2)
        losses = {"spectra": running} if running else {}
        run.report(losses, measure(run.mean, recordings.dev, device), say, heard_h=heard_h)
        running.clear()
        run.save()
        notes = {"steps": str(progress.step), "heard_h": f"{heard_h:.1f}"}
        save_network(run.mean, exported, notes)

    budget_s = options.minutes * 60
    before_s, began = progress.spent_s, time.monotonic()
    reported = began
    while progress.spent_s < budget_s:
        done = progress.spent_s / budget_s
        run.set_rate(options.learning_rate * plateau(progress.step, done, WARM_UP_STEPS))
        mixes = [draw_mix(recordings, random, options.length_s) for _ in range(options.batch)]
        network.train()
        loss = compute_loss(network, mixes, device)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        run.follow(MEAN_DECAY)
        progress.heard_s += options.batch * options.length_s
        progress.spent_s = before_s + time.monotonic() - began
        running.append(loss.item())
        if time.monotonic() - reported > options.report_every_s:
            reported = time.monotonic()
            keep()
    keep()
    return run.mean


def settle(network: MaskNet, recordings: Recordings, options: TrainOptions) -> None:
    """Give a mean network's batch normalisations statistics of its own.

    Those of the networks that it is the mean of are of other activations: with them it separates
    worse than any of these.
    """
    normalisations = [
        m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)
    ]
    for normalisation in normalisations:
        normalisation.reset_running_stats()
        normalisation.momentum = None  # the mean over all that is heard
    random = np.random.default_rng(options.seed)
    network.train()
    for _ in range(SETTLING_BATCHES):
        mixes = [draw_mix(recordings, random, options.length_s) for _ in range(options.batch)]
        with torch.no_grad():
            compute_loss(network, mixes, torch.device(options.device))
    network.eval()


def compute_loss(network: MaskNet, mixes: Sequence[Mix], device: torch.device) -> Tensor:
    """Return the loss, a scalar."""
    vocals = torch.from_numpy(np.stack([mix.vocals for mix in mixes])).to(device)
    others = torch.from_numpy(np.stack([mix.accompaniment for mix in mixes])).to(device)
    with torch.no_grad():
        wanted, mixture = network.transform(vocals), network.transform(vocals + others)
        bins = torch.arange(mixture.shape[-1], device=device)
        bin_hz = network.config.sample_rate_hz / network.config.fft_samples
        limits_hz = torch.tensor([mix.limit_hz for mix in mixes], device=device)
        heard = (bins * bin_hz <= limits_hz[:, None])[:, None, None, :]
        energy = _square(mixture) * heard
        common = (mixture.real * wanted.real + mixture.imag * wanted.imag) * heard
        rest = _square(wanted) * heard
    with in_bfloat16(device):
        masks = network(mixture)
    # The energy of masks * mixture - wanted, multiplied out: complex products take twice the time.
    error = (masks * (masks * energy - 2 * common) + rest).clamp(min=0)
    ratio = error.sum((1, 2, 3)) / energy.sum((1, 2, 3)).clamp(min=1e-6)
    soft = (error + 1e-8).sqrt().mean((1, 2, 3)) / (energy + 1e-8).sqrt().mean((1, 2, 3))
    loss: Tensor = (torch.log10(ratio + FLOOR) + soft).mean()
    return loss


def _square(spectra: Tensor) -> Tensor:
    return spectra.real.square() + spectra.imag.square()


def measure(network: MaskNet, songs: Sequence[Song], device: torch.device) -> dict[str, float]:
    """Return median signal-to-distortion ratios in decibels: plain ones, without BSS Eval's
    filters, which forgive more."""
    ratios: dict[str, list[float]] = {"vocals": [], "accompaniment": []}
    for song in songs:
        vocals, others = as_samples([song.vocals]), as_samples(song.instruments)
        mixture = vocals + others
        gain = 0.1 / max(float(np.sqrt(np.mean(np.square(mixture)))), 1e-4)
        samples = torch.from_numpy(mixture * np.float32(gain))[None].to(device)
        with torch.no_grad():
            spectra = network.transform(samples)
            heard = network.restore(network(spectra) * spectra, samples.shape[-1])[0]
        found = heard.cpu().numpy() / gain
        error = float(np.square(found - vocals).sum()) + 1e-8
        ratios["vocals"].append(10 * np.log10(np.square(vocals).sum() / error + 1e-8))
        ratios["accompaniment"].append(10 * np.log10(np.square(others).sum() / error + 1e-8))
    return {name: float(np.median(values)) for name, values in ratios.items() if values}

"""Training of the network that separates a singer from the band.

The loss is the error of the voice's spectra, which is also that of the accompaniment's: the two
sum to the mixture. The error's energy counts by its logarithm, song by song, as in the
signal-to-distortion ratio; its mean magnitude is added so that soft passages count too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn

from inference_service.separation.mask_network import MaskNet, MaskNetConfig
from model_zoo.training.loop import Options, learn, plateau
from model_zoo.training.separation.mixing import Mix, draw_mix
from model_zoo.training.separation.recordings import Recordings, Song, as_samples
from model_zoo.training.tagger.dev import in_bfloat16

LENGTH_S: Final = 6.0
"""Seconds of a mix."""

SETTLING_BATCHES: Final = 25
"""Batches from which the average's batch normalisations take their statistics."""

FLOOR: Final = 1e-3
"""Errors 30 dB below the mixture are small enough."""

OPTIONS: Final = Options(
    minutes=120.0,
    batch=4,
    learning_rate=2e-3,
    schedule=plateau,
    warm_up_steps=50,
    average_decay=0.998,
    report_every_s=300.0,
    weight_decay=0.02,
    betas=(0.9, 0.98),
)


def train(
    recordings: Recordings,
    folder: Path,
    options: Options,
    say: Callable[[str], None],
    network: MaskNet | None = None,
    length_s: float = LENGTH_S,
) -> MaskNet:
    """Train on mixes of recordings until the time is spent; return the average.

    Writes ``separator.safetensors`` into the folder, beside the files of
    :mod:`model_zoo.training.loop`.
    """
    torch.manual_seed(options.seed)
    device = torch.device(options.device)
    learner = network or MaskNet(MaskNetConfig())
    learner.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def compute_losses(random: Generator) -> Mapping[str, Tensor]:
        mixes = [draw_mix(recordings, random, length_s) for _ in range(options.batch)]
        return {"spectra": compute_loss(learner, mixes, device)}

    def evaluate(average: MaskNet) -> Mapping[str, float]:
        settle(average, recordings, options, length_s)
        return measure(average, recordings.dev, device)

    return learn(
        learner,
        folder / "separator.safetensors",
        options,
        compute_losses,
        evaluate,
        say,
        figures=lambda progress: {"heard_h": round(progress.examples * length_s / 3600, 2)},
    )


def settle(
    network: MaskNet, recordings: Recordings, options: Options, length_s: float = LENGTH_S
) -> None:
    """Recompute the statistics of an averaged network's batch normalisations.

    Averaged statistics describe the activations of the networks that were averaged, not those of
    the average: with them it separates worse than any of these networks (experiment 008: vocals
    1.2 dB after 20 minutes, 4.1 dB with recomputed statistics).
    """
    normalisations = [
        m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)
    ]
    for normalisation in normalisations:
        normalisation.reset_running_stats()
        normalisation.momentum = None  # a plain mean over all batches
    random = np.random.default_rng(options.seed)
    network.train()
    for _ in range(SETTLING_BATCHES):
        mixes = [draw_mix(recordings, random, length_s) for _ in range(options.batch)]
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
    """Return median signal-to-distortion ratios in decibels.

    They are plain ratios, without BSS Eval's filters, which forgive more.
    """
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

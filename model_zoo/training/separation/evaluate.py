"""Signal-to-distortion ratios of separators on excerpts with true stems.

Two definitions, in decibels; the median over excerpts is reported:

``bss``
    BSS Eval version 3 as ``mir_eval.separation.bss_eval_sources`` computes it, on the channels'
    mean over the whole excerpt: errors that a filter of 512 taps could correct are forgiven
    (Vincent, Gribonval and Févotte, "Performance measurement in blind audio source separation",
    IEEE TASLP 2006).
``plain``
    The energy of the true stem over that of the error, on both channels; nothing is forgiven.

Excerpts in which either stem is silent have no ratio and are left out.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import librosa
import mir_eval
import numpy as np
from librosa.decompose import hpss

from inference_service.audio.waveform import Samples, Waveform
from inference_service.progress import Report, ignore
from model_zoo.training.separation.recordings import RATE_HZ, Song, as_samples

Separate = Callable[[Waveform], Mapping[str, Waveform]]
"""From a mixture to stems: "vocals", and others whose sum is the accompaniment."""


class Separator(Protocol):
    """A separator of the service."""

    def separate(self, mixture: Waveform, report: Report) -> dict[str, Waveform]:
        """Return the stems."""
        ...


SILENCE: Final = 1e-4
"""Stems whose root mean square is below this are silent."""


@dataclass
class Figures:
    """A separator's ratios in decibels by excerpt, and the seconds that it took and was given."""

    bss_vocals: list[float] = field(default_factory=list)
    bss_accompaniment: list[float] = field(default_factory=list)
    plain_vocals: list[float] = field(default_factory=list)
    plain_accompaniment: list[float] = field(default_factory=list)
    taken_s: float = 0.0
    heard_s: float = 0.0


def evaluate(songs: Iterable[Song], separators: Mapping[str, Separate]) -> dict[str, Figures]:
    """Return the figures of separators on the same excerpts."""
    figures = {name: Figures() for name in separators}
    for song in songs:
        vocals, others = as_samples([song.vocals]), as_samples(song.instruments)
        if min(_level(vocals), _level(others)) < SILENCE:
            continue
        mixture = Waveform(vocals + others, RATE_HZ)
        for name, separate in separators.items():
            own = figures[name]
            began = time.perf_counter()
            stems = separate(mixture)
            own.taken_s += time.perf_counter() - began
            own.heard_s += mixture.duration_s
            found = stems["vocals"].samples
            rest: Samples = np.sum([s.samples for n, s in stems.items() if n != "vocals"], axis=0)
            bss = _compute_bss(np.stack([vocals, others]), np.stack([found, rest]))
            own.bss_vocals.append(bss[0])
            own.bss_accompaniment.append(bss[1])
            own.plain_vocals.append(_compute_plain(vocals, found))
            own.plain_accompaniment.append(_compute_plain(others, rest))
    return figures


def format_table(figures: Mapping[str, Figures]) -> str:
    """Return medians as a table in Markdown."""
    count = max((len(own.bss_vocals) for own in figures.values()), default=0)
    lines = [
        f"Median SDR in dB of {count} excerpts: BSS Eval 3 (mir_eval), and plain.",
        "",
        "| | vocals | accompaniment | vocals, plain | accompaniment, plain | real-time factor |",
        "|---|---|---|---|---|---|",
    ]
    for name, own in figures.items():
        medians = [
            f"{np.median(values):.2f}" if values else "-"
            for values in (
                own.bss_vocals,
                own.bss_accompaniment,
                own.plain_vocals,
                own.plain_accompaniment,
            )
        ]
        factor = f"{own.taken_s / own.heard_s:.3f}" if own.heard_s else "-"
        lines.append(f"| {' | '.join([name, *medians, factor])} |")
    return "\n".join(lines)


def halve(mixture: Waveform) -> dict[str, Waveform]:
    """Return half the mixture as either stem: the baseline of doing nothing."""
    half = Waveform(mixture.samples * np.float32(0.5), mixture.sample_rate_hz)
    return {"vocals": half, "accompaniment": half}


def take_percussive(mixture: Waveform) -> dict[str, Waveform]:
    """Return the percussive part of librosa's HPSS at a window of 370 ms as the vocals.

    Singing changes within so long a window; notes held by instruments do not.
    """
    spectra = librosa.stft(mixture.samples, n_fft=16384, hop_length=4096)
    _, percussive = hpss(spectra)
    vocals: Samples = librosa.istft(
        percussive, n_fft=16384, hop_length=4096, length=mixture.samples.shape[-1]
    ).astype(np.float32)
    return {
        "vocals": Waveform(vocals, mixture.sample_rate_hz),
        "accompaniment": Waveform(mixture.samples - vocals, mixture.sample_rate_hz),
    }


def silently(separator: Separator) -> Separate:
    """Return a function that runs a separator without reporting progress."""
    return lambda mixture: separator.separate(mixture, ignore)


def _compute_bss(true: Samples, found: Samples) -> tuple[float, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mir_eval warns that it will drop this module
        ratios, *_ = mir_eval.separation.bss_eval_sources(
            true.mean(1), found.mean(1) + 1e-9, compute_permutation=False
        )
    return float(ratios[0]), float(ratios[1])


def _compute_plain(true: Samples, found: Samples) -> float:
    error = float(np.square(true - found).sum()) + 1e-9
    return 10 * float(np.log10(np.square(true).sum() / error))


def _level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))

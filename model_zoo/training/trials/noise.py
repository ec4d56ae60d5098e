"""Note F1 by signal-to-noise ratio, with and without denoising before the network.

White noise, pink noise and the babble of six speakers (Flite's voices, each with a sentence of its
own) are mixed into excerpts of real recordings at exact ratios of mean power. The mixture is tagged
as it is, or after

gate
    noisereduce's stationary spectral gating (Sainburg, Thielk and Gentner,
    "Finding, visualizing, and quantifying latent structure across diverse animal vocal
    repertoires", 2020), with the package's defaults;
adaptive gate
    the same with a noise floor that adapts over time;
band-pass
    a Butterworth filter of fourth order, 60 to 5000 Hz, forwards and backwards;
high-pass
    the same from 60 Hz up.

On voices, two taggers from fundamental frequency alone are compared with the network: SwiftF0 as
the service uses it, and pYIN (Mauch and Dixon, "pYIN: A fundamental frequency estimator using
probabilistic threshold distributions", ICASSP 2014) with runs of one semitone for notes.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final, Literal

import librosa
import numpy as np
import soundfile
from numpy.random import Generator
from scipy.ndimage import median_filter
from scipy.signal import butter, sosfiltfilt

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.progress import ignore
from inference_service.tagger.notes.tagger import load_tagger
from inference_service.tagger.swift_f0 import SwiftF0Tagger
from model_zoo.training.evaluate.systems import TIMBRE
from model_zoo.training.sound.damage import add_noise, make_noise
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.tagger.dev import to_rows
from model_zoo.training.trials.clips import Clip, Kind, Rows, excerpt, f1, load_clips
from model_zoo.training.trials.report import Figures, Ledger, digest, save_figure, to_markdown

NoiseName = Literal["white", "pink", "babble"]
Hear = Callable[[Samples], Rows]

NOISES: Final[tuple[NoiseName, ...]] = ("white", "pink", "babble")
SNRS_DB: Final = (30, 20, 10, 5, 0)
CLEANED_SNRS_DB: Final[dict[Kind, tuple[int, ...]]] = {"piano": (20, 10, 0), "voice": (10, 0)}
PYIN_SNRS_DB: Final = (10, 0)
HEARERS: Final[tuple[tuple[str, Kind], ...]] = (
    ("network", "piano"),
    ("network", "voice"),
    ("SwiftF0", "voice"),
    ("pYIN", "voice"),
)
EXCERPT_S: Final = 6.0
CLIPS: Final[dict[Kind, int]] = {"piano": 7, "voice": 6}
SEED: Final = 3

BAND_HZ: Final = (60.0, 5000.0)
SPEAKERS: Final = ("slt", "rms", "awb", "kal16", "slt", "rms")
SENTENCES: Final = (
    "Would you pass me that chair, please, before somebody else takes it away from us?",
    "No, he told me that they had moved to the other side of town some time last winter.",
    "We were never really sure whether the train would come at all, and then it did.",
    "Order whatever you like, I have already eaten, but I would gladly have a coffee.",
    "That is what she said, and I still think that nobody in this room believed her.",
    "Listen, the second half is about to begin, let us find our places again quickly.",
)

PYIN_HOP: Final = 256
PYIN_RANGE_HZ: Final = (65.0, 1000.0)
PYIN_MEDIAN_FRAMES: Final = 9
MIN_NOTE_S: Final = 0.06


Found = dict[tuple[str, Kind, str, str, str], Figures]
"""Figures by hearer, kind of clips, noise, ratio and cleaner."""


def run(data: Path, folder: Path, plots: Path, weights: Path, say: Callable[[str], None]) -> None:
    """Measure what is not yet stored; print the tables and draw the plot."""
    ledger = Ledger(folder / "noise.json")
    clips = {
        kind: [excerpt(clip, EXCERPT_S) for clip in load_clips(data, kind)[:count]]
        for kind, count in CLIPS.items()
    }
    tagger, swift = load_tagger(weights, TIMBRE), SwiftF0Tagger(threads=1)
    network = f"network {digest(weights)}"

    def by_network(samples: Samples) -> Rows:
        return to_rows(tagger.tag(Waveform(samples[None], RATE_HZ), 0.0, ignore))

    def by_swift(samples: Samples) -> Rows:
        return to_rows(swift.tag(Waveform(samples[None], RATE_HZ), 0.0, ignore))

    hearers: dict[str, Hear] = {"network": by_network, "SwiftF0": by_swift, "pYIN": hear_by_pyin}
    found: Found = {}
    for condition in list_conditions():
        hearer, kind, *rest = condition
        name = " / ".join((network if hearer == "network" else hearer, kind, *rest))
        found[condition] = ledger.get(name, partial(measure, hearers[hearer], clips[kind], *rest))
        say(f"{name}: {found[condition]['f1']:.3f}")
    for table in write_tables(found):
        say("\n" + table)
    draw(found, plots / "007-noise.png")


def list_conditions() -> Iterator[tuple[str, Kind, str, str, str]]:
    """Yield hearer, clips, noise, ratio and cleaner of every measurement, uncleaned first."""
    for cleaner in CLEANERS:
        for hearer, kind in HEARERS:
            if hearer == "pYIN" and cleaner != "none":
                continue
            yield hearer, kind, "none", "clean", cleaner
            ratios = SNRS_DB if cleaner == "none" else CLEANED_SNRS_DB[kind]
            for noise in NOISES:
                for snr in PYIN_SNRS_DB if hearer == "pYIN" else ratios:
                    yield hearer, kind, noise, str(snr), cleaner


def write_tables(found: Found) -> Iterator[str]:
    """Yield a table of every hearer without cleaning, and one of the changes by cleaning."""
    rows: list[list[str | float]] = []
    cases = {(hearer, kind, noise) for hearer, kind, noise, *_ in found if noise != "none"}
    for hearer, kind, noise in sorted(cases, key=lambda c: (c[1], c[0], c[2])):
        clean = found[hearer, kind, "none", "clean", "none"]
        ratios = [found.get((hearer, kind, noise, str(snr), "none")) for snr in SNRS_DB]
        cells = [f"{f['f1']:.3f} ± {f['error']:.3f}" if f else "" for f in (clean, *ratios)]
        rows.append([kind, hearer, noise, *cells])
    yield to_markdown(["clips", "by", "noise", "clean", *(f"{snr} dB" for snr in SNRS_DB)], rows)
    rows = []
    for (hearer, kind, noise, snr, cleaner), figures in found.items():
        if cleaner != "none" or (hearer, kind, noise, snr, "gate") not in found:
            continue
        others = [found.get((hearer, kind, noise, snr, other)) for other in list(CLEANERS)[1:]]
        changes = [f"{o['f1'] - figures['f1']:+.3f}" if o else "" for o in others]
        rows.append([kind, hearer, noise, snr, figures["f1"], *changes])
    yield to_markdown(["clips", "by", "noise", "dB", *CLEANERS], rows)


def draw(found: Found, path: Path) -> None:
    """Draw F1 by signal-to-noise ratio, a panel for each kind of clips and of noise."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 5.6), layout="constrained")
    panels = figure.subplots(len(CLIPS), len(NOISES), sharex=True, sharey=True)
    clean_db = max(SNRS_DB) + 10
    for row, kind in zip(panels, CLIPS, strict=True):
        for axes, noise in zip(row, NOISES, strict=True):
            for hearer, colour in (("network", "tab:blue"), ("SwiftF0", "tab:orange"),
                                   ("pYIN", "tab:green")):  # fmt: skip
                for cleaner, (line, marker) in _LINES.items():
                    points = sorted(
                        (clean_db if snr == "clean" else int(snr), figures["f1"])
                        for (h, k, n, snr, c), figures in found.items()
                        if (h, k, c) == (hearer, kind, cleaner) and n in (noise, "none")
                    )
                    if len(points) > 1 and (cleaner == "none" or hearer == "network"):
                        axes.plot(
                            *zip(*points, strict=True), line, marker=marker, color=colour,
                            markersize=4, linewidth=1.2, label=f"{hearer}, {cleaner}",
                        )  # fmt: skip
            axes.set_title(f"{kind}, {noise}", fontsize=9)
            axes.grid(alpha=0.3)
    ticks = [*SNRS_DB, clean_db]
    for axes in panels[-1]:
        axes.set_xticks(ticks, [*map(str, SNRS_DB), "clean"])
        axes.set_xlabel("signal to noise, dB")
    for axes in panels[:, 0]:
        axes.set_ylabel("note F1")
    figure.legend(*panels[-1, 0].get_legend_handles_labels(), fontsize=8, ncols=4,
                  loc="outside lower center")  # fmt: skip
    save_figure(figure, path, 75)


_LINES: Final = {
    "none": ("-", "o"),
    "gate": ("--", "v"),
    "adaptive gate": ("--", "^"),
    "band-pass": (":", "s"),
    "high-pass": (":", "x"),
}


def measure(hear: Hear, clips: Sequence[Clip], noise: str, snr: str, cleaner: str) -> Figures:
    """Return the mean F1 and its standard error over clips, and the mean F1 with offsets."""
    scores, with_offsets = [], []
    for number, clip in enumerate(clips):
        random = np.random.default_rng((SEED, number, sum(map(ord, noise))))
        samples = clip.samples
        if noise != "none":
            samples = add_noise(samples, make(noise, len(samples), random), float(snr))
        found = hear(CLEANERS[cleaner](samples))
        scores.append(f1(clip, found))
        with_offsets.append(f1(clip, found, 0.2))
    return {
        "f1": float(np.mean(scores)),
        "error": float(np.std(scores, ddof=1) / len(scores) ** 0.5) if len(scores) > 1 else 0.0,
        "offset_f1": float(np.mean(with_offsets)),
    }


def make(noise: str, count: int, random: Generator) -> Samples:
    """Return ``count`` samples of a noise.

    Raises
    ------
    FileNotFoundError
        If the noise is babble and Flite is not installed.
    """
    if noise == "babble":
        return make_babble(count, random)
    return make_noise(count, {"white": 0.0, "pink": -3.0}[noise], random)


def make_babble(count: int, random: Generator) -> Samples:
    """Return six speakers at once, each from a random place in a sentence."""
    babble = np.zeros(count, np.float32)
    for speaker, sentence in zip(SPEAKERS, SENTENCES, strict=True):
        speech = _speak(speaker, sentence)
        speech = np.roll(speech, int(random.integers(len(speech))))
        babble += np.resize(speech / np.sqrt(np.mean(np.square(speech))), count)
    return babble


_SPOKEN: Final[dict[tuple[str, str], Samples]] = {}


def _speak(speaker: str, sentence: str) -> Samples:
    if (speaker, sentence) not in _SPOKEN:
        command = ["flite", "-voice", speaker, "-t", sentence, "-o", "/dev/stdout"]
        wav = subprocess.run(command, check=True, capture_output=True).stdout
        samples, rate_hz = soundfile.read(io.BytesIO(wav), dtype="float32")
        _SPOKEN[speaker, sentence] = resample(samples[None], rate_hz, RATE_HZ)[0]
    return _SPOKEN[speaker, sentence]


def _leave(samples: Samples) -> Samples:
    return samples


def _gate(*, stationary: bool) -> Callable[[Samples], Samples]:
    def clean(samples: Samples) -> Samples:
        from noisereduce import reduce_noise

        return np.asarray(reduce_noise(samples, RATE_HZ, stationary=stationary), np.float32)

    return clean


def _filter(kind: str, edges_hz: float | tuple[float, float]) -> Callable[[Samples], Samples]:
    sections = butter(4, edges_hz, kind, fs=RATE_HZ, output="sos")
    return lambda samples: np.asarray(sosfiltfilt(sections, samples), np.float32)


CLEANERS: Final[dict[str, Callable[[Samples], Samples]]] = {
    "none": _leave,
    "gate": _gate(stationary=True),
    "adaptive gate": _gate(stationary=False),
    "band-pass": _filter("bandpass", BAND_HZ),
    "high-pass": _filter("highpass", BAND_HZ[0]),
}


def hear_by_pyin(samples: Samples) -> Rows:
    """Return pYIN's contour cut into runs of one semitone in the singer's own tuning."""
    low_hz, high_hz = PYIN_RANGE_HZ
    f0_hz, voiced, _ = librosa.pyin(
        samples, fmin=low_hz, fmax=high_hz, sr=RATE_HZ, hop_length=PYIN_HOP,
        resolution=0.2, n_thresholds=50,
    )  # fmt: skip
    return segment(np.where(voiced, librosa.hz_to_midi(f0_hz), np.nan), PYIN_HOP / RATE_HZ)


def segment(contour: Rows, hop_s: float) -> Rows:
    """Cut a contour (MIDI numbers, NaN for silence) into notes, shape (N, 3)."""
    sounding = ~np.isnan(contour)
    if not sounding.any():
        return np.zeros((0, 3))
    tuning = float(np.angle(np.exp(2j * np.pi * contour[sounding]).mean()) / (2 * np.pi))
    smooth = np.where(sounding, contour, 0.0)
    smooth = np.where(sounding, median_filter(smooth, PYIN_MEDIAN_FRAMES), np.nan)
    keys = [None if np.isnan(value) else round(value - tuning) for value in smooth.tolist()]
    rows, first = [], 0
    for key, run in groupby(keys):
        count = len(list(run))
        if key is not None and count * hop_s >= MIN_NOTE_S:
            pitch = float(np.median(contour[first : first + count]))
            rows.append((first * hop_s, (first + count) * hop_s, pitch))
        first += count
    return np.array(rows, float).reshape(-1, 3)

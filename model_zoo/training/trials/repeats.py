"""The shortest interval between repeated notes of one pitch that each method recovers.

A recording repeats one pitch :data:`REPETITIONS` times at each of :data:`INTERVALS_MS`, over a
held tone a minor sixth below, on a piano and on a nylon-string guitar of a soundfont that no model
was trained on. An interval counts as recovered if nine tenths of its repetitions are found, each
within a third of the interval and within 25 ms, and if false onsets number at most a third of the
repetitions.

Onsets are found by

spectral flux
    of each spectrogram: the rise of its logarithms within 10 ms, or one frame if that is longer,
    summed over the bins of the note and of its next four harmonics. An onset is a maximum within
    15 ms that exceeds a share of the maximum within 0.3 s and a twentieth of the overall maximum.
    The share, and each spectrogram's constant delay, are chosen together on recordings of other
    pitches by a soundfont that training uses, which the figures leave out;
onset head, frame head
    of the note tagger, at its own thresholds: peaks of the former, rises of the latter from
    silence.

Frames of a longer hop are a subset of those of a shorter one, so each spectrogram is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Final

import mir_eval
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from inference_service.audio.waveform import Samples, Waveform
from inference_service.progress import ignore
from inference_service.tagger.notes.decoding import Outputs, apex, peaks
from inference_service.tagger.notes.network import LOWEST_PITCH
from inference_service.tagger.notes.tagger import TransformerTagger, load_tagger
from model_zoo.training.evaluate.systems import TIMBRE
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sound.soundfonts import HELD_BACK_SOUNDFONT, draw_soundfont, synthesise
from model_zoo.training.tagger.render import encode_tracks
from model_zoo.training.tagger.scene import Track
from model_zoo.training.trials.report import Figures, Ledger, digest, save_figure, to_markdown
from model_zoo.training.trials.spectra import KINDS, Kind, build, frequencies_hz

Times = NDArray[np.float64]

INTERVALS_MS: Final = (200, 150, 120, 100, 80, 70, 60, 50, 40, 30)
REPETITIONS: Final = 10
HELD_BELOW: Final = 8
PAUSE_S: Final = 0.5
HELD_BEFORE_S: Final = 0.2
RELEASED_SHARE: Final = 0.85
"""Share of an interval during which the key is down."""

PROGRAMS: Final = {"piano": 0, "guitar": 24}
PITCHES: Final = (36, 60, 84)
CHOSEN_ON: Final = (48, 72)

HOP_SAMPLES: Final = (110, 220, 440)
LAG_S: Final = 0.01
HARMONICS: Final = 5
NEAR_SEMITONES: Final = 0.5
APART_S: Final = 0.015
LOCAL_S: Final = 0.3
LEAST_SHARE: Final = 0.05
SHARES: Final = tuple(np.arange(0.05, 0.96, 0.05).round(2).tolist())
LATENESSES_S: Final = tuple((np.arange(-14, 15) * 0.0025).tolist())
TOLERANCE_S: Final = 0.025
RECOVERED: Final = 0.9
EXTRA: Final = 1 / 3

PICTURED: Final = (60, 80)
"""Pitch, and interval in milliseconds, of the picture."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """A recording of repeated notes.

    Attributes
    ----------
    pitch : int
    samples : np.ndarray, shape (N,), float32, at ``RATE_HZ``
    onsets_s : dict of int to np.ndarray, shape (REPETITIONS,)
        By interval in milliseconds.
    """

    pitch: int
    samples: Samples
    onsets_s: dict[int, Times]

    def group(self, interval_ms: int) -> tuple[float, float]:
        """Return the time span in which an interval's repetitions are counted.

        It leaves out the held tone's own onset.
        """
        onsets_s = self.onsets_s[interval_ms]
        return float(onsets_s[0]) - HELD_BEFORE_S / 2, float(onsets_s[-1]) + HELD_BEFORE_S / 2


@dataclass(frozen=True, slots=True)
class Seen:
    """A recording and the bins of its spectrum that are its note's own, shape (F, T)."""

    repeats: Repeats
    spectrum: NDArray[np.float32]


def compose(pitch: int, program: int) -> tuple[Track, dict[int, Times]]:
    """Return what is played, and the onsets of the repeated pitch by interval."""
    rows, onsets_s, now_s = [], {}, PAUSE_S
    for interval_ms in INTERVALS_MS:
        times_s = now_s + np.arange(REPETITIONS) * interval_ms / 1000
        end_s = float(times_s[-1]) + interval_ms / 1000
        rows.append((now_s - HELD_BEFORE_S, end_s, pitch - HELD_BELOW, 60.0))
        rows += [
            (t, t + RELEASED_SHARE * interval_ms / 1000, pitch, 90.0) for t in times_s.tolist()
        ]
        onsets_s[interval_ms] = times_s
        now_s = end_s + PAUSE_S
    notes = np.array(sorted(rows), float)
    return Track(program, notes, np.zeros((0, 2))), onsets_s


def render(pitch: int, program: int, soundfont: Path) -> Repeats:
    """Make repeated notes sound."""
    track, onsets_s = compose(pitch, program)
    midi = encode_tracks([track], np.random.default_rng(0))
    samples = synthesise(midi, soundfont, reverb=False, chorus=False)
    return Repeats(pitch, samples * np.float32(0.5 / np.abs(samples).max()), onsets_s)


def count(repeats: Repeats, interval_ms: int, told_s: Times) -> tuple[int, int]:
    """Return the numbers of repetitions found and of false onsets at an interval."""
    begin_s, end_s = repeats.group(interval_ms)
    told_s = np.sort(told_s[(told_s >= begin_s) & (told_s < end_s)])
    tolerance_s = min(TOLERANCE_S, interval_ms / 3000)
    matched = mir_eval.util.match_events(repeats.onsets_s[interval_ms], told_s, tolerance_s)
    return len(matched), len(told_s) - len(matched)


def shortest(counts: dict[int, tuple[int, int]], true: int) -> int | None:
    """Return the shortest interval that is recovered, or None.

    Parameters
    ----------
    counts : dict
        Numbers of repetitions found and of false onsets, by interval.
    true : int
        Number of repetitions at each interval.
    """
    recovered = [
        interval_ms
        for interval_ms, (found, extra) in counts.items()
        if found >= RECOVERED * true and extra <= EXTRA * true
    ]
    return min(recovered, default=None)


def compute_flux(spectrum: NDArray[np.float32], hop_s: float) -> Times:
    """Return the summed rise of bins, from ``(F, T)`` to ``(T,)``."""
    lag = max(round(LAG_S / hop_s), 1)
    rise = np.maximum(spectrum[:, lag:] - spectrum[:, :-lag], 0.0).sum(axis=0)
    return np.pad(rise, (lag, 0)).astype(float)


def find_bins(kind: Kind, pitch: int) -> NDArray[np.bool_]:
    """Return the bins near a pitch and its next harmonics, at least the nearest one for each."""
    centres_hz = frequencies_hz(kind)
    own = np.zeros(len(centres_hz), bool)
    for harmonic in range(1, HARMONICS + 1):
        hz = harmonic * 440.0 * 2.0 ** ((pitch - 69) / 12)
        apart = np.abs(12 * np.log2(np.maximum(centres_hz, 1.0) / hz))
        own |= (apart <= NEAR_SEMITONES) | (apart == apart.min())
    return own


def pick(flux: Times, share: float, hop_s: float) -> Times:
    """Return the times of a flux's peaks."""
    apart = 2 * round(APART_S / hop_s) + 1
    near = maximum_filter1d(flux, 2 * round(LOCAL_S / hop_s) + 1)
    threshold = np.maximum(share * near, LEAST_SHARE * flux.max())
    chosen = peaks(flux, threshold) & (flux >= maximum_filter1d(flux, apart))
    frames = np.flatnonzero(chosen).tolist()
    return np.array([frame + apex(flux, frame) for frame in frames]) * hop_s


def find_by_flux(seen: Seen, hop_samples: int, share: float) -> Times:
    """Return onsets in a spectrum at the shortest hop, read at a longer one."""
    hop_s = hop_samples / RATE_HZ
    flux = compute_flux(seen.spectrum[:, :: hop_samples // HOP_SAMPLES[0]], hop_s)
    return pick(flux, share, hop_s)


def find_by_onset_head(
    outputs: Outputs, pitch: int, threshold: float, frame_rate_hz: float
) -> Times:
    """Return the times of peaks in the onset output of a pitch."""
    course = outputs.onset[:, pitch - LOWEST_PITCH].astype(np.float32)
    frames = np.flatnonzero(peaks(course, threshold)).tolist()
    return np.array([frame + apex(course, frame) for frame in frames]) / frame_rate_hz


def find_by_frame_head(
    outputs: Outputs, pitch: int, threshold: float, frame_rate_hz: float
) -> Times:
    """Return the times at which the frame output of a pitch rises above its threshold."""
    sounding = outputs.frame[:, pitch - LOWEST_PITCH] >= threshold
    return np.flatnonzero(sounding & ~np.pad(sounding, (1, 0))[:-1]) / frame_rate_hz


def run(folder: Path, plots: Path, weights: Path, say: Callable[[str], None]) -> None:
    """Measure what is not yet stored; print the tables and draw the pictures.

    Raises
    ------
    FileNotFoundError
        If a soundfont is not installed.
    """
    if not HELD_BACK_SOUNDFONT.exists():
        raise FileNotFoundError(f"{HELD_BACK_SOUNDFONT}: install csound-soundfont")
    ledger = Ledger(folder / "repeats.json")
    chosen_font = draw_soundfont(np.random.default_rng(0))
    heard = {key: render(*key, HELD_BACK_SOUNDFONT) for key in product(PITCHES, PROGRAMS.values())}
    found: dict[str, Figures] = {}
    for kind in KINDS:
        figures = ledger.get(kind, partial(_measure_flux, kind, heard, chosen_font, folder))
        for hop in HOP_SAMPLES:
            name = f"{kind}, {1000 * hop / RATE_HZ:.0f} ms"
            found[name] = {n.removeprefix(f"{hop} "): v for n, v in figures.items()
                           if n.startswith(f"{hop} ")}  # fmt: skip
            say(f"{name}: {_shortest(found[name])} ms")
    tagger = load_tagger(weights, TIMBRE)
    figures = ledger.get(f"network {digest(weights)}", partial(_measure_network, tagger, heard))
    for head in ("onset", "frame"):
        found[f"network, {head} head"] = {n.removeprefix(f"{head} "): v for n, v in figures.items()
                                          if n.startswith(head)}  # fmt: skip
    for table in write_tables(found):
        say("\n" + table)
    draw_picture(heard[PICTURED[0], PROGRAMS["piano"]], tagger, plots / "005-repeats.png")
    draw_curves(found, plots / "005-recovered.png")


Heard = dict[tuple[int, int], Repeats]
"""Recordings by pitch and program."""


def _measure_flux(kind: Kind, heard: Heard, chosen_font: Path, folder: Path) -> Figures:
    """Return counts by ``"HOP PITCH INTERVAL found"`` and ``extra``, summed over programs."""
    choosing = [
        render(pitch, program, chosen_font)
        for pitch, program in product(CHOSEN_ON, PROGRAMS.values())
    ]
    seen = _see(kind, [*choosing, *heard.values()], folder / f"repeats-{kind}.npz")
    for_choice, for_figures = seen[: len(choosing)], seen[len(choosing) :]
    figures: Figures = {}
    for hop in HOP_SAMPLES:
        share, late_s = choose(for_choice, hop)
        figures |= {f"share {hop}": share, f"lateness {hop}": late_s}
        for one in for_figures:
            told_s = find_by_flux(one, hop, share) - late_s
            _add(figures, f"{hop} {one.repeats.pitch}", one.repeats, told_s)
    return figures


def _see(kind: Kind, recordings: Sequence[Repeats], kept: Path) -> list[Seen]:
    """Compute the notes' bins in recordings' spectra, or read stored ones."""
    if not kept.exists():
        spectrogram = build(kind, HOP_SAMPLES[0] / RATE_HZ)
        spectra = {}
        for number, recording in enumerate(recordings):
            with torch.inference_mode():
                spectrum = spectrogram(torch.from_numpy(recording.samples)[None])[0].numpy()
            spectra[str(number)] = spectrum[find_bins(kind, recording.pitch)]
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, **spectra)
    with np.load(kept) as file:
        return [Seen(one, file[str(number)]) for number, one in enumerate(recordings)]


def choose(seen: Sequence[Seen], hop_samples: int) -> tuple[float, float]:
    """Return the share and the delay with the most repetitions found minus false onsets."""

    def count_right(share: float, late_s: float) -> int:
        right = 0
        for one in seen:
            found_s = times[share, id(one)] - late_s
            counts = [count(one.repeats, interval_ms, found_s) for interval_ms in INTERVALS_MS]
            right += sum(found - extra for found, extra in counts)
        return right

    times = {(share, id(one)): find_by_flux(one, hop_samples, share)
            for share, one in product(SHARES, seen)}  # fmt: skip
    return max(product(SHARES, LATENESSES_S), key=lambda pair: count_right(*pair))


def _measure_network(tagger: TransformerTagger, heard: Heard) -> Figures:
    figures: Figures = {}
    rate_hz = RATE_HZ / round(0.02 * RATE_HZ)
    for repeats in heard.values():
        outputs = tagger.predict(Waveform(repeats.samples[None], RATE_HZ), ignore)
        options, pitch = tagger.options, repeats.pitch
        by_onset = find_by_onset_head(outputs, pitch, options.onset, rate_hz)
        by_frame = find_by_frame_head(outputs, pitch, options.frame, rate_hz)
        _add(figures, f"onset {pitch}", repeats, by_onset)
        _add(figures, f"frame {pitch}", repeats, by_frame)
    return figures


def _add(figures: Figures, name: str, repeats: Repeats, told_s: Times) -> None:
    for interval_ms in INTERVALS_MS:
        found, extra = count(repeats, interval_ms, told_s)
        for what, number in (("found", found), ("extra", extra)):
            key = f"{name} {interval_ms} {what}"
            figures[key] = figures.get(key, 0) + number


def _shortest(figures: Figures, pitches: Sequence[int] = PITCHES) -> int | None:
    counts = {
        interval_ms: tuple(
            int(sum(figures[f"{pitch} {interval_ms} {what}"] for pitch in pitches))
            for what in ("found", "extra")
        )
        for interval_ms in INTERVALS_MS
    }
    true = REPETITIONS * len(PROGRAMS) * len(pitches)
    return shortest(counts, true)  # type: ignore[arg-type]


def _share(figures: Figures, interval_ms: int, what: str = "found") -> float:
    total = sum(figures[f"{pitch} {interval_ms} {what}"] for pitch in PITCHES)
    return total / (REPETITIONS * len(PROGRAMS) * len(PITCHES))


def write_tables(found: dict[str, Figures]) -> list[str]:
    """Return the shortest intervals by pitch, and the shares found by interval."""
    names = [f"{_NOTES[pitch]} ({pitch})" for pitch in PITCHES]
    rows = [
        [name, *(str(_shortest(figures, [pitch]) or "none") for pitch in PITCHES),
         str(_shortest(figures) or "none")]
        for name, figures in found.items()
    ]  # fmt: skip
    shares = [
        [name, *(f"{_share(f, ms):.2f} (+{_share(f, ms, 'extra'):.2f})" for ms in INTERVALS_MS)]
        for name, f in found.items()
    ]
    return [
        to_markdown(["shortest interval, ms", *names, "all"], rows),
        to_markdown(["found (and too many)", *(f"{ms} ms" for ms in INTERVALS_MS)], shares),
    ]


_NOTES: Final = {36: "C2", 48: "C3", 60: "C4", 72: "C5", 84: "C6"}


def draw_picture(repeats: Repeats, tagger: TransformerTagger, path: Path) -> None:
    """Draw the six spectrograms of a repeated note above their fluxes, beside the network's."""
    from matplotlib.figure import Figure

    begin_s = float(repeats.onsets_s[PICTURED[1]][0]) - 0.1
    end_s = begin_s + 0.7
    hop_s = HOP_SAMPLES[0] / RATE_HZ
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    above, below = figure.subplots(2, len(KINDS) + 1, sharex=True, height_ratios=(2, 1))
    samples = torch.from_numpy(repeats.samples)[None]
    for kind, upper, lower in zip(KINDS, above, below, strict=False):
        with torch.inference_mode():
            spectrum = build(kind, hop_s)(samples)[0].numpy()
        times = slice(round(begin_s / hop_s), round(end_s / hop_s))
        centres_hz = frequencies_hz(kind)
        shown = np.flatnonzero((centres_hz > 130) & (centres_hz < 2200))
        upper.pcolormesh(
            np.arange(times.stop - times.start) * hop_s, centres_hz[shown],
            spectrum[shown, times], cmap="Greys", rasterized=True,
        )  # fmt: skip
        upper.set_yscale("log")
        upper.set_yticks([200, 500, 1000, 2000], ["200", "500", "1000", "2000"])
        upper.minorticks_off()
        upper.set_title(kind, fontsize=9)
        flux = compute_flux(spectrum[find_bins(kind, repeats.pitch)], hop_s)
        lower.plot(np.arange(times.stop - times.start) * hop_s, flux[times], linewidth=0.9)
    outputs = tagger.predict(Waveform(repeats.samples[None], RATE_HZ), ignore)
    frame_s = round(0.02 * RATE_HZ) / RATE_HZ
    frames = slice(round(begin_s / frame_s), round(end_s / frame_s))
    time_s = np.arange(frames.start, frames.stop) * frame_s - begin_s
    near = slice(repeats.pitch - LOWEST_PITCH - 14, repeats.pitch - LOWEST_PITCH + 15)
    above[-1].imshow(
        outputs.onset[frames, near].T.astype(np.float32), origin="lower", aspect="auto",
        cmap="Greys", extent=(time_s[0], time_s[-1], repeats.pitch - 14.5, repeats.pitch + 14.5),
    )  # fmt: skip
    above[-1].set_title("network: onsets", fontsize=9)
    for name in ("onset", "frame"):
        course = getattr(outputs, name)[frames, repeats.pitch - LOWEST_PITCH]
        below[-1].plot(time_s, course, ".-", linewidth=0.9, markersize=4, label=name)
    below[-1].legend(fontsize=7, loc="center right")
    for axes in (*below, *above[-1:]):
        for onset_s in repeats.onsets_s[PICTURED[1]]:
            if onset_s < end_s:
                axes.axvline(float(onset_s) - begin_s, color="tab:red", linewidth=0.5, alpha=0.7)
    for axes in (*above, *below):
        axes.tick_params(labelsize=6, which="both")
    for axes in below:
        axes.set_xlabel("seconds", fontsize=7)
    above[0].set_ylabel("hertz", fontsize=8)
    below[0].set_ylabel("spectral flux", fontsize=8)
    save_figure(figure, path, 66)


def draw_curves(found: dict[str, Figures], path: Path) -> None:
    """Draw the share of repetitions found, by interval."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 3.4), layout="constrained")
    hops = [f"{1000 * hop / RATE_HZ:.0f} ms" for hop in HOP_SAMPLES]
    for axes, hop in zip(figure.subplots(1, len(hops), sharey=True), hops, strict=True):
        for name, figures in found.items():
            kind, rest = name.split(", ")
            if rest in (hop, "onset head", "frame head"):
                mine = kind == "network"
                axes.plot(
                    INTERVALS_MS, [_share(figures, ms) for ms in INTERVALS_MS],
                    "--" if rest == "frame head" else "-", color="black" if mine else None,
                    marker="." , linewidth=1.6 if mine else 1.0, label=name if mine else kind,
                )  # fmt: skip
        axes.axhline(RECOVERED, color="grey", linewidth=0.6)
        axes.set_title(f"hop {hop} (network: 20 ms)", fontsize=9)
        axes.set_xlabel("interval, ms")
    figure.axes[0].set_ylabel("repetitions found")
    figure.axes[-1].legend(fontsize=7)
    save_figure(figure, path, 75)

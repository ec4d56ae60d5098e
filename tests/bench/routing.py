"""How well a voice, a piano and a song are distinguished by their sound.

    python -m tests.bench.routing          the confusion table of the reported half
    python -m tests.bench.routing --damaged  the same on copies as a phone would record them
    python -m tests.bench.routing --fit    fit the coefficients on the other half and print them

Recordings: sung melodies, pianos, stems and their mixes, karaoke singers with and without their
band, voices laid over other songs' bands at equal loudness, drums, guitars, and POP909's piano
arrangements rendered with two soundfonts, both complete and with one note to a hand. All recordings
made from the same original are in the same half, chosen by a checksum of its name.
"""

from __future__ import annotations

import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from inference_service.audio.decode import AudioLimits, decode
from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.pipeline.options import Preset
from inference_service.pipeline.routing import CLASSES, FEATURES, PresetRouter, choose_excerpts
from inference_service.progress import ignore
from inference_service.tagger.basic_pitch import BasicPitchTagger
from inference_service.tagger.swift_f0 import SwiftF0Tagger
from tests.bench import pop909
from tests.conftest import DATA, ROOT

RATE_HZ = 44_100
KARAOKE_EVERY = 10
POP909_EVERY = 50
PIANO_FONTS = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
)
REPORTED_HALF = 1
CACHE = ROOT / "var" / "bench" / "pianos"


@dataclass(frozen=True)
class Recording:
    """A recording with a known preset; ``original`` decides its half."""

    preset: Preset
    source: str
    original: str
    load: Callable[[], Waveform]

    @property
    def half(self) -> int:
        """0 for fitting, 1 for reporting."""
        return _half(self.original)


def _half(original: str) -> int:
    return zlib.crc32(original.encode()) % 2


def list_recordings(data: Path) -> Iterator[Recording]:
    """Yield every recording that the data folder has."""
    voices = sorted((data / "voice_dev").glob("*.flac"))
    bands = sorted(path for path in (data / "stems_dev").iterdir() if path.is_dir())
    for path in voices:
        yield Recording(Preset.VOICE, "sung melody", path.stem, partial(_load, path))
    for path in sorted((data / "piano_dev").glob("*.flac")):
        yield Recording(Preset.PIANO, "piano", path.stem, partial(_load, path))
    for path in sorted((data / "guitar_dev").glob("*_mic.flac")):
        solo = "solo" in path.stem
        preset, source = (Preset.VOICE, "guitar, solo") if solo else (Preset.SONG, "guitar, chords")
        yield Recording(preset, source, path.stem, partial(_load, path))
    for path in sorted((data / "drums_dev").glob("*.flac")):
        yield Recording(Preset.SONG, "drums", path.stem, partial(_load, path))
    for folder in bands:
        yield Recording(Preset.SONG, "mix", folder.name, partial(_mix, folder, True))
        yield Recording(
            Preset.SONG, "band without voice", folder.name, partial(_mix, folder, False)
        )
    for number, path in enumerate(voices):
        band = bands[number % len(bands)]
        # A mix of a voice and a band from different halves would belong to both.
        if _half(path.stem) == _half(band.name):
            overlay = partial(_overlay, path, partial(_mix, band, False))
            yield Recording(Preset.SONG, "sung melody over a band", path.stem, overlay)
        take = number % (800 // POP909_EVERY) * POP909_EVERY + 11
        if _half(path.stem) == _half(f"POP909 {take}") and PIANO_FONTS[0].exists():
            overlay = partial(_overlay, path, partial(_render, data, take, PIANO_FONTS[0]))
            yield Recording(Preset.SONG, "sung melody over a piano", path.stem, overlay)
    for path in sorted((data / "karaoke_train").glob("*.opus"))[::KARAOKE_EVERY]:
        singer = path.stem.split("_")[0]
        yield Recording(Preset.VOICE, "karaoke singer", singer, partial(_karaoke, path, True))
        yield Recording(Preset.SONG, "karaoke mix", singer, partial(_karaoke, path, False))
    for number in range(11, 801, POP909_EVERY):
        for soundfont in filter(Path.exists, PIANO_FONTS):
            rendered = partial(_render, data, number, soundfont)
            yield Recording(Preset.PIANO, "rendered piano", f"POP909 {number}", rendered)
            thin = partial(_render, data, number, soundfont, thin=True)
            yield Recording(Preset.PIANO, "rendered piano, two parts", f"POP909 {number}", thin)


def _load(path: Path) -> Waveform:
    return decode(path.read_bytes(), AudioLimits(), ignore)


def _render(data: Path, number: int, soundfont: Path, thin: bool = False) -> Waveform:
    name, midi = pop909.read_midi(data / "symbolic" / "pop909.zip", number)
    if thin:
        name, midi = f"{name}-thin", pop909.thin_out(midi)
    return _load(pop909.render(midi, CACHE / f"{name}-{soundfont.stem}.flac", soundfont))


def _damage(excerpt: Waveform) -> Waveform:
    """Return the recording as a phone would make it: nothing above 8 kHz, noise floor of -45 dB."""
    samples = resample(resample(excerpt.samples, RATE_HZ, 16_000), 16_000, RATE_HZ)
    rng = np.random.default_rng(0)
    level = 10 ** (-45 / 20) * np.abs(samples).max()
    noise = rng.standard_normal(samples.shape).astype(np.float32) * np.float32(level)
    return Waveform(samples + noise, RATE_HZ)


def _mix(folder: Path, with_vocals: bool) -> Waveform:
    stems = [
        _load(path).mono()
        for path in sorted(folder.glob("*.opus"))
        if with_vocals or path.stem != "vocals"
    ]
    length = min(map(len, stems))
    return _mono(np.sum([stem[:length] for stem in stems], axis=0, dtype=np.float32))


def _overlay(voice: Path, load_band: Callable[[], Waveform]) -> Waveform:
    sung = choose_excerpts(_load(voice))[0].mono()
    played = choose_excerpts(load_band())[0].mono()
    length = min(len(sung), len(played))
    return _mono(_level(sung[:length]) + _level(played[:length]))


def _karaoke(path: Path, voice_only: bool) -> Waveform:
    band, voice = _load(path).samples
    return _mono(voice if voice_only else (voice + band) / 2)


def _level(samples: Samples) -> Samples:
    return samples / np.float32(10 * np.sqrt(np.mean(np.square(samples)) + 1e-9))


def _mono(samples: Samples) -> Waveform:
    return Waveform(samples[np.newaxis], RATE_HZ)


def build_router() -> PresetRouter:
    """Return the router that the service uses."""
    return PresetRouter(SwiftF0Tagger(), BasicPitchTagger())


def measure_confusion(data: Path, damaged: bool = False) -> dict[str, Counter[str]]:
    """Count the chosen presets of the reported half, by source and true preset."""
    router = build_router()
    table: dict[str, Counter[str]] = {}
    for recording in list_recordings(data):
        if recording.half == REPORTED_HALF:
            row = table.setdefault(f"{recording.source} ({recording.preset})", Counter())
            waveform = recording.load()
            presets = router.classify(_damage(waveform) if damaged else waveform)
            row[max(presets, key=presets.__getitem__)] += 1
    return table


def print_confusion(table: dict[str, Counter[str]]) -> float:
    """Print the table in Markdown; return the accuracy."""
    print(f"| recording (true preset) | {' | '.join(CLASSES)} | right |")
    print("|---" * (len(CLASSES) + 2) + "|")
    right = total = 0
    for name, row in table.items():
        true = name.rpartition("(")[2].rstrip(")")
        right, total = right + row[true], total + row.total()
        counts = " | ".join(str(row[preset]) for preset in CLASSES)
        print(f"| {name} | {counts} | {row[true] / row.total():.0%} |")
    print(f"| all | | | | {right / total:.1%} |")
    return right / total


def fit(data: Path) -> None:
    """Fit on the other half with balanced classes; print the constants."""
    from sklearn.linear_model import LogisticRegression

    router = build_router()
    features, presets = [], []
    for recording in list_recordings(data):
        if recording.half != REPORTED_HALF:
            for excerpt in choose_excerpts(recording.load()):
                for heard in (excerpt, _damage(excerpt)):
                    features.append(router.describe(heard))
                    presets.append(str(recording.preset))
    values = np.array(features)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    model = LogisticRegression(class_weight="balanced", max_iter=5000)
    model.fit((values - mean) / deviation, presets)
    weights = model.coef_ / deviation
    print("#", ", ".join(FEATURES), "|", ", ".join(model.classes_))
    print("WEIGHTS:", np.array2string(weights, precision=3, separator=", "))
    print(
        "BIASES:", np.array2string(model.intercept_ - weights @ mean, precision=3, separator=", ")
    )


if __name__ == "__main__":
    if "--fit" in sys.argv:
        fit(DATA)
    else:
        print_confusion(measure_confusion(DATA, damaged="--damaged" in sys.argv))

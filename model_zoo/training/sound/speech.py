"""Builds a bank of spoken syllables, analysed by WORLD, from which singing is synthesised.

eSpeak NG (formant synthesis in many languages, with variants of the voice) and Flite (recorded
voices) speak words of one syllable. WORLD (Morise, Yokomori and Ozawa, "WORLD: A Vocoder-Based
High-Quality Speech Synthesis System for Real-Time Applications", 2016; package ``pyworld``)
analyses each into frames of 5 ms: voicing, spectral envelope, aperiodicity. The fundamental
frequency of the speech is discarded.

A syllable is split where its frames leave the spectrum of the vowel: the consonant comes before,
the coda after (a nasal, a liquid, the second half of a diphthong, a final consonant). Levels are
relative to the vowel, whose own loudness curve is flattened, so that the singer's can be applied.

Envelopes are natural logarithms of power at :data:`BANDS` points, equally spaced on the mel scale.
Aperiodicity is in WORLD's coding: dB at 3 and 6 kHz.

The same versions of the synthesisers build the same bank. ``python -m
model_zoo.training.sound.speech`` builds it in about two minutes, unless it exists, in :data:`BANK`.
"""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

RATE_HZ: Final = 22_050
FRAME_S: Final = 0.005
FFT_SAMPLES: Final = 1024
BANDS: Final = 80
BANK: Final = Path("var/singing/bank.npz")

MAX_CONSONANT_S: Final = 0.2
MAX_CODA_S: Final = 0.2
MIN_VOWEL_S: Final = 0.05
SILENT_DB: Final = -45.0

_NEPERS_PER_DB: Final = np.log(10) / 10
_VOWEL_HZ: Final = (150.0, 5000.0)
_WORDS: Final = {
    "es": "a la me no si tu que pa ver sol mar mi lo de ya te ra cha bo fue gui da con tan luz",
    "it": "la mi do re fa sol si che per tu no vo ca ti bel con nel ra se va ma ne gio",
    "en-us": "may so no day love you me she time go way sun blue all one low ray song fall nah",
    "en-gb": "ah la do see long my home sea new rain why two boy moon day fair man hill",
    "de": "la du so mein nie wie tag nur ja wo zu sie mal gut rot see ton was bin ach",
    "fr": "la me mon tu vous si jour lui beau rien sa nuit de le tes rue vent don ou ah",
    "ru": "да на мы ты не то я ли ве ра со ду но дом сон лу ми ка по ой",
    "ja": "か さ た な は ま や ら わ の も て に を こ い あ う し み",
    "cmn": "妈 啦 你 我 他 不 心 天 来 风 花 月 爱 无 飞",
    "pt-br": "meu sol não vou ela diz bom céu luz mar lá foi tem seu ai",
    "fi": "maa suu tie yö kuu jos hän me sinä luo vie",
    "pl": "ja ty my on las noc dom to co nie w sen lat",
    "sv": "vi du nu sol så min ro ljus natt dag vår öm",
}
"""Words of one syllable by language; a second syllable would be treated as a coda."""

_VARIANTS: Final = (
    *(f"m{number}" for number in range(1, 9)),
    *(f"f{number}" for number in range(1, 6)),
    *("Andy", "Annie", "Alicia", "belinda", "steph", "pablo", "john"),
)
_VARIANT_LANGUAGES: Final = 3
_FLITE_VOICES: Final = ("awb", "rms", "slt", "kal16")
_FLITE_LANGUAGES: Final = ("en-us", "en-gb")

Bands = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Syllable:
    """The WORLD frames of one syllable.

    Attributes
    ----------
    envelope : np.ndarray, shape (T, BANDS), float16
        Natural logarithm of power, relative to the vowel's.
    aperiodicity_db : np.ndarray, shape (T, 2), float16
        At 3 and 6 kHz.
    voiced : np.ndarray, shape (T,), bool
    vowel : int
        Index of the first frame of the vowel; the consonant comes before.
    coda : int
        Index of the first frame after the vowel.
    """

    envelope: Bands
    aperiodicity_db: Bands
    voiced: NDArray[np.bool_]
    vowel: int
    coda: int


@dataclass(frozen=True, slots=True)
class Speaker:
    """One voice of a synthesiser, in one language.

    Attributes
    ----------
    name : str
    f0_hz : float
        Median fundamental frequency.
    syllables : tuple[Syllable, ...]
    """

    name: str
    f0_hz: float
    syllables: tuple[Syllable, ...]


Bank = tuple[Speaker, ...]


def list_speakers() -> list[str]:
    """Return the name of every speaker: synthesiser, voice and language."""
    languages = list(_WORDS)
    names = [
        f"espeak-ng:{variant}:{languages[(i * _VARIANT_LANGUAGES + k) % len(languages)]}"
        for i, variant in enumerate(_VARIANTS)
        for k in range(_VARIANT_LANGUAGES)
    ]
    return names + [f"flite:{voice}:{lang}" for voice in _FLITE_VOICES for lang in _FLITE_LANGUAGES]


def build_bank(names: Sequence[str]) -> Bank:
    """Synthesise and analyse the syllables of speakers.

    Raises
    ------
    FileNotFoundError
        If a synthesiser is not installed.
    """
    speakers = (_build_speaker(name) for name in names)
    return tuple(speaker for speaker in speakers if len(speaker.syllables) >= 3)


def save_bank(bank: Bank, path: Path) -> None:
    """Write a bank atomically."""
    syllables = [syllable for speaker in bank for syllable in speaker.syllables]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez(
            file,
            names=np.array([speaker.name for speaker in bank]),
            f0_hz=np.array([speaker.f0_hz for speaker in bank]),
            counts=np.array([len(speaker.syllables) for speaker in bank]),
            frames=np.array([len(syllable.voiced) for syllable in syllables]),
            vowel=np.array([syllable.vowel for syllable in syllables]),
            coda=np.array([syllable.coda for syllable in syllables]),
            voiced=np.concatenate([syllable.voiced for syllable in syllables]),
            envelope=np.concatenate([syllable.envelope for syllable in syllables]),
            aperiodicity_db=np.concatenate([syllable.aperiodicity_db for syllable in syllables]),
        )
    part.replace(path)


@cache
def load_bank(path: Path = BANK) -> Bank:
    """Read a bank, after building it if it does not exist.

    Raises
    ------
    FileNotFoundError
        If the bank does not exist and a synthesiser is not installed.
    """
    if not path.exists():
        save_bank(build_bank(list_speakers()), path)
    with np.load(path) as file:
        ends = np.cumsum(file["frames"])[:-1]
        columns = [np.split(file[key], ends) for key in ("envelope", "aperiodicity_db", "voiced")]
        vowels, codas = file["vowel"].tolist(), file["coda"].tolist()
        syllables = [Syllable(*parts) for parts in zip(*columns, vowels, codas, strict=True)]
        stops = np.cumsum(file["counts"]).tolist()
        starts = [0, *stops[:-1]]
        return tuple(
            Speaker(name, f0_hz, tuple(syllables[start:stop]))
            for name, f0_hz, start, stop in zip(
                file["names"].tolist(), file["f0_hz"].tolist(), starts, stops, strict=True
            )
        )


def band_frequencies_hz() -> NDArray[np.float64]:
    """Return the frequencies at which envelopes are sampled: np.ndarray, shape (BANDS,)."""
    top_mel = 2595 * np.log10(1 + RATE_HZ / 2 / 700)
    frequencies: NDArray[np.float64] = 700 * (10 ** (np.linspace(0, top_mel, BANDS) / 2595) - 1)
    return frequencies


def analyse(samples: NDArray[np.float64]) -> tuple[Syllable, float] | None:
    """Analyse one spoken syllable.

    Parameters
    ----------
    samples : np.ndarray, shape (N,)
        At ``RATE_HZ``.

    Returns
    -------
    tuple[Syllable, float] or None
        The syllable and its median fundamental frequency in hertz; None if there is no vowel.
    """
    import pyworld  # extra "training"; the rest of training runs without it

    f0_hz, times_s = pyworld.dio(
        samples, RATE_HZ, f0_floor=65.0, f0_ceil=500.0, frame_period=1000 * FRAME_S
    )
    f0_hz = pyworld.stonemask(samples, f0_hz, times_s, RATE_HZ)
    voiced = f0_hz > 0
    if voiced.sum() * FRAME_S < MIN_VOWEL_S:
        return None
    power = pyworld.cheaptrick(samples, f0_hz, times_s, RATE_HZ, fft_size=FFT_SAMPLES)
    aperiodicity = pyworld.d4c(samples, f0_hz, times_s, RATE_HZ, fft_size=FFT_SAMPLES)
    coded_db = pyworld.code_aperiodicity(aperiodicity, RATE_HZ)
    level_db = 10 * np.log10(power.sum(axis=1) + 1e-12)
    bins = band_frequencies_hz() * FFT_SAMPLES / RATE_HZ
    low = np.minimum(bins.astype(int), FFT_SAMPLES // 2 - 1)
    logs = np.log(power + 1e-12)
    envelope = logs[:, low] + (bins - low) * (logs[:, low + 1] - logs[:, low])
    smooth_db = np.where(voiced, uniform_filter1d(level_db, 5), -np.inf)
    centre = int(smooth_db.argmax())
    vowel, coda = _find_vowel(envelope / _NEPERS_PER_DB, voiced, centre)
    if (coda - vowel) * FRAME_S < MIN_VOWEL_S:
        return None
    gain_db = np.full(len(level_db), -smooth_db[centre])
    gain_db[vowel:coda] = -level_db[vowel:coda]
    heard = np.flatnonzero(level_db - smooth_db[centre] > SILENT_DB)
    first = max(int(heard[0]), vowel - round(MAX_CONSONANT_S / FRAME_S))
    last = min(int(heard[-1]) + 1, coda + round(MAX_CODA_S / FRAME_S))
    voiced[vowel:coda] = True
    envelope += gain_db[:, None] * _NEPERS_PER_DB
    syllable = Syllable(
        envelope[first:last].astype(np.float16),
        coded_db[first:last].astype(np.float16),
        voiced[first:last],
        vowel - first,
        coda - first,
    )
    return syllable, float(np.median(f0_hz[f0_hz > 0]))


def _find_vowel(
    envelope_db: NDArray[np.float64], voiced: NDArray[np.bool_], centre: int
) -> tuple[int, int]:
    """Return the start and stop frames of the vowel.

    It is the run of voiced frames around the centre whose spectral distance from the centre is at
    most half of the maximum on their side, this limit being kept within 4 to 9 dB.
    """
    frequencies = band_frequencies_hz()
    inside = (frequencies > _VOWEL_HZ[0]) & (frequencies < _VOWEL_HZ[1])
    steady = envelope_db[max(centre - 2, 0) : centre + 3, inside].mean(axis=0)
    distance_db = np.sqrt(np.mean((envelope_db[:, inside] - steady) ** 2, axis=1))

    def walk(frames: range) -> int:
        limit_db = np.clip(0.5 * max(distance_db[list(frames)], default=0.0), 4.0, 9.0)
        count = 0
        for frame in frames:
            if not voiced[frame] or distance_db[frame] > limit_db:
                break
            count += 1
        return count

    before = walk(range(centre - 1, -1, -1))
    return centre - before, centre + 1 + walk(range(centre + 1, len(voiced)))


def _build_speaker(name: str) -> Speaker:
    synthesiser, voice, language = name.split(":")
    say = {"espeak-ng": _say_by_espeak, "flite": _say_by_flite}[synthesiser]
    syllables, f0s_hz = [], []
    for word in _WORDS[language].split():
        parts = analyse(say(word, voice, language))
        if parts is not None:
            syllables.append(parts[0])
            f0s_hz.append(parts[1])
    return Speaker(name, float(np.median(f0s_hz)) if f0s_hz else 0.0, tuple(syllables))


def _say_by_espeak(word: str, voice: str, language: str) -> NDArray[np.float64]:
    command = ["espeak-ng", "-v", f"{language}+{voice}", "-s", "110", "--stdout", word]
    return _read(subprocess.run(command, check=True, capture_output=True).stdout)


def _say_by_flite(word: str, voice: str, language: str) -> NDArray[np.float64]:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        command = ["flite", "-voice", voice, "--setf", "duration_stretch=1.5", "-t", word]
        subprocess.run([*command, "-o", file.name], check=True, capture_output=True)
        return _read(Path(file.name).read_bytes())


def _read(wav: bytes) -> NDArray[np.float64]:
    samples, rate_hz = soundfile.read(io.BytesIO(wav), dtype="float64")
    # Faint noise, because WORLD takes logarithms and fails on digital silence.
    noise = np.random.default_rng(0).normal(0.0, 1e-5, len(samples))
    return np.ascontiguousarray(soxr.resample(samples + noise, rate_hz, RATE_HZ))


if __name__ == "__main__":
    load_bank()

"""Stems for training and evaluation, held in memory.

Three collections; the first two are for non-commercial use and no part of the project:

``stems_dev``
    MUSDB18's excerpts of 7 s: a folder for each, with ``drums``, ``bass``, ``other`` and
    ``vocals``. Every third folder by name is held out and never trained on.
``karaoke_train``
    MIR-1K: a file for each clip, accompaniment on the left and singer on the right. The clips were
    recorded at 16 kHz and hold nothing above 8 kHz, so nothing is learnt from there.
rendered
    The output of :mod:`.rendered`, in the format of MIR-1K.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples

RATE_HZ: Final = 44_100
INSTRUMENTS: Final = ("drums", "bass", "other")
KARAOKE_LIMIT_HZ: Final = 7_500.0
RENDERED_LIMIT_HZ: Final = 10_000.0
DEV_EVERY: Final = 9
"""Every ninth of the other folders is for evaluation during training."""

Stored = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Song:
    """One recording's stems.

    Attributes
    ----------
    name : str
    vocals : np.ndarray, shape (2, N), int16
    instruments : tuple of np.ndarray, shape (2, N), int16
        Their sum is the accompaniment.
    limit_hz : float
        The recording holds nothing above this frequency.
    """

    name: str
    vocals: Stored
    instruments: tuple[Stored, ...]
    limit_hz: float = RATE_HZ / 2


@dataclass(frozen=True, slots=True)
class Recordings:
    """Songs by collection; ``dev`` is held out of ``bands`` for evaluation during training."""

    bands: tuple[Song, ...]
    karaoke: tuple[Song, ...]
    rendered: tuple[Song, ...]
    dev: tuple[Song, ...]


def load_recordings(data: Path, rendered: Path, say: Callable[[str], None] = print) -> Recordings:
    """Load all songs for training; ``rendered`` is the folder of rendered ones.

    Raises
    ------
    FileNotFoundError
        If ``data`` holds no ``stems_dev``.
    """
    training = [f for n, f in enumerate(_folders(data)) if not is_held_back(n)]
    dev = [folder for n, folder in enumerate(training) if n % DEV_EVERY == 0]
    bands = tuple(load_band(folder) for folder in training if folder not in dev)
    karaoke = _load_duos(data / "karaoke_train", "*.opus", KARAOKE_LIMIT_HZ)
    made = _load_duos(rendered, "*.flac", RENDERED_LIMIT_HZ)
    say(f"{len(bands)} excerpts, {len(karaoke)} karaoke, {len(made)} rendered; {len(dev)} for dev")
    return Recordings(bands, karaoke, made, tuple(load_band(folder) for folder in dev))


def iterate_held_back(data: Path) -> Iterator[Song]:
    """Yield the songs of ``stems_dev`` that are held out."""
    for number, folder in enumerate(_folders(data)):
        if is_held_back(number):
            yield load_band(folder)


def is_held_back(number: int) -> bool:
    """Return whether the folder with this number, by name from 0, is held out."""
    return number % 3 == 2


def load_band(folder: Path) -> Song:
    """Load an excerpt of four stems."""
    stems = [_load(folder / f"{name}.opus") for name in ("vocals", *INSTRUMENTS)]
    length = min(stem.shape[-1] for stem in stems)
    vocals, *instruments = (stem[:, :length] for stem in stems)
    return Song(folder.name, vocals, tuple(instruments))


def load_duo(path: Path, limit_hz: float) -> Song:
    """Load a recording with the accompaniment on the left and the singer on the right."""
    accompaniment, singer = _load(path)
    return Song(path.stem, _double(singer), (_double(accompaniment),), limit_hz)


def as_samples(stored: Sequence[Stored]) -> Samples:
    """Return the sum of stems, shape (2, N), float32."""
    total: Samples = np.sum([stem.astype(np.float32) for stem in stored], axis=0) / 32768
    return total.astype(np.float32)


def _folders(data: Path) -> list[Path]:
    return sorted(path for path in (data / "stems_dev").iterdir() if path.is_dir())


def _load_duos(folder: Path, pattern: str, limit_hz: float) -> tuple[Song, ...]:
    return tuple(load_duo(path, limit_hz) for path in sorted(folder.glob(pattern)))


def _double(mono: Stored) -> Stored:
    return np.broadcast_to(mono, (2, len(mono)))


def _load(path: Path) -> Stored:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=stream.rate)
        blocks = [
            block.to_ndarray()
            for frame in container.decode(stream)
            for block in resampler.resample(frame)
        ]
        rate_hz = stream.rate
    samples = resample(np.concatenate(blocks, axis=1), rate_hz, RATE_HZ)
    return np.asarray(np.clip(np.round(samples * 32768), -32768, 32767), np.int16)

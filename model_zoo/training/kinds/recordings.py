"""Real recordings of a known kind, and honest mixes of them.

All recordings made from the same original are in the same half, chosen by a checksum of its name.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from inference_service.audio.decode import AudioLimits, decode
from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples, Waveform
from inference_service.pipeline.routing import choose_excerpts
from inference_service.progress import ignore

RATE_HZ: Final = 44_100
KARAOKE_EVERY: Final = 20
STEMS_EVERY: Final = 2
AUDIBLE_DB: Final = -20.0
"""A stem that is weaker than this, compared with the mix, is not heard in it."""

_BAND: Final = ("drums", "bass", "other")


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording of a known kind.

    Attributes
    ----------
    kind : str
    source : str
        Where it comes from, in words.
    original : str
        Decides the half.
    load : callable
        Returns the waveform; None if it turns out to be of no known kind.
    """

    kind: str
    source: str
    original: str
    load: Callable[[], Waveform | None]

    @property
    def half(self) -> int:
        """0 or 1."""
        return half_of(self.original)


def half_of(original: str) -> int:
    """Return the half, 0 or 1, to which what is made from an original belongs."""
    return zlib.crc32(original.encode()) % 2


def list_recordings(data: Path) -> Iterator[Recording]:
    """Yield every recording that the data folder has."""
    voices = sorted((data / "voice_dev").glob("*.flac"))
    pianos = sorted((data / "piano_dev").glob("*.flac"))
    guitars = sorted((data / "guitar_dev").glob("*_mic.flac"))
    for path in voices:
        yield Recording("voice", "sung melody", path.stem, partial(_load, path))
    for path in pianos:
        yield Recording("piano", "piano", path.stem, partial(_load, path))
    yield from _cut("guitar", "guitar", guitars, (0, 8, 16), 8)
    licks = sorted((data / "solo_dev").glob("guitar*.flac"))
    yield from _cut("guitar", "electric guitar", licks, (0,), 30)
    violins = sorted((data / "solo_dev").glob("*.opus"))
    yield from _cut("solo", "violin", violins, range(0, 60, 12), 12)
    chorales = sorted((data / "ensemble_dev").glob("*.flac"))
    yield from _cut("ensemble", "four instruments", chorales, range(0, 40, 8), 8)
    drums = sorted((data / "drums_dev").glob("*.flac"))
    yield from _cut("drums", "drums", drums, (0, 10, 20), 10)
    for path in sorted((data / "songs_dev").glob("*.opus")):
        yield Recording("song", "song", path.stem, partial(_load, path))
    yield from _list_stems(data / "stems_dev", voices)
    for number, path in enumerate(voices):
        for players, source in ((pianos, "a piano"), (guitars, "a guitar")):
            player = players[number % len(players)] if players else path
            # A mix of recordings from different halves would belong to both.
            if players and half_of(path.stem) == half_of(player.stem):
                overlay = partial(_overlay, path, partial(_load, player))
                yield Recording("song", f"voice over {source}", path.stem, overlay)
    for path in sorted((data / "karaoke_train").glob("*.opus"))[::KARAOKE_EVERY]:
        singer = path.stem.split("_")[0]
        yield Recording("voice", "karaoke singer", singer, partial(_karaoke, path, True))
        yield Recording("song", "karaoke mix", singer, partial(_karaoke, path, False))


def _cut(
    kind: str, source: str, paths: Sequence[Path], starts_s: Sequence[int], length_s: float
) -> Iterator[Recording]:
    for path in paths:
        for start_s in starts_s:
            load = partial(_load, path, start_s, start_s + length_s)
            yield Recording(kind, source, path.stem, load)


def _list_stems(folder: Path, voices: Sequence[Path]) -> Iterator[Recording]:
    songs = sorted(path for path in folder.glob("*") if path.is_dir())
    for song in songs[::STEMS_EVERY]:
        mixes = (
            ("song", "mix", ("vocals",), (*_BAND, "vocals")),
            ("ensemble", "band without voice", (), _BAND),
            ("drums", "drums of a song", ("drums",), ("drums",)),
        )
        for kind, source, heard, stems in mixes:
            load = partial(_mix, song, stems, heard)
            yield Recording(kind, source, song.name, load)
    for number, path in enumerate(voices):
        song = songs[number % len(songs)]
        if half_of(path.stem) == half_of(song.name):
            overlay = partial(_overlay, path, partial(_mix, song, _BAND, ()))
            yield Recording("song", "voice over a band", path.stem, overlay)


def _load(path: Path, start_s: float = 0.0, stop_s: float = 60.0) -> Waveform | None:
    waveform = decode(path.read_bytes(), AudioLimits(), ignore)
    rate_hz = waveform.sample_rate_hz
    mono = waveform.mono()[round(start_s * rate_hz) : round(stop_s * rate_hz)]
    return _mono(mono, rate_hz) if len(mono) >= 2 * rate_hz else None


def _mix(folder: Path, stems: Sequence[str], heard: Sequence[str]) -> Waveform | None:
    """Return a mix; None if a stem that makes its kind is not heard."""
    sounds = {name: _load(folder / f"{name}.opus") for name in stems}
    present = {name: sound for name, sound in sounds.items() if sound is not None}
    if not present:
        return None
    length = min(sound.samples.shape[1] for sound in present.values())
    tracks = {name: sound.samples[0, :length] for name, sound in present.items()}
    mixed = np.stack(list(tracks.values())).sum(axis=0, dtype=np.float32)
    for name in heard:
        share = np.mean(np.square(tracks.get(name, np.zeros(1)))) / (np.mean(mixed**2) + 1e-12)
        if 10 * np.log10(share + 1e-12) < AUDIBLE_DB:
            return None
    loud = np.sqrt(np.mean(mixed**2)) > 1e-3
    return _mono(mixed, next(iter(present.values())).sample_rate_hz) if loud else None


def _overlay(voice: Path, load_band: Callable[[], Waveform | None]) -> Waveform | None:
    """Return a voice over instruments of the same loudness."""
    sung, played = _load(voice), load_band()
    if sung is None or played is None:
        return None
    voices, band = (
        resample(choose_excerpts(sound)[0].mono(), sound.sample_rate_hz, RATE_HZ)
        for sound in (sung, played)
    )
    length = min(len(voices), len(band))
    return _mono(_level(voices[:length]) + _level(band[:length]), RATE_HZ)


def _karaoke(path: Path, voice_only: bool) -> Waveform:
    waveform = decode(path.read_bytes(), AudioLimits(), ignore)
    band, voice = waveform.samples
    return _mono(voice if voice_only else (voice + band) / 2, waveform.sample_rate_hz)


def _level(samples: Samples) -> Samples:
    return samples / np.float32(10 * np.sqrt(np.mean(np.square(samples)) + 1e-9))


def _mono(samples: Samples, rate_hz: int) -> Waveform:
    return Waveform(np.ascontiguousarray(samples[np.newaxis], np.float32), rate_hz)

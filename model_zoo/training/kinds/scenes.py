"""Rendered recordings of every kind, and synthetic speech and noise."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.random import Generator

from inference_service.audio.resample import resample
from inference_service.audio.waveform import Samples
from inference_service.music.programs import KEYBOARDS, SINGERS
from model_zoo.training.beats.prepare import Corpora
from model_zoo.training.kinds.synthetic import hum, strike, whistle
from model_zoo.training.sound.damage import degrade
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sources.piece import Piece
from model_zoo.training.tagger import scene
from model_zoo.training.tagger.render import render
from model_zoo.training.tagger.scene import Scene, Track

LENGTH_S: Final = (10.0, 16.0)
DAMAGED_SHARE: Final = 0.6
SPOKEN_SHARE: Final = 0.65
"""Of recordings of nothing; the others are noise."""

SYNTHETIC_SHARE: Final = 0.4
"""Of voices that hum or whistle, and of pianos that are electronic."""

SOLOISTS: Final = (
    40, 40, 40, 41, 42, 42, 56, 57, 60, 64, 65, 66, 67, 68, 70, 71, 71, 73, 73, 74, 75, 22, 11, 12,
    43, 58,
)  # fmt: skip
ACCOMPANISTS: Final = (0, 0, 0, 1, 2, 24, 24, 25, 25, 25, 26, 4, 16, 48)
GUITARS: Final = range(24, 32)
ELECTRIC_GUITARS: Final = (26, 27, 28, 29, 29, 30, 30)
LEAD_SHARE: Final = 0.4
"""Of guitars that play a single line on an electric guitar."""

SENTENCES: Final = (
    "I went down the street and thought about what the next day would bring us all",
    "can you send me the notes of that song please when you are back at home tonight",
    "the quick brown fox jumps over the lazy dog and nobody knows the reason why",
    "вчера вечером я шёл домой по улице и думал о том что завтра будет новый день",
    "пришли мне пожалуйста ноты этой песни спасибо большое до встречи",
    "мама мыла раму а папа читал газету и пил чай с вареньем",
)
FLITE_VOICES: Final = ("kal", "awb", "rms", "slt", "kal16")
ESPEAK_VARIANTS: Final = ("", "+m1", "+m3", "+m7", "+f1", "+f2", "+f4", "+croak", "+whisper")


def draw_sound(kind: str, corpora: Corpora, random: Generator) -> Samples:
    """Return a recording of a kind at ``RATE_HZ``.

    Raises
    ------
    ValueError
        If the music drawn cannot be used: draw again.
    FileNotFoundError
        If no soundfont, or no synthesiser of speech, is installed.
    """
    if kind == "nothing":
        sound = _speak(random) if random.random() < SPOKEN_SHARE else _make_noise(random)
    else:
        drawn = _draw_scene(kind, corpora, random)
        synthetic = _SYNTHETIC.get(kind)
        if synthetic is not None and random.random() < SYNTHETIC_SHARE:
            play = synthetic[int(random.integers(len(synthetic)))]
            sound = play(drawn.tracks[0].notes, random)
        else:
            sound = render(drawn, random).samples
    return degrade(sound, random) if random.random() < DAMAGED_SHARE else sound


def _draw_scene(kind: str, corpora: Corpora, random: Generator) -> Scene:
    length_s = float(random.uniform(*LENGTH_S))
    piece, tracks = _COMPOSERS[kind](corpora, length_s, random)
    tracks = [scene.finish(track, random) for track in tracks if len(track.notes)]
    if not tracks:
        raise ValueError(f"{piece.name}: nothing to play")
    own: scene.Kind = kind if kind in ("voice", "piano", "guitar", "drums") else "band"  # type: ignore[assignment]
    return scene.build_scene(piece, own, tracks, length_s)


def _compose_solo(
    corpora: Corpora, length_s: float, random: Generator
) -> tuple[Piece, list[Track]]:
    shares = {"lieder": 0.35, "leadsheets": 0.35, "songs": 0.1, "quartets": 0.2}
    piece = scene.draw_piece(corpora, length_s, random, shares)
    line = piece.lines[int(random.integers(len(piece.lines)))]
    line = line if random.random() < 0.3 else piece.lines[0]
    notes = scene.one_voice(line.notes)
    return piece, [scene.fit(Track(int(random.choice(SOLOISTS)), notes, scene.no_pedal()))]


def _compose_guitar(
    corpora: Corpora, length_s: float, random: Generator
) -> tuple[Piece, list[Track]]:
    """Compose a guitar as the note tagger is taught it, or a lead guitar that plays a line."""
    piece, [guitar] = scene.COMPOSERS["guitar"](corpora, length_s, random)
    if random.random() < LEAD_SHARE:
        program = int(random.choice(ELECTRIC_GUITARS))
        guitar = scene.fit(Track(program, scene.one_voice(guitar.notes), scene.no_pedal()))
    return piece, [guitar]


def _compose_ensemble(
    corpora: Corpora, length_s: float, random: Generator
) -> tuple[Piece, list[Track]]:
    composers: tuple[scene.Kind, ...] = ("ensemble", "chamber", "band")
    kind = composers[int(random.choice(3, p=(0.45, 0.22, 0.33)))]
    piece, tracks = scene.COMPOSERS[kind](corpora, length_s, random)
    tracks = [track for track in tracks if track.is_drum or track.program not in SINGERS]
    is_piano = all(track.program in KEYBOARDS and not track.is_drum for track in tracks)
    if len(tracks) < 2 or is_piano:
        raise ValueError(f"{piece.name}: no ensemble")
    return piece, tracks


def _compose_song(
    corpora: Corpora, length_s: float, random: Generator
) -> tuple[Piece, list[Track]]:
    """Compose a band with a singer, or a singer with a piano, a guitar or the like."""
    if random.random() < 0.65:
        piece, tracks = scene.COMPOSERS["band"](corpora, length_s, random)
        sung = [track.program in SINGERS and not track.is_drum for track in tracks]
        if not any(sung):
            first = next((n for n, track in enumerate(tracks) if not track.is_drum), None)
            if first is None:
                raise ValueError(f"{piece.name}: nothing to sing")
            notes = scene.one_voice(tracks[first].notes)
            tracks[first] = Track(SINGERS[0], notes, scene.no_pedal())
        return piece, tracks
    shares = {"lieder": 0.5, "leadsheets": 0.3, "songs": 0.2}
    piece = scene.draw_piece(corpora, length_s, random, shares)
    if len(piece.lines) < 2:
        raise ValueError(f"{piece.name}: nothing to accompany with")
    singer = Track(SINGERS[0], scene.one_voice(piece.lines[0].notes), scene.no_pedal())
    program = int(random.choice(ACCOMPANISTS))
    player = Track(program, scene.join(list(piece.lines[1:])), scene.no_pedal())
    if program in GUITARS:
        player = replace(player, notes=scene.strum(player.notes, random))
    return piece, [singer, scene.fit(player)]


_COMPOSERS: Final[Mapping[str, scene.Composer]] = {
    "voice": scene.COMPOSERS["voice"],
    "piano": scene.COMPOSERS["piano"],
    "guitar": _compose_guitar,
    "drums": scene.COMPOSERS["drums"],
    "solo": _compose_solo,
    "ensemble": _compose_ensemble,
    "song": _compose_song,
}


_SYNTHETIC: Final[Mapping[str, Sequence[Callable[..., Samples]]]] = {
    "voice": (hum, hum, whistle),
    "piano": (strike,),
}


def _speak(random: Generator) -> Samples:
    """Return a sentence spoken by a synthesiser."""
    sentence = SENTENCES[int(random.integers(len(SENTENCES)))]
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder) / "spoken.wav")
        if sentence.isascii() and random.random() < 0.5:
            voice = FLITE_VOICES[int(random.integers(len(FLITE_VOICES)))]
            command = ["flite", "-voice", voice, "-t", sentence, "-o", target]
        else:
            language = "en" if sentence.isascii() else "ru"
            variant = ESPEAK_VARIANTS[int(random.integers(len(ESPEAK_VARIANTS)))]
            speed, pitch = int(random.integers(110, 200)), int(random.integers(20, 80))
            command = ["espeak-ng", "-v", language + variant, "-s", str(speed), "-p", str(pitch)]
            command += ["-w", target, sentence]
        subprocess.run(command, check=True, capture_output=True)
        samples, rate_hz = soundfile.read(target, dtype="float32", always_2d=True)
    return resample(np.ascontiguousarray(samples.mean(1)), rate_hz, RATE_HZ)


def _make_noise(random: Generator) -> Samples:
    """Return coloured noise that swells, with knocks, a hum or a crowd."""
    count = round(RATE_HZ * float(random.uniform(6, 12)))
    spectrum = np.fft.rfft(random.standard_normal(count))
    frequencies_hz = np.fft.rfftfreq(count, 1 / RATE_HZ) + 1
    noise = np.fft.irfft(spectrum * frequencies_hz ** -random.uniform(0, 1.2), count)
    times_s = np.arange(count) / RATE_HZ
    swell = np.interp(times_s, np.linspace(0, times_s[-1], 12), random.uniform(0.1, 1, 12))
    noise *= swell / np.abs(noise).max()
    maker: Callable[..., Samples] | None = {0: _add_knocks, 1: _add_hum, 2: _add_crowd}.get(
        int(random.integers(6))
    )
    if maker is not None:
        noise = np.asarray(maker(noise, random))
    return np.asarray(0.5 * noise / np.abs(noise).max(), np.float32)


def _add_knocks(noise: Samples, random: Generator) -> Samples:
    length = 3000
    knocks = 0.05 * noise
    for start in random.integers(0, len(noise) - length, int(random.integers(3, 40))):
        decay = np.exp(-np.arange(length) / random.uniform(30, 600))
        knocks[start : start + length] += random.standard_normal(length) * decay * random.random()
    return knocks


def _add_hum(noise: Samples, random: Generator) -> Samples:
    phase = 2 * np.pi * random.choice([50, 60]) * np.arange(len(noise)) / RATE_HZ
    return np.asarray(0.3 * noise + 0.5 * np.sin(phase) + 0.2 * np.sin(2 * phase))


def _add_crowd(noise: Samples, random: Generator) -> Samples:
    voices: Sequence[Samples] = [_speak(random) for _ in range(4)]
    length = min(len(noise), *map(len, voices))
    return np.asarray(0.3 * noise[:length] + sum(voice[:length] for voice in voices))

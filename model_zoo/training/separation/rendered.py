"""Renders songs: bands of soundfonts and samples, with singing made from speech.

Unlike the recordings, they are freely licensed. Each is stored as MIR-1K is: the band on the left,
the singer on the right, both at the same level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.random import Generator

from inference_service.audio.waveform import Samples
from inference_service.music.programs import SINGERS
from model_zoo.training.beats.prepare import Corpora, load_corpora
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.tagger.render import render
from model_zoo.training.tagger.scene import Scene, draw_scene

LEVEL: Final = 0.08


def write_songs(
    symbolic: Path, folder: Path, count: int, seed: int, say: Callable[[str], None]
) -> None:
    """Write ``count`` songs as FLAC, except those that exist."""
    folder.mkdir(parents=True, exist_ok=True)
    corpora = load_corpora(symbolic, dev=False)
    for number in range(count):
        path = folder / f"{seed:03d}-{number:04d}.flac"
        if path.exists():
            continue
        band, singer = render_song(corpora, np.random.default_rng((seed, number)))
        soundfile.write(path, np.stack([band, singer], 1), RATE_HZ, subtype="PCM_16")
        say(str(path))


def render_song(corpora: Corpora, random: Generator) -> tuple[Samples, Samples]:
    """Return a rendered band and its singer, each of shape (N,)."""
    while True:
        try:
            scene = draw_scene(corpora, random, "band")
            parts = [_render_part(scene, random, sung=sung) for sung in (False, True)]
        except ValueError:  # a song without a singer or without a band
            continue
        size = max(len(part) for part in parts)
        band, singer = (np.pad(part, (0, size - len(part))) for part in parts)
        return band, singer


def _render_part(scene: Scene, random: Generator, *, sung: bool) -> Samples:
    tracks = tuple(track for track in scene.tracks if (track.program in SINGERS) == sung)
    if not tracks:
        raise ValueError(f"{scene.name}: one of the two parts is missing")
    samples = render(replace(scene, tracks=tracks), random).samples
    level = float(np.sqrt(np.mean(np.square(samples))))
    return np.asarray(np.clip(samples * (LEVEL / level), -1.0, 1.0), np.float32)
